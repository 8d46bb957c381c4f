package shape

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/move"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "Gather", Since: 1, New: newGather},
		ops.Def{Name: "GatherElements", Since: 11, New: newGatherElements},
		ops.Def{Name: "GatherND", Since: 11, New: newGatherND},
		ops.Def{Name: "Compress", Since: 9, New: newCompress},
	)
}

// gather is https://onnx.ai/onnx/operators/onnx__Gather.html.
type gather struct{ axis int }

func newGather(a *ops.Attrs) (ops.Op, error) { return gather{a.Int("axis", 0)}, a.Done() }

func (op gather) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	dims, ok := c.Dims(0)
	if !ok {
		return nil
	}
	axis, err := ops.NormAxis(op.axis, len(dims))
	if err != nil {
		return err
	}
	idx, ok := c.Dims(1)
	if !ok {
		return nil
	}
	out := append([]tensor.Dim{}, dims[:axis]...)
	out = append(out, idx...)
	c.SetOut(0, c.DType(0), append(out, dims[axis+1:]...)...)
	if len(dims) == 1 && len(idx) <= 1 {
		return op.inferInts(c)
	}
	return nil
}

func (op gather) inferInts(c *ops.Infer) error {
	elems, ok := c.Ints(0)
	idx, iok := c.ConstInts(1)
	if !ok || !iok || !anyKnown(elems) {
		return nil
	}
	picked := make([]tensor.Dim, len(idx))
	for i, k := range idx {
		if k < -len(elems) || k >= len(elems) {
			return indexError(int64(k), 0, len(elems))
		}
		if k < 0 {
			k += len(elems)
		}
		picked[i] = elems[k]
	}
	c.SetInts(0, picked)
	return nil
}

func (op gather) Run(c *ops.Ctx) error {
	x, ind := c.Tensor(0), c.Tensor(1)
	axis, err := x.Shape().Axis(op.axis)
	if err != nil {
		return err
	}
	s := x.Shape()
	idx, err := normalize(c, ind, axis, s[axis])
	if err != nil {
		return err
	}
	shape := append(s[:axis:axis].Clone(), ind.Shape()...)
	shape = append(shape, s[axis+1:]...)
	return gatherRows(c, x, shape, axis, idx)
}

// gatherRows writes output 0: along an axis of x, the entries idx, all of them in range.
func gatherRows(c *ops.Ctx, x *tensor.Tensor, shape tensor.Shape, axis int, idx []int64) error {
	if _, err := shape.CheckSize(); err != nil {
		return err
	}
	s := x.Shape()
	src, err := cellsOf(c, x)
	if err != nil {
		return err
	}
	dst, err := output(c, 0, x.DType(), shape)
	if err != nil {
		return err
	}
	outer, inner := s[:axis].Size(), s[axis+1:].Size()
	if dst.t.Len() == 0 {
		return nil
	}
	m, n := len(idx), s[axis]
	if inner == 1 {
		takeColumns(c, dst.Mem, src, idx, outer, n)
	} else {
		c.Parallel(outer*m, ops.Grain(inner), func(lo, hi int) {
			for r := lo; r < hi; r++ {
				dst.Copy(r*inner, src, (r/m*n+int(idx[r%m]))*inner, inner)
			}
		})
	}
	dst.close()
	return nil
}

// takeColumns picks single cells from each of the outer rows of n.
func takeColumns(c *ops.Ctx, dst, src move.Mem, idx []int64, outer, n int) {
	m := len(idx)
	if outer == 1 {
		c.Parallel(m, 1<<14, func(lo, hi int) { move.Take(part(dst, lo, hi), src, idx[lo:hi]) })
		return
	}
	c.Parallel(outer, ops.Grain(m), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			move.Take(part(dst, r*m, (r+1)*m), part(src, r*n, (r+1)*n), idx)
		}
	})
}

// part is cells [lo, hi) of m.
func part(m move.Mem, lo, hi int) move.Mem {
	if m.Width == 0 {
		return move.Mem{Strs: m.Strs[lo:hi]}
	}
	return move.Mem{Bytes: m.Bytes[lo*m.Width : hi*m.Width], Width: m.Width}
}

// gatherElements is https://onnx.ai/onnx/operators/onnx__GatherElements.html.
type gatherElements struct{ axis int }

