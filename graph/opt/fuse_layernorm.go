package opt

import (
	"slices"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// mean matches a ReduceMean that keeps its axes.
func mean(x Pattern, name string) Pattern {
	return Op("ReduceMean", x).More().As(name).If(func(n *graph.Node) bool { return intAttr(n, "keepdims", 1) == 1 })
}

// squared matches x·x and x².
func squared(x Pattern) Pattern { return AnyOf(Op("Pow", x, Const(2)), Op("Mul", x, x)) }

// overRoot matches x/√y in its spellings.
func overRoot(x, y Pattern) Pattern {
	root := AnyOf(Op("Sqrt", y), Op("Pow", y, Const(0.5)))
	inverse := inverseRoot(y)
	return AnyOf(Op("Div", x, root), Op("Mul", x, inverse))
}

// inverseRoot matches 1/√y.
func inverseRoot(y Pattern) Pattern {
	root := AnyOf(Op("Sqrt", y), Op("Pow", y, Const(0.5)))
	return AnyOf(Op("Reciprocal", root), Op("Div", Const(1), root), Op("Pow", y, Const(-0.5)), Op("Sqrt", Op("Reciprocal", y)))
}

var (
	centred    = Op("Sub", gx, mean(gx, "mean"))
	variance   = Op("Add", mean(squared(centred), "variance"), ConstVar("eps"))
	normalized = overRoot(centred, variance)
	scaled     = Op("Mul", normalized, VarIf("scale", isParameter))
	// gain is scale/√(variance+eps), which Keras multiplies x and the mean with.
	gain = Op("Mul", inverseRoot(variance), VarIf("scale", isParameter))
)

// layerNormRules find (x-mean)/√(variance+eps)·scale + bias.
var layerNormRules = []Rule{
	{Name: "layernorm", Match: Op("Add", scaled, VarIf("bias", isParameter)), Build: buildLayerNorm},
	{Name: "layernorm-keras", Match: Op("Add", Op("Mul", gx, gain), Op("Sub", VarIf("bias", isParameter), Op("Mul", mean(gx, "mean"), gain))), Build: buildLayerNorm},
	{Name: "layernorm-no-bias", Match: scaled, Build: buildLayerNorm},
	{Name: "layernorm-no-scale", Match: normalized, Build: buildLayerNorm},
}

// rmsNormRules find x/√(mean of x² + eps)·scale.
var rmsNormRules = []Rule{
	{Name: "rmsnorm", Match: AnyOf(
		Op("Mul", overRoot(gx, meanSquare), VarIf("scale", isParameter)),
		Op("Mul", gx, Op("Mul", inverseRoot(meanSquare), VarIf("scale", isParameter))),
	), Build: buildRMSNorm},
}

var meanSquare = Op("Add", mean(squared(gx), "variance"), ConstVar("eps"))

// isParameter reports whether v can be a scale or bias: a constant of float32 that is no number.
func isParameter(v *graph.Value) bool {
	t := v.Tensor()
	return t != nil && t.DType() == tensor.Float32 && t.Rank() > 0
}

// lastAxes returns the first of the axes that a ReduceMean covers; they must be the last ones of its input.
func lastAxes(n *graph.Node) (axis int, ok bool) {
	axes, ok := intsOf(n, "axes", 1)
	rank := rankOf(n.Inputs[0])
	if !ok || rank < 1 || len(axes) == 0 {
		return 0, false
	}
	axes = slices.Clone(axes)
	for i, a := range axes {
		if a < 0 {
			axes[i] += rank
		}
	}
	slices.Sort(axes)
	for i, a := range axes {
		if a != rank-len(axes)+i {
			return 0, false
		}
	}
	return axes[0], true
}

// norm is what is common to the normalizations.
type norm struct {
	axis  int
	eps   float32
	scale *graph.Value
	bias  *graph.Value
}

// readNorm checks a match: means over the same last axes, and parameters of the shape of these.
func readNorm(b *Rewrite, m *Match) *norm {
	x := m.Value("x")
	if !isFloat32(x) {
		b.Refuse("not float32")
		return nil
	}
	axis, ok := lastAxes(m.Node("variance"))
	if n := m.Node("mean"); ok && n != nil {
		var other int
		other, ok = lastAxes(n)
		ok = ok && other == axis
	}
	eps, isNumber := Scalar(m.Value("eps"))
	if !ok || !isNumber || eps < 0 {
		b.Refuse("not a mean over the last axes")
		return nil
	}
	n := &norm{axis, float32(eps), m.Value("scale"), m.Value("bias")}
	dims, _ := dimsOf(x)
	for _, p := range []**graph.Value{&n.scale, &n.bias} {
		if *p == nil {
			continue
		}
		if *p = parameter(b, *p, dims[axis:]); *p == nil {
			b.Refuse("the parameters do not have the shape of the normalized axes")
			return nil
		}
	}
	if n.scale == nil {
		if n.scale = ones(b, dims[axis:]); n.scale == nil {
			b.Refuse("unknown size")
			return nil
		}
	}
	return n
}

// parameter returns a constant as one of exactly the given dimensions, or nil if it has another shape.
func parameter(b *Rewrite, v *graph.Value, dims []tensor.Dim) *graph.Value {
	t := v.Tensor()
	s := t.Shape()
	if len(s) < len(dims) {
		return nil
	}
	for _, n := range s[:len(s)-len(dims)] {
		if n != 1 {
			return nil
		}
	}
	tail := s[len(s)-len(dims):]
	for i, n := range tail {
		if !dims[i].Is(n) {
			return nil
		}
	}
	if len(tail) == len(s) {
		return v
	}
	return b.Const(t.Reshaped(tail))
}

// ones returns a constant of ones.
func ones(b *Rewrite, dims []tensor.Dim) *graph.Value {
	shape := make(tensor.Shape, len(dims))
	for i, d := range dims {
		n, ok := d.Int()
		if !ok {
			return nil
		}
		shape[i] = n
	}
	if n, err := shape.CheckSize(); err != nil || n > 1<<20 {
		return nil
	}
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.Float32() {
		t.Float32()[i] = 1
	}
	return b.Const(t)
}

func buildLayerNorm(b *Rewrite, m *Match) *graph.Value {
	n := readNorm(b, m)
	if n == nil {
		return nil
	}
	b.Opset = 0
	in := []*graph.Value{m.Value("x"), n.scale}
	if n.bias != nil {
		in = append(in, n.bias)
	}
	return b.Call("LayerNormalization", graph.Attrs{"axis": n.axis - rankOf(m.Value("x")), "epsilon": n.eps}, in...)
}

func buildRMSNorm(b *Rewrite, m *Match) *graph.Value {
	n := readNorm(b, m)
	if n == nil {
		return nil
	}
	b.Opset = 0
	return b.Call("RMSNormalization", graph.Attrs{"axis": n.axis - rankOf(m.Value("x")), "epsilon": n.eps}, m.Value("x"), n.scale)
}

// skipNormRules join an Add and the normalization of its result over the last axis; the sum may have other readers.
var skipNormRules = []Rule{
	{Name: "skip-layernorm", Match: OneOf([]string{"LayerNormalization", "RMSNormalization"}, Op("Add", Var("a"), Var("b")).As("add")).More().As("norm"),
		Also: []string{"add"}, Build: buildSkipNorm},
}

func buildSkipNorm(b *Rewrite, m *Match) *graph.Value {
	n, add := m.Node("norm"), m.Node("add")
	sum := add.Outputs[0]
	rank := rankOf(sum)
	last, known := lastDim(sum)
	axis := intAttr(n, "axis", -1)
	params := n.Inputs[1:]
	switch {
	case len(n.Outputs) > 1 && slices.ContainsFunc(n.Outputs[1:], func(v *graph.Value) bool { return v != nil }):
		return b.Refuse("the statistics are needed")
	case !isFloat32(sum) || rank < 1 || !known || axis != -1 && axis != rank-1:
		return b.Refuse("not float32 over one known last axis")
	case slices.ContainsFunc(params, func(v *graph.Value) bool { return v.Tensor() == nil || !isVector(v, last) }):
		return b.Refuse("the parameters are no constant vectors")
	}
	in := append([]*graph.Value{m.Value("a"), m.Value("b")}, params...)
	outs := 1
	if b.Readers(sum) > 1 {
		outs = 2
	}
	out := b.CallN(internal, "SkipLayerNorm", outs, graph.Attrs{"epsilon": floatAttr(n, "epsilon", 1e-5), "rms": n.OpType == "RMSNormalization"}, in...)
	if outs == 2 {
		b.Replace(sum, out[1])
	}
	return out[0]
}
