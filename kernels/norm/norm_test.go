package norm

import (
	"math"
	"testing"
)

func ramp[T Float](n int, shift float64) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(shift + math.Sin(float64(i)*0.7)*3)
	}
	return x
}

func testMoments[T Float](t *testing.T, tol float64) {
	for _, n := range []int{1, 3, 4, 255, 256, 257, 5000} {
		x := ramp[T](n, 100)
		var m, v float64
		for _, e := range x {
			m += float64(e) / float64(n)
		}
		for _, e := range x {
			v += (float64(e) - m) * (float64(e) - m) / float64(n)
		}
		gm, rest, gv := Moments(x)
		if math.Abs(float64(gm)+float64(rest)-m) > 10*tol || math.Abs(float64(gv)-v) > tol*(10+v) {
			t.Errorf("n %d: mean %v variance %v, want %v and %v", n, gm, gv, m, v)
		}
	}
}

func TestMoments(t *testing.T) {
	testMoments[float32](t, 1e-6)
	testMoments[float64](t, 1e-13)
}

func near(t *testing.T, got, want []float32) {
	t.Helper()
	for i, w := range want {
		if math.Abs(float64(got[i]-w)) > 1e-5 {
			t.Errorf("element %d is %v, want %v", i, got[i], w)
		}
	}
}

func TestRows(t *testing.T) {
	x := []float32{1, 2, 3, 6} // mean 3, variance 3.5
	y := make([]float32, 4)
	mean, inv := Layer(y, x, []float32{1, 1, 2, 2}, []float32{0, 1, 0, 1}, 0.5)
	near(t, append(y, mean, inv), []float32{-1, 0.5, 0, 4, 3, 0.5})
	Layer(y, x, []float32{1, 1, 2, 2}, nil, 0.5)
	near(t, y, []float32{-1, -0.5, 0, 3})
	inv = RMS(y, []float32{3, 4, 0, 0}, []float32{1, 1, 1, 1}, 0)
	near(t, append(y, inv), []float32{1.2, 1.6, 0, 0, 0.4})
	Affine(y, x, 1, 2, 3)
	near(t, y, []float32{3, 5, 7, 13})
	AffineRow(y, x, []float32{1, 2, 3, 4}, []float32{1, 1, 1, 2}, []float32{0, 0, 0, 1})
	near(t, y, []float32{0, 0, 0, 5})
}

func TestLRN(t *testing.T) {
	x := []float32{1, 2, 3, 4} // four channels of one pixel, window c-1 … c+1
	y := make([]float32, 4)
	LRN(y, x, 4, 1, 1, 1, 1, 1, 0)
	near(t, y, []float32{1. / 5, 2. / 14, 3. / 29, 4. / 25})
	LRN(y, x, 4, 1, 0, 0, 1, 0.75, 0) // x / x^1.5
	near(t, y, []float32{1, 1 / math.Sqrt2, 0.57735027, 0.5})
}
