package image

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Name: "GridSample", Since: 16, New: newGridSample, Widen: true})
}

// gridSample is https://onnx.ai/onnx/operators/onnx__GridSample.html: x is (N,C,D1…Dr), the grid (N,G1…Gr,r) with
// coordinates in the order of the innermost axis first, and the output (N,C,G1…Gr).
type gridSample struct {
	mode, padding string
	aligned       bool
}

func newGridSample(a *ops.Attrs) (ops.Op, error) {
	// Opset 16 says bilinear and bicubic for what is linear and cubic from opset 20 on.
	mode := a.Enum("mode", "linear", "bilinear", "nearest", "cubic", "bicubic")
	switch mode {
	case "bilinear":
		mode = "linear"
	case "bicubic":
		mode = "cubic"
	}
	return gridSample{mode, a.Enum("padding_mode", "zeros", "border", "reflection"), a.Bool("align_corners", false)}, a.Done()
}

// Infer implements ops.Op.
func (gridSample) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	x, okX := c.Dims(0)
	g, okG := c.Dims(1)
	if !okX || !okG {
		return nil
	}
	if len(x) != len(g) || len(x) < 3 {
		return fmt.Errorf("input of rank %d with a grid of rank %d", len(x), len(g))
	}
	c.SetOut(0, c.DType(0), append([]tensor.Dim{x[0], x[1]}, g[1:len(g)-1]...)...)
	return nil
}

// Run implements ops.Op.
func (op gridSample) Run(c *ops.Ctx) error {
	x, grid := c.Tensor(0), c.Tensor(1)
	xs, gs := x.Shape(), grid.Shape()
	r := len(xs) - 2
	if r < 1 || len(gs) != r+2 || gs[0] != xs[0] || gs[r+1] != r {
		return fmt.Errorf("input of shape %v with a grid of shape %v", xs, gs)
	}
	if r > maxRank {
		return fmt.Errorf("sampling along %d axes: %w", r, ops.ErrUnsupported)
	}
	y, err := c.New(0, x.DType(), append(tensor.Shape{xs[0], xs[1]}, gs[1:r+1]...))
	if err != nil || y.Len() == 0 {
		return err
	}
	if xs[2:].Size() == 0 {
		return fmt.Errorf("nothing to sample in shape %v", xs)
	}
	s := &sampler{gridSample: op, dims: xs[2:], n: map[string]int{"nearest": 1, "linear": 2, "cubic": 4}[op.mode]}
	if s.grid, err = grid.Floats(); err != nil {
		return err
	}
	s.single = grid.DType() != tensor.Float64
	if op.mode == "nearest" {
		return s.pick(c, y, x)
	}
	switch x.DType() {
	case tensor.Float32:
		sample(c, s, y.Float32(), x.Float32(), xs, 1)
	case tensor.Float64:
		sample(c, s, y.Float64(), x.Float64(), xs, 1)
	case tensor.Complex64:
		sample(c, s, parts[float32](y), parts[float32](x), xs, 2)
	case tensor.Complex128:
		sample(c, s, parts[float64](y), parts[float64](x), xs, 2)
	default:
		in, err := x.Floats()
		if err != nil {
			return fmt.Errorf("%s interpolation of %v: %w", op.mode, x.DType(), ops.ErrUnsupported)
		}
		vals, err := ops.Scratch[float64](c, y.Len())
		if err != nil {
			return err
		}
		sample(c, s, vals, in, xs, 1)
		for i, v := range vals {
			vals[i] = math.Trunc(v)
		}
		return storeFloats(y, vals)
	}
	return c.Err()
}

// sampler turns grid points into input elements and their weights.
type sampler struct {
	gridSample
	dims   tensor.Shape
	n      int // taps along each axis
	grid   []float64
	single bool // coordinates are computed in float
}

// maxRank is the largest number of sampled axes.
const maxRank = 6

// point is where a grid point reads: offsets into one channel, -1 for the padding's zero, and weights.
type point struct {
	at     []int
	weight []float64
	axisAt [maxRank][4]int
	axisW  [maxRank][4]float64
}

// locate fills p for grid point i.
func (s *sampler) locate(p *point, i int) {
	r := len(s.dims)
	for d, n := range s.dims {
		s.axis(p, d, n, s.grid[(i+1)*r-1-d])
	}
	p.at, p.weight = append(p.at[:0], 0), append(p.weight[:0], 1)
	for d, n := range s.dims {
		before := len(p.at)
		for k := range before {
			at, w := p.at[k], p.weight[k]
			for t := s.n - 1; t >= 0; t-- {
				j := p.axisAt[d][t]
				off := at*n + j
				if at < 0 || j < 0 {
					off = -1
				}
				if t == 0 {
					p.at[k], p.weight[k] = off, w*p.axisW[d][0]
				} else {
					p.at, p.weight = append(p.at, off), append(p.weight, w*p.axisW[d][t])
				}
			}
		}
	}
}

