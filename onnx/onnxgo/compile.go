package onnxgo

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/owulveryck/onnx-go"
	gonum "gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/topo"
	gorgonia "gorgonia.org/tensor"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/graph/exec"
	"github.com/sardonyx-ml/sardonyx/onnx/schema"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// program is a compiled graph.
type program struct {
	session *exec.Session
	names   map[*Node]string          // of inputs and results
	inputs  map[*Node]tensor.Type     // what the session was compiled for
	consts  map[*Node]gorgonia.Tensor // the weights' values
	results []*Node
}

// fits reports whether p can run on f.
func (p *program) fits(f *feed) bool {
	if len(f.inputs) != len(p.inputs) || len(f.consts) != len(p.consts) {
		return false
	}
	for n, t := range f.inputs {
		if want, ok := p.inputs[n]; !ok || !covers(want, t) {
			return false
		}
	}
	for n := range f.consts {
		if p.consts[n] != n.value {
			return false
		}
	}
	return true
}

func (p *program) computes(n *Node) bool { return slices.Contains(p.results, n) }

// covers reports whether t is of type want.
func covers(want tensor.Type, t *tensor.Tensor) bool {
	if want.DType != t.DType() {
		return false
	}
	if !want.Ranked {
		return true
	}
	if len(want.Dims) != t.Rank() {
		return false
	}
	for i, d := range want.Dims {
		if n, ok := d.Int(); ok && n != t.Dim(i) {
			return false
		}
	}
	return true
}

// inputType is the type to compile an input for: t's, without what has changed since the last program was compiled.
func (g *Graph) inputType(n *Node, t *tensor.Tensor) tensor.Type {
	if g.program != nil {
		if old, ok := g.program.inputs[n]; ok && old.DType == t.DType() {
			return old.Unify(t.Type())
		}
	}
	return t.Type()
}

// compile makes g.program for the inputs in f. Without a given version of the operator set it takes the first, in the order of
// opsets, in which all nodes are legal; the error is of the version that got furthest.
func (g *Graph) compile(f *feed) error {
	order, err := g.order()
	if err != nil {
		return err
	}
	types := make(map[*Node]tensor.Type, len(f.inputs))
	for n, t := range f.inputs {
		types[n] = g.inputType(n, t)
	}
	candidates := []int{g.opset}
	if g.opset == 0 {
		candidates = opsets()
	}
	var first error
	furthest := -1
	for _, opset := range candidates {
		b := &builder{g: g, opset: opset, values: map[*Node]*graph.Value{}, names: map[string]bool{}}
		p, err := b.program(order, f, types)
		if err == nil {
			g.program, g.opset = p, opset
			return nil
		}
		if b.done > furthest {
			first, furthest = err, b.done
		}
	}
	return first
}

// opsets lists the versions to try: DefaultOpset, the newer ones upwards, the older ones downwards.
func opsets() []int {
	var list []int
	for v := DefaultOpset; v <= schema.Newest(""); v++ {
		list = append(list, v)
	}
	for v := DefaultOpset - 1; v > 0; v-- {
		list = append(list, v)
	}
	return list
}

// order sorts the operations so that arguments are computed first.
func (g *Graph) order() ([]*operation, error) {
	for id, args := range g.args {
		for _, a := range args {
			if a.node.id == id && !a.node.absent() {
				return nil, fmt.Errorf("%v is an argument of itself", a.node)
			}
		}
	}
	nodes, err := topo.SortStabilized(present{g}, nil)
	if err != nil {
		return nil, fmt.Errorf("the graph has a cycle: %w", err)
	}
	var order []*operation
	seen := map[*operation]bool{}
	for _, n := range slices.Backward(nodes) {
		if node, ok := n.(*Node); ok && node.op != nil && !seen[node.op] {
			seen[node.op] = true
			order = append(order, node.op)
		}
	}
	return order, nil
}

// present is the graph without the edges of the absent node, which may stand for inputs and outputs at once.
type present struct{ *Graph }

// From implements graph.Directed.
func (p present) From(id int64) gonum.Nodes {
	if n, ok := p.Node(id).(*Node); ok && n.absent() {
		return gonum.Empty
	}
	return p.Graph.From(id)
}

// arguments returns the operation's arguments in order, nil where absent.
func (g *Graph) arguments(op *operation) []*Node {
	var args []*Node
	for _, out := range op.outputs {
		if out == nil {
			continue
		}
		for _, a := range g.args[out.id] {
			for len(args) <= a.position {
				args = append(args, nil)
			}
			if a.position >= 0 && !a.node.absent() {
				args[a.position] = a.node
			}
		}
		break
	}
	return args
}

// builder makes a graph.Graph in one version of the operator set.
type builder struct {
	g      *Graph
	opset  int
	values map[*Node]*graph.Value
	names  map[string]bool
	done   int // operations that were legal
}

