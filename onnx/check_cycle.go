package onnx

import (
	"slices"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
)

// reportCycle reports one cycle among nodes that are not in topological order, if there is one: no order can make those
// computable.
func (c *checker) reportCycle(env *checkEnv, nodes []*onnxpb.NodeProto) {
	deps := dependencies(nodes)
	left := withoutSorted(deps)
	start := slices.Index(left, true)
	if start < 0 {
		return
	}
	// Every node left needs another one that is left: following them must come back.
	seen := map[int]int{}
	var path []int
	for at := start; ; {
		if i, ok := seen[at]; ok {
			path = append(path[i:], at)
			break
		}
		seen[at] = len(path)
		path = append(path, at)
		at = deps[at][slices.IndexFunc(deps[at], func(d int) bool { return left[d] })]
	}
	var names []string
	for _, i := range path {
		names = append(names, nodeName(nodes[i], i, nil))
	}
	c.add(inside(env.where, names[0]), "it depends on itself: %s", strings.Join(names, " needs "))
}

// dependencies lists for each node the nodes whose outputs it or its subgraphs use.
func dependencies(nodes []*onnxpb.NodeProto) [][]int {
	producer := map[string]int{}
	for i, n := range nodes {
		for _, out := range n.Output {
			producer[out] = i
		}
	}
	deps := make([][]int, len(nodes))
	for i, n := range nodes {
		eachUse(n, func(name string) {
			if p, ok := producer[name]; ok && name != "" {
				deps[i] = append(deps[i], p)
			}
		})
	}
	return deps
}

// eachUse calls f with the inputs of a node and of all nodes in its subgraphs. Names of a subgraph's own values are among
// them; they differ from those outside.
func eachUse(n *onnxpb.NodeProto, f func(string)) {
	for _, in := range n.Input {
		f(in)
	}
	for _, a := range n.Attribute {
		for _, g := range append(slices.Clip(a.Graphs), a.G) {
			for _, inner := range g.GetNode() {
				eachUse(inner, f)
			}
		}
	}
}

// withoutSorted removes the nodes that can be put in topological order and reports which are left.
func withoutSorted(deps [][]int) []bool {
	users := make([][]int, len(deps))
	open := make([]int, len(deps)) // dependencies not sorted yet
	var ready []int
	for i, ds := range deps {
		open[i] = len(ds)
		for _, d := range ds {
			users[d] = append(users[d], i)
		}
		if len(ds) == 0 {
			ready = append(ready, i)
		}
	}
	left := make([]bool, len(deps))
	for i := range left {
		left[i] = true
	}
	for len(ready) > 0 {
		i := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		left[i] = false
		for _, u := range users[i] {
			if open[u]--; open[u] == 0 {
				ready = append(ready, u)
			}
		}
	}
	return left
}
