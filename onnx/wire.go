package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
)

const (
	// aliasMin is the length from which raw_data aliases the input; a shorter one is copied. It is also the length of the
	// marker that stands for an aliased one while decoding, so that no copied raw_data can be taken for a marker.
	aliasMin = 64
	// maxDepth bounds the nesting of messages; a subgraph takes three levels. Protobuf for C++ stops at 100.
	maxDepth = 200
	// maxGrowth bounds the size of the decoded messages in bytes per byte of the file, weights not counted. What exporters
	// write stays below 20; a file of empty messages would reach 150.
	maxGrowth = 64
	freeCost  = 1 << 20
)

type fieldKind uint8

const (
	otherField fieldKind = iota
	messageField
	rawField     // TensorProto.raw_data
	varintsField // packed
	fixed32Field // packed
	fixed64Field // packed
	textField    // repeated string or bytes
)

type fieldInfo struct {
	kind     fieldKind
	repeated bool
	name     string
	msg      *messageInfo
}

// messageInfo is what the scanner needs to know about a message type.
type messageInfo struct {
	fields  []fieldInfo // by field number
	names   []protowire.Number
	size    int64 // of the Go struct
	tensors bool  // a TensorProto, or holds one at some depth
}

// infos holds every message of the data model.
var infos = sync.OnceValue(func() map[protoreflect.FullName]*messageInfo {
	all := map[protoreflect.FullName]*messageInfo{}
	messages := onnxpb.File_onnx_onnxpb_onnx_proto.Messages()
	for i := range messages.Len() {
		newInfo(all, messages.Get(i))
	}
	for changed := true; changed; { // messages are recursive, so that reachability is a fixed point
		changed = false
		for _, mi := range all {
			for _, f := range mi.fields {
				if !mi.tensors && f.msg != nil && f.msg.tensors {
					mi.tensors, changed = true, true
				}
			}
		}
	}
	return all
})

func infoOf(d protoreflect.MessageDescriptor) *messageInfo { return infos()[d.FullName()] }

func newInfo(all map[protoreflect.FullName]*messageInfo, d protoreflect.MessageDescriptor) *messageInfo {
	if mi, ok := all[d.FullName()]; ok {
		return mi
	}
	mi := &messageInfo{size: structSize(d), tensors: d.FullName() == tensorName}
	all[d.FullName()] = mi
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		for len(mi.fields) <= int(fd.Number()) {
			mi.fields = append(mi.fields, fieldInfo{})
		}
		f := fieldInfo{kind: kindOf(d, fd), repeated: fd.IsList(), name: string(fd.Name())}
		if f.kind == messageField {
			f.msg = newInfo(all, fd.Message())
		}
		mi.fields[fd.Number()] = f
		if fd.Kind() == protoreflect.StringKind && !fd.IsList() && (f.name == "name" || f.name == "op_type") {
			mi.names = append(mi.names, fd.Number())
		}
	}
	return mi
}

var tensorName = (*onnxpb.TensorProto)(nil).ProtoReflect().Descriptor().FullName()

func kindOf(d protoreflect.MessageDescriptor, fd protoreflect.FieldDescriptor) fieldKind {
	switch k := fd.Kind(); {
	case k == protoreflect.MessageKind:
		return messageField
	case d.FullName() == tensorName && fd.Name() == "raw_data":
		return rawField
	case !fd.IsList():
		return otherField
	case k == protoreflect.StringKind || k == protoreflect.BytesKind:
		return textField
	case k == protoreflect.FloatKind:
		return fixed32Field
	case k == protoreflect.DoubleKind:
		return fixed64Field
	}
	return varintsField
}

func structSize(d protoreflect.MessageDescriptor) int64 {
	mt, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		return 256
	}
	size := int64(reflect.TypeOf(mt.Zero().Interface()).Elem().Size())
	return size + int64(d.Oneofs().Len())*16 + 8
}

// decoder checks a message's structure and cuts the long raw_data out of it.
type decoder struct {
	aliases [][]byte
	cost    int64 // bytes that the decoded messages will take
	cut     int64 // bytes that were cut out
}

var (
	errTruncated = errors.New("the data ends in the middle of a field")
	errMalformed = errors.New("malformed protobuf data")
)

func wireError(n int) error {
	if errors.Is(protowire.ParseError(n), io.ErrUnexpectedEOF) {
		return errTruncated
	}
	return errMalformed
}

