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
		ops.Def{Name: "ConvInteger", Since: 10, New: func(a *ops.Attrs) (ops.Op, error) { return convInteger{convOp: newConv(a)}, a.Done() }},
		ops.Def{Name: "QLinearConv", Since: 10, New: func(a *ops.Attrs) (ops.Op, error) { return qLinearConv{convOp: newConv(a)}, a.Done() }},
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

// int8Weights is weights of 8-bit integers, and what the kernels made of them if they are constant.
type int8Weights struct {
	shape  tensor.Shape
	dtype  tensor.DType
	data   []uint8
	packed []*gemm.Int8Rows
}

// packInt8 packs constant weights; it returns nil if t is none.
func (op *convOp) packInt8(t *tensor.Tensor) *int8Weights {
	if t == nil || !is8Bit(t.DType()) || t.Rank() < 3 || t.Len() == 0 || t.Dim(0)%op.group != 0 {
		return nil
	}
	s := t.Shape()
	return &int8Weights{s.Clone(), t.DType(), nil, conv.PackInt8(t.Bytes(), t.DType() == tensor.Int8, op.group, s[0]/op.group, s[1:].Size())}
}

// or returns the packed weights, or those at input i.
func (w *int8Weights) or(c *ops.Ctx, i int) (*int8Weights, error) {
	if w != nil {
		return w, nil
	}
	t := c.Tensor(i)
	if !is8Bit(t.DType()) {
		return nil, unsupported("an integer convolution", t.DType())
	}
	return &int8Weights{t.Shape(), t.DType(), t.Bytes(), nil}, nil
}

func is8Bit(d tensor.DType) bool { return d == tensor.Uint8 || d == tensor.Int8 }

// product computes the convolution of the 8-bit image at an input with weights; their zero points are at inputs xz and wz.
func (op *convOp) product(c *ops.Ctx, g *conv.Geometry, y []int32, w *int8Weights, xi, xz, wz int) error {
	x := c.Tensor(xi)
	if !is8Bit(x.DType()) {
		return unsupported("an integer convolution", x.DType())
	}
	xZero, err := zerosOf(c, xz, 1, x.DType())
	if err != nil {
		return err
	}
	wZero, err := zerosOf(c, wz, g.Groups*g.OutC, w.dtype)
	if err != nil {
		return err
	}
	zero := int32(0)
	if len(xZero) > 0 {
		zero = xZero[0]
	}
	conv.Int8(c.Pool, g, y, x.Bytes(), x.DType() == tensor.Int8, zero, w.data, w.dtype == tensor.Int8, wZero, w.packed)
	return c.Err()
}

// convInteger is https://onnx.ai/onnx/operators/onnx__ConvInteger.html.
type convInteger struct {
	*convOp
	w *int8Weights
}

// Prepack implements ops.Prepacker.
func (op convInteger) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	if w := op.packInt8(in[1]); w != nil {
		return convInteger{op.convOp, w}, []int{1}
	}
	return op, nil
}

// Infer implements ops.Op.
func (op convInteger) Infer(c *ops.Infer) error { return op.inferConv(c, 0, 1, tensor.Int32) }

// Run implements ops.Op.
func (op convInteger) Run(c *ops.Ctx) error {
	w, err := op.w.or(c, 1)
	if err != nil {
		return err
	}
	g, shape, err := op.geometry(c.Tensor(0).Shape(), w.shape)
	if err != nil {
		return err
	}
	y, err := c.New(0, tensor.Int32, shape)
	if err != nil {
		return err
	}
	return op.product(c, g, y.Int32(), w, 0, 2, 3)
}

// qLinearConv is https://onnx.ai/onnx/operators/onnx__QLinearConv.html.
type qLinearConv struct {
	*convOp
	w *int8Weights
}

// Prepack implements ops.Prepacker.
func (op qLinearConv) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	if w := op.packInt8(in[3]); w != nil {
		return qLinearConv{op.convOp, w}, []int{3}
	}
	return op, nil
}

// Infer implements ops.Op.
func (op qLinearConv) Infer(c *ops.Infer) error { return op.inferConv(c, 0, 3, c.DType(7)) }

// Run implements ops.Op.
func (op qLinearConv) Run(c *ops.Ctx) error {
	w, err := op.w.or(c, 3)
	if err != nil {
		return err
	}
	g, shape, err := op.geometry(c.Tensor(0).Shape(), w.shape)
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
	if err := op.product(c, g, acc, w, 0, 2, 5); err != nil {
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
