package elementwise

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// fn is a function of one number, as loops over slices. A destination may be its source.
type fn struct {
	f32  func(dst, x []float32)
	f64  func(dst, x []float64)
	ints string // name of the loop on integers (intFunc), if there is one
	cost int    // of an element, about one per multiply-add
}

// functions are the operators without attributes.
var functions = []struct {
	name  string
	since int
	fn
}{
	{"Abs", 1, fn{vec.Abs[float32], vec.Abs[float64], "Abs", 1}},
	{"Acos", 7, double(math.Acos)},
	{"Acosh", 9, double(math.Acosh)},
	{"Asin", 7, double(math.Asin)},
	{"Asinh", 9, double(math.Asinh)},
	{"Atan", 7, double(math.Atan)},
	{"Atanh", 9, double(math.Atanh)},
	{"Ceil", 1, withF32(vec.Ceil, 2, math.Ceil)},
	{"Cos", 7, double(math.Cos)},
	{"Cosh", 9, double(math.Cosh)},
	{"Erf", 9, fn{vec.Erf, eachOf(math.Erf), "Erf", 16}},
	{"Exp", 1, withF32(vec.Exp, 8, math.Exp)},
	{"Floor", 1, withF32(vec.Floor, 2, math.Floor)},
	{"HardSwish", 14, fn{f32: vec.HardSwish[float32], f64: vec.HardSwish[float64], cost: 2}},
	{"Log", 1, withF32(vec.Log, 8, math.Log)},
	{"Mish", 18, withF32(vec.Mish, 16, func(x float64) float64 { return x * math.Tanh(softplus(x)) })},
	{"Neg", 1, fn{vec.Neg[float32], vec.Neg[float64], "Neg", 1}},
	{"Reciprocal", 1, fn{f32: reciprocal[float32], f64: reciprocal[float64], cost: 4}},
	{"Relu", 1, fn{vec.Relu[float32], vec.Relu[float64], "Relu", 1}},
	{"Round", 11, withF32(vec.Round, 2, math.RoundToEven)},
	{"Sigmoid", 1, withF32(vec.Sigmoid, 12, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) })},
	{"Sign", 9, fn{sign[float32], sign[float64], "Sign", 1}},
	{"Sin", 7, double(math.Sin)},
	{"Sinh", 9, double(math.Sinh)},
	{"Softplus", 1, withF32(vec.Softplus, 24, softplus)},
	{"Softsign", 1, fn{f32: vec.Softsign[float32], f64: vec.Softsign[float64], cost: 4}},
	{"Sqrt", 1, withF32(vec.Sqrt, 4, math.Sqrt)},
	{"Tan", 7, double(math.Tan)},
	{"Tanh", 1, withF32(vec.Tanh, 12, math.Tanh)},
}

func init() {
	for _, f := range functions {
		ops.Register(ops.Def{Name: f.name, Since: f.since, New: func(a *ops.Attrs) (ops.Op, error) {
			ignoreConsumed(a)
			return unary{f.name, f.fn}, a.Done()
		}})
	}
	ops.Register(
		ops.Def{Name: "BitwiseNot", Since: 18, New: func(a *ops.Attrs) (ops.Op, error) {
			return unary{"BitwiseNot", fn{ints: "BitwiseNot", cost: 1}}, a.Done()
		}},
		ops.Def{Name: "Not", Since: 1, New: func(a *ops.Attrs) (ops.Op, error) { return not{}, a.Done() }},
	)
}

// ignoreConsumed passes over the hint that opset 1 had in many operators.
func ignoreConsumed(a *ops.Attrs) {
	if a.Opset < 6 {
		a.Ignore("consumed_inputs")
	}
}

// double is a function that is computed in double precision.
func double(f func(float64) float64) fn { return fn{f32: eachOf32(f), f64: eachOf(f), cost: 24} }

func withF32(f32 func(dst, x []float32), cost int, f64 func(float64) float64) fn {
	return fn{f32: f32, f64: eachOf(f64), cost: cost}
}

func eachOf(f func(float64) float64) func(dst, x []float64) {
	return func(dst, x []float64) { vec.Map(dst, x, f) }
}

func eachOf32(f func(float64) float64) func(dst, x []float32) {
	return func(dst, x []float32) { vec.Map(dst, x, f) }
}

// softplus is ln(1+e^x).
func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func reciprocal[T float](dst, x []T) { vec.ScalarDiv(dst, 1, x) }

// sign sets dst[i] to -1, 0 or 1; the sign of NaN is NaN.
func sign[T vec.Number](dst, x []T) {
	for i, v := range x {
		switch {
		case v > 0:
			v = 1
		case v < 0:
			v = 0
			v--
		}
		dst[i] = v
	}
}

