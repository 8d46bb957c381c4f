package conv

import (
	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// Transpose sets y, (Batch, Groups·InC, In…), to the transposed convolution of x, (Batch, Groups·OutC, Out…), with w,
// (Groups·OutC, InC, Kernel…), for the convolution with geometry g: each element of x spreads its window over y. bias is
// nil or has one element per channel of y.
func Transpose[T gemm.Number](pool *parallel.Pool, g *Geometry, y, x, w, bias []T) {
	big, small, kernel := Volume(g.In), Volume(g.Out), Volume(g.Kernel)
	block := channelBlock(g.InC, kernel*small)
	blocks := (g.InC + block - 1) / block
	pool.For(g.Batch*g.Groups*blocks, 1, func(lo, hi int) {
		cols := make([]T, block*kernel*small)
		for i := lo; i < hi; i++ {
			at, c0 := i/blocks, i%blocks*block
			n := min(block, g.InC-c0)
			group := at % g.Groups
			gemm.Mul(serial, &gemm.Args[T]{M: n * kernel, N: small, K: g.OutC, C: cols, LDC: small,
				A: gemm.RowMajor(w[group*g.OutC*g.InC*kernel+c0*kernel:], g.InC*kernel, true),
				B: gemm.RowMajor(x[at*g.OutC*small:], small, false)})
			for c := range n {
				dst := y[(at*g.InC+c0+c)*big:][:big]
				var v T
				if bias != nil {
					v = bias[group*g.InC+c0+c]
				}
				for q := range dst {
					dst[q] = v
				}
				spread(g, dst, cols[c*kernel*small:][:kernel*small])
			}
		}
	})
}

var serial = parallel.NewPool(1)

// channelBlock is how many channels of cost elements are spread at a time.
func channelBlock(channels, cost int) int {
	return max(1, min(channels, (1<<18)/max(cost, 1)))
}

// spread adds the columns of windows, (Kernel…, Out…), to one channel, (In…).
func spread[T gemm.Number](g *Geometry, dst, cols []T) {
	last := len(g.Out) - 1
	width, inWidth := g.Out[last], g.In[last]
	kw := g.Kernel[last]
	at := make([]int, last)
	for k := range Volume(g.Kernel) {
		clear(at)
		from := k%kw*g.Dilate[last] - g.Pad[last]
		for len(cols) > 0 && width > 0 {
			if base, ok := g.line(at, k/kw); ok {
				spreadLine(dst[base*inWidth:][:inWidth], cols[:width], from, g.Stride[last])
			}
			cols = cols[width:]
			if !advance(at, g.Out) {
				break
			}
		}
	}
}

// advance moves at to the next position in row-major order and reports whether there was one.
func advance(at, size []int) bool {
	for d := len(at) - 1; d >= 0; d-- {
		if at[d]++; at[d] < size[d] {
			return true
		}
		at[d] = 0
	}
	return false
}

// spreadLine adds row[i] to line[from+i·stride] wherever that lies inside the line.
func spreadLine[T gemm.Number](line, row []T, from, stride int) {
	for i, v := range row {
		if at := from + i*stride; uint(at) < uint(len(line)) {
			line[at] += v
		}
	}
}
