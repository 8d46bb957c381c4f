package opt

import (
	"maps"

	"github.com/sardonyx-ml/sardonyx/graph"
)

// anyConv matches a convolution with constant weights, fused already or not.
var anyConv = AnyOf(
	Op("Conv", Var("x"), ConstVar("w")).More().As("conv"),
	OpIn(internal, "FusedConv", Var("x"), ConstVar("w")).More().As("conv"),
)

// convRules turn convolutions and what is done to their results into the internal FusedConv: a residual is added first, then
// comes the activation.
var convRules = []Rule{
	{Name: "conv-add", Match: Op("Add", anyConv, Var("residual")), Build: addResidual},
	{Name: "conv-activation", Match: OneOf(activationOps, anyConv).More().As("act"), Build: activateConv},
}

// fusible reports whether more can be done to the result of a convolution, and refuses otherwise.
func fusible(b *Rewrite, n *graph.Node) bool {
	switch {
	case !isFloat32(n.Inputs[0]) || !isFloat32(n.Inputs[1]):
		b.Refuse("not float32")
		return false
	case n.Attrs["activation"] != nil:
		b.Refuse("there is an activation already")
		return false
	}
	return true
}

func addResidual(b *Rewrite, m *Match) *graph.Value {
	n, r := m.Node("conv"), m.Value("residual")
	if !fusible(b, n) {
		return nil
	}
	if !isFloat32(r) || !sameDims(r, n.Outputs[0]) || len(n.Inputs) > 3 {
		return b.Refuse("the other term is not like the convolution's result")
	}
	in := append(make([]*graph.Value, 0, 4), n.Inputs...)
	for len(in) < 3 {
		in = append(in, nil)
	}
	return b.CallN(internal, "FusedConv", 1, maps.Clone(n.Attrs), append(in, r)...)[0]
}

func activateConv(b *Rewrite, m *Match) *graph.Value {
	n := m.Node("conv")
	act, ok := activationOf(m.Node("act"))
	if !ok {
		return b.Refuse("the activation's parameters are not constant")
	}
	if !fusible(b, n) {
		return nil
	}
	attrs := graph.Attrs{}
	maps.Copy(attrs, n.Attrs)
	act.Attrs(attrs)
	return b.CallN(internal, "FusedConv", 1, attrs, n.Inputs...)[0]
}
