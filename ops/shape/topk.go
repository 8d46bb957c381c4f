package shape

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/sardonyx-ml/sardonyx/kernels/move"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "TopK", Since: 1, New: newTopK(1)},
		ops.Def{Name: "TopK", Since: 10, New: newTopK(10)},
		ops.Def{Name: "TopK", Since: 11, New: newTopK(11)},
	)
}

// topK is https://onnx.ai/onnx/operators/onnx__TopK.html. The result is always sorted; NaN counts as the largest value.
type topK struct {
	axis, k  int // k is an attribute in opset 1, else -1
	smallest bool
}

func newTopK(version int) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		op := topK{axis: a.Int("axis", -1), k: -1}
		if version == 1 {
			if op.k = a.Int("k", -1); op.k < 0 {
				a.Errorf("attribute k is %d", op.k)
			}
		}
		if version >= 11 {
			op.smallest = !a.Bool("largest", true)
			a.Ignore("sorted")
		}
		return op, a.Done()
	}
}

func (op topK) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	c.SetDType(1, tensor.Int64)
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
	if op.k >= 0 {
		out[axis] = tensor.Int(op.k)
	} else if k, ok := c.Ints(1); ok && len(k) == 1 {
		out[axis] = k[0]
	}
	c.SetOut(0, c.DType(0), out...)
	c.SetOut(1, tensor.Int64, out...)
	return nil
}

func (op topK) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	axis, err := x.Shape().Axis(op.axis)
	if err != nil {
		return err
	}
	k := op.k
	if k < 0 {
		if k, err = scalarInt(c, 1, "k"); err != nil {
			return err
		}
	}
	s := x.Shape()
	if k < 0 || k > s[axis] {
		return fmt.Errorf("k is %d for axis %d of length %d", k, axis, s[axis])
	}
	shape := s.Clone()
	shape[axis] = k
	src, err := cellsOf(c, x)
	if err != nil {
		return err
	}
	values, err := output(c, 0, x.DType(), shape)
	if err != nil {
		return err
	}
	indices, err := c.New(1, tensor.Int64, shape)
	if err != nil {
		return err
	}
	offs, err := ops.Scratch[int64](c, shape.Size())
	if err != nil {
		return err
	}
	l := lanes{s[:axis].Size(), s[axis], s[axis+1:].Size(), k, op.smallest}
	if err := l.selectAny(c, indices.Int64(), offs, x); err != nil {
		return err
	}
	move.Take(values.Mem, src, offs)
	values.close()
	return nil
}

// lanes describes a tensor of shape (outer, n, inner) of which k entries per lane are wanted.
type lanes struct {
	outer, n, inner, k int
	smallest           bool
}

// selectAny finds the entries in the element type's order: their indices along the axis and their offsets.
func (l lanes) selectAny(c *ops.Ctx, idx, offs []int64, x *tensor.Tensor) error {
	switch d := x.DType(); d {
	case tensor.Float32:
		selectTop(c, l, idx, offs, x.Float32())
	case tensor.Float64:
		selectTop(c, l, idx, offs, x.Float64())
	case tensor.Int64:
		selectTop(c, l, idx, offs, x.Int64())
	case tensor.Int32:
		selectTop(c, l, idx, offs, x.Int32())
	case tensor.Uint64:
		selectTop(c, l, idx, offs, tensor.Slice[uint64](x))
	default:
		if d.IsInt() {
			v, err := x.Ints()
			if err != nil {
				return err
			}
			selectTop(c, l, idx, offs, v)
			return nil
		}
		f, err := x.AsFloat32()
		if err != nil {
			return fmt.Errorf("%w: order of element type %v", ops.ErrUnsupported, d)
		}
		selectTop(c, l, idx, offs, f.Float32())
	}
	return nil
}

type ranked[T cmp.Ordered] struct {
	v T
	i int
}

// selectTop fills idx and offs, both of shape (outer, k, inner).
func selectTop[T cmp.Ordered](c *ops.Ctx, l lanes, idx, offs []int64, src []T) {
	c.Parallel(l.outer*l.inner, ops.Grain(4*l.n), func(lo, hi int) {
		buf := make([]ranked[T], 0, l.n)
		for r := lo; r < hi; r++ {
			o, in := r/l.inner, r%l.inner
			best := best(l, buf, src[o*l.n*l.inner+in:])
			for j, e := range best {
				at := (o*l.k+j)*l.inner + in
				idx[at] = int64(e.i)
				offs[at] = int64((o*l.n+e.i)*l.inner + in)
			}
		}
	})
}

// best returns the first k entries of a lane in order of rank. For a small k it keeps a heap, whose root is the worst
// entry kept; later entries of equal value never displace earlier ones.
func best[T cmp.Ordered](l lanes, buf []ranked[T], lane []T) []ranked[T] {
	before := func(a, b ranked[T]) int {
		r := order(b.v, a.v)
		if l.smallest {
			r = -r
		}
		if r == 0 {
			r = a.i - b.i
		}
		return r
	}
	if l.k == 0 {
		return nil
	}
	heapSize := l.k
	if l.k > l.n/4 {
		heapSize = l.n
	}
	kept := buf[:0]
	for i := range heapSize {
		kept = append(kept, ranked[T]{lane[i*l.inner], i})
	}
	if heapSize < l.n {
		for i := heapSize/2 - 1; i >= 0; i-- {
			sift(kept, i, before)
		}
		for i := heapSize; i < l.n; i++ {
			v := lane[i*l.inner]
			if root := kept[0].v; l.smallest && v >= root || !l.smallest && v <= root {
				continue
			}
			if e := (ranked[T]{v, i}); before(e, kept[0]) < 0 {
				kept[0] = e
				sift(kept, 0, before)
			}
		}
	}
	slices.SortFunc(kept, before)
	return kept[:l.k]
}

// sift restores the heap below entry i.
func sift[T cmp.Ordered](h []ranked[T], i int, before func(a, b ranked[T]) int) {
	for {
		worst := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < len(h) && before(h[worst], h[child]) < 0 {
				worst = child
			}
		}
		if worst == i {
			return
		}
		h[i], h[worst] = h[worst], h[i]
		i = worst
	}
}
