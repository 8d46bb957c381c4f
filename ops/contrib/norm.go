package contrib

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/norm"
	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		floatOp("SkipLayerNormalization", newSkipNorm(false)),
		floatOp("SkipSimplifiedLayerNormalization", newSkipNorm(true)),
		ops.Def{Name: "SimplifiedLayerNormalization", Since: 1, New: newRMSNorm, Widen: true},
	)
}

// normRow sets y to (x-mean)/√(var+eps)·gamma + beta, or to x/√(mean of squares+eps)·gamma when rms is set, and returns
// the mean (0 for rms) and the inverse deviation. beta may be nil; y may be x.
func normRow[T real](y, x, gamma, beta []T, eps float64, rms bool) (mean, inv T) {
	switch {
	case len(x) == 0:
		return 0, 0
	case rms:
		return 0, norm.RMS(y, x, gamma, T(eps))
	}
	return norm.Layer(y, x, gamma, beta, T(eps))
}

// skipNorm is SkipLayerNormalization, or SkipSimplifiedLayerNormalization without mean and beta.
type skipNorm struct {
	eps float64
	rms bool
}

func newSkipNorm(rms bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		return skipNorm{float64(a.Float("epsilon", 1e-12)), rms}, a.Done()
	}
}

// Infer implements ops.Op.
func (o skipNorm) Infer(c *ops.Infer) error {
	c.SetLike(0, 0)
	c.SetLike(3, 0)
	c.SetDType(1, tensor.Float32)
	c.SetDType(2, tensor.Float32)
	if dims, ok := c.Dims(0); ok && len(dims) > 0 {
		stat := append(append([]tensor.Dim{}, dims[:len(dims)-1]...), tensor.Int(1))
		c.SetOut(1, tensor.Float32, stat...)
		c.SetOut(2, tensor.Float32, stat...)
	}
	return nil
}

// skipBuffers are the operands of one skipNorm: x and sum hold rows of n; skip's rows repeat.
type skipBuffers struct {
	n, skipRows             int
	x, skip                 []float32
	gamma, beta, bias       []float32
	y, sum, mean, deviation []float32
}

// Run implements ops.Op.
func (o skipNorm) Run(c *ops.Ctx) error {
	s := c.Tensor(0).Shape()
	if len(s) != 2 && len(s) != 3 {
		return fmt.Errorf("input has shape %v, not rank 2 or 3", s)
	}
	rows, n, err := splitLast(s)
	if err != nil {
		return err
	}
	b, err := o.operands(c, s, rows, n)
	if err != nil {
		return err
	}
	if err := o.outputs(c, s, &b); err != nil {
		return err
	}
	c.Parallel(rows, ops.Grain(6*n), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			o.row(b, r)
		}
	})
	return nil
}

func (o skipNorm) operands(c *ops.Ctx, s tensor.Shape, rows, n int) (b skipBuffers, err error) {
	b.n = n
	if b.x, err = floatInput(c, 0); err != nil {
		return b, err
	}
	if b.skip, err = floatInput(c, 1); err != nil {
		return b, err
	}
	// The skip may lack the batch axis or have extent 1 there.
	k := c.Tensor(1).Shape()
	tail := k
	if len(k) == len(s) && len(s) == 3 && k[0] == 1 {
		tail = k[1:]
	}
	if !k.Equal(s) && !(len(s) == 3 && tail.Equal(s[1:])) {
		return b, fmt.Errorf("skip has shape %v, input %v", k, s)
	}
	if n > 0 {
		b.skipRows = len(b.skip) / n
	}
	next := 3
	if b.gamma, err = vectorOf(c, 2, n, "gamma"); err != nil {
		return b, err
	}
	if !o.rms {
		if b.beta, err = vectorOf(c, 3, n, "beta"); err != nil {
			return b, err
		}
		next = 4
	}
	b.bias, err = vectorOf(c, next, n, "bias")
	return b, err
}

