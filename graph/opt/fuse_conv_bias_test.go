package opt_test

import "testing"

func TestConvBias(t *testing.T) {
	const start = `g (float[N,1,3,3] x) => (float[N,2,3,3] y) {
		w = Constant <value = float[2,1,1,1] {0.5, 2.0}> ()
		four = Constant <value = float[1,2,1,1] {0.5, 2.0}> ()
		three = Constant <value = float[2,1,1] {0.5, 2.0}> ()
		one = Constant <value = float {0.5}> ()
		row = Constant <value = float[3] {0.5, 2.0, 1.0}> ()
		batch = Constant <value = float[2,2,1,1] {0.5, 2.0, 1.0, 3.0}> ()
		`
	for name, c := range map[string]struct {
		src  string
		want map[string]int
	}{
		"tensorflow":    {"c = Conv (x, w)\ny = Add (c, four)", map[string]int{"conv-bias": 1}},
		"swapped":       {"c = Conv (x, w)\ny = Add (three, c)", map[string]int{"conv-bias": 1}},
		"number":        {"c = Conv (x, w)\ny = Add (c, one)", map[string]int{}},
		"row":           {"c = Conv (x, w)\ny = Add (c, row)", map[string]int{}},
		"used twice":    {"c = Conv (x, w)\nd = Add (c, four)\ny = Mul (c, d)", map[string]int{}},
		"has a bias":    {"o = Constant <value = float[2] {0.5, 2.0}> ()\nc = Conv (x, w, o)\nd = Abs (c)\ny = Add (d, four)", map[string]int{}},
		"conv with sum": {"o = Constant <value = float[2] {0.5, 2.0}> ()\nc = Conv (x, w, o)\ny = Mul (c, four)", map[string]int{}},
	} {
		t.Run(name, func(t *testing.T) {
			rewritesWithout(t, []string{"convolutions"}, start+c.src+" }", c.want)
		})
	}
	rewritesWithout(t, []string{"convolutions"}, `g (float[N,1,3,3] x) => (float[N,2,3,3] y) {
		w = Constant <value = float[1,2,1,1] {0.5, 2.0}> ()
		b = Constant <value = float[2,1,1] {0.5, 2.0}> ()
		c = ConvTranspose (x, w)
		y = Add (c, b) }`, map[string]int{"conv-bias": 1})
}
