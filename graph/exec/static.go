package exec

import (
	"slices"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// Much of an exported graph computes shapes from shapes. Such steps are static: their results depend on the shapes of values
// alone, so a run keeps them and computes them again only when a shape changes. Where inference knows a shape as expressions
// over the inputs' symbols, the inputs' shapes tell; other shapes are observed: their Shape steps run each time, and a result
// that differs from the last one drops everything that was kept.

// maxStatic is the largest result in bytes that is kept.
const maxStatic = 64 << 10

// isStatic reports whether a node's results follow from shapes: it reads static values and constants only, or the shape of a
// value. observed is set if inference does not know that shape.
func (c *compiler) isStatic(n *graph.Node) (static, observed bool) {
	if c.outer != nil || n.HasSubgraphs() || graph.IsRandom(n.OpType) || len(n.Inputs) == 0 {
		return false, false
	}
	if n.Domain == "" && (n.OpType == "Shape" || n.OpType == "Size") && n.Inputs[0] != nil {
		t := n.Inputs[0].Type
		unknown := func(d tensor.Dim) bool { return !d.Known() }
		return true, t.Kind != tensor.KindTensor || !t.Ranked || slices.ContainsFunc(t.Dims, unknown)
	}
	for _, v := range n.Inputs {
		if v != nil && v.Const == nil && !c.static[v] {
			return false, false
		}
	}
	return true, false
}

// staticResults are the results of a frame's static steps for one set of input shapes.
type staticResults struct {
	key []int            // ranks and shapes of the inputs
	out [][]tensor.Value // by step; nil where nothing is kept
	buf []int            // memory for the next key
}

// prepare drops the results if the inputs have other shapes than before.
func (s *staticResults) prepare(in []tensor.Value, steps int) {
	s.buf = s.buf[:0]
	for _, v := range in {
		t, ok := v.(*tensor.Tensor)
		if !ok {
			s.buf = append(s.buf, -1)
			continue
		}
		s.buf = append(s.buf, t.Rank())
		s.buf = append(s.buf, t.Shape()...)
	}
	if s.out != nil && slices.Equal(s.buf, s.key) {
		return
	}
	s.key = append(s.key[:0], s.buf...)
	s.out = make([][]tensor.Value, steps)
}

// observe compares the result of a Shape or Size step with the last one. It drops all kept results if they differ; those
// that this run has used already came from shapes that were the same.
func (s *staticResults) observe(i int, out []tensor.Value) {
	if s.out[i] == nil {
		return
	}
	a, b := s.out[i][0].(*tensor.Tensor), out[0].(*tensor.Tensor)
	if !slices.Equal(a.Int64(), b.Int64()) {
		clear(s.out)
	}
}

// keep stores a static step's results, if they are small tensors; their memory leaves the run's free list.
func (s *staticResults) keep(r *run, i int, out []tensor.Value) {
	for _, v := range out {
		if t, ok := v.(*tensor.Tensor); v != nil && (!ok || len(t.Bytes()) > maxStatic) {
			return
		}
	}
	for _, v := range out {
		r.mem.escape(v)
	}
	s.out[i] = slices.Clone(out)
}
