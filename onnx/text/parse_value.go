package text

import (
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// isTypeName reports the words that begin a type.
func isTypeName(word string) bool {
	switch word {
	case "seq", "map", "optional", "sparse_tensor", "opaque":
		return true
	}
	_, ok := tensor.ParseDType(word)
	return ok
}

func (p *parser) atType() bool { return isTypeName(p.peekID()) }

func (p *parser) typ() *onnxpb.TypeProto {
	defer p.nest()()
	p.peek()
	start := p.pos
	word := p.id()
	if d, ok := tensor.ParseDType(word); ok {
		t := &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(int32(d)), Shape: p.shape()}
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: t}}
	}
	if !isTypeName(word) {
		p.failAt(start, "%q is not a type", word)
	}
	p.expect('(')
	t := &onnxpb.TypeProto{}
	switch word {
	case "seq":
		t.Value = &onnxpb.TypeProto_SequenceType{SequenceType: &onnxpb.TypeProto_Sequence{ElemType: p.typ()}}
	case "optional":
		t.Value = &onnxpb.TypeProto_OptionalType{OptionalType: &onnxpb.TypeProto_Optional{ElemType: p.typ()}}
	case "map":
		key := p.elemType()
		p.expect(',')
		t.Value = &onnxpb.TypeProto_MapType{MapType: &onnxpb.TypeProto_Map{KeyType: key, ValueType: p.typ()}}
	case "sparse_tensor":
		s := &onnxpb.TypeProto_SparseTensor{ElemType: p.elemType(), Shape: p.shape()}
		t.Value = &onnxpb.TypeProto_SparseTensorType{SparseTensorType: s}
	case "opaque":
		t.Value = &onnxpb.TypeProto_OpaqueType{OpaqueType: p.opaque()}
	}
	p.expect(')')
	return t
}

func (p *parser) elemType() *int32 {
	p.peek()
	start := p.pos
	word := p.id()
	d, ok := tensor.ParseDType(word)
	if !ok {
		p.failAt(start, "%q is not an element type", word)
	}
	return proto.Int32(int32(d))
}

// shape is what follows an element type: nothing for a scalar, [] for an unknown rank.
func (p *parser) shape() *onnxpb.TensorShapeProto {
	s := &onnxpb.TensorShapeProto{}
	if !p.accept('[') {
		return s
	}
	if p.accept(']') {
		return nil
	}
	p.list(']', func() {
		dim := &onnxpb.TensorShapeProto_Dimension{}
		switch c := p.peek(); {
		case c == '?':
			p.pos++
		case c == '"' || isAlpha(c):
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: p.name()}
		default:
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: p.int()}
		}
		s.Dim = append(s.Dim, dim)
	})
	return s
}

// opaque is the inside of opaque(domain, name); a lone name has no domain.
func (p *parser) opaque() *onnxpb.TypeProto_Opaque {
	if p.peek() == ')' {
		return &onnxpb.TypeProto_Opaque{}
	}
	first := p.name()
	for p.accept('.') {
		first += "." + p.name()
	}
	if p.accept(',') {
		return &onnxpb.TypeProto_Opaque{Domain: &first, Name: proto.String(p.name())}
	}
	return &onnxpb.TypeProto_Opaque{Name: &first}
}

// tensor is what follows the type of a tensor literal.
func (p *parser) tensor(typ *onnxpb.TypeProto) *onnxpb.TensorProto {
	var name *string
	if c := p.peek(); c == '"' || isAlpha(c) {
		name = proto.String(p.name())
	}
	p.accept('=')
	return p.values(name, typ)
}

// values is {…} or ["location": …], the data of a tensor of that type.
func (p *parser) values(name *string, typ *onnxpb.TypeProto) *onnxpb.TensorProto {
	t := &onnxpb.TensorProto{Name: name}
	tt := typ.GetTensorType()
	if tt == nil || tt.Shape == nil {
		p.fail("values for something that is no tensor of known rank")
	}
	t.DataType = tt.ElemType
	shape := make(tensor.Shape, len(tt.Shape.Dim))
	for i, dim := range tt.Shape.Dim {
		n, ok := dim.Value.(*onnxpb.TensorShapeProto_Dimension_DimValue)
		if !ok || int64(int(n.DimValue)) != n.DimValue {
			p.fail("dimension %d of a tensor with values is not a number", i)
		}
		t.Dims, shape[i] = append(t.Dims, n.DimValue), int(n.DimValue)
	}
	n, err := shape.CheckSize()
	if err != nil {
		p.fail("%v", err)
	}
	if p.peek() == '[' {
		t.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
		t.ExternalData = p.entries()
		return t
	}
	p.elements(t, tensor.DType(t.GetDataType()), n)
	return t
}