func newGatherElements(a *ops.Attrs) (ops.Op, error) {
	return gatherElements{a.Int("axis", 0)}, a.Done()
}

func (op gatherElements) Infer(c *ops.Infer) error {
	if dims, ok := c.Dims(0); ok {
		if _, err := ops.NormAxis(op.axis, len(dims)); err != nil {
			return err
		}
	}
	c.SetDType(0, c.DType(0))
	c.SetShapeLike(0, 1, c.DType(0))
	return nil
}

func (op gatherElements) Run(c *ops.Ctx) error {
	x, ind := c.Tensor(0), c.Tensor(1)
	flat, err := elementOffsets(c, x.Shape(), ind, op.axis)
	if err != nil {
		return err
	}
	src, err := cellsOf(c, x)
	if err != nil {
		return err
	}
	dst, err := output(c, 0, x.DType(), ind.Shape())
	if err != nil {
		return err
	}
	c.Parallel(len(flat), 1<<14, func(lo, hi int) { move.Take(part(dst.Mem, lo, hi), src, flat[lo:hi]) })
	dst.close()
	return nil
}

// elementOffsets returns, for each element of ind, the offset in a tensor of shape s of the cell at the element's own
// position but for the given axis, where the element's value counts.
func elementOffsets(c *ops.Ctx, s tensor.Shape, ind *tensor.Tensor, axis int) ([]int64, error) {
	axis, err := s.Axis(axis)
	if err != nil {
		return nil, err
	}
	is := ind.Shape()
	if len(is) != len(s) {
		return nil, fmt.Errorf("indices of shape %v for data of shape %v: the ranks differ", is, s)
	}
	for a := range s {
		if a != axis && is[a] > s[a] && ind.Len() > 0 {
			return nil, fmt.Errorf("indices of shape %v exceed data of shape %v along axis %d", is, s, a)
		}
	}
	idx, err := int64s(c, ind)
	if err != nil {
		return nil, err
	}
	out, err := ops.Scratch[int64](c, len(idx))
	if err != nil || len(idx) == 0 {
		return nil, err
	}
	stride, n := s.Strides(), int64(s[axis])
	k := len(s) - 1
	row, rows, bad := is[k], is[:k].Size(), newFirstBad()
	c.Parallel(rows, ops.Grain(2*row), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			base, o := 0, r
			for a := k - 1; a >= 0; a-- {
				if a != axis {
					base += o % is[a] * stride[a]
				}
				o /= is[a]
			}
			along := int64(stride[axis])
			step := 0
			if axis != k {
				step = stride[k]
			}
			for i, v := range idx[r*row : (r+1)*row] {
				if v < 0 {
					v += n
				}
				if uint64(v) >= uint64(n) {
					bad.report(r*row + i)
					v = 0
				}
				out[r*row+i] = int64(base+i*step) + v*along
			}
		}
	})
	if i, ok := bad.found(); ok {
		return nil, indexError(idx[i], axis, s[axis])
	}
	return out, nil
}

// gatherND is https://onnx.ai/onnx/operators/onnx__GatherND.html. Before opset 12 there were no batch_dims.
type gatherND struct{ batch int }

func newGatherND(a *ops.Attrs) (ops.Op, error) {
	op := gatherND{a.Int("batch_dims", 0)}
	if op.batch < 0 {
		a.Errorf("attribute batch_dims is %d", op.batch)
	}
	return op, a.Done()
}

func (op gatherND) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	dims, ok := c.Dims(0)
	idx, iok := c.Dims(1)
	if !ok || !iok {
		return nil
	}
	if len(idx) == 0 || op.batch >= len(idx) || op.batch >= len(dims) {
		return fmt.Errorf("batch_dims %d for ranks %d and %d", op.batch, len(dims), len(idx))
	}
	k, ok := idx[len(idx)-1].Int()
	if !ok {
		return nil
	}
	if k < 1 || op.batch+k > len(dims) {
		return fmt.Errorf("indices with %d entries for rank %d", k, len(dims)-op.batch)
	}
	out := append([]tensor.Dim{}, idx[:len(idx)-1]...)
	c.SetOut(0, c.DType(0), append(out, dims[op.batch+k:]...)...)
	return nil
}

