package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/onnx/text"
)

const header = `<ir_version: 8, opset_import: ["": 17]> `

func parse(t testing.TB, src string) *onnx.Model {
	t.Helper()
	p, err := text.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	return &onnx.Model{Proto: p}
}

func session(t testing.TB, src string, opts ...Option) *Session {
	t.Helper()
	s, err := New(parse(t, src), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type feeds = map[string]tensor.Value

func floats(v ...float32) *tensor.Tensor { return tensor.Vector(v...) }

// show prints tensors by type, shape and elements.
func show(v tensor.Value) string {
	t, ok := v.(*tensor.Tensor)
	if !ok {
		return fmt.Sprint(v)
	}
	vals, err := t.Floats()
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(t, vals)
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		name, src string
		in        feeds
		want      string // of output y
	}{
		{"default of an input", header + `g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {10, 20}> { y = Add (x, w) }`,
			feeds{"x": floats(1, 2)}, "float[2] [11 22]"},
		{"default replaced", header + `g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {10, 20}> { y = Add (x, w) }`,
			feeds{"x": floats(1, 2), "w": floats(0, 1)}, "float[2] [1 3]"},
		{"one value as both inputs", header + `g (float[2] x) => (float[2] y) { y = Mul (x, x) }`, feeds{"x": floats(3, -2)}, "float[2] [9 4]"},
		{"input is output", header + `g (float[2] y) => (float[2] y) { }`, feeds{"y": floats(3, -2)}, "float[2] [3 -2]"},
		{"constant is output", header + `g () => (float[2] y) <float[2] y = {1, 2}> { }`, feeds{}, "float[2] [1 2]"},
		{"a value that dies in an operator that also keeps it", header + `g (float[2] x) => (float[2] y) { a = Neg (x)  b = Identity (a)  c = Abs (b)  y = Add (a, c) }`, feeds{"x": floats(3, -2)}, "float[2] [0 4]"},
		{"function with attributes and defaults", `<ir_version: 8, opset_import: ["": 17, "local": 1]>
			g (float[N] x) => (float[N] y) { a = local.scale <by = 3.0> (x)  y = local.scale (a) }
			<domain: "local", opset_import: ["": 17]>
			scale <by: float = 10.0> (u) => (v) { c = Constant <value_float: float = @by> ()  v = Mul (u, c) }`,
			feeds{"x": floats(1, 2)}, "float[2] [30 60]"},
		{"function in another opset, called by a function", `<ir_version: 8, opset_import: ["": 17, "local": 1]>
			g (float[2,2] x) => (float[2,2] y) { y = local.outer (x) }
			<domain: "local", opset_import: ["": 12, "local": 1]>
			outer (u) => (v) { s = ReduceSum <axes = [1], keepdims = 1> (u)  v = local.inner (u, s) }
			<domain: "local", opset_import: ["": 13]>
			inner (u, s) => (v) { a = Constant <value_ints = [0]> ()  k = ReduceSum (s, a)  v = Sub (u, k) }`,
			feeds{"x": tensor.Of(tensor.Shape{2, 2}, []float32{1, 2, 3, 4})}, "float[2 2] [-9 -8 -7 -6]"},
		{"function with an absent input", `<ir_version: 8, opset_import: ["": 17, "local": 1]>
			g (float[2] x) => (float[2] y) { y = local.limit (x) }
			<domain: "local", opset_import: ["": 17]>
			limit (u, lo) => (v) { hi = Constant <value_float = 1.0> ()  v = Clip (u, lo, hi) }`,
			feeds{"x": floats(-5, 5)}, "float[2] [-5 1]"},
		{"branch that captures", header + `g (float[2] x, bool c) => (float[2] y) { a = Neg (x)
			y = If (c) <then_branch = t () => (p) { p = Add (a, x) }, else_branch = e () => (q) { q = Sub (a, x) }> }`,
			feeds{"x": floats(1, 2), "c": tensor.Scalar(false)}, "float[2] [-2 -4]"},
		{"branch that returns a view of an outer value", header + `g (float[2] x, bool c) => (float[2] y) { a = Neg (x)
			b = If (c) <then_branch = t () => (p) { p = Identity (a) }, else_branch = e () => (q) { q = Identity (x) }>  y = Add (b, a) }`,
			feeds{"x": floats(1, 2), "c": tensor.Scalar(true)}, "float[2] [-2 -4]"},
		{"loop with carried, captured and collected values", header + `g (float[2] x, int64 n) => (float[K,2] y) { yes = Constant <value = bool {1}> ()  z = Sub (x, x)  one = Neg (x)
			last, y = Loop (n, yes, z) <body = b (int64 i, bool c, float[2] acc) => (bool d, float[2] next, float[2] row) {
				d = Identity (c)  next = Sub (acc, one)  row = Add (next, z) }> }`,
			feeds{"x": floats(1, 2), "n": tensor.Scalar[int64](3)}, "float[3 2] [1 2 2 4 3 6]"},
		{"loop that does not run", header + `g (float[2] x, int64 n) => (float[2] y) { yes = Constant <value = bool {1}> ()
			y = Loop (n, yes, x) <body = b (int64 i, bool c, float[2] acc) => (bool d, float[2] next) { d = Identity (c)  next = Add (acc, acc) }> }`,
			feeds{"x": floats(1, 2), "n": tensor.Scalar[int64](0)}, "float[2] [1 2]"},
		{"branches in loops capture through both", header + `g (float[2] x, int64 n) => (float[2] y) { yes = Constant <value = bool {1}> ()  one = Constant <value = int64 {1}> ()
			y = Loop (n, yes, x) <body = b (int64 i, bool c, float[2] acc) => (bool d, float[2] next) { d = Identity (c)
				big = Greater (i, one)  twice = Add (acc, acc)
				next = If (big) <then_branch = t () => (p) { p = Add (twice, x) }, else_branch = e () => (q) { q = Sub (acc, x) }> }> }`,
			feeds{"x": floats(1, 2), "n": tensor.Scalar[int64](4)}, "float[2] [-1 -2]"},
		{"optional left out", header + `g (optional(float[2]) x) => (bool y) { y = OptionalHasElement (x) }`, feeds{}, "bool[] [0]"},
		{"scan", header + `g (float[3,2] x, float[2] z) => (float[2] y, float[3,2] r) {
			y, r = Scan <num_scan_inputs = 1, body = b (float[2] s, float[2] e) => (float[2] o, float[2] p) { o = Add (s, e)  p = Identity (o) }> (z, x) }`,
			feeds{"x": tensor.Of(tensor.Shape{3, 2}, []float32{1, 2, 3, 4, 5, 6}), "z": floats(0, 1)}, "float[2] [9 13]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := session(t, c.src)
			for range 3 { // later runs use the memory of earlier ones
				out, err := s.Run(context.Background(), c.in)
				if err != nil {
					t.Fatal(err)
				}
				if got := show(out["y"]); got != c.want {
					t.Fatalf("got %s, want %s", got, c.want)
				}
			}
		})
	}
}

