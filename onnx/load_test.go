package onnx

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"google.golang.org/protobuf/proto"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
)

// initializer is a float32 tensor [n] in raw_data.
func initializer(name string, n int) *onnxpb.TensorProto {
	raw := make([]byte, 4*n)
	for i := range raw {
		raw[i] = byte(i * 7)
	}
	return &onnxpb.TensorProto{Name: &name, Dims: []int64{int64(n)}, DataType: proto.Int32(1), RawData: raw}
}

// nested is a model with tensors in the graph, in an attribute, in a subgraph and in a function.
func nested() *onnxpb.ModelProto {
	attr := func(name string, t *onnxpb.TensorProto) *onnxpb.AttributeProto {
		return &onnxpb.AttributeProto{Name: &name, T: t, Type: onnxpb.AttributeProto_TENSOR.Enum()}
	}
	constant := func(out string, n int) *onnxpb.NodeProto {
		return &onnxpb.NodeProto{OpType: proto.String("Constant"), Output: []string{out}, Attribute: []*onnxpb.AttributeProto{attr("value", initializer("", n))}}
	}
	branch := &onnxpb.GraphProto{Name: proto.String("branch"), Node: []*onnxpb.NodeProto{constant("y", 100)}, Initializer: []*onnxpb.TensorProto{initializer("in_branch", 16)}}
	return &onnxpb.ModelProto{
		IrVersion:   proto.Int64(10),
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(21)}},
		Graph: &onnxpb.GraphProto{
			Name: proto.String("g"),
			Node: []*onnxpb.NodeProto{
				constant("a", 17), constant("b", 1),
				{Name: proto.String("choice"), OpType: proto.String("If"), Input: []string{"c"}, Output: []string{"y"}, Attribute: []*onnxpb.AttributeProto{
					{Name: proto.String("then_branch"), G: branch, Type: onnxpb.AttributeProto_GRAPH.Enum()},
				}},
			},
			Initializer:       []*onnxpb.TensorProto{initializer("w", 1000), initializer("small", 3), initializer("edge", aliasMin/4)},
			SparseInitializer: []*onnxpb.SparseTensorProto{{Values: initializer("s", 40), Dims: []int64{100}}},
		},
		Functions: []*onnxpb.FunctionProto{{Name: proto.String("f"), Node: []*onnxpb.NodeProto{constant("z", 50)}}},
	}
}

func TestParseAliasesEverywhere(t *testing.T) {
	want := nested()
	data, err := proto.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(m.Proto, want) {
		t.Errorf("the decoded model differs from the encoded one")
	}
	tensors := 0
	eachTensor(m.Proto.ProtoReflect(), func(tp *onnxpb.TensorProto) {
		tensors++
		p := uintptr(unsafe.Pointer(unsafe.SliceData(tp.RawData)))
		base := uintptr(unsafe.Pointer(unsafe.SliceData(data)))
		if inside := p >= base && p < base+uintptr(len(data)); inside != (len(tp.RawData) >= aliasMin) {
			t.Errorf("%q of %d bytes: aliased is %v", tp.GetName(), len(tp.RawData), inside)
		}
	})
	if tensors != 9 {
		t.Errorf("%d tensors, want 9", tensors)
	}
}

// A message field that occurs twice is merged; of two raw_data the last one counts, aliased or not.
func TestParseMergesLikeProtobuf(t *testing.T) {
	for _, sizes := range [][2]int{{100, 200}, {200, 2}, {2, 200}, {aliasMin / 4, aliasMin/4 + 1}} {
		attr := func(n int) []byte {
			b, _ := proto.Marshal(&onnxpb.AttributeProto{T: initializer("t", n)})
			return b
		}
		data := append(attr(sizes[0]), attr(sizes[1])...)
		var got, want onnxpb.AttributeProto
		if err := Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if err := proto.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(&got, &want) {
			t.Errorf("%v: merged differently", sizes)
		}
	}
}

