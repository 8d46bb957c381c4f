package onnx

import (
	"errors"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/proto"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// ReadValueFile reads a file of test data, as UnmarshalValue does.
func ReadValueFile(path string, typ *onnxpb.TypeProto) (name string, v tensor.Value, err error) {
	data, err := os.ReadFile(path)
	if err == nil {
		name, v, err = UnmarshalValue(data, typ)
	}
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", path, err)
	}
	return name, v, nil
}

// UnmarshalValue decodes a value and its name. The type of the graph's input or output says which message data holds, since
// data does not; nil stands for a tensor. An empty optional is a *tensor.Optional without a value. The result may alias data.
func UnmarshalValue(data []byte, typ *onnxpb.TypeProto) (name string, v tensor.Value, err error) {
	t, err := Type(typ)
	if err != nil {
		return "", nil, err
	}
	var p interface {
		proto.Message
		GetName() string
	}
	switch t.Kind {
	case tensor.KindSequence:
		p = new(onnxpb.SequenceProto)
	case tensor.KindOptional:
		p = new(onnxpb.OptionalProto)
	case tensor.KindMap:
		p = new(onnxpb.MapProto)
	case tensor.KindSparse:
		s := new(onnxpb.SparseTensorProto)
		if err := unmarshal(data, s); err != nil {
			return "", nil, err
		}
		v, err := new(Model).Dense(s)
		return s.GetValues().GetName(), v, err
	case tensor.KindOpaque:
		return "", nil, errors.New("opaque values are not supported")
	default:
		p = new(onnxpb.TensorProto)
	}
	if err := unmarshal(data, p); err != nil {
		return "", nil, err
	}
	v, err = new(Model).Value(p, t)
	return p.GetName(), v, err
}

// Value returns the value in p, a TensorProto, SparseTensorProto, SequenceProto, OptionalProto or MapProto. The declared
// type fills in what an empty sequence or optional doesn't say itself; it may be unknown.
func (m *Model) Value(p proto.Message, declared tensor.Type) (tensor.Value, error) {
	switch p := p.(type) {
	case *onnxpb.TensorProto:
		return valueOr(m.Tensor(p))
	case *onnxpb.SparseTensorProto:
		return valueOr(m.Dense(p))
	case *onnxpb.SequenceProto:
		return valueOr(m.sequence(p, declared.Element()))
	case *onnxpb.OptionalProto:
		return valueOr(m.optional(p, declared.Element()))
	case *onnxpb.MapProto:
		return valueOr(m.mapValue(p))
	}
	return nil, fmt.Errorf("%T holds no value", p)
}

// valueOr keeps a nil pointer from becoming a value that is not nil.
func valueOr[V tensor.Value](v V, err error) (tensor.Value, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (m *Model) sequence(p *onnxpb.SequenceProto, elem tensor.Type) (*tensor.Sequence, error) {
	var items []proto.Message
	switch k := onnxpb.SequenceProto_DataType(p.GetElemType()); k {
	case onnxpb.SequenceProto_TENSOR:
		items = messages(p.TensorValues)
	case onnxpb.SequenceProto_SPARSE_TENSOR:
		items = messages(p.SparseTensorValues)
	case onnxpb.SequenceProto_SEQUENCE:
		items = messages(p.SequenceValues)
	case onnxpb.SequenceProto_MAP:
		items = messages(p.MapValues)
	case onnxpb.SequenceProto_OPTIONAL:
		items = messages(p.OptionalValues)
	case onnxpb.SequenceProto_UNDEFINED:
	default:
		return nil, fmt.Errorf("sequence %q: unknown kind of elements %d", p.GetName(), k)
	}
	s := &tensor.Sequence{Elem: elem, Items: make([]tensor.Value, len(items))}
	for i, item := range items {
		v, err := m.Value(item, elem)
		if err != nil {
			return nil, fmt.Errorf("sequence %q: element %d: %w", p.GetName(), i, err)
		}
		s.Items[i] = v
	}
	if elem.Kind == tensor.KindUnknown && len(items) > 0 {
		s.Elem = s.Items[0].Type()
		for _, v := range s.Items[1:] {
			s.Elem = s.Elem.Unify(v.Type())
		}
	}
	return s, nil
}

func messages[M proto.Message](list []M) []proto.Message {
	out := make([]proto.Message, len(list))
	for i, m := range list {
		out[i] = m
	}
	return out
}

func (m *Model) optional(p *onnxpb.OptionalProto, elem tensor.Type) (*tensor.Optional, error) {
	var held proto.Message
	switch {
	case p.TensorValue != nil:
		held = p.TensorValue
	case p.SparseTensorValue != nil:
		held = p.SparseTensorValue
	case p.SequenceValue != nil:
		held = p.SequenceValue
	case p.MapValue != nil:
		held = p.MapValue
	case p.OptionalValue != nil:
		held = p.OptionalValue
	default:
		return &tensor.Optional{Elem: elem}, nil
	}
	v, err := m.Value(held, elem)
	if err != nil {
		return nil, fmt.Errorf("optional %q: %w", p.GetName(), err)
	}
	if elem.Kind == tensor.KindUnknown {
		elem = v.Type()
	}
	return &tensor.Optional{Elem: elem, Value: v}, nil
}

func (m *Model) mapValue(p *onnxpb.MapProto) (*tensor.Map, error) {
	key, err := keyType(p.GetKeyType())
	if err != nil {
		return nil, fmt.Errorf("map %q: %w", p.GetName(), err)
	}
	out := &tensor.Map{Key: key}
	n := len(p.Keys)
	if key == tensor.String {
		n = len(p.StringKeys)
		for _, k := range p.StringKeys {
			out.Strs = append(out.Strs, string(k))
		}
	} else {
		out.Ints = p.Keys
	}
	if out.Values, err = m.single(p.GetValues().GetTensorValues()); err != nil {
		return nil, fmt.Errorf("map %q: %w", p.GetName(), err)
	}
	if out.Values.Len() != n {
		return nil, fmt.Errorf("map %q: %d keys and %d values", p.GetName(), n, out.Values.Len())
	}
	return out, nil
}

// single joins tensors of one element each to a vector; none give an empty vector of floats.
func (m *Model) single(list []*onnxpb.TensorProto) (*tensor.Tensor, error) {
	d, data, strs := tensor.Float32, []byte{}, []string{}
	for i, p := range list {
		t, err := m.Tensor(p)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			d = t.DType()
		}
		if t.Len() != 1 || t.DType() != d || d.Packed() {
			return nil, fmt.Errorf("value %d is %v%v, want one %v", i, t.DType(), t.Shape(), d)
		}
		data, strs = append(data, t.Bytes()...), append(strs, t.Strs()...)
	}
	if d == tensor.String {
		return tensor.Strings(tensor.Shape{len(strs)}, strs), nil
	}
	return tensor.FromBytes(d, tensor.Shape{len(list)}, data)
}

