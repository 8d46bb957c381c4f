package text

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

func (w *writer) typ(t *onnxpb.TypeProto) {
	switch v := t.GetValue().(type) {
	case *onnxpb.TypeProto_TensorType:
		w.elemType(v.TensorType.GetElemType())
		w.shape(v.TensorType.Shape)
	case *onnxpb.TypeProto_SparseTensorType:
		w.WriteString("sparse_tensor(")
		w.elemType(v.SparseTensorType.GetElemType())
		w.shape(v.SparseTensorType.Shape)
		w.WriteString(")")
	case *onnxpb.TypeProto_SequenceType:
		w.WriteString("seq(")
		w.typ(v.SequenceType.GetElemType())
		w.WriteString(")")
	case *onnxpb.TypeProto_OptionalType:
		w.WriteString("optional(")
		w.typ(v.OptionalType.GetElemType())
		w.WriteString(")")
	case *onnxpb.TypeProto_MapType:
		w.WriteString("map(")
		w.elemType(v.MapType.GetKeyType())
		w.WriteString(", ")
		w.typ(v.MapType.GetValueType())
		w.WriteString(")")
	case *onnxpb.TypeProto_OpaqueType:
		w.opaque(v.OpaqueType)
	default:
		w.fail(fmt.Errorf("the syntax has no empty types"))
	}
}

func (w *writer) opaque(o *onnxpb.TypeProto_Opaque) {
	switch {
	case o.GetDomain() != "":
		w.printf("opaque(%s, %s)", qualified(o.GetDomain()), name(o.GetName()))
	case o.GetName() != "":
		w.printf("opaque(%s)", qualified(o.GetName()))
	default:
		w.WriteString("opaque()")
	}
}

func (w *writer) elemType(code int32) {
	d := tensor.DType(code)
	if int32(d) != code || !d.Valid() && d != tensor.Undefined {
		w.fail(fmt.Errorf("unknown element type %d", code))
	}
	w.WriteString(d.String())
}

func (w *writer) shape(s *onnxpb.TensorShapeProto) {
	if s == nil {
		w.WriteString("[]")
		return
	}
	if len(s.Dim) == 0 {
		return
	}
	w.join("[", "]", len(s.Dim), func(i int) {
		switch v := s.Dim[i].Value.(type) {
		case *onnxpb.TensorShapeProto_Dimension_DimValue:
			w.printf("%d", v.DimValue)
		case *onnxpb.TensorShapeProto_Dimension_DimParam:
			w.WriteString(name(v.DimParam))
		default:
			w.WriteString("?")
		}
	})
}

// tensor writes type, name and data; an initializer has "=" between name and data.
func (w *writer) tensor(p *onnxpb.TensorProto, initializer bool) {
	w.elemType(p.GetDataType())
	if len(p.Dims) > 0 {
		w.join("[", "]", len(p.Dims), func(i int) { w.printf("%d", p.Dims[i]) })
	}
	if p.GetName() != "" || initializer {
		w.printf(" %s", name(p.GetName()))
	}
	external := p.GetDataLocation() == onnxpb.TensorProto_EXTERNAL && w.Model == nil
	if initializer || external {
		w.WriteString(" =")
	}
	if external {
		w.printf(" %s", entries(p.ExternalData))
		return
	}
	m := w.Model
	if m == nil {
		m = &onnx.Model{}
	}
	t, err := m.Tensor(p)
	if err != nil {
		w.fail(err)
		return
	}
	w.elements(t)
}

// elements writes {…}.
func (w *writer) elements(t *tensor.Tensor) {
	n := t.Len()
	if t.DType() == tensor.Complex64 || t.DType() == tensor.Complex128 {
		n *= 2
	}
	item, closing := elementText(t), "}"
	if w.MaxElements > 0 && n > w.MaxElements {
		n, closing = w.MaxElements, ", …}"
	}
	w.join(" {", closing, n, func(i int) { w.WriteString(item(i)) })
}

// elementText returns the function that gives the text of element i.
func elementText(t *tensor.Tensor) func(i int) string {
	d := t.DType()
	switch d {
	case tensor.String:
		return func(i int) string { return quote(t.Strs()[i]) }
	case tensor.Float32:
		v := t.Float32()
		return func(i int) string { return float(float64(v[i]), 32) }
	case tensor.Complex64:
		v := t.Retyped(tensor.Float32, tensor.Shape{2 * t.Len()}).Float32()
		return func(i int) string { return float(float64(v[i]), 32) }
	case tensor.Float64:
		v := t.Float64()
		return func(i int) string { return float(v[i], 64) }
	case tensor.Complex128:
		v := t.Retyped(tensor.Float64, tensor.Shape{2 * t.Len()}).Float64()
		return func(i int) string { return float(v[i], 64) }
	}
	return func(i int) string { return integer(t.Bytes(), d, i) }
}

