package onnxgo

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/owulveryck/onnx-go"
	"github.com/owulveryck/onnx-go/backend"
	gonum "gonum.org/v1/gonum/graph"
	"google.golang.org/protobuf/proto"
	gorgonia "gorgonia.org/tensor"

	"github.com/sardonyx-ml/sardonyx/graph/exec"
	"github.com/sardonyx-ml/sardonyx/onnx/text"
)

var (
	_ backend.ComputationBackend    = (*Graph)(nil)
	_ gonum.DirectedWeightedBuilder = (*Graph)(nil)
	_ onnx.Namer                    = (*Node)(nil)
	_ onnx.DataCarrier              = (*Node)(nil)
)

// decode returns the model of a text, decoded by onnx-go.
func decode(t *testing.T, src string, opts ...Option) (*Graph, *onnx.Model) {
	t.Helper()
	p, err := text.Parse(`<ir_version: 8, opset_import: ["": 10]> ` + src)
	if err != nil {
		t.Fatal(err)
	}
	data, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	g := NewGraph(opts...)
	m := onnx.NewModel(g)
	if err := m.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	return g, m
}

func vec[T any](v ...T) gorgonia.Tensor { return mat([]int{len(v)}, v...) }

func mat[T any](shape []int, v ...T) gorgonia.Tensor {
	return gorgonia.New(gorgonia.WithShape(shape...), gorgonia.WithBacking(v))
}

