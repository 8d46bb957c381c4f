package opt_test

import "testing"

func TestProducts(t *testing.T) {
	const weights = `w = Constant <value = float[3,2] {0.5, 2.0, -1.0, 3.0, 0.25, -0.75}> ()
		b = Constant <value = float[2] {0.5, -1.0}> ()
		wt = Constant <value = float[2,3] {0.5, 2.0, -1.0, 3.0, 0.25, -0.75}> ()
		three = Constant <value = float {3.0}> ()
		vec = Constant <value = float[2] {3.0, 2.0}> ()
		lo = Constant <value = float {-0.5}> ()
		hi = Constant <value = float {0.5}> ()
		`
	const in = "g (float[N,S,3] x) => (float[N,S,2] y) {" + weights
	for name, c := range map[string]struct {
		src  string
		want map[string]int
	}{
		"bias":               {in + "m = MatMul (x, w)\ny = Add (m, b) }", map[string]int{"matmul-bias": 1}},
		"bias first":         {in + "m = MatMul (x, w)\ny = Add (b, m) }", map[string]int{"matmul-bias": 1}},
		"two biases":         {in + "m = MatMul (x, w)\nn = Add (m, b)\ny = Add (n, vec) }", map[string]int{"matmul-bias": 1}},
		"used twice":         {in + "m = MatMul (x, w)\nn = Add (m, b)\ny = Mul (n, m) }", map[string]int{}},
		"relu":               {in + "m = MatMul (x, w)\nn = Add (m, b)\ny = Relu (n) }", map[string]int{"matmul-bias": 1, "matmul-activation": 1}},
		"no bias":            {in + "m = MatMul (x, w)\ny = Tanh (m) }", map[string]int{"matmul-activation": 1}},
		"clip":               {in + "m = MatMul (x, w)\ny = Clip (m, lo, hi) }", map[string]int{"matmul-activation": 1}},
		"half a clip":        {in + "m = MatMul (x, w)\ny = Clip (m, , hi) }", map[string]int{"matmul-activation": 1}},
		"gelu":               {in + "m = MatMul (x, w)\nn = Add (m, b)\ny = Gelu <approximate = \"tanh\"> (n) }", map[string]int{"matmul-bias": 1, "matmul-activation": 1}},
		"leaky":              {in + "m = MatMul (x, w)\ny = LeakyRelu <alpha = 0.3> (m) }", map[string]int{"matmul-activation": 1}},
		"hardsigmoid":        {in + "m = MatMul (x, w)\ny = HardSigmoid (m) }", map[string]int{"matmul-activation": 1}},
		"two acts":           {in + "m = MatMul (x, w)\nn = Relu (m)\ny = Tanh (n) }", map[string]int{"matmul-activation": 1}},
		"scaled":             {in + "m = MatMul (x, w)\nn = Div (m, three)\ny = Add (n, b) }", map[string]int{"matmul-scale": 1, "fused-matmul-bias": 1}},
		"scaled by a vector": {in + "m = MatMul (x, w)\ny = Mul (m, vec) }", map[string]int{}},
		"divides":            {in + "m = MatMul (x, w)\ny = Div (three, m) }", map[string]int{}},
		"scaled operand":     {in + "z = Mul (three, x)\ny = MatMul (z, w) }", map[string]int{"scale-matmul": 1}},
		"divisor operand":    {in + "z = Div (three, x)\ny = MatMul (z, w) }", map[string]int{}},
		"gemm":               {"g (float[N,3] x) => (float[N,2] y) {" + weights + "m = Gemm <transB = 1, beta = 2.0, alpha = 0.5> (x, wt, b)\ny = Relu (m) }", map[string]int{"matmul-activation": 1}},
		"gemm transA":        {"g (float[3,N] x) => (float[N,2] y) {" + weights + "m = Gemm <transA = 1> (x, w)\ny = Relu (m) }", map[string]int{"matmul-activation": 1}},
		"gemm with a matrix": {"g (float[N,3] x, float[N,2] c) => (float[N,2] y) {" + weights + "m = Gemm (x, w, c)\ny = Relu (m) }", map[string]int{}},
		"gemm between reshapes": {in + `flat = Constant <value = int64[2] {-1, 3}> ()
			back = Constant <value = int64[3] {3, 3, 2}> ()
			f = Reshape (x, flat)
			m = Gemm (f, w, b)
			y = Reshape (m, back) }`, map[string]int{}},
		"heads": {"g (float[N,S,2,4] q, float[N,S,2,4] k, float[N,S,2,4] v) => (float[N,S,2,4] y) {" + weights + `
			qt = Transpose <perm = [0, 2, 1, 3]> (q)
			kt = Transpose <perm = [0, 2, 3, 1]> (k)
			vt = Transpose <perm = [0, 2, 1, 3]> (v)
			m = MatMul (qt, kt)
			s = Div (m, three)
			z = MatMul (s, vt)
			y = Transpose <perm = [0, 2, 1, 3]> (z) }`, map[string]int{"transpose-matmul": 1, "matmul-transposed": 2, "matmul-scale": 1, "matmul-transpose": 1}},
		"default transpose": {"g (float[3,N] x) => (float[N,2] y) {" + weights + "z = Transpose (x)\ny = MatMul (z, w) }", map[string]int{"transpose-matmul": 1}},
		"far apart":         {"g (float[3,N,4] x) => (float[4,N,2] y) {" + weights + "z = Transpose <perm = [2, 1, 0]> (x)\ny = MatMul (z, w) }", map[string]int{"transpose-matmul": 0}},
		"result of columns": {"g (float[N,3] x) => (float[2,N] y) {" + weights + "z = MatMul (x, w)\ny = Transpose (z) }", map[string]int{}},
		"integers":          {"g (int64[N,3] x, int64[3,2] w, int64[2] b) => (int64[N,2] y) { z = MatMul (x, w)\ny = Add (z, b) }", map[string]int{}},
		"vectors":           {"g (float[3] x) => (float[2] y) {" + weights + "z = MatMul (x, w)\ny = Add (z, b) }", map[string]int{}},
	} {
		t.Run(name, func(t *testing.T) {
			for k, n := range c.want {
				if n == 0 {
					delete(c.want, k)
				}
			}
			rewrites(t, c.src, c.want)
		})
	}
	// The leading axes come back as they were.
	for product, want := range map[string]map[string]int{
		"m = Gemm (f, w, b)":                    {"reshape-gemm-reshape": 1},
		"m = MatMul (f, w)":                     {"reshape-gemm-reshape": 1},
		"n = MatMul (f, w)\nm = Add (n, b)":     {"reshape-gemm-reshape": 1, "matmul-bias": 1},
		"n = Gemm (f, w, b)\nm = Sigmoid (n)\n": {"reshape-gemm-reshape": 1, "matmul-activation": 1},
	} {
		rewrites(t, "g (float[N,S,3] x) => (float[N,S,2] y) {"+weights+`flat = Constant <value = int64[2] {-1, 3}> ()
			cols = Constant <value = int64[1] {2}> ()
			lead = Shape <end = 2> (x)
			back = Concat <axis = 0> (lead, cols)
			f = Reshape (x, flat)
			`+product+`
			y = Reshape (m, back) }`, want)
	}
}
