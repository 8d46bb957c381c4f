package opt

import "github.com/sardonyx-ml/sardonyx/graph"

// convBiasRules make a bias of a constant that is added to the channels of a convolution, as TensorFlow's exporter writes it.
// The result is a Conv again, which batch normalizations and activations join.
var convBiasRules = []Rule{
	{Name: "conv-bias", Match: Op("Add", OneOf([]string{"Conv", "ConvTranspose"}, Var("x"), Var("w")).As("conv"), ConstVar("bias")), Build: func(b *Rewrite, m *Match) *graph.Value {
		n, t := m.Node("conv"), m.Tensor("bias")
		dims, ok := dimsOf(n.Outputs[0])
		if !ok || len(dims) < 3 || t.DType() != n.Outputs[0].Type.DType || t.Rank() > len(dims) || t.Rank() < len(dims)-1 {
			return nil
		}
		s := t.Shape()
		if t.Rank() == len(dims) {
			if s[0] != 1 {
				return nil
			}
			s = s[1:]
		}
		if !dims[1].Is(s[0]) || s[1:].Size() != 1 {
			return nil
		}
		b.Opset = n.Opset
		return b.Call(n.OpType, n.Attrs, m.Value("x"), m.Value("w"), b.Const(t.Reshaped(s[:1])))
	}},
}
