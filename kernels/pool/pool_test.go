package pool

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// naive calls f for each output element with the indices of its window's elements in the image, and with how many of
// the window lie in the image or its padding.
func naive(g *Geometry, f func(y int, xs []int, padded int)) {
	in, out, kernel := volume(g.In), volume(g.Out), volume(g.Kernel)
	o, k := make([]int, len(g.In)), make([]int, len(g.In))
	for p := range g.Planes {
		clear(o)
		for y := range out {
			var xs []int
			padded := 0
			clear(k)
			for range kernel {
				i, inImage, inPad := 0, true, true
				for d := range k {
					at := o[d]*g.Stride[d] + k[d]*g.Dilate[d] - g.Before[d]
					inImage = inImage && at >= 0 && at < g.In[d]
					inPad = inPad && at < g.In[d]+g.After[d]
					i = i*g.In[d] + at
				}
				if inImage {
					xs = append(xs, p*in+i)
				}
				if inPad {
					padded++
				}
				advance(k, g.Kernel)
			}
			f(p*out+y, xs, padded)
			advance(o, g.Out)
		}
	}
}

var geometries = map[string]Geometry{
	"1-D":       {3, []int{8}, []int{7}, []int{2}, []int{1}, []int{1}, []int{0}, []int{0}},
	"2-D":       {2, []int{5, 6}, []int{5, 6}, []int{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}, []int{1, 1}},
	"ceil":      {2, []int{5, 6}, []int{3, 2}, []int{2, 4}, []int{2, 3}, []int{1, 1}, []int{0, 1}, []int{0, 0}},
	"dilated":   {1, []int{9, 7}, []int{4, 2}, []int{2, 3}, []int{2, 2}, []int{3, 2}, []int{1, 0}, []int{0, 2}},
	"3-D":       {2, []int{3, 4, 5}, []int{2, 2, 5}, []int{2, 3, 2}, []int{1, 2, 1}, []int{1, 1, 2}, []int{0, 1, 1}, []int{0, 0, 1}},
	"all pad":   {1, []int{2}, []int{6}, []int{2}, []int{1}, []int{1}, []int{3}, []int{2}},
	"no planes": {0, []int{2}, []int{1}, []int{2}, []int{1}, []int{1}, []int{0}, []int{0}},
}

func TestWindows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	threads := parallel.NewPool(2)
	for name, g := range geometries {
		x := make([]float64, g.Planes*volume(g.In))
		for i := range x {
			x[i] = float64(r.IntN(9) - 4)
		}
		n := g.Planes * volume(g.Out)
		want := map[string][]float64{"max": make([]float64, n), "average": make([]float64, n), "padded": make([]float64, n), "l1": make([]float64, n), "l3": make([]float64, n)}
		place := make([]int64, n)
		naive(&g, func(y int, xs []int, padded int) {
			m, at, sum, l1, l3 := math.Inf(-1), -1, 0.0, 0.0, 0.0
			for _, i := range xs {
				if x[i] > m {
					m, at = x[i], i
				}
				sum += x[i]
				l1 += math.Abs(x[i])
				l3 += math.Pow(math.Abs(x[i]), 3)
			}
			want["max"][y], place[y], want["average"][y], want["padded"][y] = m, int64(at), sum/float64(len(xs)), sum/float64(padded)
			want["l1"][y], want["l3"][y] = l1, math.Pow(l3, 1.0/3)
		})
		y, index := make([]float64, n), make([]int64, n)
		for what, run := range map[string]func(){
			"max":     func() { Max(threads, &g, y, x, index, math.Inf(-1)) },
			"average": func() { Average(threads, &g, y, x, false) },
			"padded":  func() { Average(threads, &g, y, x, true) },
			"l1":      func() { Norm(threads, &g, y, x, 1) },
			"l3":      func() { Norm(threads, &g, y, x, 3) },
		} {
			run()
			for i, v := range want[what] {
				if y[i] != v && !(math.IsNaN(y[i]) && math.IsNaN(v)) {
					t.Errorf("%s %s: element %d is %v, want %v", name, what, i, y[i], v)
				}
			}
		}
		if Max(threads, &g, y, x, index, math.Inf(-1)); !slices.Equal(index, place) {
			t.Errorf("%s: places %v, want %v", name, index, place)
		}
	}
}

func TestMaxOfNaN(t *testing.T) {
	nan := float32(math.NaN())
	g := &Geometry{1, []int{4}, []int{3}, []int{2}, []int{1}, []int{1}, []int{0}, []int{0}}
	y, index := make([]float32, 3), make([]int64, 3)
	Max(nil, g, y, []float32{1, nan, 2, 3}, index, 0)
	if y[0] == y[0] || y[1] == y[1] || y[2] != 3 || !slices.Equal(index, []int64{1, 1, 3}) {
		t.Errorf("got %v at %v", y, index)
	}
	if GlobalMax(nil, y[:1], []float32{1, nan, 2}, 0); y[0] == y[0] {
		t.Errorf("got %v", y[0])
	}
}

func TestGlobal(t *testing.T) {
	x, y := []float32{1, -2, 3, -4, 5, 6, 7, 8, 9, 10}, make([]float32, 2)
	for name, c := range map[string]struct {
		run  func()
		want []float32
	}{
		"max":     {func() { GlobalMax(nil, y, x, -100) }, []float32{5, 10}},
		"average": {func() { GlobalAverage(nil, y, x) }, []float32{0.6, 8}},
		"norm":    {func() { GlobalNorm(nil, y, x, 1) }, []float32{15, 40}},
		"root":    {func() { GlobalNorm(nil, y[:1], []float32{3, -4}, 2) }, []float32{5, 40}},
	} {
		if c.run(); name != "root" && !slices.Equal(y, c.want) || y[0] != c.want[0] {
			t.Errorf("%s: got %v, want %v", name, y, c.want)
		}
	}
	GlobalMax(nil, nil, []float32(nil), 0)
}

func TestRoiMax(t *testing.T) {
	x := make([]float32, 16)
	for i := range x {
		x[i] = float32(i)
	}
	y := make([]float32, 4)
	RoiMax(y, x, 4, 4, 0, 0, 2, 2, [2]int{2, 2}) // bins of 1.5 pixels overlap
	if want := []float32{5, 6, 9, 10}; !slices.Equal(y, want) {
		t.Errorf("got %v, want %v", y, want)
	}
	RoiMax(y, x, 4, 4, 3, 3, 6, 6, [2]int{2, 2})
	if want := []float32{15, 0, 0, 0}; !slices.Equal(y, want) {
		t.Errorf("got %v, want %v", y, want)
	}
}

func BenchmarkMax(b *testing.B) {
	g := &Geometry{64, []int{112, 112}, []int{56, 56}, []int{3, 3}, []int{2, 2}, []int{1, 1}, []int{1, 1}, []int{1, 1}}
	x, y := make([]float32, 64*112*112), make([]float32, 64*56*56)
	b.SetBytes(int64(4 * len(x)))
	for b.Loop() {
		Max(parallel.NewPool(1), g, y, x, nil, 0)
	}
}
