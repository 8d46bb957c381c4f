// Package random holds the operators that draw random numbers.
//
// Element i of an output is a function of the seed and i alone: results do not depend on the number of threads. An
// operator with the attribute seed gives the same numbers in every run; without it every run draws a new seed.
package random

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "RandomNormal", Since: 1, New: newGenerator(normal, false)},
		ops.Def{Name: "RandomNormalLike", Since: 1, New: newGenerator(normal, true)},
		ops.Def{Name: "RandomUniform", Since: 1, New: newGenerator(uniform, false)},
		ops.Def{Name: "RandomUniformLike", Since: 1, New: newGenerator(uniform, true)},
		ops.Def{Name: "Bernoulli", Since: 15, New: newBernoulli},
		ops.Def{Name: "Multinomial", Since: 7, New: newMultinomial},
	)
}

// seed is where a stream of random numbers begins.
type seed struct {
	fixed bool
	value uint64
}

func seedAttr(a *ops.Attrs) seed {
	return seed{a.Has("seed"), uint64(math.Float32bits(a.Float("seed", 0)))}
}

func (s seed) stream() stream {
	if s.fixed {
		return stream(mix(s.value + 0x5851F42D4C957F2D))
	}
	return stream(rand.Uint64())
}

// stream is a sequence of random 64-bit words that can be read at any position: SplitMix64 in counter mode.
type stream uint64

func (s stream) at(i uint64) uint64 { return mix(uint64(s) + (i+1)*0x9E3779B97F4A7C15) }

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// uniform is number i of the stream in [0, 1).
func (s stream) uniform(i uint64) float64 { return float64(s.at(i)>>11) * 0x1p-53 }

// normal is number i of the stream with mean 0 and variance 1, by Box and Muller.
func (s stream) normal(i uint64) float64 {
	r := math.Sqrt(-2 * math.Log(1-s.uniform(2*i)))
	return r * math.Cos(2*math.Pi*s.uniform(2*i+1))
}

type distribution uint8

const (
	normal distribution = iota
	uniform
)

// generator is https://onnx.ai/onnx/operators/onnx__RandomNormal.html, RandomUniform and the forms that take their
// shape from an input.
type generator struct {
	dist  distribution
	a, b  float64 // mean and scale, or low and high
	dtype tensor.DType
	seed  seed
	like  bool
	shape tensor.Shape
}

func newGenerator(dist distribution, like bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		op := generator{dist: dist, seed: seedAttr(a), like: like, dtype: tensor.Float32}
		if dist == normal {
			op.a, op.b = float64(a.Float("mean", 0)), float64(a.Float("scale", 1))
		} else {
			op.a, op.b = float64(a.Float("low", 0)), float64(a.Float("high", 1))
		}
		if like {
			op.dtype = a.DType("dtype", tensor.Undefined)
		} else {
			op.dtype = a.DType("dtype", tensor.Float32)
			op.shape = a.Ints("shape")
			if !a.Has("shape") {
				a.Errorf("attribute shape is missing")
			}
			if _, err := op.shape.CheckSize(); err != nil {
				a.Errorf("attribute shape: %w", err)
			}
		}
		if op.dtype != tensor.Undefined && !drawable(op.dtype) {
			a.Errorf("attribute dtype is %v, no floating-point type", op.dtype)
		}
		return op, a.Done()
	}
}

func drawable(d tensor.DType) bool {
	return d == tensor.Float32 || d == tensor.Float64 || d == tensor.Float16 || d == tensor.BFloat16
}

func (op generator) Infer(c *ops.Infer) error {
	if !op.like {
		c.SetOut(0, op.dtype, tensor.Dims(op.shape...)...)
		return nil
	}
	d := op.dtype
	if d == tensor.Undefined {
		d = c.DType(0)
	}
	c.SetShapeLike(0, 0, d)
	return nil
}

func (op generator) Run(c *ops.Ctx) error {
	d, shape := op.dtype, op.shape
	if op.like {
		x := c.Tensor(0)
		shape = x.Shape()
		if d == tensor.Undefined {
			d = x.DType()
		}
		if !drawable(d) {
			return fmt.Errorf("random numbers of element type %v; the attribute dtype must name a floating-point type", d)
		}
	}
	y, err := c.New(0, d, shape)
	if err != nil {
		return err
	}
	s := op.seed.stream()
	switch d {
	case tensor.Float32:
		draw(c, op, s, y.Float32(), func(v float64) float32 { return float32(v) })
	case tensor.Float64:
		draw(c, op, s, y.Float64(), func(v float64) float64 { return v })
	case tensor.Float16:
		draw(c, op, s, tensor.Slice[tensor.F16](y), tensor.ToF16From64)
	case tensor.BFloat16:
		draw(c, op, s, tensor.Slice[tensor.BF16](y), tensor.ToBF16From64)
	}
	return nil
}

