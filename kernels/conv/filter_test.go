package conv

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/kerneltest"
	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// square is a 2-D convolution with equal axes.
func square(batch, groups, inC, outC, h, w, kernel, stride, pad int) Geometry {
	return Geometry{batch, groups, inC, outC, []int{h, w}, []int{(h+2*pad-kernel)/stride + 1, (w+2*pad-kernel)/stride + 1},
		[]int{kernel, kernel}, []int{stride, stride}, []int{1, 1}, []int{pad, pad}}
}

var filterGeometries = map[string]Geometry{
	"point 7x7":       square(1, 1, 300, 70, 7, 7, 1, 1, 0),
	"point 1x1":       square(1, 1, 40, 33, 1, 1, 1, 1, 0),
	"point wide":      square(2, 1, 5, 40, 33, 35, 1, 1, 0),
	"point narrow":    square(1, 1, 24, 7, 40, 40, 1, 1, 0),
	"point strided":   square(1, 1, 24, 17, 15, 15, 1, 2, 0),
	"first":           square(1, 1, 3, 20, 37, 41, 7, 2, 3),
	"deep 7x7":        square(1, 1, 70, 130, 7, 7, 3, 1, 1),
	"groups":          square(2, 3, 6, 10, 9, 11, 3, 1, 1),
	"depthwise 3x3":   square(2, 5, 1, 1, 7, 7, 3, 1, 1),
	"depthwise 14":    square(1, 3, 1, 2, 14, 17, 3, 1, 1),
	"depthwise s2":    square(2, 5, 1, 1, 28, 29, 3, 2, 1),
	"depthwise 5x5":   square(1, 3, 1, 1, 19, 21, 5, 2, 2),
	"winograd":        square(1, 1, 16, 16, 16, 16, 3, 1, 1),
	"winograd odd":    square(2, 1, 19, 21, 13, 23, 3, 1, 1),
	"winograd valid":  square(1, 1, 17, 40, 30, 31, 3, 1, 0),
	"winograd padded": square(1, 1, 16, 17, 11, 66, 3, 1, 3),
	"winograd batch":  square(5, 1, 20, 20, 7, 7, 3, 1, 1),
	"winograd deep":   square(1, 1, 300, 24, 15, 14, 3, 1, 1),
}

// naive is Filter.Run in double precision; scale is what errors are relative to.
func naive(g *Geometry, x, w []float32, e *Finish) (y, scale []float64) {
	out := Volume(g.Out)
	n := g.Batch * g.Groups * g.OutC * out
	y, scale = make([]float64, n), make([]float64, n)
	eachTap(g, func(yi, xi, wi, _, _ int) {
		p := float64(x[xi]) * float64(w[wi])
		y[yi] += p
		scale[yi] += math.Abs(p)
	})
	for i := range y {
		if e.Bias != nil {
			y[i] += float64(e.Bias[i/out%len(e.Bias)])
		}
		if e.Residual != nil {
			y[i] += float64(e.Residual[i])
		}
		if e.Bounded {
			y[i] = min(max(y[i], float64(e.Lo)), float64(e.Hi))
		}
		if e.Act != nil {
			y[i] *= 2
		}
		scale[i]++
	}
	if g.winograd() { // errors are relative to the largest product of a tile
		largest := slices.Max(scale)
		for i := range scale {
			scale[i] = largest
		}
	}
	return y, scale
}

var references = map[string][2][]float64{}

