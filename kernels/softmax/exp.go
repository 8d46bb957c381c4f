package softmax

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
)

// ExpSub sets y[i] = exp(x[i]-m) and returns the sum of y. y may be x; the lengths must be equal. NaN stays NaN.
func ExpSub[T Float](y, x []T, m T) T {
	if f, ok := any(x).([]float32); ok {
		return T(vec.ExpSub(any(y).([]float32), f, float32(m)))
	}
	y = y[:len(x)]
	var s T
	for i, v := range x {
		y[i] = Exp(v - m)
		s += y[i]
	}
	return s
}

// Exp returns e**x.
func Exp[T Float](x T) T { return T(math.Exp(float64(x))) }
