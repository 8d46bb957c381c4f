package opt_test

import (
	"context"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/graph/exec"
	"github.com/sardonyx-ml/sardonyx/graph/opt"
	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/conformance"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/onnx/text"
)

// header opens a model in the textual syntax.
const header = `<ir_version: 10, opset_import: ["" : 21, "com.microsoft" : 1]>
`

// session makes a session from a graph in the textual syntax; initializers of float type that are written without a value
// cannot be, so constants are given in full or made by nodes that fold.
func session(t *testing.T, head, src string, o opt.Options) *exec.Session {
	t.Helper()
	p, err := text.Parse(head + src)
	if err != nil {
		t.Fatal(err)
	}
	s, err := exec.New(&onnx.Model{Proto: p}, exec.Optimize(o))
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return s
}

// rewrites checks that the rules fire as often as want says, no others do, and that the numbers stay the same.
func rewrites(t *testing.T, src string, want map[string]int) {
	t.Helper()
	compare(t, header, src, want)
}

// rewritesWithout is rewrites with some passes or rules left out.
func rewritesWithout(t *testing.T, disable []string, src string, want map[string]int) {
	t.Helper()
	compare(t, header, src, want, disable...)
}

// withOpset is rewrites in another opset.
func withOpset(t *testing.T, opset int, src string, want map[string]int) {
	t.Helper()
	compare(t, strings.Replace(header, "21", strconv.Itoa(opset), 1), src, want)
}

func compare(t *testing.T, head, src string, want map[string]int, disable ...string) {
	t.Helper()
	plain := session(t, head, src, opt.Options{Level: opt.Off})
	fast := session(t, head, src, opt.Options{Level: opt.All, Check: true, Disable: disable})
	got := maps.Clone(fast.OptStats().Applied)
	if _, ok := want["cse"]; !ok {
		delete(got, "cse") // tests write constants as often as they like
	}
	if !maps.Equal(got, want) {
		t.Errorf("applied %v, want %v (refused: %v)\n%s", got, want, fast.OptStats().Refused, src)
	}
	in := feeds(t, plain)
	a, err := plain.Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	b, err := fast.Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range a {
		if err := conformance.Compare(b[name], v, 1e-4, 1e-5); err != nil {
			t.Errorf("output %q: %v\n%s", name, err, src)
		}
	}
}

// feeds makes random inputs; symbolic dimensions are 3.
func feeds(t *testing.T, s *exec.Session) map[string]tensor.Value {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	in := map[string]tensor.Value{}
	for _, p := range s.Inputs() {
		shape := tensor.Shape{}
		for _, d := range p.Type.Dims {
			n, ok := d.Int()
			if !ok {
				n = 3
			}
			shape = append(shape, n)
		}
		x := tensor.New(p.Type.DType, shape...)
		switch p.Type.DType {
		case tensor.Float32:
			for i := range x.Float32() {
				x.Float32()[i] = r.Float32()*4 - 2
			}
		case tensor.Int64:
			for i := range x.Int64() {
				x.Int64()[i] = int64(r.IntN(2))
			}
		default:
			t.Fatalf("no random %v", p.Type)
		}
		in[p.Name] = x
	}
	return in
}

func TestBatchNorm(t *testing.T) {
	const params = `s = Constant <value = float[2] {2.0, -1.5}> ()
		b = Constant <value = float[2] {0.5, 1.0}> ()
		m = Constant <value = float[2] {0.1, -0.2}> ()
		v = Constant <value = float[2] {1.5, 0.7}> ()
		`
	conv := `g (float[1,1,3,3] x) => (float[1,2,3,3] y) {
		w = Constant <value = float[2,1,1,1] {0.5, 2.0}> ()
		` + params
	rewrites(t, conv+`c = Conv (x, w)
		y = BatchNormalization (c, s, b, m, v) }`, map[string]int{"conv-batchnorm": 1})
	rewrites(t, conv+`cb = Constant <value = float[2] {1.0, -3.0}> ()
		c = Conv (x, w, cb)
		y = BatchNormalization <epsilon = 0.01> (c, s, b, m, v) }`, map[string]int{"conv-bias-batchnorm": 1})
	rewrites(t, conv+`c = Conv (x, w)
		n = BatchNormalization (c, s, b, m, v)
		y = Add (n, c) }`, map[string]int{}) // the convolution is used twice
	matmul := `g (float[3,2] x) => (float[3,2] y) {
		w = Constant <value = float[2,2] {0.5, 2.0, -1.0, 3.0}> ()
		` + params
	rewrites(t, matmul+`c = MatMul (x, w)
		y = BatchNormalization (c, s, b, m, v) }`, map[string]int{"matmul-batchnorm": 1, "matmul-bias": 1})
	rewrites(t, `g (float[2,2] x) => (float[2,2] y) {
		w = Constant <value = float[2,2] {0.5, 2.0, -1.0, 3.0}> ()
		`+params+`c = MatMul (x, w)
		d = Transpose <perm = [1, 0]> (c)
		y = BatchNormalization (d, s, b, m, v) }`, map[string]int{}) // axis 1 holds the rows
}

// models yields the models that are beside the repository.
func models(t *testing.T) []string {
	t.Helper()
	root := filepath.Join("..", "..", "..", "shared", "models")
	if _, err := os.Stat(root); err != nil {
		t.Skipf("needs the model pack beside the repository: %v", err)
	}
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".onnx") {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestInvariants checks the IR after every pass on real models, and that what comes out can be exported and imported again.
func TestInvariants(t *testing.T) {
	for _, path := range models(t) {
		m, err := onnx.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		g, err := graph.Import(m)
		if err == nil {
			_, err = opt.Optimize(g, opt.Options{Level: opt.All, Check: true})
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		m.Close()
	}
}
