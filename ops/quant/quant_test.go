package quant

import (
	"fmt"
	"math"
	"math/rand"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func packed(d tensor.DType, vals ...int8) *tensor.Tensor {
	t := tensor.New(d, len(vals))
	for i, v := range vals {
		t.SetPacked(i, v)
	}
	return t
}

func TestQuantizeLinear(t *testing.T) {
	f := func(v ...float32) *tensor.Tensor { return tensor.Vector(v...) }
	h := func(v ...float32) *tensor.Tensor {
		x := tensor.New(tensor.Float16, len(v))
		tensor.EncodeFloat32(x, v)
		return x
	}
	scalar := func(t *tensor.Tensor) *tensor.Tensor { return t.Reshaped(tensor.Shape{}) }
	for _, c := range []struct {
		name  string
		attrs opstest.Attrs
		in    []tensor.Value
		want  *tensor.Tensor
	}{
		{"uint8", nil, []tensor.Value{f(0, 2, 3, 1000, -254, -1000), scalar(f(2)), tensor.Scalar[uint8](128)}, tensor.Vector[uint8](128, 129, 130, 255, 1, 0)},
		{"no zero point", nil, []tensor.Value{f(-1, 2.5, 3.5, 300), scalar(f(1))}, tensor.Vector[uint8](0, 2, 4, 255)},
		{"output_dtype", opstest.Attrs{"output_dtype": tensor.Int16}, []tensor.Value{f(-1, 1e9), f(1)}, tensor.Vector[int16](-1, 32767)},
		{"uint16", nil, []tensor.Value{f(-10, 1e9), f(1), tensor.Vector[uint16](32767)}, tensor.Vector[uint16](32757, 65535)},
		{"int4", nil, []tensor.Value{f(-100, 3.5, 2.5), f(1), packed(tensor.Int4, 1)}, packed(tensor.Int4, -8, 5, 3)},
		{"uint4", nil, []tensor.Value{f(-100, 3.5, 20), f(1), packed(tensor.Uint4, 1)}, packed(tensor.Uint4, 0, 5, 15)},
		{"int2", nil, []tensor.Value{f(-100, 1, 3, 0, -1), f(1), packed(tensor.Int2, 0)}, packed(tensor.Int2, -2, 1, 1, 0, -1)},
		{"float8", nil, []tensor.Value{f(0, 2, 1e9), f(2), tensor.Vector[tensor.F8E4M3FN](0)}, tensor.Vector[tensor.F8E4M3FN](0, 0x38, 0x7E)},
		{"float8 not saturated", opstest.Attrs{"saturate": 0}, []tensor.Value{f(1e9), f(2), tensor.Vector[tensor.F8E4M3FN](0)}, tensor.Vector[tensor.F8E4M3FN](0x7F)},
		{"float4", opstest.Attrs{"output_dtype": tensor.Float4E2M1}, []tensor.Value{f(2, 100, -3), f(2)}, packed(tensor.Float4E2M1, 2, 7, 11)},
		{"half", nil, []tensor.Value{h(5, -5), h(2)}, tensor.Vector[uint8](2, 0)},
		{"half scale rounds the quotient", nil, []tensor.Value{f(1000), h(0.4)}, tensor.Vector[uint8](255)},
		{"precision", opstest.Attrs{"precision": tensor.BFloat16, "output_dtype": tensor.Int16}, []tensor.Value{f(257), f(1)}, tensor.Vector[int16](256)},
		{"int32", nil, []tensor.Value{tensor.Vector[int32](7, -7), f(2), tensor.Vector[int8](0)}, tensor.Vector[int8](4, -4)},
		{"e8m0 scale", opstest.Attrs{"output_dtype": tensor.Int8}, []tensor.Value{f(8, -8), tensor.Vector[tensor.F8E8M0](128)}, tensor.Vector[int8](4, -4)},
		{"empty", nil, []tensor.Value{f(), f(2)}, tensor.Vector[uint8]()},
		{"NaN", nil, []tensor.Value{f(float32(math.NaN())), f(2), tensor.Vector[int8](5)}, tensor.Vector[int8](-128)},
	} {
		t.Run(c.name, func(t *testing.T) {
			opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "QuantizeLinear", Attrs: c.attrs}, c.in...), c.want, 0, 0)
		})
	}
}

// TestGranularity compares every layout of scales with a naive loop.
func TestGranularity(t *testing.T) {
	rng := rand.New(rand.NewSource(3))
	shape := tensor.Shape{3, 50, 41}
	x := tensor.New(tensor.Float32, shape...)
	for i := range x.Float32() {
		x.Float32()[i] = float32(rng.Intn(400)-200) / 8
	}
	for axis := range shape {
		for _, block := range []int{0, 1, 7, 16, 64} {
			t.Run(fmt.Sprint(axis, block), func(t *testing.T) {
				s := tensor.Shape{shape[axis]}
				if block > 0 {
					s = shape.Clone()
					s[axis] = (shape[axis] + block - 1) / block
				}
				scale, zero := tensor.New(tensor.Float32, s...), tensor.New(tensor.Int8, s...)
				for i := range scale.Float32() {
					scale.Float32()[i] = float32(1+rng.Intn(7)) / 4
					zero.Bytes()[i] = byte(rng.Intn(11) - 5)
				}
				q, y := tensor.New(tensor.Int8, shape...), tensor.New(tensor.Float32, shape...)
				i := 0
				for a := range shape[0] {
					for b := range shape[1] {
						for c := range shape[2] {
							k := []int{a, b, c}[axis]
							if block > 0 {
								idx := []int{a, b, c}
								idx[axis] /= block
								k = (idx[0]*s[1]+idx[1])*s[2] + idx[2]
							}
							sc, z := scale.Float32()[k], int8(zero.Bytes()[k])
							v := math.RoundToEven(float64(x.Float32()[i]/sc)) + float64(z)
							v = min(max(v, -128), 127)
							q.Bytes()[i] = byte(int8(v))
							y.Float32()[i] = (float32(v) - float32(z)) * sc
							i++
						}
					}
				}
				attrs := opstest.Attrs{"axis": axis - 3}
				if block > 0 {
					attrs["block_size"] = block
				}
				opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "QuantizeLinear", Attrs: attrs}, x, scale, zero), q, 0, 0)
				opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "DequantizeLinear", Attrs: attrs}, q, scale, zero), y, 0, 0)
			})
		}
	}
}

