package elementwise

import (
	"math"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func TestFloatFunctions(t *testing.T) {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	clamp := func(x float64) float64 { return math.Max(0, math.Min(1, x)) }
	neg := func(x float64, f func(float64) float64) float64 {
		if x < 0 {
			return f(x)
		}
		return x
	}
	for _, c := range []struct {
		name   string
		lo, hi float64
		attrs  opstest.Attrs
		ref    func(x float64) float64
	}{
		{"Abs", -3, 3, nil, math.Abs}, {"Acos", -1, 1, nil, math.Acos}, {"Acosh", 1, 9, nil, math.Acosh}, {"Asin", -1, 1, nil, math.Asin},
		{"Asinh", -3, 3, nil, math.Asinh}, {"Atan", -9, 9, nil, math.Atan}, {"Atanh", -.99, .99, nil, math.Atanh}, {"Ceil", -3, 3, nil, math.Ceil},
		{"Cos", -9, 9, nil, math.Cos}, {"Cosh", -3, 3, nil, math.Cosh}, {"Erf", -3, 3, nil, math.Erf}, {"Exp", -5, 5, nil, math.Exp},
		{"Floor", -3, 3, nil, math.Floor}, {"Log", .1, 9, nil, math.Log}, {"Neg", -3, 3, nil, func(x float64) float64 { return -x }},
		{"Reciprocal", .1, 9, nil, func(x float64) float64 { return 1 / x }}, {"Round", -4, 4, nil, math.RoundToEven},
		{"Sigmoid", -9, 9, nil, sigmoid}, {"Sin", -9, 9, nil, math.Sin}, {"Sinh", -3, 3, nil, math.Sinh}, {"Sqrt", 0, 9, nil, math.Sqrt},
		{"Tan", -1, 1, nil, math.Tan}, {"Tanh", -5, 5, nil, math.Tanh},
		{"Relu", -3, 3, nil, func(x float64) float64 { return math.Max(x, 0) }},
		{"Celu", -3, 3, opstest.Attrs{"alpha": 2.0}, func(x float64) float64 { return neg(x, func(x float64) float64 { return 2 * math.Expm1(x/2) }) }},
		{"Elu", -3, 3, opstest.Attrs{"alpha": 2.0}, func(x float64) float64 { return neg(x, func(x float64) float64 { return 2 * math.Expm1(x) }) }},
		{"Selu", -3, 3, nil, func(x float64) float64 {
			return 1.0507010221481323 * neg(x, func(x float64) float64 { return 1.6732631921768188 * math.Expm1(x) })
		}},
		{"Gelu", -3, 3, nil, func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }},
		{"Gelu", -3, 3, opstest.Attrs{"approximate": "tanh"}, func(x float64) float64 {
			return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
		}},
		{"HardSigmoid", -4, 4, nil, func(x float64) float64 { return clamp(float64(float32(0.2))*x + 0.5) }},
		{"HardSwish", -4, 4, nil, func(x float64) float64 { return x * clamp(x/6+0.5) }},
		{"LeakyRelu", -4, 4, opstest.Attrs{"alpha": 0.5}, func(x float64) float64 { return neg(x, func(x float64) float64 { return x / 2 }) }},
		{"Mish", -9, 9, nil, func(x float64) float64 { return x * math.Tanh(math.Log1p(math.Exp(x))) }},
		{"Softplus", -9, 9, nil, func(x float64) float64 { return math.Log1p(math.Exp(x)) }},
		{"Softsign", -9, 9, nil, func(x float64) float64 { return x / (1 + math.Abs(x)) }},
		{"Swish", -9, 9, opstest.Attrs{"alpha": 0.5}, func(x float64) float64 { return x * sigmoid(x/2) }},
		{"ThresholdedRelu", -4, 4, opstest.Attrs{"alpha": 2.0}, func(x float64) float64 {
			if x > 2 {
				return x
			}
			return 0
		}},
		{"Shrink", -4, 4, opstest.Attrs{"lambd": 1.5, "bias": 1.5}, func(x float64) float64 {
			switch {
			case x > 1.5:
				return x - 1.5
			case x < -1.5:
				return x + 1.5
			}
			return 0
		}},
	} {
		for _, n := range []int{0, 1, 33, 2500} {
			x := tensor.New(tensor.Float64, n)
			for i := range x.Float64() {
				x.Float64()[i] = float64(float32(c.lo + (c.hi-c.lo)*float64(i)/float64(max(n, 1))))
			}
			for _, d := range []struct {
				dtype tensor.DType
				rtol  float64
			}{{tensor.Float64, 1e-12}, {tensor.Float32, 1e-6}, {tensor.Float16, 0x1p-10}, {tensor.BFloat16, 0x1p-7}} {
				in := x
				if d.dtype != tensor.Float64 {
					in = opstest.Run1(t, opstest.Call{Name: "Cast", Attrs: opstest.Attrs{"to": d.dtype}}, x)
				}
				vals, err := in.Floats()
				if err != nil {
					t.Fatal(err)
				}
				want := tensor.New(tensor.Float64, n)
				for i, v := range vals {
					want.Float64()[i] = c.ref(v)
				}
				got := opstest.Run1(t, opstest.Call{Name: c.name, Attrs: c.attrs}, in)
				if got.DType() != d.dtype {
					t.Fatalf("%s: %v became %v", c.name, d.dtype, got.DType())
				}
				if d.dtype != tensor.Float64 {
					got = opstest.Run1(t, opstest.Call{Name: "Cast", Attrs: opstest.Attrs{"to": tensor.Float64}}, got)
				}
				opstest.Equal(t, got, want, d.rtol, d.rtol/8)
				if t.Failed() {
					t.Fatal(c.name, d.dtype)
				}
			}
		}
	}
}

