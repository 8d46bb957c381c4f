package onnx

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
)

// eachTensor calls f for every TensorProto in m, at any depth.
func eachTensor(m protoreflect.Message, f func(*onnxpb.TensorProto)) {
	if t, ok := m.Interface().(*onnxpb.TensorProto); ok {
		f(t)
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		switch fd := fields.Get(i); {
		case !m.Has(fd) || !holdsTensors(fd):
		case fd.IsList():
			list := m.Get(fd).List()
			for i := range list.Len() {
				eachTensor(list.Get(i).Message(), f)
			}
		default:
			eachTensor(m.Get(fd).Message(), f)
		}
	}
}

func holdsTensors(fd protoreflect.FieldDescriptor) bool {
	return fd.Message() != nil && infoOf(fd.Message()).tensors
}

// tensorFunc maps a tensor that is the field of that name in its parent.
type tensorFunc func(t *onnxpb.TensorProto, field protoreflect.Name) (*onnxpb.TensorProto, error)

// mapTensors returns a copy of m, which is the field of that name in its parent, with f applied to every TensorProto in the
// order in which onnx.proto lists the fields. Messages that hold no tensor are shared with m.
func mapTensors(m protoreflect.Message, field protoreflect.Name, f tensorFunc) (protoreflect.Message, error) {
	if t, ok := m.Interface().(*onnxpb.TensorProto); ok {
		t, err := f(t, field)
		return t.ProtoReflect(), err
	}
	to := m.New()
	to.SetUnknown(m.GetUnknown())
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		switch {
		case !m.Has(fd):
		case !holdsTensors(fd):
			to.Set(fd, m.Get(fd))
		case fd.IsList():
			from, list := m.Get(fd).List(), to.Mutable(fd).List()
			for i := range from.Len() {
				child, err := mapTensors(from.Get(i).Message(), fd.Name(), f)
				if err != nil {
					return nil, err
				}
				list.Append(protoreflect.ValueOfMessage(child))
			}
		default:
			child, err := mapTensors(m.Get(fd).Message(), fd.Name(), f)
			if err != nil {
				return nil, err
			}
			to.Set(fd, protoreflect.ValueOfMessage(child))
		}
	}
	return to, nil
}