func (b *builder) program(order []*operation, f *feed, types map[*Node]tensor.Type) (*program, error) {
	gr := &graph.Graph{Name: "onnx-go", Opsets: map[string]int{"": b.opset}}
	p := &program{names: map[*Node]string{}, inputs: types, consts: map[*Node]gorgonia.Tensor{}}
	if err := b.leaves(gr, p, f); err != nil {
		return nil, err
	}
	for _, op := range order {
		n, err := b.node(op)
		if err != nil {
			return nil, err
		}
		gr.Nodes = append(gr.Nodes, n)
		b.done++
	}
	for _, op := range order {
		for _, n := range op.outputs {
			if n == nil || !n.wanted && b.g.To(n.id).Len() > 0 {
				continue
			}
			gr.Outputs = append(gr.Outputs, b.values[n])
			p.results = append(p.results, n)
			p.names[n] = b.values[n].Name
		}
	}
	var err error
	if p.session, err = exec.NewGraph(gr, b.g.exec...); err != nil {
		return nil, err
	}
	return p, nil
}

// leaves makes the inputs and weights, in the order in which operations read them.
func (b *builder) leaves(gr *graph.Graph, p *program, f *feed) error {
	for _, op := range b.g.ops {
		for _, n := range b.g.arguments(op) {
			if n == nil || b.values[n] != nil {
				continue
			}
			if t, ok := p.inputs[n]; ok {
				v := &graph.Value{Name: b.name(n), Declared: t, Type: t}
				b.values[n] = v
				gr.Inputs = append(gr.Inputs, v)
				p.names[n] = v.Name
				continue
			}
			if !f.consts[n] {
				continue
			}
			t, err := n.tensor()
			if err != nil {
				return fmt.Errorf("weight %v: %w", n, err)
			}
			b.values[n] = graph.NewConst(b.name(n), t)
			p.consts[n] = n.value
		}
	}
	return nil
}

// name returns a unique name for the node's value.
func (b *builder) name(n *Node) string {
	name := n.name
	if name == "" || b.names[name] {
		name = fmt.Sprintf("%s#%d", n.name, n.id)
	}
	for b.names[name] {
		name += "#"
	}
	b.names[name] = true
	return name
}

// node makes the node of an operation: in the first of its readings that is legal.
func (b *builder) node(op *operation) (*graph.Node, error) {
	args := b.g.arguments(op)
	in := make([]*graph.Value, len(args))
	for i, n := range args {
		if n == nil {
			continue
		}
		if in[i] = b.values[n]; in[i] == nil && !(len(args) == 1 && n.made()) {
			return nil, fmt.Errorf("%s: argument %d, %v, has no value", op.name, i, n)
		}
	}
	names := make([]string, len(op.outputs))
	for i, n := range op.outputs {
		if n != nil {
			names[i] = b.name(n)
		}
	}
	var node *graph.Node
	var first error
	for _, r := range b.readings(op.name) {
		n, err := graph.NewNode(r.domain, op.name, r.opset, in, op.attrs, names...)
		if err == nil {
			node = n
			break
		}
		if first == nil {
			first = fmt.Errorf("opset %d: %w", r.opset, err)
		}
	}
	if errors.Is(first, ops.ErrUnsupported) && node == nil {
		return nil, &onnx.ErrNotImplemented{Operator: op.name, Message: first.Error()}
	}
	if node == nil {
		return nil, first
	}
	for i, n := range op.outputs {
		if n == nil {
			node.Outputs[i] = nil
			continue
		}
		b.values[n] = node.Outputs[i]
	}
	return node, nil
}

// reading is what an operator's name may mean.
type reading struct {
	domain string
	opset  int
}

// readings lists the standard's own operator of a name, in the graph's version of the operator set, and those of other domains,
// their newest versions first.
func (b *builder) readings(name string) []reading {
	list := []reading{{"", b.opset}}
	for _, d := range schema.Domains() {
		if d == "" {
			continue
		}
		for _, row := range slices.Backward(schema.Versions(d, name)) {
			list = append(list, reading{d, row.Since})
		}
	}
	if _, ok := schema.Lookup("", name, b.opset); !ok && len(list) > 1 {
		return list[1:]
	}
	return list
}

// made reports whether the decoder made the node up as the argument of an operation that has none.
func (n *Node) made() bool {
	return n.op == nil && n.value == nil && strings.HasSuffix(n.name, "/input")
}

// attributes converts an operation's attributes to those of the graph.
func attributes(o onnx.Operation) (map[string]any, error) {
	attrs := make(map[string]any, len(o.Attributes))
	for name, v := range o.Attributes {
		switch v := v.(type) {
		case gorgonia.Tensor:
			t, err := fromGorgonia(v)
			if err != nil {
				return nil, fmt.Errorf("%s: attribute %s: %w", o.Name, name, err)
			}
			attrs[name] = t
		case int64, int, float32, float64, bool, string, []int64, []int, []float32, []string:
			attrs[name] = v
		default:
			return nil, &onnx.ErrNotImplemented{Operator: o.Name, AttributeName: name, AttributeValue: v, Message: fmt.Sprintf("type %T is not known", v)}
		}
	}
	return attrs, nil
}
