package elementwise

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// activations are the functions with attributes; bind reads them.
var activations = []struct {
	name  string
	since int
	bind  func(*ops.Attrs) fn
}{
	{"Celu", 12, func(a *ops.Attrs) fn {
		alpha := a.Float("alpha", 1)
		return elu(float64(alpha), 1/float64(alpha), 1)
	}},
	{"Elu", 1, func(a *ops.Attrs) fn { return elu(float64(a.Float("alpha", 1)), 1, 1) }},
	{"Selu", 1, func(a *ops.Attrs) fn {
		return elu(float64(a.Float("alpha", 1.6732)), 1, float64(a.Float("gamma", 1.0507)))
	}},
	{"Selu", 6, func(a *ops.Attrs) fn {
		return elu(float64(a.Float("alpha", 1.67326319217681884765625)), 1, float64(a.Float("gamma", 1.05070102214813232421875)))
	}},
	{"Gelu", 20, func(a *ops.Attrs) fn {
		if a.Enum("approximate", "none", "none", "tanh") == "tanh" {
			return withF32(vec.GeluTanh, 20, func(x float64) float64 {
				return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
			})
		}
		return withF32(vec.Gelu, 20, func(x float64) float64 { return 0.5 * x * math.Erfc(-x/math.Sqrt2) })
	}},
	{"HardSigmoid", 1, func(a *ops.Attrs) fn {
		alpha, beta := a.Float("alpha", 0.2), a.Float("beta", 0.5)
		return fn{
			f32:  func(dst, x []float32) { vec.HardSigmoid(dst, x, alpha, beta) },
			f64:  func(dst, x []float64) { vec.HardSigmoid(dst, x, float64(alpha), float64(beta)) },
			cost: 2,
		}
	}},
	{"LeakyRelu", 1, func(a *ops.Attrs) fn {
		alpha := a.Float("alpha", 0.01)
		return fn{
			f32:  func(dst, x []float32) { vec.LeakyRelu(dst, x, alpha) },
			f64:  func(dst, x []float64) { vec.LeakyRelu(dst, x, float64(alpha)) },
			cost: 1,
		}
	}},
	{"Swish", 24, func(a *ops.Attrs) fn {
		alpha := a.Float("alpha", 1)
		return withF32(func(dst, x []float32) { vec.Swish(dst, x, alpha) }, 12, func(x float64) float64 { return swish(x, float64(alpha)) })
	}},
	{"ThresholdedRelu", 10, func(a *ops.Attrs) fn {
		alpha := a.Float("alpha", 1)
		return fn{
			f32:  func(dst, x []float32) { threshold(dst, x, alpha) },
			f64:  func(dst, x []float64) { threshold(dst, x, float64(alpha)) },
			cost: 1,
		}
	}},
}

func init() {
	for _, f := range activations {
		ops.Register(ops.Def{Name: f.name, Since: f.since, New: func(a *ops.Attrs) (ops.Op, error) {
			ignoreConsumed(a)
			return unary{f.name, f.bind(a)}, a.Done()
		}})
	}
	ops.Register(
		ops.Def{Name: "Shrink", Since: 9, New: newShrink},
		ops.Def{Name: "SwiGLU", Since: 28, New: func(a *ops.Attrs) (ops.Op, error) { return swiGLU{a.Float("alpha", 1)}, a.Done() }},
	)
}

// elu is gamma·x for positive x, else gamma·alpha·(e^(beta·x)-1).
func elu(alpha, beta, gamma float64) fn {
	return withF32(func(dst, x []float32) { vec.Elu(dst, x, float32(alpha), float32(beta), float32(gamma)) }, 10, func(x float64) float64 {
		if x > 0 {
			return gamma * x
		}
		return gamma * alpha * math.Expm1(beta*x)
	})
}

func swish(x, alpha float64) float64 { return x / (1 + math.Exp(-alpha*x)) }