// elements parses the n elements {…} of t. Complex elements are two numbers each.
func (p *parser) elements(t *onnxpb.TensorProto, d tensor.DType, n int) {
	count, want := 0, n
	if d == tensor.Complex64 || d == tensor.Complex128 {
		want *= 2
	}
	p.expect('{')
	p.list('}', func() {
		if count++; count > want {
			p.fail("more than the %d values of %v%v", want, d, t.Dims)
		}
		switch d {
		case tensor.Float32, tensor.Complex64:
			t.FloatData = append(t.FloatData, float32(p.float(32)))
		case tensor.Float64, tensor.Complex128:
			t.DoubleData = append(t.DoubleData, p.float(64))
		case tensor.Int64:
			t.Int64Data = append(t.Int64Data, p.int())
		case tensor.Uint32, tensor.Uint64:
			t.Uint64Data = append(t.Uint64Data, p.uint(d.Bits()))
		case tensor.String:
			t.StringData = append(t.StringData, []byte(p.quoted()))
		default:
			p.small(t, d, count-1)
		}
	})
	if count < want {
		p.fail("%d values for %v%v, which has %d", count, d, t.Dims, want)
	}
}

func (p *parser) uint(bits int) uint64 {
	p.peek()
	start := p.pos
	lit, _ := p.number()
	n, err := strconv.ParseUint(lit, 10, bits)
	if err != nil {
		p.failAt(start, "%s is not a uint%d", lit, bits)
	}
	return n
}

// small appends element i of a type that int32_data holds: an integer, or the bit pattern of a float.
func (p *parser) small(t *onnxpb.TensorProto, d tensor.DType, i int) {
	p.peek()
	start := p.pos
	v := p.int()
	low, high := int64(0), int64(1)<<d.Bits()-1
	if d == tensor.Bool {
		high = 1
	} else if d.IsSigned() {
		low, high = -high/2-1, high/2
	}
	if v < low || v > high {
		p.failAt(start, "%d is no %v", v, d)
	}
	if !d.Packed() {
		t.Int32Data = append(t.Int32Data, int32(v))
		return
	}
	per := 8 / d.Bits()
	if i%per == 0 {
		t.Int32Data = append(t.Int32Data, 0)
	}
	t.Int32Data[i/per] |= int32(v&(1<<d.Bits()-1)) << (i % per * d.Bits())
}

// attributeTypes names the types of attributes; those of lists follow the ones of their elements.
var attributeTypes = map[string]onnxpb.AttributeProto_AttributeType{}

func init() {
	for code, name := range onnxpb.AttributeProto_AttributeType_name {
		if code != 0 {
			attributeTypes[strings.ToLower(name)] = onnxpb.AttributeProto_AttributeType(code)
		}
	}
}

// attribute is what follows an attribute's name.
func (p *parser) attribute(name string) *onnxpb.AttributeProto {
	a := &onnxpb.AttributeProto{Name: &name}
	declared := onnxpb.AttributeProto_UNDEFINED
	if p.accept(':') {
		p.peek()
		start := p.pos
		word := p.id()
		var ok bool
		if declared, ok = attributeTypes[word]; !ok {
			p.failAt(start, "%q is not a type of attributes", word)
		}
	}
	p.expect('=')
	start := p.pos
	switch {
	case p.accept('@'):
		a.RefAttrName = proto.String(p.name())
		a.Type = declared.Enum()
		if declared == onnxpb.AttributeProto_UNDEFINED {
			a.Type = nil
		}
		return a
	case p.accept('['):
		p.attributeList(a, declared)
	default:
		a.Type = p.single(a, declared).Enum()
	}
	if declared != onnxpb.AttributeProto_UNDEFINED && a.GetType() != declared {
		p.failAt(start, "attribute %q is %s, and its value %s", name, strings.ToLower(declared.String()), strings.ToLower(a.GetType().String()))
	}
	return a
}

