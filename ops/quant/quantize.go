package quant

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "QuantizeLinear", Since: 10, New: NewQuantize},
		ops.Def{Name: "DequantizeLinear", Since: 10, New: NewDequantize},
		ops.Def{Name: "DynamicQuantizeLinear", Since: 11, New: newDynamic},
	)
}

// quantize is https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html. The quotient is computed in float32 and, if
// precision (by default the scale's type) is a half type, rounded to it before it is rounded to an integer.
type quantize struct {
	axis, block       int
	output, precision tensor.DType
	saturate          bool
}

// NewQuantize returns QuantizeLinear of any version, also that of com.microsoft.
func NewQuantize(a *ops.Attrs) (ops.Op, error) {
	return quantize{
		axis:      a.Int("axis", 1),
		block:     a.Int("block_size", 0),
		output:    a.DType("output_dtype", tensor.Undefined),
		precision: a.DType("precision", tensor.Undefined),
		saturate:  a.Bool("saturate", true),
	}, a.Done()
}

// outputType is the type of the result, given the zero point's (or Undefined).
func (op quantize) outputType(zero tensor.DType) (tensor.DType, error) {
	switch {
	case zero == tensor.Undefined && op.output == tensor.Undefined:
		return tensor.Uint8, nil
	case zero == tensor.Undefined:
		return op.output, nil
	case op.output != tensor.Undefined && op.output != zero:
		return zero, fmt.Errorf("output_dtype is %v, but the zero point is %v", op.output, zero)
	}
	return zero, nil
}

// Infer implements ops.Op.
func (op quantize) Infer(c *ops.Infer) error {
	if c.Has(2) && c.DType(2) == tensor.Undefined {
		c.SetShapeLike(0, 0, op.output)
		return nil
	}
	d, err := op.outputType(c.DType(2))
	c.SetShapeLike(0, 0, d)
	return err
}

// Run implements ops.Op.
func (op quantize) Run(c *ops.Ctx) error {
	x, scale, zero := c.Tensor(0), c.Tensor(1), c.Tensor(2)
	d := tensor.Undefined
	if zero != nil {
		d = zero.DType()
	}
	d, err := op.outputType(d)
	if err != nil {
		return err
	}
	p, err := newParams(c, x.Shape(), scale, zero, op.axis, op.block)
	if err != nil {
		return err
	}
	out, err := c.New(0, d, x.Shape())
	if err != nil {
		return err
	}
	read, err := reader(x)
	if err != nil {
		return err
	}
	q := &quantizer{params: p, Ctx: c, n: x.Len(), read: read, precision: op.precision}
	if q.precision == tensor.Undefined {
		q.precision = scale.DType()
	}
	return q.into(out, op.saturate)
}

// reader returns the function that delivers elements from lo on as float32, in buf or elsewhere.
func reader(x *tensor.Tensor) (func(buf []float32, lo int) []float32, error) {
	switch x.DType() {
	case tensor.Float32:
		f := x.Float32()
		return func(buf []float32, lo int) []float32 { return f[lo : lo+len(buf)] }, nil
	case tensor.Int32:
		v := x.Int32()
		return func(buf []float32, lo int) []float32 {
			for i := range buf {
				buf[i] = float32(v[lo+i])
			}
			return buf
		}, nil
	case tensor.Float16:
		h := tensor.Slice[tensor.F16](x)
		return func(buf []float32, lo int) []float32 {
			vec.FromF16(buf, h[lo:lo+len(buf)])
			return buf
		}, nil
	case tensor.BFloat16:
		h := tensor.Slice[tensor.BF16](x)
		return func(buf []float32, lo int) []float32 {
			vec.FromBF16(buf, h[lo:lo+len(buf)])
			return buf
		}, nil
	}
	return nil, fmt.Errorf("%w: quantization of %v", ops.ErrUnsupported, x.DType())
}

// quantizer is one run of QuantizeLinear.
type quantizer struct {
	*params
	*ops.Ctx
	n         int
	read      func(buf []float32, lo int) []float32
	precision tensor.DType
}

