package opt

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// shareSubexpressions computes what several nodes of a graph compute only once. Small constants with equal contents count as
// the same value, and so do shapes and other small integers that inference knows to be equal.
func shareSubexpressions(g *graph.Graph, stats *Stats) error {
	c := &cse{ids: map[*graph.Value]int{}, consts: map[string]int{}, large: map[uint64][]*graph.Value{}, instead: map[*graph.Value]*graph.Value{}, outputs: map[*graph.Value]bool{}}
	return g.Walk(func(sub *graph.Graph) error {
		c.nodes, c.ints = map[string]*graph.Node{}, map[string]*graph.Value{}
		for _, v := range sub.Outputs {
			c.outputs[v] = true
		}
		kept := sub.Nodes[:0:0]
		for _, n := range sub.Nodes {
			c.rename(n)
			if c.known(n) || c.merge(n) {
				stats.Applied["cse"]++
				continue
			}
			kept = append(kept, n)
		}
		sub.Nodes = kept
		for i, v := range sub.Outputs {
			if w, ok := c.instead[v]; ok {
				sub.Outputs[i] = w
			}
		}
		return nil
	})
}

type cse struct {
	ids     map[*graph.Value]int // number of each value that was met
	consts  map[string]int       // number of small constants, by contents
	large   map[uint64][]*graph.Value
	nodes   map[string]*graph.Node
	ints    map[string]*graph.Value // values that are followed in inference, by their elements
	instead map[*graph.Value]*graph.Value
	outputs map[*graph.Value]bool
}

// rename makes n, not what is inside it, read the values that replace others.
func (c *cse) rename(n *graph.Node) {
	for i, v := range n.Inputs {
		if w, ok := c.instead[v]; ok {
			n.Inputs[i] = w
		}
	}
}

// known replaces the output of n by an earlier one with the same elements.
func (c *cse) known(n *graph.Node) bool {
	if len(n.Outputs) != 1 || n.Outputs[0] == nil || n.HasSubgraphs() {
		return false
	}
	v := n.Outputs[0]
	if v.Ints == nil || v.Type.DType != tensor.Int64 || rankOf(v) < 0 || slices.ContainsFunc(v.Ints, func(d tensor.Dim) bool { return !d.Known() }) {
		return false
	}
	key := fmt.Sprintf("%d %q", rankOf(v), v.Ints)
	have, ok := c.ints[key]
	if !ok {
		c.ints[key] = v
		return false
	}
	if c.outputs[v] {
		return false
	}
	c.instead[v] = have
	return true
}

// Constants of up to smallConst bytes, and integers and flags of up to largeConst, are compared by contents. Tables that
// exporters repeat for every layer are of the second kind; weights are hardly ever equal.
const (
	smallConst = 256
	largeConst = 16 << 20
)

// id numbers values; equal numbers mean equal values.
func (c *cse) id(v *graph.Value) int {
	if v == nil {
		return 0
	}
	if id, ok := c.ids[v]; ok {
		return id
	}
	id := len(c.ids) + 1
	if t := v.Tensor(); t != nil && v.Node == nil && t.DType() != tensor.String && len(t.Bytes()) <= smallConst {
		key := fmt.Sprint(t.DType(), t.Shape(), t.Bytes())
		if have, ok := c.consts[key]; ok {
			id = have
		} else {
			c.consts[key] = id
		}
	}
	if t := v.Tensor(); t != nil && v.Node == nil && !t.DType().IsFloat() && t.DType() != tensor.String && len(t.Bytes()) > smallConst && len(t.Bytes()) <= largeConst {
		id = c.largeID(v, id)
	}
	c.ids[v] = id
	return id
}

var seed = maphash.MakeSeed()

// largeID returns the number of an equal constant, or id if there is none.
func (c *cse) largeID(v *graph.Value, id int) int {
	t := v.Tensor()
	h := maphash.Bytes(seed, t.Bytes())
	for _, w := range c.large[h] {
		if u := w.Tensor(); u.DType() == t.DType() && u.Shape().Equal(t.Shape()) && bytes.Equal(u.Bytes(), t.Bytes()) {
			return c.ids[w]
		}
	}
	c.large[h] = append(c.large[h], v)
	return id
}

// merge replaces the outputs of n by those of an equal node that came before.
func (c *cse) merge(n *graph.Node) bool {
	key, ok := c.key(n)
	if !ok {
		return false
	}
	have, ok := c.nodes[key]
	if !ok {
		c.nodes[key] = n
		return false
	}
	for _, v := range n.Outputs {
		if v != nil && c.outputs[v] {
			return false
		}
	}
	for i, v := range n.Outputs {
		if v != nil {
			c.instead[v] = have.Outputs[i]
		}
	}
	return true
}

// key describes what a node computes; ok is false if it may not be merged.
func (c *cse) key(n *graph.Node) (key string, ok bool) {
	if n.HasSubgraphs() || graph.IsRandom(n.OpType) {
		return "", false
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%s %s %d", n.Domain, n.OpType, n.Opset)
	for _, v := range n.Inputs {
		fmt.Fprintf(&s, " %d", c.id(v))
	}
	for _, v := range n.Outputs {
		fmt.Fprintf(&s, " %t", v != nil)
	}
	for _, name := range slices.Sorted(maps.Keys(n.Attrs)) {
		switch a := n.Attrs[name].(type) {
		case int64, float32, string, []int64, []float32, []string:
			fmt.Fprintf(&s, " %s=%q", name, fmt.Sprintf("%#v", a))
		case *tensor.Tensor:
			fmt.Fprintf(&s, " %s=%p", name, a)
		default:
			return "", false
		}
	}
	return s.String(), true
}