func TestWrongInputs(t *testing.T) {
	s := session(t, header+`g (float[batch, seq, 2] x, int64[batch, seq] ids, float[?, 3] free) => (y) { y = ReduceSum (x) }`)
	x := tensor.New(tensor.Float32, 4, 5, 2)
	ids := tensor.New(tensor.Int64, 4, 5)
	free := tensor.New(tensor.Float32, 7, 3)
	for _, c := range []struct {
		in   feeds
		want string
	}{
		{feeds{"x": x, "ids": ids, "free": free}, ""},
		{feeds{"x": x, "ids": ids}, `input "free" (float[?,3]) is missing`},
		{feeds{"x": x, "ids": nil, "free": free}, `input "ids" (int64[batch,seq]) is missing`},
		{feeds{"x": x, "ids": ids, "free": free, "z": x}, `the model has no input "z"; it has "x", "ids", "free"`},
		{feeds{"x": x, "ids": tensor.New(tensor.Int32, 4, 5), "free": free}, `input "ids" is int32[4,5], the model needs int64[batch,seq]`},
		{feeds{"x": tensor.New(tensor.Float32, 4, 5), "ids": ids, "free": free}, `input "x" has shape [4 5] of rank 2, the model needs float[batch,seq,2]`},
		{feeds{"x": tensor.New(tensor.Float32, 4, 5, 3), "ids": ids, "free": free}, `input "x" has shape [4 5 3], the model needs float[batch,seq,2]: dimension 2 is 3, not 2`},
		{feeds{"x": x, "ids": tensor.New(tensor.Int64, 4, 6), "free": free}, `input "ids" has shape [4 6], but dimension seq (1) is 5 in input "x"`},
		{feeds{"x": &tensor.Sequence{Elem: tensor.UnrankedType(tensor.Float32)}, "ids": ids, "free": free}, `input "x" is seq(float), the model needs float[batch,seq,2]`},
	} {
		_, err := s.Run(context.Background(), c.in)
		if got := fmt.Sprint(err); got != c.want && !(err == nil && c.want == "") {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestOutputs(t *testing.T) {
	s := session(t, header+`g (float[2] x) => (float[2] a, float[2] b) { a = Neg (x)  b = Abs (x) }`)
	out, err := s.Run(context.Background(), feeds{"x": floats(-1, 2)}, Outputs("b"))
	if err != nil || len(out) != 1 || show(out["b"]) != "float[2] [1 2]" {
		t.Errorf("%v, %v", out, err)
	}
	if _, err := s.Run(context.Background(), feeds{"x": floats(-1, 2)}, Outputs("c")); fmt.Sprint(err) != `the model has no output "c"; it has "a", "b"` {
		t.Error(err)
	}
}

// TestOwnership checks that outputs share memory with nothing that somebody else has.
func TestOwnership(t *testing.T) {
	s := session(t, header+`g (float[2] x) => (float[1,2] view, float[2] same, float[2] const, float[2] y) <float[2] w = {5, 6}> {
		axes = Constant <value_ints = [0]> ()  view = Unsqueeze (x, axes)  same = Identity (x)  const = Identity (w)  y = Neg (x) }`)
	x := floats(1, 2)
	first, err := s.Run(context.Background(), feeds{"x": x})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range first {
		clear(v.(*tensor.Tensor).Float32())
	}
	if x.Float32()[0] != 1 {
		t.Error("an output shares memory with the input")
	}
	second, err := s.Run(context.Background(), feeds{"x": x})
	if err != nil {
		t.Fatal(err)
	}
	if got := show(second["const"]) + show(second["y"]); got != "float[2] [5 6]float[2] [-1 -2]" {
		t.Errorf("a write to outputs of the first run changed the second: %s", got)
	}
	if first["y"].(*tensor.Tensor).Float32()[0] != 0 {
		t.Error("the second run wrote to an output of the first")
	}
}

const endless = header + `g (int64[1] x) => (int64[1] y) { yes = Constant <value = bool {1}> ()
	y = Loop (, yes, x) <body = b (int64 i, bool c, int64[1] a) => (bool d, int64[1] n) { d = Identity (c)  n = Add (a, a) }> }`

func TestCancel(t *testing.T) {
	s := session(t, endless)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := s.Run(ctx, feeds{"x": tensor.Vector[int64](1)})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "Loop") {
		t.Errorf("error %v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("ended after %v", d)
	}
	done, stop := context.WithCancel(context.Background())
	stop()
	if _, err := s.Run(done, feeds{"x": tensor.Vector[int64](1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestMemoryLimit(t *testing.T) {
	s := session(t, header+`g (float[n] x) => (float[n] y) { a = Neg (x)  b = Exp (a)  y = Add (a, b) }`, MemoryLimit(10_000))
	small, large := tensor.New(tensor.Float32, 100), tensor.New(tensor.Float32, 2000)
	for range 50 { // what a failed run held is given back, and outputs do not count
		if _, err := s.Run(context.Background(), feeds{"x": small}); err != nil {
			t.Fatal(err)
		}
		_, err := s.Run(context.Background(), feeds{"x": large})
		if err == nil || !strings.Contains(err.Error(), "memory limit of 10000 bytes reached") || !strings.Contains(err.Error(), "node") {
			t.Fatalf("error %v", err)
		}
	}
	if used := s.budget.used.Load(); used < 0 || used > 10_000 {
		t.Errorf("%d bytes in use", used)
	}
}

func TestConcurrentRuns(t *testing.T) {
	s := session(t, header+`g (float[n, 8] x, int64 k) => (float[n, 8] y, float[n, 8] z) <float[8, 8] w = {`+strings.Repeat("0.25, -0.5, 0.75, 1, ", 15)+`1, 2, 3, 4}> {
		yes = Constant <value = bool {1}> ()  m = MatMul (x, w)  p = Softmax <axis = 1> (m)
		y = Loop (k, yes, p) <body = b (int64 i, bool c, float[n, 8] a) => (bool d, float[n, 8] o) { d = Identity (c)  q = MatMul (a, w)  r = Tanh (q)  o = Add (r, x) }>
		s = ReduceSum (y)  zero = Sub (s, s)  pos = GreaterOrEqual (s, zero)
		z = If (pos) <then_branch = t () => (u) { u = Mul (y, m) }, else_branch = e () => (v) { v = Sub (y, p) }> }`, Threads(2))
	const goroutines, runs = 32, 20
	in, want := make([]feeds, goroutines), make([]string, goroutines)
	for i := range in {
		x := tensor.New(tensor.Float32, i+1, 8)
		for k := range x.Float32() {
			x.Float32()[k] = float32((k*7+i*3)%11-5) / 8
		}
		in[i] = feeds{"x": x, "k": tensor.Scalar(int64(i % 5))}
		out, err := s.Run(context.Background(), in[i])
		if err != nil {
			t.Fatal(err)
		}
		want[i] = rawBits(out)
	}
	var wg sync.WaitGroup
	for i := range goroutines {
		wg.Go(func() {
			for r := range runs {
				k := (i + r) % goroutines
				out, err := s.Run(context.Background(), in[k])
				if err != nil {
					t.Error(err)
				} else if rawBits(out) != want[k] {
					t.Errorf("goroutine %d, run %d: other bits than alone", i, r)
				}
			}
		})
	}
	wg.Wait()
}

func rawBits(out map[string]tensor.Value) string {
	var b bytes.Buffer
	for _, name := range []string{"y", "z"} {
		b.Write(out[name].(*tensor.Tensor).Bytes())
	}
	return b.String()
}

func TestBadModels(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"unknown operator", header + `g (float[2] x) => (y) { y = Nonsense (x) }`, `node of output "y" (Nonsense): unsupported operator`},
		{"attribute of the wrong type", header + `g (float[2] x) => (y) { [n1] y = Softmax <axis = 1.5> (x) }`, `node "n1" (Softmax)`},
		{"undefined input", header + `g (float[2] x) => (y) { y = Neg (z) }`, `input "z" is not defined before its use`},
		{"cycle", header + `g (float[2] x) => (y) { a = Add (x, b)  b = Neg (a)  y = Neg (b) }`, `input "b" is not defined before its use`},
		{"defined twice", header + `g (float[2] x) => (y) { y = Neg (x)  y = Abs (x) }`, `value "y" is defined twice`},
		{"output of no node", header + `g (float[2] x) => (y) { z = Neg (x) }`, `output "y" is produced by no node`},
		{"recursive function", `<ir_version: 8, opset_import: ["": 17, "l": 1]> g (float[2] x) => (y) { y = l.f (x) }
			<domain: "l", opset_import: ["": 17, "l": 1]> f (a) => (b) { b = l.f (a) }`, `function f calls itself`},
		{"wrong element type", header + `g (string[2] x) => (y) { y = Neg (x) }`, `(Neg): input 0`},
		{"loop without its initial value", header + `g (int64 n) => (y) { c = Constant <value = bool {1}> ()
			y = Loop (n, c) <body = b (int64 i, bool c, float[1] a) => (d, o) { d = Identity (c)  o = Add (a, a) }> }`, `input "a" has no value`},
		{"huge constant", header + `g () => (y) { s = Constant <value_ints = [1099511627776, 1099511627776]> ()  y = ConstantOfShape (s) }`, ``},
	} {
		s, err := New(parse(t, c.src))
		if err == nil {
			in := feeds{}
			if len(s.Inputs()) > 0 {
				in[s.Inputs()[0].Name] = tensor.Scalar[int64](1)
			}
			_, err = s.Run(context.Background(), in)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line with %q", c.name, err, c.want)
		}
	}
}

func TestProfile(t *testing.T) {
	s := session(t, header+`g (float[2] x) => (float[2] y) { a = Neg (x)  y = Abs (a) }`)
	p := &Profile{}
	if _, err := s.Run(context.Background(), feeds{"x": floats(1, 2)}, WithProfile(p)); err != nil {
		t.Fatal(err)
	}
	if len(p.Events) != 2 || p.Events[1].Node.OpType != "Abs" || p.Events[1].Outputs[0].String() != "float[2]" {
		t.Errorf("%+v", p.Events)
	}
}