func (o skipNorm) outputs(c *ops.Ctx, s tensor.Shape, b *skipBuffers) error {
	stat := s.Clone()
	stat[len(stat)-1] = 1
	for i, o := range []struct {
		dst   *[]float32
		shape tensor.Shape
	}{{&b.y, s}, {&b.mean, stat}, {&b.deviation, stat}, {&b.sum, s}} {
		if i > 0 && !c.Wants(i) {
			continue
		}
		t, err := c.New(i, tensor.Float32, o.shape)
		if err != nil {
			return err
		}
		*o.dst = t.Float32()
	}
	return nil
}

func (o skipNorm) row(b skipBuffers, r int) {
	n := b.n
	x, y := b.x[r*n:(r+1)*n], b.y[r*n:(r+1)*n]
	k := r % max(b.skipRows, 1) * n
	addRows(y, x, b.skip[k:k+n], b.bias)
	if b.sum != nil {
		copy(b.sum[r*n:], y)
	}
	var mean, inv float32
	if o.rms || len(y) == 0 {
		mean, inv = normRow(y, y, b.gamma, b.beta, o.eps, o.rms)
	} else {
		mean, inv = norm.Skip(y, y, b.gamma, b.beta, float32(o.eps))
	}
	if b.mean != nil {
		b.mean[r] = mean
	}
	if b.deviation != nil {
		b.deviation[r] = inv
	}
}

// addRows sets y = a + b + bias; bias may be nil.
func addRows(y, a, b, bias []float32) {
	vec.Add(y, a, b)
	if bias != nil {
		vec.Add(y, y, bias)
	}
}

// rmsNorm is SimplifiedLayerNormalization: x/√(mean of x² over the axes from axis on + eps)·scale.
type rmsNorm struct {
	axis int
	eps  float64
}

func newRMSNorm(a *ops.Attrs) (ops.Op, error) {
	a.Ignore("stash_type")
	return rmsNorm{a.Int("axis", -1), float64(a.Float("epsilon", 1e-5))}, a.Done()
}

// Infer implements ops.Op.
func (o rmsNorm) Infer(c *ops.Infer) error {
	c.SetShapeLike(0, 0, c.DType(1))
	c.SetDType(1, tensor.Float32)
	if dims, ok := c.Dims(0); ok {
		axis, err := ops.NormAxis(o.axis, len(dims))
		if err != nil {
			return err
		}
		stat := append([]tensor.Dim{}, dims...)
		for i := axis; i < len(stat); i++ {
			stat[i] = tensor.Int(1)
		}
		d := tensor.Float32
		if c.DType(0) == tensor.Float64 {
			d = tensor.Float64
		}
		c.SetOut(1, d, stat...)
	}
	return nil
}

// Run implements ops.Op.
func (o rmsNorm) Run(c *ops.Ctx) error {
	return typed(func(c *ops.Ctx) error { return runRMS[float32](c, o) }, func(c *ops.Ctx) error { return runRMS[float64](c, o) })(c)
}

func runRMS[T float32 | float64](c *ops.Ctx, o rmsNorm) error {
	x, scale := c.Tensor(0), c.Tensor(1)
	axis, err := x.Shape().Axis(o.axis)
	if err != nil {
		return err
	}
	rows, n := x.Shape()[:axis].Size(), x.Shape()[axis:].Size()
	if scale.DType() != x.DType() || scale.Len() != n {
		return fmt.Errorf("scale %v for input %v", scale, x)
	}
	y, err := c.New(0, x.DType(), x.Shape())
	if err != nil {
		return err
	}
	var stat []T
	if c.Wants(1) {
		shape := x.Shape().Clone()
		for i := axis; i < len(shape); i++ {
			shape[i] = 1
		}
		t, err := c.New(1, x.DType(), shape)
		if err != nil {
			return err
		}
		stat = tensor.Slice[T](t)
	}
	src, dst, g := tensor.Slice[T](x), tensor.Slice[T](y), tensor.Slice[T](scale)
	c.Parallel(rows, ops.Grain(4*n), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			_, inv := normRow(dst[r*n:(r+1)*n], src[r*n:(r+1)*n], g, nil, o.eps, true)
			if stat != nil {
				stat[r] = inv
			}
		}
	})
	return nil
}
