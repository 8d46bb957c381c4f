package elementwise

import (
	"math"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func castOf(t *testing.T, x *tensor.Tensor, to tensor.DType, attrs opstest.Attrs) *tensor.Tensor {
	t.Helper()
	a := opstest.Attrs{"to": to}
	for k, v := range attrs {
		a[k] = v
	}
	return opstest.Run1(t, opstest.Call{Name: "Cast", Attrs: a}, x)
}

// packed returns a tensor of a packed type with the given elements.
func packed(d tensor.DType, vals ...int8) *tensor.Tensor {
	t := tensor.New(d, len(vals))
	for i, v := range vals {
		t.SetPacked(i, v)
	}
	return t
}

func TestCast(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct{ x, want *tensor.Tensor }{
		{tensor.Vector[int16](200, -129), tensor.Vector[int8](-56, 127)},
		{tensor.Vector[int64](1<<40+5, -1), tensor.Vector[int32](5, -1)},
		{tensor.Vector[int64](1<<40+5, -1), tensor.Vector[uint16](5, 65535)},
		{tensor.Vector[float32](3.9, -3.9, 0), tensor.Vector[int64](3, -3, 0)},
		{tensor.Vector[float32](300.5, -1), tensor.Vector[uint8](44, 255)},
		{tensor.Vector(inf, nan, 3e9), tensor.Vector[int32](math.MinInt32, math.MinInt32, math.MinInt32)},
		{tensor.Vector(-inf, nan, 1e19), tensor.Vector[int64](math.MinInt64, math.MinInt64, math.MinInt64)},
		{tensor.Vector(1e19, 5), tensor.Vector[uint64](10000000000000000000, 5)},
		{tensor.Vector(4e9), tensor.Vector[uint32](4000000000)},
		{tensor.Vector(0, math.Copysign(0, -1), nan, 0.25), tensor.Vector(false, false, true, true)},
		{tensor.Vector(true, false), tensor.Vector[float32](1, 0)},
		{tensor.Vector(true, false), tensor.Vector(tensor.ToBF16(1), 0)},
		{tensor.Vector(1e300, -1e300, nan), tensor.Vector(float32(inf), float32(-inf), float32(nan))},
		{tensor.Vector(1 + 0x1p-11 + 0x1p-40), tensor.Vector(tensor.ToF16(1 + 0x1p-10))},
		{tensor.Vector(1e300), tensor.Vector(tensor.ToF16(float32(inf)))},
		{tensor.Vector[int64](1<<60 + 1<<52 + 1), tensor.Vector(tensor.ToBF16(0x1p60 + 0x1p53))},
		{tensor.Vector[int64](-(1<<60 + 1<<52)), tensor.Vector(tensor.ToBF16(-0x1p60))},
		{tensor.Vector[uint64](math.MaxUint64), tensor.Vector[float32](0x1p64)},
		{tensor.Vector[float32](9, -9, 1.5, -1.5, 7), packed(tensor.Int4, -7, 7, 1, -1, 7)},
		{packed(tensor.Uint4, 15, 0, 9), tensor.Vector[int32](15, 0, 9)},
		{packed(tensor.Int2, -2, 1, 0, -1, 1), tensor.Vector[float32](-2, 1, 0, -1, 1)},
		{packed(tensor.Int4, -8, 7, 3), packed(tensor.Uint4, 8, 7, 3)},
		{tensor.Vector[float32](1.2, -7, 0.3), packed(tensor.Float4E2M1, 2, 15, 1)},
		{packed(tensor.Float4E2M1, 2, 15, 1), tensor.Vector(1, -6, 0.5)},
		{tensor.Vector[float32](480, float32(-inf), float32(nan)), tensor.Vector[tensor.F8E4M3FN](0x7E, 0xFE, 0x7F)},
		{tensor.Vector[float32](1, 3, 0), tensor.Vector[tensor.F8E8M0](127, 129, 0)},
		{tensor.Vector[tensor.F8E8M0](127, 130), tensor.Vector(tensor.ToF16(1), tensor.ToF16(8))},
		{tensor.Strings(tensor.Shape{5}, []string{"3.5", "-1e-5", "+INF", "-inf", "nan"}), tensor.Vector(3.5, -1e-5, inf, -inf, nan)},
		{tensor.Strings(tensor.Shape{2}, []string{"1e400", "16777217"}), tensor.Vector(float32(inf), 16777216)},
		{tensor.Strings(tensor.Shape{2}, []string{"100.5", "-9223372036854775808"}), tensor.Vector[int64](100, math.MinInt64)},
		{tensor.Strings(tensor.Shape{1}, []string{"18446744073709551615"}), tensor.Vector[uint64](math.MaxUint64)},
		{tensor.Strings(tensor.Shape{3}, []string{"True", "0", "2"}), tensor.Vector(true, false, true)},
		{tensor.Vector[float32](0.1, 314.15926, float32(inf), float32(-inf), float32(nan), 1e20, 5), tensor.Strings(tensor.Shape{7}, []string{"0.1", "314.15927", "INF", "-INF", "NaN", "1e+20", "5"})},
		{tensor.Vector[uint64](math.MaxUint64), tensor.Strings(tensor.Shape{1}, []string{"18446744073709551615"})},
		{tensor.Vector[int8](-5), tensor.Strings(tensor.Shape{1}, []string{"-5"})},
		{tensor.Vector(0.1), tensor.Strings(tensor.Shape{1}, []string{"0.1"})},
	} {
		t.Run(c.x.DType().String()+" to "+c.want.DType().String(), func(t *testing.T) {
			opstest.Equal(t, castOf(t, c.x, c.want.DType(), nil), c.want, 0, 0)
			opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "CastLike"}, c.x, c.want), c.want, 0, 0)
		})
	}
}

