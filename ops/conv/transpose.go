package conv

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/conv"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Name: "ConvTranspose", Since: 1, Widen: true, New: newConvTranspose})
}

// convTranspose is https://onnx.ai/onnx/operators/onnx__ConvTranspose.html.
type convTranspose struct {
	window
	group        int
	extra, shape []int // output_padding and output_shape; nil where absent
}

func newConvTranspose(a *ops.Attrs) (ops.Op, error) {
	op := &convTranspose{newWindow(a), a.Int("group", 1), a.Ints("output_padding"), a.Ints("output_shape")}
	if op.group < 1 {
		a.Errorf("group is %d", op.group)
	}
	for _, v := range append(append([]int{}, op.extra...), op.shape...) {
		if v < 0 || v > maxExtent {
			a.Errorf("output_padding %v, output_shape %v", op.extra, op.shape)
			break
		}
	}
	return op, a.Done()
}

// rankedOut is window.ranked with the attributes about the output.
func (op *convTranspose) rankedOut(n int, kernel []int) (w window, extra, shape []int, err error) {
	if w, err = op.ranked(n, kernel); err != nil {
		return w, nil, nil, err
	}
	extra, shape = op.extra, op.shape
	if extra == nil {
		extra = make([]int, n)
	}
	if len(shape) == n+2 { // some exporters list the batch and the channels as well
		shape = shape[2:]
	}
	if len(extra) != n || shape != nil && len(shape) != n {
		return w, nil, nil, fmt.Errorf("output_padding %v and output_shape %v for %d spatial axes", extra, shape, n)
	}
	return w, extra, shape, nil
}

// full is the size that windows at every element of an axis of size d cover.
func full(w window, extra []int, d tensor.Dim, i int) tensor.Dim {
	return d.AddInt(-1).Mul(tensor.Int(w.strides[i])).AddInt(extra[i] + (w.kernel[i]-1)*w.dilations[i] + 1)
}

// outDim is the output's size along axis i.
func outDim(w window, extra, shape []int, d tensor.Dim, i, n int) tensor.Dim {
	switch {
	case shape != nil:
		return tensor.Int(shape[i])
	case w.autoPad == "SAME_UPPER" || w.autoPad == "SAME_LOWER":
		return d.Mul(tensor.Int(w.strides[i]))
	case w.autoPad == "VALID":
		return full(w, extra, d, i)
	}
	return full(w, extra, d, i).AddInt(-w.pads[i] - w.pads[n+i])
}

// Infer implements ops.Op.
func (op *convTranspose) Infer(c *ops.Infer) error {
	x, xok := c.Dims(0)
	w, wok := c.Dims(1)
	if !xok || !wok {
		c.SetDType(0, c.DType(0))
		return nil
	}
	if len(x) < 3 || len(w) != len(x) {
		return fmt.Errorf("input of rank %d and weights of rank %d; at least 3 and equal ranks are needed", len(x), len(w))
	}
	n := len(x) - 2
	out := append([]tensor.Dim{x[0], w[1].Mul(tensor.Int(op.group))}, make([]tensor.Dim, n)...)
	kernel := op.kernel
	if s, ok := tensor.TensorType(tensor.Float32, w[2:]...).Shape(); ok {
		kernel = s
	}
	if kernel != nil {
		win, extra, shape, err := op.rankedOut(n, kernel)
		if err != nil {
			return err
		}
		for i := range n {
			out[2+i] = outDim(win, extra, shape, x[2+i], i, n)
		}
	}
	c.SetOut(0, c.DType(0), out...)
	return nil
}

// geometry returns the convolution that this operator transposes, and the output's shape.
func (op *convTranspose) geometry(x, w tensor.Shape) (*conv.Geometry, tensor.Shape, error) {
	if len(x) < 3 || len(w) != len(x) {
		return nil, nil, fmt.Errorf("input of shape %v and weights of shape %v; at least 3 axes and equal ranks are needed", x, w)
	}
	if x[1] != w[0] || x[1]%op.group != 0 {
		return nil, nil, fmt.Errorf("%d input channels for weights of shape %v in %d groups", x[1], w, op.group)
	}
	n := len(x) - 2
	win, extra, shape, err := op.rankedOut(n, w[2:])
	if err != nil {
		return nil, nil, err
	}
	g := &conv.Geometry{Batch: x[0], Groups: op.group, InC: w[1], OutC: x[1] / op.group, Out: x[2:], In: make([]int, n),
		Kernel: win.kernel, Stride: win.strides, Dilate: win.dilations, Pad: make([]int, n)}
	for i := range n {
		if x[2+i] > maxExtent {
			return nil, nil, fmt.Errorf("spatial axis of size %d: %w", x[2+i], ops.ErrUnsupported)
		}
		d := tensor.Int(x[2+i])
		g.In[i], _ = outDim(win, extra, shape, d, i, n).Int()
		if g.In[i] < 0 {
			return nil, nil, fmt.Errorf("the output would be of size %d along spatial axis %d", g.In[i], i)
		}
		g.Pad[i] = win.pads[i]
		if shape != nil || win.autoPad == "SAME_UPPER" || win.autoPad == "SAME_LOWER" {
			all, _ := full(win, extra, d, i).Int()
			g.Pad[i], _ = split(max(0, all-g.In[i]), win.autoPad == "SAME_UPPER")
		} else if win.autoPad == "VALID" {
			g.Pad[i] = 0
		}
	}
	if w[1] > maxExtent {
		return nil, nil, fmt.Errorf("weights of shape %v: %w", w, ops.ErrUnsupported)
	}
	out := append(tensor.Shape{x[0], w[1] * op.group}, g.In...)
	_, err = out.CheckSize()
	return g, out, err
}

// Run implements ops.Op.
func (op *convTranspose) Run(c *ops.Ctx) error {
	switch d := c.Tensor(0).DType(); d {
	case tensor.Float32:
		return runTranspose[float32](c, op)
	case tensor.Float64:
		return runTranspose[float64](c, op)
	default:
		return unsupported("ConvTranspose", d)
	}
}

func runTranspose[T float32 | float64](c *ops.Ctx, op *convTranspose) error {
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
	conv.Transpose(c.Pool, g, tensor.Slice[T](y), tensor.Slice[T](x), tensor.Slice[T](w), bias)
	return c.Err()
}
