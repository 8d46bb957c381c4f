package opt_test

import (
	"strings"
	"testing"
)

func TestLayerNorm(t *testing.T) {
	const (
		means   = "m = ReduceMean <axes = [-1]> (x)\nd = Sub (x, m)\n"
		square  = means + "p = Pow (d, two)\nv = ReduceMean <axes = [-1]> (p)\n"
		root    = square + "e = Add (v, eps)\nr = Sqrt (e)\n"
		divided = root + "n = Div (d, r)\n"
		affine  = "k = Mul (n, g4)\ny = Add (k, b4)\n"
	)
	for name, c := range map[string]struct{ nodes, rule string }{
		"pytorch":               {divided + affine, "layernorm"},
		"reordered":             {divided + "k = Mul (g4, n)\ny = Add (b4, k)\n", "layernorm"},
		"square by mul":         {means + "p = Mul (d, d)\nv = ReduceMean <axes = [-1]> (p)\ne = Add (eps, v)\nr = Sqrt (e)\nn = Div (d, r)\n" + affine, "layernorm"},
		"integer power":         {strings.Replace(divided, "two)", "twoi)", 1) + affine, "layernorm"},
		"twice sub":             {means + "d2 = Sub (x, m)\np = Pow (d2, two)\nv = ReduceMean <axes = [2]> (p)\ne = Add (v, eps)\nr = Sqrt (e)\nn = Div (d, r)\n" + affine, "layernorm"},
		"reciprocal":            {root + "i = Reciprocal (r)\nn = Mul (d, i)\n" + affine, "layernorm"},
		"one over":              {root + "i = Div (one, r)\nn = Mul (i, d)\n" + affine, "layernorm"},
		"negative power":        {square + "e = Add (v, eps)\ni = Pow (e, mhalf)\nn = Mul (i, d)\n" + affine, "layernorm"},
		"power":                 {square + "e = Add (v, eps)\nr = Pow (e, half)\nn = Div (d, r)\n" + affine, "layernorm"},
		"keras":                 {root + "i = Reciprocal (r)\ng = Mul (i, g4)\na = Mul (x, g)\nmg = Mul (m, g)\nf = Sub (b4, mg)\ny = Add (a, f)\n", "layernorm-keras"},
		"no bias":               {divided + "y = Mul (n, g4)\n", "layernorm-no-bias"},
		"no scale":              {divided + "y = Mul (n, two)\n", "layernorm-no-scale"},
		"other axis":            {strings.ReplaceAll(divided, "[-1]", "[1]") + affine, ""},
		"other square":          {strings.Replace(divided, "two)", "three)", 1) + affine, ""},
		"two axes":              {strings.ReplaceAll(divided, "axes = [-1]", "axes = [1, 2]") + "k = Mul (n, g34)\ny = Add (k, g34)\n", "layernorm"},
		"two axes, short scale": {strings.ReplaceAll(divided, "axes = [-1]", "axes = [1, 2]") + affine, "layernorm-no-scale"},
		"deviation used":        {divided + "k = Mul (n, g4)\nz = Add (k, b4)\ny = Add (z, r)\n", ""},
		"axes differ":           {means + "p = Pow (d, two)\nv = ReduceMean <axes = [1, 2]> (p)\ne = Add (v, eps)\nr = Sqrt (e)\nn = Div (d, r)\n" + affine, ""},
	} {
		t.Run(name, func(t *testing.T) {
			want := map[string]int{}
			if c.rule != "" {
				want[c.rule] = 1
			}
			withOpset(t, 13, onX("2,3,4", c.nodes), want)
			if !strings.Contains(c.nodes, "[1") && !strings.Contains(c.nodes, "[2") {
				withOpset(t, 18, onX("2,3,4", strings.NewReplacer("ReduceMean <axes = [-1]> (x)", "ReduceMean (x, last)", "ReduceMean <axes = [-1]> (p)", "ReduceMean (p, last)").Replace(c.nodes)), want)
			}
		})
	}
}

