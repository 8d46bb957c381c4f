package elementwise

import (
	"fmt"
	"math"
	"math/rand"
	"strings"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

// at returns the place of the element of a tensor of shape s that belongs to output element i of shape out.
func at(s, out tensor.Shape, i int) int {
	idx, st := 0, 1
	for d := len(out) - 1; d >= 0; d-- {
		k := d - (len(out) - len(s))
		if k >= 0 {
			if s[k] != 1 {
				idx += i % out[d] * st
			}
			st *= s[k]
		}
		i /= out[d]
	}
	return idx
}

func random(rng *rand.Rand, shape tensor.Shape) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.Float32() {
		t.Float32()[i] = float32(rng.Intn(64)) - 20
	}
	return t
}

// as16 converts a float tensor to float16 or bfloat16.
func as16(t *tensor.Tensor, d tensor.DType) *tensor.Tensor {
	h := tensor.New(d, t.Shape()...)
	tensor.EncodeFloat32(h, t.Float32())
	return h
}

func TestBroadcast(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for _, s := range [][2]tensor.Shape{
		{{}, {}}, {{3}, {}}, {{}, {2, 3}}, {{2, 3, 4}, {2, 3, 4}}, {{2, 3, 4}, {4}}, {{2, 3, 4}, {3, 1}}, {{2, 3, 4}, {2, 1, 1}},
		{{2, 1, 4}, {1, 3, 1}}, {{5, 1}, {1, 70}}, {{70, 1}, {1, 5}}, {{3, 2000}, {3, 1}}, {{3, 1}, {3, 2000}}, {{2000, 3}, {3}},
		{{2000, 3}, {2000, 1}}, {{40, 1, 40}, {1, 40, 1}}, {{0, 3}, {1, 3}}, {{2, 0}, {1}}, {{1, 1, 3}, {3}}, {{7, 1, 5, 1}, {9, 1, 33}},
	} {
		a, b := random(rng, s[0]), random(rng, s[1])
		shape, err := s[0].Broadcast(s[1])
		if err != nil {
			t.Fatal(err)
		}
		want := tensor.New(tensor.Float32, shape...)
		less := tensor.New(tensor.Bool, shape...)
		pick := tensor.New(tensor.Float32, shape...)
		for i := range want.Float32() {
			x, y := a.Float32()[at(s[0], shape, i)], b.Float32()[at(s[1], shape, i)]
			want.Float32()[i] = x - y
			less.Bool()[i] = x < y
			pick.Float32()[i] = y
			if x > 0 {
				pick.Float32()[i] = x
			}
		}
		cond := tensor.New(tensor.Bool, s[0]...)
		for i, v := range a.Float32() {
			cond.Bool()[i] = v > 0
		}
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "Sub"}, a, b), want, 0, 0)
			opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "Less"}, a, b), less, 0, 0)
			opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "Where"}, cond, a, b), pick, 0, 0)
			for _, d := range []tensor.DType{tensor.Float16, tensor.BFloat16} {
				ha, hb := as16(a, d), as16(b, d)
				opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "Sub"}, ha, hb), as16(want, d), 0, 0)
				opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "Less"}, ha, hb), less, 0, 0)
			}
		})
	}
}