func TestIntegerFunctions(t *testing.T) {
	for _, c := range []struct {
		call    opstest.Call
		x, want *tensor.Tensor
	}{
		{opstest.Call{Name: "Abs"}, tensor.Vector[int8](-128, -1, 0, 5), tensor.Vector[int8](-128, 1, 0, 5)},
		{opstest.Call{Name: "Abs"}, tensor.Vector[uint64](math.MaxUint64), tensor.Vector[uint64](math.MaxUint64)},
		{opstest.Call{Name: "Neg"}, tensor.Vector[int64](-3, 4), tensor.Vector[int64](3, -4)},
		{opstest.Call{Name: "Sign"}, tensor.Vector[int16](-3, 0, 4), tensor.Vector[int16](-1, 0, 1)},
		{opstest.Call{Name: "Sign"}, tensor.Vector[uint32](0, 4), tensor.Vector[uint32](0, 1)},
		{opstest.Call{Name: "Sign"}, tensor.Vector(-0.5, 0, 4), tensor.Vector[float64](-1, 0, 1)},
		{opstest.Call{Name: "Relu"}, tensor.Vector[int32](-3, 4), tensor.Vector[int32](0, 4)},
		{opstest.Call{Name: "Erf", Opset: 9}, tensor.Vector[int32](-9, 1, 9), tensor.Vector[int32](-1, 0, 1)},
		{opstest.Call{Name: "BitwiseNot"}, tensor.Vector[uint8](0, 0xF0), tensor.Vector[uint8](0xFF, 0x0F)},
		{opstest.Call{Name: "Shrink", Attrs: opstest.Attrs{"lambd": 2.0, "bias": 1.0}}, tensor.Vector[int8](-3, 2, 3), tensor.Vector[int8](-2, 0, 2)},
		{opstest.Call{Name: "Not"}, tensor.Vector(true, false), tensor.Vector(false, true)},
		{opstest.Call{Name: "Exp", Opset: 1, Attrs: opstest.Attrs{"consumed_inputs": []int{0}}}, tensor.Scalar[float32](0), tensor.Scalar[float32](1)},
		{opstest.Call{Name: "Selu", Opset: 1}, tensor.Scalar[float32](1), tensor.Scalar[float32](1.0507)},
	} {
		opstest.Equal(t, opstest.Run1(t, c.call, c.x), c.want, 0, 0)
	}
	if _, err := opstest.Run(t, opstest.Call{Name: "Exp"}, tensor.Vector[int32](1)); err == nil {
		t.Error("Exp of int32: no error")
	}
	if _, err := opstest.New(opstest.Call{Name: "Exp", Attrs: opstest.Attrs{"alpha": 1.0}}); err == nil {
		t.Error("unknown attribute: no error")
	}
}

