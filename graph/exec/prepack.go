package exec

import (
	"slices"
	"sync"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// prepack lets operators arrange their constant inputs, several nodes at a time. Constants that nobody reads any more are
// taken out of the graph, and forget is told of their bytes as soon as they are packed, so that a model never needs the
// memory of its weights twice.
func prepack(g *graph.Graph, pool *parallel.Pool, forget func([]byte)) map[*graph.Node]packed {
	type job struct {
		n *graph.Node
		p ops.Prepacker
	}
	var jobs []job
	uses := g.Uses()
	_ = g.Walk(func(sub *graph.Graph) error {
		for _, n := range sub.Nodes {
			if p, ok := n.Op.(ops.Prepacker); ok && slices.ContainsFunc(n.Inputs, func(v *graph.Value) bool { return v.Tensor() != nil }) {
				jobs = append(jobs, job{n, p})
			}
		}
		return nil
	})
	packs := map[*graph.Node]packed{}
	var mu sync.Mutex
	pool.For(len(jobs), 1, func(lo, hi int) {
		for _, j := range jobs[lo:hi] {
			in := make([]*tensor.Tensor, len(j.n.Inputs))
			for i, v := range j.n.Inputs {
				in[i] = v.Tensor()
			}
			op, dropped := j.p.Prepack(in)
			mu.Lock()
			packs[j.n] = packed{op, dropped}
			for _, i := range dropped {
				v := j.n.Inputs[i]
				if uses[v]--; uses[v] == 0 && forget != nil {
					forget(in[i].Bytes())
				}
			}
			mu.Unlock()
		}
	})
	for n, pk := range packs {
		for _, i := range pk.dropped {
			if v := n.Inputs[i]; uses[v] == 0 {
				v.Const = nil
			}
		}
	}
	return packs
}
