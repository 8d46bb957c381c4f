package elementwise

import (
	"fmt"
	"strings"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "Cast", Since: 1, New: newCast1},
		ops.Def{Name: "Cast", Since: 6, New: newCast},
		ops.Def{Name: "CastLike", Since: 15, New: newCastLike},
		ops.Def{Name: "BitCast", Since: 26, New: newBitCast},
	)
}

// cast is https://onnx.ai/onnx/operators/onnx__Cast.html and CastLike (to is Undefined: the type is input 1's).
//
// What the standard leaves undefined is as follows, on every machine alike. A float that is out of an integer's range,
// and NaN, becomes what the conversion instructions of amd64 make of it: the most negative int32 or int64, of which
// narrower types take the low bits.
type cast struct {
	to       tensor.DType
	saturate bool
	mode     tensor.RoundMode
}

func newCast1(a *ops.Attrs) (ops.Op, error) {
	name := a.String("to", "")
	to, ok := tensor.ParseDType(strings.ToLower(name))
	if !ok {
		a.Errorf("attribute to is %q, which is no element type", name)
	}
	return castTo(to, a)
}

func newCast(a *ops.Attrs) (ops.Op, error) {
	to := a.DType("to", tensor.Undefined)
	if to == tensor.Undefined {
		a.Errorf("attribute to is missing")
	}
	return castTo(to, a)
}

func newCastLike(a *ops.Attrs) (ops.Op, error) { return castTo(tensor.Undefined, a) }

func castTo(to tensor.DType, a *ops.Attrs) (ops.Op, error) {
	op := cast{to: to, saturate: a.Bool("saturate", true)}
	switch a.Enum("round_mode", "up", "up", "down", "nearest") {
	case "down":
		op.mode = tensor.RoundDown
	case "nearest":
		op.mode = tensor.RoundNearest
	}
	if isComplex(to) {
		a.Errorf("a cast to %v is not defined", to)
	}
	return op, a.Done()
}

func isComplex(d tensor.DType) bool { return d == tensor.Complex64 || d == tensor.Complex128 }

// Infer implements ops.Op.
func (op cast) Infer(c *ops.Infer) error {
	to := op.to
	if to == tensor.Undefined {
		to = c.DType(1)
	}
	c.SetShapeLike(0, 0, to)
	if from := c.DType(0); to == tensor.Int64 || to == tensor.Int32 && from != tensor.Int64 {
		if elems, ok := knownInts(c, 0); ok {
			c.SetInts(0, elems)
		}
	} else if to == tensor.Int32 && from == tensor.Int64 {
		if elems, ok := knownInts(c, 0); ok {
			c.SetInts(0, fitInt32(elems))
		}
	}
	return nil
}

// fitInt32 passes on what a cast to int32 does not change: symbolic dimensions are taken to be small enough.
func fitInt32(elems []tensor.Dim) []tensor.Dim {
	out := make([]tensor.Dim, len(elems))
	for i, e := range elems {
		if v, ok := e.Int(); ok {
			e = tensor.Int(int(int32(v)))
		}
		out[i] = e
	}
	return out
}

// Run implements ops.Op.
func (op cast) Run(c *ops.Ctx) error {
	in := c.Tensor(0)
	to := op.to
	if to == tensor.Undefined {
		to = c.Tensor(1).DType()
	}
	from := in.DType()
	if isComplex(from) || isComplex(to) {
		return fmt.Errorf("a cast of %v to %v is not defined", from, to)
	}
	if from == to {
		c.SetOut(0, in)
		return nil
	}
	out, err := c.NewOver(0, to, in.Shape(), 0)
	if err != nil {
		return err
	}
	if err := Convert(c, out, in, op.saturate, op.mode); err != nil {
		return err
	}
	if used := in.Len() * to.Bits() % 8; used > 0 && to.Packed() {
		out.Bytes()[len(out.Bytes())-1] &= 1<<used - 1 // clears the bits beyond the last element
	}
	return nil
}

