package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/onnx/text"
)

// call runs the program.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(context.Background(), args, &out, &err)
	return code, out.String(), err.String()
}

// save writes a model given in the textual syntax and returns its path.
func save(t *testing.T, dir, src string) string {
	t.Helper()
	p, err := text.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.onnx")
	if err := onnx.Save(path, &onnx.Model{Proto: p}); err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	header = `<ir_version: 8, opset_import: ["": 17]> `
	double = header + `g (float[N, 2] x) => (float[N, 2] y) { y = Add (x, x) }`
	affine = header + `g (float[N] x, int64[N] k) => (float[N] y, int64[N] j) { f = Cast <to = 1> (k)  y = Add (x, f)  j = Neg (k) }`
)

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	model := save(t, dir, double)
	garbage := write(t, filepath.Join(dir, "garbage.onnx"), "this is no model")
	for _, c := range []struct {
		args string
		code int
		want string // in the one line of the error
	}{
		{"version", 0, ""},
		{"help exec", 0, ""},
		{"", 0, ""},
		{"nonsense", 2, `unknown command "nonsense"`},
		{"exec", 2, "arg"},
		{"exec --nonsense " + model, 2, "unknown flag: --nonsense"},
		{"exec " + model, 2, `input "x" (float[N,2]) is missing`},
		{"exec missing.onnx -i @zeros", 1, "missing.onnx"},
		{"exec " + garbage + " -i @zeros", 1, "garbage.onnx"},
		{"exec " + model + " -i @zeros", 2, "--dim N=N"},
		{"exec " + model + " -i @zeros --dim N=1", 0, ""},
		{"exec " + model + " -i @zeros --dim M=1", 2, "no such dimension; it has N"},
		{"exec " + model + " -i @zeros --dim N", 2, "NAME=N is needed"},
		{"exec " + model + " -i @nothing", 2, "unknown generator @nothing"},
		{"exec " + model + " -i z=@zeros", 2, `no input "z"; it has "x"`},
		{"exec " + model + " -i missing.npy", 1, "missing.npy"},
		{"exec " + model + " -i [[1,2,3]]", 1, `dimension 1 is 3, not 2`},
		{"exec " + model + " -i [[1],[1,2]]", 1, "different length"},
		{"exec " + model + " -i [[1,2]] --outputs z", 2, `no output "z"`},
		{"exec " + model + " -i [[1,2]] --memory-limit lots", 2, "--memory-limit"},
		{"exec " + model + " -i @random --dim N=100000 --memory-limit 1kB", 1, "memory limit of 1000 bytes"},
		{"bench " + model + " --dim N=1 --duration 1ms", 0, ""},
		{"ops --write README.md", 2, "--write needs --markdown"},
		{"conformance", 2, "at least 1 arg"},
		{"conformance " + dir, 1, ""},
		{"conformance missing", 1, "missing"},
		{"conformance --run ( " + dir, 2, "--run"},
	} {
		code, _, stderr := call(t, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, %q; want %d and %q", c.args, code, stderr, c.code, c.want)
		}
		if strings.Count(stderr, "\n") > 1 || code == 0 && stderr != "" {
			t.Errorf("%s: stderr has more than one line:\n%s", c.args, stderr)
		}
	}
}

func TestExecSources(t *testing.T) {
	dir := t.TempDir()
	model := save(t, dir, double)
	var npy, npz bytes.Buffer
	x := tensor.Of(tensor.Shape{2, 2}, []float32{1, 2, 3, 4})
	if err := tensor.WriteNpy(&npy, x); err != nil {
		t.Fatal(err)
	}
	if err := tensor.WriteNpz(&npz, []tensor.Named{{Name: "whatever", Tensor: x}}); err != nil {
		t.Fatal(err)
	}
	file := func(name, content string) string { return write(t, filepath.Join(dir, name), content) }
	pb := filepath.Join(dir, "x.pb")
	set := filepath.Join(dir, "set")
	if err := os.Mkdir(set, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pb, filepath.Join(set, "input_0.pb")} {
		if err := onnx.WriteValueFile(path, "other", x); err != nil {
			t.Fatal(err)
		}
	}
	for _, source := range []string{
		file("x.npy", npy.String()), file("x.npz", npz.String()), pb, set, file("x.json", "[[1, 2], [3, 4]]"), file("o.json", `{"x": [[1, 2], [3, 4]]}`),
		file("x.csv", "1,2\n3,4\n"), file("h.csv", "a,b\n1,2\n3,4\n"), "[[1,2],[3,4]]", `{"x": [[1,2],["3",4.0]]}`, "[1,2,3,4]",
	} {
		for _, prefix := range []string{"", "x="} {
			if prefix != "" && (source == set || strings.HasSuffix(source, "o.json") || source[0] == '{') {
				continue // they hold all inputs
			}
			code, out, stderr := call(t, "exec", model, "--input", prefix+source, "-o", "-")
			if want := "{\n  \"y\": [[2,4],[6,8]]\n}\n"; code != 0 || out != want {
				t.Errorf("%s%s: exit code %d, %q, %s", prefix, source, code, out, stderr)
			}
		}
	}
}

