package graph

import (
	"container/heap"
	"sort"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
)

// inOrder returns the nodes so that each comes after those that compute its inputs, otherwise in the order given. The
// standard demands such an order of files, but ONNX Runtime does not, and some files lack it. Nodes on a cycle come last.
func inOrder(nodes []*onnxpb.NodeProto) []*onnxpb.NodeProto {
	producer := map[string]int{}
	for i, n := range nodes {
		for _, o := range n.GetOutput() {
			if o != "" {
				producer[o] = i
			}
		}
	}
	waits := make([]int, len(nodes)) // number of inputs not computed yet
	users := make([][]int, len(nodes))
	sorted := true
	for i, n := range nodes {
		eachUse(n, func(name string) {
			if p, ok := producer[name]; ok {
				waits[i]++
				users[p] = append(users[p], i)
				sorted = sorted && p < i
			}
		})
	}
	if sorted {
		return nodes
	}
	return release(nodes, waits, users)
}

// release takes, again and again, the first node that waits for nothing.
func release(nodes []*onnxpb.NodeProto, waits []int, users [][]int) []*onnxpb.NodeProto {
	ready := &intHeap{}
	for i, w := range waits {
		if w == 0 {
			heap.Push(ready, i)
		}
	}
	out := make([]*onnxpb.NodeProto, 0, len(nodes))
	for ready.Len() > 0 {
		i := heap.Pop(ready).(int)
		out = append(out, nodes[i])
		for _, u := range users[i] {
			if waits[u]--; waits[u] == 0 {
				heap.Push(ready, u)
			}
		}
	}
	for i, w := range waits {
		if w > 0 {
			out = append(out, nodes[i])
		}
	}
	return out
}

// eachUse calls f with each name that the node or a node in its subgraphs reads.
func eachUse(n *onnxpb.NodeProto, f func(string)) {
	for _, name := range n.GetInput() {
		if name != "" {
			f(name)
		}
	}
	for _, a := range n.GetAttribute() {
		for _, g := range append([]*onnxpb.GraphProto{a.GetG()}, a.GetGraphs()...) {
			for _, inner := range g.GetNode() {
				eachUse(inner, f)
			}
			for _, o := range g.GetOutput() {
				f(o.GetName())
			}
		}
	}
}

type intHeap struct{ sort.IntSlice }

// Push implements heap.Interface.
func (h *intHeap) Push(x any) { h.IntSlice = append(h.IntSlice, x.(int)) }

// Pop implements heap.Interface.
func (h *intHeap) Pop() any {
	n := len(h.IntSlice) - 1
	x := h.IntSlice[n]
	h.IntSlice = h.IntSlice[:n]
	return x
}
