package graph

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/schema"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// minIR is the oldest IR version that exported models have: initializers need not be inputs since then.
const minIR = 4

// Export returns the graph as a model. Weights alias the graph's tensors. Values are renamed where two visible ones share a
// name. A node that was read in another version of its domain than the graph imports, and means something else there, is
// an error.
func Export(g *Graph) (*onnx.Model, error) {
	ex := &exporter{names: map[*Value]string{}, used: map[string]bool{}, opsets: maps.Clone(g.Opsets)}
	p, err := ex.graph(g)
	if err != nil {
		return nil, err
	}
	m := &onnxpb.ModelProto{IrVersion: proto.Int64(int64(max(g.IR, minIR))), Graph: p, ProducerName: proto.String("sardonyx")}
	for _, d := range slices.Sorted(maps.Keys(ex.opsets)) {
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String(d), Version: proto.Int64(int64(ex.opsets[d]))})
	}
	for _, k := range slices.Sorted(maps.Keys(g.Metadata)) {
		m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: proto.String(k), Value: proto.String(g.Metadata[k])})
	}
	return &onnx.Model{Proto: m}, nil
}

type exporter struct {
	names  map[*Value]string
	used   map[string]bool
	opsets map[string]int
}

// name returns the unique name of a value, "" for an absent one.
func (ex *exporter) name(v *Value) string {
	if v == nil {
		return ""
	}
	if n, ok := ex.names[v]; ok {
		return n
	}
	n := v.Name
	for i := 1; n == "" || ex.used[n]; i++ {
		n = v.Name + "_" + strconv.Itoa(i)
	}
	ex.names[v], ex.used[n] = n, true
	return n
}

func (ex *exporter) graph(g *Graph) (*onnxpb.GraphProto, error) {
	p := &onnxpb.GraphProto{Name: proto.String(g.Name)}
	if g.Doc != "" {
		p.DocString = proto.String(g.Doc)
	}
	// The names of the interface come first: they must not change.
	for _, v := range slices.Concat(g.Inputs, g.Outputs) {
		ex.name(v)
	}
	for _, v := range g.Inputs {
		t := v.Declared
		p.Input = append(p.Input, &onnxpb.ValueInfoProto{Name: proto.String(ex.name(v)), Type: onnx.TypeProto(t)})
		if v.Default != nil {
			if err := ex.initializer(p, ex.name(v), v.Default); err != nil {
				return nil, err
			}
		}
	}
	if g.Outer == nil {
		if err := ex.constants(p, g); err != nil {
			return nil, err
		}
	}
	for _, n := range g.Nodes {
		np, err := ex.node(n)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", n, err)
		}
		p.Node = append(p.Node, np)
		for _, v := range n.Outputs {
			if v != nil && !slices.Contains(g.Outputs, v) && v.Type.Kind == tensor.KindTensor && v.Type.DType != tensor.Undefined && v.Type.Ranked {
				p.ValueInfo = append(p.ValueInfo, &onnxpb.ValueInfoProto{Name: proto.String(ex.name(v)), Type: onnx.TypeProto(v.Type)})
			}
		}
	}
	for _, v := range g.Outputs {
		name := ex.name(v)
		if g.Outer != nil && !g.defines(v) {
			name = ex.forward(p, v)
		}
		p.Output = append(p.Output, &onnxpb.ValueInfoProto{Name: proto.String(name), Type: onnx.TypeProto(v.Type)})
	}
	return p, nil
}

// defines reports whether v is an input of g or computed by one of its nodes.
func (g *Graph) defines(v *Value) bool {
	return slices.Contains(g.Inputs, v) || v.Node != nil && slices.Contains(g.Nodes, v.Node)
}

// forward lets a subgraph return a value of an enclosing graph, which needs a node of its own.
func (ex *exporter) forward(p *onnxpb.GraphProto, v *Value) string {
	out := ex.name(&Value{Name: v.Name + "_out"})
	p.Node = append(p.Node, &onnxpb.NodeProto{OpType: proto.String("Identity"), Input: []string{ex.name(v)}, Output: []string{out}})
	return out
}

