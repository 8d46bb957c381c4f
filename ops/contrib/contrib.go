// Package contrib registers the operators of com.microsoft that optimizers, quantizers and LLM builders write, and
// SimplifiedLayerNormalization, which ONNX Runtime adds to ai.onnx. Their meaning is that of ONNX Runtime's CPU kernels
// (docs/ContribOperators.md of microsoft/onnxruntime). Operators that compute in floating point know float32, and
// float64 where the signature has it; half precision is widened.
package contrib

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// op is an operator made of two functions over attributes that they capture.
type op struct {
	infer func(*ops.Infer) error
	run   func(*ops.Ctx) error
}

// Infer implements ops.Op.
func (o op) Infer(c *ops.Infer) error { return o.infer(c) }

// Run implements ops.Op.
func (o op) Run(c *ops.Ctx) error { return o.run(c) }

// floatOp is a row of com.microsoft whose kernel computes in float32.
func floatOp(name string, build func(*ops.Attrs) (ops.Op, error)) ops.Def {
	return ops.Def{Domain: ops.Microsoft, Name: name, Since: 1, New: build, Widen: true}
}

// plainOp is a row of com.microsoft whose kernel handles every element type itself.
func plainOp(name string, build func(*ops.Attrs) (ops.Op, error)) ops.Def {
	return ops.Def{Domain: ops.Microsoft, Name: name, Since: 1, New: build}
}

// simple builds operators without attributes.
func simple(infer func(*ops.Infer) error, run func(*ops.Ctx) error) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) { return op{infer, run}, a.Done() }
}

// same infers output 0 as input 0.
func same(c *ops.Infer) error {
	c.SetLike(0, 0)
	return nil
}

type real interface{ float32 | float64 }

// typed runs f32 or f64 according to the element type of input 0.
func typed(f32, f64 func(*ops.Ctx) error) func(*ops.Ctx) error {
	return func(c *ops.Ctx) error {
		switch d := c.Tensor(0).DType(); d {
		case tensor.Float32:
			return f32(c)
		case tensor.Float64:
			return f64(c)
		default:
			return fmt.Errorf("element type %v: %w", d, ops.ErrUnsupported)
		}
	}
}

// floatInput returns input i as float32 elements; nil if it is absent.
func floatInput(c *ops.Ctx, i int) ([]float32, error) {
	t := c.Tensor(i)
	if t == nil {
		return nil, nil
	}
	if t.DType() != tensor.Float32 {
		return nil, fmt.Errorf("input %d is %v: %w", i, t.DType(), ops.ErrUnsupported)
	}
	return t.Float32(), nil
}

// vectorOf returns input i, which must hold n elements, as float32; nil if it is absent.
func vectorOf(c *ops.Ctx, i, n int, name string) ([]float32, error) {
	v, err := floatInput(c, i)
	if err == nil && v != nil && len(v) != n {
		err = fmt.Errorf("%s has shape %v, not %d elements", name, c.Tensor(i).Shape(), n)
	}
	return v, err
}

// rank returns an error unless input i, called name, has one of the given ranks.
func rank(t *tensor.Tensor, name string, ranks ...int) error {
	for _, r := range ranks {
		if t.Rank() == r {
			return nil
		}
	}
	return fmt.Errorf("%s has shape %v, not rank %v", name, t.Shape(), ranks)
}

// splitLast returns the product of all extents but the last, and the last.
func splitLast(s tensor.Shape) (rows, cols int, err error) {
	if len(s) == 0 {
		return 0, 0, fmt.Errorf("a scalar has no last axis")
	}
	cols = s[len(s)-1]
	return s[:len(s)-1].Size(), cols, nil
}

// scalar returns the only element of input i as float32, or def if the input is absent.
func scalar(c *ops.Ctx, i int, name string, def float32) (float32, error) {
	t := c.Tensor(i)
	if t == nil {
		return def, nil
	}
	if t.Len() != 1 {
		return 0, fmt.Errorf("%s has shape %v, not one element", name, t.Shape())
	}
	v, err := t.AsFloat32()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return v.Float32()[0], nil
}

// intScalar returns the only element of integer input i, or def if the input is absent.
func intScalar(c *ops.Ctx, i int, name string, def int) (int, error) {
	t := c.Tensor(i)
	if t == nil {
		return def, nil
	}
	if t.Len() != 1 {
		return 0, fmt.Errorf("%s has shape %v, not one element", name, t.Shape())
	}
	v, err := t.Ints()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return v[0], nil
}
