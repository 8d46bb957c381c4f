// Package resample holds the loops of resizing along one axis: each output row is a weighted sum of input rows.
package resample

// Float is every element type that rows are weighted in.
type Float interface{ float32 | float64 }

// Taps tells, for each output position, the input positions it is made of: Index[j*N+k] with Weight[j*N+k], k < N.
// Fixed, when it is set, marks positions whose output is a constant instead.
type Taps[T Float] struct {
	N      int
	Index  []int
	Weight []T
	Fixed  []bool
}

// Rows sets rows lo to hi of y to the weighted sums of x's rows, which have width elements each. y and x must not overlap.
func (t Taps[T]) Rows(y, x []T, width, lo, hi int, constant T) {
	for j := lo; j < hi; j++ {
		dst := y[(j-lo)*width:][:width]
		if t.Fixed != nil && t.Fixed[j] {
			for i := range dst {
				dst[i] = constant
			}
			continue
		}
		idx, w := t.Index[j*t.N:][:t.N], t.Weight[j*t.N:][:t.N]
		switch {
		case t.N == 2:
			weigh2(dst, x[idx[0]*width:][:width], x[idx[1]*width:][:width], w[0], w[1])
		default:
			weigh(dst, x, idx, w, width)
		}
	}
}

func weigh2[T Float](dst, a, b []T, u, v T) {
	for i := range dst {
		dst[i] = u*a[i] + v*b[i]
	}
}

func weigh[T Float](dst, x []T, idx []int, w []T, width int) {
	clear(dst)
	for k, at := range idx {
		wk := w[k]
		for i, v := range x[at*width:][:len(dst)] {
			dst[i] += wk * v
		}
	}
}

// Line sets y[j] to the weighted sum of elements of x, for all output positions.
func (t Taps[T]) Line(y, x []T, constant T) {
	for j := range y {
		if t.Fixed != nil && t.Fixed[j] {
			y[j] = constant
			continue
		}
		if t.N == 2 {
			y[j] = t.Weight[2*j]*x[t.Index[2*j]] + t.Weight[2*j+1]*x[t.Index[2*j+1]]
			continue
		}
		var s T
		for k, at := range t.Index[j*t.N:][:t.N] {
			s += t.Weight[j*t.N+k] * x[at]
		}
		y[j] = s
	}
}
