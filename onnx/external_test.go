package onnx

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

func externalTensor(d tensor.DType, n int64, entries ...string) *onnxpb.TensorProto {
	p := typed(d, n)
	p.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
	for i := 0; i < len(entries); i += 2 {
		p.ExternalData = append(p.ExternalData, entry(entries[i], entries[i+1]))
	}
	return p
}

func TestExternalData(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "model")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"model/data", "model/sub/data", "secret"} {
		if err := os.WriteFile(filepath.Join(outer, name), []byte("01234567"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if os.Symlink("../secret", filepath.Join(dir, "link")) != nil || os.Symlink("..", filepath.Join(dir, "up")) != nil || os.Symlink("data", filepath.Join(dir, "inner")) != nil {
		t.Skip("no symbolic links")
	}
	for _, c := range []struct {
		p    *onnxpb.TensorProto
		want string // content or error
	}{
		{externalTensor(tensor.Uint8, 8, "location", "data"), "01234567"},
		{externalTensor(tensor.Uint8, 3, "location", "data", "offset", "5", "length", "3", "checksum", "ignored"), "567"},
		{externalTensor(tensor.Uint8, 3, "location", "data", "offset", "2"), "234"},
		{externalTensor(tensor.Uint8, 0, "location", "data", "offset", "8"), ""},
		{externalTensor(tensor.Float32, 2, "location", "sub/data"), "01234567"},
		{externalTensor(tensor.Uint8, 8, "location", "inner"), "01234567"},
		{externalTensor(tensor.Uint8, 8), "no location"},
		{externalTensor(tensor.Uint8, 8, "location", "none"), "no such file"},
		{externalTensor(tensor.Uint8, 8, "location", "sub"), "not a regular file"},
		{externalTensor(tensor.Uint8, 8, "location", "/etc/passwd"), "outside the model's folder"},
		{externalTensor(tensor.Uint8, 8, "location", "../secret"), "outside the model's folder"},
		{externalTensor(tensor.Uint8, 8, "location", "sub/../data"), "outside the model's folder"},
		{externalTensor(tensor.Uint8, 8, "location", "link"), "escapes"},
		{externalTensor(tensor.Uint8, 8, "location", "up/secret"), "escapes"},
		{externalTensor(tensor.Uint8, 8, "location", "data", "offset", "-1"), `offset "-1" is not a count of bytes`},
		{externalTensor(tensor.Uint8, 8, "location", "data", "offset", "x"), `offset "x" is not`},
		{externalTensor(tensor.Uint8, 8, "location", "data", "length", "9223372036854775808"), "is not a count of bytes"},
		{externalTensor(tensor.Uint8, 8, "location", "data", "length", "7"), "length 7 for uint8[8], which needs 8 bytes"},
		{externalTensor(tensor.Uint8, 8, "location", "data", "offset", "1"), "8 bytes at offset 1 are not in \"data\", which has 8"},
		{externalTensor(tensor.Uint8, 8, "location", "data", "offset", "9223372036854775807"), "are not in"},
		{externalTensor(tensor.Uint8, 1<<40, "location", "data"), "are not in"},
		{externalTensor(tensor.String, 1, "location", "data"), "strings cannot be external"},
	} {
		m := &Model{dir: dir}
		got, err := m.Tensor(c.p)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) || c.want == "" {
				t.Errorf("%v: error %v, want %q", c.p.ExternalData, err, c.want)
			}
		} else if string(got.Bytes()) != c.want {
			t.Errorf("%v: read %q, want %q", c.p.ExternalData, got.Bytes(), c.want)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if _, err := m.Tensor(externalTensor(tensor.Uint8, 8, "location", "data")); err == nil || !strings.Contains(err.Error(), "the model is closed") {
			t.Errorf("after Close: error %v", err)
		}
	}
}

func TestSaveExternal(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	want := nested()
	original := proto.Clone(want)
	if err := Save(path, &Model{Proto: want}, ExternalData("", 64)); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(want, original) {
		t.Error("Save changed the model")
	}
	m, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	var places []string
	for _, p := range m.Proto.Graph.Initializer {
		place := p.GetName()
		for _, e := range p.ExternalData {
			place += " " + e.GetValue()
		}
		places = append(places, place)
	}
	// Nodes come first, and with them the initializer of the subgraph, at 0.
	if got := fmt.Sprint(places); got != "[w m.onnx.data 4096 4000 small edge m.onnx.data 8192 64]" {
		t.Errorf("initializers at %v", got)
	}
	if raw := m.Proto.Graph.Node[0].Attribute[0].T.RawData; len(raw) != 68 {
		t.Errorf("the constant in an attribute has %d bytes left", len(raw))
	}
	// Saved without the option, over the files it is mapped from, the model has all data inside again.
	if err := Save(path, m); err != nil {
		t.Fatal(err)
	}
	inline, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(inline.Proto, want) {
		t.Error("the inlined model differs from the original")
	}
	for _, m := range []*Model{m, inline} {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"../up", "sub/file", "/abs", "."} {
		if err := Save(path, &Model{Proto: want}, ExternalData(name, 0)); err == nil {
			t.Errorf("external file %q accepted", name)
		}
	}
}

func TestSaveRefusesTooLarge(t *testing.T) {
	if runtime.GOARCH == "386" || runtime.GOARCH == "arm" {
		t.Skip("needs a 64-bit address space")
	}
	raw := make([]byte, 1<<30) // never touched, and shared by three tensors
	g := &onnxpb.GraphProto{}
	for range 3 {
		g.Initializer = append(g.Initializer, &onnxpb.TensorProto{DataType: proto.Int32(2), Dims: []int64{1 << 30}, RawData: raw})
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	err := Save(path, &Model{Proto: &onnxpb.ModelProto{Graph: g}})
	if err == nil || !strings.Contains(err.Error(), "more than the 2 GB that one protobuf file can hold; save it with external data") {
		t.Errorf("error %v", err)
	}
}

// The reference implementation reads what we write.
func TestReferenceReadsOurFiles(t *testing.T) {
	python := "/usr/bin/python3"
	if exec.Command(python, "-c", "import onnx").Run() != nil {
		t.Skip("no python3 with the onnx package")
	}
	dir := t.TempDir()
	inline, external := filepath.Join(dir, "inline.onnx"), filepath.Join(dir, "external.onnx")
	if err := Save(inline, &Model{Proto: nested()}); err != nil {
		t.Fatal(err)
	}
	if err := Save(external, &Model{Proto: nested()}, ExternalData("weights.bin", 64)); err != nil {
		t.Fatal(err)
	}
	script := `
import sys, onnx, onnx.numpy_helper as n
a, b = (onnx.load(p) for p in sys.argv[1:])
for m in a, b:
    for t in m.graph.initializer: print(t.name, n.to_array(t).tobytes()[:6].hex(), n.to_array(t).shape)
`
	out, err := exec.Command(python, "-c", script, inline, external).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	one := "w 00070e151c23 (1000,)\nsmall 00070e151c23 (3,)\nedge 00070e151c23 (16,)\n"
	if string(out) != one+one {
		t.Errorf("python read\n%s", out)
	}
}
