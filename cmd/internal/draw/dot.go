package draw

import (
	"strconv"

	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/encoding"
	"gonum.org/v1/gonum/graph/encoding/dot"
	"gonum.org/v1/gonum/graph/multi"
)

// DOT returns the picture in the language of Graphviz.
func DOT(g *Graph) ([]byte, error) {
	m := &dotGraph{multi.NewDirectedGraph()}
	nodes := make([]dotNode, len(g.Nodes))
	for i, n := range g.Nodes {
		nodes[i] = dotNode{int64(i), n}
		m.AddNode(nodes[i])
	}
	for i, e := range g.Edges {
		m.SetLine(dotLine{multi.Line{F: nodes[e.From], T: nodes[e.To], UID: int64(i)}, e})
	}
	out, err := dot.MarshalMulti(m, strconv.Quote(g.Name), "", "  ")
	return append(out, '\n'), err
}

type dotGraph struct{ *multi.DirectedGraph }

// DOTAttributers implements dot.Attributers.
func (dotGraph) DOTAttributers() (graph, node, edge encoding.Attributer) {
	return attributes{{Key: "rankdir", Value: "TB"}}, attributes{{Key: "fontname", Value: "sans-serif"}, {Key: "shape", Value: "box"}},
		attributes{{Key: "fontname", Value: "sans-serif"}, {Key: "fontsize", Value: "9"}}
}

type attributes []encoding.Attribute

// Attributes implements encoding.Attributer.
func (a attributes) Attributes() []encoding.Attribute { return a }

type dotNode struct {
	id int64
	Node
}

// ID implements graph.Node.
func (n dotNode) ID() int64 { return n.id }

// Attributes implements encoding.Attributer.
func (n dotNode) Attributes() []encoding.Attribute {
	a := []encoding.Attribute{{Key: "label", Value: strconv.Quote(n.Label)}}
	if n.Name != "" {
		a = append(a, encoding.Attribute{Key: "tooltip", Value: strconv.Quote(n.Name)})
	}
	if n.Kind != Operator {
		a = append(a, encoding.Attribute{Key: "shape", Value: "ellipse"})
	}
	return a
}

type dotLine struct {
	multi.Line
	e Edge
}

// Attributes implements encoding.Attributer.
func (l dotLine) Attributes() []encoding.Attribute {
	var a []encoding.Attribute
	if l.e.Label != "" {
		a = append(a, encoding.Attribute{Key: "label", Value: strconv.Quote(l.e.Label)})
	}
	if l.e.Inside {
		a = append(a, encoding.Attribute{Key: "style", Value: "dashed"})
	}
	return a
}

// ReversedLine implements graph.Line.
func (l dotLine) ReversedLine() graph.Line {
	return dotLine{multi.Line{F: l.T, T: l.F, UID: l.UID}, l.e}
}