// into computes the output.
func (q *quantizer) into(out *tensor.Tensor, saturate bool) error {
	switch d := out.DType(); d {
	case tensor.Uint8:
		return quantizeTo(q, tensor.Slice[uint8](out), 0, 255)
	case tensor.Int8:
		return quantizeTo(q, tensor.Slice[int8](out), -128, 127)
	case tensor.Uint16:
		return quantizeTo(q, tensor.Slice[uint16](out), 0, 65535)
	case tensor.Int16:
		return quantizeTo(q, tensor.Slice[int16](out), -32768, 32767)
	case tensor.Uint4, tensor.Uint2:
		return q.pack(out, 0, float32(int(1)<<d.Bits()-1))
	case tensor.Int4, tensor.Int2:
		half := float32(int(1) << (d.Bits() - 1))
		return q.pack(out, -half, half-1)
	case tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ, tensor.Float4E2M1:
		return q.pieces(func(x, buf []float32, lo int) {
			q.divide(buf, x, lo, true)
			tensor.WriteFloat32(out, lo, buf, saturate, tensor.RoundUp)
		})
	}
	return fmt.Errorf("%w: quantization to %v", ops.ErrUnsupported, out.DType())
}

// pieces calls f with pieces of x, a buffer of the same size, and their place.
func (q *quantizer) pieces(f func(x, buf []float32, lo int)) error {
	q.Parallel(q.n, grain, func(lo, hi int) {
		in, buf := make([]float32, piece), make([]float32, piece)
		for ; lo < hi; lo += piece {
			n := min(piece, hi-lo)
			f(q.read(in[:n], lo), buf[:n], lo)
		}
	})
	return q.Err()
}

// divide sets dst to x/scale in the wanted precision, plus the zero point if add is set.
func (q *quantizer) divide(dst, x []float32, lo int, add bool) {
	q.runs(lo, lo+len(x), func(at, n, k int, each bool) {
		d, v := dst[at-lo:at-lo+n], x[at-lo:at-lo+n]
		if each {
			vec.Div(d, v, q.scale[k:k+n])
		} else {
			vec.DivScalar(d, v, q.scale[k])
		}
	})
	switch q.precision {
	case tensor.Float16:
		for i, v := range dst {
			dst[i] = tensor.ToF16(v).Float32()
		}
	case tensor.BFloat16:
		for i, v := range dst {
			dst[i] = tensor.ToBF16(v).Float32()
		}
	}
	if !add {
		return
	}
	q.runs(lo, lo+len(x), func(at, n, k int, each bool) {
		for i := range n {
			z := q.zero[k]
			if each {
				z = q.zero[k+i]
			}
			if z != 0 { // adding zero would lose the sign of -0
				dst[at-lo+i] += z
			}
		}
	})
}

// quantizeTo writes integers.
func quantizeTo[T vec.Small](q *quantizer, dst []T, lo, hi float32) error {
	return q.pieces(func(x, buf []float32, at int) { quantizePiece(q, dst[at:at+len(x)], x, buf, at, lo, hi) })
}

func quantizePiece[T vec.Small](q *quantizer, dst []T, x, buf []float32, start int, lo, hi float32) {
	rounded := q.precision == tensor.Float16 || q.precision == tensor.BFloat16
	if rounded {
		q.divide(buf, x, start, false)
		x = buf
	}
	q.runs(start, start+len(x), func(at, n, k int, each bool) {
		i := at - start
		d, v := dst[i:i+n], x[i:i+n]
		switch {
		case !each && rounded:
			vec.Quantize(d, v, 1, q.zero[k], lo, hi)
		case !each:
			vec.Quantize(d, v, q.scale[k], q.zero[k], lo, hi)
		case rounded:
			for i := range d {
				vec.Quantize(d[i:i+1], v[i:i+1], 1, q.zero[k+i], lo, hi)
			}
		default:
			vec.QuantizeEach(d, v, q.scale[k:k+n], q.zero[k:k+n], lo, hi)
		}
	})
}

// pack writes integers of 4 and 2 bits.
func (q *quantizer) pack(out *tensor.Tensor, lo, hi float32) error {
	if b := out.Bytes(); len(b) > 0 {
		b[len(b)-1] = 0 // the bits beyond the last element
	}
	return q.pieces(func(x, buf []float32, at int) {
		var v [piece]int8
		quantizePiece(q, v[:len(x)], x, buf, at, lo, hi)
		for i := range x {
			out.SetPacked(at+i, v[i])
		}
	})
}
