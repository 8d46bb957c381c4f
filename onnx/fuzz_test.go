package onnx

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// FuzzLoad decodes anything as a model and reads all of its tensors and types; what decodes has to survive Marshal.
func FuzzLoad(f *testing.F) {
	seed, err := proto.Marshal(nested())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed[len(seed)-200:])
	small := nested()
	eachTensor(small.ProtoReflect(), func(p *onnxpb.TensorProto) { p.Dims, p.RawData = []int64{2}, make([]byte, 8) })
	small.Graph.Input = []*onnxpb.ValueInfoProto{{Name: proto.String("x"), Type: TypeProto(tensor.SequenceType(tensor.TensorType(tensor.Int4, tensor.Sym("N"))))}}
	small.Graph.Initializer[0] = externalTensor(tensor.Uint8, 3, "location", "../x", "offset", "5")
	if seed, err = proto.Marshal(small); err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		eachTensor(m.Proto.ProtoReflect(), func(p *onnxpb.TensorProto) { m.Tensor(p) })
		for _, s := range m.Proto.Graph.GetSparseInitializer() {
			m.Dense(s)
		}
		for _, v := range m.Proto.Graph.GetInput() {
			Type(v.Type)
		}
		again, err := Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if m2, err := Parse(again); err != nil || !proto.Equal(m.Proto, m2.Proto) {
			t.Errorf("changed by Marshal and Parse: %v", err)
		}
	})
}

// FuzzValue decodes anything as each kind of value.
func FuzzValue(f *testing.F) {
	types := []tensor.Type{
		{}, tensor.SequenceType(tensor.Type{}), tensor.OptionalType(tensor.Type{}),
		{Kind: tensor.KindMap, DType: tensor.Int64, Elem: &tensor.Type{}}, {Kind: tensor.KindSparse},
	}
	v := tensor.Vector[float32](1, 2)
	labels := &tensor.Map{Key: tensor.String, Strs: []string{"a", "b"}, Values: v}
	for i, v := range []tensor.Value{v, &tensor.Sequence{Items: []tensor.Value{labels}}, &tensor.Optional{Value: v}, labels} {
		p, err := ValueProto("v", v)
		if err != nil {
			f.Fatal(err)
		}
		data, err := proto.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint(i), data)
	}
	f.Fuzz(func(t *testing.T, kind uint, data []byte) {
		name, v, err := UnmarshalValue(data, TypeProto(types[kind%uint(len(types))]))
		if err != nil {
			return
		}
		p, err := ValueProto(name, v)
		if err != nil {
			return // such as a sequence of several kinds
		}
		again, err := proto.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := UnmarshalValue(again, TypeProto(v.Type())); err != nil {
			t.Errorf("does not read back: %v", err)
		}
	})
}