// run sets the inputs, runs, and checks the first output.
func run[T comparable](t *testing.T, g *Graph, m *onnx.Model, want []T, in ...gorgonia.Tensor) {
	t.Helper()
	for i, v := range in {
		if err := m.SetInput(i, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Run(); err != nil {
		t.Fatal(err)
	}
	out, err := m.GetOutputTensors()
	if err != nil {
		t.Fatal(err)
	}
	check(t, out[0], want)
}

func check[T comparable](t *testing.T, got gorgonia.Tensor, want []T) {
	t.Helper()
	if got == nil {
		t.Fatal("no value")
	}
	if data, ok := got.Data().([]T); !ok || !slices.Equal(data, want) {
		t.Fatalf("got %v, want %v", got.Data(), want)
	}
}

func TestSameArgumentTwice(t *testing.T) {
	g, m := decode(t, `g (float[2] x) => (float[2] y) { y = Mul(x, x) }`)
	run(t, g, m, []float32{4, 9}, vec[float32](2, 3))
	g, m = decode(t, `g (float[2] x) => (float[6] y) { y = Concat<axis = 0>(x, x, x) }`)
	run(t, g, m, []float32{2, 3, 2, 3, 2, 3}, vec[float32](2, 3))
}

func TestShapesChange(t *testing.T) {
	g, m := decode(t, `g (float[n] x) => (float[n] y) <float[1] w = {10}> { y = Add(x, w) }`)
	run(t, g, m, []float32{11, 12}, vec[float32](1, 2))
	first := g.program
	run(t, g, m, []float32{12, 13}, vec[float32](2, 3))
	if g.program != first {
		t.Error("compiled again for the same shape")
	}
	run(t, g, m, []float32{11, 12, 13}, vec[float32](1, 2, 3))
	second := g.program
	if second == first {
		t.Error("not compiled again for another shape")
	}
	run(t, g, m, []float32{11, 12, 13, 14}, vec[float32](1, 2, 3, 4))
	run(t, g, m, []float32{15}, mat([]int{1}, float32(5)))
	if g.program != second {
		t.Error("compiled again for a third shape")
	}
}

func TestOutputsAreKept(t *testing.T) {
	g, m := decode(t, `g (float[2] x) => (float[2] y) { y = Neg(x) }`)
	run(t, g, m, []float32{-1, -2}, vec[float32](1, 2))
	out, _ := m.GetOutputTensors()
	run(t, g, m, []float32{-3, -4}, vec[float32](3, 4))
	check(t, out[0], []float32{-1, -2})
}

func TestWeights(t *testing.T) {
	g, m := decode(t, `g (float[2] x) => (float[2] y) <float[2] w = {1, 2}, float[2] b = {0, 0}> { s = Add(x, w) y = Add(s, b) }`)
	run(t, g, m, []float32{2, 3}, vec[float32](1, 1))
	if n := len(g.program.consts); n != 2 {
		t.Errorf("%d weights, want 2", n)
	}
	w, _ := m.GetNodeByName("w")
	if err := w.(*Node).SetTensor(vec[float32](5, 6)); err != nil {
		t.Fatal(err)
	}
	run(t, g, m, []float32{6, 7}, vec[float32](1, 1))
	run(t, g, m, []float32{7, 8}, vec[float32](2, 2))
}

func TestPlaceholdersFilledInPlace(t *testing.T) {
	g, m := decode(t, `g (float[2] x) => (float[2] y) { y = Neg(x) }`)
	run(t, g, m, []float32{0, 0})
	x := m.GetInputTensors()[0].Data().([]float32)
	for _, v := range []float32{1, 2} {
		x[0], x[1] = v, v
		run(t, g, m, []float32{-v, -v})
	}
}

func TestElementTypes(t *testing.T) {
	g, m := decode(t, `g (float[3] x, int64[1] k) => (float[k] v, int64[k] i) { v, i = TopK(x, k) }`)
	run(t, g, m, []float32{9, 5}, vec[float32](5, 1, 9), mat([]int{1}, float32(2)))
	out, _ := m.GetOutputTensors()
	check(t, out[1], []int64{2, 0})
	if err := m.SetInput(1, mat([]int{1}, float32(1.5))); err != nil {
		t.Fatal(err)
	}
	if err := g.Run(); err == nil || !strings.Contains(err.Error(), `input "k": its values are of type float`) {
		t.Errorf("1.5 as int64: %v", err)
	}
	if out, _ := m.GetOutputTensors(); out[0] == nil {
		t.Error("a failed run took the results away")
	}
	g, m = decode(t, `g (bool[2] x, bool[2] z) => (bool[2] y) { n = Not(x) y = And(n, z) }`)
	run(t, g, m, []bool{false, true}, vec(true, false), vec(true, true))
}

func TestAbsentInput(t *testing.T) {
	g, m := decode(t, `g (float[3] x, float hi) => (float[3] y) { y = Clip(x, "", hi) }`)
	run(t, g, m, []float32{-1, 0, 1}, vec[float32](-1, 0, 5), gorgonia.New(gorgonia.FromScalar(float32(1))))
	if g.opset < 11 {
		t.Errorf("opset %d", g.opset)
	}
}

func TestAbsentOutput(t *testing.T) {
	g, m := decode(t, `g (float[3] x, int64[1] k, float hi) => (int64[1] i) { "", i = TopK(x, k) c = Clip(x, "", hi) d = Neg(c) }`)
	run(t, g, m, []int64{2}, vec[float32](5, 1, 9), mat([]int{1}, int64(1)), gorgonia.New(gorgonia.FromScalar(float32(1))))
}

func TestOpset(t *testing.T) {
	src := `g (float[1, 2, 2] x) => (float[1, 2, 2] y) { y = Softmax<axis = 1>(x) }`
	in := mat([]int{1, 2, 2}, float32(1), 1, 1, 1)
	g, m := decode(t, src)
	run(t, g, m, []float32{.25, .25, .25, .25}, in)
	g, m = decode(t, src, Opset(13))
	run(t, g, m, []float32{.5, .5, .5, .5}, in)

	g, m = decode(t, `g (int64[2] x) => (int64[1, 2] y) <int64[1] axes = {0}> { z = Unsqueeze(x, axes) y = Identity(z) }`)
	run(t, g, m, []int64{3, 4}, vec[int64](3, 4))
	if g.opset != 13 {
		t.Errorf("opset %d for Unsqueeze with axes as input", g.opset)
	}
	g, _ = decode(t, `g (int64[2] x) => (int64[1, 2] y) <int64[1] axes = {0}> { y = Unsqueeze(x, axes) }`, Opset(12))
	if err := g.Run(); err == nil {
		t.Error("Unsqueeze of opset 12 takes axes as input")
	}
}

func TestIntermediateResults(t *testing.T) {
	g, m := decode(t, `g (float[2] x) => (float[2] a, float[2] y) { a = Neg(x) h = Abs(a) y = Sqrt(h) }`)
	run(t, g, m, []float32{-4, -9}, vec[float32](4, 9))
	run(t, g, m, []float32{-1, -4}, vec[float32](1, 4))
	h, _ := m.GetNodeByName("h")
	check(t, h.(*Node).GetTensor(), []float32{1, 4})
	out, _ := m.GetOutputTensors()
	check(t, out[1], []float32{1, 2})
}

func TestOtherDomain(t *testing.T) {
	g, m := decode(t, `g (float[2] x) => (float[2] y) { y = QuickGelu(x) }`)
	run(t, g, m, []float32{0, 0}, vec[float32](0, 0))
	g, m = decode(t, `g (float[2] x) => (float[2] y) { y = Gelu(x) }`) // of the standard only from opset 20 on
	run(t, g, m, []float32{0, 0}, vec[float32](0, 0))
	if g.opset != DefaultOpset {
		t.Errorf("opset %d", g.opset)
	}
}

func TestNoInputs(t *testing.T) {
	g, m := decode(t, `g () => (float[2] y) { c = Constant<value = float[2] {1, 2}>() y = Neg(c) }`)
	run(t, g, m, []float32{-1, -2})
}

func TestErrors(t *testing.T) {
	g, _ := decode(t, `g (float[2] x) => (float[2] y) { y = NoSuchOperator(x) }`)
	var missing *onnx.ErrNotImplemented
	if err := g.Run(); !errors.As(err, &missing) || missing.Operator != "NoSuchOperator" {
		t.Errorf("unknown operator: %v", err)
	}
	g, m := decode(t, `g (float[2] x, y) => (float[2] z) { z = Add(x, y) }`)
	if n, _ := m.GetNodeByName("y"); n.(*Node).SetTensor(nil) != nil {
		t.Fatal("SetTensor(nil)")
	}
	if err := g.Run(); err == nil || !strings.Contains(err.Error(), `argument 1, "y", has no value`) {
		t.Errorf("missing input: %v", err)
	}
	if err := NewGraph().Run(); err == nil {
		t.Error("an empty graph runs")
	}
	g, m = decode(t, `g (float[2] x) => (float[2] y) { y = Neg(x) }`, Session(exec.Threads(1)))
	run(t, g, m, []float32{-1, -2}, vec[float32](1, 2))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := g.RunContext(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	x, _ := m.GetNodeByName("x")
	y, _ := m.GetNodeByName("y")
	if err := g.ApplyOperation(onnx.Operation{Name: "Abs"}, y); err == nil {
		t.Error("a node is the result of two operations")
	}
	if err := g.ApplyOperation(onnx.Operation{Name: "Abs", Attributes: map[string]any{"a": struct{}{}}}, x); !errors.As(err, &missing) {
		t.Errorf("attribute without a type: %v", err)
	}
}

// TestByHand builds a graph without the decoder.
func TestByHand(t *testing.T) {
	g := NewGraph()
	a, b, c := g.NewNode(), gonum.Node(nil), gonum.Node(nil)
	g.AddNode(a)
	b = g.NewNode()
	g.AddNode(b)
	c = g.NewNode()
	g.AddNode(c)
	g.SetWeightedEdge(g.NewWeightedEdge(b, a, 0))
	g.SetWeightedEdge(g.NewWeightedEdge(c, b, 0))
	g.SetWeightedEdge(g.NewWeightedEdge(c, a, 1))
	if err := errors.Join(g.ApplyOperation(onnx.Operation{Name: "Sub"}, c), g.ApplyOperation(onnx.Operation{Name: "Neg"}, b)); err != nil {
		t.Fatal(err)
	}
	if err := a.(*Node).SetTensor(vec[float32](1, 2)); err != nil {
		t.Fatal(err)
	}
	if err := g.Run(); err != nil {
		t.Fatal(err)
	}
	check(t, c.(*Node).GetTensor(), []float32{-2, -4})

	g.SetWeightedEdge(g.NewWeightedEdge(b, c, 0))
	if err := g.ApplyOperation(onnx.Operation{Name: "Abs"}, a); err != nil {
		t.Fatal(err)
	}
	if err := g.Run(); err == nil || !strings.Contains(err.Error(), "cycle") {
		t.Errorf("cycle: %v", err)
	}
}
