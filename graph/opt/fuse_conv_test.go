package opt_test

import "testing"

func TestConvolutions(t *testing.T) {
	const in = `g (float[N,1,H,4] x) => (float[N,2,H,4] y) {
		w = Constant <value = float[2,1,3,1] {0.5, 2.0, -1.0, 3.0, 0.25, -0.75}> ()
		b = Constant <value = float[2] {0.5, -1.0}> ()
		v = Constant <value = float[2,1,1] {0.5, -1.0}> ()
		lo = Constant <value = float {-0.5}> ()
		hi = Constant <value = float {0.5}> ()
		`
	const conv = "c = Conv <pads = [1, 0, 1, 0]> (x, w, b)\n"
	const other = "d = Conv <pads = [1, 0, 1, 0]> (x, w)\n"
	for name, c := range map[string]struct {
		src  string
		want map[string]int
	}{
		"relu":           {conv + "y = Relu (c)", map[string]int{"conv-activation": 1}},
		"no bias":        {other + "y = Relu (d)", map[string]int{"conv-activation": 1}},
		"clip":           {conv + "y = Clip (c, lo, hi)", map[string]int{"conv-activation": 1}},
		"below":          {conv + "y = Clip (c, , hi)", map[string]int{"conv-activation": 1}},
		"tanh":           {conv + "y = Tanh (c)", map[string]int{"conv-activation": 1}},
		"residual":       {conv + "r = Tanh (c)\nz = Neg (r)\n" + other + "y = Add (d, z)", map[string]int{"conv-activation": 1, "conv-add": 1}},
		"residual first": {conv + "r = Neg (c)\n" + other + "y = Add (r, d)", map[string]int{"conv-add": 1}},
		"add and relu":   {conv + "r = Neg (c)\n" + other + "s = Add (r, d)\ny = Relu (s)", map[string]int{"conv-add": 1, "conv-activation": 1}},
		"two":            {conv + other + "s = Add (c, d)\ny = Relu (s)", map[string]int{"conv-add": 1, "conv-activation": 1}},
		"relu and add":   {conv + "r = Neg (c)\n" + other + "s = Relu (d)\ny = Add (s, r)", map[string]int{"conv-activation": 1}},
		"channels":       {conv + "y = Add (c, v)", map[string]int{}},
		"used twice":     {conv + "r = Relu (c)\ny = Mul (r, c)", map[string]int{}},
	} {
		t.Run(name, func(t *testing.T) { rewrites(t, in+c.src+" }", c.want) })
	}
}
