package reduce

import (
	"math"
	"math/rand/v2"
	"testing"
)

func random(n int) []float32 {
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	x := make([]float32, n)
	for i := range x {
		x[i] = rng.Float32()*2 - 1
	}
	return x
}

// TestRows compares with plain loops in double, for lengths around the unrolled and the blocked loops.
func TestRows(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 255, 256, 257, 511, 513, 1000, 4099} {
		x := random(n)
		var sum, sq, abs, exp float64
		hi, lo := math.Inf(-1), math.Inf(1)
		for _, f := range x {
			v := float64(f)
			sum, sq, abs, exp = sum+v, sq+v*v, abs+math.Abs(v), exp+math.Exp(v-0.5)
			hi, lo = max(hi, v), min(lo, v)
		}
		inf := float32(math.Inf(1))
		for name, c := range map[string][2]float64{
			"sum": {float64(Sum(x)), sum}, "squares": {float64(SumSquare(x)), sq}, "absolute": {float64(SumAbs(x)), abs},
			"exp": {float64(SumExp(x, 0.5)), exp}, "max": {float64(Max(x, -inf)), hi}, "min": {float64(Min(x, inf)), lo},
		} {
			if c[0] != c[1] && !(math.Abs(c[0]-c[1]) <= 1e-6*(1+abs)) {
				t.Errorf("n=%d %s: got %v, want %v", n, name, c[0], c[1])
			}
		}
	}
}

// TestColumns compares with the functions on rows, for widths around a tile and heights around a strip.
func TestColumns(t *testing.T) {
	type columns = func(dst, x []float32, rows, stride int)
	inf := float32(math.Inf(1))
	for name, c := range map[string]struct {
		run   columns
		row   func([]float32) float32
		start float32
	}{
		"sum": {SumColumns[float32], Sum[float32], 0}, "squares": {SumSquareColumns[float32], SumSquare[float32], 0},
		"absolute": {SumAbsColumns[float32], SumAbs[float32], 0}, "product": {ProdColumns[float32], Prod[float32], 1},
		"max": {MaxColumns[float32], func(x []float32) float32 { return Max(x, -inf) }, -inf},
		"min": {MinColumns[float32], func(x []float32) float32 { return Min(x, inf) }, inf},
	} {
		for _, width := range []int{0, 1, 3, 256, 257, 600} {
			for _, rows := range []int{0, 1, 64, 65, 200} {
				stride := width + 2
				x := random(rows*stride + stride)
				dst := make([]float32, width)
				for i := range dst {
					dst[i] = c.start
				}
				c.run(dst, x, rows, stride)
				for j, got := range dst {
					col := make([]float32, rows)
					for r := range col {
						col[r] = x[r*stride+j]
					}
					if want := c.row(col); got != want && math.Abs(float64(got-want)) > 1e-4 {
						t.Fatalf("%s %d×%d: column %d is %v, want %v", name, rows, width, j, got, want)
					}
				}
			}
		}
	}
}

func TestSumIsAccurate(t *testing.T) {
	x := make([]float32, 1<<22)
	for i := range x {
		x[i] = 0.1
	}
	if got, want := float64(Sum(x)), float64(float32(0.1))*float64(len(x)); math.Abs(got-want) > 1e-5*want {
		t.Errorf("got %v, want %v", got, want)
	}
	col := []float32{0}
	SumColumns(col, x, len(x), 1)
	if want := 0.1 * float64(len(x)); math.Abs(float64(col[0])-want) > 1e-3*want {
		t.Errorf("column: got %v, want %v", col[0], want)
	}
}