// attributeList parses the elements of a list up to its end. An empty list needs a declared type.
func (p *parser) attributeList(a *onnxpb.AttributeProto, declared onnxpb.AttributeProto_AttributeType) {
	kind := declared
	p.list(']', func() {
		p.peek()
		start := p.pos
		var one onnxpb.AttributeProto
		k := listOf[p.single(&one, elementOf(declared))]
		if kind != onnxpb.AttributeProto_UNDEFINED && k != kind {
			p.failAt(start, "a value of another type in a list of %s", strings.ToLower(kind.String()))
		}
		kind = k
		switch k {
		case onnxpb.AttributeProto_INTS:
			a.Ints = append(a.Ints, one.GetI())
		case onnxpb.AttributeProto_FLOATS:
			a.Floats = append(a.Floats, one.GetF())
		case onnxpb.AttributeProto_STRINGS:
			a.Strings = append(a.Strings, one.GetS())
		case onnxpb.AttributeProto_TENSORS:
			a.Tensors = append(a.Tensors, one.T)
		case onnxpb.AttributeProto_GRAPHS:
			a.Graphs = append(a.Graphs, one.G)
		case onnxpb.AttributeProto_TYPE_PROTOS:
			a.TypeProtos = append(a.TypeProtos, one.Tp)
		}
	})
	if kind == onnxpb.AttributeProto_UNDEFINED {
		p.fail("an empty list needs a type")
	}
	a.Type = kind.Enum()
}

var listOf = map[onnxpb.AttributeProto_AttributeType]onnxpb.AttributeProto_AttributeType{
	onnxpb.AttributeProto_INT:        onnxpb.AttributeProto_INTS,
	onnxpb.AttributeProto_FLOAT:      onnxpb.AttributeProto_FLOATS,
	onnxpb.AttributeProto_STRING:     onnxpb.AttributeProto_STRINGS,
	onnxpb.AttributeProto_TENSOR:     onnxpb.AttributeProto_TENSORS,
	onnxpb.AttributeProto_GRAPH:      onnxpb.AttributeProto_GRAPHS,
	onnxpb.AttributeProto_TYPE_PROTO: onnxpb.AttributeProto_TYPE_PROTOS,
}

func elementOf(list onnxpb.AttributeProto_AttributeType) onnxpb.AttributeProto_AttributeType {
	for elem, l := range listOf {
		if l == list {
			return elem
		}
	}
	return onnxpb.AttributeProto_UNDEFINED
}

// single parses one value into a and returns its type. An integer is a float where one is declared, a quoted name a graph.
func (p *parser) single(a *onnxpb.AttributeProto, declared onnxpb.AttributeProto_AttributeType) onnxpb.AttributeProto_AttributeType {
	c := p.peek()
	word := p.peekID()
	switch {
	case c == '"':
		start := p.pos
		s := p.quoted()
		if declared != onnxpb.AttributeProto_STRING && p.peek() == '(' {
			p.pos = start
			a.G = p.graph()
			return onnxpb.AttributeProto_GRAPH
		}
		a.S = []byte(s)
		return onnxpb.AttributeProto_STRING
	case isTypeName(word):
		t := p.typ()
		if c := p.peek(); c == '{' || c == '=' || c == '"' || isAlpha(c) {
			a.T = p.tensor(t)
			return onnxpb.AttributeProto_TENSOR
		}
		a.Tp = t
		return onnxpb.AttributeProto_TYPE_PROTO
	case word != "" && !isSpecialFloat(word):
		a.G = p.graph()
		return onnxpb.AttributeProto_GRAPH
	}
	start := p.pos
	if _, integer := p.number(); integer && declared != onnxpb.AttributeProto_FLOAT {
		p.pos = start
		a.I = proto.Int64(p.int())
		return onnxpb.AttributeProto_INT
	}
	p.pos = start
	f := p.float(32)
	if math.Abs(f) > math.MaxFloat32 && !math.IsInf(f, 0) {
		p.failAt(start, "the number is too large for a float")
	}
	a.F = proto.Float32(float32(f))
	return onnxpb.AttributeProto_FLOAT
}