// draw fills dst. Rounding to the element type may make a uniform number equal to high.
func draw[T any](c *ops.Ctx, op generator, s stream, dst []T, round func(float64) T) {
	c.Parallel(len(dst), 1<<11, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			if op.dist == normal {
				dst[i] = round(op.a + op.b*s.normal(uint64(i)))
			} else {
				dst[i] = round(op.a + (op.b-op.a)*s.uniform(uint64(i)))
			}
		}
	})
}

// bernoulli is https://onnx.ai/onnx/operators/onnx__Bernoulli.html.
type bernoulli struct {
	dtype tensor.DType // Undefined: the input's
	seed  seed
}

func newBernoulli(a *ops.Attrs) (ops.Op, error) {
	return bernoulli{a.DType("dtype", tensor.Undefined), seedAttr(a)}, a.Done()
}

func (op bernoulli) Infer(c *ops.Infer) error {
	d := op.dtype
	if d == tensor.Undefined {
		d = c.DType(0)
	}
	c.SetShapeLike(0, 0, d)
	return nil
}

func (op bernoulli) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	d := op.dtype
	if d == tensor.Undefined {
		d = x.DType()
	}
	one, err := oneCell(d)
	if err != nil {
		return err
	}
	p, err := x.Floats()
	if err != nil {
		return err
	}
	y, err := c.New(0, d, x.Shape())
	if err != nil {
		return err
	}
	ops.Zero(y)
	s, w := op.seed.stream(), len(one)
	c.Parallel(len(p), 1<<13, func(lo, hi int) {
		b := y.Bytes()
		for i := lo; i < hi; i++ {
			if s.uniform(uint64(i)) < p[i] {
				copy(b[i*w:], one)
			}
		}
	})
	return nil
}

// oneCell is the number 1 in memory.
func oneCell(d tensor.DType) ([]byte, error) {
	if d.Packed() || !d.IsInt() && !drawable(d) && d != tensor.Bool {
		return nil, fmt.Errorf("%w: draws of element type %v", ops.ErrUnsupported, d)
	}
	t := tensor.New(d, 1)
	switch {
	case d == tensor.Float64:
		t.Float64()[0] = 1
	case d.IsFloat():
		tensor.EncodeFloat32(t, []float32{1})
	default:
		t.Bytes()[0] = 1
	}
	return t.Bytes(), nil
}

// multinomial is https://onnx.ai/onnx/operators/onnx__Multinomial.html: rows of unnormalized log-probabilities.
type multinomial struct {
	dtype   tensor.DType
	samples int
	seed    seed
}

func newMultinomial(a *ops.Attrs) (ops.Op, error) {
	op := multinomial{a.DType("dtype", tensor.Int32), a.Int("sample_size", 1), seedAttr(a)}
	if op.dtype != tensor.Int32 && op.dtype != tensor.Int64 {
		a.Errorf("attribute dtype is %v, not int32 or int64", op.dtype)
	}
	if op.samples < 0 {
		a.Errorf("attribute sample_size is %d", op.samples)
	}
	return op, a.Done()
}

func (op multinomial) Infer(c *ops.Infer) error {
	rows := tensor.Dim{}
	if dims, ok := c.Dims(0); ok {
		if len(dims) != 2 {
			return fmt.Errorf("input has rank %d, not 2", len(dims))
		}
		rows = dims[0]
	}
	c.SetOut(0, op.dtype, rows, tensor.Int(op.samples))
	return nil
}

func (op multinomial) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	if x.Rank() != 2 {
		return fmt.Errorf("input has rank %d, not 2", x.Rank())
	}
	rows, classes, shape := x.Dim(0), x.Dim(1), tensor.Shape{x.Dim(0), op.samples}
	if _, err := shape.CheckSize(); err != nil {
		return err
	}
	logits, err := x.Floats()
	if err != nil {
		return err
	}
	y, err := c.New(0, op.dtype, shape)
	if err != nil || y.Len() == 0 {
		return err
	}
	s := op.seed.stream()
	for r := range rows {
		sums, err := cumulative(logits[r*classes : (r+1)*classes])
		if err != nil {
			return fmt.Errorf("row %d: %w", r, err)
		}
		c.Parallel(op.samples, 1<<10, func(lo, hi int) {
			for i := r*op.samples + lo; i < r*op.samples+hi; i++ {
				u := s.uniform(uint64(i)) * sums[classes-1]
				k := sort.Search(classes-1, func(k int) bool { return sums[k] > u })
				if op.dtype == tensor.Int32 {
					y.Int32()[i] = int32(k)
				} else {
					y.Int64()[i] = int64(k)
				}
			}
		})
	}
	return nil
}

// cumulative returns the running sums of the classes' probabilities up to a factor.
func cumulative(logits []float64) ([]float64, error) {
	top := math.Inf(-1)
	for _, v := range logits {
		top = math.Max(top, v)
	}
	sums, sum := make([]float64, len(logits)), 0.0
	for i, v := range logits {
		sum += math.Exp(v - top)
		sums[i] = sum
	}
	if !(sum > 0) || math.IsInf(top, 0) {
		return nil, fmt.Errorf("the log-probabilities are no distribution")
	}
	return sums, nil
}