func testFilter(t *testing.T, name string, g *Geometry, e Finish) {
	x, w := kerneltest.Rand(g.Batch*g.Groups*g.InC*Volume(g.In)), kerneltest.Rand(g.Groups*g.OutC*g.InC*Volume(g.Kernel))
	n := g.Batch * g.Groups * g.OutC * Volume(g.Out)
	if e.Bias != nil {
		e.Bias = kerneltest.Rand(g.Groups * g.OutC)
	}
	if e.Residual != nil {
		e.Residual = kerneltest.Rand(n)
	}
	ref, ok := references[name]
	if !ok {
		ref[0], ref[1] = naive(g, x, w, &e)
		references[name] = ref
	}
	want, scale := ref[0], ref[1]
	var first []float32
	f := NewFilter(w)
	for _, threads := range []int{1, 2, 7} {
		y, check := kerneltest.Guarded(t, n)
		f.Run(parallel.NewPool(threads), g, y, x, e)
		check()
		for i, v := range y {
			if d := math.Abs(float64(v) - want[i]); !(d <= 1e-5*scale[i]) {
				t.Fatalf("%s: element %d is %v, want %v", name, i, v, want[i])
			}
		}
		if first == nil {
			first = y
		} else if !slices.Equal(first, y) {
			t.Fatalf("%s: %d threads change the result", name, threads)
		}
	}
}

func TestFilter(t *testing.T) {
	twice := func(row []float32) {
		for i := range row {
			row[i] *= 2
		}
	}
	some := []float32{0}
	finishes := []Finish{{}, {Bias: some}, {Bias: some, Residual: some, Bounded: true, Lo: -20, Hi: 30}, {Residual: some, Act: twice}}
	kerneltest.EachLevel(t, func(t *testing.T) {
		for _, gs := range []map[string]Geometry{geometries, filterGeometries} {
			for name, g := range gs {
				for i, e := range finishes {
					testFilter(t, fmt.Sprint(name, " ", i), &g, e)
				}
			}
		}
	})
}

func TestFilterWidths(t *testing.T) {
	kerneltest.EachLevel(t, func(t *testing.T) {
		for width := 1; width <= 100; width++ {
			g := square(1, 1, 9, 9, 1, width, 1, 1, 0)
			testFilter(t, fmt.Sprint("plain width ", width), &g, Finish{Bias: []float32{0}, Residual: []float32{0}, Bounded: true, Lo: -9, Hi: 9})
		}
	})
}

func TestFilterNaN(t *testing.T) {
	kerneltest.EachLevel(t, func(t *testing.T) {
		g := square(1, 1, 2, 9, 5, 13, 1, 1, 0)
		x, w := make([]float32, 2*65), make([]float32, 18)
		nan := float32(math.NaN())
		x[0], x[64] = nan, nan
		y := make([]float32, 9*65)
		NewFilter(w).Run(nil, &g, y, x, Finish{Bounded: true, Lo: 0, Hi: 6})
		for i, v := range y {
			if at := i % 65; (v != v) != (at == 0 || at == 64) {
				t.Fatalf("element %d is %v", i, v)
			}
		}
	})
}

// TestWinogradAccuracy compares the errors of both ways for data as in networks: unit inputs, scaled weights.
func TestWinogradAccuracy(t *testing.T) {
	g := square(1, 1, 128, 16, 28, 28, 3, 1, 1)
	r := rand.New(rand.NewPCG(1, 2))
	x, w := make([]float32, 128*28*28), make([]float32, 16*128*9)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	for i := range w {
		w[i] = float32(r.NormFloat64() / math.Sqrt(128*9))
	}
	want, _ := naive(&g, x, w, &Finish{})
	rms := func(f *Filter) (mean, worst float64) {
		y := make([]float32, len(want))
		f.Run(nil, &g, y, x, Finish{})
		for i, v := range y {
			d := float64(v) - want[i]
			mean += d * d
			worst = max(worst, math.Abs(d))
		}
		return math.Sqrt(mean / float64(len(y))), worst
	}
	kerneltest.EachLevel(t, func(t *testing.T) {
		direct, _ := rms(&Filter{w: w})
		tiles, worst := rms(NewFilter(w))
		t.Logf("root mean square %.2g directly, %.2g by tiles, at most %.2g", direct, tiles, worst)
		if tiles > 4e-6 || worst > 8e-5 {
			t.Errorf("errors %g, %g", tiles, worst)
		}
	})
}

