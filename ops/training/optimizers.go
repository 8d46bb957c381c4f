// Package training holds the optimizers of the domain ai.onnx.preview.training.
package training

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Domain: ops.Training, Name: "Adagrad", Since: 1, New: newAdagrad},
		ops.Def{Domain: ops.Training, Name: "Adam", Since: 1, New: newAdam},
		ops.Def{Domain: ops.Training, Name: "Momentum", Since: 1, New: newMomentum},
	)
}

// optimizer is https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Adam.html and its kin. The inputs are the
// learning rate, the update count and groups of n tensors: the values, their gradients and the optimizer's states. The
// outputs are the new values and states in the same order.
type optimizer struct {
	states int
	// step returns the update of one element for the given rate and count.
	step func(rate float64, count int64) func(x, g float64, s *[2]float64) float64
}

func newAdagrad(a *ops.Attrs) (ops.Op, error) {
	decay, eps, norm := attr(a, "decay_factor", 0), attr(a, "epsilon", 1e-6), attr(a, "norm_coefficient", 0)
	return optimizer{1, func(r float64, t int64) func(x, g float64, s *[2]float64) float64 {
		r /= 1 + float64(t)*decay
		return func(x, g float64, s *[2]float64) float64 {
			g += norm * x
			s[0] += g * g
			return x - r*g/(math.Sqrt(s[0])+eps)
		}
	}}, a.Done()
}

func newAdam(a *ops.Attrs) (ops.Op, error) {
	alpha, beta, eps := attr(a, "alpha", 0.9), attr(a, "beta", 0.999), attr(a, "epsilon", 1e-6)
	norm, post := attr(a, "norm_coefficient", 0), attr(a, "norm_coefficient_post", 0)
	return optimizer{2, func(r float64, t int64) func(x, g float64, s *[2]float64) float64 {
		if t > 0 {
			r *= math.Sqrt(1-math.Pow(beta, float64(t))) / (1 - math.Pow(alpha, float64(t)))
		}
		return func(x, g float64, s *[2]float64) float64 {
			g += norm * x
			s[0] = alpha*s[0] + (1-alpha)*g
			s[1] = beta*s[1] + (1-beta)*g*g
			return (1 - post) * (x - r*s[0]/(math.Sqrt(s[1])+eps))
		}
	}}, a.Done()
}

func newMomentum(a *ops.Attrs) (ops.Op, error) {
	alpha, beta, norm := attr(a, "alpha", 0), attr(a, "beta", 0), attr(a, "norm_coefficient", 0)
	nesterov := a.Enum("mode", "standard", "nesterov") == "nesterov"
	return optimizer{1, func(r float64, t int64) func(x, g float64, s *[2]float64) float64 {
		b := beta
		if t <= 0 {
			b = 1
		}
		return func(x, g float64, s *[2]float64) float64 {
			g += norm * x
			s[0] = alpha*s[0] + b*g
			if nesterov {
				return x - r*(g+alpha*s[0])
			}
			return x - r*s[0]
		}
	}}, a.Done()
}

func attr(a *ops.Attrs, name string, def float32) float64 { return float64(a.Float(name, def)) }

// groups returns the number of tensors that are optimized.
func (op optimizer) groups(inputs int) (int, error) {
	n := (inputs - 2) / (2 + op.states)
	if n < 1 || inputs != 2+n*(2+op.states) {
		return 0, fmt.Errorf("%d inputs are no groups of %d after the first two", inputs, 2+op.states)
	}
	return n, nil
}

// Infer implements ops.Op.
func (op optimizer) Infer(c *ops.Infer) error {
	n, err := op.groups(len(c.In))
	if err != nil {
		return err
	}
	for o := range c.Out {
		in := 2 + o
		if o >= n {
			in += n // past the gradients
		}
		if in < len(c.In) && c.Has(in) && c.In[in].Type.Kind == tensor.KindTensor {
			c.SetLike(o, in)
		}
	}
	return nil
}

// Run implements ops.Op.
func (op optimizer) Run(c *ops.Ctx) error {
	n, err := op.groups(len(c.In))
	if err != nil {
		return err
	}
	rate, err := c.Tensor(0).Floats()
	if err != nil || len(rate) != 1 {
		return fmt.Errorf("learning rate is %v, not one number", c.Tensor(0))
	}
	count := c.Tensor(1)
	if count.DType() != tensor.Int64 || count.Len() != 1 {
		return fmt.Errorf("update count is %v, not one int64", count)
	}
	step := op.step(rate[0], count.Int64()[0])
	for i := range n {
		if err := op.update(c, i, n, step); err != nil {
			return fmt.Errorf("group %d: %w", i, err)
		}
	}
	return c.Err()
}

// update computes group i of n.
func (op optimizer) update(c *ops.Ctx, i, n int, step func(x, g float64, s *[2]float64) float64) error {
	in, out := make([]*tensor.Tensor, 2+op.states), make([]*tensor.Tensor, 1+op.states)
	for k := range in {
		in[k] = c.Tensor(2 + k*n + i)
		if in[k] == nil || !in[k].Shape().Equal(in[0].Shape()) || in[k].DType() != in[0].DType() {
			return fmt.Errorf("%v does not go with %v", in[k], in[0])
		}
	}
	for k := range out {
		var err error
		if out[k], err = c.New(k*n+i, in[0].DType(), in[0].Shape()); err != nil {
			return err
		}
	}
	switch in[0].DType() {
	case tensor.Float32:
		apply[float32](c, out, in, step)
	case tensor.Float64:
		apply[float64](c, out, in, step)
	default:
		return fmt.Errorf("%v: %w", in[0].DType(), ops.ErrUnsupported)
	}
	return nil
}

func apply[T float32 | float64](c *ops.Ctx, out, in []*tensor.Tensor, step func(x, g float64, s *[2]float64) float64) {
	x, g, y := tensor.Slice[T](in[0]), tensor.Slice[T](in[1]), tensor.Slice[T](out[0])
	var s, t [2][]T
	for k := range len(in) - 2 {
		s[k], t[k] = tensor.Slice[T](in[2+k]), tensor.Slice[T](out[1+k])
	}
	states := len(in) - 2
	c.Parallel(len(x), 1<<12, func(lo, hi int) {
		var state [2]float64
		for i := lo; i < hi; i++ {
			for k := range states {
				state[k] = float64(s[k][i])
			}
			y[i] = T(step(float64(x[i]), float64(g[i]), &state))
			for k := range states {
				t[k][i] = T(state[k])
			}
		}
	})
}
