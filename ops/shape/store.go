// Package shape holds the operators that move, select and arrange elements without computing with them, and those that
// make tensors from shapes: Reshape, Transpose, Gather, Scatter, Pad, Slice, Constant, TopK and their relatives.
//
// They work on cells of the element's width, so that every element type is treated alike. Elements of 2 and 4 bits are
// unpacked to one byte each, moved, and packed again.
package shape

import (
	"fmt"
	"math"
	"sync/atomic"

	"github.com/sardonyx-ml/sardonyx/kernels/move"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// cellsOf returns the elements of t for reading.
func cellsOf(c *ops.Ctx, t *tensor.Tensor) (move.Mem, error) {
	d := t.DType()
	if d == tensor.String {
		return move.Mem{Strs: t.Strs()}, nil
	}
	if !d.Packed() {
		return move.Mem{Bytes: t.Bytes(), Width: d.Bits() / 8}, nil
	}
	b, err := ops.Scratch[uint8](c, t.Len())
	if err != nil {
		return move.Mem{}, err
	}
	move.Unpack(b, t.Bytes(), d.Bits())
	return move.Mem{Bytes: b, Width: 1}, nil
}

// sink is a tensor to be written cell by cell.
type sink struct {
	move.Mem
	t *tensor.Tensor
}

// close completes the tensor after the last cell was written.
func (s sink) close() {
	if s.t.DType().Packed() {
		move.Pack(s.t.Bytes(), s.Bytes, s.t.DType().Bits())
	}
}

// newSink allocates a tensor that is no output (yet).
func newSink(c *ops.Ctx, d tensor.DType, shape tensor.Shape) (sink, error) {
	t, err := c.Mem.Alloc(d, shape)
	if err != nil {
		return sink{}, err
	}
	return sinkOf(c, t)
}

func sinkOf(c *ops.Ctx, t *tensor.Tensor) (sink, error) {
	d := t.DType()
	if !d.Packed() {
		m, err := cellsOf(c, t)
		return sink{m, t}, err
	}
	b, err := ops.Scratch[uint8](c, t.Len())
	return sink{move.Mem{Bytes: b, Width: 1}, t}, err
}

// output allocates output i.
func output(c *ops.Ctx, i int, d tensor.DType, shape tensor.Shape) (sink, error) {
	s, err := newSink(c, d, shape)
	if err == nil {
		c.SetOut(i, s.t)
	}
	return s, err
}

// outputCopy allocates output 0 as a copy of input 0, in its memory if that is free and no other input's.
func outputCopy(c *ops.Ctx, x *tensor.Tensor) (sink, error) {
	over := []int{0}
	for i := 1; i < len(c.In); i++ {
		if u := c.Tensor(i); u != nil && u.Overlaps(x) {
			over = nil
		}
	}
	t, err := c.NewOver(0, x.DType(), x.Shape(), over...)
	if err != nil {
		return sink{}, err
	}
	s, err := sinkOf(c, t)
	if err != nil {
		return s, err
	}
	if x.DType() == tensor.String {
		copy(s.Strs, x.Strs())
		return s, nil
	}
	if x.DType().Packed() {
		move.Unpack(s.Bytes, x.Bytes(), x.DType().Bits())
		return s, nil
	}
	if !t.Overlaps(x) {
		b := x.Bytes()
		c.Parallel(len(b), 1<<17, func(lo, hi int) { copy(t.Bytes()[lo:hi], b[lo:hi]) })
	}
	return s, nil
}

// strided runs a strided copy on the session's threads; see move.NewPlan.
func strided(c *ops.Ctx, dst, src move.Mem, shape, dstStride, srcStride []int, dstOff, srcOff int) {
	p := move.NewPlan(src.Width, shape, dstStride, srcStride, dstOff, srcOff)
	c.Parallel(p.Units(), ops.Grain(p.UnitCells()), func(lo, hi int) { p.Run(dst, src, lo, hi) })
}

// restride writes output 0 of the given shape, whose cells are at the offset and strides of src; view is the shape that
// the strides belong to, which has the same number of cells.
func restride(c *ops.Ctx, x *tensor.Tensor, out tensor.Shape, view, srcStride []int, srcOff int) error {
	if _, err := out.CheckSize(); err != nil {
		return err
	}
	src, err := cellsOf(c, x)
	if err != nil {
		return err
	}
	dst, err := output(c, 0, x.DType(), out)
	if err != nil {
		return err
	}
	strided(c, dst.Mem, src, view, tensor.Shape(view).Strides(), srcStride, 0, srcOff)
	dst.close()
	return nil
}

// indexError says that an index is out of range for the axis it counts along.
func indexError(v int64, axis, n int) error {
	return fmt.Errorf("index %d out of range for axis %d of length %d", v, axis, n)
}

// normalize returns the elements of an int32 or int64 tensor with n added to the negative ones, in scratch memory or,
// if nothing is to be done, in the tensor's own. An element outside [-n, n) is an error that names axis.
func normalize(c *ops.Ctx, t *tensor.Tensor, axis, n int) ([]int64, error) {
	if t.DType() == tensor.Int64 {
		idx, clean := t.Int64(), true
		for _, v := range idx {
			if uint64(v) >= uint64(n) {
				clean = false
				break
			}
		}
		if clean {
			return idx, nil
		}
	}
	raw, err := int64s(c, t)
	if err != nil {
		return nil, err
	}
	out, err := ops.Scratch[int64](c, len(raw))
	if err != nil {
		return nil, err
	}
	for i, v := range raw {
		if v < -int64(n) || v >= int64(n) {
			return nil, indexError(v, axis, n)
		}
		if v < 0 {
			v += int64(n)
		}
		out[i] = v
	}
	return out, nil
}

// int64s returns the elements of an index tensor, for reading only.
func int64s(c *ops.Ctx, t *tensor.Tensor) ([]int64, error) {
	switch t.DType() {
	case tensor.Int64:
		return t.Int64(), nil
	case tensor.Int32:
		out, err := ops.Scratch[int64](c, t.Len())
		if err != nil {
			return nil, err
		}
		for i, v := range t.Int32() {
			out[i] = int64(v)
		}
		return out, nil
	}
	return nil, fmt.Errorf("indices must be int32 or int64, not %v", t.DType())
}

// firstBad keeps the smallest position at which parallel loops found something wrong.
type firstBad struct{ at atomic.Int64 }

func newFirstBad() *firstBad {
	b := new(firstBad)
	b.at.Store(math.MaxInt64)
	return b
}

func (b *firstBad) report(i int) {
	for {
		old := b.at.Load()
		if int64(i) >= old || b.at.CompareAndSwap(old, int64(i)) {
			return
		}
	}
}

// found returns the position, if anything was reported.
func (b *firstBad) found() (int, bool) {
	i := b.at.Load()
	return int(i), i != math.MaxInt64
}

// scalarInt returns the only element of input i.
func scalarInt(c *ops.Ctx, i int, what string) (int, error) {
	v, err := c.Tensor(i).Ints()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	if len(v) != 1 {
		return 0, fmt.Errorf("%s has %d elements, not 1", what, len(v))
	}
	return v[0], nil
}

// intList returns the elements of the one-dimensional integer tensor at input i.
func intList(c *ops.Ctx, i int, what string) ([]int, error) {
	t := c.Tensor(i)
	if t == nil {
		return nil, fmt.Errorf("%s is not a tensor", what)
	}
	if t.Rank() > 1 {
		return nil, fmt.Errorf("%s has shape %v, not one dimension", what, t.Shape())
	}
	v, err := t.Ints()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return v, nil
}

// normAxes returns the axes as indices below rank and checks that none is repeated.
func normAxes(axes []int, rank int) ([]int, error) {
	out, seen := make([]int, len(axes)), make(map[int]bool, len(axes))
	for i, a := range axes {
		n, err := ops.NormAxis(a, rank)
		if err != nil {
			return nil, err
		}
		if seen[n] {
			return nil, fmt.Errorf("axis %d is repeated", a)
		}
		seen[n], out[i] = true, n
	}
	return out, nil
}

// product multiplies dimensions.
func product(dims []tensor.Dim) tensor.Dim {
	n := tensor.Int(1)
	for _, d := range dims {
		n = n.Mul(d)
	}
	return n
}

// unknown returns n unknown dimensions.
func unknown(n int) []tensor.Dim { return make([]tensor.Dim, n) }

// anyKnown reports whether something is known of the elements.
func anyKnown(elems []tensor.Dim) bool {
	for _, e := range elems {
		if e.Known() {
			return true
		}
	}
	return false
}

// passInts says that output o has the same elements as input i.
func passInts(c *ops.Infer, o, i int) {
	if e, ok := c.Ints(i); ok && anyKnown(e) {
		c.SetInts(o, e)
	}
}
