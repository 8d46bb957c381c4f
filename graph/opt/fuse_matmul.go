package opt

import (
	"math"
	"slices"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/fused"
)

// fusedMatMul matches the internal product, with or without bias.
var fusedMatMul = OpIn(internal, "FusedMatMul", Var("a"), Var("b")).More().As("product")

// flattened matches an operand whose leading axes were joined.
var flattened = Op("Reshape", Var("x"), Var("flat"))

// productRules turn matrix products and what surrounds them into the internal FusedMatMul: biases, factors, activations and
// transposed operands or results.
var productRules = []Rule{
	{Name: "matmul-bias", Match: Op("Add", Op("MatMul", Var("a"), Var("b")).As("product"), Var("bias")), Build: addBias},
	{Name: "fused-matmul-bias", Match: Op("Add", OpIn(internal, "FusedMatMul", Var("a"), Var("b")).As("product"), Var("bias")), Build: addBias},
	{Name: "reshape-gemm-reshape", Match: Op("Reshape", AnyOf(
		Op("Gemm", flattened, Var("b")).More().As("product"),
		Op("MatMul", flattened, Var("b")).As("product"),
		OpIn(internal, "FusedMatMul", flattened, Var("b")).More().As("product"),
	), Var("shape")).As("restore"), Build: unflatten},
	{Name: "matmul-scale", Match: AnyOf(
		OneOf([]string{"Mul", "Div"}, Op("MatMul", Var("a"), Var("b")).As("product"), ConstVar("factor")).As("scale"),
		OneOf([]string{"Mul", "Div"}, OpIn(internal, "FusedMatMul", Var("a"), Var("b")).As("product"), ConstVar("factor")).As("scale"),
	), Build: scaleProduct},
	{Name: "scale-matmul", Match: AnyOf(
		Op("MatMul", OneOf([]string{"Mul", "Div"}, Var("a"), ConstVar("factor")).As("scale"), Var("b")).As("product"),
		Op("MatMul", Var("a"), OneOf([]string{"Mul", "Div"}, Var("b"), ConstVar("factor")).As("scale")).As("product"),
		OpIn(internal, "FusedMatMul", OneOf([]string{"Mul", "Div"}, Var("a"), ConstVar("factor")).As("scale"), Var("b")).More().As("product"),
		OpIn(internal, "FusedMatMul", Var("a"), OneOf([]string{"Mul", "Div"}, Var("b"), ConstVar("factor")).As("scale")).More().As("product"),
	), Build: scaleProduct},
	{Name: "transpose-matmul", Match: AnyOf(
		Op("MatMul", Op("Transpose", Var("a")).As("left"), Var("b")).As("product"),
		OpIn(internal, "FusedMatMul", Op("Transpose", Var("a")).As("left"), Var("b")).More().As("product"),
	), Build: transposeOperand},
	{Name: "matmul-transposed", Match: AnyOf(
		Op("MatMul", Var("a"), Op("Transpose", Var("b")).As("right")).As("product"),
		OpIn(internal, "FusedMatMul", Var("a"), Op("Transpose", Var("b")).As("right")).More().As("product"),
	), Build: transposeOperand},
	{Name: "matmul-transpose", Match: AnyOf(
		Op("Transpose", Op("MatMul", Var("a"), Var("b")).As("product")).As("after"),
		Op("Transpose", fusedMatMul).As("after"),
	), Build: transposeResult},
	{Name: "matmul-activation", Match: OneOf(activationOps, AnyOf(
		Op("MatMul", Var("a"), Var("b")).As("product"),
		fusedMatMul,
		Op("Gemm", Var("a"), Var("b")).More().As("product"),
	)).More().As("act"), Build: activateProduct},
}

// product is a FusedMatMul in the making.
type product struct {
	a, b, bias *graph.Value
	permA      []int
	permB      []int
	permY      []int
	alpha      float32
	act        fused.Activation
}

// readProduct reads a MatMul, FusedMatMul or Gemm, or returns nil with the reason if it cannot be a FusedMatMul. a and b are the
// operands, which the caller may have found behind the node's inputs.
func readProduct(b *Rewrite, n *graph.Node) *product {
	p := &product{a: n.Inputs[0], b: n.Inputs[1], alpha: floatAttr(n, "alpha", 1)}
	switch {
	case !isFloat32(p.a) || !isFloat32(p.b):
		b.Refuse("not float32")
		return nil
	case rankOf(p.a) < 2 || rankOf(p.b) < 2:
		b.Refuse("not matrices")
		return nil
	}
	if n.OpType == "Gemm" {
		return readGemm(b, n, p)
	}
	p.permA, p.permB, p.permY = intsAttr(n, "perm_a"), intsAttr(n, "perm_b"), intsAttr(n, "perm_y")
	p.act.Name, _ = n.Attrs["activation"].(string)
	p.act.Alpha, p.act.Beta = floatAttr(n, "activation_alpha", 0), floatAttr(n, "activation_beta", 0)
	if len(n.Inputs) > 2 {
		p.bias = n.Inputs[2]
	}
	return p
}

