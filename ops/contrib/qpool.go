package contrib

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		plainOp("QLinearAveragePool", newQLinearAveragePool),
		plainOp("QLinearGlobalAveragePool", newQLinearGlobalPool),
		plainOp("QLinearReduceMean", newQLinearReduceMean),
		plainOp("QLinearConv", newQLinearConv),
	)
}

// qfloat runs a float operator between dequantization and quantization: inputs X, x_scale, x_zero_point?, y_scale,
// y_zero_point?. With last set the channels of X are its last axis, those of the float operator its second.
type qfloat struct {
	inner ops.Op
	last  bool
}

// Infer implements ops.Op.
func (o qfloat) Infer(c *ops.Infer) error {
	d := c.DType(0)
	c.SetDType(0, d)
	dims, ok := c.Dims(0)
	if !ok || len(dims) < 3 {
		return nil
	}
	if !o.last {
		sub := &ops.Infer{In: []ops.Info{{Type: tensor.TensorType(tensor.Float32, dims...)}}, Absent: []bool{false}, Out: make([]ops.Info, 1)}
		if err := o.inner.Infer(sub); err != nil {
			return err
		}
		if t := sub.Out[0].Type; t.Ranked {
			c.SetOut(0, d, t.Dims...)
		}
		return nil
	}
	sub := &ops.Infer{In: []ops.Info{{Type: tensor.TensorType(tensor.Float32, dims...)}}, Absent: []bool{false}, Out: make([]ops.Info, 1)}
	if err := inferChannelsLast(sub, dims, o.inner); err != nil {
		return err
	}
	if t := sub.Out[0].Type; t.Ranked {
		c.SetOut(0, d, t.Dims...)
	}
	return nil
}

// Run implements ops.Op.
func (o qfloat) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	qx, err := affineAt(c, 1, x.DType())
	if err != nil {
		return err
	}
	qy, err := affineAt(c, 3, x.DType())
	if err != nil {
		return err
	}
	if o.last {
		if x, err = channelsFirst(c, x); err != nil {
			return err
		}
	}
	buf, err := ops.Scratch[float32](c, x.Len())
	if err != nil {
		return err
	}
	table, src := qx.decode(), tensor.Slice[uint8](x)
	c.Parallel(len(src), ops.Grain(2), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			buf[i] = table[src[i]]
		}
	})
	out, err := runInner(c, o.inner, []tensor.Value{tensor.Of(x.Shape(), buf)}, 1)
	if err != nil {
		return err
	}
	f, ok := out[0].(*tensor.Tensor)
	if !ok || f.DType() != tensor.Float32 {
		return fmt.Errorf("float operator gave %v", out[0])
	}
	if !o.last {
		y, err := c.New(0, x.DType(), f.Shape())
		if err != nil {
			return err
		}
		quantizeAll(c, tensor.Slice[uint8](y), f.Float32(), qy)
		return nil
	}
	q, err := ops.Scratch[uint8](c, f.Len())
	if err != nil {
		return err
	}
	quantizeAll(c, q, f.Float32(), qy)
	return setChannelsLast(c, tensor.Of(tensor.Shape{len(q)}, q).Retyped(x.DType(), f.Shape()))
}

func quantizeAll(c *ops.Ctx, q []uint8, x []float32, a affine) {
	c.Parallel(len(q), ops.Grain(4), func(lo, hi int) { a.encodeRow(q[lo:hi], x[lo:hi]) })
}

func newQLinearAveragePool(a *ops.Attrs) (ops.Op, error) {
	inner, err := buildStandard("AveragePool", 11, 0, attrsFor(a, 11, 1, []string{"ceil_mode", "count_include_pad"},
		[]string{"kernel_shape", "pads", "strides"}, nil, []string{"auto_pad"}))
	if err != nil {
		return nil, err
	}
	return qfloat{inner, a.Bool("channels_last", false)}, a.Done()
}

func newQLinearGlobalPool(a *ops.Attrs) (ops.Op, error) {
	inner, err := buildStandard("GlobalAveragePool", 1, 0, ops.NewAttrs(1, 1, nil))
	if err != nil {
		return nil, err
	}
	return qfloat{inner, a.Bool("channels_last", false)}, a.Done()
}

func newQLinearReduceMean(a *ops.Attrs) (ops.Op, error) {
	inner, err := buildStandard("ReduceMean", 13, 0, attrsFor(a, 13, 1, []string{"keepdims"}, []string{"axes"}, nil, nil))
	if err != nil {
		return nil, err
	}
	return qfloat{inner, false}, a.Done()
}

// qlinearConv is QLinearConv, in com.microsoft also with the channels in the last axis of X and Y.
type qlinearConv struct {
	conv ops.Op
	last bool
}

func newQLinearConv(a *ops.Attrs) (ops.Op, error) {
	conv, err := buildStandard("QLinearConv", 10, 0, attrsFor(a, 10, 1, []string{"group"},
		[]string{"dilations", "kernel_shape", "pads", "strides"}, nil, []string{"auto_pad"}))
	if err != nil {
		return nil, err
	}
	return qlinearConv{conv, a.Bool("channels_last", false)}, a.Done()
}

// Infer implements ops.Op.
func (o qlinearConv) Infer(c *ops.Infer) error {
	if !o.last {
		return o.conv.Infer(c)
	}
	c.SetDType(0, c.DType(7))
	dims, ok := c.Dims(0)
	if !ok || len(dims) < 3 {
		return nil
	}
	return inferChannelsLast(c, dims, o.conv)
}

// Run implements ops.Op.
func (o qlinearConv) Run(c *ops.Ctx) error {
	in := append([]tensor.Value{}, c.In...)
	if o.last {
		x, err := channelsFirst(c, c.Tensor(0))
		if err != nil {
			return err
		}
		in[0] = x
	}
	out, err := runInner(c, o.conv, in, 1)
	if err != nil {
		return err
	}
	if !o.last {
		c.SetOut(0, out[0])
		return nil
	}
	return setChannelsLast(c, out[0].(*tensor.Tensor))
}