func TestFloatTests(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	x := tensor.Vector(float32(-inf), -1, float32(nan), float32(inf))
	for _, c := range []struct {
		call opstest.Call
		want []bool
	}{
		{opstest.Call{Name: "IsNaN"}, []bool{false, false, true, false}},
		{opstest.Call{Name: "IsInf"}, []bool{true, false, false, true}},
		{opstest.Call{Name: "IsInf", Attrs: opstest.Attrs{"detect_negative": 0}}, []bool{false, false, false, true}},
		{opstest.Call{Name: "IsInf", Attrs: opstest.Attrs{"detect_positive": 0}}, []bool{true, false, false, false}},
	} {
		want := tensor.Vector(c.want...)
		opstest.Equal(t, opstest.Run1(t, c.call, x), want, 0, 0)
		for _, d := range []tensor.DType{tensor.Float64, tensor.Float16, tensor.BFloat16, tensor.Float8E5M2} {
			y := opstest.Run1(t, opstest.Call{Name: "Cast", Attrs: opstest.Attrs{"to": d, "saturate": 0}}, x)
			opstest.Equal(t, opstest.Run1(t, c.call, y), want, 0, 0)
		}
	}
}

func TestClip(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		call opstest.Call
		in   []tensor.Value
		want *tensor.Tensor
	}{
		{opstest.Call{Name: "Clip"}, []tensor.Value{tensor.Vector(-2, 0, 2, nan), tensor.Scalar[float32](-1), tensor.Scalar[float32](1)}, tensor.Vector(-1, 0, 1, nan)},
		{opstest.Call{Name: "Clip"}, []tensor.Value{tensor.Vector[float32](-2, 0, 6), tensor.Scalar[float32](2), tensor.Scalar[float32](1)}, tensor.Vector[float32](1, 1, 1)},
		{opstest.Call{Name: "Clip"}, []tensor.Value{tensor.Vector[int8](-2, 0, 6), tensor.Scalar[int8](0)}, tensor.Vector[int8](0, 0, 6)},
		{opstest.Call{Name: "Clip"}, []tensor.Value{tensor.Vector[uint64](2, 0, 6), nil, tensor.Scalar[uint64](3)}, tensor.Vector[uint64](2, 0, 3)},
		{opstest.Call{Name: "Clip"}, []tensor.Value{tensor.Vector[float64](2)}, tensor.Vector[float64](2)},
		{opstest.Call{Name: "Clip"}, []tensor.Value{tensor.Vector(tensor.ToF16(2)), tensor.Scalar(tensor.ToF16(3))}, tensor.Vector(tensor.ToF16(3))},
		{opstest.Call{Name: "Clip", Opset: 6, Attrs: opstest.Attrs{"max": 6.0, "min": 0.0}}, []tensor.Value{tensor.Vector[float32](-2, 3, 8)}, tensor.Vector[float32](0, 3, 6)},
		{opstest.Call{Name: "Clip", Opset: 6}, []tensor.Value{tensor.Vector(-2, 3, inf)}, tensor.Vector[float32](-2, 3, math.MaxFloat32)},
		{opstest.Call{Name: "Clip", Opset: 6}, []tensor.Value{tensor.Vector(-1e300, 3)}, tensor.Vector(-1e300, 3)},
		{opstest.Call{Name: "Clip", Opset: 6, Attrs: opstest.Attrs{"max": 6.0}}, []tensor.Value{tensor.Vector[float64](-1e300, 8)}, tensor.Vector(-1e300, 6)},
		{opstest.Call{Name: "Clip"}, []tensor.Value{tensor.Vector(-inf, 3), nil, tensor.Scalar[float32](2)}, tensor.Vector[float32](-math.MaxFloat32, 2)},
		{opstest.Call{Name: "Clip"}, []tensor.Value{tensor.Vector(tensor.ToF16(inf))}, tensor.Vector(tensor.ToF16(65504))},
	} {
		opstest.Equal(t, opstest.Run1(t, c.call, c.in...), c.want, 0, 0)
	}
	if _, err := opstest.Run(t, opstest.Call{Name: "Clip"}, tensor.Vector[float32](1), tensor.Vector[float32](1, 2)); err == nil {
		t.Error("a bound of two elements: no error")
	}
}

