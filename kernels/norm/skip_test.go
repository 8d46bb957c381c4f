package norm

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSkip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, far := range []float32{0, 10, 4161} {
		const n = 64
		x, ones, y, want := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
		for i := range x {
			x[i], ones[i] = far+r.Float32()*4-2, 1
		}
		mean, _ := Skip(y, x, ones, ones, 1e-5)
		Layer(want, x, ones, ones, 1e-5)
		// A mean that is off by a few units of its last place moves all values alike.
		tol := 1e-6 + 4*math.Abs(float64(mean))*0x1p-23
		for i := range y {
			if math.Abs(float64(y[i]-want[i])) > tol {
				t.Fatalf("around %v: y[%d] = %v, want %v", far, i, y[i], want[i])
			}
		}
	}
	if m, v := welford([]float64{1, 2, 3, 6}); m != 3 || v != 3.5 {
		t.Errorf("welford: %v %v", m, v)
	}
}
