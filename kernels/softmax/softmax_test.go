package softmax

import (
	"math"
	"testing"
)

func TestExpSub(t *testing.T) {
	inf := float32(math.Inf(1))
	x := []float32{-inf, -200, 0, 1, float32(math.NaN()), 300}
	y := make([]float32, len(x))
	sum := ExpSub(y, x, 1)
	if y[0] != 0 || y[1] != 0 || math.Abs(float64(y[2])-1/math.E) > 1e-7 || y[3] != 1 || y[4] == y[4] || y[5] != inf || sum == sum {
		t.Errorf("got %v, sum %v", y, sum)
	}
	if s := ExpSub(x[2:4], x[2:4], 0); math.Abs(float64(s)-1-math.E) > 1e-6 || x[2] != 1 {
		t.Errorf("in place: %v, sum %v", x[2:4], s)
	}
}

func reference(x []float64, n, inner int) (soft, logs, hard []float64) {
	soft, logs, hard = make([]float64, len(x)), make([]float64, len(x)), make([]float64, len(x))
	for j := range inner {
		best, sum := j, 0.0
		for i := range n {
			if x[i*inner+j] > x[best] {
				best = i*inner + j
			}
		}
		for i := range n {
			sum += math.Exp(x[i*inner+j] - x[best])
		}
		for i := range n {
			at := i*inner + j
			soft[at] = math.Exp(x[at]-x[best]) / sum
			logs[at] = x[at] - x[best] - math.Log(sum)
		}
		hard[best] = 1
	}
	return soft, logs, hard
}

func TestAgainstReference(t *testing.T) {
	for _, n := range []int{1, 2, 5, 300} {
		for _, inner := range []int{1, 2, 64, 67, 130} {
			x := make([]float64, n*inner)
			x32 := make([]float32, len(x))
			for i := range x {
				x32[i] = float32(math.Sin(float64(i)*1.7)*9 + float64(i%3))
				x[i] = float64(x32[i])
			}
			soft, logs, hard := reference(x, n, inner)
			y, y32 := make([]float64, len(x)), make([]float32, len(x))
			for k, c := range []struct {
				f64  func(y, x []float64, n, inner int)
				f32  func(y, x []float32, n, inner int)
				want []float64
			}{{Softmax[float64], Softmax[float32], soft}, {LogSoftmax[float64], LogSoftmax[float32], logs}, {Hardmax[float64], Hardmax[float32], hard}} {
				c.f64(y, x, n, inner)
				c.f32(y32, x32, n, inner)
				for i, w := range c.want {
					if math.Abs(y[i]-w) > 1e-13*(1+math.Abs(w)) || math.Abs(float64(y32[i])-w) > 1e-6+3e-6*math.Abs(w) {
						t.Fatalf("%d: n %d inner %d: element %d is %v and %v, want %v", k, n, inner, i, y[i], y32[i], w)
					}
				}
			}
			Softmax(x32, x32, n, inner) // in place
			for i, w := range soft {
				if math.Abs(float64(x32[i])-w) > 3e-6*(0.01+w) {
					t.Fatalf("in place: element %d is %v, want %v", i, x32[i], w)
				}
			}
		}
	}
}

func TestNaN(t *testing.T) {
	nan := float32(math.NaN())
	for _, x := range [][]float32{{nan, 1, 2}, {1, nan, 2}, {1, 2, nan}} {
		y := make([]float32, 3)
		Softmax(y, x, 3, 1)
		for _, v := range y {
			if v == v {
				t.Errorf("%v gives %v", x, y)
			}
		}
	}
}