// Convert casts the elements of in to those of out, a tensor of the same size and another type, as Cast does. Types of
// equal width may share their memory.
func Convert(c *ops.Ctx, out, in *tensor.Tensor, saturate bool, mode tensor.RoundMode) error {
	cv := &converter{Ctx: c, out: out, saturate: saturate, mode: mode}
	switch in.DType() {
	case tensor.String:
		return cv.fromStrings(in.Strs())
	case tensor.Float64:
		return castFrom(cv, in.Float64())
	case tensor.Float32:
		return castFrom(cv, in.Float32())
	case tensor.Int8:
		return castFrom(cv, tensor.Slice[int8](in))
	case tensor.Int16:
		return castFrom(cv, tensor.Slice[int16](in))
	case tensor.Int32:
		return castFrom(cv, in.Int32())
	case tensor.Int64:
		return castFrom(cv, in.Int64())
	case tensor.Uint8:
		return castFrom(cv, tensor.Slice[uint8](in))
	case tensor.Uint16:
		return castFrom(cv, tensor.Slice[uint16](in))
	case tensor.Uint32:
		return castFrom(cv, tensor.Slice[uint32](in))
	case tensor.Uint64:
		return castFrom(cv, tensor.Slice[uint64](in))
	case tensor.Bool:
		b := tensor.Slice[uint8](in)
		return castRead(cv, func(dst []uint8, lo int) { truth(dst, b[lo:lo+len(dst)]) })
	case tensor.Float16, tensor.BFloat16:
		if out.DType() == tensor.Float32 {
			c.Parallel(in.Len(), castGrain, func(lo, hi int) { widen(out.Float32()[lo:hi], in, lo) })
			return c.Err()
		}
		return castRead(cv, func(dst []float32, lo int) { widen(dst, in, lo) })
	case tensor.Int4, tensor.Uint4, tensor.Int2, tensor.Uint2:
		return castRead(cv, func(dst []int8, lo int) {
			for i := range dst {
				dst[i] = in.PackedAt(lo + i)
			}
		})
	}
	return castRead(cv, func(dst []float32, lo int) { tensor.ReadFloat32(dst, in, lo) })
}

// truth sets dst[i] to 1 where src[i] is not zero (NaN is not), else to 0.
func truth[T vec.Number](dst []uint8, src []T) {
	for i, v := range src {
		dst[i] = 0
		if v != 0 {
			dst[i] = 1
		}
	}
}

// bitCast is https://onnx.ai/onnx/operators/onnx__BitCast.html.
type bitCast struct{ to tensor.DType }

func newBitCast(a *ops.Attrs) (ops.Op, error) {
	op := bitCast{a.DType("to", tensor.Undefined)}
	if op.to == tensor.String || op.to == tensor.Undefined {
		a.Errorf("attribute to is %v, not a type of fixed width", op.to)
	}
	return op, a.Done()
}

func (op bitCast) check(from tensor.DType) error {
	if from.Bits() != op.to.Bits() {
		return fmt.Errorf("%v and %v differ in width", from, op.to)
	}
	return nil
}

// Infer implements ops.Op.
func (op bitCast) Infer(c *ops.Infer) error {
	c.SetShapeLike(0, 0, op.to)
	if d := c.DType(0); d != tensor.Undefined {
		return op.check(d)
	}
	return nil
}

// Run implements ops.Op.
func (op bitCast) Run(c *ops.Ctx) error {
	in := c.Tensor(0)
	if err := op.check(in.DType()); err != nil {
		return err
	}
	if op.to != tensor.Bool {
		c.SetOut(0, in.Retyped(op.to, in.Shape()))
		return nil
	}
	// A bool's byte must be 0 or 1 everywhere else in the runtime.
	out, err := c.NewOver(0, tensor.Bool, in.Shape(), 0)
	if err != nil {
		return err
	}
	truth(tensor.Slice[uint8](out), tensor.Slice[uint8](in))
	return nil
}
