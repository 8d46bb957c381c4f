package graph

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/schema"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// Attrs are attributes for Node constructors: the types that ops.NewAttrs takes, plain int, []int and float64 besides.
type Attrs map[string]any

// NewNode returns a bound node that is not yet part of a graph, with outputs of the given names. opset 0 means the newest
// that the domain has.
func NewNode(domain, op string, opset int, inputs []*Value, attrs map[string]any, outputs ...string) (*Node, error) {
	if opset == 0 {
		opset = max(schema.Newest(domain), 1)
	}
	n := &Node{OpType: op, Domain: domain, Opset: opset, Inputs: trim(inputs), Attrs: map[string]any{}}
	for k, v := range attrs {
		n.Attrs[k] = attrValue(v)
	}
	for i, name := range outputs {
		n.Outputs = append(n.Outputs, &Value{Name: name, Node: n, Out: i})
	}
	if err := n.Bind(); err != nil {
		return nil, fmt.Errorf("%v: %w", n, err)
	}
	return n, nil
}

func attrValue(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case float64:
		return float32(v)
	case tensor.DType:
		return int64(v)
	case []int:
		out := make([]int64, len(v))
		for i, x := range v {
			out[i] = int64(x)
		}
		return out
	}
	return v
}

// Builder appends nodes to a graph. The first error sticks; later calls return values that are not to be used.
type Builder struct {
	G     *Graph
	Opset int // version of ai.onnx that new nodes are read in; 0: the newest
	err   error
	n     int
	stem  string
}

// NewBuilder returns a builder whose values are named stem_1, stem_2, ….
func NewBuilder(g *Graph, stem string) *Builder { return &Builder{G: g, stem: stem} }

// Err is the first error.
func (b *Builder) Err() error { return b.err }

// Fail records an error.
func (b *Builder) Fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// Call appends a node of the default domain with one output and returns that.
func (b *Builder) Call(op string, attrs Attrs, inputs ...*Value) *Value {
	return b.CallN("", op, 1, attrs, inputs...)[0]
}

// CallN appends a node with n outputs.
func (b *Builder) CallN(domain, op string, n int, attrs Attrs, inputs ...*Value) []*Value {
	names := make([]string, n)
	for i := range names {
		b.n++
		names[i] = fmt.Sprintf("%s_%d", b.stem, b.n)
	}
	opset := 0
	if domain == "" {
		opset = b.Opset
	}
	node, err := NewNode(domain, op, opset, inputs, attrs, names...)
	if err != nil {
		b.Fail(err)
		return make([]*Value, n)
	}
	b.G.Nodes = append(b.G.Nodes, node)
	return node.Outputs
}

// Const returns a constant.
func (b *Builder) Const(v tensor.Value) *Value {
	b.n++
	return NewConst(fmt.Sprintf("%s_%d", b.stem, b.n), v)
}

// Float returns a scalar float constant.
func (b *Builder) Float(f float32) *Value { return b.Const(tensor.Scalar(f)) }

// Ints returns an int64 vector constant.
func (b *Builder) Ints(v ...int64) *Value { return b.Const(tensor.Vector(v...)) }
