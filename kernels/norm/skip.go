package norm

import "math"

// farFromZero is the ratio of mean and standard deviation from which the rounding of the mean shows in normalized values.
const farFromZero = 64

// Skip is Layer for the sum of two tensors, x. For values far from zero, where single-precision rounding decides the result,
// it computes mean and variance in T by Welford's recurrence, as ONNX Runtime's SkipLayerNormalization does, so that both
// round alike.
func Skip[T Float](y, x, scale, bias []T, eps T) (mean, inv T) {
	m, _, variance := Moments(x)
	if len(x) == 0 || math.Abs(float64(m)) < farFromZero*math.Sqrt(float64(variance)+float64(eps)) {
		return Layer(y, x, scale, bias, eps)
	}
	mean, variance = welford(x)
	inv = T(1 / math.Sqrt(float64(variance)+float64(eps)))
	y, scale = y[:len(x)], scale[:len(x)]
	for i, v := range x {
		y[i] = (v - mean) * inv * scale[i]
	}
	for i, b := range bias {
		y[i] += b
	}
	return mean, inv
}

// welford returns mean and population variance by the recurrence of B. P. Welford (Technometrics 4, 1962), every step rounded
// to T.
func welford[T Float](x []T) (mean, variance T) {
	var m2 T
	for i, v := range x {
		d := v - mean
		mean += d / T(i+1)
		m2 += T(d * (v - mean))
	}
	return mean, m2 / T(len(x))
}
