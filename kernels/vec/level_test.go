package vec

import (
	"math"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/kerneltest"
)

// kernels are the functions that have vector code, as functions of two slices.
var kernels = map[string]func(dst, x, y []float32){
	"Add": Add[float32], "Sub": Sub[float32], "Mul": Mul[float32], "Div": Div[float32],
	"Max": Max[float32], "Min": Min[float32],
	"AddScalar": func(d, x, _ []float32) { AddScalar(d, x, 1.5) },
	"SubScalar": func(d, x, _ []float32) { SubScalar(d, x, 1.5) },
	"ScalarSub": func(d, x, _ []float32) { ScalarSub(d, 1.5, x) },
	"MulScalar": func(d, x, _ []float32) { MulScalar(d, x, 1.5) },
	"DivScalar": func(d, x, _ []float32) { DivScalar(d, x, 1.5) },
	"ScalarDiv": func(d, x, _ []float32) { ScalarDiv(d, 1.5, x) },
	"Axpy":      func(d, x, y []float32) { Axpy(d, x, y, 1.5) },
	"Layer":     func(d, x, y []float32) { Layer(d, x, y, x, 0.25, 1.5) },
	"RMS":       func(d, x, y []float32) { RMS(d, x, y, 1.5) },
	"Clip":      func(d, x, _ []float32) { Clip(d, x, -1, 2) },
	"Relu":      func(d, x, _ []float32) { Relu(d, x) },
	"LeakyRelu": func(d, x, _ []float32) { LeakyRelu(d, x, 0.1) },
	"Abs":       func(d, x, _ []float32) { Abs(d, x) },
	"Sqrt":      func(d, x, _ []float32) { Sqrt(d, x) },
	"Exp":       func(d, x, _ []float32) { Exp(d, x) },
	"Log":       func(d, x, _ []float32) { Log(d, x) },
	"Tanh":      func(d, x, _ []float32) { Tanh(d, x) },
	"Sigmoid":   func(d, x, _ []float32) { Sigmoid(d, x) },
	"Erf":       func(d, x, _ []float32) { Erf(d, x) },
	"Gelu":      func(d, x, _ []float32) { Gelu(d, x) },
	"GeluTanh":  func(d, x, _ []float32) { GeluTanh(d, x) },
	"Swish":     func(d, x, _ []float32) { Swish(d, x, 1.5) },
	"SwiGLU":    func(d, x, y []float32) { SwiGLU(d, x, y, 1.5) },
	"ExpSub":    func(d, x, _ []float32) { ExpSub(d, x, 2) },
}

// special values come first, so that every length and the masked tail see some.
func inputs(n int) []float32 {
	x := kerneltest.Rand(n)
	inf := float32(math.Inf(1))
	for i, v := range []float32{0, float32(math.NaN()), inf, -inf, float32(math.Copysign(0, -1)), 1e-40, -1e30, 100, -100} {
		if i*3 < n {
			x[i*3] = v
		}
	}
	return x
}

func TestLevels(t *testing.T) {
	kerneltest.EachLevel(t, func(t *testing.T) {
		for name, f := range kernels {
			for n := range 70 {
				for off := range 3 {
					x, y := inputs(n + off)[off:], kerneltest.Rand(n + off + 1)[off+1:]
					want := make([]float32, n)
					kerneltest.Portable(func() { f(want, x, y) })
					got, check := kerneltest.Guarded(t, n)
					f(got, x, y)
					check()
					compare(t, name, x, got, want)
					in := append([]float32{}, x...)
					f(in, in, y)
					compare(t, name+" in place", x, in, want)
				}
			}
		}
	})
}

func compare(t *testing.T, name string, x, got, want []float32) {
	t.Helper()
	for i, w := range want {
		g := got[i]
		if g == w || g != g && w != w {
			continue
		}
		// An FMA rounds once where the portable code rounds twice, which cancellation makes visible.
		if d := math.Abs(float64(g - w)); !(d <= 1e-6*math.Abs(float64(w)) || d <= 1e-6*math.Abs(float64(x[i])) || d < 1e-37) {
			t.Fatalf("%s: n = %d: f(%v) = %v at %d, want %v", name, len(want), x[i], g, i, w)
		}
	}
}

func TestMinMaxLevels(t *testing.T) {
	kerneltest.EachLevel(t, func(t *testing.T) {
		for n := range 100 {
			x := inputs(n)
			lo, hi := float32(-0.5), float32(0.5)
			for _, v := range x {
				if v < lo {
					lo = v
				}
				if v > hi {
					hi = v
				}
			}
			if l, h := MinMax(x, -0.5, 0.5); l != lo || h != hi {
				t.Fatalf("n = %d: %v and %v, want %v and %v", n, l, h, lo, hi)
			}
		}
	})
}

func TestReductionLevels(t *testing.T) {
	kerneltest.EachLevel(t, func(t *testing.T) {
		for n := range 200 {
			x := kerneltest.Rand(n)
			mx, sum, sq, es := math.Inf(-1), 0.0, 0.0, 0.0
			for _, v := range x {
				mx, sum = max(mx, float64(v)), sum+float64(v)
				sq += (float64(v) - 0.5) * (float64(v) - 0.5)
				es += math.Exp(float64(v) - 1)
			}
			if got := MaxOf(x); float64(got) != mx {
				t.Fatalf("MaxOf of %d: %v, want %v", n, got, mx)
			}
			if got := Sum(x); math.Abs(got-sum) > 1e-11*float64(n) {
				t.Fatalf("Sum of %d: %v, want %v", n, got, sum)
			}
			if got := SumSquares(x, 0.5); math.Abs(got-sq) > 1e-5*float64(n) {
				t.Fatalf("SumSquares of %d: %v, want %v", n, got, sq)
			}
			if got := ExpSub(make([]float32, n), x, 1); math.Abs(float64(got)-es) > 1e-6*es {
				t.Fatalf("ExpSub of %d: %v, want %v", n, got, es)
			}
		}
	})
}
