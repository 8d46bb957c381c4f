package grad

import (
	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// rules are the gradients by operator of the default domain.
var rules = map[string]rule{
	"Identity": func(_ *graph.Builder, _ *graph.Node, dy []*graph.Value) []*graph.Value { return dy },
	"Add": func(b *graph.Builder, n *graph.Node, dy []*graph.Value) []*graph.Value {
		return []*graph.Value{sumTo(b, dy[0], n.Inputs[0]), sumTo(b, dy[0], n.Inputs[1])}
	},
	"Sub": func(b *graph.Builder, n *graph.Node, dy []*graph.Value) []*graph.Value {
		return []*graph.Value{sumTo(b, dy[0], n.Inputs[0]), sumTo(b, b.Call("Neg", nil, dy[0]), n.Inputs[1])}
	},
	"Mul": func(b *graph.Builder, n *graph.Node, dy []*graph.Value) []*graph.Value {
		x, y := n.Inputs[0], n.Inputs[1]
		return []*graph.Value{sumTo(b, b.Call("Mul", nil, dy[0], y), x), sumTo(b, b.Call("Mul", nil, dy[0], x), y)}
	},
	"Div": func(b *graph.Builder, n *graph.Node, dy []*graph.Value) []*graph.Value {
		x, y := n.Inputs[0], n.Inputs[1]
		dx := b.Call("Div", nil, dy[0], y)
		return []*graph.Value{sumTo(b, dx, x), sumTo(b, b.Call("Neg", nil, b.Call("Mul", nil, dx, n.Outputs[0])), y)}
	},
	"Sum": func(b *graph.Builder, n *graph.Node, dy []*graph.Value) []*graph.Value {
		out := make([]*graph.Value, len(n.Inputs))
		for i, x := range n.Inputs {
			out[i] = sumTo(b, dy[0], x)
		}
		return out
	},
	"Neg": unary(func(b *graph.Builder, _, _, dy *graph.Value) *graph.Value { return b.Call("Neg", nil, dy) }),
	"Exp": unary(func(b *graph.Builder, _, y, dy *graph.Value) *graph.Value { return b.Call("Mul", nil, dy, y) }),
	"Log": unary(func(b *graph.Builder, x, _, dy *graph.Value) *graph.Value { return b.Call("Div", nil, dy, x) }),
	"Sqrt": unary(func(b *graph.Builder, _, y, dy *graph.Value) *graph.Value {
		return b.Call("Div", nil, dy, b.Call("Add", nil, y, y))
	}),
	"Sigmoid": unary(func(b *graph.Builder, _, y, dy *graph.Value) *graph.Value {
		dyy := b.Call("Mul", nil, dy, y)
		return b.Call("Sub", nil, dyy, b.Call("Mul", nil, dyy, y))
	}),
	"Tanh": unary(func(b *graph.Builder, _, y, dy *graph.Value) *graph.Value {
		return b.Call("Sub", nil, dy, b.Call("Mul", nil, dy, b.Call("Mul", nil, y, y)))
	}),
	"Relu": unary(func(b *graph.Builder, _, y, dy *graph.Value) *graph.Value {
		return b.Call("Mul", nil, dy, b.Call("Sign", nil, y))
	}),
	"Reshape": func(b *graph.Builder, n *graph.Node, dy []*graph.Value) []*graph.Value {
		return []*graph.Value{b.Call("Reshape", graph.Attrs{"allowzero": 1}, dy[0], b.Call("Shape", nil, n.Inputs[0])), nil}
	},
	"Transpose": func(b *graph.Builder, n *graph.Node, dy []*graph.Value) []*graph.Value {
		perm, _ := n.Attrs["perm"].([]int64)
		if perm == nil {
			return []*graph.Value{b.Call("Transpose", nil, dy[0])}
		}
		inv := make([]int64, len(perm))
		for i, p := range perm {
			inv[p] = int64(i)
		}
		return []*graph.Value{b.Call("Transpose", graph.Attrs{"perm": inv}, dy[0])}
	},
}

// unary is the rule of an operator with one input and output, from f(x, y, dy).
func unary(f func(b *graph.Builder, x, y, dy *graph.Value) *graph.Value) rule {
	return func(b *graph.Builder, n *graph.Node, dy []*graph.Value) []*graph.Value {
		return []*graph.Value{f(b, n.Inputs[0], n.Outputs[0], dy[0])}
	}
}

// sumTo sums d over the axes that broadcasting added to x.
func sumTo(b *graph.Builder, d, x *graph.Value) *graph.Value {
	return b.CallN(ops.Internal, "SumTo", 1, nil, d, x)[0]
}
