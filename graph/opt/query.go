package opt

import (
	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

const internal = ops.Internal

// intAttr returns an integer attribute.
func intAttr(n *graph.Node, name string, def int) int {
	if v, ok := n.Attrs[name].(int64); ok {
		return int(v)
	}
	return def
}

// floatAttr returns a float attribute.
func floatAttr(n *graph.Node, name string, def float32) float32 {
	if v, ok := n.Attrs[name].(float32); ok {
		return v
	}
	return def
}

// intsAttr returns a list attribute, nil if it is absent.
func intsAttr(n *graph.Node, name string) []int {
	v, ok := n.Attrs[name].([]int64)
	if !ok {
		return nil
	}
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}

// intsOf returns the attribute of that name or, in later versions of the operator, the constant integers at input i. ok is
// false if the input is there and not constant.
func intsOf(n *graph.Node, name string, i int) (v []int, ok bool) {
	if v := intsAttr(n, name); v != nil {
		return v, true
	}
	if i >= len(n.Inputs) || n.Inputs[i] == nil {
		return nil, true
	}
	t := n.Inputs[i].Tensor()
	if t == nil {
		return nil, false
	}
	v, err := t.Ints()
	return v, err == nil
}

// dimsOf returns the dimensions of a tensor of known rank.
func dimsOf(v *graph.Value) ([]tensor.Dim, bool) {
	if v == nil || v.Type.Kind != tensor.KindTensor || !v.Type.Ranked {
		return nil, false
	}
	return v.Type.Dims, true
}

// rankOf returns the rank of a tensor, or -1.
func rankOf(v *graph.Value) int {
	d, ok := dimsOf(v)
	if !ok {
		return -1
	}
	return len(d)
}

// lastDim returns the last dimension if it is a known number.
func lastDim(v *graph.Value) (int, bool) {
	d, ok := dimsOf(v)
	if !ok || len(d) == 0 {
		return 0, false
	}
	return d[len(d)-1].Int()
}

// sameDims reports whether two tensors are known to have equal shapes.
func sameDims(a, b *graph.Value) bool {
	d, ok1 := dimsOf(a)
	e, ok2 := dimsOf(b)
	if !ok1 || !ok2 || len(d) != len(e) {
		return false
	}
	for i := range d {
		if !d[i].Known() || !d[i].Equal(e[i]) {
			return false
		}
	}
	return true
}

// isFloat32 reports whether v is a tensor of float32.
func isFloat32(v *graph.Value) bool {
	return v != nil && v.Type.Kind == tensor.KindTensor && v.Type.DType == tensor.Float32
}

// float32Of returns the elements of a constant float32 tensor, or nil.
func float32Of(v *graph.Value) []float32 {
	t := v.Tensor()
	if t == nil || t.DType() != tensor.Float32 {
		return nil
	}
	return t.Float32()
}

// isVector reports whether v is a tensor of n elements that lie along its last axis.
func isVector(v *graph.Value, n int) bool {
	d, ok := dimsOf(v)
	if !ok || len(d) == 0 || !d[len(d)-1].Is(n) {
		return false
	}
	for _, x := range d[:len(d)-1] {
		if !x.Is(1) {
			return false
		}
	}
	return true
}
