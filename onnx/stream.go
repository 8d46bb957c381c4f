package onnx

import (
	"encoding/binary"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
)

// encoder writes a message without a copy of its long raw_data: it encodes a copy with markers in their place, as decoder
// does, and fills the data in on the way out.
type encoder struct {
	raws  [][]byte
	sizes []int // of the messages that hold tensors, filled in, in the order in which their fields begin
}

// writeMessage writes m, deterministically.
func writeMessage(w io.Writer, m proto.Message) error {
	if _, err := messageSize(m); err != nil {
		return err
	}
	var e encoder
	marked, err := mapTensors(m.ProtoReflect(), "", e.mark)
	if err != nil {
		return err
	}
	slim, err := proto.MarshalOptions{Deterministic: true}.Marshal(marked.Interface())
	if err != nil {
		return err
	}
	mi := infoOf(m.ProtoReflect().Descriptor())
	e.measure(mi, slim)
	out := &fillWriter{w: w, encoder: e}
	out.message(mi, slim)
	return out.err
}

func (e *encoder) mark(p *onnxpb.TensorProto, _ protoreflect.Name) (*onnxpb.TensorProto, error) {
	if len(p.RawData) < aliasMin {
		return p, nil
	}
	raw := p.RawData
	e.raws = append(e.raws, raw)
	marker := make([]byte, aliasMin)
	binary.LittleEndian.PutUint64(marker, uint64(len(e.raws)-1))
	fields := p.ProtoReflect()
	marked := fields.New()
	fields.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		marked.Set(fd, v)
		return true
	})
	marked.SetUnknown(fields.GetUnknown())
	out := marked.Interface().(*onnxpb.TensorProto)
	out.RawData = marker
	return out, nil
}

// filled returns what stands in the encoded model for v, the value of a field that holds bytes or a message.
func (e *encoder) filled(f *fieldInfo, v []byte) []byte {
	if f.kind == rawField && len(v) == aliasMin {
		return e.raws[binary.LittleEndian.Uint64(v)]
	}
	return v
}

// eachField splits b, which proto.Marshal wrote, into fields. Value is nil unless the field is length-delimited.
func eachField(b []byte, yield func(num protowire.Number, field, value []byte)) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		m := protowire.ConsumeFieldValue(num, typ, b[n:])
		var value []byte
		if typ == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(b[n:])
		}
		yield(num, b[:n+m], value)
		b = b[n+m:]
	}
}

func (f *fieldInfo) nested() bool { return f.kind == messageField && f.msg.tensors }

// measure returns the size of the message b when it is filled in and notes those of the messages in it.
func (e *encoder) measure(mi *messageInfo, b []byte) int {
	total := 0
	eachField(b, func(num protowire.Number, field, value []byte) {
		f := mi.field(num)
		switch {
		case value == nil:
			total += len(field)
		case f.nested():
			at := len(e.sizes)
			e.sizes = append(e.sizes, 0)
			e.sizes[at] = e.measure(f.msg, value)
			total += protowire.SizeTag(num) + protowire.SizeBytes(e.sizes[at])
		default:
			total += protowire.SizeTag(num) + protowire.SizeBytes(len(e.filled(f, value)))
		}
	})
	return total
}

// fillWriter writes encoded messages and keeps the first error.
type fillWriter struct {
	encoder
	w       io.Writer
	scratch []byte
	err     error
}

func (w *fillWriter) write(b []byte) {
	if w.err == nil && len(b) > 0 {
		_, w.err = w.w.Write(b)
	}
}

func (w *fillWriter) prefix(num protowire.Number, size int) {
	w.scratch = protowire.AppendTag(w.scratch[:0], num, protowire.BytesType)
	w.scratch = protowire.AppendVarint(w.scratch, uint64(size))
	w.write(w.scratch)
}

// message writes b with the data filled in, using the sizes in the order in which measure noted them.
func (w *fillWriter) message(mi *messageInfo, b []byte) {
	eachField(b, func(num protowire.Number, field, value []byte) {
		f := mi.field(num)
		switch {
		case value == nil:
			w.write(field)
		case f.nested():
			size := w.sizes[0]
			w.sizes = w.sizes[1:]
			w.prefix(num, size)
			w.message(f.msg, value)
		default:
			filled := w.filled(f, value)
			w.prefix(num, len(filled))
			w.write(filled)
		}
	})
}