// axis computes the taps along axis d of extent n for the normalized coordinate v.
func (s *sampler) axis(p *point, d, n int, v float64) {
	x := s.denormalize(v, n)
	if s.mode == "nearest" {
		x = math.RoundToEven(x)
	}
	lo, hi := s.border(n)
	if x < lo || x > hi {
		switch s.padding {
		case "border":
			x = min(max(x, 0), float64(n-1))
		case "reflection":
			x = reflect(x, lo, hi)
		}
	}
	if s.single {
		x = float64(float32(x))
	}
	x = min(max(x, -1<<40), 1<<40)
	f := math.Floor(x)
	first := int(f)
	w := &p.axisW[d]
	switch t := x - f; s.n {
	case 1:
		w[0] = 1
	case 2:
		w[0], w[1] = 1-t, t
	default:
		first--
		for k := range 4 {
			w[k] = cubicFilter(float64(k-1)-t, -0.75)
		}
	}
	for k := range s.n {
		p.axisAt[d][k] = s.inside(first+k, n, lo, hi)
	}
}

// denormalize maps [-1, 1] to positions along an axis of n elements.
func (s *sampler) denormalize(v float64, n int) float64 {
	if v != v {
		return -1
	}
	if s.single {
		u := float32(v) + 1
		if s.aligned {
			return float64(u / 2 * float32(n-1))
		}
		return float64((u*float32(n) - 1) / 2)
	}
	if s.aligned {
		return (v + 1) / 2 * float64(n-1)
	}
	return ((v+1)*float64(n) - 1) / 2
}

func (s *sampler) border(n int) (lo, hi float64) {
	if s.aligned {
		return 0, float64(n - 1)
	}
	return -0.5, float64(n) - 0.5
}

// inside applies the padding to a position that may be outside; -1 reads zero.
func (s *sampler) inside(i, n int, lo, hi float64) int {
	if i >= 0 && i < n {
		return i
	}
	switch s.padding {
	case "border":
		return min(max(i, 0), n-1)
	case "reflection":
		return min(max(int(reflect(float64(i), lo, hi)), 0), n-1)
	}
	return -1
}

// reflect mirrors x at lo and hi until it lies between them.
func reflect(x, lo, hi float64) float64 {
	span := hi - lo
	if span <= 0 {
		return lo
	}
	d, from, sign := lo-x, lo, 1.0
	if x > hi {
		d, from, sign = x-hi, hi, -1
	} else if x >= lo {
		return x
	}
	turns := math.Floor(d / span)
	rest := d - turns*span
	if math.Mod(turns, 2) != 0 {
		from, sign = lo+hi-from, -sign
	}
	return from + sign*rest
}

// sample interpolates; lanes numbers make one element.
func sample[T float32 | float64](c *ops.Ctx, s *sampler, y, x []T, xs tensor.Shape, lanes int) {
	channels, size := xs[1], s.dims.Size()
	points := len(s.grid) / len(s.dims) / xs[0]
	taps := int(math.Pow(float64(s.n), float64(len(s.dims))))
	c.Parallel(xs[0]*points, ops.Grain(channels*taps*lanes), func(lo, hi int) {
		var p point
		for i := lo; i < hi; i++ {
			s.locate(&p, i)
			b, g := i/points, i%points
			for ch := b * channels; ch < (b+1)*channels; ch++ {
				for l := range lanes {
					var sum float64
					for k, at := range p.at {
						if at >= 0 {
							sum += p.weight[k] * float64(x[(ch*size+at)*lanes+l])
						}
					}
					y[(ch*points+g)*lanes+l] = T(sum)
				}
			}
		}
	})
}

// pick is nearest sampling, of any element type.
func (s *sampler) pick(c *ops.Ctx, y, x *tensor.Tensor) error {
	xs := x.Shape()
	channels, size := xs[1], s.dims.Size()
	points := len(s.grid) / len(s.dims) / xs[0]
	zero := tensor.New(x.DType(), 1)
	work := func(lo, hi int) {
		var p point
		for i := lo; i < hi; i++ {
			s.locate(&p, i)
			b, g := i/points, i%points
			for ch := b * channels; ch < (b+1)*channels; ch++ {
				if at := p.at[0]; at >= 0 {
					copyElems(y, ch*points+g, x, ch*size+at, 1)
				} else {
					copyElems(y, ch*points+g, zero, 0, 1)
				}
			}
		}
	}
	if x.DType().Packed() {
		work(0, xs[0]*points)
	} else {
		c.Parallel(xs[0]*points, ops.Grain(16*channels), work)
	}
	return c.Err()
}
