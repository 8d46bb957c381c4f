package cost

import (
	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// shapes gives formulas access to a node's shapes.
type shapes struct{ n *graph.Node }

// in is the shape of an input; ok is false if it is absent or not known in full.
func (s shapes) in(i int) (tensor.Shape, bool) {
	if i >= len(s.n.Inputs) || s.n.Inputs[i] == nil {
		return nil, false
	}
	return s.n.Inputs[i].Type.Shape()
}

func (s shapes) out(i int) (tensor.Shape, bool) {
	if i >= len(s.n.Outputs) || s.n.Outputs[i] == nil {
		return nil, false
	}
	return s.n.Outputs[i].Type.Shape()
}

func (s shapes) has(i int) bool { return i < len(s.n.Inputs) && s.n.Inputs[i] != nil }

func (s shapes) int(attr string, def int) int {
	if v, ok := s.n.Attrs[attr].(int64); ok {
		return int(v)
	}
	return def
}

// elements is the number of elements, as a float against overflow.
func elements(s tensor.Shape) float64 {
	n := 1.0
	for _, d := range s {
		n *= float64(d)
	}
	return n
}

// formula computes the operations of a node; ok is false if shapes that it needs are not known.
type formula func(shapes) (flops float64, ok bool)

// perOutput counts k operations for each element of the first output.
func perOutput(k float64) formula {
	return func(s shapes) (float64, bool) {
		out, ok := s.out(0)
		return k * elements(out), ok
	}
}

// perInput counts k operations for each element of the first input.
func perInput(k float64) formula {
	return func(s shapes) (float64, bool) {
		in, ok := s.in(0)
		return k * elements(in), ok
	}
}

func free(shapes) (float64, bool) { return 0, true }

// sum is the element-wise sum of all inputs and its like.
func sum(s shapes) (float64, bool) {
	out, ok := s.out(0)
	return float64(max(len(s.n.Inputs)-1, 1)) * elements(out), ok
}

// product is a matrix product whose left factor is input a: every output takes as many multiply-adds as that has columns.
func product(a int, trans string) formula {
	return func(s shapes) (float64, bool) {
		left, ok1 := s.in(a)
		out, ok2 := s.out(0)
		if !ok1 || !ok2 || len(left) == 0 {
			return 0, false
		}
		k := left[len(left)-1]
		if trans != "" && s.int(trans, 0) != 0 && len(left) > 1 {
			k = left[len(left)-2]
		}
		return 2 * elements(out) * float64(k), true
	}
}

func gemm(s shapes) (float64, bool) {
	flops, ok := product(0, "transA")(s)
	if out, known := s.out(0); known && s.has(2) {
		flops += elements(out)
	}
	return flops, ok
}

// conv takes a multiply-add for each output element and weight of its filter; w is the input that holds the filters.
func conv(w, bias int) formula {
	return func(s shapes) (float64, bool) {
		filters, ok1 := s.in(w)
		out, ok2 := s.out(0)
		if !ok1 || !ok2 || len(filters) == 0 {
			return 0, false
		}
		flops := 2 * elements(out) * elements(filters[1:])
		if s.has(bias) {
			flops += elements(out)
		}
		return flops, true
	}
}

func convTranspose(s shapes) (float64, bool) {
	in, ok1 := s.in(0)
	filters, ok2 := s.in(1)
	if !ok1 || !ok2 || len(filters) == 0 {
		return 0, false
	}
	return 2 * elements(in) * elements(filters[1:]), true
}

func pool(s shapes) (float64, bool) {
	out, ok := s.out(0)
	k := 1.0
	if kernel, found := s.n.Attrs["kernel_shape"].([]int64); found {
		for _, n := range kernel {
			k *= float64(n)
		}
	}
	return k * elements(out), ok
}

// recurrent counts the products with the weights; X is [steps, batch, inputs] or, with layout 1, [batch, steps, inputs].
func recurrent(s shapes) (float64, bool) {
	x, ok1 := s.in(0)
	w, ok2 := s.in(1)
	r, ok3 := s.in(2)
	if !ok1 || !ok2 || !ok3 || len(x) < 2 {
		return 0, false
	}
	return 2 * float64(x[0]) * float64(x[1]) * (elements(w) + elements(r)), true
}

// attention counts the two products of scaled dot-product attention. Q is [batch, heads, queries, size] or [batch, queries,
// heads·size]; K and V hold one entry per key, with fewer heads perhaps.
func attention(s shapes) (float64, bool) {
	q, ok1 := s.in(0)
	k, ok2 := s.in(1)
	out, ok3 := s.out(0)
	if !ok1 || !ok2 || !ok3 || len(q) < 3 || len(k) < 3 {
		return 0, false
	}
	return 2 * (elements(q) + elements(out)) * float64(k[len(k)-2]), true
}

var formulas = map[string]formula{
	"MatMul": product(0, ""), "MatMulInteger": product(0, ""), "QLinearMatMul": product(0, ""), "Gemm": gemm,
	"com.microsoft.FusedMatMul": product(0, "transA"), "com.microsoft.FusedGemm": gemm, "com.microsoft.MatMulNBits": product(0, ""),
	"com.microsoft.MatMulBnb4": product(0, ""), "com.microsoft.DynamicQuantizeMatMul": product(0, ""),
	"com.microsoft.MatMulIntegerToFloat": product(0, ""), "com.microsoft.QGemm": product(0, "transA"),
	"Conv": conv(1, 2), "ConvInteger": conv(1, -1), "QLinearConv": conv(3, 8), "DeformConv": conv(1, 3), "com.microsoft.FusedConv": conv(1, 2),
	"ConvTranspose": convTranspose,
	"LSTM":          recurrent, "GRU": recurrent, "RNN": recurrent, "com.microsoft.DynamicQuantizeLSTM": recurrent,
	"Attention": attention, "com.microsoft.MultiHeadAttention": attention,
	"MaxPool": pool, "AveragePool": pool, "LpPool": pool,
	"Softmax": perOutput(5), "LogSoftmax": perOutput(5), "Hardmax": perOutput(2),
	"LayerNormalization": perOutput(8), "RMSNormalization": perOutput(5), "GroupNormalization": perOutput(8),
	"InstanceNormalization": perOutput(8), "MeanVarianceNormalization": perOutput(8), "LRN": perOutput(8), "LpNormalization": perOutput(3),
	"BatchNormalization": perOutput(2), "SimplifiedLayerNormalization": perOutput(5), "com.microsoft.SkipLayerNormalization": perOutput(9),
	"com.microsoft.SkipSimplifiedLayerNormalization": perOutput(6), "com.microsoft.BiasGelu": perOutput(2),
}

func init() {
	for _, op := range []string{"Sum", "Min", "Max", "Mean"} {
		formulas[op] = sum
	}
	for _, op := range []string{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum",
		"ReduceLogSumExp", "ReduceSumSquare", "ArgMax", "ArgMin", "CumSum", "CumProd", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"} {
		formulas[op] = perInput(1)
	}
	for _, op := range []string{"Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BitShift", "BitwiseAnd", "BitwiseNot",
		"BitwiseOr", "BitwiseXor", "Ceil", "Celu", "Clip", "Cos", "Cosh", "DequantizeLinear", "Div", "Elu", "Equal", "Erf", "Exp", "Floor",
		"Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "IsInf", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log", "Mish",
		"Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "QuantizeLinear", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid",
		"Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Sub", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Where", "Xor",
		"com.microsoft.Gelu", "com.microsoft.FastGelu", "com.microsoft.QuickGelu", "com.microsoft.QLinearAdd", "com.microsoft.QLinearMul"} {
		formulas[op] = perOutput(1)
	}
	for _, op := range []string{"Cast", "CastLike", "CenterCropPad", "Compress", "Concat", "Constant", "ConstantOfShape", "DepthToSpace",
		"Dropout", "Expand", "EyeLike", "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "OneHot", "Pad", "Range", "Reshape",
		"ReverseSequence", "Scatter", "ScatterElements", "ScatterND", "Shape", "Size", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile",
		"Transpose", "Trilu", "Unsqueeze", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceInsert", "SequenceLength",
		"SequenceErase", "SplitToSequence", "ConcatFromSequence", "Optional", "OptionalGetElement", "OptionalHasElement"} {
		formulas[op] = free
	}
}
