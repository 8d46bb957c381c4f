package opt

import (
	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// integerProduct matches a MatMulInteger that is turned into floats.
var integerProduct = Op("Cast", Op("MatMulInteger", Var("a"), Var("b")).More().As("product")).As("cast")

// scaledProduct matches the internal integer product.
var scaledProduct = OpIn(internal, "ScaledMatMulInteger", Var("a"), Var("b")).More().As("product")

// dynamicQuantRules turn a MatMulInteger with the steps after it, as quantizers write them, into one operator: the cast, the
// product with the scales of both operands, the bias and the activation. Quantizing the input stays apart, for several
// products may share it.
var dynamicQuantRules = []Rule{
	{Name: "matmulinteger-scales", Match: Op("Mul", integerProduct, Op("Mul", Var("scale"), Var("scale2")).As("scales")), Build: scaleIntegers},
	{Name: "matmulinteger-scale", Match: Op("Mul", integerProduct, Var("scale")), Build: scaleIntegers},
	{Name: "matmulinteger-bias", Match: Op("Add", scaledProduct, Var("bias")), Build: biasIntegers},
	{Name: "matmulinteger-activation", Match: OneOf(activationOps, scaledProduct).More().As("act"), Build: activateIntegers},
}

// isSingle reports whether v is known to hold one element.
func isSingle(v *graph.Value) bool {
	d, ok := dimsOf(v)
	if !ok {
		return false
	}
	for _, x := range d {
		if !x.Is(1) {
			return false
		}
	}
	return true
}

// fitsColumns reports whether v, of no higher rank than y, holds one element or one for each column of y.
func fitsColumns(v, y *graph.Value) bool {
	n, ok := lastDim(y)
	return isFloat32(v) && rankOf(v) <= rankOf(y) && (isSingle(v) || ok && isVector(v, n))
}

func scaleIntegers(b *Rewrite, m *Match) *graph.Value {
	n := m.Node("product")
	y := n.Outputs[0]
	if to := intAttr(m.Node("cast"), "to", 0); tensor.DType(to) != tensor.Float32 {
		return b.Refuse("not cast to float32")
	}
	if rankOf(m.Value("a")) < 2 || rankOf(m.Value("b")) != 2 {
		return b.Refuse("B is not one matrix")
	}
	in := []*graph.Value{m.Value("a"), m.Value("b"), nil, nil, m.Value("scale"), m.Value("scale2"), nil}
	copy(in[2:4], n.Inputs[2:])
	if in[2] != nil && !isSingle(in[2]) {
		return b.Refuse("a zero point for each row")
	}
	columns, ok := lastDim(y)
	if in[3] != nil && !isSingle(in[3]) && !(ok && isVector(in[3], columns)) {
		return b.Refuse("the zero points are not those of columns")
	}
	for _, s := range in[4:6] {
		if s != nil && !fitsColumns(s, y) {
			return b.Refuse("the scales are not those of columns")
		}
	}
	return b.CallN(internal, "ScaledMatMulInteger", 1, nil, in...)[0]
}

// integerInputs returns all seven inputs of a ScaledMatMulInteger.
func integerInputs(n *graph.Node) []*graph.Value {
	in := make([]*graph.Value, 7)
	copy(in, n.Inputs)
	return in
}

func biasIntegers(b *Rewrite, m *Match) *graph.Value {
	n, bias := m.Node("product"), m.Value("bias")
	in := integerInputs(n)
	columns, ok := lastDim(n.Outputs[0])
	if in[6] != nil || n.Attrs["activation"] != nil || !ok || !isFloat32(bias) || !isVector(bias, columns) || rankOf(bias) > rankOf(n.Outputs[0]) {
		return nil
	}
	in[6] = bias
	return b.CallN(internal, "ScaledMatMulInteger", 1, nil, in...)[0]
}

func activateIntegers(b *Rewrite, m *Match) *graph.Value {
	n := m.Node("product")
	act, ok := activationOf(m.Node("act"))
	if !ok {
		return b.Refuse("the activation's parameters are not constant")
	}
	if n.Attrs["activation"] != nil {
		return nil
	}
	attrs := graph.Attrs{}
	act.Attrs(attrs)
	return b.CallN(internal, "ScaledMatMulInteger", 1, attrs, integerInputs(n)...)[0]
}
