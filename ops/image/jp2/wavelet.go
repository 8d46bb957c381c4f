package jp2

import "math"

// synthesize undoes one level of the wavelet transform: the four bands of a resolution, interleaved in x by parity, are
// filtered along rows and columns. x is w × h with its corner at (x0, y0).
func synthesize[T int32 | float64](x []T, w, h, x0, y0 int, filter func(line []T, odd int)) {
	for y := range h {
		filter(x[y*w:(y+1)*w], x0&1)
	}
	col := make([]T, h)
	for i := range w {
		for y := range h {
			col[y] = x[y*w+i]
		}
		filter(col, y0&1)
		for y := range h {
			x[y*w+i] = col[y]
		}
	}
}

// mirror reflects an index at the ends of n elements.
func mirror(i, n int) int {
	if i < 0 {
		i = -i
	}
	if i >= n {
		i = 2*(n-1) - i
	}
	return i
}

// reversible is the inverse 5/3 filter; odd is the parity of the first element.
func reversible(v []int32, odd int) {
	n := len(v)
	if n == 1 {
		if odd == 1 {
			v[0] /= 2
		}
		return
	}
	for i := odd; i < n; i += 2 {
		v[i] -= (v[mirror(i-1, n)] + v[mirror(i+1, n)] + 2) >> 2
	}
	for i := 1 - odd; i < n; i += 2 {
		v[i] += (v[mirror(i-1, n)] + v[mirror(i+1, n)]) >> 1
	}
}

// irreversible is the inverse 9/7 filter.
func irreversible(v []float64, odd int) {
	const k = 1.230174104914001
	n := len(v)
	if n == 1 {
		if odd == 1 {
			v[0] /= 2
		}
		return
	}
	for i := range v {
		if i&1 == odd {
			v[i] *= k
		} else {
			v[i] /= k
		}
	}
	for step, c := range [4]float64{0.443506852043971, 0.882911075530934, -0.052980118572961, -1.586134342059924} {
		for i := odd ^ step&1; i < n; i += 2 {
			v[i] -= c * (v[mirror(i-1, n)] + v[mirror(i+1, n)])
		}
	}
}

// coloursReversible undoes the transform of the first three components.
func coloursReversible(a, b, c []int32) {
	for i, y := range a {
		g := y - (b[i]+c[i])>>2
		a[i], b[i], c[i] = c[i]+g, g, b[i]+g
	}
}

func coloursIrreversible(a, b, c []float64) {
	for i, y := range a {
		a[i], b[i], c[i] = y+1.402*c[i], y-0.34413*b[i]-0.71414*c[i], y+1.772*b[i]
	}
}

// rounded converts samples to integers.
func rounded(v []float64) []int32 {
	out := make([]int32, len(v))
	for i, x := range v {
		out[i] = int32(math.RoundToEven(min(max(x, -1<<30), 1<<30)))
	}
	return out
}
