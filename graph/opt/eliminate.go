package opt

import (
	"slices"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// eliminateRules drop nodes that do nothing.
var eliminateRules = []Rule{
	{Name: "identity", Match: Op("Identity", gx), Build: keep},
	{Name: "one-operand", Match: OneOf([]string{"Sum", "Max", "Min", "Mean", "Concat"}, gx), Build: keep},
	{Name: "same-cast", Match: OneOf([]string{"Cast", "CastLike"}, gx).More().As("node"), Build: func(b *Rewrite, m *Match) *graph.Value {
		if x, y := m.Value("x").Type, m.Node("node").Outputs[0].Type; x.Kind != tensor.KindTensor || x.DType == tensor.Undefined || x.DType != y.DType {
			return nil
		}
		return keep(b, m)
	}},
	{Name: "dropout", Match: Op("Dropout", gx).More().As("node"), Build: func(b *Rewrite, m *Match) *graph.Value {
		if !inferenceDropout(m.Node("node")) {
			return nil
		}
		return keep(b, m)
	}},
	{Name: "neutral-operand", Match: AnyOf(
		OneOf([]string{"Add", "Mul"}, gx, ConstVar("c")).As("node"),
		OneOf([]string{"Sub", "Div", "Pow"}, gx, ConstVar("c")).As("node"),
	), Build: dropNeutral},
	{Name: "same-shape", Match: OneOf([]string{"Reshape", "Expand", "Tile", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Pad"}, gx).More().As("node"), Build: dropSameShape},
	{Name: "view-of-view", Match: OneOf(views, OneOf(views, gx).More()).More().As("node"), Build: joinViews},
	{Name: "transpose-identity", Match: Op("Transpose", gx).As("node").If(func(n *graph.Node) bool { return len(permOf(n)) > 0 && slices.IsSorted(permOf(n)) }), Build: keep},
	{Name: "transpose-transpose", Match: Op("Transpose", Op("Transpose", gx).As("first")).As("node"), Build: joinTransposes},
}

// keep replaces a match by x. An output of the model keeps its name: where that would need an Identity, x stays behind one.
func keep(b *Rewrite, m *Match) *graph.Value {
	x := m.Value("x")
	for _, root := range m.Root.Outputs {
		if root != nil && b.IsOutput(root) && (!b.Defined(x) || b.IsOutput(x)) {
			return nil
		}
	}
	return x
}

// inferenceDropout reports whether a Dropout passes its input on.
func inferenceDropout(n *graph.Node) bool {
	if n.Opset < 7 {
		return intAttr(n, "is_test", 0) != 0
	}
	if n.Opset < 12 || len(n.Inputs) < 3 || n.Inputs[2] == nil {
		return true
	}
	t := n.Inputs[2].Tensor()
	return t != nil && t.DType() == tensor.Bool && t.Len() == 1 && !tensor.Slice[bool](t)[0]
}

// dropNeutral drops x+0, x-0, x·1, x/1 and x^1, where the constant does not make the shape larger.
func dropNeutral(b *Rewrite, m *Match) *graph.Value {
	x, n := m.Value("x"), m.Node("node")
	c := m.Tensor("c")
	want := 1.0
	if n.OpType == "Add" || n.OpType == "Sub" {
		want = 0
	}
	if n.Opset < 7 || x.Type.DType != n.Outputs[0].Type.DType || c.Len() == 0 || c.Len() > 1<<16 || !c.DType().IsFloat() && !c.DType().IsInt() {
		return nil
	}
	vals, err := c.Floats()
	if err != nil || slices.ContainsFunc(vals, func(v float64) bool { return v != want }) {
		return nil
	}
	dims, ok := dimsOf(x)
	if !ok || c.Rank() > len(dims) {
		return nil
	}
	for i, k := range c.Shape() {
		if k != 1 && !dims[len(dims)-c.Rank()+i].Is(k) {
			return nil
		}
	}
	return keep(b, m)
}

// dropSameShape drops operators that move nothing if the shape stays as it is.
func dropSameShape(b *Rewrite, m *Match) *graph.Value {
	n := m.Node("node")
	if !sameDims(m.Value("x"), n.Outputs[0]) {
		return nil
	}
	switch n.OpType {
	case "Slice":
		steps, ok := intsOf(n, "steps", 4)
		if n.Opset < 10 {
			steps, ok = nil, true
		}
		if !ok || slices.ContainsFunc(steps, func(s int) bool { return s != 1 }) {
			return nil
		}
	case "Pad":
		pads, ok := intsOf(n, "pads", 1)
		if n.Opset < 2 || !ok || slices.ContainsFunc(pads, func(p int) bool { return p != 0 }) {
			return nil
		}
	}
	return keep(b, m)
}

var views = []string{"Reshape", "Flatten", "Squeeze", "Unsqueeze"}

// joinViews reshapes once where two views follow each other.
func joinViews(b *Rewrite, m *Match) *graph.Value {
	x, y := m.Value("x"), m.Node("node").Outputs[0]
	if sameDims(x, y) {
		return keep(b, m)
	}
	shape := reshapeTarget(x, y, nil)
	if shape == nil {
		return nil
	}
	return reshape(b, x, shape)
}

func reshape(b *Rewrite, x *graph.Value, shape []int64) *graph.Value {
	b.Opset = max(b.G.Opsets[""], 5)
	return b.Call("Reshape", nil, x, b.Ints(shape...))
}

// reshapeTarget returns the target of a Reshape of x that gives y: numbers, 0 where a dimension of x stays, and one -1. It
// returns nil if more dimensions than one are unknown. want, if not nil, are the elements of the requested shape.
func reshapeTarget(x, y *graph.Value, want []tensor.Dim) []int64 {
	in, ok1 := dimsOf(x)
	out, ok2 := dimsOf(y)
	if !ok1 || !ok2 {
		return nil
	}
	target := make([]int64, len(out))
	open := 0
	for i, d := range out {
		if !d.Known() && want != nil && i < len(want) && want[i].Known() && !want[i].Is(-1) && !want[i].Is(0) {
			d = want[i]
		}
		k, isInt := d.Int()
		switch {
		case isInt && k > 0:
			target[i] = int64(k)
		case isInt && i < len(in) && in[i].Is(0), !isInt && i < len(in) && d.Known() && d.Equal(in[i]):
			target[i] = 0
		case isInt:
			return nil
		default:
			target[i] = -1
			open++
		}
	}
	if open > 1 {
		return nil
	}
	return target
}

func joinTransposes(b *Rewrite, m *Match) *graph.Value {
	p := compose(permOf(m.Node("first")), permOf(m.Node("node")))
	if p == nil || len(permOf(m.Node("first"))) != len(p) {
		return nil
	}
	if slices.IsSorted(p) {
		return keep(b, m)
	}
	return b.Call("Transpose", graph.Attrs{"perm": p}, m.Value("x"))
}

// shapeRules free operators from computed shapes that inference can write down.
var shapeRules = []Rule{
	{Name: "reshape-constant", Match: Op("Reshape", gx, Var("shape")).As("node"), Build: func(b *Rewrite, m *Match) *graph.Value {
		n, s := m.Node("node"), m.Value("shape")
		if s.Const != nil || intAttr(n, "allowzero", 0) != 0 {
			return nil
		}
		want, ok := s.Info().IntElems()
		if !ok {
			return nil
		}
		target := reshapeTarget(m.Value("x"), n.Outputs[0], want)
		if target == nil {
			return nil
		}
		return reshape(b, m.Value("x"), target)
	}},
}
