package conv

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/conv"
	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "ConvInteger", Since: 10, New: func(a *ops.Attrs) (ops.Op, error) { return convInteger{newConv(a)}, a.Done() }},
		ops.Def{Name: "QLinearConv", Since: 10, New: func(a *ops.Attrs) (ops.Op, error) { return qLinearConv{newConv(a)}, a.Done() }},
	)
}

// zerosOf returns the zero points at input i: none if it is absent, one, or n of them; d is their type.
func zerosOf(c *ops.Ctx, i, n int, d tensor.DType) ([]int32, error) {
	t := c.Tensor(i)
	if t == nil {
		return nil, nil
	}
	if t.DType() != d || t.Len() != 1 && t.Len() != n {
		return nil, fmt.Errorf("zero points %v at input %d for %d channels of %v", t, i, n, d)
	}
	v, err := t.Ints()
	if err != nil {
		return nil, err
	}
	out := make([]int32, len(v))
	for i, z := range v {
		out[i] = int32(z)
	}
	return out, nil
}

// product computes the convolution of the 8-bit images and weights at the given inputs, whose zero points are xz and wz.
func (op *convOp) product(c *ops.Ctx, g *conv.Geometry, y []int32, xi, xz, wi, wz int) error {
	x, w := c.Tensor(xi), c.Tensor(wi)
	for _, t := range []*tensor.Tensor{x, w} {
		if d := t.DType(); d != tensor.Uint8 && d != tensor.Int8 {
			return unsupported("an integer convolution", d)
		}
	}
	xZero, err := zerosOf(c, xz, 1, x.DType())
	if err != nil {
		return err
	}
	wZero, err := zerosOf(c, wz, g.Groups*g.OutC, w.DType())
	if err != nil {
		return err
	}
	zero := int32(0)
	if len(xZero) > 0 {
		zero = xZero[0]
	}
	conv.Int8(c.Pool, g, y, x.Bytes(), x.DType() == tensor.Int8, zero, w.Bytes(), w.DType() == tensor.Int8, wZero)
	return c.Err()
}

// convInteger is https://onnx.ai/onnx/operators/onnx__ConvInteger.html.
type convInteger struct{ *convOp }

// Infer implements ops.Op.
func (op convInteger) Infer(c *ops.Infer) error { return op.inferConv(c, 0, 1, tensor.Int32) }

// Run implements ops.Op.
func (op convInteger) Run(c *ops.Ctx) error {
	g, shape, err := op.geometry(c.Tensor(0).Shape(), c.Tensor(1).Shape())
	if err != nil {
		return err
	}
	y, err := c.New(0, tensor.Int32, shape)
	if err != nil {
		return err
	}
	return op.product(c, g, y.Int32(), 0, 2, 1, 3)
}

// qLinearConv is https://onnx.ai/onnx/operators/onnx__QLinearConv.html.
type qLinearConv struct{ *convOp }

// Infer implements ops.Op.
func (op qLinearConv) Infer(c *ops.Infer) error { return op.inferConv(c, 0, 3, c.DType(7)) }

// Run implements ops.Op.
func (op qLinearConv) Run(c *ops.Ctx) error {
	g, shape, err := op.geometry(c.Tensor(0).Shape(), c.Tensor(3).Shape())
	if err != nil {
		return err
	}
	bias, err := biasOf[int32](c, 8, shape[1])
	if err != nil {
		return err
	}
	scales, err := op.scales(c, shape[1])
	if err != nil {
		return err
	}
	d := c.Tensor(7).DType()
	if d != tensor.Uint8 && d != tensor.Int8 {
		return unsupported("QLinearConv with an output", d)
	}
	yZero, err := zerosOf(c, 7, 1, d)
	if err != nil {
		return err
	}
	y, err := c.New(0, d, shape)
	if err != nil {
		return err
	}
	acc, err := ops.Scratch[int32](c, shape.Size())
	if err != nil {
		return err
	}
	if err := op.product(c, g, acc, 0, 2, 3, 5); err != nil {
		return err
	}
	dst, size := y.Bytes(), conv.Volume(g.Out)
	c.Parallel(shape[0]*shape[1], ops.Grain(size), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			channel, part := i%shape[1], acc[i*size:(i+1)*size]
			if bias != nil {
				b := bias[channel]
				for k := range part {
					part[k] += b
				}
			}
			s := scales
			if len(s) > 1 {
				s = s[channel : channel+1]
			}
			gemm.Requantize(dst[i*size:(i+1)*size], d == tensor.Int8, part, s, yZero[0])
		}
	})
	return c.Err()
}

// scales returns the factors from sums to outputs: one, or one per output channel.
func (op qLinearConv) scales(c *ops.Ctx, channels int) ([]float32, error) {
	x, w, y := c.Tensor(1), c.Tensor(4), c.Tensor(6)
	for _, t := range []*tensor.Tensor{x, w, y} {
		if t.DType() != tensor.Float32 || t.Len() != 1 && (t != w || t.Len() != channels) {
			return nil, fmt.Errorf("scale %v for %d channels", t, channels)
		}
	}
	out := make([]float32, w.Len())
	for i, v := range w.Float32() {
		out[i] = x.Float32()[0] * v / y.Float32()[0]
	}
	return out, nil
}
