package quant

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// dequantize is https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html. The product is computed in float32 and
// rounded to the output's type.
type dequantize struct {
	axis, block int
	output      tensor.DType
}

// NewDequantize returns DequantizeLinear of any version, also that of com.microsoft.
func NewDequantize(a *ops.Attrs) (ops.Op, error) {
	return dequantize{
		axis:   a.Int("axis", 1),
		block:  a.Int("block_size", 0),
		output: a.DType("output_dtype", tensor.Undefined),
	}, a.Done()
}

func (op dequantize) outputType(scale tensor.DType) tensor.DType {
	if op.output != tensor.Undefined {
		return op.output
	}
	return scale
}

// Infer implements ops.Op.
func (op dequantize) Infer(c *ops.Infer) error {
	c.SetShapeLike(0, 0, op.outputType(c.DType(1)))
	return nil
}

// Run implements ops.Op.
func (op dequantize) Run(c *ops.Ctx) error {
	x, scale, zero := c.Tensor(0), c.Tensor(1), c.Tensor(2)
	if zero != nil && zero.DType() != x.DType() {
		return fmt.Errorf("the zero point is %v, the input %v", zero.DType(), x.DType())
	}
	p, err := newParams(c, x.Shape(), scale, zero, op.axis, op.block)
	if err != nil {
		return err
	}
	d := op.outputType(scale.DType())
	switch d {
	case tensor.Float32, tensor.Float16, tensor.BFloat16:
	default:
		return fmt.Errorf("%w: dequantization to %v", ops.ErrUnsupported, d)
	}
	out, err := c.New(0, d, x.Shape())
	if err != nil {
		return err
	}
	switch x.DType() {
	case tensor.Uint8:
		return dequantizeInts(c, p, out, tensor.Slice[uint8](x))
	case tensor.Int8:
		return dequantizeInts(c, p, out, tensor.Slice[int8](x))
	case tensor.Uint16:
		return dequantizeInts(c, p, out, tensor.Slice[uint16](x))
	case tensor.Int16:
		return dequantizeInts(c, p, out, tensor.Slice[int16](x))
	case tensor.Int32:
		return dequantizeInts(c, p, out, x.Int32())
	case tensor.Uint4, tensor.Int4, tensor.Uint2, tensor.Int2:
		return dequantizeFrom(c, p, out, func(buf []int8, lo int) []int8 {
			for i := range buf {
				buf[i] = x.PackedAt(lo + i)
			}
			return buf
		})
	case tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ, tensor.Float4E2M1:
		return dequantizeFrom(c, p, out, func(buf []float32, lo int) []float32 {
			tensor.ReadFloat32(buf, x, lo)
			return buf
		})
	}
	return fmt.Errorf("%w: dequantization of %v", ops.ErrUnsupported, x.DType())
}

func dequantizeInts[T vec.Small](c *ops.Ctx, p *params, out *tensor.Tensor, x []T) error {
	return dequantizeFrom(c, p, out, func(buf []T, lo int) []T { return x[lo : lo+len(buf)] })
}

// dequantizeFrom computes the output from the elements that read delivers, in buf or elsewhere.
func dequantizeFrom[T vec.Small | float32](c *ops.Ctx, p *params, out *tensor.Tensor, read func(buf []T, lo int) []T) error {
	c.Parallel(out.Len(), grain, func(lo, hi int) {
		in := make([]T, piece)
		var buf []float32
		if out.DType() != tensor.Float32 {
			buf = make([]float32, piece)
		}
		for ; lo < hi; lo += piece {
			n := min(piece, hi-lo)
			dst := buf
			if dst == nil {
				dst = out.Float32()[lo:]
			}
			dst = dst[:n]
			dequantizePiece(p, dst, read(in[:n], lo), lo)
			if buf != nil {
				tensor.WriteFloat32(out, lo, dst, true, tensor.RoundUp)
			}
		}
	})
	return c.Err()
}

func dequantizePiece[T vec.Small | float32](p *params, dst []float32, x []T, lo int) {
	p.runs(lo, lo+len(x), func(at, n, k int, each bool) {
		i := at - lo
		if each {
			vec.DequantizeEach(dst[i:i+n], x[i:i+n], p.scale[k:k+n], p.zero[k:k+n])
		} else {
			vec.Dequantize(dst[i:i+n], x[i:i+n], p.scale[k], p.zero[k])
		}
	})
}