// integer is the text of element i of an integer type, or of the bit pattern of a small float.
func integer(data []byte, d tensor.DType, i int) string {
	bits := d.Bits()
	var u uint64
	if d.Packed() {
		per := 8 / bits
		u = uint64(data[i/per]) >> (i % per * bits) & (1<<bits - 1)
	} else {
		for b := range bits / 8 {
			u |= uint64(data[i*bits/8+b]) << (8 * b)
		}
	}
	if d.IsSigned() {
		return strconv.FormatInt(int64(u<<(64-bits))>>(64-bits), 10)
	}
	return strconv.FormatUint(u, 10)
}

// float is the shortest text that reads back as f.
func float(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 0):
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(f, 'g', -1, bits)), "+")
	}
	return strconv.FormatFloat(f, 'g', -1, bits)
}

func (w *writer) attribute(a *onnxpb.AttributeProto) {
	kind := a.GetType()
	if kind == onnxpb.AttributeProto_UNDEFINED {
		kind = kindOf(a)
	}
	w.WriteString(name(a.GetName()))
	if kind != onnxpb.AttributeProto_UNDEFINED {
		w.printf(": %s", strings.ToLower(kind.String()))
	}
	w.WriteString(" = ")
	if a.GetRefAttrName() != "" {
		w.printf("@%s", name(a.GetRefAttrName()))
		return
	}
	w.indent++
	w.value(a, kind)
	w.indent--
}

func (w *writer) value(a *onnxpb.AttributeProto, kind onnxpb.AttributeProto_AttributeType) {
	switch kind {
	case onnxpb.AttributeProto_FLOAT:
		w.WriteString(float(float64(a.GetF()), 32))
	case onnxpb.AttributeProto_INT:
		w.printf("%d", a.GetI())
	case onnxpb.AttributeProto_STRING:
		w.WriteString(quote(string(a.GetS())))
	case onnxpb.AttributeProto_TENSOR:
		w.tensor(a.GetT(), false)
	case onnxpb.AttributeProto_GRAPH:
		w.graph(a.GetG())
	case onnxpb.AttributeProto_TYPE_PROTO:
		w.typ(a.GetTp())
	case onnxpb.AttributeProto_FLOATS:
		w.join("[", "]", len(a.Floats), func(i int) { w.WriteString(float(float64(a.Floats[i]), 32)) })
	case onnxpb.AttributeProto_INTS:
		w.join("[", "]", len(a.Ints), func(i int) { w.printf("%d", a.Ints[i]) })
	case onnxpb.AttributeProto_STRINGS:
		w.join("[", "]", len(a.Strings), func(i int) { w.WriteString(quote(string(a.Strings[i]))) })
	case onnxpb.AttributeProto_TENSORS:
		w.join("[", "]", len(a.Tensors), func(i int) { w.tensor(a.Tensors[i], false) })
	case onnxpb.AttributeProto_GRAPHS:
		w.join("[", "]", len(a.Graphs), func(i int) { w.graph(a.Graphs[i]) })
	case onnxpb.AttributeProto_TYPE_PROTOS:
		w.join("[", "]", len(a.TypeProtos), func(i int) { w.typ(a.TypeProtos[i]) })
	default:
		w.fail(fmt.Errorf("attribute %q: %w", a.GetName(), errSparse))
	}
}

// kindOf is the type of an attribute that doesn't say, as in files of IR version 1: that of the field that is set.
func kindOf(a *onnxpb.AttributeProto) onnxpb.AttributeProto_AttributeType {
	for _, k := range []struct {
		set  bool
		kind onnxpb.AttributeProto_AttributeType
	}{
		{a.F != nil, onnxpb.AttributeProto_FLOAT}, {a.I != nil, onnxpb.AttributeProto_INT}, {a.S != nil, onnxpb.AttributeProto_STRING},
		{a.T != nil, onnxpb.AttributeProto_TENSOR}, {a.G != nil, onnxpb.AttributeProto_GRAPH}, {a.Tp != nil, onnxpb.AttributeProto_TYPE_PROTO},
		{a.Floats != nil, onnxpb.AttributeProto_FLOATS}, {a.Ints != nil, onnxpb.AttributeProto_INTS},
		{a.Strings != nil, onnxpb.AttributeProto_STRINGS}, {a.Tensors != nil, onnxpb.AttributeProto_TENSORS},
		{a.Graphs != nil, onnxpb.AttributeProto_GRAPHS}, {a.TypeProtos != nil, onnxpb.AttributeProto_TYPE_PROTOS},
	} {
		if k.set {
			return k.kind
		}
	}
	return onnxpb.AttributeProto_UNDEFINED
}
