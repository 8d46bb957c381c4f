// Package norm holds the loops of the normalizations: moments of contiguous slices and affine maps over them.
//
// Sums are taken in short blocks that are added in float64, so that long slices lose no accuracy; the order depends on the
// lengths only. Every y may be its x.
package norm

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/cpu"
	"github.com/sardonyx-ml/sardonyx/kernels/vec"
)

// Float is the element types that the kernels of this package know.
type Float interface{ float32 | float64 }

// sumBlock is how many elements are added in the element type before the sum goes to float64.
const sumBlock = 256

// Sum returns Σ x.
func Sum[T Float](x []T) float64 {
	if f, ok := any(x).([]float32); ok && cpu.AVX2 {
		return vec.Sum(f)
	}
	var total float64
	for len(x) > 0 {
		b := x[:min(len(x), sumBlock)]
		x = x[len(b):]
		var s0, s1, s2, s3 T
		i := 0
		for ; i+4 <= len(b); i += 4 {
			s0, s1, s2, s3 = s0+b[i], s1+b[i+1], s2+b[i+2], s3+b[i+3]
		}
		for ; i < len(b); i++ {
			s0 += b[i]
		}
		total += float64((s0 + s1) + (s2 + s3))
	}
	return total
}

// SumSquares returns Σ (x-m)².
func SumSquares[T Float](x []T, m T) float64 {
	if f, ok := any(x).([]float32); ok && cpu.AVX2 {
		return vec.SumSquares(f, float32(m))
	}
	var total float64
	for len(x) > 0 {
		b := x[:min(len(x), sumBlock)]
		x = x[len(b):]
		var s0, s1, s2, s3 T
		i := 0
		for ; i+4 <= len(b); i += 4 {
			d0, d1, d2, d3 := b[i]-m, b[i+1]-m, b[i+2]-m, b[i+3]-m
			s0, s1, s2, s3 = s0+d0*d0, s1+d1*d1, s2+d2*d2, s3+d3*d3
		}
		for ; i < len(b); i++ {
			d := b[i] - m
			s0 += d * d
		}
		total += float64((s0 + s1) + (s2 + s3))
	}
	return total
}

// SumAbs returns Σ |x|.
func SumAbs[T Float](x []T) float64 {
	var total float64
	for _, v := range x {
		total += math.Abs(float64(v))
	}
	return total
}

// Moments returns the mean of x, as the nearest T and what is left of it, and the population variance. Subtracting both parts of
// the mean one after the other keeps the digits of data that lie far from zero.
func Moments[T Float](x []T) (mean, rest, variance T) {
	n := float64(len(x))
	mean = T(Sum(x) / n)
	var sum, squares float64
	for len(x) > 0 {
		b := x[:min(len(x), sumBlock)]
		x = x[len(b):]
		var s0, s1, q0, q1 T
		i := 0
		for ; i+2 <= len(b); i += 2 {
			d0, d1 := b[i]-mean, b[i+1]-mean
			s0, s1, q0, q1 = s0+d0, s1+d1, q0+d0*d0, q1+d1*d1
		}
		if i < len(b) {
			d := b[i] - mean
			s0, q0 = s0+d, q0+d*d
		}
		sum += float64(s0 + s1)
		squares += float64(q0 + q1)
	}
	r := sum / n
	return mean, T(r), T(max(squares/n-r*r, 0))
}

// Affine sets y = (x-m)·a + b.
func Affine[T Float](y, x []T, m, a, b T) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = (v-m)*a + b
	}
}

// AffineRow sets y[i] = (x[i]-m[i])·a[i] + b[i].
func AffineRow[T Float](y, x, m, a, b []T) {
	y, m, a, b = y[:len(x)], m[:len(x)], a[:len(x)], b[:len(x)]
	for i, v := range x {
		y[i] = (v-m[i])*a[i] + b[i]
	}
}

// Layer sets y = (x-mean)/√(variance+eps)·scale + bias for one row and returns the mean and 1/√(variance+eps). bias may be nil;
// scale and bias are as long as x.
func Layer[T Float](y, x, scale, bias []T, eps T) (mean, inv T) {
	mean, rest, variance := Moments(x)
	inv = T(1 / math.Sqrt(float64(variance+eps)))
	y, scale = y[:len(x)], scale[:len(x)]
	if bias == nil {
		for i, v := range x {
			y[i] = (v - mean - rest) * inv * scale[i]
		}
		return mean, inv
	}
	bias = bias[:len(x)]
	if f, ok := any(y).([]float32); ok && len(x) > 0 {
		vec.Layer(f, any(x).([]float32), any(scale).([]float32), any(bias).([]float32), float32(mean), float32(inv))
		return mean, inv
	}
	for i, v := range x {
		y[i] = (v-mean-rest)*inv*scale[i] + bias[i]
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