func TestDequantizeLinear(t *testing.T) {
	half := tensor.Vector(tensor.ToF16(0.5))
	for _, c := range []struct {
		name  string
		attrs opstest.Attrs
		in    []tensor.Value
		want  *tensor.Tensor
	}{
		{"uint8", nil, []tensor.Value{tensor.Vector[uint8](0, 3, 128, 255), tensor.Scalar[float32](2), tensor.Scalar[uint8](128)}, tensor.Vector[float32](-256, -250, 0, 254)},
		{"int32", nil, []tensor.Value{tensor.Vector[int32](-1000000, 3), tensor.Scalar[float32](2)}, tensor.Vector[float32](-2000000, 6)},
		{"uint4 to half", nil, []tensor.Value{packed(tensor.Uint4, 15, 1, 3), half, packed(tensor.Uint4, 1)}, tensor.Vector(tensor.ToF16(7), 0, tensor.ToF16(1))},
		{"float8", nil, []tensor.Value{tensor.Vector[tensor.F8E5M2](0x3C, 0xBC), tensor.Scalar[float32](3)}, tensor.Vector[float32](3, -3)},
		{"output_dtype", opstest.Attrs{"output_dtype": tensor.Float32}, []tensor.Value{packed(tensor.Float4E2M1, 2, 15), tensor.Vector[tensor.F8E8M0](128)}, tensor.Vector[float32](2, -12)},
		{"int16 to bfloat16", opstest.Attrs{"output_dtype": tensor.BFloat16}, []tensor.Value{tensor.Vector[int16](-3), tensor.Scalar[float32](2)}, tensor.Vector(tensor.ToBF16(-6))},
	} {
		t.Run(c.name, func(t *testing.T) {
			opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "DequantizeLinear", Attrs: c.attrs}, c.in...), c.want, 0, 0)
		})
	}
}

func TestDynamicQuantizeLinear(t *testing.T) {
	for _, c := range []struct {
		x     []float32
		y     []uint8
		scale float32
		zero  uint8
	}{
		{[]float32{0, 2, -3, -2.5, 1.34, 0.5}, []uint8{153, 255, 0, 26, 221, 179}, 0.0196078438, 153},
		{[]float32{-1, -2.1, -1.3, -2.5, -3.34, -4}, []uint8{191, 121, 172, 96, 42, 0}, 0.0156862754, 255},
		{[]float32{0, 0}, []uint8{0, 0}, 1, 0},
		{nil, []uint8{}, 1, 0},
	} {
		out, err := opstest.Run(t, opstest.Call{Name: "DynamicQuantizeLinear", Outputs: 3}, tensor.Vector(c.x...))
		if err != nil {
			t.Fatal(err)
		}
		opstest.Equal(t, out[0].(*tensor.Tensor), tensor.Vector(c.y...), 0, 0)
		opstest.Equal(t, out[1].(*tensor.Tensor), tensor.Scalar(c.scale), 1e-6, 0)
		opstest.Equal(t, out[2].(*tensor.Tensor), tensor.Scalar(c.zero), 0, 0)
	}
}

func TestErrors(t *testing.T) {
	x := tensor.New(tensor.Float32, 2, 6)
	u := tensor.New(tensor.Uint8, 2, 6)
	two := tensor.Vector[float32](1, 2)
	for _, c := range []struct {
		name  string
		attrs opstest.Attrs
		in    []tensor.Value
	}{
		{"QuantizeLinear", nil, []tensor.Value{x, two}},
		{"QuantizeLinear", opstest.Attrs{"axis": 2}, []tensor.Value{x, two}},
		{"QuantizeLinear", opstest.Attrs{"axis": 0}, []tensor.Value{x, two, tensor.Vector[uint8](1, 2, 3)}},
		{"QuantizeLinear", opstest.Attrs{"block_size": 4}, []tensor.Value{x, two}},
		{"QuantizeLinear", opstest.Attrs{"block_size": -1}, []tensor.Value{x, two}},
		{"QuantizeLinear", opstest.Attrs{"output_dtype": tensor.Int8}, []tensor.Value{x, tensor.Scalar[float32](1), tensor.Scalar[uint8](0)}},
		{"QuantizeLinear", opstest.Attrs{"output_dtype": tensor.Int64}, []tensor.Value{x, tensor.Scalar[float32](1)}},
		{"DequantizeLinear", nil, []tensor.Value{u, tensor.Scalar[float32](1), tensor.Scalar[int8](0)}},
		{"DequantizeLinear", nil, []tensor.Value{u, tensor.Scalar[tensor.F8E8M0](127)}},
		{"DequantizeLinear", nil, []tensor.Value{x, tensor.Scalar[float32](1)}},
	} {
		if _, err := opstest.Run(t, opstest.Call{Name: c.name, Attrs: c.attrs}, c.in...); err == nil {
			t.Errorf("%s %v: no error", c.name, c.attrs)
		}
	}
}
