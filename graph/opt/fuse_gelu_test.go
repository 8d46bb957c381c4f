package opt_test

import (
	"strings"
	"testing"
)

// onX wraps nodes that compute y from x; the constants that they name are declared before them.
func onX(shape, nodes string) string {
	decl := ""
	for name, value := range map[string]string{
		"half": "float {0.5}", "two": "float {2.0}", "three": "float {3.0}", "one": "float {1.0}", "zero": "float {0.0}", "six": "float {6.0}", "sixth": "float {0.16666667}",
		"sqrt2": "float {1.4142135}", "rsqrt2": "float {0.70710678}", "c": "float {0.044715}", "s": "float {0.7978846}", "cs": "float {0.0356774}",
		"q": "float {1.702}", "mhalf": "float {-0.5}", "onev": "float[1] {1.0}", "wrong": "float {0.6}", "eps": "float {0.00001}",
		"g4": "float[4] {1.0, -2.0, 0.5, 3.0}", "b4": "float[4] {0.1, 0.2, 0.3, -0.4}", "twoi": "int64 {2}", "last": "int64[1] {-1}", "lasttwo": "int64[2] {1, 2}",
		"g34": "float[3,4] {1.0, -2.0, 0.5, 3.0, 1.5, -2.5, 0.5, 3.0, 1.0, -2.0, 0.25, 3.0}",
	} {
		if strings.Contains(nodes, name) {
			decl += name + " = Constant <value = " + value + "> ()\n"
		}
	}
	return "g (float[" + shape + "] x) => (float[" + shape + "] y) {\n" + decl + nodes + "}"
}

func TestGelu(t *testing.T) {
	for name, c := range map[string]struct {
		nodes string
		rule  string
	}{
		"pytorch":       {"a = Div (x, sqrt2)\ne = Erf (a)\nf = Add (e, one)\nm = Mul (x, f)\ny = Mul (m, half)\n", "gelu-erf"},
		"half first":    {"a = Div (x, sqrt2)\ne = Erf (a)\nf = Add (e, one)\nh = Mul (x, half)\ny = Mul (h, f)\n", "gelu-erf"},
		"swapped":       {"a = Mul (rsqrt2, x)\ne = Erf (a)\nf = Add (one, e)\nh = Mul (half, x)\ny = Mul (f, h)\n", "gelu-erf"},
		"tensorflow":    {"a = Mul (x, rsqrt2)\ne = Erf (a)\nf = Add (e, onev)\nh = Mul (f, half)\ny = Mul (x, h)\n", "gelu-erf"},
		"halved":        {"a = Div (x, sqrt2)\ne = Erf (a)\nf = Add (e, one)\nm = Mul (f, x)\ny = Div (m, two)\n", "gelu-erf"},
		"wrong divisor": {"a = Div (x, half)\ne = Erf (a)\nf = Add (e, one)\nm = Mul (x, f)\ny = Mul (m, half)\n", ""},
		"wrong factor":  {"a = Div (x, sqrt2)\ne = Erf (a)\nf = Add (e, one)\nm = Mul (x, f)\ny = Mul (m, wrong)\n", ""},
		"erf used":      {"a = Div (x, sqrt2)\ne = Erf (a)\nf = Add (e, one)\nm = Mul (x, f)\nz = Mul (m, half)\ny = Add (z, e)\n", ""},
		"tanh pow":      {"p = Pow (x, three)\nk = Mul (p, c)\na = Add (x, k)\nm = Mul (a, s)\nt = Tanh (m)\nf = Add (t, one)\nh = Mul (x, half)\ny = Mul (h, f)\n", "gelu-tanh"},
		"tanh cube":     {"x2 = Mul (x, x)\np = Mul (x2, x)\nk = Mul (c, p)\na = Add (k, x)\nm = Mul (s, a)\nt = Tanh (m)\nf = Add (one, t)\nh = Mul (half, f)\ny = Mul (x, h)\n", "gelu-tanh"},
		"tanh gpt-j":    {"k = Mul (x, c)\nk2 = Mul (k, x)\nk3 = Mul (k2, x)\na = Add (x, k3)\nm = Mul (a, s)\nt = Tanh (m)\nf = Add (t, one)\nh = Mul (x, half)\ny = Mul (h, f)\n", "gelu-tanh"},
		"tanh factored": {"v = Mul (x, s)\nx2 = Mul (x, x)\nk = Mul (x2, c)\na = Add (k, one)\nm = Mul (v, a)\nt = Tanh (m)\nf = Add (t, one)\nh = Mul (x, half)\ny = Mul (h, f)\n", "gelu-tanh"},
		"tanh other":    {"p = Pow (x, two)\nk = Mul (p, c)\na = Add (x, k)\nm = Mul (a, s)\nt = Tanh (m)\nf = Add (t, one)\nh = Mul (x, half)\ny = Mul (h, f)\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			want := map[string]int{}
			if c.rule != "" {
				want[c.rule] = 1
			}
			rewrites(t, onX("3,5", c.nodes), want)
		})
	}
}

