package elementwise

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "Clip", Since: 1, New: newClip6},
		ops.Def{Name: "Clip", Since: 11, New: func(a *ops.Attrs) (ops.Op, error) { return clip{}, a.Done() }},
	)
}

// clip is https://onnx.ai/onnx/operators/onnx__Clip.html with its bounds as inputs, which are scalars and may be
// absent: min(max(x, lo), hi), so that hi wins where lo > hi. NaN stays NaN. An absent bound is the lowest or largest
// finite number of the type, so that infinities become finite.
type clip struct{}

// Infer implements ops.Op.
func (clip) Infer(c *ops.Infer) error {
	d := c.DType(0)
	c.SetShapeLike(0, 0, d)
	if (d == tensor.Int64 || d == tensor.Int32) && len(c.In) == 3 && c.Has(1) && c.Has(2) {
		followInts(c, func(args []tensor.Dim) tensor.Dim { return args[0].Max(args[1]).Min(args[2]) })
	}
	return nil
}

// Run implements ops.Op.
func (clip) Run(c *ops.Ctx) error {
	x, lo, hi := c.Tensor(0), c.Tensor(1), c.Tensor(2)
	for _, b := range []*tensor.Tensor{lo, hi} {
		if b != nil && (b.Len() != 1 || b.DType() != x.DType()) {
			return fmt.Errorf("a bound is %v, not a scalar of type %v", b, x.DType())
		}
	}
	if lo == nil && hi == nil && x.DType().IsInt() {
		c.SetOut(0, x)
		return nil
	}
	out, err := c.NewOver(0, x.DType(), x.Shape(), 0)
	if err != nil {
		return err
	}
	switch x.DType() {
	case tensor.Float32:
		return clipTo[float32](c, out, x, lo, hi, -math.MaxFloat32, math.MaxFloat32)
	case tensor.Float64:
		return clipTo(c, out, x, lo, hi, -math.MaxFloat64, math.MaxFloat64)
	case tensor.Int8:
		return clipTo[int8](c, out, x, lo, hi, math.MinInt8, math.MaxInt8)
	case tensor.Int16:
		return clipTo[int16](c, out, x, lo, hi, math.MinInt16, math.MaxInt16)
	case tensor.Int32:
		return clipTo[int32](c, out, x, lo, hi, math.MinInt32, math.MaxInt32)
	case tensor.Int64:
		return clipTo[int64](c, out, x, lo, hi, math.MinInt64, math.MaxInt64)
	case tensor.Uint8:
		return clipTo[uint8](c, out, x, lo, hi, 0, math.MaxUint8)
	case tensor.Uint16:
		return clipTo[uint16](c, out, x, lo, hi, 0, math.MaxUint16)
	case tensor.Uint32:
		return clipTo[uint32](c, out, x, lo, hi, 0, math.MaxUint32)
	case tensor.Uint64:
		return clipTo[uint64](c, out, x, lo, hi, 0, math.MaxUint64)
	case tensor.Float16, tensor.BFloat16:
		bounds := [2]float32{-largestHalf(x.DType()), largestHalf(x.DType())}
		for i, b := range []*tensor.Tensor{lo, hi} {
			if b != nil {
				widen(bounds[i:i+1], b, 0)
			}
		}
		return clipFn(bounds[0], bounds[1]).apply(c, "Clip", out, x)
	}
	return unsupported("Clip", x)
}

// clipTo clips to the bounds, or to min and max where they are absent.
func clipTo[T vec.Number](c *ops.Ctx, out, x, lo, hi *tensor.Tensor, min, max T) error {
	if lo != nil {
		min = tensor.Slice[T](lo)[0]
	}
	if hi != nil {
		max = tensor.Slice[T](hi)[0]
	}
	dst, src := tensor.Slice[T](out), tensor.Slice[T](x)
	c.Parallel(len(src), ops.Grain(1), func(i, j int) { vec.Clip(dst[i:j], src[i:j], min, max) })
	return c.Err()
}

// largestHalf is the largest finite number of a half-precision type.
func largestHalf(d tensor.DType) float32 {
	if d == tensor.Float16 {
		return tensor.F16(0x7BFF).Float32()
	}
	return tensor.BF16(0x7F7F).Float32()
}

// clipFn clips floats of any width.
func clipFn(lo, hi float32) fn {
	return fn{
		f32:  func(dst, x []float32) { vec.Clip(dst, x, lo, hi) },
		f64:  func(dst, x []float64) { vec.Clip(dst, x, double64(lo), double64(hi)) },
		cost: 1,
	}
}

// clip6 is Clip before opset 11, with its bounds as attributes.
type clip6 struct{ lo, hi float32 }

func newClip6(a *ops.Attrs) (ops.Op, error) {
	ignoreConsumed(a)
	return clip6{a.Float("min", -math.MaxFloat32), a.Float("max", math.MaxFloat32)}, a.Done()
}

// Infer implements ops.Op.
func (op clip6) Infer(c *ops.Infer) error {
	c.SetShapeLike(0, 0, c.DType(0))
	return nil
}

// Run implements ops.Op.
func (op clip6) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	out, err := c.NewOver(0, x.DType(), x.Shape(), 0)
	if err != nil {
		return err
	}
	lo, hi := op.lo, op.hi
	if d := x.DType(); isHalf(d) {
		lo, hi = max(lo, -largestHalf(d)), min(hi, largestHalf(d))
	}
	return clipFn(lo, hi).apply(c, "Clip", out, x)
}

// double64 widens a bound; the default of a float attribute stands for the largest number of any type.
func double64(f float32) float64 {
	switch f {
	case math.MaxFloat32:
		return math.MaxFloat64
	case -math.MaxFloat32:
		return -math.MaxFloat64
	}
	return float64(f)
}