func TestExecSeveralInputs(t *testing.T) {
	dir := t.TempDir()
	model := save(t, dir, affine)
	table := write(t, filepath.Join(dir, "t.csv"), "k,x\n1,0.5\n-9007199254740993,2\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-i", "x=[1,2]", "-i", "k=@ones"}, `"y": [2,3], "j": [-1,-1]`},
		{[]string{"-i", "k=@zeros", "-i", "x=[1,2]"}, `"y": [1,2], "j": [0,0]`},
		{[]string{"-i", "@ones", "-i", "x=[4]"}, `"y": [5], "j": [-1]`},
		{[]string{"-i", `{"x": [1], "k": [9007199254740993]}`, "--outputs", "j"}, `"j": [-9007199254740993]`},
		{[]string{"-i", table, "--outputs", "j"}, `"j": [-1,9007199254740993]`},
		{[]string{"-i", `x=["NaN", "-Infinity"]`, "-i", "k=[0,0]", "--outputs", "y"}, `"y": ["NaN","-Infinity"]`},
	} {
		code, out, stderr := call(t, append([]string{"exec", model, "-o", "-"}, c.args...)...)
		if got := strings.Trim(strings.ReplaceAll(out, "\n  ", " "), "{}\n "); code != 0 || got != c.want {
			t.Errorf("%q: exit code %d, %s, want %s; %s", c.args, code, got, c.want, stderr)
		}
	}
}

func TestExecRandom(t *testing.T) {
	model := save(t, t.TempDir(), affine)
	once := func(args ...string) string {
		code, out, stderr := call(t, append([]string{"exec", model, "--dim", "N=50", "-o", "-"}, args...)...)
		if code != 0 {
			t.Fatalf("%q: %s", args, stderr)
		}
		return out
	}
	if a, b := once("-i", "@random:3"), once("-i", "@random:3"); a != b {
		t.Error("equal seeds give different values")
	}
	if a, b := once("-i", "@random"), once("-i", "@random:1"); a == b {
		t.Error("different seeds give equal values")
	}
	var got struct{ J []int }
	if err := json.Unmarshal([]byte(once("-i", "@random", "--range", "5:7", "--outputs", "j")), &got); err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, v := range got.J {
		seen[-v] = true
	}
	if len(seen) != 3 || !seen[5] || !seen[6] || !seen[7] {
		t.Errorf("values of 5:7 are %v", seen)
	}
}