// TestCastPairs casts small integers from every type to every type and back.
func TestCastPairs(t *testing.T) {
	const n = 2*castGrain + 3
	base := tensor.New(tensor.Int8, n)
	for i := range base.Bytes() {
		base.Bytes()[i] = byte(i % 2) // 0 and 1 are in every type
	}
	for _, from := range tensor.DTypes() {
		for _, to := range tensor.DTypes() {
			if isComplex(from) || isComplex(to) || from == tensor.Float8E8M0 || to == tensor.Float8E8M0 {
				continue
			}
			got := castOf(t, castOf(t, castOf(t, base, from, nil), to, nil), tensor.Int8, nil)
			opstest.Equal(t, got, base, 0, 0)
			if t.Failed() {
				t.Fatal(from, to)
			}
		}
	}
}

func TestCastModes(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		x     *tensor.Tensor
		attrs opstest.Attrs
		want  *tensor.Tensor
	}{
		{tensor.Vector(480, -inf), opstest.Attrs{"saturate": 0}, tensor.Vector[tensor.F8E4M3FN](0x7F, 0xFF)},
		{tensor.Vector(480, -inf), opstest.Attrs{"saturate": 0}, tensor.Vector[tensor.F8E4M3FNUZ](0x80, 0x80)},
		{tensor.Vector(1e6, -inf), opstest.Attrs{"saturate": 0}, tensor.Vector[tensor.F8E5M2](0x7C, 0xFC)},
		{tensor.Vector[float32](3, 2.5, 0), opstest.Attrs{"round_mode": "down"}, tensor.Vector[tensor.F8E8M0](128, 128, 0)},
		{tensor.Vector(3, 2.5, 0), opstest.Attrs{"round_mode": "nearest", "saturate": 0}, tensor.Vector[tensor.F8E8M0](129, 128, 0xFF)},
	} {
		opstest.Equal(t, castOf(t, c.x, c.want.DType(), c.attrs), c.want, 0, 0)
	}
	got := opstest.Run1(t, opstest.Call{Name: "Cast", Opset: 1, Attrs: opstest.Attrs{"to": "INT64"}}, tensor.Vector[float32](2.5))
	opstest.Equal(t, got, tensor.Vector[int64](2), 0, 0)
}

func TestCastErrors(t *testing.T) {
	for _, attrs := range []opstest.Attrs{{}, {"to": 99}, {"to": tensor.Complex64}, {"to": 1, "round_mode": "sideways"}} {
		if _, err := opstest.New(opstest.Call{Name: "Cast", Attrs: attrs}); err == nil {
			t.Errorf("%v: no error", attrs)
		}
	}
	for _, x := range []*tensor.Tensor{tensor.Vector[complex64](1), tensor.Strings(tensor.Shape{1}, []string{"Hello"})} {
		if _, err := opstest.Run(t, opstest.Call{Name: "Cast", Attrs: opstest.Attrs{"to": 1}}, x); err == nil {
			t.Errorf("%v: no error", x)
		}
	}
}

func TestBitCast(t *testing.T) {
	for _, c := range []struct{ x, want *tensor.Tensor }{
		{tensor.Vector[float32](1), tensor.Vector[uint32](0x3F800000)},
		{tensor.Vector[int64](-1), tensor.Vector[uint64](math.MaxUint64)},
		{packed(tensor.Int4, -1, 3, 4), packed(tensor.Uint4, 15, 3, 4)},
		{tensor.Vector[uint8](0, 1), tensor.Vector(false, true)},
		{tensor.Scalar(true), tensor.Scalar[uint8](1)},
	} {
		got := opstest.Run1(t, opstest.Call{Name: "BitCast", Attrs: opstest.Attrs{"to": c.want.DType()}}, c.x)
		opstest.Equal(t, got, c.want, 0, 0)
	}
	if _, err := opstest.Run(t, opstest.Call{Name: "BitCast", Attrs: opstest.Attrs{"to": tensor.Int8}}, tensor.Vector[float32](1)); err == nil {
		t.Error("different widths: no error")
	}
}
