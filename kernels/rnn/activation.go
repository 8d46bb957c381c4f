package rnn

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
)

// Float is the element types that the kernels of this package know.
type Float interface{ float32 | float64 }

// Func applies an activation function to every element of x in place.
type Func[T Float] func(x []T)

// activation is one row of the table of activation functions.
type activation struct {
	alpha, beta       float32 // defaults
	hasAlpha, hasBeta bool
	f32               func(x []float32, alpha, beta float32)
	f64               func(v, alpha, beta float64) float64
}

// activations are those of the recurrent operators, by lower-case name.
var activations = map[string]activation{
	"relu": {
		f32: func(x []float32, _, _ float32) { vec.Relu(x, x) },
		f64: func(v, _, _ float64) float64 { return max(v, 0) },
	},
	"tanh": {
		f32: func(x []float32, _, _ float32) { vec.Tanh(x, x) },
		f64: func(v, _, _ float64) float64 { return math.Tanh(v) },
	},
	"sigmoid": {
		f32: func(x []float32, _, _ float32) { vec.Sigmoid(x, x) },
		f64: func(v, _, _ float64) float64 { return 1 / (1 + math.Exp(-v)) },
	},
	"affine": {
		alpha: 1, hasAlpha: true, hasBeta: true,
		f64: func(v, a, b float64) float64 { return a*v + b },
	},
	"leakyrelu": {
		alpha: 0.01, hasAlpha: true,
		f32: func(x []float32, a, _ float32) { vec.LeakyRelu(x, x, a) },
		f64: func(v, a, _ float64) float64 {
			if v >= 0 {
				return v
			}
			return a * v
		},
	},
	"thresholdedrelu": {
		alpha: 1, hasAlpha: true,
		f64: func(v, a, _ float64) float64 {
			if v >= a {
				return v
			}
			return 0
		},
	},
	"scaledtanh": {
		alpha: 1, beta: 1, hasAlpha: true, hasBeta: true,
		f64: func(v, a, b float64) float64 { return a * math.Tanh(b*v) },
	},
	"hardsigmoid": {
		alpha: 0.2, beta: 0.5, hasAlpha: true, hasBeta: true,
		f32: func(x []float32, a, b float32) { vec.HardSigmoid(x, x, a, b) },
		f64: func(v, a, b float64) float64 { return min(max(a*v+b, 0), 1) },
	},
	"elu": {
		alpha: 1, hasAlpha: true,
		f64: func(v, a, _ float64) float64 {
			if v >= 0 {
				return v
			}
			return a * math.Expm1(v)
		},
	},
	"softsign": {
		f64: func(v, _, _ float64) float64 { return v / (1 + math.Abs(v)) },
	},
	"softplus": {
		f64: func(v, _, _ float64) float64 { return max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) },
	},
}

// Parameters tells which parameters the activation function of that lower-case name takes, and their defaults.
func Parameters(name string) (alpha, beta float32, hasAlpha, hasBeta, ok bool) {
	a, ok := activations[name]
	return a.alpha, a.beta, a.hasAlpha, a.hasBeta, ok
}

// Activation returns the function of that lower-case name, which must be one that Parameters knows.
func Activation[T Float](name string, alpha, beta float32) Func[T] {
	a := activations[name]
	if f, ok := any(Func[float32](func(x []float32) { a.f32(x, alpha, beta) })).(Func[T]); ok && a.f32 != nil {
		return f
	}
	al, be := float64(alpha), float64(beta)
	return func(x []T) { vec.Map(x, x, func(v float64) float64 { return a.f64(v, al, be) }) }
}
