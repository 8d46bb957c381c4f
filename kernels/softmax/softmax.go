// Package softmax holds the loops of Softmax, LogSoftmax and Hardmax and of the exponentials inside attention.
//
// All of them work along the first axis of a block of n rows that are inner elements apart; for inner = 1 that is one contiguous
// row. The block may be narrower than inner: x and y go from its first column in row 0 to its last column in row n-1.
// Every function allows y to be x.
package softmax

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
)

// Float is the element types that the kernels of this package know.
type Float interface{ float32 | float64 }

// Softmax sets y = exp(x-max) / Σ exp(x-max) along n. A column without a finite maximum gives NaN, as the formula does.
func Softmax[T Float](y, x []T, n, inner int) {
	check(len(y), len(x), n, inner)
	if inner == 1 {
		inv := 1 / ExpSub(y, x, RowMax(x))
		vec.MulScalar(y, y, inv)
		return
	}
	columns(y, x, n, inner, func(y, x, m, s []T) {
		for i := 0; i < len(x); i += inner {
			r := y[i : i+len(m)]
			vec.Sub(r, x[i:i+len(m)], m)
			ExpSub(r, r, 0)
			vec.Add(s, s, r)
		}
		for j := range s {
			s[j] = 1 / s[j]
		}
		for i := 0; i < len(x); i += inner {
			r := y[i : i+len(s)]
			vec.Mul(r, r, s)
		}
	})
}

// LogSoftmax sets y = x - max - log Σ exp(x-max) along n.
func LogSoftmax[T Float](y, x []T, n, inner int) {
	check(len(y), len(x), n, inner)
	if inner == 1 {
		m := RowMax(x)
		var s T
		var buf [256]T
		for i := 0; i < n; i += len(buf) {
			b := x[i:min(i+len(buf), n)]
			s += ExpSub(buf[:len(b)], b, m)
		}
		vec.SubScalar(y, x, m)
		vec.SubScalar(y, y, T(math.Log(float64(s))))
		return
	}
	columns(y, x, n, inner, func(y, x, m, s []T) {
		var buf [columnBlock]T
		b := buf[:len(m)]
		for i := 0; i < len(x); i += inner {
			vec.Sub(b, x[i:i+len(m)], m)
			ExpSub(b, b, 0)
			vec.Add(s, s, b)
		}
		for j := range s {
			s[j] = T(math.Log(float64(s[j])))
		}
		for i := 0; i < len(x); i += inner {
			r := y[i : i+len(m)]
			vec.Sub(r, x[i:i+len(m)], m)
			vec.Sub(r, r, s)
		}
	})
}

// Hardmax sets y to 1 at the first maximum along n and to 0 elsewhere.
func Hardmax[T Float](y, x []T, n, inner int) {
	check(len(y), len(x), n, inner)
	for j := range len(x) - (n-1)*inner {
		at := j
		for i := j; i < len(x); i += inner {
			if x[i] > x[at] {
				at = i
			}
		}
		for i := j; i < len(x); i += inner {
			y[i] = 0
		}
		y[at] = 1
	}
}

// RowMax is Max for rows whose exponentials are taken next: these carry a NaN that it may pass over. If it returns -Inf, there may
// be NaNs in x.
func RowMax[T Float](x []T) T {
	if f, ok := any(x).([]float32); ok {
		return T(vec.MaxOf(f))
	}
	return Max(x)
}

// Max returns the largest element of x, NaN if there is one, and -Inf for an empty x.
func Max[T Float](x []T) T {
	m := T(math.Inf(-1))
	for _, v := range x {
		if v > m || v != v {
			m = v
		}
		if m != m {
			return m
		}
	}
	return m
}

// columnBlock is how many columns are handled together when the axis is not the last one.
const columnBlock = 128

// columns calls f for blocks of neighbouring columns with their maxima m and cleared sums s. y and x start at the block's first
// column of row 0 and end with its last column of row n-1.
func columns[T Float](y, x []T, n, inner int, f func(y, x, m, s []T)) {
	var mb, sb [columnBlock]T
	width := len(x) - (n-1)*inner
	for c := 0; c < width; c += columnBlock {
		w := min(columnBlock, width-c)
		end := (n-1)*inner + c + w
		yb, xb, m, s := y[c:end], x[c:end], mb[:w], sb[:w]
		copy(m, xb[:w])
		clear(s)
		for i := 0; i < len(xb); i += inner {
			vec.Max(m, m, xb[i:i+w])
		}
		f(yb, xb, m, s)
	}
}

func check(y, x, n, inner int) {
	if w := x - (n-1)*inner; y != x || n < 1 || w < 1 || w > inner {
		panic("softmax: bad lengths")
	}
}
