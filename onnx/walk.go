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
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil || !infoOf(fd.Message()).tensors:
		case fd.IsList():
			for i := range v.List().Len() {
				eachTensor(v.List().Get(i).Message(), f)
			}
		default:
			eachTensor(v.Message(), f)
		}
		return true
	})
}

// mapTensors returns a copy of m with f applied to every TensorProto. Messages that hold no tensor are shared with m.
func mapTensors(m protoreflect.Message, f func(*onnxpb.TensorProto) (*onnxpb.TensorProto, error)) (protoreflect.Message, error) {
	if t, ok := m.Interface().(*onnxpb.TensorProto); ok {
		t, err := f(t)
		return t.ProtoReflect(), err
	}
	to := m.New()
	var failed error
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil || !infoOf(fd.Message()).tensors:
			to.Set(fd, v)
		case fd.IsList():
			list := to.Mutable(fd).List()
			for i := range v.List().Len() {
				var child protoreflect.Message
				if child, failed = mapTensors(v.List().Get(i).Message(), f); failed != nil {
					return false
				}
				list.Append(protoreflect.ValueOfMessage(child))
			}
		default:
			var child protoreflect.Message
			if child, failed = mapTensors(v.Message(), f); failed == nil {
				to.Set(fd, protoreflect.ValueOfMessage(child))
			}
		}
		return failed == nil
	})
	to.SetUnknown(m.GetUnknown())
	return to, failed
}
