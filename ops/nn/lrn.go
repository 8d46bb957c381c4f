package nn

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/norm"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "LRN", Since: 1, New: newLRN, Widen: true},
		ops.Def{Name: "LpNormalization", Since: 1, New: newLpNorm, Widen: true},
		ops.Def{Name: "MeanVarianceNormalization", Since: 9, New: newMeanVariance, Widen: true},
	)
}

// sameType infers operators whose output has the type of their first input.
type sameType struct{}

// Infer implements ops.Op.
func (sameType) Infer(c *ops.Infer) error {
	c.SetLike(0, 0)
	return nil
}

// lrn is https://onnx.ai/onnx/operators/onnx__LRN.html over inputs (N, C, …).
type lrn struct {
	sameType
	alpha, beta, bias float32
	size              int
}

func newLRN(a *ops.Attrs) (ops.Op, error) {
	op := lrn{alpha: a.Float("alpha", 1e-4), beta: a.Float("beta", 0.75), bias: a.Float("bias", 1), size: a.Int("size", 0)}
	if op.size < 1 {
		a.Errorf("size is %d", op.size)
	}
	return op, a.Done()
}

// Run implements ops.Op.
func (op lrn) Run(c *ops.Ctx) error {
	if c.Tensor(0).DType() == tensor.Float64 {
		return runLRN[float64](c, op)
	}
	return runLRN[float32](c, op)
}

func runLRN[T norm.Float](c *ops.Ctx, op lrn) error {
	x := c.Tensor(0)
	if x.Rank() < 2 {
		return fmt.Errorf("input has shape %v, less than 2 axes", x.Shape())
	}
	batch, channels, inner := split(x.Shape(), 1)
	t, err := c.New(0, x.DType(), x.Shape())
	if err != nil {
		return err
	}
	y, src, n := tensor.Slice[T](t), tensor.Slice[T](x), channels*inner
	alpha := T(op.alpha) / T(op.size)
	before, after := min((op.size-1)/2, channels), min(op.size/2, channels)
	c.Parallel(batch, ops.Grain(n*(20+min(op.size, channels))), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			norm.LRN(y[i*n:(i+1)*n], src[i*n:(i+1)*n], channels, inner, before, after, alpha, T(op.beta), T(op.bias))
		}
	})
	return nil
}

// lpNorm is https://onnx.ai/onnx/operators/onnx__LpNormalization.html: x/‖x‖ along an axis, 0 where the norm is 0.
type lpNorm struct {
	sameType
	axis, p int
}

func newLpNorm(a *ops.Attrs) (ops.Op, error) {
	op := lpNorm{axis: a.Int("axis", -1), p: a.Int("p", 2)}
	if op.p != 1 && op.p != 2 {
		a.Errorf("p is %d, not 1 or 2", op.p)
	}
	return op, a.Done()
}

// Run implements ops.Op.
func (op lpNorm) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	axis, err := x.Shape().Axis(op.axis)
	if err != nil {
		return err
	}
	outer, n, inner := split(x.Shape(), axis)
	y, err := c.NewOver(0, x.DType(), x.Shape(), 0)
	if err != nil || x.Len() == 0 {
		return err
	}
	if x.DType() == tensor.Float64 {
		rows(c, y.Float64(), x.Float64(), outer, n, inner, lpRows[float64](op.p))
	} else {
		rows(c, y.Float32(), x.Float32(), outer, n, inner, lpRows[float32](op.p))
	}
	return nil
}

// lpRows returns a kernel that normalizes columns as package softmax lays them out.
func lpRows[T norm.Float](p int) func(y, x []T, n, inner int) {
	return func(y, x []T, n, inner int) {
		for j := range len(x) - (n-1)*inner {
			var s float64
			for i := j; i < len(x); i += inner {
				if v := float64(x[i]); p == 1 {
					s += math.Abs(v)
				} else {
					s += v * v
				}
			}
			if p == 2 {
				s = math.Sqrt(s)
			}
			for i := j; i < len(x); i += inner {
				if y[i] = x[i] / T(s); s == 0 {
					y[i] = 0
				}
			}
		}
	}
}

// meanVariance is https://onnx.ai/onnx/operators/onnx__MeanVarianceNormalization.html: (x - mean)/(√variance + 1e-9) over axes.
type meanVariance struct {
	sameType
	axes []int
}

func newMeanVariance(a *ops.Attrs) (ops.Op, error) {
	op := meanVariance{axes: []int{0, 2, 3}}
	if a.Has("axes") {
		op.axes = a.Ints("axes")
	}
	return op, a.Done()
}

// Run implements ops.Op.
func (op meanVariance) Run(c *ops.Ctx) error {
	if c.Tensor(0).DType() == tensor.Float64 {
		return runMeanVariance[float64](c, op)
	}
	return runMeanVariance[float32](c, op)
}

func runMeanVariance[T norm.Float](c *ops.Ctx, op meanVariance) error {
	x := c.Tensor(0)
	s := x.Shape()
	reduced := make([]bool, len(s))
	for _, axis := range op.axes {
		k, err := s.Axis(axis)
		if err != nil {
			return err
		}
		reduced[k] = true
	}
	t, err := c.New(0, x.DType(), s)
	if err != nil || x.Len() == 0 {
		return err
	}
	// Element k belongs to group Σ index·stride over the kept axes.
	strides, groups := make([]int, len(s)), 1
	for i := len(s) - 1; i >= 0; i-- {
		if !reduced[i] {
			strides[i] = groups
			groups *= s[i]
		}
	}
	g := grouping{s, strides}
	src, y, n := tensor.Slice[T](x), tensor.Slice[T](t), float64(x.Len()/groups)
	mean, std := make([]float64, groups), make([]float64, groups)
	g.each(func(at, group, n, step int) {
		for i, v := range src[at : at+n] {
			mean[group+i*step] += float64(v)
		}
	})
	for i := range mean {
		mean[i] /= n
	}
	g.each(func(at, group, n, step int) {
		for i, v := range src[at : at+n] {
			d := float64(v) - mean[group+i*step]
			std[group+i*step] += d * d
		}
	})
	for i, v := range std {
		std[i] = 1 / (math.Sqrt(v/n) + 1e-9)
	}
	g.each(func(at, group, n, step int) {
		for i, v := range src[at : at+n] {
			y[at+i] = T((float64(v) - mean[group+i*step]) * std[group+i*step])
		}
	})
	return nil
}

// grouping maps the elements of a shape to groups: index·strides, stride 0 for axes inside a group.
type grouping struct {
	shape   tensor.Shape
	strides []int
}

// each calls f for every innermost row: it starts at element at, whose group is group, and has n elements with groups step apart.
func (g grouping) each(f func(at, group, n, step int)) {
	last := len(g.shape) - 1
	if last < 0 {
		f(0, 0, 1, 0)
		return
	}
	idx, group, n := make([]int, last), 0, g.shape[last]
	for at := 0; at < g.shape.Size(); at += n {
		f(at, group, n, g.strides[last])
		for i := last - 1; i >= 0; i-- {
			idx[i]++
			group += g.strides[i]
			if idx[i] < g.shape[i] {
				break
			}
			group -= idx[i] * g.strides[i]
			idx[i] = 0
		}
	}
}
