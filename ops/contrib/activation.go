package contrib

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
)

// activation returns the in-place function that a fused operator's activation attribute names. Parameters that are
// missing have the defaults of the operator of that name.
func activation(name string, params []float32) (func([]float32), error) {
	p := func(i int, def float32) float32 {
		if i < len(params) {
			return params[i]
		}
		return def
	}
	each := func(f func(float32) float32) (func([]float32), error) {
		return func(x []float32) {
			for i, v := range x {
				x[i] = f(v)
			}
		}, nil
	}
	f64 := func(f func(float64) float64) (func([]float32), error) {
		return each(func(v float32) float32 { return float32(f(float64(v))) })
	}
	switch name {
	case "Relu":
		return func(x []float32) { vec.Relu(x, x) }, nil
	case "LeakyRelu":
		a := p(0, 0.01)
		return func(x []float32) { vec.LeakyRelu(x, x, a) }, nil
	case "Clip":
		lo, hi := p(0, -math.MaxFloat32), p(1, math.MaxFloat32)
		return each(func(v float32) float32 { return min(max(v, lo), hi) })
	case "HardSigmoid":
		a, b := p(0, 0.2), p(1, 0.5)
		return func(x []float32) { vec.HardSigmoid(x, x, a, b) }, nil
	case "ThresholdedRelu":
		a := p(0, 1)
		return each(func(v float32) float32 { return pick(v > a, v, 0) })
	case "Sigmoid":
		return func(x []float32) { vec.Sigmoid(x, x) }, nil
	case "Tanh":
		return func(x []float32) { vec.Tanh(x, x) }, nil
	case "ScaledTanh":
		a, b := float64(p(0, 1)), float64(p(1, 1))
		return f64(func(v float64) float64 { return a * math.Tanh(b*v) })
	case "Softplus":
		return f64(softplus)
	case "ParametricSoftplus":
		a, b := float64(p(0, 1)), float64(p(1, 1))
		return f64(func(v float64) float64 { return a * softplus(b*v) })
	case "Softsign":
		return f64(func(v float64) float64 { return v / (1 + math.Abs(v)) })
	case "Elu":
		a := float64(p(0, 1))
		return f64(func(v float64) float64 { return pick(v < 0, a*math.Expm1(v), v) })
	case "Selu":
		a, g := float64(p(0, 1.67326319217681884765625)), float64(p(1, 1.05070102214813232421875))
		return f64(func(v float64) float64 { return g * pick(v > 0, v, a*math.Expm1(v)) })
	case "Affine":
		a, b := p(0, 1), p(1, 0)
		return each(func(v float32) float32 { return a*v + b })
	case "Gelu":
		return func(x []float32) { gelu(x, x) }, nil
	case "FastGelu":
		return func(x []float32) { fastGelu(x, x) }, nil
	}
	return nil, fmt.Errorf("unknown activation %q", name)
}

func softplus(v float64) float64 {
	return max(v, 0) + math.Log1p(math.Exp(-math.Abs(v)))
}

func pick[T any](c bool, a, b T) T {
	if c {
		return a
	}
	return b
}
