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
	i := 0
	for ; i+2 <= rows; i += 2 {
		a, b := q[i*size:(i+1)*size], q[(i+1)*size:(i+2)*size]
		sa, sb := s[i*keyBlock:i*keyBlock+n], s[(i+1)*keyBlock:(i+1)*keyBlock+n]
		j := 0
		for ; j+4 <= n; j += 4 {
			a0, a1, a2, a3, b0, b1, b2, b3 := dot2x4(a, b, k[j*ks:], ks)
			sa[j], sa[j+1], sa[j+2], sa[j+3] = a0, a1, a2, a3
			sb[j], sb[j+1], sb[j+2], sb[j+3] = b0, b1, b2, b3
		}
		for ; j < n; j++ {
			r := k[j*ks : j*ks+size]
			sa[j], sb[j] = dot(a, r), dot(b, r)
		}
	}
	for ; i < rows; i++ {
		a, sa := q[i*size:(i+1)*size], s[i*keyBlock:i*keyBlock+n]
		j := 0
		for ; j+4 <= n; j += 4 {
			sa[j], sa[j+1], sa[j+2], sa[j+3] = dot1x4(a, k[j*ks:], ks)
		}
		for ; j < n; j++ {
			sa[j] = dot(a, k[j*ks:j*ks+size])
		}
	}
}

// dot2x4 returns the products of a and b with four rows of k that are ks apart.
func dot2x4[T Float](a, b, k []T, ks int) (a0, a1, a2, a3, b0, b1, b2, b3 T) {
	n := len(a)
	b = b[:n]
	k0, k1, k2, k3 := k[:n], k[ks:][:n], k[2*ks:][:n], k[3*ks:][:n]
	for d, x := range a {
		y, c0, c1, c2, c3 := b[d], k0[d], k1[d], k2[d], k3[d]
		a0 += x * c0
		a1 += x * c1
		a2 += x * c2
		a3 += x * c3
		b0 += y * c0
		b1 += y * c1
		b2 += y * c2
		b3 += y * c3
	}
	return a0, a1, a2, a3, b0, b1, b2, b3
}

// dot1x4 returns the products of a with four rows of k that are ks apart.
func dot1x4[T Float](a, k []T, ks int) (a0, a1, a2, a3 T) {
	n := len(a)
	k0, k1, k2, k3 := k[:n], k[ks:][:n], k[2*ks:][:n], k[3*ks:][:n]
	for d, x := range a {
		a0 += x * k0[d]
		a1 += x * k1[d]
		a2 += x * k2[d]
		a3 += x * k3[d]
	}
	return a0, a1, a2, a3
}

// dot adds in the order of dot2x4, so that a key's score does not depend on its place in the block.
func dot[T Float](a, b []T) (s T) {
	b = b[:len(a)]
	for d, x := range a {
		s += x * b[d]
	}
	return s
}

// weigh adds Σ_j p[i*keyBlock+j]·v[j*vs+d] to acc[i*size+d] for i < rows, j < n, d < size. If masked is set, rows of v whose weight
// is 0 do not matter, even if they hold NaN or Inf.
func weigh[T Float](acc, p, v []T, vs, rows, n, size int, masked bool) {
	if rows > few && (!masked || finite(v, vs, n, size)) {
		gemm.Mul(serial, &gemm.Args[T]{M: rows, N: size, K: n, C: acc, LDC: size, A: gemm.RowMajor(p, keyBlock, false), B: gemm.RowMajor(v, vs, false), Acc: true})
		return
	}
	for i := range rows {
		y, w := acc[i*size:(i+1)*size], p[i*keyBlock:i*keyBlock+n]
		j := 0
		for ; j+4 <= n; j += 4 {
			p0, p1, p2, p3 := w[j], w[j+1], w[j+2], w[j+3]
			if masked && (p0 == 0 || p1 == 0 || p2 == 0 || p3 == 0) {
				for k := j; k < j+4; k++ {
					axpy(y, v[k*vs:], w[k])
				}
				continue
			}
			v0, v1, v2, v3 := v[j*vs:][:size], v[(j+1)*vs:][:size], v[(j+2)*vs:][:size], v[(j+3)*vs:][:size]
			for d := range y {
				y[d] += (p0*v0[d] + p1*v1[d]) + (p2*v2[d] + p3*v3[d])
			}
		}
		for ; j < n; j++ {
			axpy(y, v[j*vs:], w[j])
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