func TestRows(t *testing.T) {
	kerneltest.EachLevel(t, func(t *testing.T) {
		for n := range 50 {
			src, res := kerneltest.Rand(2*n+1), kerneltest.Rand(n)
			dst, check := kerneltest.Guarded(t, n)
			want := make([]float32, n)
			testCopies(t, n)
			for _, r := range [][]float32{nil, res} {
				finishRow(dst, src[:n], r, 0.5, -1, 2)
				finishRowGo(want, src, r, 0.5, -1, 2)
				if check(); !slices.Equal(dst, want) {
					t.Fatalf("finishRow: got %v, want %v", dst, want)
				}
			}
		}
	})
}

// testCopies copies three rows of n elements.
func testCopies(t *testing.T, n int) {
	if n == 0 {
		return
	}
	type rows = func(dst []float32, ldd int, src []float32, lds, rows, n int)
	for stride, fs := range [][2]rows{{copyRows, copyRowsGo}, {evenRows, evenRowsGo}} {
		width := n*(stride+1) - stride
		src := kerneltest.Rand(2*(width+3) + width)
		dst, check := kerneltest.Guarded(t, 3*n+4)
		want := make([]float32, 3*n+4)
		copy(want, dst)
		fs[0](dst, n+2, src, width+3, 3, n)
		fs[1](want, n+2, src, width+3, 3, n)
		check()
		for i := range dst {
			if math.Float32bits(dst[i]) != math.Float32bits(want[i]) {
				t.Fatalf("stride %d, %d elements: element %d is %v, want %v", stride+1, n, i, dst[i], want[i])
			}
		}
	}
}

func BenchmarkFilter(b *testing.B) {
	for _, g := range []Geometry{square(1, 1, 64, 64, 56, 56, 3, 1, 1), square(1, 1, 128, 128, 28, 28, 3, 1, 1), square(1, 1, 256, 256, 14, 14, 3, 1, 1),
		square(1, 1, 512, 512, 7, 7, 3, 1, 1), square(1, 1, 64, 256, 56, 56, 1, 1, 0), square(1, 1, 512, 128, 28, 28, 1, 1, 0), square(1, 1, 256, 1024, 14, 14, 1, 1, 0),
		square(1, 1, 2048, 512, 7, 7, 1, 1, 0), square(1, 1, 3, 64, 224, 224, 7, 2, 3), square(1, 1, 128, 128, 56, 56, 3, 2, 1), square(1, 1, 64, 64, 128, 128, 3, 1, 1), square(1, 1, 32, 32, 256, 256, 3, 1, 1),
		square(1, 144, 1, 1, 56, 56, 3, 1, 1), square(1, 576, 1, 1, 14, 14, 3, 1, 1), square(1, 1, 16, 96, 112, 112, 1, 1, 0)} {
		for _, constant := range []bool{true, false} {
			if !constant && !g.winograd() {
				continue
			}
			b.Run(fmt.Sprintf("%dx%d-%dx%dx%d-k%ds%d-%v", g.Groups*g.InC, g.Groups*g.OutC, g.In[0], g.In[1], g.InC, g.Kernel[0], g.Stride[0], constant), func(b *testing.B) {
				x, w := kerneltest.Rand(g.Groups*g.InC*Volume(g.In)), kerneltest.Rand(g.Groups*g.OutC*g.InC*Volume(g.Kernel))
				y := make([]float32, g.Groups*g.OutC*Volume(g.Out))
				pool, f := parallel.NewPool(1), &Filter{w: w, constant: constant}
				f.Run(pool, &g, y, x, Finish{})
				for b.Loop() {
					f.Run(pool, &g, y, x, Finish{})
				}
				flops := 2 * float64(len(y)) * float64(g.InC*Volume(g.Kernel))
				b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