// slim returns b, a message of the type mi, with a marker in place of every long raw_data; it is b itself, unchanged, when
// there is none.
func (d *decoder) slim(mi *messageInfo, b []byte, depth int) (out []byte, changed bool, err error) {
	if depth > maxDepth {
		return nil, false, fmt.Errorf("messages nest deeper than %d levels", maxDepth)
	}
	d.cost += mi.size
	kept := 0
	var counts [32]int
	for pos := 0; pos < len(b); {
		start := pos
		num, typ, n := protowire.ConsumeTag(b[pos:])
		if n < 0 {
			return nil, false, wireError(n)
		}
		pos += n
		f := mi.field(num)
		if typ != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(num, typ, b[pos:]); n < 0 {
				return nil, false, fieldError(f, counts[:], num, nil, wireError(n))
			}
			pos += n
			continue
		}
		v, n := protowire.ConsumeBytes(b[pos:])
		if n < 0 {
			v, err = d.partial(f, b[pos:], depth, wireError(n))
			return nil, false, fieldError(f, counts[:], num, v, err)
		}
		pos += n
		short, cut, err := d.field(f, v, depth)
		if err != nil {
			return nil, false, fieldError(f, counts[:], num, v, err)
		}
		if int(num) < len(counts) {
			counts[num]++
		}
		if cut {
			out = append(out, b[kept:start]...)
			out = protowire.AppendTag(out, num, typ)
			out = protowire.AppendBytes(out, short)
			kept = pos
		}
	}
	if kept == 0 {
		return b, false, nil
	}
	return append(out, b[kept:]...), true, nil
}

// partial returns what is there of the field f, whose end is missing, and the error inside it where there is one.
func (d *decoder) partial(f *fieldInfo, b []byte, depth int, err error) ([]byte, error) {
	_, n := protowire.ConsumeVarint(b)
	if n < 0 || f.kind != messageField {
		return nil, err
	}
	if _, _, inner := d.slim(f.msg, b[n:], depth+1); inner != nil {
		err = inner
	}
	return b[n:], err
}

// field checks the length-delimited field f with the value v and returns v, or what to decode in its place.
func (d *decoder) field(f *fieldInfo, v []byte, depth int) ([]byte, bool, error) {
	switch f.kind {
	case messageField:
		return d.slim(f.msg, v, depth+1)
	case rawField:
		if len(v) < aliasMin {
			return v, false, nil
		}
		marker := make([]byte, aliasMin)
		binary.LittleEndian.PutUint64(marker, uint64(len(d.aliases)))
		d.aliases = append(d.aliases, v)
		d.cut += int64(len(v))
		return marker, true, nil
	case varintsField:
		if len(v) > 0 && v[len(v)-1] >= 0x80 {
			return nil, false, errTruncated
		}
	case fixed32Field:
		if len(v)%4 != 0 {
			return nil, false, fmt.Errorf("%d bytes are not a whole number of floats", len(v))
		}
	case fixed64Field:
		if len(v)%8 != 0 {
			return nil, false, fmt.Errorf("%d bytes are not a whole number of doubles", len(v))
		}
	case textField:
		d.cost += 24
	}
	return v, false, nil
}

func (mi *messageInfo) field(num protowire.Number) *fieldInfo {
	if int(num) < len(mi.fields) {
		return &mi.fields[num]
	}
	return &fieldInfo{}
}

// fieldError adds to err the place: the field, its index when it is repeated, and its name when v has one.
func fieldError(f *fieldInfo, counts []int, num protowire.Number, v []byte, err error) error {
	if f.name == "" {
		return fmt.Errorf("field %d: %w", num, err)
	}
	place := f.name
	if f.repeated && f.kind == messageField && int(num) < len(counts) {
		place = fmt.Sprintf("%s %d", place, counts[num])
	}
	if f.kind == messageField {
		if name := f.msg.nameOf(v); name != "" {
			place = fmt.Sprintf("%s %q", place, name)
		}
	}
	return fmt.Errorf("%s: %w", place, err)
}

// nameOf returns the name in the message b, which may be damaged, or for a node without one its operator.
func (mi *messageInfo) nameOf(b []byte) string {
	found := ""
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			break
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			break
		}
		for i, want := range mi.names {
			if v, m := protowire.ConsumeBytes(b[:n]); num == want && m > 0 && len(v) > 0 && len(v) < 200 && (i == 0 || found == "") {
				found = string(v)
			}
		}
		b = b[n:]
	}
	return found
}

// unmarshal decodes data into m, a message of package onnxpb, without copying raw_data fields of more than aliasMin bytes:
// these alias data.
func unmarshal(data []byte, m proto.Message) error {
	mi := infoOf(m.ProtoReflect().Descriptor())
	var d decoder
	slim, _, err := d.slim(mi, data, 0)
	if err != nil {
		return err
	}
	if limit := (int64(len(data))-d.cut)*maxGrowth + freeCost; d.cost > limit {
		return fmt.Errorf("decoding needs %d bytes for a file of %d: it is made of empty messages", d.cost, len(data))
	}
	if err := (proto.UnmarshalOptions{RecursionLimit: maxDepth + 2}).Unmarshal(slim, m); err != nil {
		return errMalformed
	}
	if len(d.aliases) > 0 {
		eachTensor(m.ProtoReflect(), func(t *onnxpb.TensorProto) {
			if len(t.RawData) == aliasMin {
				t.RawData = d.aliases[binary.LittleEndian.Uint64(t.RawData)]
			}
		})
	}
	return nil
}