func readGemm(b *Rewrite, n *graph.Node, p *product) *product {
	if intAttr(n, "transA", 0) != 0 {
		p.permA = []int{1, 0}
	}
	if intAttr(n, "transB", 0) != 0 {
		p.permB = []int{1, 0}
	}
	if p.alpha == 0 {
		b.Refuse("alpha is 0")
		return nil
	}
	if len(n.Inputs) < 3 || n.Inputs[2] == nil {
		return p
	}
	p.bias = n.Inputs[2]
	columns, ok := lastDim(n.Outputs[0])
	if !ok || !isVector(p.bias, columns) || !isFloat32(p.bias) {
		b.Refuse("the bias is no vector")
		return nil
	}
	switch beta := floatAttr(n, "beta", 1); {
	case beta == 1:
	case beta == 0:
		p.bias = nil
	case float32Of(p.bias) != nil:
		p.bias = b.Const(times(p.bias.Tensor(), beta))
	default:
		b.Refuse("the bias is scaled")
		return nil
	}
	return p
}

// times returns t scaled.
func times(t *tensor.Tensor, f float32) *tensor.Tensor {
	out := tensor.New(tensor.Float32, t.Shape()...)
	for i, v := range t.Float32() {
		out.Float32()[i] = v * f
	}
	return out
}

func (p *product) build(b *Rewrite) *graph.Value {
	attrs := graph.Attrs{}
	for name, perm := range map[string][]int{"perm_a": p.permA, "perm_b": p.permB, "perm_y": p.permY} {
		if perm != nil && !slices.IsSorted(perm) {
			attrs[name] = perm
		}
	}
	if p.alpha != 1 {
		attrs["alpha"] = p.alpha
	}
	p.act.Attrs(attrs)
	in := []*graph.Value{p.a, p.b}
	if p.bias != nil {
		in = append(in, p.bias)
	}
	return b.CallN(internal, "FusedMatMul", 1, attrs, in...)[0]
}

func addBias(b *Rewrite, m *Match) *graph.Value {
	n, bias := m.Node("product"), m.Value("bias")
	columns, ok := lastDim(n.Outputs[0])
	if !ok || !isVector(bias, columns) || !isFloat32(bias) || rankOf(bias) > rankOf(n.Outputs[0]) {
		return nil
	}
	p := readProduct(b, n)
	if p == nil || p.act.Name != "" {
		return nil
	}
	p.bias = bias
	return p.build(b)
}

// scaleProduct moves a factor of the result or of an operand into the product.
func scaleProduct(b *Rewrite, m *Match) *graph.Value {
	n, s := m.Node("product"), m.Node("scale")
	f, ok := Scalar(m.Value("factor"))
	if !ok || rankOf(m.Value("factor")) > 0 && rankOf(m.Value("factor")) > rankOf(s.Outputs[0]) || m.Value("factor") == s.Inputs[0] && s.OpType == "Div" {
		return nil
	}
	if s.OpType == "Div" {
		f = 1 / f
	}
	p := readProduct(b, n)
	if p == nil {
		return nil
	}
	after := s.Inputs[0] == n.Outputs[0] || s.Inputs[1] == n.Outputs[0]
	alpha := float64(p.alpha) * f
	if after && (p.act.Name != "" || p.bias != nil && float32Of(p.bias) == nil) || float32(alpha) == 0 || math.IsInf(float64(float32(alpha)), 0) || math.IsNaN(alpha) {
		return nil
	}
	if after && p.bias != nil {
		p.bias = b.Const(times(p.bias.Tensor(), float32(f)))
	}
	p.a, p.b, p.alpha = m.Value("a"), m.Value("b"), float32(alpha)
	if rankOf(p.a) != rankOf(n.Inputs[0]) || rankOf(p.b) != rankOf(n.Inputs[1]) {
		return nil
	}
	return p.build(b)
}

// permOf returns the permutation of a Transpose.
func permOf(n *graph.Node) []int {
	if p := intsAttr(n, "perm"); p != nil {
		return p
	}
	rank := rankOf(n.Inputs[0])
	if rank < 0 {
		return nil
	}
	p := make([]int, rank)
	for i := range p {
		p[i] = rank - 1 - i
	}
	return p
}

