// Package grad builds gradients as graphs: nodes that compute dy/dx are appended to the graph that computes y, so that the
// same inference, passes and sessions run them. One rule per operator says how the gradient of its outputs gives that of its
// inputs (reverse-mode differentiation).
package grad

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// rule returns the gradients of a node's inputs, nil for inputs that have none, from those of its outputs, nil where
// nothing depends on an output.
type rule func(b *graph.Builder, n *graph.Node, dy []*graph.Value) []*graph.Value

// Build appends nodes that compute the gradient of the sum of y's elements, or of the sum weighted by dy if that is not
// nil, with respect to each of xs. The result is nil for an x that y does not depend on. Types must have been inferred.
func Build(b *graph.Builder, y, dy *graph.Value, xs []*graph.Value) ([]*graph.Value, error) {
	depends := dependents(b.G, xs)
	if dy == nil {
		dy = ones(b, y)
	}
	grads := map[*graph.Value]*graph.Value{y: dy}
	nodes := b.G.Nodes
	for i := len(nodes) - 1; i >= 0; i-- {
		n := nodes[i]
		if !anyOutput(n, func(v *graph.Value) bool { return depends[v] && grads[v] != nil }) {
			continue
		}
		r, ok := rules[n.OpType]
		if !ok || n.Domain != "" {
			return nil, fmt.Errorf("%v: %w operator: it has no gradient", n, ops.ErrUnsupported)
		}
		douts := make([]*graph.Value, len(n.Outputs))
		for k, o := range n.Outputs {
			douts[k] = grads[o]
		}
		for k, d := range r(b, n, douts) {
			x := n.Inputs[k]
			if d == nil || !depends[x] {
				continue
			}
			if prev := grads[x]; prev != nil {
				d = b.Call("Add", nil, prev, d)
			}
			grads[x] = d
		}
		if err := b.Err(); err != nil {
			return nil, fmt.Errorf("gradient of %v: %w", n, err)
		}
	}
	out := make([]*graph.Value, len(xs))
	for i, x := range xs {
		out[i] = grads[x]
	}
	return out, b.Err()
}

// dependents is the set of values that depend on one of xs, xs included.
func dependents(g *graph.Graph, xs []*graph.Value) map[*graph.Value]bool {
	set := map[*graph.Value]bool{}
	for _, x := range xs {
		set[x] = true
	}
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			if v != nil && set[v] {
				for _, o := range n.Outputs {
					set[o] = true
				}
				break
			}
		}
	}
	delete(set, nil)
	return set
}

func anyOutput(n *graph.Node, f func(*graph.Value) bool) bool {
	for _, o := range n.Outputs {
		if o != nil && f(o) {
			return true
		}
	}
	return false
}

// ones returns a tensor of ones in the shape of y.
func ones(b *graph.Builder, y *graph.Value) *graph.Value {
	var one *tensor.Tensor
	switch y.Type.DType {
	case tensor.Float32:
		one = tensor.Vector[float32](1)
	case tensor.Float64:
		one = tensor.Vector[float64](1)
	case tensor.Float16:
		one = tensor.Vector(tensor.ToF16(1))
	case tensor.BFloat16:
		one = tensor.Vector(tensor.ToBF16(1))
	default:
		b.Fail(fmt.Errorf("value %q is %v, which has no gradient", y.Name, y.Type))
		return nil
	}
	return b.Call("ConstantOfShape", graph.Attrs{"value": one}, b.Call("Shape", nil, y))
}
