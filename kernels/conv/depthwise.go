package conv

import (
	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// depthwise convolves each channel of the input on its own, row by row of the output.
func depthwise[T gemm.Number](pool *parallel.Pool, g *Geometry, y, x, w []T, e Epilogue[T]) {
	in, out, k := Volume(g.In), Volume(g.Out), Volume(g.Kernel)
	channels := g.Groups * g.OutC
	grain := max(1, (1<<15)/max(1, out*k))
	pool.For(g.Batch*channels, grain, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			c := i % channels
			src := x[i/g.OutC*in:][:in]
			var bias T
			if e.Bias != nil {
				bias = e.Bias[c]
			}
			plane(g, y[i*out:][:out], src, w[c*k:][:k], bias, e.Act)
		}
	})
}

// depthwiseFloat32 is depthwise for float32.
func depthwiseFloat32(pool *parallel.Pool, g *Geometry, y, x, w []float32, e Finish) {
	if depthwiseRows(pool, g, y, x, w, &e) {
		return
	}
	depthwise(pool, g, y, x, w, Epilogue[float32]{})
	out := Volume(g.Out)
	for i := 0; i < len(y); i += out {
		finishPiece(y[i:i+out], y[i:i+out], &e, i, i/out%(g.Groups*g.OutC))
	}
}

// plane convolves one channel.
func plane[T gemm.Number](g *Geometry, y, x, w []T, bias T, act func([]T)) {
	last := len(g.Out) - 1
	width, inWidth := g.Out[last], g.In[last]
	kw := g.Kernel[last]
	at := make([]int, last)
	for o := 0; o < len(y); o += width {
		row := y[o:][:width]
		clear(row)
		for k := 0; k < len(w); k += kw {
			if base, ok := g.line(at, k/kw); ok {
				line := x[base*inWidth:][:inWidth]
				for q, v := range w[k : k+kw] {
					axpyLine(row, line, v, q*g.Dilate[last]-g.Pad[last], g.Stride[last])
				}
			}
		}
		for i := range row {
			row[i] += bias
		}
		if act != nil {
			act(row)
		}
		advance(at, g.Out)
	}
}

// line is the index of the input's line that the output line at meets with kernel line k.
func (g *Geometry) line(at []int, k int) (base int, ok bool) {
	scale := 1
	for d := len(at) - 1; d >= 0; d-- {
		i := at[d]*g.Stride[d] + k%g.Kernel[d]*g.Dilate[d] - g.Pad[d]
		if i < 0 || i >= g.In[d] {
			return 0, false
		}
		base += i * scale
		scale *= g.In[d]
		k /= g.Kernel[d]
	}
	return base, true
}

// axpyLine adds v·line[from+i·stride] to row[i] wherever that lies inside the line.
func axpyLine[T gemm.Number](row, line []T, v T, from, stride int) {
	lo, hi := overlap(len(row), len(line), from, stride)
	row = row[lo:hi]
	if len(row) == 0 {
		return
	}
	line = line[from+lo*stride:]
	if stride == 1 {
		for i, x := range line[:len(row)] {
			row[i] += v * x
		}
		return
	}
	for i := range row {
		row[i] += v * line[i*stride]
	}
}
