package attention

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/kernels/norm"
	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// few is up to how many rows a product is computed without packing its operands.
const few = 3

// serial runs the products of one block on the goroutine that has the block.
var serial = parallel.NewPool(1)

// dots sets s[i*keyBlock+j] = Σ_d q[i*size+d]·k[j*ks+d] for i < rows, j < n, d < size.
func dots[T Float](s, q, k []T, ks, rows, n, size int) {
	if rows > few {
		gemm.Mul(serial, &gemm.Args[T]{M: rows, N: n, K: size, C: s, LDC: keyBlock, A: gemm.RowMajor(q, size, false), B: gemm.RowMajor(k, ks, true)})
		return
	}
	for i := range rows {
		y := s[i*keyBlock : i*keyBlock+n]
		clear(y)
		gemm.DotRows(y, q[i*size:(i+1)*size], k, ks)
	}
}

// weigh adds Σ_j p[i*keyBlock+j]·v[j*vs+d] to acc[i*size+d] for i < rows, j < n, d < size. If masked is set, rows of v whose weight
// is 0 do not matter, even if they hold NaN or Inf.
func weigh[T Float](acc, p, v []T, vs, rows, n, size int, masked bool) {
	clean := !masked || finite(v, vs, n, size)
	if rows > few && clean {
		gemm.Mul(serial, &gemm.Args[T]{M: rows, N: size, K: n, C: acc, LDC: size, A: gemm.RowMajor(p, keyBlock, false), B: gemm.RowMajor(v, vs, false), Acc: true})
		return
	}
	for i := range rows {
		y, w := acc[i*size:(i+1)*size], p[i*keyBlock:i*keyBlock+n]
		if clean {
			gemm.AddRows(y, w, v, vs)
			continue
		}
		for j, a := range w {
			axpy(y, v[j*vs:], a)
		}
	}
}

// finite reports whether n rows of v hold no NaN and no Inf. Numbers whose squares are out of range may count as such.
func finite[T Float](v []T, vs, n, size int) bool {
	for j := range n {
		s := norm.SumSquares(v[j*vs:j*vs+size], 0)
		if math.IsNaN(s) || math.IsInf(s, 0) {
			return false
		}
	}
	return true
}

// axpy adds a·x to y, nothing if a is 0.
func axpy[T Float](y, x []T, a T) {
	if a == 0 {
		return
	}
	x = x[:len(y)]
	for d := range y {
		y[d] += a * x[d]
	}
}
