package reduce

import (
	"fmt"

	kernel "github.com/sardonyx-ml/sardonyx/kernels/reduce"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "CumSum", Since: 11, New: newCumulate(false), Widen: true},
		ops.Def{Name: "CumProd", Since: 26, New: newCumulate(true), Widen: true},
	)
}

// cumulate is https://onnx.ai/onnx/operators/onnx__CumSum.html and CumProd.
type cumulate struct{ product, exclusive, reverse bool }

func newCumulate(product bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		return cumulate{product, a.Bool("exclusive", false), a.Bool("reverse", false)}, a.Done()
	}
}

// Infer implements ops.Op.
func (cumulate) Infer(c *ops.Infer) error {
	c.SetShapeLike(0, 0, c.DType(0))
	return nil
}

// Run implements ops.Op.
func (op cumulate) Run(c *ops.Ctx) error {
	x, at := c.Tensor(0), c.Tensor(1)
	axes, err := at.Ints()
	if err != nil || len(axes) != 1 {
		return fmt.Errorf("axis is %v, not one integer", at)
	}
	axis, err := x.Shape().Axis(axes[0])
	if err != nil {
		return err
	}
	y, err := c.New(0, x.DType(), x.Shape())
	if err != nil {
		return err
	}
	switch x.DType() {
	case tensor.Float32:
		return runCumulate[float32](op, c, y, x, axis)
	case tensor.Float64:
		return runCumulate[float64](op, c, y, x, axis)
	case tensor.Int64:
		return runCumulate[int64](op, c, y, x, axis)
	case tensor.Int32:
		return runCumulate[int32](op, c, y, x, axis)
	case tensor.Uint64:
		return runCumulate[uint64](op, c, y, x, axis)
	case tensor.Uint32:
		return runCumulate[uint32](op, c, y, x, axis)
	}
	return fmt.Errorf("%v: %w", x.DType(), ops.ErrUnsupported)
}

func runCumulate[T interface {
	kernel.Number
	tensor.Elem
}](op cumulate, c *ops.Ctx, yt, xt *tensor.Tensor, axis int) error {
	y, x := tensor.Slice[T](yt), tensor.Slice[T](xt)
	s := xt.Shape()
	n, inner := s[axis], s[axis+1:].Size()
	if len(x) == 0 {
		return nil
	}
	c.Parallel(len(x)/(n*inner), ops.Grain(n*inner), func(lo, hi int) {
		for o := lo; o < hi; o++ {
			kernel.Cumulate(y[o*n*inner:(o+1)*n*inner], x[o*n*inner:(o+1)*n*inner], inner, op.product, op.exclusive, op.reverse)
		}
	})
	return nil
}
