package conv

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/kernels/kerneltest"
	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

func random[T gemm.Number](r *rand.Rand, n int) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = T(r.IntN(9)) - T(r.IntN(5))
	}
	return s
}

// eachTap calls f for every pair of an output and an input element that a weight joins; all are flat indices.
func eachTap(g *Geometry, f func(y, x, w, channelY, channelX int)) {
	in, out, k := Volume(g.In), Volume(g.Out), Volume(g.Kernel)
	at, tap := make([]int, len(g.In)), make([]int, len(g.In))
	for n := range g.Batch {
		for co := range g.Groups * g.OutC {
			for ci := range g.InC {
				channelX := co/g.OutC*g.InC + ci
				for o := range out {
					for q := range k {
						unflatten(at, o, g.Out)
						unflatten(tap, q, g.Kernel)
						i, ok := 0, true
						for d := range at {
							p := at[d]*g.Stride[d] + tap[d]*g.Dilate[d] - g.Pad[d]
							ok = ok && p >= 0 && p < g.In[d]
							i = i*g.In[d] + p
						}
						if ok {
							f((n*g.Groups*g.OutC+co)*out+o, (n*g.Groups*g.InC+channelX)*in+i, (co*g.InC+ci)*k+q, co, channelX)
						}
					}
				}
			}
		}
	}
}

func unflatten(at []int, i int, size []int) {
	for d := len(at) - 1; d >= 0; d-- {
		at[d] = i % size[d]
		i /= size[d]
	}
}

var geometries = map[string]Geometry{
	"1-D":         {2, 1, 3, 5, []int{9}, []int{7}, []int{3}, []int{1}, []int{1}, []int{0}},
	"2-D":         {1, 1, 3, 6, []int{9, 300}, []int{9, 300}, []int{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}},
	"strided":     {2, 1, 20, 7, []int{9, 10}, []int{4, 4}, []int{3, 4}, []int{2, 3}, []int{1, 1}, []int{0, 3}},
	"dilated":     {1, 2, 2, 3, []int{9, 10}, []int{7, 5}, []int{2, 3}, []int{1, 2}, []int{4, 2}, []int{1, 2}},
	"pointwise":   {2, 2, 7, 9, []int{5, 6}, []int{5, 6}, []int{1, 1}, []int{1, 1}, []int{1, 1}, []int{0, 0}},
	"depthwise":   {2, 5, 1, 1, []int{7, 8}, []int{7, 8}, []int{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}},
	"multiplier":  {2, 3, 1, 2, []int{7, 8}, []int{3, 3}, []int{3, 2}, []int{2, 3}, []int{1, 2}, []int{0, 1}},
	"3-D":         {2, 1, 2, 3, []int{4, 5, 6}, []int{3, 5, 3}, []int{2, 3, 2}, []int{1, 1, 2}, []int{1, 1, 1}, []int{0, 1, 0}},
	"5-D":         {1, 1, 2, 3, []int{2, 3, 2, 3, 4}, []int{1, 3, 2, 2, 4}, []int{2, 1, 2, 2, 3}, []int{1, 1, 1, 1, 1}, []int{1, 1, 1, 1, 1}, []int{0, 0, 1, 0, 1}},
	"one output":  {2, 2, 3, 4, []int{1}, []int{1}, []int{3}, []int{1}, []int{1}, []int{1}},
	"all padding": {1, 1, 1, 2, []int{2}, []int{9}, []int{2}, []int{1}, []int{1}, []int{5}},
}

func testForward[T gemm.Number](t *testing.T, name string, g *Geometry) {
	r := rand.New(rand.NewPCG(1, 2))
	x, w := random[T](r, g.Batch*g.Groups*g.InC*Volume(g.In)), random[T](r, g.Groups*g.OutC*g.InC*Volume(g.Kernel))
	for _, bias := range [][]T{nil, random[T](r, g.Groups*g.OutC)} {
		out := Volume(g.Out)
		y, want := make([]T, g.Batch*g.Groups*g.OutC*out), make([]T, g.Batch*g.Groups*g.OutC*out)
		if bias != nil {
			for i := range want {
				want[i] = bias[i/out%len(bias)]
			}
		}
		eachTap(g, func(yi, xi, wi, _, _ int) { want[yi] += x[xi] * w[wi] })
		for i := range want {
			want[i] *= 2
		}
		Forward(parallel.NewPool(2), g, y, x, w, Epilogue[T]{bias, func(row []T) {
			for i := range row {
				row[i] *= 2
			}
		}})
		if !slices.Equal(y, want) {
			t.Errorf("%s: Forward[%T] with bias %v: got %v, want %v", name, x, bias, y, want)
		}
	}
}

func TestForward(t *testing.T) {
	kerneltest.EachLevel(t, func(t *testing.T) {
		for name, g := range geometries {
			testForward[float32](t, name, &g)
		}
		testWidths(t)
	})
	for name, g := range geometries {
		testForward[float64](t, name, &g)
		testForward[int32](t, name, &g)
	}
}

func TestTranspose(t *testing.T) {
	for name, g := range geometries {
		testTranspose(t, name, &g, rand.New(rand.NewPCG(1, 2)))
	}
}

