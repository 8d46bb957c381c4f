package conformance

import (
	"fmt"
	"math"
	"slices"

	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// randomOps lists the operators in g whose results are random by definition; in are the values of the graph's inputs.
func randomOps(g *onnxpb.GraphProto, in map[string]tensor.Value) []string {
	var out []string
	for _, n := range g.GetNode() {
		switch n.GetOpType() {
		case "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike":
			out = append(out, n.GetOpType())
		case "Dropout":
			if drops(g, n, in) {
				out = append(out, "Dropout")
			}
		}
		for _, a := range n.GetAttribute() {
			if a.GetG() != nil {
				out = append(out, randomOps(a.GetG(), in)...)
			}
		}
	}
	return out
}

// drops reports whether a Dropout node is in training mode with a ratio above 0.
func drops(g *onnxpb.GraphProto, n *onnxpb.NodeProto, in map[string]tensor.Value) bool {
	mode, ok := scalar(g, n, 2, in)
	if !ok || mode == 0 {
		return false
	}
	ratio, ok := scalar(g, n, 1, in)
	return !ok || ratio > 0
}

// scalar returns the value of a node's input that is fed, an initializer or a Constant.
func scalar(g *onnxpb.GraphProto, n *onnxpb.NodeProto, i int, in map[string]tensor.Value) (float64, bool) {
	if i >= len(n.GetInput()) {
		return 0, false
	}
	name := n.GetInput()[i]
	t, _ := in[name].(*tensor.Tensor)
	for _, p := range g.GetInitializer() {
		if p.GetName() == name && t == nil {
			t, _ = onnx.Tensor(p)
		}
	}
	for _, c := range g.GetNode() {
		if c.GetOpType() == "Constant" && slices.Contains(c.GetOutput(), name) && len(c.GetAttribute()) == 1 {
			t, _ = onnx.Tensor(c.GetAttribute()[0].GetT())
		}
	}
	if t == nil || t.Len() != 1 {
		return 0, false
	}
	f, err := t.Floats()
	if err != nil {
		return 0, false
	}
	return f[0], true
}

// CompareDistribution checks that two values have the same types and shapes and that their elements could be samples of
// one distribution: their two-sample Kolmogorov–Smirnov distance stays below the bound that equal distributions exceed
// once in 10⁶ comparisons.
func CompareDistribution(got, want tensor.Value) error {
	g, ok1 := got.(*tensor.Tensor)
	w, ok2 := want.(*tensor.Tensor)
	if !ok1 || !ok2 {
		return fmt.Errorf("%T cannot be compared by distribution", want)
	}
	if err := sameForm(g, w); err != nil {
		return err
	}
	a, err := g.Floats()
	if err != nil {
		return err
	}
	b, _ := w.Floats()
	slices.Sort(a)
	slices.Sort(b)
	n := float64(len(a))
	if d, bound := ksDistance(a, b), math.Sqrt(math.Log(2/1e-6)/n); n > 0 && d > bound {
		return fmt.Errorf("values are distributed differently: Kolmogorov–Smirnov distance %.3f, expected at most %.3f", d, bound)
	}
	return nil
}

// ksDistance is the largest difference of the empirical distribution functions of two sorted samples of equal size.
func ksDistance(a, b []float64) float64 {
	i, j, d := 0, 0, 0
	for i < len(a) && j < len(b) {
		x := min(a[i], b[j])
		for i < len(a) && a[i] <= x {
			i++
		}
		for j < len(b) && b[j] <= x {
			j++
		}
		if x != x {
			break
		}
		d = max(d, i-j, j-i)
	}
	return float64(d) / float64(len(a))
}
