package opt

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/graph"
)

// transposedShapeRules free transposes that only their shape keeps alive; the shape of an attention's output must not be taken before it
// is found.
var transposedShapeRules = []Rule{
	{Name: "shape-transpose", Match: shapeTranspose{}, Build: func(b *Rewrite, m *Match) *graph.Value {
		t := m.Root.Inputs[0].Node
		perm, _ := transposition(t)
		at := make([]int64, len(perm))
		for i, p := range perm {
			at[i] = int64(p)
		}
		return b.Call("Gather", nil, b.Call("Shape", nil, t.Inputs[0]), b.Ints(at...))
	}},
}

// productShapeRules take the shape of a product from its operands, so that a mask which layers share and which was expanded to the
// scores of the first keeps these alive no longer.
var productShapeRules = []Rule{
	{Name: "shape-product", Match: shapeProduct{}, Build: func(b *Rewrite, m *Match) *graph.Value {
		p := m.Root.Inputs[0].Node
		last := b.Ints(-1)
		rows := b.Call("Slice", nil, b.Call("Shape", nil, p.Inputs[0]), b.Ints(0), last)
		cols := b.Call("Slice", nil, b.Call("Shape", nil, p.Inputs[1]), last, b.Ints(math.MaxInt64))
		return b.Call("Concat", graph.Attrs{"axis": 0}, rows, cols)
	}},
}

// shapeProduct matches the shape of a product of two computed arrays with the same leading axes.
type shapeProduct struct{}

func (shapeProduct) match(m *Match, v *graph.Value, then func() bool) bool {
	n := v.Node
	if !is(n, "Shape") || len(n.Attrs) > 0 || n.Opset < 10 || n.Inputs[0] == nil || !is(n.Inputs[0].Node, "MatMul") {
		return false
	}
	p := n.Inputs[0].Node
	a, b := shapeOf(p.Inputs[0]), shapeOf(p.Inputs[1])
	if len(a) < 3 || len(a) != len(b) || p.Inputs[0].Const != nil || p.Inputs[1].Const != nil {
		return false
	}
	for i := range len(a) - 2 {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	m.inner = append(m.inner, n)
	return then()
}

// fuseAttention runs the rule for attention, and again when shapes do not stand in its way any more.
func fuseAttention(g *graph.Graph, stats *Stats) error {
	for _, rules := range [][]Rule{attentionRules, productShapeRules, attentionRules, transposedShapeRules} {
		if err := Apply(g, stats, rules...); err != nil {
			return err
		}
	}
	return nil
}

// shapeTranspose matches the shape of a transposed array, which keeps nobody from dropping the Transpose.
type shapeTranspose struct{}

func (shapeTranspose) match(m *Match, v *graph.Value, then func() bool) bool {
	n := v.Node
	if !is(n, "Shape") || len(n.Attrs) > 0 || n.Inputs[0] == nil || !is(n.Inputs[0].Node, "Transpose") {
		return false
	}
	if _, ok := transposition(n.Inputs[0].Node); !ok {
		return false
	}
	m.inner = append(m.inner, n)
	return then()
}
