package nn

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/norm"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	for _, v := range []int{1, 6, 22} {
		ops.Register(ops.Def{Name: "InstanceNormalization", Since: v, New: newInstanceNorm(v), Widen: true})
	}
	ops.Register(
		ops.Def{Name: "GroupNormalization", Since: 18, New: newGroupNorm(18), Widen: true},
		ops.Def{Name: "GroupNormalization", Since: 21, New: newGroupNorm(21), Widen: true},
	)
}

// groupNorm is https://onnx.ai/onnx/operators/onnx__GroupNormalization.html, and InstanceNormalization with groups 0, which
// means a group per channel. Inputs: X (N, C, …), scale, bias.
type groupNorm struct {
	groups   int
	perGroup bool // scale and bias have an element per group, not per channel
	eps      float32
}

func newInstanceNorm(version int) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		if version == 1 {
			a.Ignore("consumed_inputs")
		}
		return groupNorm{eps: a.Float("epsilon", 1e-5)}, a.Done()
	}
}

func newGroupNorm(version int) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		op := groupNorm{groups: a.Int("num_groups", 0), perGroup: version < 21, eps: a.Float("epsilon", 1e-5)}
		if version >= 21 {
			a.Ignore("stash_type") // at least float is used in any case
		}
		if op.groups < 1 {
			a.Errorf("num_groups is %d", op.groups)
		}
		return op, a.Done()
	}
}

// Infer implements ops.Op.
func (groupNorm) Infer(c *ops.Infer) error {
	c.SetLike(0, 0)
	return nil
}

// Run implements ops.Op.
func (op groupNorm) Run(c *ops.Ctx) error {
	if c.Tensor(0).DType() == tensor.Float64 {
		return runGroupNorm[float64](c, op)
	}
	return runGroupNorm[float32](c, op)
}

func runGroupNorm[T norm.Float](c *ops.Ctx, op groupNorm) error {
	x := c.Tensor(0)
	if x.Rank() < 2 {
		return fmt.Errorf("input has shape %v, less than 2 axes", x.Shape())
	}
	batch, channels, inner := split(x.Shape(), 1)
	groups := op.groups
	if groups == 0 {
		groups = channels
	}
	if groups == 0 || channels%groups != 0 {
		if channels > 0 {
			return fmt.Errorf("%d channels do not divide into %d groups", channels, groups)
		}
		groups = 1
	}
	params := channels
	if op.perGroup {
		params = groups
	}
	per := channels / groups
	scale, err := ops.Floats[T](c, c.Tensor(1))
	if err != nil {
		return err
	}
	bias, err := ops.Floats[T](c, c.Tensor(2))
	if err != nil {
		return err
	}
	if len(scale) != params || len(bias) != params {
		return fmt.Errorf("scale %v and bias %v must have %d elements", c.Tensor(1).Shape(), c.Tensor(2).Shape(), params)
	}
	t, err := c.NewOver(0, x.DType(), x.Shape(), 0)
	if err != nil || x.Len() == 0 {
		return err
	}
	y, src, n := tensor.Slice[T](t), tensor.Slice[T](x), per*inner
	c.Parallel(batch*groups, ops.Grain(6*n), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			mean, rest, variance := norm.Moments(src[i*n : (i+1)*n])
			inv := T(1 / math.Sqrt(float64(variance+T(op.eps))))
			for k := range per {
				p := i%groups*per + k
				if op.perGroup {
					p = i % groups
				}
				at := i*n + k*inner
				norm.Affine(y[at:at+inner], src[at:at+inner], mean, inv*scale[p], bias[p]-rest*inv*scale[p])
			}
		}
	})
	return nil
}
