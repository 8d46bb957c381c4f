package attention

import (
	"errors"
	"fmt"

	kernel "github.com/sardonyx-ml/sardonyx/kernels/attention"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Name: "RotaryEmbedding", Since: 23, New: newRotary, Widen: true})
}

// rotary is https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html. Inputs: X, cos_cache, sin_cache, position_ids.
type rotary struct {
	interleaved bool
	dim, heads  int
}

func newRotary(a *ops.Attrs) (ops.Op, error) {
	op := rotary{a.Bool("interleaved", false), a.Int("rotary_embedding_dim", 0), a.Int("num_heads", 0)}
	if op.dim < 0 || op.dim%2 != 0 || op.heads < 0 {
		a.Errorf("rotary_embedding_dim %d must be even and not negative, num_heads %d not negative", op.dim, op.heads)
	}
	return op, a.Done()
}

// Infer implements ops.Op.
func (rotary) Infer(c *ops.Infer) error {
	c.SetLike(0, 0)
	return nil
}

// Run implements ops.Op.
func (op rotary) Run(c *ops.Ctx) error {
	x, err := newOperand("X", c.Tensor(0), op.heads)
	if err != nil {
		return err
	}
	dim := op.dim
	if dim == 0 {
		dim = x.size
	}
	if dim%2 != 0 || dim > x.size {
		return fmt.Errorf("%d of %d elements of a head cannot be rotated in pairs", dim, x.size)
	}
	cos, sin := c.Tensor(1), c.Tensor(2)
	if !cos.Shape().Equal(sin.Shape()) {
		return fmt.Errorf("cos_cache %v and sin_cache %v differ", cos.Shape(), sin.Shape())
	}
	rows, err := cacheRows(cos.Shape(), c.Tensor(3), x, dim/2)
	if err != nil {
		return err
	}
	y, err := c.NewOver(0, x.DType(), x.Shape(), 0)
	if err != nil {
		return err
	}
	a, b := kernel.Contiguous(x.Float32(), x.heads, x.seq, x.size), cos.Float32()
	if x.packed {
		a = kernel.Packed(x.Float32(), x.heads, x.seq, x.size)
	}
	dst, half := y.Float32(), dim/2
	c.Parallel(x.batch*x.seq, ops.Grain(2*x.heads*x.size), func(lo, hi int) {
		for n := lo; n < hi; n++ {
			at := rows[n] * half
			cs, sn := b[at:at+half], sin.Float32()[at:at+half]
			for h := range x.heads {
				o := n/x.seq*a.Batch + h*a.Head + n%x.seq*a.Row
				kernel.Rotate(dst[o:o+x.size], a.Data[o:o+x.size], cs, sn, op.interleaved)
			}
		}
	})
	return nil
}

// cacheRows returns the row of the cosine cache for each (batch entry, step).
func cacheRows(s tensor.Shape, ids *tensor.Tensor, x operand, half int) ([]int, error) {
	if ids == nil {
		if len(s) != 3 || s[0] != x.batch && s[0] != 1 || s[1] != x.seq || s[2] != half {
			return nil, fmt.Errorf("cos_cache has shape %v, not [%d %d %d]", s, x.batch, x.seq, half)
		}
		rows := make([]int, x.batch*x.seq)
		for i := range rows {
			rows[i] = i % (s[0] * x.seq)
		}
		return rows, nil
	}
	if len(s) != 2 || s[1] != half {
		return nil, fmt.Errorf("cos_cache has shape %v, not [positions %d]", s, half)
	}
	if ids.Rank() != 2 || ids.Dim(0) != x.batch || ids.Dim(1) != x.seq {
		return nil, fmt.Errorf("position_ids has shape %v, not [%d %d]", ids.Shape(), x.batch, x.seq)
	}
	rows, err := ids.Ints()
	if err != nil {
		return nil, errors.New("position_ids must be integers")
	}
	for _, r := range rows {
		if r < 0 || r >= s[0] {
			return nil, fmt.Errorf("position %d out of range for a cache of %d", r, s[0])
		}
	}
	return rows, nil
}
