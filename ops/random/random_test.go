package random

import (
	"math"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

type attrs = opstest.Attrs

// moments returns the mean, variance, skewness and kurtosis.
func moments(t *testing.T, x *tensor.Tensor) (mean, variance, skew, kurt float64) {
	t.Helper()
	v, err := x.Floats()
	if err != nil {
		t.Fatal(err)
	}
	n := float64(len(v))
	for _, f := range v {
		mean += f / n
	}
	for _, f := range v {
		d := f - mean
		variance += d * d / n
		skew += d * d * d / n
		kurt += d * d * d * d / n
	}
	return mean, variance, skew / math.Pow(variance, 1.5), kurt / (variance * variance)
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s is %v, want %v ± %v", what, got, want, tol)
	}
}

// The tolerances are about five standard errors for 100,000 draws.
func TestMoments(t *testing.T) {
	for _, d := range []tensor.DType{tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16} {
		x := opstest.Run1(t, opstest.Call{Name: "RandomNormal", Attrs: attrs{"shape": []int{100, 1000}, "mean": 3.0, "scale": 2.0, "seed": 1.0, "dtype": d}})
		if x.DType() != d {
			t.Fatalf("got %v", x)
		}
		mean, variance, skew, kurt := moments(t, x)
		near(t, "mean", mean, 3, 0.032)
		near(t, "variance", variance, 4, 0.09)
		near(t, "skewness", skew, 0, 0.04)
		near(t, "kurtosis", kurt, 3, 0.08)
		u := opstest.Run1(t, opstest.Call{Name: "RandomUniform", Attrs: attrs{"shape": []int{100000}, "low": -1.0, "high": 5.0, "seed": 2.0, "dtype": d}})
		mean, variance, _, kurt = moments(t, u)
		near(t, "mean", mean, 2, 0.03)
		near(t, "variance", variance, 3, 0.05)
		near(t, "kurtosis", kurt, 1.8, 0.02)
	}
}

func TestBernoulli(t *testing.T) {
	p := tensor.New(tensor.Float32, 100000)
	for i := range p.Float32() {
		p.Float32()[i] = float32(i%4) / 3
	}
	for _, d := range []tensor.DType{tensor.Undefined, tensor.Float64, tensor.Float16, tensor.Bool, tensor.Uint8, tensor.Int64} {
		a := attrs{"seed": 5.0}
		if d != tensor.Undefined {
			a["dtype"] = d
		}
		y := opstest.Run1(t, opstest.Call{Name: "Bernoulli", Attrs: a}, p)
		v, err := y.Floats()
		if err != nil {
			t.Fatal(err)
		}
		var hits [4]float64
		for i, f := range v {
			if f != 0 && f != 1 {
				t.Fatalf("%v: drew %v", d, f)
			}
			hits[i%4] += f
		}
		for i, h := range hits {
			near(t, "frequency", h/25000, float64(i)/3, 0.016)
		}
		if hits[0] != 0 || hits[3] != 25000 {
			t.Errorf("%v: impossible draws: %v", d, hits)
		}
	}
}

func TestMultinomial(t *testing.T) {
	inf := float32(math.Inf(-1))
	x := tensor.Of(tensor.Shape{2, 3}, []float32{0, float32(math.Log(3)), inf, 1000, inf, 1000})
	y := opstest.Run1(t, opstest.Call{Name: "Multinomial", Attrs: attrs{"sample_size": 40000, "seed": 1.0, "dtype": tensor.Int64}}, x)
	var hits [2][3]float64
	for i, k := range y.Int64() {
		hits[i/40000][k] += 1. / 40000
	}
	near(t, "class 0", hits[0][0], 0.25, 0.011)
	near(t, "class 1", hits[0][1], 0.75, 0.011)
	near(t, "class 2", hits[1][2], 0.5, 0.0125)
	if hits[0][2] != 0 || hits[1][1] != 0 {
		t.Errorf("impossible classes drawn: %v", hits)
	}
	if d := opstest.Run1(t, opstest.Call{Name: "Multinomial"}, x).DType(); d != tensor.Int32 {
		t.Errorf("default type is %v", d)
	}
	for _, bad := range []*tensor.Tensor{tensor.Vector(float32(1)), tensor.Of(tensor.Shape{1, 1}, []float32{inf}), tensor.New(tensor.Float32, 1, 0)} {
		if _, err := opstest.Run(t, opstest.Call{Name: "Multinomial"}, bad); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}

// TestSeeds: a seed makes runs alike, whatever the number of threads; no seed makes them differ.
func TestSeeds(t *testing.T) {
	x := tensor.New(tensor.Int64, 50, 999)
	run := func(a attrs, threads int) string {
		t.Helper()
		a["dtype"] = 1
		op, err := opstest.New(opstest.Call{Name: "RandomNormalLike", Attrs: a})
		if err != nil {
			t.Fatal(err)
		}
		c := &ops.Ctx{Context: t.Context(), In: []tensor.Value{x}, Out: make([]tensor.Value, 1), Mem: ops.HeapMemory{}, Pool: parallel.NewPool(threads)}
		if err := op.Run(c); err != nil {
			t.Fatal(err)
		}
		return string(c.Out[0].(*tensor.Tensor).Bytes())
	}
	if run(attrs{"seed": 7.0}, 1) != run(attrs{"seed": 7.0}, 4) {
		t.Error("the number of threads matters")
	}
	if run(attrs{"seed": 7.0}, 1) == run(attrs{"seed": 8.0}, 1) {
		t.Error("the seed does not matter")
	}
	if first := run(attrs{}, 1); first == run(attrs{}, 1) {
		t.Error("runs without a seed are alike")
	}
	if _, err := opstest.Run(t, opstest.Call{Name: "RandomUniformLike"}, x); err == nil {
		t.Error("random integers are accepted")
	}
	if _, err := opstest.Run(t, opstest.Call{Name: "RandomUniform"}); err == nil {
		t.Error("a missing shape is accepted")
	}
}