// threshold sets dst[i] to x[i] where it is above alpha, else to 0.
func threshold[T float](dst, x []T, alpha T) {
	for i, v := range x {
		if !(v > alpha) {
			v = 0
		}
		dst[i] = v
	}
}

// shrink is https://onnx.ai/onnx/operators/onnx__Shrink.html: x+bias below -lambd, x-bias above lambd, 0 between.
// Integers are computed in double precision and cut off.
type shrink struct{ bias, lambd float64 }

func newShrink(a *ops.Attrs) (ops.Op, error) {
	return shrink{float64(a.Float("bias", 0)), float64(a.Float("lambd", 0.5))}, a.Done()
}

// Infer implements ops.Op.
func (op shrink) Infer(c *ops.Infer) error {
	c.SetShapeLike(0, 0, c.DType(0))
	return nil
}

// Run implements ops.Op.
func (op shrink) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	out, err := c.NewOver(0, x.DType(), x.Shape(), 0)
	if err != nil {
		return err
	}
	switch x.DType() {
	case tensor.Int8:
		return run1(c, 4, shrinkInts[int8](op), out, x)
	case tensor.Int16:
		return run1(c, 4, shrinkInts[int16](op), out, x)
	case tensor.Int32:
		return run1(c, 4, shrinkInts[int32](op), out, x)
	case tensor.Int64:
		return run1(c, 4, shrinkInts[int64](op), out, x)
	case tensor.Uint8:
		return run1(c, 4, shrinkInts[uint8](op), out, x)
	case tensor.Uint16:
		return run1(c, 4, shrinkInts[uint16](op), out, x)
	case tensor.Uint32:
		return run1(c, 4, shrinkInts[uint32](op), out, x)
	case tensor.Uint64:
		return run1(c, 4, shrinkInts[uint64](op), out, x)
	}
	return double(op.of).apply(c, "Shrink", out, x)
}

func (op shrink) of(x float64) float64 {
	switch {
	case x < -op.lambd:
		return x + op.bias
	case x > op.lambd:
		return x - op.bias
	}
	return 0
}

func shrinkInts[T integer](op shrink) func(dst, x []T) {
	toInt := conversion[T, float64]()
	return func(dst, x []T) {
		var buf [1]float64
		for i, v := range x {
			buf[0] = op.of(float64(v))
			toInt(dst[i:i+1], buf[:])
		}
	}
}

// swiGLU is https://onnx.ai/onnx/operators/onnx__SwiGLU.html.
type swiGLU struct{ alpha float32 }

// Infer implements ops.Op.
func (op swiGLU) Infer(c *ops.Infer) error {
	c.SetShapeLike(0, 0, c.DType(0))
	return nil
}

// Run implements ops.Op.
func (op swiGLU) Run(c *ops.Ctx) error {
	a, b := c.Tensor(0), c.Tensor(1)
	if !a.Shape().Equal(b.Shape()) || a.DType() != b.DType() {
		return fmt.Errorf("operands are %v and %v", a, b)
	}
	out, err := c.NewOver(0, a.DType(), a.Shape(), 0, 1)
	if err != nil {
		return err
	}
	p, err := newPlan(a.Shape(), b.Shape())
	if err != nil {
		return err
	}
	f32 := func(dst, x, y []float32) { vec.SwiGLU(dst, x, y, op.alpha) }
	switch {
	case isHalf(a.DType()):
		return runHalf2(c, p, 12, loop[float32, float32, float32]{vv: f32}, out, a, b)
	case a.DType() == tensor.Float32:
		return run2(c, p, 12, loop[float32, float32, float32]{vv: f32}, out, a, b)
	case a.DType() == tensor.Float64:
		return run2(c, p, 24, loop[float64, float64, float64]{vv: func(dst, x, y []float64) {
			for i, v := range x {
				dst[i] = swish(v, float64(op.alpha)) * y[i]
			}
		}}, out, a, b)
	}
	return unsupported("SwiGLU", a)
}
