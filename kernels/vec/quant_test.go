package vec

import (
	"math"
	"slices"
	"testing"
)

func TestQuantize(t *testing.T) {
	x := []float32{0, 2.5, 3.5, -2.5, 1e30, -1e30, float32(math.NaN()), 254.6, 127.5}
	want8 := []uint8{10, 12, 14, 8, 255, 0, 0, 255, 138}
	want16 := []int16{10, 12, 14, 8, 32767, -32768, -32768, 265, 138}
	got8, got16 := make([]uint8, len(x)), make([]int16, len(x))
	Quantize(got8, x, 1, 10, 0, 255)
	Quantize(got16, x, 1, 10, -32768, 32767)
	if !slices.Equal(got8, want8) || !slices.Equal(got16, want16) {
		t.Error(got8, got16)
	}
	ones, tens := make([]float32, len(x)), make([]float32, len(x))
	for i := range x {
		ones[i], tens[i] = 1, 10
	}
	clear(got8)
	QuantizeEach(got8, x, ones, tens, 0, 255)
	if !slices.Equal(got8, want8) {
		t.Error(got8)
	}
}

func TestDequantize(t *testing.T) {
	y := make([]float32, 3)
	Dequantize(y, []int8{-128, 0, 127}, 0.5, -3)
	if !slices.Equal(y, []float32{-62.5, 1.5, 65}) {
		t.Error(y)
	}
	DequantizeEach(y, []uint16{0, 1, 65535}, []float32{1, 2, 0.5}, []float32{0, 3, 1})
	if !slices.Equal(y, []float32{0, -4, 32767}) {
		t.Error(y)
	}
}