func TestRMSNorm(t *testing.T) {
	const root = "p = Pow (x, two)\nv = ReduceMean <axes = [-1]> (p)\ne = Add (v, eps)\nr = Sqrt (e)\n"
	for name, c := range map[string]struct {
		nodes string
		fires int
	}{
		"t5":       {root + "n = Div (x, r)\ny = Mul (g4, n)\n", 1},
		"llama":    {root + "i = Reciprocal (r)\nn = Mul (x, i)\ny = Mul (g4, n)\n", 1},
		"one over": {root + "i = Div (one, r)\nn = Mul (x, i)\ny = Mul (n, g4)\n", 1},
		"gain":     {root + "i = Reciprocal (r)\nn = Mul (i, g4)\ny = Mul (x, n)\n", 1},
		"by mul":   {strings.Replace(root, "Pow (x, two)", "Mul (x, x)", 1) + "n = Div (x, r)\ny = Mul (g4, n)\n", 1},
		"no root":  {"p = Pow (x, two)\nv = ReduceMean <axes = [-1]> (p)\ne = Add (v, eps)\nn = Div (x, e)\ny = Mul (g4, n)\n", 0},
		"no mean":  {strings.Replace(root, "Mean", "Max", 1) + "n = Div (x, r)\ny = Mul (g4, n)\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			want := map[string]int{}
			if c.fires > 0 {
				want["rmsnorm"] = 1
			}
			withOpset(t, 13, onX("2,3,4", c.nodes), want)
		})
	}
}

func TestSkipNorm(t *testing.T) {
	const params = "g4 = Constant <value = float[4] {1.0, -2.0, 0.5, 3.0}> ()\nb4 = Constant <value = float[4] {0.1, 0.2, 0.3, -0.4}> ()\n"
	rewrites(t, "g (float[N,S,4] a, float[N,S,4] b) => (float[N,S,4] y) {"+params+`s = Add (a, b)
		y = LayerNormalization (s, g4, b4) }`, map[string]int{"skip-layernorm": 1})
	// The sum has readers before and after the normalization, and is an output.
	rewrites(t, "g (float[N,S,4] a, float[N,S,4] b) => (float[N,S,4] y, float[N,S,4] s, float[N,S,4] z, float[N,S,4] w) {"+params+`s = Add (a, b)
		z = Neg (s)
		y = LayerNormalization <axis = 2> (s, g4)
		w = Mul (s, y) }`, map[string]int{"skip-layernorm": 1})
	rewrites(t, "g (float[N,S,4] a, float[S,4] b) => (float[N,S,4] y) {"+params+`s = Add (a, b)
		y = LayerNormalization (s, g4, b4) }`, map[string]int{"skip-layernorm": 1})
	rewrites(t, "g (float[N,1,4] a, float[3,S,1] b) => (float[N,S,4] y) {"+params+`s = Add (b, a)
		y = LayerNormalization (s, g4, b4) }`, map[string]int{"skip-layernorm": 1})
	rewrites(t, "g (float[N,S,4] a, float[N,S,4] b) => (float[N,S,4] y, float[N,S,1] m) {"+params+`s = Add (a, b)
		y, m = LayerNormalization (s, g4, b4) }`, map[string]int{})
	rewrites(t, "g (float[N,3,4] a, float[N,3,4] b) => (float[N,3,4] y) {g12 = Constant <value = float[3,4] {1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0,9.0,10.0,11.0,12.0}> ()"+`s = Add (a, b)
		y = LayerNormalization <axis = 1> (s, g12) }`, map[string]int{})
	withOpset(t, 23, "g (float[N,S,4] a, float[N,S,4] b) => (float[N,S,4] y, float[N,S,4] z) {"+params+`s = Add (a, b)
		z = Neg (s)
		y = RMSNormalization <epsilon = 0.01> (s, g4) }`, map[string]int{"skip-layernorm": 1})
}
