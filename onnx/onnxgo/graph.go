package onnxgo

import (
	"fmt"
	"math"

	"github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"
	gorgonia "gorgonia.org/tensor"

	"github.com/sardonyx-ml/sardonyx/graph/exec"
)

// DefaultOpset is the version of the operator set that is tried first.
const DefaultOpset = 10

// Graph is a computation graph that onnx-go's decoder fills and Run computes. An edge leads from a result to an argument; its
// weight is the argument's position. It is not safe for concurrent use.
type Graph struct {
	graph.WeightedDirected
	store *simple.WeightedDirectedGraph
	args  map[int64][]argument
	ops   []*operation
	opset int // 0: to be found
	exec  []exec.Option

	program *program
	last    *feed // of the last run, for GetTensor
}

// argument is an edge. The graph that is shown to gonum keeps one edge between two nodes; x·x has two.
type argument struct {
	position int
	node     *Node
}

// operation is one call of ApplyOperation.
type operation struct {
	name    string
	attrs   map[string]any
	outputs []*Node // nil where absent
}

// Option changes how a graph is made.
type Option func(*Graph)

// Opset sets the version of the operator set (ai.onnx) that the model's operators are read in.
func Opset(version int) Option { return func(g *Graph) { g.opset = version } }

// Session sets options of the session that runs the graph.
func Session(opts ...exec.Option) Option { return func(g *Graph) { g.exec = append(g.exec, opts...) } }

// NewGraph returns an empty graph.
func NewGraph(opts ...Option) *Graph {
	s := simple.NewWeightedDirectedGraph(math.MaxFloat64, -1)
	g := &Graph{WeightedDirected: s, store: s, args: map[int64][]argument{}}
	for _, o := range opts {
		o(g)
	}
	return g
}

// NewNode implements graph.NodeAdder.
func (g *Graph) NewNode() graph.Node { return &Node{id: g.store.NewNode().ID(), graph: g} }

// AddNode implements graph.NodeAdder. It panics if the graph has a node with the same ID.
func (g *Graph) AddNode(n graph.Node) { g.store.AddNode(n) }

// NewWeightedEdge implements graph.WeightedEdgeAdder.
func (g *Graph) NewWeightedEdge(from, to graph.Node, w float64) graph.WeightedEdge {
	return g.store.NewWeightedEdge(from, to, w)
}

// SetWeightedEdge makes the edge's To an argument of its From, at the position that the weight gives.
func (g *Graph) SetWeightedEdge(e graph.WeightedEdge) {
	from, to := e.From().ID(), e.To().ID()
	if n, ok := e.To().(*Node); ok {
		g.args[from] = append(g.args[from], argument{int(e.Weight()), n})
	}
	if from != to && !g.store.HasEdgeFromTo(from, to) {
		g.store.SetWeightedEdge(e)
	}
}

// ApplyOperation implements onnx.OperationCarrier: ns are the operation's results in order.
func (g *Graph) ApplyOperation(o onnx.Operation, ns ...graph.Node) error {
	op := &operation{name: o.Name, outputs: make([]*Node, len(ns))}
	for i, n := range ns {
		node, ok := n.(*Node)
		if !ok {
			return fmt.Errorf("%s: node %T is not of this graph", o.Name, n)
		}
		if node.absent() {
			continue
		}
		if node.op != nil {
			return fmt.Errorf("%s: %v is the result of %s already", o.Name, node, node.op.name)
		}
		node.op = op
		op.outputs[i] = node
	}
	var err error
	if op.attrs, err = attributes(o); err != nil {
		return err
	}
	g.ops = append(g.ops, op)
	g.program = nil
	return nil
}

// Node is a value of a Graph: an input, a weight or a result. It implements onnx.Namer and onnx.DataCarrier.
type Node struct {
	id    int64
	graph *Graph
	name  string
	named bool
	op    *operation // that computes it
	value gorgonia.Tensor

	declared gorgonia.Tensor // first value set before any operation: where the model declares the node, a tensor of its type
	input    bool            // the value changes between runs, as opposed to a weight
	zero     bool            // the value was all zero when the decoder set it
	wanted   bool            // the result is kept although operations read it
}

// ID implements graph.Node.
func (n *Node) ID() int64 { return n.id }

// GetName implements onnx.Namer.
func (n *Node) GetName() string { return n.name }

// SetName implements onnx.Namer.
func (n *Node) SetName(name string) { n.name, n.named = name, true }

// String names the node in messages.
func (n *Node) String() string {
	if n.name == "" {
		return fmt.Sprintf("node %d", n.id)
	}
	return fmt.Sprintf("%q", n.name)
}

// absent reports the node of the empty name, which stands for optional inputs and outputs that are left out.
func (n *Node) absent() bool { return n.named && n.name == "" }

// SetTensor sets the node's value for later runs. The tensor is read by Run, never changed; a weight's must not be changed
// by the caller either, set another one instead. An input must have the element type that the model declares or values that
// this type holds exactly.
func (n *Node) SetTensor(t gorgonia.Tensor) error {
	n.value = t
	switch decoding := len(n.graph.ops) == 0; {
	case !decoding && n.op == nil:
		n.input = true
	case decoding && t != nil:
		if n.declared == nil {
			n.declared = t
		}
		v, err := fromGorgonia(t)
		n.zero = err != nil || allZero(v)
	}
	return nil
}

// GetTensor returns the node's value, for a result that of the last Run; nil if there is none. Run keeps the results that are
// not arguments of other operations and those that were asked for after a Run before; asking for another one computes the
// graph again, once, with the inputs of the last Run.
func (n *Node) GetTensor() gorgonia.Tensor {
	if n.op != nil {
		n.graph.recall(n)
	}
	return n.value
}

// small is the number of elements up to which a weight that is all zero is told from an input by looking again.
const small = 1024

// constant reports whether the node's value is a weight. What the decoder sets is either a weight or a placeholder of zeros for
// an input, which the caller replaces with SetTensor or fills.
func (n *Node) constant() bool {
	if n.op != nil || n.input || n.value == nil {
		return false
	}
	if n.zero {
		v, err := fromGorgonia(n.value)
		n.input = err != nil || v.Len() > small || !allZero(v)
	}
	return !n.input
}
