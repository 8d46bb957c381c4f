package opt_test

import "testing"

func TestDynamicQuant(t *testing.T) {
	const in = `g (float[N,S,3] x) => (float[N,S,2] y) {
		w = Constant <value = int8[3,2] {5, -128, 127, 30, 0, -7}> ()
		u = Constant <value = uint8[3,2] {5, 255, 0, 30, 128, 127}> ()
		ws = Constant <value = float {0.02}> ()
		wsv = Constant <value = float[2] {0.02, 0.5}> ()
		wz = Constant <value = int8 {3}> ()
		uzv = Constant <value = uint8[2] {3, 200}> ()
		b = Constant <value = float[2] {0.5, -1.0}> ()
		q, s, z = DynamicQuantizeLinear (x)
		`
	const tail = "c = Cast <to = 1> (m)\n"
	for name, c := range map[string]struct {
		src  string
		want map[string]int
	}{
		"scales":      {"m = MatMulInteger (q, w, z, wz)\n" + tail + "k = Mul (s, ws)\ny = Mul (c, k) }", map[string]int{"matmulinteger-scales": 1}},
		"other order": {"k = Mul (ws, s)\nm = MatMulInteger (q, w, z)\n" + tail + "y = Mul (k, c) }", map[string]int{"matmulinteger-scales": 1}},
		"columns":     {"k = Mul (s, wsv)\nm = MatMulInteger (q, u, z, uzv)\n" + tail + "y = Mul (c, k) }", map[string]int{"matmulinteger-scales": 1}},
		"one scale":   {"m = MatMulInteger (q, u, z, uzv)\n" + tail + "y = Mul (c, s) }", map[string]int{"matmulinteger-scale": 1}},
		"bias":        {"m = MatMulInteger (q, w, z, wz)\n" + tail + "k = Mul (s, ws)\nn = Mul (c, k)\ny = Add (b, n) }", map[string]int{"matmulinteger-scales": 1, "matmulinteger-bias": 1}},
		"activation": {"m = MatMulInteger (q, w, z, wz)\n" + tail + "k = Mul (s, ws)\nn = Mul (c, k)\no = Add (n, b)\ny = Relu (o) }",
			map[string]int{"matmulinteger-scales": 1, "matmulinteger-bias": 1, "matmulinteger-activation": 1}},
		"shared input": {"m = MatMulInteger (q, w, z, wz)\n" + tail + "k = Mul (s, ws)\nn = Mul (c, k)\nm2 = MatMulInteger (q, u, z)\nc2 = Cast <to = 1> (m2)\nn2 = Mul (c2, s)\ny = Sub (n, n2) }",
			map[string]int{"matmulinteger-scales": 1, "matmulinteger-scale": 1}},
		"shared scale":   {"m = MatMulInteger (q, w, z, wz)\n" + tail + "k = Mul (s, ws)\nn = Mul (c, k)\ny = Mul (n, k) }", map[string]int{"matmulinteger-scale": 1}},
		"used twice":     {"m = MatMulInteger (q, w, z, wz)\n" + tail + "n = Mul (c, s)\ny = Mul (n, c) }", map[string]int{}},
		"scaled by more": {"m = MatMulInteger (q, w, z, wz)\n" + tail + "k = ReduceMax <keepdims = 1> (x)\nl = Mul (x, k)\no = Slice (l, lo, hi, ax)\ny = Mul (c, o) }", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if c.want == nil {
				c.src = "lo = Constant <value = int64[1] {0}> ()\nhi = Constant <value = int64[1] {2}> ()\nax = Constant <value = int64[1] {2}> ()\n" + c.src
				c.want = map[string]int{}
			}
			rewrites(t, in+c.src, c.want)
		})
	}
}
