package contrib

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		floatOp("GroupNorm", newGroupNorm(false)),
		floatOp("SkipGroupNorm", newGroupNorm(true)),
	)
}

// groupNorm is GroupNorm of diffusion models: X (N, H, W, C), or (N, C, H, W), is normalized over each group of channels,
// scaled and shifted by channel, and perhaps goes through SiLU. SkipGroupNorm adds a skip, (N, H, W, C) or (N, 1, 1, C) or
// (N, C), and a bias (C) first and gives that sum, too. Inputs: X, gamma, beta, and of SkipGroupNorm skip, bias?.
type groupNorm struct {
	groups     int
	eps        float32
	silu, last bool
	skip       bool
}

func newGroupNorm(skip bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		o := groupNorm{groups: a.Int("groups", 0), eps: a.Float("epsilon", 1e-5), silu: a.Bool("activation", false), last: a.Bool("channels_last", true), skip: skip}
		if o.groups <= 0 {
			a.Errorf("groups is %d", o.groups)
		}
		return o, a.Done()
	}
}

// Infer implements ops.Op.
func (o groupNorm) Infer(c *ops.Infer) error {
	c.SetLike(0, 0)
	c.SetLike(1, 0)
	return nil
}

// Run implements ops.Op.
func (o groupNorm) Run(c *ops.Ctx) error {
	x, err := floatInput(c, 0)
	if err != nil {
		return err
	}
	s := c.Tensor(0).Shape()
	if len(s) != 4 {
		return fmt.Errorf("input has shape %v, not rank 4", s)
	}
	batch, channels, inner := s[0], s[3], s[1]*s[2]
	step, line := channels, 1 // between neighbours of a channel, and of channels
	if !o.last {
		channels, inner = s[1], s[2]*s[3]
		step, line = 1, inner
	}
	if channels%o.groups != 0 {
		return fmt.Errorf("%d channels in %d groups", channels, o.groups)
	}
	gamma, err := vectorOf(c, 1, channels, "gamma")
	if err != nil {
		return err
	}
	beta, err := vectorOf(c, 2, channels, "beta")
	if err != nil {
		return err
	}
	if o.skip {
		if x, err = o.sum(c, x, s, batch, channels); err != nil {
			return err
		}
	}
	out, err := c.New(0, tensor.Float32, s)
	if err != nil {
		return err
	}
	y, per := out.Float32(), channels/o.groups
	c.Parallel(batch*o.groups, ops.Grain(8*per*inner), func(lo, hi int) {
		buf := make([]float32, per*inner)
		scale, shift := make([]float32, len(buf)), make([]float32, len(buf))
		for n := lo; n < hi; n++ {
			base, first := n/o.groups*channels*inner, n%o.groups*per
			for i := range buf {
				k, p := first+i/inner, i%inner
				buf[i], scale[i], shift[i] = x[base+k*line+p*step], gamma[k], beta[k]
			}
			normRow(buf, buf, scale, shift, float64(o.eps), false)
			if o.silu {
				swishBy(float32(1))(buf, buf)
			}
			for i, v := range buf {
				y[base+(first+i/inner)*line+i%inner*step] = v
			}
		}
	})
	return nil
}

// sum returns X + skip + bias, and sets output 1 to it.
func (o groupNorm) sum(c *ops.Ctx, x []float32, s tensor.Shape, batch, channels int) ([]float32, error) {
	skip, err := floatInput(c, 3)
	if err != nil {
		return nil, err
	}
	k := c.Tensor(3).Shape()
	whole := k.Equal(s)
	if !whole && !k.Equal(tensor.Shape{batch, channels}) && !k.Equal(tensor.Shape{batch, 1, 1, channels}) && !k.Equal(tensor.Shape{batch, channels, 1, 1}) {
		return nil, fmt.Errorf("skip has shape %v, input %v", k, s)
	}
	bias, err := vectorOf(c, 4, channels, "bias")
	if err != nil {
		return nil, err
	}
	t, err := c.New(1, tensor.Float32, s)
	if err != nil {
		return nil, err
	}
	y, inner := t.Float32(), s[1:].Size()/max(channels, 1)
	for i, v := range x {
		ch := i % channels
		if !o.last {
			ch = i / inner % channels
		}
		if whole {
			v += skip[i]
		} else {
			v += skip[i/(channels*inner)*channels+ch]
		}
		if bias != nil {
			v += bias[ch]
		}
		y[i] = v
	}
	return y, nil
}
