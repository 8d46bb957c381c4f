// Package backward holds operators that only gradient graphs use; their domain is ops.Internal.
package backward

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Domain: ops.Internal, Name: "SumTo", Since: 1, Widen: true, New: func(a *ops.Attrs) (ops.Op, error) { return sumTo{}, a.Done() }})
}

// sumTo sums its first input over the axes along which the second was broadcast to the first's shape: the gradient of
// broadcasting. The output has the second input's shape.
type sumTo struct{}

// Infer implements ops.Op.
func (sumTo) Infer(c *ops.Infer) error {
	c.SetShapeLike(0, 1, c.DType(0))
	return nil
}

// Run implements ops.Op.
func (sumTo) Run(c *ops.Ctx) error {
	x, like := c.Tensor(0), c.Tensor(1)
	if x == nil || like == nil {
		return fmt.Errorf("tensors are needed")
	}
	if x.Shape().Equal(like.Shape()) {
		c.SetOut(0, x)
		return nil
	}
	if s, err := like.Shape().Broadcast(x.Shape()); err != nil || !s.Equal(x.Shape()) {
		return fmt.Errorf("shape %v does not broadcast to %v", like.Shape(), x.Shape())
	}
	y, err := c.New(0, x.DType(), like.Shape())
	if err != nil {
		return err
	}
	switch x.DType() {
	case tensor.Float32:
		sumInto(y.Float32(), x.Float32(), like.Shape(), x.Shape())
	case tensor.Float64:
		sumInto(y.Float64(), x.Float64(), like.Shape(), x.Shape())
	default:
		return fmt.Errorf("%w element type %v", ops.ErrUnsupported, x.DType())
	}
	return nil
}

// sumInto adds x, in float64, over the axes that small lacks or has as 1.
func sumInto[T float32 | float64](y, x []T, small, large tensor.Shape) {
	acc := make([]float64, len(y))
	strides := make([]int, len(large))
	for i, st := range small.Strides() {
		if small[i] != 1 {
			strides[len(large)-len(small)+i] = st
		}
	}
	last := len(large) - 1
	inner, step := large[last], strides[last]
	pos := make([]int, len(large))
	at := 0
	for i := 0; i < len(x); i += inner {
		if step == 0 {
			s := 0.0
			for _, v := range x[i : i+inner] {
				s += float64(v)
			}
			acc[at] += s
		} else {
			for k, v := range x[i : i+inner] {
				acc[at+k*step] += float64(v)
			}
		}
		for d := last - 1; d >= 0; d-- {
			pos[d]++
			at += strides[d]
			if pos[d] < large[d] {
				break
			}
			at -= pos[d] * strides[d]
			pos[d] = 0
		}
	}
	for i, v := range acc {
		y[i] = T(v)
	}
}
