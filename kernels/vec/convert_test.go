package vec

import (
	"math"
	"slices"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/kerneltest"
)

func TestHalfLevels(t *testing.T) {
	all := make([]uint16, 1<<16)
	for i := range all {
		all[i] = uint16(i)
	}
	bits := func(x []float32) []uint32 { // equal bits, NaNs included
		out := make([]uint32, len(x))
		for i, v := range x {
			out[i] = math.Float32bits(v)
			if v != v {
				out[i] |= 1 << 22 // signalling NaNs become quiet in one instruction and not in another
			}
		}
		return out
	}
	floats := make([]float32, 0, 1<<16)
	for i := range 1 << 16 { // every exponent, with mantissas at, above and below ties
		floats = append(floats, math.Float32frombits(uint32(i)<<16|[]uint32{0, 0x8000, 0x8001, 0x7FFF, 0x1000, 0x1001, 0xFFFF, 0x3000}[i%8]))
	}
	var f16, b16 [1 << 16]float32
	var to16, toB16 [1 << 16]uint16
	kerneltest.Portable(func() {
		FromF16(f16[:], all)
		FromBF16(b16[:], all)
		ToF16(to16[:], floats)
		ToBF16(toB16[:], floats)
	})
	kerneltest.EachLevel(t, func(t *testing.T) {
		f, h := make([]float32, 1<<16), make([]uint16, 1<<16)
		if FromF16(f, all); !slices.Equal(bits(f), bits(f16[:])) {
			t.Error("FromF16")
		}
		if FromBF16(f, all); !slices.Equal(bits(f), bits(b16[:])) {
			t.Error("FromBF16")
		}
		if ToF16(h, floats); !slices.Equal(h, to16[:]) {
			t.Error("ToF16")
		}
		if ToBF16(h, floats); !slices.Equal(h, toB16[:]) {
			t.Error("ToBF16")
		}
		for n := range 40 {
			h := make([]uint16, n+1)
			ToF16(h[:n], floats[1<<15:1<<15+n])
			if h[n] != 0 || !slices.Equal(h[:n], to16[1<<15:1<<15+n]) {
				t.Fatal("ToF16: length", n)
			}
		}
	})
}

func TestQuantizeLevels(t *testing.T) {
	kerneltest.EachLevel(t, func(t *testing.T) {
		for n := range 70 {
			x := kerneltest.Rand(n)
			for i, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 2.5, 3.5, 1e30} {
				if i*3 < n {
					x[i*3] = v
				}
			}
			want, got := make([]uint8, n), make([]uint8, n+1)
			swant, sgot := make([]int8, n), make([]int8, n)
			y, yw := make([]float32, n), make([]float32, n)
			s, sw := make([]float32, n), make([]float32, n)
			kerneltest.Portable(func() {
				Quantize(want, x, 0.01, 100, 0, 255)
				Quantize(swant, x, 0.01, -3, -128, 127)
				Dequantize(yw, want, 0.3, 7)
				Dequantize(sw, swant, 0.3, 7)
			})
			Quantize(got[:n], x, 0.01, 100, 0, 255)
			Quantize(sgot, x, 0.01, -3, -128, 127)
			Dequantize(y, want, 0.3, 7)
			Dequantize(s, swant, 0.3, 7)
			if !slices.Equal(got[:n], want) || got[n] != 0 || !slices.Equal(sgot, swant) || !slices.Equal(y, yw) || !slices.Equal(s, sw) {
				t.Fatalf("length %d: %v %v, want %v %v", n, got, sgot, want, swant)
			}
		}
	})
}
