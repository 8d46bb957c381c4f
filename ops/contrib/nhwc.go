package contrib

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// nhwcMaxPool is MaxPool of 8-bit tensors whose channels are the last axis.
type nhwcMaxPool struct{ pool ops.Op }

func newNhwcMaxPool(a *ops.Attrs) (ops.Op, error) {
	pool, err := buildStandard("MaxPool", 12, 0, attrsFor(a, 12, 1, []string{"ceil_mode"},
		[]string{"dilations", "kernel_shape", "pads", "strides"}, nil, []string{"auto_pad"}))
	if err != nil {
		return nil, err
	}
	return nhwcMaxPool{pool}, a.Done()
}

// Infer implements ops.Op.
func (o nhwcMaxPool) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	dims, ok := c.Dims(0)
	if !ok || len(dims) < 3 {
		return nil
	}
	return inferChannelsLast(c, dims, o.pool)
}

// inferChannelsLast infers output 0 by an operator that has the channels in front.
func inferChannelsLast(c *ops.Infer, dims []tensor.Dim, inner ops.Op) error {
	n := len(dims)
	first := append([]tensor.Dim{dims[0], dims[n-1]}, dims[1:n-1]...)
	in := append([]ops.Info{{Type: tensor.TensorType(c.DType(0), first...)}}, c.In[1:]...)
	sub := &ops.Infer{In: in, Absent: c.Absent, Out: make([]ops.Info, 1)}
	if err := inner.Infer(sub); err != nil {
		return err
	}
	if t := sub.Out[0].Type; t.Ranked && len(t.Dims) == n {
		c.SetOut(0, tensor.Undefined, append(append([]tensor.Dim{t.Dims[0]}, t.Dims[2:]...), t.Dims[1])...)
	}
	return nil
}

// Run implements ops.Op.
func (o nhwcMaxPool) Run(c *ops.Ctx) error {
	x, err := channelsFirst(c, c.Tensor(0))
	if err != nil {
		return err
	}
	out, err := runInner(c, o.pool, []tensor.Value{x}, 1)
	if err != nil {
		return err
	}
	return setChannelsLast(c, out[0].(*tensor.Tensor))
}

// channelsFirst moves the last axis of an 8-bit tensor behind the first.
func channelsFirst(c *ops.Ctx, x *tensor.Tensor) (*tensor.Tensor, error) {
	s := x.Shape()
	if len(s) < 3 || x.DType().Bits() != 8 {
		return nil, fmt.Errorf("an 8-bit tensor of rank 3 or more is needed, not %v", x)
	}
	n := len(s)
	channels, inner := s[n-1], s[1:n-1].Size()
	buf, err := ops.Scratch[uint8](c, x.Len())
	if err != nil {
		return nil, err
	}
	swapBytes(c, buf, tensor.Slice[uint8](x), s[0], inner, channels)
	shape := append(tensor.Shape{s[0], channels}, s[1:n-1]...)
	return tensor.Of(tensor.Shape{len(buf)}, buf).Retyped(x.DType(), shape), nil
}

// setChannelsLast sets output 0 to y with the axis behind the first moved to the end.
func setChannelsLast(c *ops.Ctx, y *tensor.Tensor) error {
	s := y.Shape()
	shape := append(append(tensor.Shape{s[0]}, s[2:]...), s[1])
	out, err := c.New(0, y.DType(), shape)
	if err != nil {
		return err
	}
	swapBytes(c, tensor.Slice[uint8](out), tensor.Slice[uint8](y), s[0], s[1], s[2:].Size())
	return nil
}

// swapBytes transposes each of batch matrices of rows×cols bytes.
func swapBytes(c *ops.Ctx, dst, src []uint8, batch, rows, cols int) {
	c.Parallel(batch*cols, ops.Grain(2*rows), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			b, k := i/cols, i%cols
			at := b*rows*cols + k
			for r := range rows {
				dst[i*rows+r] = src[at+r*cols]
			}
		}
	})
}