// infer runs the inference of an operator and returns what it knows of the output's elements.
func infer(t *testing.T, call opstest.Call, in ...ops.Info) []tensor.Dim {
	t.Helper()
	op, err := opstest.New(call)
	if err != nil {
		t.Fatal(err)
	}
	c := &ops.Infer{In: in, Out: make([]ops.Info, 1), Absent: make([]bool, len(in))}
	if err := op.Infer(c); err != nil {
		t.Fatal(err)
	}
	return c.Out[0].Ints
}

func TestShapeArithmetic(t *testing.T) {
	n := tensor.Sym("n")
	vec := func(d tensor.DType, e ...tensor.Dim) ops.Info {
		return ops.Info{Type: tensor.TensorType(d, tensor.Int(len(e))), Ints: e}
	}
	num := func(v int64) ops.Info {
		s := tensor.Scalar(v)
		return ops.Info{Type: s.Type(), Const: s}
	}
	shape := vec(tensor.Int64, n, tensor.Int(7), tensor.Dim{})
	for _, c := range []struct {
		call opstest.Call
		in   []ops.Info
		want string
	}{
		{opstest.Call{Name: "Add"}, []ops.Info{shape, num(2)}, "n + 2 9 ?"},
		{opstest.Call{Name: "Sub"}, []ops.Info{num(2), shape}, "-n + 2 -5 ?"},
		{opstest.Call{Name: "Mul"}, []ops.Info{shape, shape}, "n*n 49 ?"},
		{opstest.Call{Name: "Div"}, []ops.Info{shape, num(2)}, "floor((n)/(2)) 3 ?"},
		{opstest.Call{Name: "Div"}, []ops.Info{num(-7), num(2)}, "-3"},
		{opstest.Call{Name: "Div"}, []ops.Info{vec(tensor.Int64, n.AddInt(-3)), num(2)}, ""},
		{opstest.Call{Name: "Mod"}, []ops.Info{shape, num(4)}, "mod(n, 4) 3 ?"},
		{opstest.Call{Name: "Max"}, []ops.Info{shape, num(1), num(8)}, "max(max(n, 1), 8) 8 ?"},
		{opstest.Call{Name: "Neg"}, []ops.Info{shape}, "-n -7 ?"},
		{opstest.Call{Name: "Abs"}, []ops.Info{vec(tensor.Int64, n, tensor.Int(-3))}, "n 3"},
		{opstest.Call{Name: "Equal"}, []ops.Info{shape, num(-1)}, "0 0 ?"},
		{opstest.Call{Name: "Where"}, []ops.Info{vec(tensor.Bool, tensor.Int(0), tensor.Int(1), tensor.Dim{}), num(1), shape}, "n 1 ?"},
		{opstest.Call{Name: "Cast", Attrs: opstest.Attrs{"to": tensor.Int32}}, []ops.Info{shape}, "n 7 ?"},
		{opstest.Call{Name: "Cast", Attrs: opstest.Attrs{"to": tensor.Float32}}, []ops.Info{shape}, ""},
		{opstest.Call{Name: "Add"}, []ops.Info{shape, {Type: tensor.UnrankedType(tensor.Int64)}}, ""},
	} {
		got := ""
		for i, d := range infer(t, c.call, c.in...) {
			if i > 0 {
				got += " "
			}
			got += d.String()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.call.Name, got, c.want)
		}
	}
}