func TestBroadcastError(t *testing.T) {
	for _, name := range []string{"Add", "Equal", "Max", "Pow"} {
		if _, err := opstest.Run(t, opstest.Call{Name: name}, tensor.Vector[float32](1, 2), tensor.Vector[float32](1, 2, 3)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := opstest.Run(t, opstest.Call{Name: "PRelu"}, tensor.Vector[float32](1), tensor.Vector[float32](1, 2, 3)); err == nil {
		t.Error("PRelu: the slope must not extend x")
	}
}

func TestOldBroadcast(t *testing.T) {
	a := tensor.Of(tensor.Shape{2, 3, 2}, []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
	for _, c := range []struct {
		attrs opstest.Attrs
		b     *tensor.Tensor
		want  []float32
	}{
		{opstest.Attrs{"broadcast": 1, "axis": 1}, tensor.Vector[float32](10, 20, 30), []float32{10, 11, 22, 23, 34, 35, 16, 17, 28, 29, 40, 41}},
		{opstest.Attrs{"broadcast": 1, "axis": 0}, tensor.Vector[float32](10, 20), []float32{10, 11, 12, 13, 14, 15, 26, 27, 28, 29, 30, 31}},
		{opstest.Attrs{"broadcast": 1}, tensor.Vector[float32](10, 20), []float32{10, 21, 12, 23, 14, 25, 16, 27, 18, 29, 20, 31}},
		{opstest.Attrs{"broadcast": 1, "axis": 2}, tensor.Of(tensor.Shape{1, 1}, []float32{1}), []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
	} {
		got := opstest.Run1(t, opstest.Call{Name: "Add", Opset: 6, Attrs: c.attrs}, a, c.b)
		opstest.Equal(t, got, tensor.Of(a.Shape(), c.want), 0, 0)
	}
	for _, attrs := range []opstest.Attrs{{}, {"broadcast": 1}, {"broadcast": 1, "axis": 3}, {"broadcast": 1, "axis": -7}} {
		if _, err := opstest.Run(t, opstest.Call{Name: "Add", Opset: 1, Attrs: attrs}, a, tensor.Vector[float32](1, 2, 3)); err == nil {
			t.Errorf("%v: no error", attrs)
		}
	}
	if _, err := opstest.Run(t, opstest.Call{Name: "Max", Opset: 6}, a, tensor.Vector[float32](1, 2)); err == nil {
		t.Error("Max-6 broadcasts")
	}
}

func TestArithmetic(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	type vals = *tensor.Tensor
	for _, c := range []struct {
		call       opstest.Call
		a, b, want vals
	}{
		{opstest.Call{Name: "Div"}, tensor.Vector[int32](-7, 7, math.MinInt32), tensor.Vector[int32](2, -2, -1), tensor.Vector[int32](-3, -3, math.MinInt32)},
		{opstest.Call{Name: "Div"}, tensor.Vector[float32](1, -1, 0), tensor.Vector[float32](0, 0, 0), tensor.Vector(inf, -inf, nan)},
		{opstest.Call{Name: "Add"}, tensor.Vector[uint8](250), tensor.Vector[uint8](10), tensor.Vector[uint8](4)},
		{opstest.Call{Name: "Mod"}, tensor.Vector[int64](-4, 7, 5, 4, -7, 8), tensor.Vector[int64](2, -3, 8, -2, 3, 5), tensor.Vector[int64](0, -2, 5, 0, 2, 3)},
		{opstest.Call{Name: "Mod", Attrs: opstest.Attrs{"fmod": 1}}, tensor.Vector[int64](-4, 7, 5, 4, -7, 8), tensor.Vector[int64](2, -3, 8, -2, 3, 5), tensor.Vector[int64](0, 1, 5, 0, -1, 3)},
		{opstest.Call{Name: "Mod", Attrs: opstest.Attrs{"fmod": 1}}, tensor.Vector[float32](-4.3, 7.2), tensor.Vector[float32](2.1, -3.4), tensor.Vector[float32](-0.1, 0.4)},
		{opstest.Call{Name: "Mod"}, tensor.Vector[int8](-128), tensor.Vector[int8](-1), tensor.Vector[int8](0)},
		{opstest.Call{Name: "Pow"}, tensor.Vector[float32](1, 2, 3), tensor.Vector[int32](4, 5, 6), tensor.Vector[float32](1, 32, 729)},
		{opstest.Call{Name: "Pow"}, tensor.Vector[int32](1, 2, 3), tensor.Vector[float32](4, 5, 6), tensor.Vector[int32](1, 32, 729)},
		{opstest.Call{Name: "Pow"}, tensor.Vector[int64](2, -3, 3, -1, 1), tensor.Vector[int64](63, 3, -1, -3, -8), tensor.Vector[int64](math.MinInt64, -27, 0, -1, 1)},
		{opstest.Call{Name: "Pow"}, tensor.Vector[float32](2, -3), tensor.Scalar[float32](2), tensor.Vector[float32](4, 9)},
		{opstest.Call{Name: "Pow"}, tensor.Vector[float32](4, 9), tensor.Scalar[float64](0.5), tensor.Vector[float32](2, 3)},
		{opstest.Call{Name: "Pow"}, tensor.Vector[float64](2, 9), tensor.Vector[float64](0.5, -1.5), tensor.Vector(math.Sqrt2, 1.0/27)},
		{opstest.Call{Name: "Pow"}, tensor.Vector(tensor.ToF16(3), tensor.ToF16(2)), tensor.Vector[uint8](2, 5), tensor.Vector(tensor.ToF16(9), tensor.ToF16(32))},
		{opstest.Call{Name: "BitShift", Attrs: opstest.Attrs{"direction": "LEFT"}}, tensor.Vector[uint8](16, 4, 1), tensor.Vector[uint8](1, 2, 200), tensor.Vector[uint8](32, 16, 0)},
		{opstest.Call{Name: "BitShift", Attrs: opstest.Attrs{"direction": "RIGHT"}}, tensor.Vector[uint64](16, 4, 1), tensor.Vector[uint64](1, 2, 64), tensor.Vector[uint64](8, 1, 0)},
		{opstest.Call{Name: "BitwiseXor"}, tensor.Vector[int8](-1, 5), tensor.Vector[int8](1, 3), tensor.Vector[int8](-2, 6)},
		{opstest.Call{Name: "BitwiseAnd"}, tensor.Vector[uint16](0xFF0F), tensor.Vector[uint16](0x0FFF), tensor.Vector[uint16](0x0F0F)},
		{opstest.Call{Name: "PRelu", Opset: 6}, tensor.Of(tensor.Shape{1, 2, 2}, []float32{-1, 2, -3, 4}), tensor.Vector[float32](2, 10), tensor.Of(tensor.Shape{1, 2, 2}, []float32{-2, 2, -30, 4})},
		{opstest.Call{Name: "PRelu"}, tensor.Vector[int32](-1, 2), tensor.Vector[int32](3), tensor.Vector[int32](-3, 2)},
		{opstest.Call{Name: "Greater"}, tensor.Vector(nan, 1, 2), tensor.Vector[float32](0, 1, 1), tensor.Vector(false, false, true)},
		{opstest.Call{Name: "LessOrEqual"}, tensor.Vector[int64](0, 1, 2), tensor.Vector[int64](1), tensor.Vector(true, true, false)},
		{opstest.Call{Name: "GreaterOrEqual"}, tensor.Vector[uint64](math.MaxUint64, 0), tensor.Vector[uint64](1), tensor.Vector(true, false)},
		{opstest.Call{Name: "Equal"}, tensor.Strings(tensor.Shape{2}, []string{"a", "b"}), tensor.Strings(tensor.Shape{}, []string{"a"}), tensor.Vector(true, false)},
		{opstest.Call{Name: "Equal"}, tensor.Vector(true, false), tensor.Vector(true, true), tensor.Vector(true, false)},
		{opstest.Call{Name: "Xor"}, tensor.Vector(true, false), tensor.Vector(true), tensor.Vector(false, true)},
		{opstest.Call{Name: "And", Opset: 1, Attrs: opstest.Attrs{"broadcast": 1}}, tensor.Vector(true, false), tensor.Vector(true), tensor.Vector(true, false)},
		{opstest.Call{Name: "SwiGLU"}, tensor.Vector[float64](0, 1), tensor.Vector[float64](5, 2), tensor.Vector(0, 2/(1+math.Exp(-1)))},
	} {
		t.Run(c.call.Name, func(t *testing.T) {
			opstest.Equal(t, opstest.Run1(t, c.call, c.a, c.b), c.want, 1e-5, 0)
		})
	}
}

func TestArithmeticErrors(t *testing.T) {
	for _, c := range []struct {
		name, want string
		a, b       *tensor.Tensor
	}{
		{"Div", "division by zero", tensor.Vector[int32](1), tensor.Vector[int32](0)},
		{"Mod", "division by zero", tensor.Vector[uint8](1), tensor.Vector[uint8](0)},
		{"Mod", "fmod=1", tensor.Vector[float32](1), tensor.Vector[float32](1)},
		{"BitwiseAnd", "unsupported", tensor.Vector[float32](1), tensor.Vector[float32](1)},
		{"Less", "unsupported", tensor.Strings(tensor.Shape{1}, []string{""}), tensor.Strings(tensor.Shape{1}, []string{""})},
		{"Add", "operands are", tensor.Vector[float32](1), tensor.Vector[int32](1)},
		{"And", "not bool", tensor.Vector[uint8](1), tensor.Vector[uint8](1)},
	} {
		_, err := opstest.Run(t, opstest.Call{Name: c.name}, c.a, c.b)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := opstest.New(opstest.Call{Name: "BitShift", Attrs: opstest.Attrs{"direction": "UP"}}); err == nil {
		t.Error("BitShift: no error")
	}
}

func TestVariadic(t *testing.T) {
	nan := float32(math.NaN())
	in := []tensor.Value{tensor.Vector[float32](1, 5, nan), tensor.Of(tensor.Shape{2, 1}, []float32{2, 4}), tensor.Scalar[float32](3)}
	for _, c := range []struct {
		name string
		want []float32
	}{
		{"Max", []float32{3, 5, nan, 4, 5, nan}},
		{"Min", []float32{1, 2, nan, 1, 3, nan}},
		{"Sum", []float32{6, 10, nan, 8, 12, nan}},
		{"Mean", []float32{2, 10. / 3, nan, 8. / 3, 4, nan}},
	} {
		want := tensor.Of(tensor.Shape{2, 3}, c.want)
		opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: c.name}, in...), want, 1e-6, 0)
		var half []tensor.Value
		for _, v := range in {
			half = append(half, as16(v.(*tensor.Tensor), tensor.Float16))
		}
		opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: c.name}, half...), as16(want, tensor.Float16), 0, 0)
	}
	// The third input makes the rows: both operands of the first step are broadcast.
	big := tensor.New(tensor.Float32, 3, 100)
	got := opstest.Run1(t, opstest.Call{Name: "Sum"}, tensor.Scalar[float32](1), tensor.Of(tensor.Shape{3, 1}, []float32{1, 2, 3}), big)
	for i, v := range got.Float32() {
		if v != float32(2+i/100) {
			t.Fatalf("element %d is %v", i, v)
		}
	}
	opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "Mean"}, tensor.Vector[float64](4)), tensor.Vector[float64](4), 0, 0)
	opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "Max"}, tensor.Vector[uint64](4, math.MaxUint64), tensor.Vector[uint64](5)), tensor.Vector[uint64](5, math.MaxUint64), 0, 0)
}

