package conv

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// Offsets move the sampling points of a deformable convolution.
type Offsets[T any] struct {
	Groups int // groups of input channels that share their offsets
	Move   []T // (Batch, Groups, Kernel…, axis, Out…)
	Mask   []T // (Batch, Groups, Kernel…, Out…), a factor of each sample; nil for ones
}

// MaxDeformAxes is the largest number of spatial axes of a deformable convolution.
const MaxDeformAxes = 8

// Deform is Forward for a convolution whose window elements are sampled at points off the grid, interpolated linearly;
// what is outside the image is 0.
func Deform[T float32 | float64](pool *parallel.Pool, g *Geometry, y, x, w, bias []T, o Offsets[T]) {
	in, out, k := Volume(g.In), Volume(g.Out), g.InC*Volume(g.Kernel)
	args := &gemm.Args[T]{M: g.OutC, N: out, K: k, LDC: out, A: gemm.RowMajor[T](nil, k, false), BlockB: (*sampler[T])(nil).block}
	gemm.Batch(pool, g.Batch*g.Groups, args, func(i int, a *gemm.Args[T]) {
		group := i % g.Groups
		a.C, a.A.Data = y[i*g.OutC*out:], w[group*g.OutC*k:]
		s := sampler[T]{g: g, o: o, image: i / g.Groups, channel: group * g.InC, x: x[i*g.InC*in : (i+1)*g.InC*in]}
		a.BlockB = s.block
		if bias != nil {
			a.Bias = gemm.Operand[T]{Data: bias[group*g.OutC:], Row: 1}
		}
	})
}

// sampler makes up the columns of windows of one group of an image.
type sampler[T float32 | float64] struct {
	g       *Geometry
	o       Offsets[T]
	image   int
	channel int // first input channel of the group
	x       []T // (InC, In…)
}

// block is a gemm.BlockFunc.
func (s *sampler[T]) block(dst []T, nr, k0, kc, j0, nc int) {
	out, kernel := Volume(s.g.Out), Volume(s.g.Kernel)
	perGroup := s.g.Groups * s.g.InC / s.o.Groups
	var t tap
	t.seek(s.g, k0)
	var row [rowLen]T
	step := rowLen / nr * nr
	for p := range kc {
		q := (s.image*s.o.Groups+(s.channel+t.channel)/perGroup)*kernel + (k0+p)%kernel
		for j := 0; j < nc; j += step {
			n := min(step, nc-j)
			c := newCursor(s.g, j0+j)
			at := c.axes(s.g)
			for i := range n {
				v := s.sample(t.channel, q, j0+j+i, at, t.at)
				if s.o.Mask != nil {
					v *= s.o.Mask[q*out+j0+j+i]
				}
				row[i] = v
				advance(at, s.g.Out)
			}
			scatter(dst[p*nr:], row[:], nr, kc, j, n)
		}
		t.next(s.g)
	}
}

// sample reads channel c for the window at output position at (flat: j) and the kernel position tap (flat, with image
// and offset group: q).
func (s *sampler[T]) sample(c, q, j int, at, tap []int) T {
	g, axes := s.g, len(at)
	out := Volume(g.Out)
	var low [MaxDeformAxes]int
	var frac [MaxDeformAxes]float64
	for d := range at {
		pos := float64(at[d]*g.Stride[d]-g.Pad[d]+tap[d]*g.Dilate[d]) + float64(s.o.Move[(q*axes+d)*out+j])
		if !(pos > -1 && pos < float64(g.In[d])) {
			return 0
		}
		f := math.Floor(pos)
		low[d], frac[d] = int(f), pos-f
	}
	var sum float64
	for corner := range 1 << axes {
		weight, i, inside := 1.0, c, true
		for d := range at {
			p, w := low[d], 1-frac[d]
			if corner>>d&1 != 0 {
				p, w = p+1, frac[d]
			}
			weight *= w
			inside = inside && p >= 0 && p < g.In[d]
			i = i*g.In[d] + p
		}
		if inside {
			sum += weight * float64(s.x[i])
		}
	}
	return T(sum)
}