// unary applies a function to every element.
type unary struct {
	name string
	fn
}

// Infer implements ops.Op.
func (op unary) Infer(c *ops.Infer) error {
	d := c.DType(0)
	c.SetShapeLike(0, 0, d)
	if d != tensor.Int64 && d != tensor.Int32 {
		return nil
	}
	switch op.name {
	case "Neg":
		followInts(c, func(args []tensor.Dim) tensor.Dim { return args[0].Mul(tensor.Int(-1)) })
	case "Abs", "Relu":
		followInts(c, func(args []tensor.Dim) tensor.Dim {
			if notNegative(args[0]) {
				return args[0]
			} else if n, ok := args[0].Int(); ok && op.name == "Abs" {
				return tensor.Int(-n)
			} else if ok {
				return tensor.Int(0)
			}
			return tensor.Dim{}
		})
	}
	return nil
}

// Run implements ops.Op.
func (op unary) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	out, err := c.NewOver(0, x.DType(), x.Shape(), 0)
	if err != nil {
		return err
	}
	return op.apply(c, op.name, out, x)
}

// apply computes out = f(x), tensors of the same type and size.
func (f fn) apply(c *ops.Ctx, name string, out, x *tensor.Tensor) error {
	switch d := x.DType(); {
	case d == tensor.Float32 && f.f32 != nil:
		return run1(c, f.cost, f.f32, out, x)
	case d == tensor.Float64 && f.f64 != nil:
		return run1(c, f.cost*2, f.f64, out, x)
	case isHalf(d) && f.f32 != nil:
		c.Parallel(x.Len(), ops.Grain(f.cost+2), func(lo, hi int) {
			bufs := floatBufs.Get().(*[3][piece]float32)
			defer floatBufs.Put(bufs)
			for ; lo < hi; lo += piece {
				b := bufs[0][:min(piece, hi-lo)]
				widen(b, x, lo)
				f.f32(b, b)
				narrow(out, b, lo)
			}
		})
		return c.Err()
	case d.IsInt() && f.ints != "":
		return applyInts(c, f, name, out, x)
	}
	return unsupported(name, x)
}

func run1[T tensor.Elem](c *ops.Ctx, cost int, f func(dst, x []T), out, x *tensor.Tensor) error {
	dst, src := tensor.Slice[T](out), tensor.Slice[T](x)
	c.Parallel(len(src), ops.Grain(cost), func(lo, hi int) { f(dst[lo:hi], src[lo:hi]) })
	return c.Err()
}

func applyInts(c *ops.Ctx, f fn, name string, out, x *tensor.Tensor) error {
	switch x.DType() {
	case tensor.Int8:
		return run1(c, 1, intFunc[int8](f.ints), out, x)
	case tensor.Int16:
		return run1(c, 1, intFunc[int16](f.ints), out, x)
	case tensor.Int32:
		return run1(c, 1, intFunc[int32](f.ints), out, x)
	case tensor.Int64:
		return run1(c, 1, intFunc[int64](f.ints), out, x)
	case tensor.Uint8:
		return run1(c, 1, intFunc[uint8](f.ints), out, x)
	case tensor.Uint16:
		return run1(c, 1, intFunc[uint16](f.ints), out, x)
	case tensor.Uint32:
		return run1(c, 1, intFunc[uint32](f.ints), out, x)
	case tensor.Uint64:
		return run1(c, 1, intFunc[uint64](f.ints), out, x)
	}
	return unsupported(name, x)
}

// intFunc returns the loop of a function on integers.
func intFunc[T integer](name string) func(dst, x []T) {
	switch name {
	case "Abs":
		return vec.Abs[T]
	case "Neg":
		return vec.Neg[T]
	case "Relu":
		return vec.Relu[T]
	case "Sign":
		return sign[T]
	case "BitwiseNot":
		return func(dst, x []T) {
			for i, v := range x {
				dst[i] = ^v
			}
		}
	case "Erf":
		return func(dst, x []T) {
			for i, v := range x {
				dst[i] = T(math.Erf(float64(v)))
			}
		}
	}
	panic("elementwise: no integer loop " + name)
}

// not is https://onnx.ai/onnx/operators/onnx__Not.html.
type not struct{}

// Infer implements ops.Op.
func (not) Infer(c *ops.Infer) error {
	c.SetShapeLike(0, 0, tensor.Bool)
	return nil
}

// Run implements ops.Op.
func (not) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	if x.DType() != tensor.Bool {
		return unsupported("Not", x)
	}
	out, err := c.NewOver(0, tensor.Bool, x.Shape(), 0)
	if err != nil {
		return err
	}
	return run1(c, 1, func(dst, src []uint8) {
		for i, v := range src {
			dst[i] = v ^ 1
		}
	}, out, x)
}
