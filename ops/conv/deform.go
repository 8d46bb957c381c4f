package conv

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/conv"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Name: "DeformConv", Since: 19, Widen: true, New: func(a *ops.Attrs) (ops.Op, error) {
		op := &deformConv{newConv(a), a.Int("offset_group", 1)}
		if op.groups < 1 {
			a.Errorf("offset_group is %d", op.groups)
		}
		return op, a.Done()
	}})
}

// deformConv is https://onnx.ai/onnx/operators/onnx__DeformConv.html.
type deformConv struct {
	*convOp
	groups int
}

// Run implements ops.Op.
func (op *deformConv) Run(c *ops.Ctx) error {
	switch d := c.Tensor(0).DType(); d {
	case tensor.Float32:
		return runDeform[float32](c, op)
	case tensor.Float64:
		return runDeform[float64](c, op)
	default:
		return unsupported("DeformConv", d)
	}
}

func runDeform[T float32 | float64](c *ops.Ctx, op *deformConv) error {
	x, w := c.Tensor(0), c.Tensor(1)
	g, shape, err := op.geometry(x.Shape(), w.Shape())
	if err != nil {
		return err
	}
	axes := len(g.In)
	if axes > conv.MaxDeformAxes {
		return fmt.Errorf("DeformConv over %d spatial axes: %w", axes, ops.ErrUnsupported)
	}
	if x.Dim(1)%op.groups != 0 {
		return fmt.Errorf("%d input channels in %d offset groups", x.Dim(1), op.groups)
	}
	bias, err := biasOf[T](c, 3, shape[1])
	if err != nil {
		return err
	}
	o := conv.Offsets[T]{Groups: op.groups}
	points := op.groups * conv.Volume(g.Kernel)
	if o.Move, err = pointsOf[T](c, 2, g, points*axes); err != nil {
		return err
	}
	if c.Has(4) {
		if o.Mask, err = pointsOf[T](c, 4, g, points); err != nil {
			return err
		}
	}
	y, err := c.New(0, x.DType(), shape)
	if err != nil {
		return err
	}
	conv.Deform(c.Pool, g, tensor.Slice[T](y), tensor.Slice[T](x), tensor.Slice[T](w), bias, o)
	return c.Err()
}

// pointsOf returns the elements of input i, which must be of shape (Batch, channels, Out…).
func pointsOf[T tensor.Elem](c *ops.Ctx, i int, g *conv.Geometry, channels int) ([]T, error) {
	t, want := c.Tensor(i), append(tensor.Shape{g.Batch, channels}, g.Out...)
	if !t.Shape().Equal(want) || t.DType() != tensor.DTypeOf[T]() {
		return nil, fmt.Errorf("input %d is %v, not of shape %v", i, t, want)
	}
	return tensor.Slice[T](t), nil
}