func TestActivationBeforeReshape(t *testing.T) {
	const in = "g (float[N,6] x) => (float[N,2,3] y) {s = Constant <value = int64[3] {0, 2, 3}> ()\nlo = Constant <value = float {0.5}> ()\n"
	rewrites(t, in+"a = Abs (x)\nr = Reshape (a, s)\ny = Tanh (r) }", map[string]int{"activation-before-reshape": 1})
	rewrites(t, in+"a = Abs (x)\nr = Reshape (a, s)\ny = Clip (r, lo) }", map[string]int{"activation-before-reshape": 1})
	rewrites(t, in+"r = Reshape (x, s)\ny = Tanh (r) }", map[string]int{}) // nothing computes x
	rewrites(t, in+"a = Abs (x)\nr = Reshape (a, s)\nt = Tanh (r)\ny = Add (r, t) }", map[string]int{})
}

func TestSwish(t *testing.T) {
	for name, c := range map[string]struct {
		nodes string
		rule  string
	}{
		"silu":           {"a = Sigmoid (x)\ny = Mul (x, a)\n", "swish"},
		"silu swapped":   {"a = Sigmoid (x)\ny = Mul (a, x)\n", "swish"},
		"quick gelu":     {"k = Mul (x, q)\na = Sigmoid (k)\ny = Mul (x, a)\n", "quick-gelu"},
		"quick swapped":  {"k = Mul (q, x)\na = Sigmoid (k)\ny = Mul (a, x)\n", "quick-gelu"},
		"exp":            {"n = Neg (x)\ne = Exp (n)\nd = Add (e, one)\ny = Div (x, d)\n", "swish-exp"},
		"gate of other":  {"k = Add (x, one)\na = Sigmoid (k)\ny = Mul (x, a)\n", ""},
		"gate used":      {"a = Sigmoid (x)\nz = Mul (x, a)\ny = Add (z, a)\n", ""},
		"hard":           {"a = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x)\ny = Mul (x, a)\n", "hardswish"},
		"hard other":     {"a = HardSigmoid (x)\ny = Mul (x, a)\n", ""},
		"hard clip":      {"a = Add (x, three)\nk = Clip (a, zero, six)\nm = Mul (x, k)\ny = Div (m, six)\n", "hardswish-clip"},
		"hard clip mul":  {"a = Add (x, three)\nk = Clip (a, zero, six)\nd = Mul (k, sixth)\ny = Mul (x, d)\n", "hardswish-clip"},
		"hard clip else": {"a = Add (x, three)\nk = Clip (a, zero, three)\nm = Mul (x, k)\ny = Div (m, six)\n", ""},
		"mish":           {"p = Softplus (x)\na = Tanh (p)\ny = Mul (x, a)\n", "mish"},
	} {
		t.Run(name, func(t *testing.T) {
			want := map[string]int{}
			if c.rule != "" {
				want[c.rule] = 1
			}
			rewrites(t, onX("3,5", c.nodes), want)
		})
	}
}
