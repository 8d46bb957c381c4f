package text

import (
	"google.golang.org/protobuf/proto"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
)

// Parse parses a model: an optional header, the graph, and functions. Errors are of type *Error.
func Parse(src string) (*onnxpb.ModelProto, error) { return parse(src, (*parser).model) }

// ParseGraph parses a graph.
func ParseGraph(src string) (*onnxpb.GraphProto, error) { return parse(src, (*parser).graph) }

// ParseFunction parses a function.
func ParseFunction(src string) (*onnxpb.FunctionProto, error) { return parse(src, (*parser).function) }

// ParseNode parses one node.
func ParseNode(src string) (*onnxpb.NodeProto, error) { return parse(src, (*parser).node) }

// ParseNodes parses nodes one after the other, without braces, as in the body of a function.
func ParseNodes(src string) ([]*onnxpb.NodeProto, error) {
	return parse(src, func(p *parser) (list []*onnxpb.NodeProto) {
		for p.peek() != 0 {
			list = append(list, p.node())
		}
		return list
	})
}

// ParseType parses a type.
func ParseType(src string) (*onnxpb.TypeProto, error) { return parse(src, (*parser).typ) }

// ParseTensor parses a tensor literal: type, optional name, and values.
func ParseTensor(src string) (*onnxpb.TensorProto, error) {
	return parse(src, func(p *parser) *onnxpb.TensorProto { return p.tensor(p.typ()) })
}

// ParseAttribute parses an attribute.
func ParseAttribute(src string) (*onnxpb.AttributeProto, error) {
	return parse(src, func(p *parser) *onnxpb.AttributeProto { return p.attribute(p.name()) })
}

func (p *parser) model() *onnxpb.ModelProto {
	m := &onnxpb.ModelProto{}
	p.header(func(key string) bool {
		switch key {
		case "ir_version":
			m.IrVersion = proto.Int64(p.int())
		case "opset_import":
			m.OpsetImport = append(m.OpsetImport, p.opsets()...)
		case "producer_name":
			m.ProducerName = proto.String(p.quoted())
		case "producer_version":
			m.ProducerVersion = proto.String(p.quoted())
		case "domain":
			m.Domain = proto.String(p.quoted())
		case "model_version":
			m.ModelVersion = proto.Int64(p.int())
		case "doc_string":
			m.DocString = proto.String(p.quoted())
		case "metadata_props":
			m.MetadataProps = append(m.MetadataProps, p.entries()...)
		default:
			return false
		}
		return true
	})
	m.Graph = p.graph()
	for p.peek() != 0 {
		m.Functions = append(m.Functions, p.function())
	}
	return m
}

// header parses <key: value, …> if it is there.
func (p *parser) header(field func(key string) bool) {
	if !p.accept('<') {
		return
	}
	p.list('>', func() {
		p.peek()
		start := p.pos
		key := p.id()
		p.expect(':')
		if !field(key) {
			p.failAt(start, "unknown field %q", key)
		}
	})
}

func (p *parser) opsets() (sets []*onnxpb.OperatorSetIdProto) {
	p.expect('[')
	p.list(']', func() {
		domain := p.quoted()
		p.expect(':')
		version := p.int()
		sets = append(sets, &onnxpb.OperatorSetIdProto{Domain: &domain, Version: &version})
	})
	return sets
}

// entries parses ["key": "value", …].
func (p *parser) entries() (list []*onnxpb.StringStringEntryProto) {
	p.expect('[')
	p.list(']', func() {
		key := p.quoted()
		p.expect(':')
		value := p.quoted()
		list = append(list, &onnxpb.StringStringEntryProto{Key: &key, Value: &value})
	})
	return list
}

