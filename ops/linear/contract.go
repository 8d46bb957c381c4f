package linear

import (
	"fmt"
	"slices"

	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// axis is one labelled axis of a strided view.
type axis struct {
	label        label
	size, stride int
}

// view is a strided view of a tensor; its labels are distinct.
type view[T any] struct {
	data []T
	axes []axis
}

func (v view[T]) has(l label) bool {
	return slices.ContainsFunc(v.axes, func(a axis) bool { return a.label == l })
}

// pick returns the axes for which f holds, in order.
func (v view[T]) pick(f func(l label) bool) []axis {
	var out []axis
	for _, a := range v.axes {
		if f(a.label) {
			out = append(out, a)
		}
	}
	return out
}

// order returns the axes with the given labels in their order.
func (v view[T]) order(ls []label) []axis {
	out := make([]axis, len(ls))
	for i, l := range ls {
		out[i] = v.axes[slices.IndexFunc(v.axes, func(a axis) bool { return a.label == l })]
	}
	return out
}

func runEinsum[T gemm.Number](c *ops.Ctx, op *einsum) error {
	ranks := make([]int, len(c.In))
	for i := range c.In {
		if c.Tensor(i).DType() != tensor.DTypeOf[T]() {
			return fmt.Errorf("operand %d is of type %v, not %v", i, c.Tensor(i).DType(), tensor.DTypeOf[T]())
		}
		ranks[i] = c.Tensor(i).Rank()
	}
	in, out, err := op.bind(ranks)
	if err != nil {
		return err
	}
	sizes, err := labelSizes(c, in)
	if err != nil {
		return err
	}
	views := make([]view[T], len(in))
	for i, ls := range in {
		views[i] = newView(tensor.Slice[T](c.Tensor(i)), c.Tensor(i).Shape(), ls, sizes)
	}
	v := views[0]
	for i := 1; i < len(views); i++ {
		later := views[i+1:]
		v, err = contract(c, v, views[i], out, func(l label) bool {
			return slices.Contains(out, l) || slices.ContainsFunc(later, func(w view[T]) bool { return w.has(l) })
		})
		if err != nil {
			return err
		}
	}
	shape := make(tensor.Shape, len(out))
	for i, l := range out {
		shape[i] = sizes[l]
	}
	y, err := c.New(0, tensor.DTypeOf[T](), shape)
	if err != nil {
		return err
	}
	reduceInto(c, tensor.Slice[T](y), v, v.order(out))
	return c.Err()
}

// labelSizes returns the extent of each label. Axes of size 1 stretch.
func labelSizes(c *ops.Ctx, in [][]label) (map[label]int, error) {
	sizes := map[label]int{}
	for i, ls := range in {
		shape := c.Tensor(i).Shape()
		for k, l := range ls {
			n, ok := sizes[l]
			switch {
			case !ok || n == 1:
				sizes[l] = shape[k]
			case shape[k] != n && shape[k] != 1:
				return nil, fmt.Errorf("operand %d of shape %v has %d where others have %d", i, shape, shape[k], n)
			}
		}
	}
	return sizes, nil
}

// newView labels a tensor's axes. A repeated label is the diagonal; a stretched axis is left out.
func newView[T any](data []T, shape tensor.Shape, ls []label, sizes map[label]int) view[T] {
	v := view[T]{data: data}
	for k, st := range shape.Strides() {
		if shape[k] != sizes[ls[k]] {
			continue
		}
		if i := slices.IndexFunc(v.axes, func(a axis) bool { return a.label == ls[k] }); i >= 0 {
			v.axes[i].stride += st
			continue
		}
		v.axes = append(v.axes, axis{ls[k], shape[k], st})
	}
	return v
}

// contract multiplies two views and sums over the labels that are not kept: a batched matrix product. final is the order
// that the axes of the result would best have.
func contract[T gemm.Number](c *ops.Ctx, a, b view[T], final []label, keep func(label) bool) (view[T], error) {
	var err error
	if a, err = sumOut(c, a, func(l label) bool { return b.has(l) || keep(l) }); err != nil {
		return a, err
	}
	if b, err = sumOut(c, b, func(l label) bool { return a.has(l) || keep(l) }); err != nil {
		return a, err
	}
	if last := len(final) - 1; last >= 0 && a.has(final[last]) && !b.has(final[last]) {
		a, b = b, a // the last axis of the result is then contiguous
	}
	batch := a.pick(func(l label) bool { return b.has(l) && keep(l) })
	sum := a.pick(func(l label) bool { return b.has(l) && !keep(l) })
	left := a.pick(func(l label) bool { return !b.has(l) })
	right := b.pick(func(l label) bool { return !a.has(l) })
	out := view[T]{}
	n := 1
	for _, axes := range [][]axis{batch, left, right} {
		for _, x := range axes {
			out.axes = append(out.axes, axis{x.label, x.size, 0})
		}
	}
	shape := make(tensor.Shape, len(out.axes))
	for i, x := range out.axes {
		shape[i] = x.size
	}
	if n, err = shape.CheckSize(); err != nil {
		return out, err
	}
	for i, st := range shape.Strides() {
		out.axes[i].stride = st
	}
	if out.data, err = ops.Scratch[T](c, n); err != nil || n == 0 {
		return out, err
	}
	ma, err := matrices(c, a, batch, left, sum)
	if err != nil {
		return out, err
	}
	mb, err := matrices(c, b, b.order(labelsOf(batch)), b.order(labelsOf(sum)), right)
	if err != nil {
		return out, err
	}
	multiplyViews(c, out.data, ma, mb)
	return out, nil
}

func labelsOf(axes []axis) []label {
	out := make([]label, len(axes))
	for i, a := range axes {
		out[i] = a.label
	}
	return out
}

// stack is a batch of strided matrices.
type stack[T any] struct {
	at         []int // where each starts
	rows, cols int
	m          gemm.Operand[T]
}

// matrix is the data from matrix i on; there may be none where an axis is empty.
func (s stack[T]) matrix(i int) []T { return s.m.Data[min(s.at[i], len(s.m.Data)):] }

// matrices reads a view as a batch of matrices, and copies it only where several axes do not run together into one.
func matrices[T gemm.Number](c *ops.Ctx, v view[T], batch, rows, cols []axis) (stack[T], error) {
	nr, sr, rok := collapse(rows)
	nc, sc, cok := collapse(cols)
	if rok && cok {
		return stack[T]{starts(batch), nr, nc, gemm.Operand[T]{Data: v.data, Row: sr, Col: sc}}, nil
	}
	order := slices.Concat(batch, rows, cols)
	w, err := copied(c, v, order)
	if err != nil {
		return stack[T]{}, err
	}
	k := len(batch)
	return matrices(c, w, w.axes[:k], w.axes[k:k+len(rows)], w.axes[k+len(rows):])
}

// collapse reads axes as one axis, if their strides let it.
func collapse(axes []axis) (size, stride int, ok bool) {
	size, stride = 1, 1
	for i := len(axes) - 1; i >= 0; i-- {
		a := axes[i]
		switch {
		case a.size == 1:
		case size == 1:
			size, stride = a.size, a.stride
		case a.stride == size*stride:
			size *= a.size
		default:
			return 0, 0, false
		}
	}
	return size, stride, true
}

// starts lists the positions along axes in row-major order.
func starts(axes []axis) []int {
	out := []int{0}
	for _, a := range axes {
		next := make([]int, 0, len(out)*a.size)
		for _, p := range out {
			for i := range a.size {
				next = append(next, p+i*a.stride)
			}
		}
		out = next
	}
	return out
}

// multiplyViews computes the batch of products into y, one after the other.
func multiplyViews[T gemm.Number](c *ops.Ctx, y []T, a, b stack[T]) {
	m, n, k := a.rows, b.cols, a.cols
	if m == 1 && n == 1 {
		c.Parallel(len(y), ops.Grain(k), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				x, z := a.matrix(i), b.matrix(i)
				var s T
				for p := range k {
					s += x[p*a.m.Col] * z[p*b.m.Row]
				}
				y[i] = s
			}
		})
		return
	}
	g := &gemm.Args[T]{M: m, N: n, K: k, LDC: n, A: a.m, B: b.m}
	gemm.Batch(c.Pool, len(a.at), g, func(i int, g *gemm.Args[T]) {
		g.C, g.A.Data, g.B.Data = y[i*m*n:(i+1)*m*n], a.matrix(i), b.matrix(i)
	})
}

