package vec

import "math"

// MaxOf returns the largest element of x, -Inf if there is none. If one is NaN, what it returns is not defined.
func MaxOf(x []float32) float32 {
	if len(x) > 0 {
		if m, ok := maxVec(x); ok {
			return m
		}
	}
	m := float32(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// ExpSub sets dst[i] = e^(x[i]-m) and returns the sum. dst may be x.
func ExpSub(dst, x []float32, m float32) float32 {
	check(len(dst), len(x))
	if len(x) == 0 {
		return 0
	}
	if s, ok := expSubVec(dst, x, m); ok {
		return s
	}
	var s float32
	for i, v := range x {
		e := exp(v - m)
		dst[i] = e
		s += e
	}
	return s
}

// Sum returns the sum of x in double precision.
func Sum(x []float32) float64 {
	if len(x) > 0 {
		if s, ok := sumVec(x); ok {
			return s
		}
	}
	var s float64
	for _, v := range x {
		s += float64(v)
	}
	return s
}

// SumSquares returns the sum of (x[i]-m)² in double precision.
func SumSquares(x []float32, m float32) float64 {
	if len(x) > 0 {
		if s, ok := sumSquaresVec(x, m); ok {
			return s
		}
	}
	var s float64
	for _, v := range x {
		d := float64(v - m)
		s += d * d
	}
	return s
}

// Layer sets dst[i] = (x[i]-m)·a·scale[i] + bias[i].
func Layer(dst, x, scale, bias []float32, m, a float32) {
	check(len(dst), len(x))
	check(len(scale), len(x))
	check(len(bias), len(x))
	if len(x) > 0 && layerVec(dst, x, scale, bias, m, a) {
		return
	}
	for i, v := range x {
		dst[i] = (v-m)*a*scale[i] + bias[i]
	}
}

// RMS sets dst[i] = x[i]·a·scale[i].
func RMS(dst, x, scale []float32, a float32) {
	check(len(dst), len(x))
	check(len(scale), len(x))
	if len(x) > 0 && rmsVec(dst, x, scale, a) {
		return
	}
	for i, v := range x {
		dst[i] = v * a * scale[i]
	}
}

// Axpy sets dst[i] = x[i] + s·y[i].
func Axpy(dst, x, y []float32, s float32) {
	check(len(dst), len(x))
	check(len(dst), len(y))
	if len(x) > 0 && axpyVec(dst, x, y, s) {
		return
	}
	for i, v := range x {
		dst[i] = v + s*y[i]
	}
}