func (op gatherND) Run(c *ops.Ctx) error {
	x, ind := c.Tensor(0), c.Tensor(1)
	s, is := x.Shape(), ind.Shape()
	if len(is) == 0 || op.batch >= len(is) || op.batch >= len(s) || !s[:op.batch].Equal(is[:op.batch]) {
		return fmt.Errorf("batch_dims %d for shapes %v and %v", op.batch, s, is)
	}
	k := is[len(is)-1]
	if k < 1 || op.batch+k > len(s) {
		return fmt.Errorf("indices of shape %v for data of shape %v with %d batch axes", is, s, op.batch)
	}
	shape := append(is[:len(is)-1].Clone(), s[op.batch+k:]...)
	if _, err := shape.CheckSize(); err != nil {
		return err
	}
	offs, err := tupleOffsets(c, s[op.batch:op.batch+k], ind, op.batch)
	if err != nil {
		return err
	}
	inner, batchLen := s[op.batch+k:].Size(), s[op.batch:].Size()
	perBatch := max(1, len(offs)/max(1, s[:op.batch].Size()))
	src, err := cellsOf(c, x)
	if err != nil {
		return err
	}
	dst, err := output(c, 0, x.DType(), shape)
	if err != nil {
		return err
	}
	c.Parallel(len(offs), ops.Grain(inner), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			dst.Copy(r*inner, src, r/perBatch*batchLen+int(offs[r])*inner, inner)
		}
	})
	dst.close()
	return nil
}

// tupleOffsets turns the last axis of ind, tuples of indices into an array of shape s, into offsets in that array. The
// axes of s count from first in error messages.
func tupleOffsets(c *ops.Ctx, s tensor.Shape, ind *tensor.Tensor, first int) ([]int64, error) {
	idx, err := int64s(c, ind)
	if err != nil {
		return nil, err
	}
	k := len(s)
	n := ind.Shape()[:ind.Rank()-1].Size()
	out, err := ops.Scratch[int64](c, n)
	if err != nil {
		return nil, err
	}
	bad := newFirstBad()
	c.Parallel(n, ops.Grain(4*k), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			off := int64(0)
			for a, v := range idx[r*k : (r+1)*k] {
				if v < 0 {
					v += int64(s[a])
				}
				if uint64(v) >= uint64(s[a]) {
					bad.report(r*k + a)
				}
				off = off*int64(s[a]) + v
			}
			out[r] = off
		}
	})
	if i, ok := bad.found(); ok {
		return nil, indexError(idx[i], first+i%k, s[i%k])
	}
	return out, nil
}

// compress is https://onnx.ai/onnx/operators/onnx__Compress.html; without an axis the input is flattened.
type compress struct {
	axis    int
	hasAxis bool
}

func newCompress(a *ops.Attrs) (ops.Op, error) {
	return compress{a.Int("axis", 0), a.Has("axis")}, a.Done()
}

func (op compress) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	if !op.hasAxis {
		c.SetOut(0, c.DType(0), tensor.Dim{})
		return nil
	}
	dims, ok := c.Dims(0)
	if !ok {
		return nil
	}
	axis, err := ops.NormAxis(op.axis, len(dims))
	if err != nil {
		return err
	}
	out := append([]tensor.Dim{}, dims...)
	out[axis] = tensor.Dim{}
	c.SetOut(0, c.DType(0), out...)
	return nil
}

func (op compress) Run(c *ops.Ctx) error {
	x, cond := c.Tensor(0), c.Tensor(1)
	axis := 0
	if op.hasAxis {
		var err error
		if axis, err = x.Shape().Axis(op.axis); err != nil {
			return err
		}
	} else {
		x = x.Reshaped(tensor.Shape{x.Len()})
	}
	if cond.DType() != tensor.Bool || cond.Rank() != 1 {
		return fmt.Errorf("condition is %v, not a bool vector", cond)
	}
	var idx []int64
	for i, b := range cond.Bool() {
		if b && i >= x.Dim(axis) {
			return indexError(int64(i), axis, x.Dim(axis))
		}
		if b {
			idx = append(idx, int64(i))
		}
	}
	shape := x.Shape().Clone()
	shape[axis] = len(idx)
	return gatherRows(c, x, shape, axis, idx)
}
