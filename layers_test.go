package sardonyx_test

import (
	"bufio"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/sardonyx-ml/sardonyx/"

// layer says what packages of the module a room may import, itself and its own folders excepted.
type layer struct {
	room     string   // the package, or a folder of packages with a slash at its end
	internal []string // rooms of the module
	external []string // prefixes of other modules' packages
}

const (
	protobuf = "google.golang.org/protobuf/"
	xsys     = "golang.org/x/sys/"
	gonum    = "gonum.org/v1/gonum/"
)

// layers is the picture of the architecture, from the inside out. The first row that fits a package counts. Test files
// may import more.
var layers = []layer{
	{"onnx/tensor", nil, nil},
	{"onnx/schema/", []string{"onnx/tensor"}, nil},
	{"onnx/onnxpb", nil, []string{protobuf}},
	{"onnx/text", []string{"onnx", "onnx/tensor", "onnx/onnxpb", "onnx/schema/"}, []string{protobuf}},
	{"onnx/conformance", []string{"onnx", "onnx/tensor", "onnx/onnxpb"}, []string{protobuf}},
	{"onnx/tokenizer", nil, nil},
	{"onnx/onnxgo", []string{"onnx", "onnx/", "graph", "graph/", "ops", "ops/"},
		[]string{protobuf, gonum, "github.com/owulveryck/onnx-go", "gorgonia.org/", "go4.org/"}},
	{"onnx/imagecodec", []string{"ops/"}, []string{"golang.org/x/image/"}},
	{"onnx", []string{"onnx/tensor", "onnx/onnxpb", "onnx/schema/"}, []string{protobuf, xsys}},
	{"kernels/", []string{"kernels/"}, []string{xsys}},
	{"ops/all", []string{"ops/"}, nil},
	{"ops/", []string{"ops", "ops/", "kernels/", "onnx/tensor", "onnx/schema/"}, nil},
	{"ops", []string{"kernels/", "onnx/tensor", "onnx/schema/"}, nil},
	{"graph/", []string{"graph", "graph/", "ops", "ops/", "kernels/", "onnx", "onnx/"}, []string{protobuf, gonum}},
	{"graph", []string{"ops", "ops/", "kernels/", "onnx", "onnx/"}, []string{protobuf, gonum}},
	{"quantize", []string{"graph", "graph/", "ops", "ops/", "kernels/", "onnx", "onnx/"}, []string{protobuf, gonum}},
	{"prune", []string{"graph", "graph/", "ops", "ops/", "kernels/", "onnx", "onnx/"}, []string{protobuf, gonum}},
	{"distill", []string{"graph", "graph/", "ops", "ops/", "kernels/", "onnx", "onnx/"}, []string{protobuf, gonum}},
	{"cmd/", []string{"cmd/", "quantize", "prune", "distill", "graph", "graph/", "ops", "ops/", "kernels/", "onnx", "onnx/"}, []string{""}},
}

// covers reports whether a room holds a package.
func covers(room, pkg string) bool {
	if folder, ok := strings.CutSuffix(room, "/"); ok {
		return strings.HasPrefix(pkg, room) || pkg == folder && room == "onnx/schema/"
	}
	return pkg == room || strings.HasPrefix(pkg, room+"/") && (room == "quantize" || room == "prune" || room == "distill")
}

func layerOf(pkg string) *layer {
	for i := range layers {
		if covers(layers[i].room, pkg) {
			return &layers[i]
		}
	}
	return nil
}

// allows reports whether a package of the room may import path.
func (l *layer) allows(path string) bool {
	own, ok := strings.CutPrefix(path, module)
	if !ok {
		for _, p := range l.external {
			if strings.HasPrefix(path, p) {
				return true
			}
		}
		return false
	}
	if covers(l.room, own) {
		return true
	}
	for _, r := range l.internal {
		if own == "onnx/onnxgo" {
			return false
		}
		if covers(r, own) {
			return true
		}
	}
	return false
}

func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func TestLayers(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := 0
	for s := bufio.NewScanner(strings.NewReader(string(out))); s.Scan(); {
		fields := strings.Fields(s.Text())
		pkg, ok := strings.CutPrefix(fields[0], module)
		if !ok {
			continue // the root, which has tests only
		}
		packages++
		l := layerOf(pkg)
		if l == nil {
			t.Errorf("%s is in no room of the architecture", pkg)
			continue
		}
		for _, path := range fields[1:] {
			if !standard(path) && !l.allows(path) {
				t.Errorf("%s must not import %s", pkg, path)
			}
		}
	}
	if packages < len(layers)/2 {
		t.Errorf("only %d packages found", packages)
	}
}

func TestLayerRules(t *testing.T) {
	for _, c := range []struct {
		pkg, path string
		want      bool
	}{
		{"kernels/vec", module + "kernels/cpu", true},
		{"kernels/vec", module + "onnx/tensor", false},
		{"kernels/cpu", "golang.org/x/sys/cpu", true},
		{"ops/nn", module + "ops", true},
		{"ops/nn", module + "graph", false},
		{"ops/nn", "gonum.org/v1/gonum/mat", false},
		{"onnx/tensor", module + "onnx", false},
		{"graph/exec", module + "ops/all", true},
		{"graph/exec", module + "onnx/onnxgo", false},
		{"onnx/onnxgo", "gorgonia.org/tensor", true},
		{"quantize", module + "prune", false},
		{"cmd/runtime", module + "quantize", true},
		{"graph", module + "graph/exec", false},
	} {
		if got := layerOf(c.pkg).allows(c.path); got != c.want {
			t.Errorf("%s importing %s: allowed %v, want %v", c.pkg, c.path, got, c.want)
		}
	}
}
