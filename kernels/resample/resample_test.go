package resample

import "testing"

func TestTaps(t *testing.T) {
	x := []float32{1, 10, 2, 20, 4, 40} // three rows of two
	for _, c := range []struct {
		taps Taps[float32]
		want []float32
	}{
		{Taps[float32]{N: 1, Index: []int{2, 0}, Weight: []float32{1, 2}}, []float32{4, 40, 2, 20}},
		{Taps[float32]{N: 2, Index: []int{0, 1, 1, 2}, Weight: []float32{0.5, 0.5, 0.25, 0.75}}, []float32{1.5, 15, 3.5, 35}},
		{Taps[float32]{N: 3, Index: []int{0, 1, 2, 0, 0, 0}, Weight: []float32{1, 1, 1, 0, 0, 0}, Fixed: []bool{false, true}}, []float32{7, 70, 9, 9}},
	} {
		y := make([]float32, 4)
		c.taps.Rows(y, x, 2, 0, 2, 9)
		second := make([]float32, 2)
		c.taps.Rows(second, x, 2, 1, 2, 9)
		line := make([]float32, 2)
		c.taps.Line(line, []float32{1, 2, 4}, 9)
		for i, w := range c.want {
			if y[i] != w || i >= 2 && second[i-2] != w || i%2 == 0 && line[i/2] != w {
				t.Errorf("%d taps: got %v, %v, %v, want %v", c.taps.N, y, second, line, c.want)
			}
		}
	}
}