func TestInt8(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, g := range geometries {
		x, w := random[uint8](r, g.Batch*g.Groups*g.InC*Volume(g.In)), random[uint8](r, g.Groups*g.OutC*g.InC*Volume(g.Kernel))
		for v := range 8 {
			signedX, signedW := v&1 != 0, v&2 != 0
			zero := random[int32](r, g.Groups*g.OutC)
			if v&4 != 0 {
				zero = zero[:1]
			}
			value := func(b uint8, signed bool) int32 {
				if signed {
					return int32(int8(b))
				}
				return int32(b)
			}
			n := g.Batch * g.Groups * g.OutC * Volume(g.Out)
			y, want := make([]int32, n), make([]int32, n)
			eachTap(&g, func(yi, xi, wi, co, _ int) {
				want[yi] += (value(x[xi], signedX) - 3) * (value(w[wi], signedW) - zero[co%len(zero)])
			})
			for _, packed := range [][]*gemm.Int8Rows{nil, PackInt8(w, signedW, g.Groups, g.OutC, g.InC*Volume(g.Kernel))} {
				Int8(nil, &g, y, x, signedX, 3, w, signedW, zero, packed)
				if !slices.Equal(y, want) {
					t.Fatalf("%s variant %d: got %v, want %v", name, v, y, want)
				}
			}
		}
	}
}

func BenchmarkForward(b *testing.B) {
	for name, g := range map[string]Geometry{
		"64x56x56x3x3":   {1, 1, 64, 64, []int{56, 56}, []int{56, 56}, []int{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}},
		"256x14x14x3x3":  {1, 1, 256, 256, []int{14, 14}, []int{14, 14}, []int{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}},
		"3x224x224x7x7":  {1, 1, 3, 64, []int{224, 224}, []int{112, 112}, []int{7, 7}, []int{2, 2}, []int{1, 1}, []int{3, 3}},
		"512x7x7x1x1":    {1, 1, 512, 2048, []int{7, 7}, []int{7, 7}, []int{1, 1}, []int{1, 1}, []int{1, 1}, []int{0, 0}},
		"dw112x56x56":    {1, 112, 1, 1, []int{56, 56}, []int{56, 56}, []int{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}},
		"group32x56x3x3": {1, 32, 4, 4, []int{56, 56}, []int{56, 56}, []int{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}},
	} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s-t%d", name, threads), func(b *testing.B) {
				r := rand.New(rand.NewPCG(1, 2))
				x, w := random[float32](r, g.Groups*g.InC*Volume(g.In)), random[float32](r, g.Groups*g.OutC*g.InC*Volume(g.Kernel))
				y := make([]float32, g.Groups*g.OutC*Volume(g.Out))
				pool := parallel.NewPool(threads)
				for b.Loop() {
					Forward(pool, &g, y, x, w, Epilogue[float32]{})
				}
				flops := 2 * float64(len(y)) * float64(g.InC*Volume(g.Kernel))
				b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

// FuzzForward compares both directions with the naive loops on any geometry.
func FuzzForward(f *testing.F) {
	f.Add(uint64(1), []byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(uint64(2), []byte{0, 0, 1, 1, 9, 3, 2, 2, 1, 7, 3, 1, 1, 2})
	f.Fuzz(func(t *testing.T, seed uint64, shape []byte) {
		next := func(least, most int) int {
			if len(shape) == 0 {
				return least
			}
			v := least + int(shape[0])%(most-least+1)
			shape = shape[1:]
			return v
		}
		g := Geometry{Batch: next(0, 2), Groups: next(1, 3), InC: next(0, 3), OutC: next(0, 5)}
		for range next(1, 3) {
			k, d, s, before := next(1, 4), next(1, 3), next(1, 3), next(0, 5)
			in := next(0, 40)
			room := in + before + next(0, 5) - (k-1)*d - 1
			if room < 0 {
				return
			}
			g.In, g.Out, g.Kernel = append(g.In, in), append(g.Out, room/s+1), append(g.Kernel, k)
			g.Stride, g.Dilate, g.Pad = append(g.Stride, s), append(g.Dilate, d), append(g.Pad, before)
		}
		if Volume(g.Out)*Volume(g.Kernel) > 1<<14 || Volume(g.In) > 1<<14 {
			return
		}
		testForward[float32](t, fmt.Sprint(g), &g)
		testTranspose(t, fmt.Sprint(g), &g, rand.New(rand.NewPCG(seed, 0)))
	})
}

// testWidths tries rows of every length below, at and above those of vectors in depthwise convolutions.
func testWidths(t *testing.T) {
	for width := 1; width < 40; width++ {
		for stride := 1; stride <= 3; stride++ {
			out := (width+2-3)/stride + 1
			if width+2 < 3 || out < 1 {
				continue
			}
			g := Geometry{1, 3, 1, 1, []int{4, width}, []int{4, out}, []int{3, 3}, []int{1, stride}, []int{1, 1}, []int{1, 1}}
			testForward[float32](t, fmt.Sprint("width ", width, " stride ", stride), &g)
		}
	}
}

func testTranspose(t *testing.T, name string, g *Geometry, r *rand.Rand) {
	x, w := random[float32](r, g.Batch*g.Groups*g.OutC*Volume(g.Out)), random[float32](r, g.Groups*g.OutC*g.InC*Volume(g.Kernel))
	bias := random[float32](r, g.Groups*g.InC)
	in := Volume(g.In)
	y, want := make([]float32, g.Batch*g.Groups*g.InC*in), make([]float32, g.Batch*g.Groups*g.InC*in)
	for i := range want {
		want[i] = bias[i/in%len(bias)]
	}
	eachTap(g, func(xi, yi, wi, _, _ int) { want[yi] += x[xi] * w[wi] })
	Transpose(parallel.NewPool(2), g, y, x, w, bias)
	if !slices.Equal(y, want) {
		t.Errorf("%s: got %v, want %v", name, y, want)
	}
}
