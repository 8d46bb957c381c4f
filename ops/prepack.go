package ops

import "github.com/sardonyx-ml/sardonyx/onnx/tensor"

// Prepacker is implemented by operators that arrange constant inputs for their kernels once, when a session is made.
type Prepacker interface {
	Op
	// Prepack returns an operator with the constant inputs built in as far as that helps, and the inputs that it does not
	// read any more: Run gets nil for these. in[i] is nil for inputs that are absent or not constant. The operator is
	// returned unchanged, with no inputs dropped, if there is nothing to arrange.
	Prepack(in []*tensor.Tensor) (op Op, dropped []int)
}

// Prepack implements Prepacker for operators that do in float32: half-precision constants are widened first.
func (w widened) Prepack(in []*tensor.Tensor) (Op, []int) {
	p, ok := w.Op.(Prepacker)
	if !ok {
		return w, nil
	}
	wide := make([]*tensor.Tensor, len(in))
	for i, t := range in {
		if wide[i] = t; t != nil && isHalf(t.DType()) {
			wide[i], _ = t.AsFloat32()
		}
	}
	op, dropped := p.Prepack(wide)
	return widened{op, w.outFrom}, dropped
}