func TestWhereTypes(t *testing.T) {
	cond := tensor.Of(tensor.Shape{2, 1}, []bool{true, false})
	for _, c := range []struct{ x, y, want *tensor.Tensor }{
		{tensor.Vector[int8](1, 2), tensor.Vector[int8](3, 4), tensor.Of(tensor.Shape{2, 2}, []int8{1, 2, 3, 4})},
		{tensor.Vector(true, false), tensor.Vector(false), tensor.Of(tensor.Shape{2, 2}, []bool{true, false, false, false})},
		{tensor.Vector[uint16](1, 2), tensor.Vector[uint16](3), tensor.Of(tensor.Shape{2, 2}, []uint16{1, 2, 3, 3})},
		{tensor.Vector[int64](1, 2), tensor.Scalar[int64](3), tensor.Of(tensor.Shape{2, 2}, []int64{1, 2, 3, 3})},
		{tensor.Vector[complex64](1, 2i), tensor.Scalar[complex64](3), tensor.Of(tensor.Shape{2, 2}, []complex64{1, 2i, 3, 3})},
		{tensor.Vector[complex128](1, 2i), tensor.Scalar[complex128](3), tensor.Of(tensor.Shape{2, 2}, []complex128{1, 2i, 3, 3})},
		{tensor.Strings(tensor.Shape{2}, []string{"a", "b"}), tensor.Strings(tensor.Shape{}, []string{"c"}), tensor.Strings(tensor.Shape{2, 2}, []string{"a", "b", "c", "c"})},
	} {
		opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "Where"}, cond, c.x, c.y), c.want, 0, 0)
	}
}
