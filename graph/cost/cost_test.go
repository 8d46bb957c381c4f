package cost_test

import (
	"slices"
	"testing"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/graph/cost"
	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/text"
	_ "github.com/sardonyx-ml/sardonyx/ops/all"
)

func estimate(t *testing.T, src string) *cost.Estimate {
	t.Helper()
	p, err := text.Parse(`<ir_version: 8, opset_import: ["": 17]> ` + src)
	if err != nil {
		t.Fatal(err)
	}
	g, err := graph.Import(&onnx.Model{Proto: p})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Infer(); err != nil {
		t.Fatal(err)
	}
	return cost.Of(g)
}

func TestFLOPs(t *testing.T) {
	for _, c := range []struct {
		name, src string
		want      float64
	}{
		{"product", `g (float[2, 3, 4] x, float[4, 5] w) => (float[2, 3, 5] y) { y = MatMul (x, w) }`, 2 * 2 * 3 * 5 * 4},
		{"gemm", `g (float[4, 2] x, float[4, 5] w, float[5] b) => (y) { y = Gemm <transA = 1> (x, w, b) }`, 2*2*5*4 + 2*5},
		{"grouped convolution", `g (float[1, 4, 8, 8] x, float[6, 2, 3, 3] w) => (y) { y = Conv <group = 2> (x, w) }`, 2 * 6 * 6 * 6 * 2 * 3 * 3},
		{"transposed", `g (float[1, 4, 5] x, float[4, 3, 2] w) => (y) { y = ConvTranspose (x, w) }`, 2 * 4 * 5 * 3 * 2},
		{"pooling", `g (float[1, 4, 4, 4] x) => (y) { y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x) }`, 4 * 2 * 2 * 4},
		{"lstm", `g (float[7, 2, 3] x, float[1, 20, 3] w, float[1, 20, 5] r) => (y) { y = LSTM <hidden_size = 5> (x, w, r) }`, 2 * 7 * 2 * (20*3 + 20*5)},
		{"reduction", `g (float[3, 5] x) => (y) { y = ReduceMean (x) }`, 15},
		{"element-wise", `g (float[3, 1] x, float[4] z) => (y) { y = Add (x, z) }`, 12},
		{"movement", `g (float[3, 5] x) => (y) { y = Transpose (x) }`, 0},
	} {
		if e := estimate(t, c.src); e.FLOPs != c.want || e.Uncounted != nil || e.Unknown != nil {
			t.Errorf("%s: %+v, want %v", c.name, e, c.want)
		}
	}
}

func TestMemory(t *testing.T) {
	e := estimate(t, `g (float[10] x) => (y) { a = Concat <axis = 0> (x, x)  b = Neg (a)  y = Concat <axis = 0> (a, b, a) }`)
	// a, b: 80 bytes each; y: 240.
	if e.Activation != 80+80+240 || e.Peak != 80+80+240 {
		t.Errorf("%+v", e)
	}
	e = estimate(t, `g (float[100] x) => (y) { a = Neg (x)  b = Neg (a)  y = Neg (b) }`)
	if e.Activation != 1200 || e.Peak != 800 {
		t.Errorf("%+v", e)
	}
}

func TestUnknown(t *testing.T) {
	e := estimate(t, `g (float[N] x, float[4] s) => (y, u) { y = Exp (x)  u = Unique (s) }`)
	if !slices.Equal(e.Unknown, []string{"Exp", "Unique"}) || !slices.Equal(e.Uncounted, []string{"Unique"}) {
		t.Errorf("%+v", e)
	}
}
