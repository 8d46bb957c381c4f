package training

import (
	"math"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func TestOptimizers(t *testing.T) {
	rate, count := tensor.Scalar[float32](0.1), tensor.Scalar[int64](0)
	x, g, v := tensor.Vector[float32](1.2, 2.8), tensor.Vector[float32](-0.94, -2.5), tensor.Vector[float32](1.7, 3.6)
	// The expected numbers follow from the formulas of the standard, here in plain arithmetic.
	grad := func(i int, norm float64) float64 { return float64(g.Float32()[i]) + norm*float64(x.Float32()[i]) }
	for _, c := range []struct {
		name  string
		attrs opstest.Attrs
		want  func(x, v float64, i int) (float64, float64)
	}{
		{"Momentum", opstest.Attrs{"mode": "standard", "norm_coefficient": 0.001, "alpha": 0.95, "beta": 0.1}, func(x, v float64, i int) (float64, float64) {
			v = 0.95*v + grad(i, 0.001)
			return x - 0.1*v, v
		}},
		{"Momentum", opstest.Attrs{"mode": "nesterov", "norm_coefficient": 0.01, "alpha": 0.95, "beta": 1.0}, func(x, v float64, i int) (float64, float64) {
			v = 0.95*v + grad(i, 0.01)
			return x - 0.1*(grad(i, 0.01)+0.95*v), v
		}},
		{"Adagrad", opstest.Attrs{"norm_coefficient": 0.001, "epsilon": 1e-5, "decay_factor": 0.1}, func(x, v float64, i int) (float64, float64) {
			v += grad(i, 0.001) * grad(i, 0.001)
			return x - 0.1*grad(i, 0.001)/(math.Sqrt(v)+1e-5), v
		}},
	} {
		call := opstest.Call{Domain: ops.Training, Name: c.name, Attrs: c.attrs, Outputs: 4}
		out, err := opstest.Run(t, call, rate, count, x, v, g, g, v, x) // two groups
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			wx, wv := c.want(float64(x.Float32()[i]), float64(v.Float32()[i]), i)
			gx, gv := out[0].(*tensor.Tensor).Float32()[i], out[2].(*tensor.Tensor).Float32()[i]
			if math.Abs(float64(gx)-wx) > 1e-6 || math.Abs(float64(gv)-wv) > 1e-6 {
				t.Errorf("%s: got %v, %v, want %v, %v", c.name, gx, gv, wx, wv)
			}
		}
	}
	if _, err := opstest.Run(t, opstest.Call{Domain: ops.Training, Name: "Adam", Outputs: 3}, rate, count, x, g, v); err == nil {
		t.Error("Adam without its second state is accepted")
	}
}

func TestAdam(t *testing.T) {
	attrs := opstest.Attrs{"norm_coefficient": 0.001, "alpha": 0.95, "beta": 0.1, "epsilon": 1e-7}
	x, g := tensor.Vector[float64](1.2), tensor.Vector[float64](-0.94)
	out, err := opstest.Run(t, opstest.Call{Domain: ops.Training, Name: "Adam", Attrs: attrs, Outputs: 3},
		tensor.Scalar(0.1), tensor.Scalar[int64](2), x, g, tensor.Vector(1.7), tensor.Vector(0.1))
	if err != nil {
		t.Fatal(err)
	}
	gr := -0.94 + 0.001*1.2
	v, h := 0.95*1.7+0.05*gr, 0.1*0.1+0.9*gr*gr
	r := 0.1 * math.Sqrt(1-0.01) / (1 - 0.95*0.95)
	for i, w := range []float64{1.2 - r*v/(math.Sqrt(h)+1e-7), v, h} {
		opstest.Equal(t, out[i].(*tensor.Tensor), tensor.Vector(w), 1e-5, 0)
	}
}
