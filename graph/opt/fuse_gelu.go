package opt

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/graph"
)

// geluRules find x/2·(1 + erf(x/√2)) and x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))) in the orders in which exporters write them.
var geluRules = []Rule{
	{Name: "gelu-erf", Match: halves(AnyOf(
		Op("Add", Op("Erf", AnyOf(
			Op("Div", gx, Const(math.Sqrt2)),
			Op("Mul", gx, Const(math.Sqrt2/2)),
		)), Const(1)),
	)), Build: func(b *Rewrite, m *Match) *graph.Value { return buildGelu(b, m, "none") }},
	{Name: "gelu-tanh", Match: halves(Op("Add", Op("Tanh", AnyOf(
		Op("Mul", tanhSum, tanhScale),
		// x·(√(2/π)·(1 + 0.044715·x²)) and √(2/π)·x·(1 + 0.044715·x²)
		Op("Mul", gx, Op("Mul", onePlusSquare, tanhScale)),
		Op("Mul", Op("Mul", gx, tanhScale), onePlusSquare),
		Op("Mul", gx, Op("Add", Op("Mul", square, ConstNear(0.044715*0.7978845608, 1e-3)), tanhScale)),
	)), Const(1))), Build: func(b *Rewrite, m *Match) *graph.Value { return buildGelu(b, m, "tanh") }},
}

var (
	gx        = Var("x")
	tanhScale = ConstNear(math.Sqrt(2/math.Pi), 1e-4)
	square    = AnyOf(Op("Pow", gx, Const(2)), Op("Mul", gx, gx))
	cube      = AnyOf(Op("Pow", gx, Const(3)), Op("Mul", square, gx))
	coef      = ConstNear(0.044715, 1e-4)
	cubic     = AnyOf(Op("Mul", cube, coef), Op("Mul", Op("Mul", gx, coef), square), Op("Mul", Op("Mul", square, coef), gx),
		Op("Mul", Op("Mul", Op("Mul", gx, coef), gx), gx))
	tanhSum       = Op("Add", gx, cubic)
	onePlusSquare = Op("Add", Op("Mul", square, coef), Const(1))
)

// halves matches 0.5·x·f with the factors in any order.
func halves(f Pattern) Pattern {
	half := AnyOf(Op("Mul", gx, Const(0.5)), Op("Div", gx, Const(2)))
	return AnyOf(
		Op("Mul", half, f),
		Op("Mul", Op("Mul", gx, f), Const(0.5)),
		Op("Div", Op("Mul", gx, f), Const(2)),
		Op("Mul", gx, AnyOf(Op("Mul", f, Const(0.5)), Op("Div", f, Const(2)))),
	)
}

func buildGelu(b *Rewrite, m *Match, approximate string) *graph.Value {
	x := m.Value("x")
	if !isFloat32(x) {
		return b.Refuse("not float32")
	}
	b.Opset = 0
	if approximate == "none" {
		return b.Call("Gelu", nil, x)
	}
	return b.Call("Gelu", graph.Attrs{"approximate": approximate}, x)
}

// viewRules move activations before a Reshape, so that they come to stand behind the product whose result is reshaped.
var viewRules = []Rule{
	{Name: "activation-before-reshape", Match: OneOf(activationOps, Op("Reshape", gx, Var("shape")).As("view")).More().As("act"), Build: func(b *Rewrite, m *Match) *graph.Value {
		act, view := m.Node("act"), m.Node("view")
		if !b.Defined(m.Value("x")) || !isFloat32(m.Value("x")) || len(m.Root.Outputs) != 1 {
			return nil
		}
		if _, ok := activationOf(act); !ok {
			return nil
		}
		b.Opset = act.Opset
		y := b.Call(act.OpType, act.Attrs, append([]*graph.Value{m.Value("x")}, act.Inputs[1:]...)...)
		b.Opset = view.Opset
		return b.Call("Reshape", view.Attrs, y, m.Value("shape"))
	}},
}

// swishRules find x·sigmoid(α·x).
var swishRules = []Rule{
	{Name: "swish", Match: Op("Mul", gx, Op("Sigmoid", gx)), Build: buildSwish},
	{Name: "quick-gelu", Match: Op("Mul", gx, Op("Sigmoid", Op("Mul", gx, ConstVar("alpha")))), Build: buildSwish},
	// x/(1 + e^-x)
	{Name: "swish-exp", Match: Op("Div", gx, Op("Add", Op("Exp", Op("Neg", gx)), Const(1))), Build: buildSwish},
	{Name: "hardswish", Match: Op("Mul", gx, Op("HardSigmoid", gx).As("gate").If(isHardSwishGate)), Build: buildHardSwish},
	// x·clip(x+3, 0, 6)/6
	{Name: "hardswish-clip", Match: AnyOf(
		Op("Div", Op("Mul", gx, clip03), Const(6)),
		Op("Mul", gx, Op("Div", clip03, Const(6))),
		Op("Mul", Op("Mul", gx, clip03), Const(1.0/6)),
		Op("Mul", gx, Op("Mul", clip03, Const(1.0/6))),
	), Build: buildHardSwish},
	{Name: "mish", Match: Op("Mul", gx, Op("Tanh", Op("Softplus", gx))), Build: func(b *Rewrite, m *Match) *graph.Value { return newest(b, m, "Mish") }},
}

var clip03 = Op("Clip", Op("Add", gx, Const(3))).More().If(func(n *graph.Node) bool {
	lo, hi, ok := clipBounds(n)
	return ok && lo == 0 && hi == 6
})

func isHardSwishGate(n *graph.Node) bool {
	return math.Abs(float64(floatAttr(n, "alpha", 0.2))-1.0/6) < 1e-6 && floatAttr(n, "beta", 0.5) == 0.5
}

func buildSwish(b *Rewrite, m *Match) *graph.Value {
	if !isFloat32(m.Value("x")) {
		return b.Refuse("not float32")
	}
	alpha := float32(1)
	if v := m.Value("alpha"); v != nil {
		f, ok := Scalar(v)
		if !ok || f == 0 {
			return b.Refuse("the factor is no number")
		}
		alpha = float32(f)
	}
	b.Opset = 0
	return b.Call("Swish", graph.Attrs{"alpha": alpha}, m.Value("x"))
}

func buildHardSwish(b *Rewrite, m *Match) *graph.Value { return newest(b, m, "HardSwish") }

// newest calls an operator in its newest version on x.
func newest(b *Rewrite, m *Match, op string) *graph.Value {
	if !isFloat32(m.Value("x")) {
		return b.Refuse("not float32")
	}
	b.Opset = 0
	return b.Call(op, nil, m.Value("x"))
}

// clipBounds returns the constant bounds of a Clip; an absent one is the largest float32.
func clipBounds(n *graph.Node) (lo, hi float32, ok bool) {
	lo, hi = floatAttr(n, "min", -math.MaxFloat32), floatAttr(n, "max", math.MaxFloat32)
	for i, to := range []*float32{&lo, &hi} {
		if i+1 >= len(n.Inputs) || n.Inputs[i+1] == nil {
			continue
		}
		f, isNumber := Scalar(n.Inputs[i+1])
		if !isNumber {
			return 0, 0, false
		}
		*to = float32(f)
	}
	return lo, hi, true
}