func TestExecImage(t *testing.T) {
	dir := t.TempDir()
	img := image.NewNRGBA(image.Rect(0, 0, 4, 4))
	for i := range 16 {
		img.Set(i%4, i/4, color.NRGBA{255, 51, 0, 255})
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	path := write(t, filepath.Join(dir, "x.png"), buf.String())
	for _, c := range []struct {
		typ, flags, want string
	}{
		{"float[N, 3, 1, 2]", "", "[[[[1,1]],[[0.2,0.2]],[[0,0]]]]"},
		{"float[1, 2, 1, 3]", "", "[[[[1,0.2,0]],[[1,0.2,0]]]]"},
		{"float[3, 1, 1]", "--mean 0.5,0.2,0.5 --std 0.5,1,0.25", "[[[1]],[[0]],[[-2]]]"},
		{"uint8[1, h, 1, 3]", "", "[[[[255,51,0]],[[255,51,0]],[[255,51,0]],[[255,51,0]]]]"},
		{"float[1, 1, 1, 1]", "--scale 1", "[[[[106.182]]]]"},
	} {
		model := save(t, dir, header+fmt.Sprintf("g (%s x) => (%s y) { y = Identity (x) }", c.typ, c.typ))
		code, out, stderr := call(t, append([]string{"exec", model, "-i", path, "-o", "-"}, strings.Fields(c.flags)...)...)
		if got := strings.Trim(strings.TrimPrefix(out, "{\n  \"y\": "), "}\n"); code != 0 || got != c.want {
			t.Errorf("%s %s: exit code %d, %s, want %s; %s", c.typ, c.flags, code, got, c.want, stderr)
		}
	}
}

func TestExecOutputs(t *testing.T) {
	dir := t.TempDir()
	model := save(t, dir, affine)
	base := []string{"exec", model, "-i", "x=[1,2.5]", "-i", "k=[1,2]"}
	must := func(want int, args ...string) string {
		t.Helper()
		code, out, stderr := call(t, append(base, args...)...)
		if code != want {
			t.Fatalf("%q: exit code %d, want %d; %s%s", args, code, want, out, stderr)
		}
		return out
	}
	folder := filepath.Join(dir, "out")
	must(0, "-o", folder)
	if out := must(0, "--expect", folder); out != "2 outputs equal within rtol 0.001, atol 1e-07\n" {
		t.Error(out)
	}
	npz := filepath.Join(dir, "np", "outputs.npz")
	if err := os.Mkdir(filepath.Dir(npz), 0o777); err != nil {
		t.Fatal(err)
	}
	must(0, "-o", npz)
	must(0, "--expect", filepath.Dir(npz))
	base[3], base[5] = "x=[1,2.6]", "k=[1,2]"
	if out := must(1, "--expect", folder); !strings.Contains(out, `output "y" differs: 1 of 2 elements differ; element [1] is 4.5999`) {
		t.Error(out)
	}
	must(0, "--expect", folder, "--atol", "1")
	write(t, filepath.Join(dir, "data.json"), `{"rtol": 0.5}`)
	must(0, "--expect", folder)
	must(1, "--expect", folder, "--rtol", "0")
	trace := filepath.Join(dir, "trace.json")
	must(0, "--profile", trace, "--repeat", "3", "-o", folder)
	var events struct{ TraceEvents []struct{ Cat, Ph string } }
	data, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &events); err != nil || len(events.TraceEvents) != 9 || events.TraceEvents[0].Ph != "X" {
		t.Errorf("%v: %d events in %s", err, len(events.TraceEvents), data)
	}
}