func TestLoadLeavesWeightsInTheFile(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 240 MB")
	}
	path := filepath.Join(t.TempDir(), "large.onnx")
	func() {
		g := &onnxpb.GraphProto{Name: proto.String("g")}
		for _, name := range []string{"w0", "w1", "w2"} {
			g.Initializer = append(g.Initializer, initializer(name, 20<<20))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := Save(path, &Model{Proto: &onnxpb.ModelProto{IrVersion: proto.Int64(8), Graph: g}}); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
			t.Errorf("Save allocated %d bytes", grown)
		}
	}()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	m, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	elapsed := time.Since(start)
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("Load allocated %d bytes", grown)
	}
	if elapsed > time.Second { // a copy of 240 MB from a cold file takes about as long; the usual time is under a millisecond
		t.Errorf("Load took %v", elapsed)
	}
	t.Logf("240 MB opened in %v with %d bytes allocated", elapsed, after.TotalAlloc-before.TotalAlloc)
	raw := m.Proto.Graph.Initializer[2].RawData
	if want := byte((80<<20 - 1) * 7 & 255); len(raw) != 80<<20 || raw[80<<20-1] != want {
		t.Errorf("the last weight has %d bytes and ends in %d", len(raw), raw[len(raw)-1])
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func TestParseBadInput(t *testing.T) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(nested())
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) int { return bytes.Index(data, []byte(s)) }
	deep := &onnxpb.GraphProto{}
	for range 100 {
		deep = &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{{Attribute: []*onnxpb.AttributeProto{{G: deep}}}}}
	}
	deepData, _ := proto.Marshal(&onnxpb.ModelProto{Graph: deep})
	hollow := []byte{7<<3 | 2}
	hollow = append(hollow, 0x80, 0x80, 0x80, 0x01)
	hollow = append(hollow, bytes.Repeat([]byte{1<<3 | 2, 0}, 1<<20)...)
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "not an ONNX model: it has no graph"},
		{"text", []byte("<ir_version: 7>"), "malformed protobuf data"},
		{"inside w", data[:at("\x42\x01w")+50], `graph "g": initializer 0 "w": raw_data: the data ends in the middle of a field`},
		{"inside the node", data[:at("branch")+2], `node 2 "choice": attribute 0: name: the data ends`},
		{"deep", deepData, "messages nest deeper than 200 levels"},
		{"hollow", hollow, "made of empty messages"},
	} {
		_, err := Parse(c.data)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	for n := range data { // no prefix and no damaged byte may panic
		Parse(data[:n])
		flipped := bytes.Clone(data)
		flipped[n] ^= 0x55
		Parse(flipped)
	}
}

func TestSaveRoundTrip(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	want := nested()
	for range 2 { // the second one replaces a file that is mapped
		if err := Save(path, &Model{Proto: want}); err != nil {
			t.Fatal(err)
		}
		m, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(m.Proto, want) {
			t.Errorf("the loaded model differs from the saved one")
		}
		if runtime.GOOS == "windows" {
			m.Close()
		} else {
			defer m.Close()
		}
	}
	first, _ := os.ReadFile(path)
	second, err := Marshal(&Model{Proto: want})
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("Marshal and Save differ: %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("Save left %d files", len(entries))
	}
	if err := Save(filepath.Join(dir, "none", "m.onnx"), &Model{Proto: want}); err == nil {
		t.Error("Save into a folder that does not exist")
	}
	if _, err := Load(dir); err == nil {
		t.Error("Load of a folder")
	}
}

// shared returns the files with this extension under a folder of reference material, or skips the test.
func shared(t testing.TB, folder, ext string) []string {
	root := filepath.Join("..", "..", "shared", folder)
	if _, err := os.Stat(root); err != nil {
		t.Skip("no reference files: ", err)
	}
	var paths []string
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ext {
			paths = append(paths, path)
		}
		return nil
	})
	return paths
}

// Save writes what proto.Marshal does, byte for byte.
func TestSaveIsMarshal(t *testing.T) {
	check := func(name string, p *onnxpb.ModelProto) {
		var got bytes.Buffer
		if err := writeMessage(&got, p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want, err := marshal(p); err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: written differently (%v)", name, err)
		}
	}
	check("empty", &onnxpb.ModelProto{})
	p := nested()
	p.ProtoReflect().SetUnknown([]byte{0xf8, 0x3f, 1})
	p.Graph.Initializer[0].ProtoReflect().SetUnknown([]byte{0xfa, 0x3f, 1, 7})
	p.Graph.Initializer[0].DocString = proto.String("doc")
	check("nested", p)
	for _, path := range shared(t, "models", ".onnx") {
		m, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		check(path, m.Proto)
		m.Close()
	}
}

func TestLoadReferenceModels(t *testing.T) {
	for _, path := range shared(t, "models", ".onnx") {
		m, err := Load(path)
		if err != nil {
			t.Error(err)
			continue
		}
		data, _ := os.ReadFile(path)
		var want onnxpb.ModelProto
		if err := proto.Unmarshal(data, &want); err != nil {
			t.Error(path, err)
		} else if !proto.Equal(m.Proto, &want) {
			t.Errorf("%s: decoded differently", path)
		}
		m.Close()
	}
}
