package conv

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/conv"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Name: "Conv", Since: 1, Widen: true, New: func(a *ops.Attrs) (ops.Op, error) { return standard{newConv(a)}, a.Done() }})
}

// convOp is https://onnx.ai/onnx/operators/onnx__Conv.html.
type convOp struct {
	window
	group int
}

func newConv(a *ops.Attrs) *convOp {
	op := &convOp{newWindow(a), a.Int("group", 1)}
	if op.group < 1 {
		a.Errorf("group is %d", op.group)
	}
	return op
}

// inferConv sets output 0 from the dimensions of the image x and the weights w.
func (op *convOp) inferConv(c *ops.Infer, xi, wi int, d tensor.DType) error {
	x, xok := c.Dims(xi)
	w, wok := c.Dims(wi)
	if !xok || !wok {
		c.SetDType(0, d)
		if xok && len(x) > 2 {
			c.SetOut(0, d, append([]tensor.Dim{x[0]}, make([]tensor.Dim, len(x)-1)...)...)
		}
		return nil
	}
	if len(x) < 3 || len(w) != len(x) {
		return fmt.Errorf("input of rank %d and weights of rank %d; at least 3 and equal ranks are needed", len(x), len(w))
	}
	out, err := op.infer(x[2:], w[2:])
	if err != nil {
		return err
	}
	c.SetOut(0, d, append([]tensor.Dim{x[0], w[0]}, out...)...)
	return nil
}

// Infer implements ops.Op.
func (op *convOp) Infer(c *ops.Infer) error { return op.inferConv(c, 0, 1, c.DType(0)) }

// geometry checks the shapes of a convolution and returns it and its output's shape.
func (op *convOp) geometry(x, w tensor.Shape) (*conv.Geometry, tensor.Shape, error) {
	if len(x) < 3 || len(w) != len(x) {
		return nil, nil, fmt.Errorf("input of shape %v and weights of shape %v; at least 3 axes and equal ranks are needed", x, w)
	}
	if w[1] > maxExtent || w[1]*op.group != x[1] {
		return nil, nil, fmt.Errorf("%d input channels for weights of shape %v in %d groups", x[1], w, op.group)
	}
	if w[0]%op.group != 0 {
		return nil, nil, fmt.Errorf("%d output channels in %d groups", w[0], op.group)
	}
	p, err := op.place(x[2:], w[2:])
	if err != nil {
		return nil, nil, err
	}
	shape := append(tensor.Shape{x[0], w[0]}, p.out...)
	if _, err := shape.CheckSize(); err != nil {
		return nil, nil, err
	}
	return &conv.Geometry{Batch: x[0], Groups: op.group, InC: w[1], OutC: w[0] / op.group, In: p.in, Out: p.out,
		Kernel: p.kernel, Stride: p.strides, Dilate: p.dilations, Pad: p.before}, shape, nil
}

// Run implements ops.Op.
func (op *convOp) Run(c *ops.Ctx) error {
	switch d := c.Tensor(0).DType(); d {
	case tensor.Float32:
		return runConv[float32](c, op)
	case tensor.Float64:
		return runConv[float64](c, op)
	default:
		return unsupported("Conv", d)
	}
}

func runConv[T float32 | float64](c *ops.Ctx, op *convOp) error {
	x, w := c.Tensor(0), c.Tensor(1)
	g, shape, err := op.geometry(x.Shape(), w.Shape())
	if err != nil {
		return err
	}
	bias, err := biasOf[T](c, 2, shape[1])
	if err != nil {
		return err
	}
	y, err := c.New(0, x.DType(), shape)
	if err != nil {
		return err
	}
	conv.Forward(c.Pool, g, tensor.Slice[T](y), tensor.Slice[T](x), tensor.Slice[T](w), conv.Epilogue[T]{Bias: bias})
	return c.Err()
}

// standard is Conv itself, not one of the operators that share its attributes.
type standard struct{ *convOp }

// Prepack implements ops.Prepacker.
func (op standard) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	if w := in[1]; w != nil && w.DType() == tensor.Float32 && w.Len() > 0 {
		return &constantConv{op.convOp, w.Shape(), conv.NewFilter(w.Float32())}, []int{1}
	}
	return op, nil
}

// constantConv is Conv with constant float32 weights.
type constantConv struct {
	*convOp
	shape  tensor.Shape
	filter *conv.Filter
}

// Run implements ops.Op.
func (op *constantConv) Run(c *ops.Ctx) error { return op.run(c, conv.Finish{}) }

// run computes the convolution with whatever e says beyond the bias.
func (op *constantConv) run(c *ops.Ctx, e conv.Finish) error {
	x := c.Tensor(0)
	if x.DType() != tensor.Float32 {
		return unsupported("Conv with float weights", x.DType())
	}
	g, shape, err := op.geometry(x.Shape(), op.shape)
	if err != nil {
		return err
	}
	if e.Bias, err = biasOf[float32](c, 2, shape[1]); err != nil {
		return err
	}
	y, err := c.New(0, tensor.Float32, shape)
	if err != nil {
		return err
	}
	op.filter.Run(c.Pool, g, y.Float32(), x.Float32(), e)
	return c.Err()
}

// biasOf returns the optional bias of n channels at input i.
func biasOf[T tensor.Elem](c *ops.Ctx, i, n int) ([]T, error) {
	t := c.Tensor(i)
	if t == nil {
		return nil, nil
	}
	if t.Len() != n {
		return nil, fmt.Errorf("bias of shape %v for %d channels", t.Shape(), n)
	}
	if t.DType() != tensor.DTypeOf[T]() {
		return nil, fmt.Errorf("bias of type %v", t.DType())
	}
	return tensor.Slice[T](t), nil
}