// constants writes the constants of g and all its subgraphs as initializers of the main graph, where everything sees them.
func (ex *exporter) constants(p *onnxpb.GraphProto, g *Graph) error {
	done := map[*Value]bool{}
	write := func(v *Value) error {
		if v == nil || v.Const == nil || v.Node != nil || done[v] {
			return nil
		}
		done[v] = true
		return ex.initializer(p, ex.name(v), v.Const)
	}
	return g.Walk(func(sub *Graph) error {
		for _, n := range sub.Nodes {
			for _, v := range n.Inputs {
				if err := write(v); err != nil {
					return err
				}
			}
		}
		for _, v := range sub.Outputs {
			if err := write(v); err != nil {
				return err
			}
		}
		return nil
	})
}

func (ex *exporter) initializer(p *onnxpb.GraphProto, name string, v tensor.Value) error {
	t, ok := v.(*tensor.Tensor)
	if !ok {
		return fmt.Errorf("constant %q is a %T, which cannot be an initializer", name, v)
	}
	p.Initializer = append(p.Initializer, onnx.TensorProto(name, t))
	return nil
}

func (ex *exporter) node(n *Node) (*onnxpb.NodeProto, error) {
	if err := ex.checkVersion(n); err != nil {
		return nil, err
	}
	p := &onnxpb.NodeProto{OpType: proto.String(n.OpType)}
	if n.Name != "" {
		p.Name = proto.String(n.Name)
	}
	if n.Domain != "" {
		p.Domain = proto.String(n.Domain)
	}
	if n.Doc != "" {
		p.DocString = proto.String(n.Doc)
	}
	for _, v := range n.Inputs {
		p.Input = append(p.Input, ex.name(v))
	}
	for _, v := range n.Outputs {
		p.Output = append(p.Output, ex.name(v))
	}
	for _, k := range slices.Sorted(maps.Keys(n.Attrs)) {
		a, err := ex.attribute(k, n.Attrs[k])
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", k, err)
		}
		p.Attribute = append(p.Attribute, a)
	}
	return p, nil
}

// checkVersion makes sure that the node means the same in the opset that the exported model imports.
func (ex *exporter) checkVersion(n *Node) error {
	have, ok := ex.opsets[n.Domain]
	if !ok {
		ex.opsets[n.Domain] = n.Opset
		return nil
	}
	if have == n.Opset {
		return nil
	}
	a, ok1 := schema.Lookup(n.Domain, n.OpType, have)
	b, ok2 := schema.Lookup(n.Domain, n.OpType, n.Opset)
	if ok1 && ok2 && a.Since == b.Since {
		return nil
	}
	return fmt.Errorf("version %d of %s cannot be expressed in opset %d of %s", n.Opset, n.OpType, have, domainName(n.Domain))
}

func (ex *exporter) attribute(name string, v any) (*onnxpb.AttributeProto, error) {
	a := &onnxpb.AttributeProto{Name: proto.String(name)}
	kind := func(t onnxpb.AttributeProto_AttributeType) { a.Type = &t }
	switch v := v.(type) {
	case int64:
		kind(onnxpb.AttributeProto_INT)
		a.I = &v
	case float32:
		kind(onnxpb.AttributeProto_FLOAT)
		a.F = &v
	case string:
		kind(onnxpb.AttributeProto_STRING)
		a.S = []byte(v)
	case []int64:
		kind(onnxpb.AttributeProto_INTS)
		a.Ints = v
	case []float32:
		kind(onnxpb.AttributeProto_FLOATS)
		a.Floats = v
	case []string:
		kind(onnxpb.AttributeProto_STRINGS)
		for _, s := range v {
			a.Strings = append(a.Strings, []byte(s))
		}
	case *tensor.Tensor:
		kind(onnxpb.AttributeProto_TENSOR)
		a.T = onnx.TensorProto("", v)
	case []*tensor.Tensor:
		kind(onnxpb.AttributeProto_TENSORS)
		for _, t := range v {
			a.Tensors = append(a.Tensors, onnx.TensorProto("", t))
		}
	case tensor.Type:
		kind(onnxpb.AttributeProto_TYPE_PROTO)
		a.Tp = onnx.TypeProto(v)
	case *Graph:
		kind(onnxpb.AttributeProto_GRAPH)
		p, err := ex.graph(v)
		if err != nil {
			return nil, err
		}
		a.G = p
	default:
		return nil, errors.New("cannot be written: " + fmt.Sprintf("%T", v))
	}
	return a, nil
}