func TestExecSets(t *testing.T) {
	dir := t.TempDir()
	model := save(t, dir, double)
	for i, v := range []float32{1, 2} {
		set := filepath.Join(dir, fmt.Sprintf("test_data_set_%d", i))
		if err := os.Mkdir(set, 0o777); err != nil {
			t.Fatal(err)
		}
		for name, f := range map[string]float32{"input_0.pb": v, "output_0.pb": 2 * v} {
			if err := onnx.WriteValueFile(filepath.Join(set, name), "", tensor.Of(tensor.Shape{1, 2}, []float32{f, f})); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code, out, stderr := call(t, "exec", model, "-i", dir, "--expect", dir); code != 0 || strings.Count(out, "equal") != 2 {
		t.Errorf("exit code %d, %s%s", code, out, stderr)
	}
	if code, out, _ := call(t, "exec", model, "-i", dir); code != 0 || !strings.Contains(out, "== test_data_set_1\ny: float[1,2]\n  4 4\n") {
		t.Errorf("exit code %d, %s", code, out)
	}
	if code, _, stderr := call(t, "exec", model, "-i", dir, "-o", "x.npz"); code != 2 || !strings.Contains(stderr, "2 runs") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	// The same data are a conformance case.
	if code, out, _ := call(t, "conformance", dir); code != 0 || out != "1 passed, 0 failed, 0 skipped\n" {
		t.Errorf("exit code %d, %s", code, out)
	}
	report := filepath.Join(dir, "r.csv")
	if err := onnx.WriteValueFile(filepath.Join(dir, "test_data_set_1", "output_0.pb"), "", tensor.Of(tensor.Shape{1, 2}, []float32{4, 5})); err != nil {
		t.Fatal(err)
	}
	code, out, _ := call(t, "conformance", "--csv", report, dir)
	if code != 1 || !strings.Contains(out, `test_data_set_1: output "y": 1 of 2 elements differ; element [0 1] is 4, want 5`) || !strings.HasSuffix(out, "0 passed, 1 failed, 0 skipped\n") {
		t.Errorf("exit code %d, %s", code, out)
	}
	data, err := os.ReadFile(report)
	if err != nil || !regexp.MustCompile(`^name,status,seconds,reason\n[^\n]*,failed,\d+\.\d+,[^\n]*\n$`).Match(data) {
		t.Errorf("%v, %s", err, data)
	}
}

func TestConformanceTimeout(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, header+`g (int64[1] x) => (int64[1] y) {
	  more = Constant <value = bool[1] {1}> ()
	  y = Loop (, more, x) <body = b (int64 i, bool c, int64[1] a) => (bool c, int64[1] d) { d = Add (a, a) }>
	}`)
	set := filepath.Join(dir, "test_data_set_0")
	if err := os.Mkdir(set, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"input_0.pb", "output_0.pb"} {
		if err := onnx.WriteValueFile(filepath.Join(set, name), "", tensor.Vector[int64](0)); err != nil {
			t.Fatal(err)
		}
	}
	if code, out, _ := call(t, "conformance", "--timeout", "100ms", dir); code != 1 || !strings.Contains(out, "deadline exceeded") && !strings.Contains(out, "no result") {
		t.Errorf("exit code %d, %s", code, out)
	}
	if code, _, stderr := call(t, "exec", filepath.Join(dir, "model.onnx"), "-i", dir, "--timeout", "100ms"); code != 1 || !strings.Contains(stderr, "no result within 100ms") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

func TestPrintVersus(t *testing.T) {
	var b strings.Builder
	ours := []benchReport{{Load: 1, Min: 2, Median: 3, PeakRSS: 4e6}, {Load: 3, Min: 2, Median: 5, PeakRSS: 4e6}}
	theirs := []benchReport{{Load: 2, Min: 4, Median: 6, PeakRSS: 8e6}, {Load: 2, Min: 2, Median: 5, PeakRSS: 8e6}}
	if err := printVersus(&b, ours, theirs); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"median       4.00 ms  5.50 ms  0.75   0.50–1.00", "load         2.00 ms  2.00 ms  1.00   0.50–1.50", "peak memory  4.00 MB  8.00 MB  0.50"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestConformanceKnown(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"wrong", "right"} {
		path := filepath.Join(dir, "cases", name)
		set := filepath.Join(path, "test_data_set_0")
		if err := os.MkdirAll(set, 0o777); err != nil {
			t.Fatal(err)
		}
		save(t, path, header+`g (int64[1] x) => (int64[1] y) { y = Neg (x) }`)
		for file, v := range map[string]int64{"input_0.pb": 3, "output_0.pb": map[string]int64{"wrong": 3, "right": -3}[name]} {
			if err := onnx.WriteValueFile(filepath.Join(set, file), "", tensor.Vector(v)); err != nil {
				t.Fatal(err)
			}
		}
	}
	known := filepath.Join(dir, "known.txt")
	for _, c := range []struct {
		list, want string
		code       int
	}{
		{"# nothing\n", "1 passed, 1 failed, 0 skipped", 1},
		{"wrong: a sign was lost\n", "1 passed, 0 failed, 1 skipped", 0},
		{"wrong: a sign was lost\nright: an old story\n", "ok   right: passes, though", 0},
	} {
		if err := os.WriteFile(known, []byte(c.list), 0o666); err != nil {
			t.Fatal(err)
		}
		if code, out, _ := call(t, "conformance", "--known", known, filepath.Join(dir, "cases")); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%q: exit code %d, %s", c.list, code, out)
		}
	}
}

func TestBench(t *testing.T) {
	model := save(t, t.TempDir(), double)
	args := []string{"bench", model, "--dim", "N=3", "--duration", "5ms", "--json", "--threads", "1"}
	digest := ""
	for range 2 {
		code, out, stderr := call(t, args...)
		var r map[string]any
		if err := json.Unmarshal([]byte(out), &r); code != 0 || err != nil {
			t.Fatalf("exit code %d, %v, %s%s", code, err, out, stderr)
		}
		for _, key := range []string{"load_ms", "runs", "min_ms", "median_ms", "p90_ms", "peak_rss_bytes"} {
			if v, ok := r[key].(float64); !ok || v <= 0 {
				t.Errorf("%s is %v", key, r[key])
			}
		}
		if d := r["output_digest"].(string); len(d) != 64 || digest != "" && d != digest {
			t.Errorf("digest %s, before %s", d, digest)
		} else {
			digest = d
		}
	}
}

// TestReadme checks that the README's coverage tables are what the registry says.
func TestReadme(t *testing.T) {
	have, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := withCoverage(have)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Error("the coverage tables are out of date: run `go run ./cmd/runtime ops --markdown --write README.md`")
	}
}

