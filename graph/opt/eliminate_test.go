package opt_test

import (
	"testing"

	"github.com/sardonyx-ml/sardonyx/graph/opt"
)

func TestEliminate(t *testing.T) {
	const in = "g (float[N,3] x) => (float[N,3] y) {"
	for name, c := range map[string]struct {
		src  string
		want map[string]int
	}{
		"identity":             {in + "a = Neg (x)\nb = Identity (a)\ny = Abs (b) }", map[string]int{"identity": 1}},
		"identity of input":    {in + "a = Identity (x)\ny = Abs (a) }", map[string]int{"identity": 1}},
		"identity to output":   {in + "a = Abs (x)\ny = Identity (a) }", map[string]int{"identity": 1}},
		"input is output":      {in + "y = Identity (x) }", map[string]int{}},
		"two outputs":          {"g (float[N,3] x) => (float[N,3] y, float[N,3] z) {y = Neg (x)\nz = Identity (y) }", map[string]int{}},
		"same cast":            {in + "a = Neg (x)\nb = Cast <to = 1> (a)\ny = Abs (b) }", map[string]int{"same-cast": 1}},
		"other cast":           {in + "a = Neg (x)\nb = Cast <to = 11> (a)\ny = Cast <to = 1> (b) }", map[string]int{}},
		"dropout":              {in + "a = Dropout (x)\ny = Abs (a) }", map[string]int{"dropout": 1}},
		"mask used":            {"g (float[N,3] x) => (float[N,3] y, bool[N,3] m) {a, m = Dropout (x)\ny = Abs (a) }", map[string]int{}},
		"add zero":             {in + "z = Constant <value = float {0.0}> ()\na = Add (z, x)\ny = Abs (a) }", map[string]int{"neutral-operand": 1}},
		"add zeros":            {in + "z = Constant <value = float[3] {0.0, 0.0, 0.0}> ()\na = Add (x, z)\ny = Abs (a) }", map[string]int{"neutral-operand": 1}},
		"zeros enlarge":        {"g (float[N,1] x) => (float[N,3] y) {z = Constant <value = float[3] {0.0, 0.0, 0.0}> ()\na = Add (x, z)\ny = Abs (a) }", map[string]int{}},
		"rank grows":           {"g (float[3] x) => (float[1,3] y) {z = Constant <value = float[1,1] {0.0}> ()\na = Add (x, z)\ny = Abs (a) }", map[string]int{}},
		"mul one":              {in + "z = Constant <value = float {1.0}> ()\na = Mul (x, z)\ny = Abs (a) }", map[string]int{"neutral-operand": 1}},
		"div one":              {in + "z = Constant <value = float {1.0}> ()\na = Div (x, z)\ny = Abs (a) }", map[string]int{"neutral-operand": 1}},
		"one over":             {in + "z = Constant <value = float {1.0}> ()\na = Div (z, x)\ny = Abs (a) }", map[string]int{}},
		"zero minus":           {in + "z = Constant <value = float {0.0}> ()\na = Sub (z, x)\ny = Abs (a) }", map[string]int{}},
		"one to a power":       {in + "z = Constant <value = float {1.0}> ()\na = Pow (z, x)\ny = Abs (a) }", map[string]int{}},
		"concat of one":        {in + "a = Concat <axis = 1> (x)\ny = Abs (a) }", map[string]int{"one-operand": 1}},
		"reshape to same":      {in + "s = Constant <value = int64[2] {0, 3}> ()\na = Reshape (x, s)\ny = Abs (a) }", map[string]int{"same-shape": 1}},
		"flatten and back":     {in + "s = Constant <value = int64[1] {-1}> ()\nr = Constant <value = int64[2] {-1, 3}> ()\na = Reshape (x, s)\nb = Reshape (a, r)\ny = Abs (b) }", map[string]int{"view-of-view": 1}},
		"unsqueeze, squeeze":   {in + "o = Constant <value = int64[1] {1}> ()\na = Unsqueeze (x, o)\nb = Squeeze (a, o)\ny = Abs (b) }", map[string]int{"view-of-view": 1}},
		"whole slice":          {in + "s = Constant <value = int64[1] {0}> ()\ne = Constant <value = int64[1] {9223372036854775807}> ()\na = Slice (x, s, e, s)\ny = Abs (a) }", map[string]int{"same-shape": 1}},
		"reversed":             {"g (float[4,3] x) => (float[4,3] y) {s = Constant <value = int64[1] {-1}> ()\ne = Constant <value = int64[1] {-100}> ()\nz = Constant <value = int64[1] {0}> ()\na = Slice (x, s, e, z, s)\ny = Abs (a) }", map[string]int{}},
		"expand to own shape":  {in + "s = Shape (x)\na = Expand (x, s)\ny = Abs (a) }", map[string]int{"same-shape": 1}},
		"expand to other":      {"g (float[N,3] x, float[M,3] z) => (float[K,3] y) {s = Shape (z)\na = Expand (x, s)\ny = Abs (a) }", map[string]int{}},
		"tile once":            {"g (float[4,3] x) => (float[4,3] y) {s = Constant <value = int64[2] {1, 1}> ()\na = Tile (x, s)\ny = Abs (a) }", map[string]int{"same-shape": 1}},
		"pad nothing":          {"g (float[4,3] x) => (float[4,3] y) {s = Constant <value = int64[4] {0, 0, 0, 0}> ()\na = Pad (x, s)\ny = Abs (a) }", map[string]int{"same-shape": 1}},
		"shift":                {"g (float[4,3] x) => (float[4,3] y) {s = Constant <value = int64[4] {1, 0, -1, 0}> ()\na = Pad (x, s)\ny = Abs (a) }", map[string]int{}},
		"transpose identity":   {in + "a = Transpose <perm = [0, 1]> (x)\ny = Abs (a) }", map[string]int{"transpose-identity": 1}},
		"transposed twice":     {in + "a = Transpose (x)\nb = Transpose (a)\ny = Abs (b) }", map[string]int{"transpose-transpose": 1}},
		"transposed in turn":   {"g (float[2,3,4] x) => (float[4,2,3] y) {a = Transpose <perm = [1, 2, 0]> (x)\nb = Transpose <perm = [1, 2, 0]> (a)\ny = Abs (b) }", map[string]int{"transpose-transpose": 1}},
		"reshape by own shape": {"g (float[N,S,6] x) => (float[N,S,2,3] y) {l = Shape <end = 2> (x)\nt = Constant <value = int64[2] {2, 3}> ()\ns = Concat <axis = 0> (l, t)\ny = Reshape (x, s) }", map[string]int{"reshape-constant": 1}},
		"reshape, one unknown": {"g (float[N,S,6] x, float[K,6] z) => (float[M,6] y) {l = Shape <end = 1> (z)\nt = Constant <value = int64[1] {-1}> ()\ns = Concat <axis = 0> (t, l)\nd = Shape (x)\np = ReduceProd <keepdims = 0> (d)\ny = Reshape (x, s) }", map[string]int{}},
		"reshape to swapped":   {"g (float[N,S,1] x) => (float[S,N] y) {d = Shape <end = 2> (x)\ni = Constant <value = int64[2] {1, 0}> ()\ns = Gather (d, i)\ny = Reshape (x, s) }", map[string]int{}},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "reshape, one unknown" {
				// Only whether the rule leaves it alone: random inputs do not fit.
				s := session(t, header, c.src, opt.Options{Level: opt.All, Check: true})
				if n := s.OptStats().Applied["reshape-constant"]; n > 1 {
					t.Errorf("applied %v", s.OptStats().Applied)
				}
				return
			}
			rewrites(t, c.src, c.want)
		})
	}
}

