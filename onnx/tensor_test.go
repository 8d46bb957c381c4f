package onnx

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"google.golang.org/protobuf/proto"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// typed is a TensorProto without data.
func typed(d tensor.DType, dims ...int64) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{Name: proto.String("t"), DataType: proto.Int32(int32(d)), Dims: dims}
}

func TestTensorFromTypedFields(t *testing.T) {
	ints := func(d tensor.DType, n int64, v ...int32) *onnxpb.TensorProto {
		p := typed(d, n)
		p.Int32Data = v
		return p
	}
	uints := func(d tensor.DType, v ...uint64) *onnxpb.TensorProto {
		p := typed(d, int64(len(v)))
		p.Uint64Data = v
		return p
	}
	floats := typed(tensor.Float32, 2)
	floats.FloatData = []float32{1.5, -2}
	c64 := typed(tensor.Complex64, 1)
	c64.FloatData = []float32{1, 2}
	doubles := typed(tensor.Float64)
	doubles.DoubleData = []float64{0.5}
	c128 := typed(tensor.Complex128, 1)
	c128.DoubleData = []float64{3, 4}
	longs := typed(tensor.Int64, 2)
	longs.Int64Data = []int64{-1, 1 << 40}

	f32 := func(v ...float32) (b []byte) {
		for _, x := range v {
			b = append(b, byte(math.Float32bits(x)), byte(math.Float32bits(x)>>8), byte(math.Float32bits(x)>>16), byte(math.Float32bits(x)>>24))
		}
		return b
	}
	for _, c := range []struct {
		p    *onnxpb.TensorProto
		want []byte
	}{
		{floats, f32(1.5, -2)},
		{c64, f32(1, 2)},
		{doubles, []byte{0, 0, 0, 0, 0, 0, 0xe0, 0x3f}},
		{c128, []byte{0, 0, 0, 0, 0, 0, 8, 0x40, 0, 0, 0, 0, 0, 0, 16, 0x40}},
		{longs, []byte{255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 1, 0, 0}},
		{ints(tensor.Int32, 1, -2), []byte{254, 255, 255, 255}},
		{ints(tensor.Int16, 2, -2, 32767), []byte{254, 255, 255, 127}},
		{ints(tensor.Uint16, 1, 65535), []byte{255, 255}},
		{ints(tensor.Int8, 2, -128, 127), []byte{128, 127}},
		{ints(tensor.Uint8, 2, 255, 1), []byte{255, 1}},
		{ints(tensor.Bool, 3, 0, 1, 300), []byte{0, 1, 1}},
		{ints(tensor.Float16, 2, 0x3c00, 0xbc00), []byte{0, 0x3c, 0, 0xbc}},
		{ints(tensor.Float16, 1, -17408), []byte{0, 0xbc}}, // the bit pattern as a signed number
		{ints(tensor.BFloat16, 1, 0x3f80), []byte{0x80, 0x3f}},
		{ints(tensor.Float8E4M3FN, 1, 0x38), []byte{0x38}},
		{ints(tensor.Float8E8M0, 1, 127), []byte{127}},
		{ints(tensor.Uint4, 3, 0x21, 0x03), []byte{0x21, 0x03}}, // two elements per value
		{ints(tensor.Int4, 2, -1), []byte{0xff}},
		{ints(tensor.Float4E2M1, 2, 0x72), []byte{0x72}},
		{ints(tensor.Int2, 4, 0xe4), []byte{0xe4}}, // four elements per value
		{uints(tensor.Uint32, math.MaxUint32), []byte{255, 255, 255, 255}},
		{uints(tensor.Uint64, math.MaxUint64), bytes.Repeat([]byte{255}, 8)},
	} {
		got, err := Tensor(c.p)
		if err != nil {
			t.Errorf("%v: %v", tensor.DType(c.p.GetDataType()), err)
		} else if !bytes.Equal(got.Bytes(), c.want) {
			t.Errorf("%v: bytes %v, want %v", got.DType(), got.Bytes(), c.want)
		}
	}
	strs := typed(tensor.String, 2)
	strs.StringData = [][]byte{[]byte("a"), {0xff}}
	if got, err := Tensor(strs); err != nil || got.Strs()[0] != "a" || got.Strs()[1] != "\xff" {
		t.Errorf("strings: %v, %v", got, err)
	}
}