// sumOut sums a view over the labels that are not kept.
func sumOut[T gemm.Number](c *ops.Ctx, v view[T], keep func(label) bool) (view[T], error) {
	kept := v.pick(keep)
	if len(kept) == len(v.axes) {
		return v, nil
	}
	return copied(c, v, kept)
}

// copied returns a contiguous view with the given axes of v, in that order, summed over the others.
func copied[T gemm.Number](c *ops.Ctx, v view[T], axes []axis) (view[T], error) {
	shape := make(tensor.Shape, len(axes))
	for i, a := range axes {
		shape[i] = a.size
	}
	n, err := shape.CheckSize()
	if err != nil {
		return v, err
	}
	out := view[T]{axes: slices.Clone(axes)}
	for i, st := range shape.Strides() {
		out.axes[i].stride = st
	}
	if out.data, err = ops.Scratch[T](c, n); err != nil {
		return out, err
	}
	reduceInto(c, out.data, v, axes)
	return out, nil
}

// reduceInto writes v with the given axes, in that order, to y, summed over the other axes.
func reduceInto[T gemm.Number](c *ops.Ctx, y []T, v view[T], axes []axis) {
	if len(y) == 0 {
		return
	}
	others := v.pick(func(l label) bool {
		return !slices.ContainsFunc(axes, func(a axis) bool { return a.label == l })
	})
	inner, outer := split(axes)
	sumInner, sumOuter := split(others)
	rows, sums := starts(outer), starts(sumOuter)
	cost := inner.size * sumInner.size * len(sums)
	c.Parallel(len(rows), ops.Grain(cost), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			row := y[r*inner.size : (r+1)*inner.size]
			clear(row)
			for _, s := range sums {
				for k := range sumInner.size {
					addStrided(row, v.data[rows[r]+s+k*sumInner.stride:], inner.stride)
				}
			}
		}
	})
}

// split separates the last axis; there is always one.
func split(axes []axis) (inner axis, outer []axis) {
	if len(axes) == 0 {
		return axis{size: 1}, nil
	}
	return axes[len(axes)-1], axes[:len(axes)-1]
}

// addStrided adds x[i·stride] to y[i].
func addStrided[T gemm.Number](y, x []T, stride int) {
	if stride == 1 {
		for i, v := range x[:len(y)] {
			y[i] += v
		}
		return
	}
	for i := range y {
		y[i] += x[i*stride]
	}
}