func TestCSE(t *testing.T) {
	for name, c := range map[string]struct {
		src  string
		want int
	}{
		"same":               {"a = Neg (x)\nb = Neg (x)\ny = Mul (a, b)", 1},
		"chain":              {"a = Neg (x)\nb = Neg (x)\nc = Exp (a)\nd = Exp (b)\ny = Mul (c, d)", 2},
		"constants":          {"p = Constant <value = float {2.0}> ()\nq = Constant <value = float {2.0}> ()\na = Add (x, p)\nb = Add (x, q)\ny = Mul (a, b)", 1},
		"other constants":    {"p = Constant <value = float {2.0}> ()\nq = Constant <value = float {3.0}> ()\na = Add (x, p)\nb = Add (x, q)\ny = Mul (a, b)", 0},
		"other attributes":   {"a = LeakyRelu <alpha = 0.1> (x)\nb = LeakyRelu <alpha = 0.2> (x)\ny = Mul (a, b)", 0},
		"random":             {"a = RandomUniformLike (x)\nb = RandomUniformLike (x)\nc = Sub (a, b)\nd = Mul (c, c)\ne = Abs (d)\nz = Sub (e, e)\ny = Add (x, z)", 0},
		"order of operands":  {"a = Sub (x, x)\nb = Neg (x)\nc = Sub (a, b)\nd = Sub (b, a)\ny = Mul (c, d)", 0},
		"shapes by contents": {"n = Neg (x)\na = Shape (x)\nb = Shape (n)\nc = Expand (n, a)\nd = Expand (x, b)\nf = ConstantOfShape (a)\ng = ConstantOfShape (b)\nh = Add (f, g)\ni = Mul (c, h)\ny = Add (i, d)", 2},
		"outputs stay":       {"z = Neg (x)\ny = Neg (x)", 0},
	} {
		t.Run(name, func(t *testing.T) {
			outs := "float[N,3] y"
			if name == "outputs stay" {
				outs = "float[N,3] y, float[N,3] z"
			}
			src := "g (float[N,3] x) => (" + outs + ") {" + c.src + "}"
			fast := session(t, header, src, opt.Options{Level: opt.All, Check: true})
			if got := fast.OptStats().Applied["cse"]; got != c.want {
				t.Errorf("merged %d, want %d", got, c.want)
			}
			if name != "random" {
				rewrites(t, src, fast.OptStats().Applied)
			}
		})
	}
}