func TestTensorRawData(t *testing.T) {
	for _, d := range tensor.DTypes() {
		if d == tensor.String {
			continue
		}
		raw := make([]byte, d.Bytes(5))
		for i := range raw {
			raw[i] = byte(i & 1)
		}
		p := typed(d, 5)
		p.RawData = raw
		got, err := Tensor(p)
		if err != nil {
			t.Error(err)
			continue
		}
		if unsafe.SliceData(got.Bytes()) != unsafe.SliceData(raw) {
			t.Errorf("%v: raw data was copied", d)
		}
		if back := TensorProto("t", got); !proto.Equal(back, p) {
			t.Errorf("%v: %v, want %v", d, back, p)
		}
	}
	bools := typed(tensor.Bool, 3)
	bools.RawData = []byte{0, 2, 255}
	if got, err := Tensor(bools); err != nil || fmt.Sprint(got.Bool()) != "[false true true]" {
		t.Errorf("bools: %v, %v", got, err)
	}
	for _, p := range []*onnxpb.TensorProto{typed(tensor.Float32, 0, 3), typed(tensor.String, 0), typed(tensor.Int4, 2, 0)} {
		if got, err := Tensor(p); err != nil || got.Len() != 0 {
			t.Errorf("empty: %v, %v", got, err)
		}
	}
}

