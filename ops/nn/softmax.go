// Package nn implements the normalizations, the softmax family, Dropout and the classification losses.
package nn

import (
	"github.com/sardonyx-ml/sardonyx/kernels/softmax"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// rowKernel works along n rows that are inner apart; see package softmax.
type rowKernel struct {
	f32 func(y, x []float32, n, inner int)
	f64 func(y, x []float64, n, inner int)
}

func init() {
	for name, k := range map[string]rowKernel{
		"Softmax":    {softmax.Softmax[float32], softmax.Softmax[float64]},
		"LogSoftmax": {softmax.LogSoftmax[float32], softmax.LogSoftmax[float64]},
		"Hardmax":    {softmax.Hardmax[float32], softmax.Hardmax[float64]},
	} {
		ops.Register(
			ops.Def{Name: name, Since: 1, New: newSoftmax(k, 1, true), Widen: true},
			ops.Def{Name: name, Since: 13, New: newSoftmax(k, -1, false), Widen: true},
		)
	}
}

// rowOp is Softmax, LogSoftmax or Hardmax. Before opset 13 all axes from axis on made one row (flat).
type rowOp struct {
	rowKernel
	axis int
	flat bool
}

func newSoftmax(k rowKernel, axis int, flat bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) { return rowOp{k, a.Int("axis", axis), flat}, a.Done() }
}

// Infer implements ops.Op.
func (op rowOp) Infer(c *ops.Infer) error {
	c.SetLike(0, 0)
	if d, ok := c.Dims(0); ok && !(op.flat && op.axis == len(d)) {
		_, err := op.normAxis(len(d))
		return err
	}
	return nil
}

// normAxis allows a scalar, which is one row of one element.
func (op rowOp) normAxis(rank int) (int, error) {
	if rank == 0 && (op.axis == 0 || op.axis == -1) {
		return 0, nil
	}
	return ops.NormAxis(op.axis, rank)
}

// Run implements ops.Op.
func (op rowOp) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	outer, n, inner := x.Len(), 1, 1
	if !(op.flat && op.axis == x.Rank()) {
		axis, err := op.normAxis(x.Rank())
		if err != nil {
			return err
		}
		outer, n, inner = split(x.Shape(), axis)
		if op.flat {
			n, inner = n*inner, 1
		}
	}
	y, err := c.NewOver(0, x.DType(), x.Shape(), 0)
	if err != nil || x.Len() == 0 {
		return err
	}
	if x.DType() == tensor.Float64 {
		rows(c, y.Float64(), x.Float64(), outer, n, inner, op.f64)
	} else {
		rows(c, y.Float32(), x.Float32(), outer, n, inner, op.f32)
	}
	return nil
}

// split returns the number of elements before, along and after an axis; a scalar is one element.
func split(s tensor.Shape, axis int) (outer, n, inner int) {
	if len(s) == 0 {
		return 1, 1, 1
	}
	return s[:axis].Size(), s[axis], s[axis+1:].Size()
}

// columnBlock is how many columns make one piece of work when the axis is not the last.
const columnBlock = 256

// rows calls kernel for the blocks of (outer, n, inner) arrays in parallel.
func rows[T softmax.Float](c *ops.Ctx, y, x []T, outer, n, inner int, kernel func(y, x []T, n, inner int)) {
	blocks := (inner + columnBlock - 1) / columnBlock
	c.Parallel(outer*blocks, ops.Grain(8*n*min(inner, columnBlock)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			c0 := i % blocks * columnBlock
			at := i / blocks * n * inner
			from, to := at+c0, at+(n-1)*inner+min(c0+columnBlock, inner)
			kernel(y[from:to], x[from:to], n, inner)
		}
	})
}
