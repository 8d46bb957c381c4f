package opt

import (
	"math"
	"slices"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// batchNormRules fold a BatchNormalization with constant parameters into the constant weights before it:
// s·(W·x + b - mean) + bias with s = scale/√(var+ε) is (s·W)·x + (s·(b-mean) + bias).
var batchNormRules = []Rule{
	{Name: "conv-batchnorm", Match: batchNorm(Op("Conv", Var("x"), ConstVar("w")).As("conv")), Build: foldConv},
	{Name: "conv-bias-batchnorm", Match: batchNorm(Op("Conv", Var("x"), ConstVar("w"), ConstVar("b")).As("conv")), Build: foldConv},
	{Name: "matmul-batchnorm", Match: batchNorm(Op("MatMul", Var("x"), ConstVar("w"))), Build: foldMatMul},
	{Name: "matmul-transpose-batchnorm", Match: batchNorm(Op("Transpose", Op("MatMul", Var("x"), ConstVar("w"))).As("transpose")), Build: foldMatMul},
}

func batchNorm(x Pattern) Pattern {
	return Op("BatchNormalization", x, ConstVar("scale"), ConstVar("bias"), ConstVar("mean"), ConstVar("var")).As("bn").If(func(n *graph.Node) bool {
		train, _ := n.Attrs["training_mode"].(int64)
		outs := slices.ContainsFunc(n.Outputs[1:], func(v *graph.Value) bool { return v != nil })
		return train == 0 && !outs && n.Opset >= 7
	})
}

// affine returns the factor and the offset of each channel, or false if a parameter is not a float vector.
func affine(m *Match, bias []float32) (s, b []float32, ok bool) {
	var p [4][]float32
	for i, name := range []string{"scale", "bias", "mean", "var"} {
		t := m.Tensor(name)
		if t.DType() != tensor.Float32 || t.Rank() != 1 {
			return nil, nil, false
		}
		p[i] = t.Float32()
	}
	eps := 1e-5
	if e, ok := m.Node("bn").Attrs["epsilon"].(float32); ok {
		eps = float64(e)
	}
	n := len(p[0])
	s, b = make([]float32, n), make([]float32, n)
	for i := range s {
		f := float64(p[0][i]) / math.Sqrt(float64(p[3][i])+eps)
		off := -float64(p[2][i])
		if bias != nil {
			off += float64(bias[i])
		}
		s[i], b[i] = float32(f), float32(f*off+float64(p[1][i]))
	}
	return s, b, true
}

func foldConv(b *Rewrite, m *Match) *graph.Value {
	w := m.Tensor("w")
	var bias []float32
	if t := m.Tensor("b"); t != nil {
		if t.DType() != tensor.Float32 {
			return b.Refuse("not float weights")
		}
		bias = t.Float32()
	}
	if w.DType() != tensor.Float32 || w.Rank() < 1 || m.Tensor("scale").Len() != w.Dim(0) || bias != nil && len(bias) != w.Dim(0) {
		return b.Refuse("the weights do not fit")
	}
	s, off, ok := affine(m, bias)
	if !ok {
		return b.Refuse("not float parameters")
	}
	scaled := tensor.New(tensor.Float32, w.Shape()...)
	row := w.Len() / max(len(s), 1)
	for i, f := range s {
		for j := i * row; j < (i+1)*row; j++ {
			scaled.Float32()[j] = f * w.Float32()[j]
		}
	}
	return b.Call("Conv", m.Node("conv").Attrs, m.Value("x"), b.Const(scaled), b.Const(tensor.Vector(off...)))
}

// foldMatMul folds into the columns of a constant matrix, through a Transpose if there is one. The channels, axis 1, must be
// the columns. A file may contradict itself there: if the parameters fit the columns and not axis 1, the columns are meant,
// which is what other runtimes compute.
func foldMatMul(b *Rewrite, m *Match) *graph.Value {
	w := m.Tensor("w")
	s, off, ok := affine(m, nil)
	if !ok || w.DType() != tensor.Float32 || w.Rank() != 2 || w.Dim(1) != len(s) {
		return b.Refuse("the weights do not fit")
	}
	t := m.Node("transpose")
	in := m.Node("bn").Inputs[0].Type
	if !in.Ranked || len(in.Dims) < 2 {
		return b.Refuse("unknown rank")
	}
	channel := 1
	if t != nil {
		channel = len(in.Dims) - 2 // the default perm reverses the axes
		if perm, ok := t.Attrs["perm"].([]int64); ok {
			channel = int(perm[1])
		}
	}
	if d, known := in.Dims[1].Int(); channel != len(in.Dims)-1 && (!known || d == len(s)) {
		return b.Refuse("the channels are not the columns")
	}
	scaled := tensor.New(tensor.Float32, w.Shape()...)
	for i, v := range w.Float32() {
		scaled.Float32()[i] = v * s[i%len(s)]
	}
	y := b.Call("Add", nil, b.Call("MatMul", nil, m.Value("x"), b.Const(scaled)), b.Const(tensor.Vector(off...)))
	if t != nil {
		y = b.Call("Transpose", t.Attrs, y)
	}
	return y
}
