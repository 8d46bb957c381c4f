// Package draw makes pictures of models' graphs: DOT for Graphviz, and SVG with a layered layout of its own.
package draw

import (
	"maps"
	"slices"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
)

// Kind says what a node of a picture stands for.
type Kind int

// The kinds of nodes.
const (
	Operator Kind = iota
	Input
	Output
)

// Node is a box of a picture.
type Node struct {
	Kind        Kind
	Label, Name string // what is written in it; what its tooltip says
}

// Edge leads from the node that computes a value to one that reads it.
type Edge struct {
	From, To int
	Label    string
	Inside   bool // leads from a node to the bodies of its subgraphs
}

// Graph is what is drawn. Nodes are in topological order.
type Graph struct {
	Name  string
	Nodes []Node
	Edges []Edge
}

// FromModel collects the operators, inputs and outputs of a model's main graph and of the subgraphs inside. Initializers
// are left out. types are the labels of values.
func FromModel(g *onnxpb.GraphProto, types map[string]string) *Graph {
	b := &builder{Graph: &Graph{Name: g.GetName()}, types: types}
	b.graph(g, nil)
	return b.Graph
}

type builder struct {
	*Graph
	types map[string]string
}

func (b *builder) node(n Node) int {
	b.Nodes = append(b.Nodes, n)
	return len(b.Nodes) - 1
}

func (b *builder) edge(from int, value string, to int) {
	b.Edges = append(b.Edges, Edge{From: from, To: to, Label: b.types[value]})
}

// graph adds a graph; outer says which node computes the values that are visible in it.
func (b *builder) graph(g *onnxpb.GraphProto, outer map[string]int) {
	main := outer == nil
	source := maps.Clone(outer)
	if main {
		source = map[string]int{}
		weights := map[string]bool{}
		for _, t := range g.GetInitializer() {
			weights[t.GetName()] = true
		}
		for _, in := range g.GetInput() {
			if !weights[in.GetName()] {
				source[in.GetName()] = b.node(Node{Kind: Input, Label: in.GetName(), Name: b.types[in.GetName()]})
			}
		}
	}
	for _, p := range g.GetNode() {
		label := p.GetOpType()
		if p.GetDomain() != "" {
			label = p.GetDomain() + "." + label
		}
		i := b.node(Node{Label: label, Name: p.GetName()})
		seen := map[string]bool{}
		for _, in := range p.GetInput() {
			if from, ok := source[in]; ok && !seen[in] {
				b.edge(from, in, i)
			}
			seen[in] = true
		}
		b.bodies(p, i, source)
		for _, out := range p.GetOutput() {
			if out != "" {
				source[out] = i
			}
		}
	}
	if !main {
		return
	}
	for _, out := range g.GetOutput() {
		i := b.node(Node{Kind: Output, Label: out.GetName(), Name: b.types[out.GetName()]})
		if from, ok := source[out.GetName()]; ok {
			b.edge(from, out.GetName(), i)
		}
	}
}

// bodies adds the subgraphs of node i.
func (b *builder) bodies(p *onnxpb.NodeProto, i int, source map[string]int) {
	for _, a := range p.GetAttribute() {
		for _, sub := range append(slices.Clone(a.GetGraphs()), a.GetG()) {
			if sub == nil {
				continue
			}
			visible := maps.Clone(source)
			for _, in := range sub.GetInput() {
				visible[in.GetName()] = i
			}
			first, edges := len(b.Nodes), len(b.Edges)
			b.graph(sub, visible)
			fed := map[int]bool{}
			for _, e := range b.Edges[edges:] {
				fed[e.To] = fed[e.To] || e.From >= i
			}
			for k := first; k < len(b.Nodes); k++ {
				if !fed[k] {
					b.Edges = append(b.Edges, Edge{From: i, To: k, Inside: true})
				}
			}
		}
	}
}
