// Package norm holds the loops of the normalizations: moments of contiguous slices and affine maps over them.
//
// Sums are taken in float64, in an order that depends on the lengths only. Every y may be its x.
package norm

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
)

// Float is the element types that the kernels of this package know.
type Float interface{ float32 | float64 }

// Sum returns Σ x.
func Sum[T Float](x []T) float64 {
	if f, ok := any(x).([]float32); ok {
		return vec.Sum(f)
	}
	var total float64
	for _, v := range x {
		total += float64(v)
	}
	return total
}

// SumSquares returns Σ (x-m)².
func SumSquares[T Float](x []T, m T) float64 {
	if f, ok := any(x).([]float32); ok {
		return vec.SumSquares(f, float32(m))
	}
	var total float64
	for _, v := range x {
		d := float64(v - m)
		total += d * d
	}
	return total
}

// Moments returns the mean of x, as the nearest T and what is left of it, and the population variance. Subtracting both parts of
// the mean one after the other keeps the digits of data that lie far from zero.
func Moments[T Float](x []T) (mean, rest, variance T) {
	n := float64(len(x))
	m := Sum(x) / n
	mean = T(m)
	r := m - float64(mean)
	return mean, T(r), T(max(SumSquares(x, mean)/n-r*r, 0))
}

// Affine sets y = (x-m)·a + b.
func Affine[T Float](y, x []T, m, a, b T) {
	const block = 2048 // stays in the first-level cache between the passes
	for len(x) > 0 {
		n := min(len(x), block)
		vec.SubScalar(y[:n], x[:n], m)
		vec.MulScalar(y[:n], y[:n], a)
		vec.AddScalar(y[:n], y[:n], b)
		y, x = y[n:], x[n:]
	}
}

// AffineRow sets y[i] = (x[i]-m[i])·a[i] + b[i].
func AffineRow[T Float](y, x, m, a, b []T) {
	vec.Sub(y, x, m)
	vec.Mul(y, y, a)
	vec.Add(y, y, b)
}

// Layer sets y = (x-mean)/√(variance+eps)·scale + bias for one row and returns the mean and 1/√(variance+eps). bias may be nil;
// scale and bias are as long as x. The mean is rounded to T before it is subtracted, as other runtimes do: for values far
// from zero what it loses there can be seen in the result.
func Layer[T Float](y, x, scale, bias []T, eps T) (mean, inv T) {
	mean, _, variance := Moments(x)
	inv = T(1 / math.Sqrt(float64(variance)+float64(eps)))
	y, scale = y[:len(x)], scale[:len(x)]
	f, ok := any(y).([]float32)
	switch {
	case !ok:
		for i, v := range x {
			y[i] = (v - mean) * inv * scale[i]
		}
		for i, b := range bias {
			y[i] += b
		}
	case bias == nil:
		vec.SubScalar(y, x, mean)
		vec.RMS(f, f, any(scale).([]float32), float32(inv))
	default:
		vec.Layer(f, any(x).([]float32), any(scale).([]float32), any(bias).([]float32), float32(mean), float32(inv))
	}
	return mean, inv
}

// RMS sets y = x/√(mean of x² + eps)·scale for one row and returns 1/√(mean of x² + eps). scale is as long as x.
func RMS[T Float](y, x, scale []T, eps T) (inv T) {
	inv = T(1 / math.Sqrt(SumSquares(x, 0)/float64(len(x))+float64(eps)))
	y, scale = y[:len(x)], scale[:len(x)]
	if f, ok := any(y).([]float32); ok {
		vec.RMS(f, any(x).([]float32), any(scale).([]float32), float32(inv))
		return inv
	}
	for i, v := range x {
		y[i] = v * inv * scale[i]
	}
	return inv
}