func TestInspect(t *testing.T) {
	dir := t.TempDir()
	model := save(t, dir, header+`g (float[N, 4] x) => (float[N, 3] y) <float[4, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}> {
	  h = MatMul (x, w)  c = ReduceSum <keepdims = 0> (h)  b = Cast <to = 9> (c)
	  y = If (b) <then_branch = t () => (p) { p = Relu (h) }, else_branch = e () => (q) { q = Neg (h) }>
	}`)
	code, out, stderr := call(t, "inspect", model, "--dim", "N=5", "--json")
	var r report
	if err := json.Unmarshal([]byte(out), &r); code != 0 || err != nil {
		t.Fatalf("exit code %d, %v, %s", code, err, stderr)
	}
	if r.Nodes != 6 || r.Operators["Relu"] != 1 || len(r.Parameters) != 1 || r.Parameters[0] != (parameters{"float", 1, 12, 48}) || r.Unsupported != nil {
		t.Errorf("%+v", r)
	}
	if e := r.Estimate; e == nil || e.ByOp["MatMul"] != 2*5*4*3 || e.FLOPs != 2*5*4*3+3*15 || len(e.Once) != 1 {
		t.Errorf("%+v", e)
	}
	for _, c := range []struct {
		flags, want string
		code        int
	}{
		{"", "input       x: float[N,4]\n", 0},
		{"", "give the sizes of dimensions with --dim", 0},
		{"--dim N=5", "165 FLOP", 0},
		{"--dim x.0=5", "165 FLOP", 0},
		{"--dim x.1=5", "", 2},
		{"--check", "follows the standard", 0},
		{"--text", "h = MatMul (x, w)", 0},
		{"--dot", `0 -> 1 [label="float[N,4]"];`, 0},
		{"--dot", "4 -> 5 [style=dashed]", 0}, // the branches belong to the If
		{"--svg", `<text x="`, 0},
		{"--svg --dot", "", 2},
	} {
		code, out, stderr := call(t, append([]string{"inspect", model}, strings.Fields(c.flags)...)...)
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit code %d, no %q in %s%s", c.flags, code, c.want, out, stderr)
		}
	}
}

func TestInspectUnsupported(t *testing.T) {
	model := save(t, t.TempDir(), `<ir_version: 8, opset_import: ["": 17, "my.domain": 3]> g (float[2] x) => (float[2] y) { h = my.domain.Fancy (x)  y = Relu <alpha = 1> (h) }`)
	if code, out, _ := call(t, "inspect", model); code != 0 || !strings.Contains(out, "not supported  my.domain.Fancy (opset 3)") || !strings.Contains(out, "problem") {
		t.Errorf("exit code %d, %s", code, out)
	}
	if code, out, _ := call(t, "inspect", model, "--svg"); code != 0 || !strings.Contains(out, "my.domain.Fancy") {
		t.Errorf("exit code %d, %s", code, out)
	}
	if code, out, _ := call(t, "inspect", model, "--check"); code != 1 || !strings.Contains(out, "alpha") {
		t.Errorf("exit code %d, %s", code, out)
	}
	if code, _, stderr := call(t, "exec", model, "-i", "[1,2]"); code != 1 || !strings.Contains(stderr, "Fancy") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// TestReadmeExample checks that the program in the README is the example that is compiled and run as a test.
func TestReadmeExample(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../../graph/exec/example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, ok := strings.Cut(string(example), "func ExampleSession() {\n")
	body, _, ok2 := strings.Cut(body, "\t// Output:")
	if body = strings.ReplaceAll(body, "../../testdata", "testdata"); !ok || !ok2 || !strings.Contains(string(readme), "func main() {\n"+body+"}\n") {
		t.Error("the README's program is not graph/exec.ExampleSession")
	}
}
