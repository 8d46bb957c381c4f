// Package graph is the intermediate representation between a model file and its execution: values and nodes connected by
// pointers, with operators looked up and their attributes read, and types and shapes inferred.
//
// Import lowers an onnx.Model: model-local functions are expanded in place, initializers become constant values, and every
// node holds the ops.Op that will run it. Infer follows types, symbolic shapes and the values of shape arithmetic through
// the graph and folds what is constant. Export turns a graph back into a model. Subgraphs of control-flow nodes are Graphs
// of their own whose nodes may use values of the enclosing graphs directly.
package graph

import (
	"fmt"
	"slices"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// Graph is a list of nodes in topological order. A value is visible in the graph that holds it and in the subgraphs of its
// nodes.
type Graph struct {
	Name    string
	Doc     string
	Inputs  []*Value // formal inputs, without those that are constants
	Outputs []*Value
	Nodes   []*Node
	Outer   *Graph // the graph whose node holds this one; nil for a model's main graph

	Opsets   map[string]int    // imported version of each domain; shared with subgraphs
	Metadata map[string]string // the model's metadata_props; main graph only
	Producer string            // name of the program that wrote the model
	IR       int               // IR version of the file
}

// Value is an edge: a formal input, a constant or a node's output. Values are compared by identity.
type Value struct {
	Name string
	// Declared is what the model says of the type; Type is what is known after inference, which Declared contributes to.
	Declared tensor.Type
	Type     tensor.Type
	Doc      string
	// Const is the value if it is an initializer or was folded. A formal input never has one.
	Const tensor.Value
	// Default is the value of a formal input that the caller leaves out.
	Default tensor.Value
	// Ints are the elements of an integer tensor of rank 0 or 1 as far as inference followed them.
	Ints []tensor.Dim

	Node *Node // producer; nil for inputs and initializers
	Out  int   // index among the producer's outputs
}

// Node is the application of an operator.
type Node struct {
	Name    string
	OpType  string
	Domain  string   // "" is ai.onnx
	Opset   int      // version of the domain that the operator is read in
	Inputs  []*Value // nil where absent
	Outputs []*Value // nil where absent
	// Attrs are the attributes: the types that ops.NewAttrs takes, with *Graph for graphs.
	Attrs map[string]any
	Op    ops.Op
	Doc   string
}

// String names the node as error messages do: node "name" (OpType).
func (n *Node) String() string {
	op := n.OpType
	if n.Domain != "" {
		op = n.Domain + "." + op
	}
	if n.Name == "" {
		for _, o := range n.Outputs {
			if o != nil {
				return fmt.Sprintf("node of output %q (%s)", o.Name, op)
			}
		}
	}
	return fmt.Sprintf("node %q (%s)", n.Name, op)
}

// Subgraphs yields the node's graph attributes by name, in no particular order.
func (n *Node) Subgraphs(yield func(name string, g *Graph) bool) {
	for name, a := range n.Attrs {
		if g, ok := a.(*Graph); ok && !yield(name, g) {
			return
		}
	}
}

// HasSubgraphs reports whether the node has a graph attribute.
func (n *Node) HasSubgraphs() bool {
	for range n.Subgraphs {
		return true
	}
	return false
}

// Info is what inference knows of v.
func (v *Value) Info() ops.Info { return ops.Info{Type: v.Type, Const: v.Const, Ints: v.Ints} }

// Tensor returns the constant tensor, or nil.
func (v *Value) Tensor() *tensor.Tensor {
	if v == nil {
		return nil
	}
	t, _ := v.Const.(*tensor.Tensor)
	return t
}

// NewConst returns a constant value that belongs to no node.
func NewConst(name string, v tensor.Value) *Value {
	return &Value{Name: name, Type: v.Type(), Declared: v.Type(), Const: v}
}

// Walk calls visit for g and every subgraph below it, outer graphs first.
func (g *Graph) Walk(visit func(*Graph) error) error {
	if err := visit(g); err != nil {
		return err
	}
	for _, n := range g.Nodes {
		for _, sub := range n.Subgraphs {
			if err := sub.Walk(visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// Uses counts for every value how often it is read: by nodes of g and its subgraphs and as outputs of any of them.
func (g *Graph) Uses() map[*Value]int {
	uses := map[*Value]int{}
	_ = g.Walk(func(sub *Graph) error {
		for _, n := range sub.Nodes {
			for _, v := range n.Inputs {
				if v != nil {
					uses[v]++
				}
			}
		}
		for _, v := range sub.Outputs {
			uses[v]++
		}
		return nil
	})
	return uses
}

// RemoveDead drops nodes whose outputs nobody reads, in g and its subgraphs.
func (g *Graph) RemoveDead() {
	uses := g.Uses()
	g.removeDead(uses)
}

func (g *Graph) removeDead(uses map[*Value]int) {
	kept := len(g.Nodes)
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := g.Nodes[i]
		live := false
		for _, o := range n.Outputs {
			live = live || o != nil && uses[o] > 0
		}
		if live {
			for _, sub := range n.Subgraphs {
				sub.removeDead(uses)
			}
			kept--
			g.Nodes[kept] = n
			continue
		}
		n.release(uses)
	}
	g.Nodes = append([]*Node{}, g.Nodes[kept:]...)
}

// release takes the uses of a dropped node, and of everything inside it, back.
func (n *Node) release(uses map[*Value]int) {
	for _, v := range n.Inputs {
		if v != nil {
			uses[v]--
		}
	}
	for _, sub := range n.Subgraphs {
		for _, m := range sub.Nodes {
			m.release(uses)
		}
		for _, v := range sub.Outputs {
			uses[v]--
		}
	}
}

// ReplaceOutput makes v the output that old was. The name of an output is part of the model's interface: if v is computed
// for this output only, it takes the name over, else an Identity node does.
func (g *Graph) ReplaceOutput(old, v *Value) {
	for i, o := range g.Outputs {
		if o != old {
			continue
		}
		if v.Node != nil && !slices.Contains(g.Outputs, v) && slices.Contains(g.Nodes, v.Node) {
			v.Name, v.Declared = old.Name, old.Declared
			g.Outputs[i] = v
			continue
		}
		id, err := NewNode("", "Identity", g.Opsets[""], []*Value{v}, nil, old.Name)
		if err != nil {
			panic("graph: Identity: " + err.Error())
		}
		id.Outputs[0].Type, id.Outputs[0].Declared = v.Type, old.Declared
		g.Nodes = append(g.Nodes, id)
		g.Outputs[i] = id.Outputs[0]
	}
}
