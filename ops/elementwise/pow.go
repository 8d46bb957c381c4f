package elementwise

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	for since, old := range map[int]bool{1: true, 7: false} {
		ops.Register(ops.Def{Name: "Pow", Since: since, New: func(a *ops.Attrs) (ops.Op, error) {
			return pow{newAlignment(a, old)}, a.Done()
		}})
	}
}

// pow is https://onnx.ai/onnx/operators/onnx__Pow.html. Base and exponent may differ in type; the result has the
// base's. Integers to integer powers are exact modulo 2^width, to negative powers they are cut off towards zero.
// Integers to float powers are computed in double precision and cut off as in Cast.
type pow struct{ alignment }

// Infer implements ops.Op.
func (op pow) Infer(c *ops.Infer) error { return op.infer(c, c.DType(0)) }

// Run implements ops.Op.
func (op pow) Run(c *ops.Ctx) error {
	x, y := c.Tensor(0), c.Tensor(1)
	p, err := op.plan(x.Shape(), y.Shape())
	if err != nil {
		return err
	}
	out, err := c.NewOver(0, x.DType(), p.shape, 0)
	if err != nil {
		return err
	}
	switch d := x.DType(); {
	case d == tensor.Int32 && y.DType().IsInt():
		return powExact[int32](c, p, out, x, y)
	case d == tensor.Int64 && y.DType().IsInt():
		return powExact[int64](c, p, out, x, y)
	case y.Len() == 1 && d.IsFloat():
		e, err := exponents(c, y)
		if err != nil {
			return err
		}
		return powOf(e[0]).apply(c, "Pow", out, x)
	case d == tensor.Float32:
		return powDouble[float32](c, p, out, x, y)
	case d == tensor.Float64:
		return powDouble[float64](c, p, out, x, y)
	case d == tensor.Int32:
		return powDouble[int32](c, p, out, x, y)
	case d == tensor.Int64:
		return powDouble[int64](c, p, out, x, y)
	case isHalf(d):
		return powHalf(c, p, out, x, y)
	}
	return unsupported("Pow", x)
}

// exponents returns y in double precision.
func exponents(c *ops.Ctx, y *tensor.Tensor) ([]float64, error) {
	e, err := ops.Scratch[float64](c, y.Len())
	if err != nil {
		return nil, err
	}
	if y.DType() == tensor.Float64 {
		copy(e, y.Float64())
		return e, nil
	}
	return e, Convert(c, tensor.Of(y.Shape(), e), y, true, tensor.RoundUp)
}

// powOf is x^e for one exponent.
func powOf(e float64) fn {
	switch e {
	case 1:
		return fn{f32: func(dst, x []float32) { copy(dst, x) }, f64: func(dst, x []float64) { copy(dst, x) }, cost: 1}
	case 2:
		return fn{f32: square[float32], f64: square[float64], cost: 1}
	case 3:
		return fn{f32: cube[float32], f64: cube[float64], cost: 1}
	case 0.5:
		return double(func(x float64) float64 {
			if math.IsInf(x, -1) {
				return math.Inf(1) // as pow has it, unlike sqrt
			}
			return math.Sqrt(x) + 0 // pow(-0, ½) is +0
		})
	case -1:
		return fn{f32: reciprocal[float32], f64: reciprocal[float64], cost: 4}
	}
	return double(func(x float64) float64 { return math.Pow(x, e) })
}

func square[T float](dst, x []T) { vec.Mul(dst, x, x) }

func cube[T float](dst, x []T) {
	for i, v := range x {
		dst[i] = v * v * v
	}
}

// powDouble computes in double precision.
func powDouble[T float32 | float64 | int32 | int64](c *ops.Ctx, p *plan, out, x, y *tensor.Tensor) error {
	e, err := exponents(c, y)
	if err != nil {
		return err
	}
	conv := conversion[T, float64]()
	l := loop[T, float64, T]{vv: func(dst, a []T, b []float64) {
		var buf [piece]float64
		inPieces(len(dst), func(lo, hi int) {
			for i, v := range a[lo:hi] {
				buf[i] = math.Pow(float64(v), b[lo+i])
			}
			conv(dst[lo:hi], buf[:hi-lo])
		})
	}}
	dst, a := tensor.Slice[T](out), tensor.Slice[T](x)
	c.Parallel(p.n, ops.Grain(50), func(lo, hi int) { l.over(p, dst, a, e, lo, hi) })
	return c.Err()
}

// powHalf computes float16 and bfloat16 bases by way of float32.
func powHalf(c *ops.Ctx, p *plan, out, x, y *tensor.Tensor) error {
	a, err := ops.Scratch[float32](c, x.Len())
	if err != nil {
		return err
	}
	b, err := ops.Scratch[float32](c, p.n)
	if err != nil {
		return err
	}
	widen(a, x, 0)
	if err := powDouble[float32](c, p, tensor.Of(p.shape, b), tensor.Of(x.Shape(), a), y); err != nil {
		return err
	}
	narrow(out, b, 0)
	return nil
}

// powExact computes integers to integer powers.
func powExact[T int32 | int64](c *ops.Ctx, p *plan, out, x, y *tensor.Tensor) error {
	e, err := ops.Scratch[int64](c, y.Len())
	if err != nil {
		return err
	}
	switch y.DType() {
	case tensor.Int64:
		copy(e, y.Int64())
	case tensor.Uint64:
		for i, v := range tensor.Slice[uint64](y) {
			if v > math.MaxInt64 {
				v = math.MaxInt64 - 1 + v&1 // as far as any base can tell
			}
			e[i] = int64(v)
		}
	default:
		if err := Convert(c, tensor.Of(y.Shape(), e), y, true, tensor.RoundUp); err != nil {
			return err
		}
	}
	l := loop[T, int64, T]{vv: func(dst, a []T, b []int64) {
		for i, v := range a {
			dst[i] = intPow(v, b[i])
		}
	}}
	dst, a := tensor.Slice[T](out), tensor.Slice[T](x)
	c.Parallel(p.n, ops.Grain(16), func(lo, hi int) { l.over(p, dst, a, e, lo, hi) })
	return c.Err()
}

// intPow is x^e modulo the width of T. 0 to a negative power is what Cast makes of infinity: the most negative number.
func intPow[T int32 | int64](x T, e int64) T {
	if e < 0 {
		switch {
		case x == 1, x == -1 && e&1 == 0:
			return 1
		case x == -1:
			return -1
		case x == 0:
			var buf [1]T
			conversion[T, float64]()(buf[:], []float64{math.Inf(1)})
			return buf[0]
		}
		return 0
	}
	r := T(1)
	for ; e > 0; e >>= 1 {
		if e&1 != 0 {
			r *= x
		}
		x *= x
	}
	return r
}
