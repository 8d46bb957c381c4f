package nn

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/norm"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	for _, v := range []int{1, 6, 7, 9, 14, 15} {
		ops.Register(ops.Def{Name: "BatchNormalization", Since: v, New: newBatchNorm(v), Widen: true})
	}
}

// batchNorm is https://onnx.ai/onnx/operators/onnx__BatchNormalization.html. Inputs: X (N, C, …), scale, B, mean, var. Outputs:
// Y, running mean, running variance and, before version 14, the batch's own mean and variance.
type batchNorm struct {
	eps, momentum float32
	training      bool
	spatial       bool // one statistic per channel, else one per element of an instance
}

func newBatchNorm(version int) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		op := batchNorm{eps: a.Float("epsilon", 1e-5), momentum: a.Float("momentum", 0.9), spatial: true}
		if version < 9 {
			op.spatial = a.Bool("spatial", true)
		}
		// Before version 14 the training form is told by its five outputs; is_test forbids it.
		op.training = a.Outputs > 1
		switch {
		case version >= 14:
			op.training = a.Bool("training_mode", false)
		case version < 7:
			op.training = !a.Bool("is_test", false) && op.training
			a.Ignore("consumed_inputs")
		}
		return op, a.Done()
	}
}

// Infer implements ops.Op.
func (op batchNorm) Infer(c *ops.Infer) error {
	c.SetLike(0, 0)
	for o := 1; o < len(c.Out); o++ {
		c.SetLike(o, 3+(o-1)%2)
	}
	return nil
}

// Run implements ops.Op.
func (op batchNorm) Run(c *ops.Ctx) error {
	double := false
	for i := range c.In {
		double = double || c.Tensor(i).DType() == tensor.Float64
	}
	if double {
		return runBatchNorm[float64](c, op)
	}
	return runBatchNorm[float32](c, op)
}

// sizes returns the input's shape as (batch, channels, inner) and checks the parameters against it.
func (op batchNorm) sizes(c *ops.Ctx) (batch, channels, inner int, err error) {
	s := c.Tensor(0).Shape()
	if len(s) == 0 {
		return 0, 0, 0, fmt.Errorf("input is a scalar")
	}
	if len(s) == 1 { // a batch of single channels
		s = tensor.Shape{s[0], 1}
	}
	batch, channels, inner = split(s, 1)
	if !op.spatial {
		channels, inner = channels*inner, 1
	}
	for i := 1; i < 5; i++ {
		if n := c.Tensor(i).Len(); n != channels {
			return 0, 0, 0, fmt.Errorf("input %d has shape %v, not %d elements as the channels of %v", i, c.Tensor(i).Shape(), channels, s)
		}
	}
	return batch, channels, inner, nil
}

func runBatchNorm[T norm.Float](c *ops.Ctx, op batchNorm) error {
	batch, channels, inner, err := op.sizes(c)
	if err != nil {
		return err
	}
	var in [5][]T
	for i := range in {
		if in[i], err = ops.Floats[T](c, c.Tensor(i)); err != nil {
			return err
		}
	}
	x, scale, bias, mean, variance := in[0], in[1], in[2], in[3], in[4]
	if op.training {
		if mean, variance, err = batchMoments(c, x, batch, channels, inner); err != nil {
			return err
		}
		if err := writeRunning(c, op, in[3], in[4], mean, variance); err != nil {
			return err
		}
	}
	a, err := ops.Scratch[T](c, channels)
	if err != nil {
		return err
	}
	for i := range a {
		a[i] = scale[i] / T(math.Sqrt(float64(variance[i]+T(op.eps))))
	}
	t := c.Tensor(0)
	if t.DType() == tensor.DTypeOf[T]() {
		y, err := c.NewOver(0, t.DType(), t.Shape(), 0)
		if err == nil {
			affine(c, tensor.Slice[T](y), x, mean, a, bias, batch, channels, inner)
		}
		return err
	}
	y, finish, err := ops.NewFloats[T](c, 0, t.DType(), t.Shape())
	if err == nil {
		affine(c, y, x, mean, a, bias, batch, channels, inner)
		finish()
	}
	return err
}

// affine sets y = (x-m)·a + b with one m, a and b per channel.
func affine[T norm.Float](c *ops.Ctx, y, x, m, a, b []T, batch, channels, inner int) {
	if inner == 1 {
		c.Parallel(batch, ops.Grain(4*channels), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				norm.AffineRow(y[i*channels:(i+1)*channels], x[i*channels:(i+1)*channels], m, a, b)
			}
		})
		return
	}
	c.Parallel(batch*channels, ops.Grain(2*inner), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			ch := i % channels
			norm.Affine(y[i*inner:(i+1)*inner], x[i*inner:(i+1)*inner], m[ch], a[ch], b[ch])
		}
	})
}

// batchMoments returns mean and population variance of each channel over batch and inner.
func batchMoments[T norm.Float](c *ops.Ctx, x []T, batch, channels, inner int) (mean, variance []T, err error) {
	if mean, err = ops.Scratch[T](c, channels); err != nil {
		return nil, nil, err
	}
	if variance, err = ops.Scratch[T](c, channels); err != nil {
		return nil, nil, err
	}
	n := float64(batch) * float64(inner)
	c.Parallel(channels, ops.Grain(4*batch*inner), func(lo, hi int) {
		for ch := lo; ch < hi; ch++ {
			var s, v float64
			for b := range batch {
				at := (b*channels + ch) * inner
				s += norm.Sum(x[at : at+inner])
			}
			mean[ch] = T(s / n)
			for b := range batch {
				at := (b*channels + ch) * inner
				v += norm.SumSquares(x[at:at+inner], mean[ch])
			}
			variance[ch] = T(v / n)
		}
	})
	return mean, variance, nil
}

// writeRunning writes the statistics after training: old·momentum + batch·(1-momentum), and the batch's own.
func writeRunning[T norm.Float](c *ops.Ctx, op batchNorm, oldMean, oldVar, mean, variance []T) error {
	for o := 1; o < 5; o++ {
		if !c.Wants(o) {
			continue
		}
		like, old, batch := c.Tensor(3), oldMean, mean
		if o%2 == 0 {
			like, old, batch = c.Tensor(4), oldVar, variance
		}
		dst, finish, err := ops.NewFloats[T](c, o, like.DType(), like.Shape())
		if err != nil {
			return err
		}
		if o > 2 {
			copy(dst, batch)
		} else {
			for i, v := range batch {
				dst[i] = old[i]*T(op.momentum) + v*(1-T(op.momentum))
			}
		}
		finish()
	}
	return nil
}