// compose returns the permutation that first does p, then q, which may be nil.
func compose(p, q []int) []int {
	if q == nil {
		return p
	}
	out := make([]int, len(q))
	for i, k := range q {
		out[i] = p[k]
	}
	return out
}

// transposeOperand reads an operand through its transposition. Elements that are far apart along both axes of a matrix are slow
// to collect, so either the rows or the columns must lie together.
func transposeOperand(b *Rewrite, m *Match) *graph.Value {
	p := readProduct(b, m.Node("product"))
	if p == nil {
		return nil
	}
	for _, side := range []struct {
		t    *graph.Node
		v    **graph.Value
		perm *[]int
	}{{m.Node("left"), &p.a, &p.permA}, {m.Node("right"), &p.b, &p.permB}} {
		if side.t == nil {
			continue
		}
		perm := permOf(side.t)
		if len(perm) < 2 {
			return b.Refuse("unknown rank")
		}
		perm = compose(perm, *side.perm)
		n := len(perm)
		if perm[n-1] != n-1 && perm[n-2] != n-1 {
			return b.Refuse("neither rows nor columns lie together")
		}
		*side.v, *side.perm = side.t.Inputs[0], perm
	}
	return p.build(b)
}

// transposeResult writes the result where the transposition would move it; rows must stay rows.
func transposeResult(b *Rewrite, m *Match) *graph.Value {
	perm := permOf(m.Node("after"))
	p := readProduct(b, m.Node("product"))
	if p == nil {
		return nil
	}
	if n := len(perm); n < 2 || perm[n-1] != n-1 {
		return b.Refuse("columns do not stay columns")
	}
	if p.permY == nil {
		p.permY = perm
	} else {
		p.permY = compose(p.permY, perm)
	}
	return p.build(b)
}

// unflatten drops reshapes around a product that only join the leading axes into one and take them apart again.
func unflatten(b *Rewrite, m *Match) *graph.Value {
	x, n, y := m.Value("x"), m.Node("product"), m.Node("restore").Outputs[0]
	in, ok1 := dimsOf(x)
	out, ok2 := dimsOf(y)
	if !ok1 || !ok2 || len(in) < 2 || len(in) != len(out) {
		return b.Refuse("unknown rank")
	}
	last := len(in) - 1
	for i := range last {
		if !in[i].Known() || !in[i].Equal(out[i]) {
			return b.Refuse("the leading axes are not known to come back")
		}
	}
	flat, _ := dimsOf(n.Inputs[0])
	columns, ok := lastDim(n.Outputs[0])
	if len(flat) != 2 || !flat[1].Known() || !flat[1].Equal(in[last]) || !ok || !out[last].Is(columns) {
		return b.Refuse("the last axis is not kept")
	}
	p := readProduct(b, n)
	if p == nil || p.permA != nil || p.permY != nil {
		return nil
	}
	p.a = x
	return p.build(b)
}

// activationOps are what a product or convolution can apply to its result.
var activationOps = []string{"Relu", "LeakyRelu", "Clip", "HardSigmoid", "HardSwish", "Sigmoid", "Tanh", "Gelu", "Swish", "Mish", "Elu", "Softplus"}

// activationOf returns the function of a node of activationOps.
func activationOf(n *graph.Node) (fused.Activation, bool) {
	a := fused.Activation{Name: n.OpType}
	switch n.OpType {
	case "LeakyRelu":
		a.Alpha = floatAttr(n, "alpha", 0.01)
	case "Elu", "Swish":
		a.Alpha = floatAttr(n, "alpha", 1)
	case "HardSigmoid":
		a.Alpha, a.Beta = floatAttr(n, "alpha", 0.2), floatAttr(n, "beta", 0.5)
	case "Clip":
		lo, hi, ok := clipBounds(n)
		if !ok {
			return a, false
		}
		a.Alpha, a.Beta = lo, hi
	case "Gelu":
		if s, _ := n.Attrs["approximate"].(string); s == "tanh" {
			a.Name = "GeluTanh"
		}
	}
	return a, true
}

func activateProduct(b *Rewrite, m *Match) *graph.Value {
	act, ok := activationOf(m.Node("act"))
	if !ok {
		return b.Refuse("the activation's parameters are not constant")
	}
	p := readProduct(b, m.Node("product"))
	if p == nil || p.act.Name != "" {
		return nil
	}
	p.act = act
	return p.build(b)
}
