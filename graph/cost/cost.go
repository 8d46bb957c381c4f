// Package cost estimates what running a graph takes: floating-point (or integer) operations and memory for values.
//
// The estimate reads shapes only. A multiply-add counts as two operations, an element of an element-wise operator as one,
// whatever the function. Movement of data counts as nothing. What the tables of this package do not know is listed, not
// guessed. Bodies of If, Loop and Scan are counted once.
package cost

import (
	"maps"
	"slices"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// Estimate is the cost of one run.
type Estimate struct {
	FLOPs      float64            // of the operators that could be counted
	ByOp       map[string]float64 // FLOPs of each operator; domains other than ai.onnx come before a dot
	Activation int64              // bytes of all values that nodes compute
	Peak       int64              // bytes of the inputs and values that are alive at once at most, without reuse in place
	Uncounted  []string           // operators that no formula knows
	Unknown    []string           // operators of which some node has no known shapes
	Once       []string           // operators whose bodies are counted once
}

// Of estimates an inferred graph. Put numbers for symbolic dimensions into the declared types of the inputs before
// inference, else most sizes are unknown.
func Of(g *graph.Graph) *Estimate {
	e := &estimator{Estimate: Estimate{ByOp: map[string]float64{}}, uncounted: map[string]bool{}, unknown: map[string]bool{}, once: map[string]bool{}}
	_ = g.Walk(func(sub *graph.Graph) error {
		for _, n := range sub.Nodes {
			e.node(n)
		}
		return nil
	})
	e.peak(g)
	e.Uncounted = slices.Sorted(maps.Keys(e.uncounted))
	e.Unknown = slices.Sorted(maps.Keys(e.unknown))
	e.Once = slices.Sorted(maps.Keys(e.once))
	return &e.Estimate
}

type estimator struct {
	Estimate
	uncounted, unknown, once map[string]bool
}

func name(n *graph.Node) string {
	if n.Domain == "" {
		return n.OpType
	}
	return n.Domain + "." + n.OpType
}

func (e *estimator) node(n *graph.Node) {
	op := name(n)
	if n.HasSubgraphs() {
		e.once[op] = true
	}
	for _, v := range n.Outputs {
		if v == nil || v.Const != nil {
			continue
		}
		b, ok := size(v)
		if !ok {
			e.unknown[op] = true
		}
		e.Activation += b
	}
	f, ok := formulas[op]
	if !ok {
		if !n.HasSubgraphs() {
			e.uncounted[op] = true
		}
		return
	}
	flops, ok := f(shapes{n})
	if !ok {
		e.unknown[op] = true
		return
	}
	e.FLOPs += flops
	if flops > 0 {
		e.ByOp[op] += flops
	}
}

// size is the number of bytes of a value, where its shape is known.
func size(v *graph.Value) (int64, bool) {
	shape, ok := v.Type.Shape()
	if !ok || v.Type.Kind != tensor.KindTensor || v.Type.DType == tensor.Undefined {
		return 0, false
	}
	n, err := shape.CheckSize()
	if err != nil {
		return 0, false
	}
	if v.Type.DType == tensor.String {
		return 16 * int64(n), true
	}
	return int64(v.Type.DType.Bytes(n)), true
}

// peak follows the values of the main graph that are alive from node to node.
func (e *estimator) peak(g *graph.Graph) {
	last := map[*graph.Value]int{} // node that reads a value last
	var read func(i int, n *graph.Node)
	read = func(i int, n *graph.Node) {
		for _, v := range n.Inputs {
			last[v] = i
		}
		for _, sub := range n.Subgraphs {
			for _, m := range sub.Nodes {
				read(i, m)
			}
			for _, v := range sub.Outputs {
				last[v] = i
			}
		}
	}
	for i, n := range g.Nodes {
		read(i, n)
	}
	for _, v := range g.Outputs {
		last[v] = len(g.Nodes)
	}
	ends := make([]int64, len(g.Nodes)+1)
	live := int64(0)
	begin := func(i int, v *graph.Value) {
		if v == nil || v.Const != nil {
			return
		}
		b, _ := size(v)
		live += b
		ends[max(last[v], i)] += b
	}
	for _, v := range g.Inputs {
		begin(0, v)
	}
	e.Peak = live
	for i, n := range g.Nodes {
		for _, v := range n.Outputs {
			begin(i, v)
		}
		e.Peak = max(e.Peak, live)
		live -= ends[i]
	}
}