// WriteValueFile writes v as a file of test data. Equal values give equal bytes.
func WriteValueFile(path, name string, v tensor.Value) error {
	p, err := ValueProto(name, v)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	data, err := marshal(p)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return writeFile(path, func(w io.Writer) error { _, err := w.Write(data); return err })
}

// ValueProto returns the TensorProto, SequenceProto, OptionalProto or MapProto of v. It aliases v's tensors.
func ValueProto(name string, v tensor.Value) (proto.Message, error) {
	switch v := v.(type) {
	case *tensor.Tensor:
		return TensorProto(name, v), nil
	case *tensor.Sequence:
		return sequenceProto(name, v)
	case *tensor.Optional:
		return optionalProto(name, v)
	case *tensor.Map:
		return mapProto(name, v)
	}
	return nil, fmt.Errorf("value %q is a %T", name, v)
}

// The kinds of elements that SequenceProto and OptionalProto share.
var kindCodes = map[tensor.Kind]onnxpb.SequenceProto_DataType{
	tensor.KindTensor:   onnxpb.SequenceProto_TENSOR,
	tensor.KindSparse:   onnxpb.SequenceProto_TENSOR,
	tensor.KindSequence: onnxpb.SequenceProto_SEQUENCE,
	tensor.KindMap:      onnxpb.SequenceProto_MAP,
	tensor.KindOptional: onnxpb.SequenceProto_OPTIONAL,
}

func sequenceProto(name string, s *tensor.Sequence) (*onnxpb.SequenceProto, error) {
	kind := s.Elem.Kind
	if len(s.Items) > 0 {
		kind = s.Items[0].Type().Kind
	}
	p := &onnxpb.SequenceProto{ElemType: proto.Int32(int32(kindCodes[kind]))}
	if name != "" {
		p.Name = &name
	}
	for i, item := range s.Items {
		m, err := ValueProto("", item)
		if err != nil {
			return nil, fmt.Errorf("sequence %q: element %d: %w", name, i, err)
		}
		if item.Type().Kind != kind {
			return nil, fmt.Errorf("sequence %q: element %d is %v among others of another kind", name, i, item.Type())
		}
		switch m := m.(type) {
		case *onnxpb.TensorProto:
			p.TensorValues = append(p.TensorValues, m)
		case *onnxpb.SequenceProto:
			p.SequenceValues = append(p.SequenceValues, m)
		case *onnxpb.MapProto:
			p.MapValues = append(p.MapValues, m)
		case *onnxpb.OptionalProto:
			p.OptionalValues = append(p.OptionalValues, m)
		}
	}
	return p, nil
}

func optionalProto(name string, o *tensor.Optional) (*onnxpb.OptionalProto, error) {
	kind := o.Elem.Kind
	if o.Value != nil {
		kind = o.Value.Type().Kind
	}
	p := &onnxpb.OptionalProto{ElemType: proto.Int32(int32(kindCodes[kind]))}
	if name != "" {
		p.Name = &name
	}
	if o.Value == nil {
		return p, nil
	}
	m, err := ValueProto("", o.Value)
	if err != nil {
		return nil, fmt.Errorf("optional %q: %w", name, err)
	}
	switch m := m.(type) {
	case *onnxpb.TensorProto:
		p.TensorValue = m
	case *onnxpb.SequenceProto:
		p.SequenceValue = m
	case *onnxpb.MapProto:
		p.MapValue = m
	case *onnxpb.OptionalProto:
		p.OptionalValue = m
	}
	return p, nil
}

func mapProto(name string, v *tensor.Map) (*onnxpb.MapProto, error) {
	n := max(len(v.Ints), len(v.Strs))
	if v.Values == nil || v.Values.Rank() != 1 || v.Values.Len() != n || v.Values.DType().Packed() {
		return nil, fmt.Errorf("map %q: values for %d keys are not a vector of that length", name, n)
	}
	p := &onnxpb.MapProto{
		KeyType: proto.Int32(int32(v.Key)),
		Keys:    v.Ints,
		Values:  &onnxpb.SequenceProto{ElemType: proto.Int32(int32(onnxpb.SequenceProto_TENSOR))},
	}
	if name != "" {
		p.Name = &name
	}
	for _, k := range v.Strs {
		p.StringKeys = append(p.StringKeys, []byte(k))
	}
	for i := range n {
		p.Values.TensorValues = append(p.Values.TensorValues, TensorProto("", v.Values.Rows(i, i+1).Reshaped(tensor.Shape{})))
	}
	return p, nil
}
