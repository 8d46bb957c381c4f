package tensor

import (
	"math"
	"testing"
)

func TestSetFloats(t *testing.T) {
	vals := []float64{-1e30, -1.9, 0.5, 2.5, math.NaN(), 1e30}
	for _, c := range []struct {
		d    DType
		want []float64
	}{
		{Int8, []float64{-128, -1, 0, 2, 0, 127}},
		{Uint16, []float64{0, 0, 0, 2, 0, 65535}},
		{Bool, []float64{1, 1, 1, 1, 1, 1}},
		{Float16, []float64{math.Inf(-1), -1.900390625, 0.5, 2.5, math.NaN(), math.Inf(1)}},
	} {
		x := New(c.d, len(vals))
		if err := x.SetFloats(vals); err != nil {
			t.Fatal(err)
		}
		got, _ := x.Floats()
		for i, w := range c.want {
			if got[i] != w && !(math.IsNaN(got[i]) && math.IsNaN(w)) {
				t.Errorf("%v: element %d is %v, want %v", c.d, i, got[i], w)
			}
		}
	}
	if New(String, 1).SetFloats([]float64{1}) == nil || New(Int8, 2).SetFloats([]float64{1}) == nil {
		t.Error("no error")
	}
}
