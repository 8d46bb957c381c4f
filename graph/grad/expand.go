package grad

import (
	"fmt"
	"slices"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// Expand replaces the Gradient nodes of ai.onnx.preview.training in the main graph by the nodes that compute them, and
// reports whether there were any. The operator names tensors of the graph around it: y is differentiated with respect to xs
// at the values that are given as the node's inputs for xs and zs.
func Expand(g *graph.Graph) (bool, error) {
	var found []*graph.Node
	for _, n := range g.Nodes {
		if n.Domain == ops.Training && n.OpType == "Gradient" {
			found = append(found, n)
		}
	}
	if found == nil {
		return false, nil
	}
	if err := g.Infer(); err != nil {
		return false, err
	}
	for i, n := range found {
		if err := expand(g, n, fmt.Sprintf("%s/grad%d", n.Name, i)); err != nil {
			return false, fmt.Errorf("%v: %w", n, err)
		}
	}
	return true, nil
}

func expand(g *graph.Graph, n *graph.Node, stem string) error {
	at := slices.Index(g.Nodes, n)
	rest := slices.Clone(g.Nodes[at+1:])
	b := graph.NewBuilder(g, stem)
	g.Nodes = g.Nodes[:at:at]
	names, _ := n.Attrs["xs"].([]string)
	zs, _ := n.Attrs["zs"].([]string)
	yName, _ := n.Attrs["y"].(string)
	if len(names) != len(n.Outputs) || len(names)+len(zs) != len(n.Inputs) {
		return fmt.Errorf("%d inputs and %d outputs for %d xs and %d zs", len(n.Inputs), len(n.Outputs), len(names), len(zs))
	}
	values := byName(g)
	y, ok := values[yName]
	if !ok {
		return fmt.Errorf("no tensor %q before the node", yName)
	}
	subst := map[*graph.Value]*graph.Value{}
	for i, name := range slices.Concat(names, zs) {
		v, ok := values[name]
		if !ok {
			return fmt.Errorf("no tensor %q before the node", name)
		}
		if v != n.Inputs[i] {
			subst[v] = n.Inputs[i]
		}
	}
	if len(subst) > 0 {
		var err error
		if y, err = again(b, y, subst); err != nil {
			return err
		}
	}
	grads, err := Build(b, y, nil, n.Inputs[:len(names)])
	if err != nil {
		return err
	}
	for i, d := range grads {
		if d == nil { // y does not depend on x
			d = b.Call("Sub", nil, n.Inputs[i], n.Inputs[i])
		}
		bindOutput(b, n.Outputs[i], d)
	}
	g.Nodes = append(g.Nodes, rest...)
	return b.Err()
}

// bindOutput makes the value out, which the Gradient node produced, the result of an Identity of d.
func bindOutput(b *graph.Builder, out, d *graph.Value) {
	if out == nil {
		return
	}
	b.Call("Identity", nil, d)
	if b.Err() != nil {
		return
	}
	id := b.G.Nodes[len(b.G.Nodes)-1]
	id.Outputs[0] = out
	out.Node, out.Out = id, 0
}

func byName(g *graph.Graph) map[string]*graph.Value {
	m := map[string]*graph.Value{}
	add := func(v *graph.Value) {
		if v != nil {
			m[v.Name] = v
		}
	}
	for _, v := range g.Inputs {
		add(v)
	}
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			add(v)
		}
		for _, v := range n.Outputs {
			add(v)
		}
	}
	return m
}

// again appends a copy of the computation of y in which the values of subst are replaced.
func again(b *graph.Builder, y *graph.Value, subst map[*graph.Value]*graph.Value) (*graph.Value, error) {
	for _, n := range slices.Clone(b.G.Nodes) {
		if !slices.ContainsFunc(n.Inputs, func(v *graph.Value) bool { return v != nil && subst[v] != nil }) ||
			slices.ContainsFunc(n.Outputs, func(v *graph.Value) bool { return v != nil && subst[v] != nil }) {
			continue
		}
		inputs := slices.Clone(n.Inputs)
		for i, v := range inputs {
			if s := subst[v]; s != nil {
				inputs[i] = s
			}
		}
		names := make([]string, len(n.Outputs))
		for i, o := range n.Outputs {
			if o != nil {
				names[i] = o.Name + "/again"
			}
		}
		c, err := graph.NewNode(n.Domain, n.OpType, n.Opset, inputs, n.Attrs, names...)
		if err != nil {
			return nil, err
		}
		b.G.Nodes = append(b.G.Nodes, c)
		for i, o := range n.Outputs {
			if o != nil {
				subst[o] = c.Outputs[i]
				c.Outputs[i].Type = o.Type
			}
		}
	}
	if s := subst[y]; s != nil {
		y = s
	}
	return y, nil
}