func TestTensorErrors(t *testing.T) {
	change := func(p *onnxpb.TensorProto, f func(*onnxpb.TensorProto)) *onnxpb.TensorProto { f(p); return p }
	short := change(typed(tensor.Float32, 2), func(p *onnxpb.TensorProto) { p.RawData = make([]byte, 7) })
	for _, c := range []struct {
		p    *onnxpb.TensorProto
		want string
	}{
		{typed(0, 1), "unknown element type 0"},
		{typed(77, 1), "unknown element type 77"},
		{&onnxpb.TensorProto{DataType: proto.Int32(-3)}, "unknown element type -3"},
		{typed(tensor.Float32, 1<<40), "needs 1099511627776 values and has 0"},
		{typed(tensor.Int8, 1<<40), "needs 1099511627776 values and has 0"},
		{typed(tensor.String, 1<<40), "needs 1099511627776 values and has 0"},
		{typed(tensor.Float32, 1<<40, 1<<40), "too many elements"},
		{typed(tensor.Float32, -1), "negative dimension"},
		{short, "7 bytes of data for float[2], which needs 8"},
		{change(typed(tensor.String, 1), func(p *onnxpb.TensorProto) { p.RawData = []byte("a") }), "no raw data for element type string"},
		{change(typed(tensor.Int8, 1), func(p *onnxpb.TensorProto) { p.Int32Data = []int32{300} }), "value 300 is no int8"},
		{change(typed(tensor.Int8, 1), func(p *onnxpb.TensorProto) { p.Segment = &onnxpb.TensorProto_Segment{} }), "segmented"},
		{change(typed(tensor.Int8, 1), func(p *onnxpb.TensorProto) {
			p.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
			p.ExternalData = []*onnxpb.StringStringEntryProto{entry("location", "x")}
		}), "no folder"},
		{nil, "unknown element type 0"},
	} {
		_, err := Tensor(c.p)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestDense(t *testing.T) {
	sparse := func(dims []int64, indexDims []int64, indices []int64, values ...float32) *onnxpb.SparseTensorProto {
		v := typed(tensor.Float32, int64(len(values)))
		v.FloatData = values
		ix := typed(tensor.Int64, indexDims...)
		ix.Int64Data = indices
		return &onnxpb.SparseTensorProto{Values: v, Indices: ix, Dims: dims}
	}
	for _, c := range []struct {
		p    *onnxpb.SparseTensorProto
		want string
	}{
		{sparse([]int64{2, 3}, []int64{2}, []int64{1, 5}, 7, 8), "[0 7 0 0 0 8]"},
		{sparse([]int64{2, 3}, []int64{2, 2}, []int64{0, 1, 1, 2}, 7, 8), "[0 7 0 0 0 8]"},
		{sparse([]int64{3}, []int64{0}, nil), "[0 0 0]"},
		{sparse([]int64{3}, []int64{1}, []int64{3}, 1), "index 3 out of range for shape [3]"},
		{sparse([]int64{3, 1}, []int64{1, 2}, []int64{0, -1}, 1), "index -1 out of range for axis 1"},
		{sparse([]int64{3}, []int64{1, 2}, []int64{0, 1}, 1), "indices of shape [1 2]"},
		{sparse([]int64{1 << 33}, []int64{1}, []int64{0}, 1), "1 values are too few for the shape [8589934592]"},
		{&onnxpb.SparseTensorProto{}, "values: unknown element type 0"},
	} {
		got, err := new(Model).Dense(c.p)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		} else if fmt.Sprint(got.Float32()) != c.want {
			t.Errorf("%v, want %v", got.Float32(), c.want)
		}
	}
}

// A small file must not make us allocate what it merely claims.
func TestClaimsDoNotAllocate(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, d := range tensor.DTypes() {
		p := typed(d, 1<<36)
		p.RawData = []byte{1}
		if _, err := Tensor(p); err == nil {
			t.Errorf("%v: a claim without data passed", d)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("allocated %d bytes", n)
	}
}

func TestTypes(t *testing.T) {
	for _, typ := range []tensor.Type{
		tensor.TensorType(tensor.Float32, tensor.Sym("N"), tensor.Int(3), tensor.Dim{}),
		tensor.TensorType(tensor.Int4),
		tensor.UnrankedType(tensor.Bool),
		tensor.SequenceType(tensor.SequenceType(tensor.UnrankedType(tensor.Int64))),
		tensor.OptionalType(tensor.SequenceType(tensor.TensorType(tensor.String))),
		{Kind: tensor.KindMap, DType: tensor.String, Elem: &tensor.Type{Kind: tensor.KindTensor, DType: tensor.Float32}},
		{Kind: tensor.KindSparse, DType: tensor.Float32, Ranked: true, Dims: tensor.Dims(3, 4)},
		{Kind: tensor.KindOpaque},
		{},
	} {
		got, err := Type(TypeProto(typ))
		if err != nil || got.String() != typ.String() || got.Ranked != typ.Ranked {
			t.Errorf("%v: %v, %v", typ, got, err)
		}
	}
	bad := tensor.Type{Kind: tensor.KindMap, DType: tensor.Float32, Elem: &tensor.Type{}}
	if _, err := Type(TypeProto(bad)); err == nil {
		t.Error("a map with keys of type float passed")
	}
}

func TestValues(t *testing.T) {
	vector := tensor.Vector[float32](1, 2, 3)
	labels := &tensor.Map{Key: tensor.String, Strs: []string{"a", "b"}, Values: tensor.Vector[float32](0.25, 0.75)}
	numbers := &tensor.Map{Key: tensor.Int64, Ints: []int64{7}, Values: tensor.Strings(tensor.Shape{1}, []string{"seven"})}
	floats := tensor.UnrankedType(tensor.Float32)
	for _, v := range []tensor.Value{
		vector,
		tensor.Strings(tensor.Shape{1, 2}, []string{"x", ""}),
		&tensor.Sequence{Elem: floats, Items: []tensor.Value{vector, tensor.Scalar[float32](4)}},
		&tensor.Sequence{Elem: floats},
		&tensor.Sequence{Elem: labels.Type(), Items: []tensor.Value{labels}},
		&tensor.Optional{Elem: floats, Value: vector},
		&tensor.Optional{Elem: floats},
		&tensor.Optional{Elem: tensor.SequenceType(floats), Value: &tensor.Sequence{Elem: floats, Items: []tensor.Value{vector}}},
		labels, numbers,
	} {
		path := t.TempDir() + "/value.pb"
		if err := WriteValueFile(path, "v", v); err != nil {
			t.Errorf("%v: %v", v.Type(), err)
			continue
		}
		name, got, err := ReadValueFile(path, TypeProto(v.Type()))
		if err != nil || name != "v" || !equalValues(v, got) {
			t.Errorf("%v: read %q %v, %v", v.Type(), name, got, err)
		}
	}
	_, err := ValueProto("s", &tensor.Sequence{Items: []tensor.Value{vector, labels}})
	if err == nil || !strings.Contains(err.Error(), `sequence "s": element 1`) {
		t.Errorf("mixed sequence: error %v", err)
	}
	pair := &onnxpb.MapProto{KeyType: proto.Int32(7), Keys: []int64{1, 2}, Values: &onnxpb.SequenceProto{TensorValues: []*onnxpb.TensorProto{TensorProto("", tensor.Scalar[float32](1))}}}
	if _, err := new(Model).Value(pair, tensor.Type{}); err == nil || !strings.Contains(err.Error(), "2 keys and 1 values") {
		t.Errorf("short map: error %v", err)
	}
}
