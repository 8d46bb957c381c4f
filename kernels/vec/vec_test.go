package vec

import (
	"math"
	"testing"
)

// ulps is the distance between got and the exact value in units of the last place of the result.
func ulps(got float32, want float64) float64 {
	w := float32(want)
	if got == w || got != got && want != want {
		return 0
	}
	a := math.Abs(float64(w))
	ulp := float64(math.Nextafter32(float32(a), math.MaxFloat32)) - a
	return math.Abs(float64(got)-want) / ulp
}

func TestAccuracy(t *testing.T) {
	gelu64 := func(x float64) float64 { return 0.5 * x * math.Erfc(-x/math.Sqrt2) }
	sigmoid64 := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	for _, c := range []struct {
		name   string
		f      func(dst, x []float32)
		ref    func(float64) float64
		lo, hi float64
		max    float64
	}{
		{"Exp", Exp, math.Exp, -104, 89, 1.1},
		{"Log", Log, math.Log, 1e-42, 5, 1},
		{"Log large", Log, math.Log, 5, 3e38, 1},
		{"Tanh", Tanh, math.Tanh, -10, 10, 3},
		{"Sigmoid", Sigmoid, sigmoid64, -85, 85, 3},
		{"Erf", Erf, math.Erf, -5, 5, 2},
		{"Gelu", Gelu, gelu64, -5, 8, 6},
		{"GeluTanh", GeluTanh, func(x float64) float64 {
			return x * sigmoid64(2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))
		}, -3, 8, 16},
		{"Swish", func(d, x []float32) { Swish(d, x, 1) }, func(x float64) float64 { return x * sigmoid64(x) }, -80, 80, 4},
		{"Mish", Mish, func(x float64) float64 { return x * math.Tanh(math.Log1p(math.Exp(x))) }, -80, 40, 5},
		{"Softplus", Softplus, func(x float64) float64 { return math.Log1p(math.Exp(x)) }, -80, 80, 2},
		{"Elu", func(d, x []float32) { Elu(d, x, 1, 1, 1) }, func(x float64) float64 {
			if x > 0 {
				return x
			}
			return math.Expm1(x)
		}, -20, 2, 2},
		{"Round", Round, math.RoundToEven, -9, 9, 0},
		{"Sqrt", Sqrt, math.Sqrt, 0, 9, 1},
	} {
		const n = 200000
		x, y := make([]float32, n), make([]float32, n)
		for i := range x {
			x[i] = float32(c.lo + (c.hi-c.lo)*float64(i)/n)
			if i%4 == 0 && c.lo < 0 { // many small magnitudes
				x[i] *= float32(math.Ldexp(1, -(i/4)%100))
			}
		}
		c.f(y, x)
		worst, at := 0.0, 0
		for i, v := range x {
			if u := ulps(y[i], c.ref(float64(v))); u > worst {
				worst, at = u, i
			}
		}
		if worst > c.max {
			t.Errorf("%s: %.2f ULP at %v: got %v, want %v", c.name, worst, x[at], y[at], c.ref(float64(x[at])))
		}
	}
}

func TestSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		name    string
		f       func(dst, x []float32)
		x, want float32
	}{
		{"exp", Exp, inf, inf}, {"exp", Exp, -inf, 0}, {"exp", Exp, nan, nan}, {"exp", Exp, 0, 1}, {"exp", Exp, 1000, inf},
		{"log", Log, inf, inf}, {"log", Log, 0, -inf}, {"log", Log, -1, nan}, {"log", Log, nan, nan}, {"log", Log, 1, 0}, {"log", Log, -inf, nan},
		{"tanh", Tanh, inf, 1}, {"tanh", Tanh, -inf, -1}, {"tanh", Tanh, nan, nan},
		{"sigmoid", Sigmoid, inf, 1}, {"sigmoid", Sigmoid, -inf, 0}, {"sigmoid", Sigmoid, nan, nan},
		{"erf", Erf, inf, 1}, {"erf", Erf, -inf, -1}, {"erf", Erf, nan, nan},
		{"gelu", Gelu, inf, inf}, {"gelu", Gelu, -inf, 0}, {"gelu", Gelu, nan, nan}, {"gelu", Gelu, -1e30, 0},
		{"mish", Mish, inf, inf}, {"mish", Mish, nan, nan},
		{"softplus", Softplus, inf, inf}, {"softplus", Softplus, -inf, 0}, {"softplus", Softplus, nan, nan},
		{"relu", Relu[float32], nan, nan}, {"relu", Relu[float32], -inf, 0},
		{"round", Round, 2.5, 2}, {"round", Round, -3.5, -4}, {"round", Round, 1e30, 1e30}, {"round", Round, nan, nan}, {"round", Round, inf, inf},
		{"round", Round, 8388609, 8388609}, {"round", Round, 4194304.5, 4194304},
		{"abs", Abs[float32], -inf, inf}, {"abs", Abs[float32], nan, nan},
		{"hardsigmoid", func(d, x []float32) { HardSigmoid(d, x, 0.2, 0.5) }, nan, nan},
		{"clip", func(d, x []float32) { Clip(d, x, -1, 1) }, nan, nan},
	} {
		y := []float32{7}
		c.f(y, []float32{c.x})
		if y[0] != c.want && !(y[0] != y[0] && c.want != c.want) {
			t.Errorf("%s(%v) = %v, want %v", c.name, c.x, y[0], c.want)
		}
	}
	y := []float32{0}
	Abs(y, []float32{float32(math.Copysign(0, -1))})
	if math.Signbit(float64(y[0])) {
		t.Error("Abs(-0) is negative")
	}
}

func TestMaxMinNaN(t *testing.T) {
	nan := float32(math.NaN())
	a, b := []float32{1, nan, 2, nan}, []float32{2, 1, nan, nan}
	y := make([]float32, 4)
	Max(y, a, b)
	if y[0] != 2 || y[1] == y[1] || y[2] == y[2] || y[3] == y[3] {
		t.Error("Max:", y)
	}
	Min(y, a, b)
	if y[0] != 1 || y[1] == y[1] || y[2] == y[2] || y[3] == y[3] {
		t.Error("Min:", y)
	}
}

func TestLengths(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Add(make([]float32, 2), make([]float32, 3), make([]float32, 2))
}

func BenchmarkUnary(b *testing.B) {
	x, y := make([]float32, 4096), make([]float32, 4096)
	for i := range x {
		x[i] = float32(i-2048) / 400
	}
	for _, c := range []struct {
		name string
		f    func(dst, x []float32)
	}{{"Exp", Exp}, {"Tanh", Tanh}, {"Sigmoid", Sigmoid}, {"Erf", Erf}, {"Gelu", Gelu}, {"GeluTanh", GeluTanh}, {"Relu", Relu[float32]}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(4 * 4096)
			for b.Loop() {
				c.f(y, x)
			}
		})
	}
}
