package fft

import (
	"math/cmplx"
	"math/rand/v2"
	"testing"
)

func TestSingle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 180; n++ {
		s := NewSingle(n)
		if s == nil {
			continue
		}
		x, x64, want := make([]complex64, n), make([]complex128, n), make([]complex128, n)
		for i := range x {
			x[i] = complex(r.Float32()-0.5, r.Float32()-0.5)
			x64[i] = complex128(x[i])
		}
		orig := append([]complex64{}, x...)
		NewPlan(n).Transform(want, x64, &Work{})
		work := make([]complex64, n)
		s.Transform(x, work, false, 1)
		for i := range x {
			if d := cmplx.Abs(complex128(x[i]) - want[i]); d > 1e-5 {
				t.Fatalf("n = %d: element %d is %v, want %v", n, i, x[i], want[i])
			}
		}
		s.Transform(x, work, true, 1/float32(n))
		for i := range x {
			if d := cmplx.Abs(complex128(x[i] - orig[i])); d > 1e-6 {
				t.Fatalf("n = %d: inverse: element %d is %v, want %v", n, i, x[i], orig[i])
			}
		}
	}
	if NewSingle(7) != nil || NewSingle(16) != nil || NewSingle(30) == nil {
		t.Error("lengths")
	}
}