func (p *parser) graph() *onnxpb.GraphProto {
	defer p.nest()()
	g := &onnxpb.GraphProto{Name: proto.String(p.name())}
	p.expect('(')
	p.list(')', func() {
		v := p.valueInfo()
		g.Input = append(g.Input, v)
		if p.accept('=') {
			g.Initializer = append(g.Initializer, p.values(v.Name, v.Type))
		}
	})
	p.arrow()
	p.expect('(')
	p.list(')', func() { g.Output = append(g.Output, p.valueInfo()) })
	if p.accept('<') {
		p.list('>', func() {
			v := p.valueInfo()
			if p.accept('=') {
				g.Initializer = append(g.Initializer, p.values(v.Name, v.Type))
			} else {
				g.ValueInfo = append(g.ValueInfo, v)
			}
		})
	}
	g.Node = p.nodes()
	return g
}

func (p *parser) arrow() {
	p.expect('=')
	if p.pos >= len(p.src) || p.src[p.pos] != '>' {
		p.fail(`expected "=>"`)
	}
	p.pos++
}

// valueInfo is a name, mostly after a type.
func (p *parser) valueInfo() *onnxpb.ValueInfoProto {
	v := &onnxpb.ValueInfoProto{}
	if p.atType() {
		v.Type = p.typ()
	}
	v.Name = proto.String(p.name())
	return v
}

func (p *parser) function() *onnxpb.FunctionProto {
	defer p.nest()()
	f := &onnxpb.FunctionProto{}
	p.header(func(key string) bool {
		switch key {
		case "opset_import":
			f.OpsetImport = append(f.OpsetImport, p.opsets()...)
		case "doc_string":
			f.DocString = proto.String(p.quoted())
		case "domain":
			f.Domain = proto.String(p.quoted())
		case "overload":
			f.Overload = proto.String(p.quoted())
		default:
			return false
		}
		return true
	})
	f.Name = proto.String(p.name())
	if p.accept('<') {
		p.list('>', func() {
			name := p.name()
			if c := p.peek(); c == ':' || c == '=' {
				f.AttributeProto = append(f.AttributeProto, p.attribute(name))
			} else {
				f.Attribute = append(f.Attribute, name)
			}
		})
	}
	parameters := func() (names []string) {
		p.expect('(')
		p.list(')', func() {
			v := p.valueInfo()
			if names = append(names, v.GetName()); v.Type != nil {
				f.ValueInfo = append(f.ValueInfo, v)
			}
		})
		return names
	}
	f.Input = parameters()
	p.arrow()
	f.Output = parameters()
	if p.accept('<') {
		p.list('>', func() { f.ValueInfo = append(f.ValueInfo, p.valueInfo()) })
	}
	f.Node = p.nodes()
	return f
}

func (p *parser) nodes() (list []*onnxpb.NodeProto) {
	p.expect('{')
	for !p.accept('}') {
		list = append(list, p.node())
	}
	return list
}

// node is [label] outputs = domain.Operator:overload <attributes> (inputs); the attributes may also come last.
func (p *parser) node() *onnxpb.NodeProto {
	n := &onnxpb.NodeProto{}
	if p.accept('[') {
		n.Name = proto.String("")
		if p.peek() != ']' {
			n.Name = proto.String(p.name())
		}
		p.expect(']')
	}
	n.Output = p.names()
	p.expect('=')
	domain, op := "", p.name()
	for p.accept('.') {
		if domain != "" {
			domain += "."
		}
		domain, op = domain+op, p.name()
	}
	n.OpType = &op
	if domain != "" {
		n.Domain = &domain
	}
	if p.accept(':') {
		n.Overload = proto.String(p.name())
	}
	n.Attribute = p.attributes()
	p.expect('(')
	n.Input = p.names()
	p.expect(')')
	if len(n.Attribute) == 0 {
		n.Attribute = p.attributes()
	}
	return n
}

// names is a list of value names of which some may be missing: nothing before a comma is an empty name, nothing after the
// last one is no name.
func (p *parser) names() (list []string) {
	for {
		switch c := p.peek(); {
		case c == '"' || isAlpha(c):
			list = append(list, p.name())
		case c == ',':
			list = append(list, "")
		default:
			return list
		}
		if !p.accept(',') {
			return list
		}
	}
}

func (p *parser) attributes() (list []*onnxpb.AttributeProto) {
	if p.accept('<') {
		p.list('>', func() { list = append(list, p.attribute(p.name())) })
	}
	return list
}
