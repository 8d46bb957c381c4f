package shape

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "Slice", Since: 1, New: newSlice1},
		ops.Def{Name: "Slice", Since: 10, New: newSlice10},
	)
}

// slice is https://onnx.ai/onnx/operators/onnx__Slice.html. Before opset 10 starts, ends and axes were attributes.
type slice struct {
	fromAttr           bool
	starts, ends, axes []int
}

func newSlice1(a *ops.Attrs) (ops.Op, error) {
	op := slice{fromAttr: true, starts: a.Ints("starts"), ends: a.Ints("ends"), axes: a.Ints("axes")}
	if len(op.starts) != len(op.ends) {
		a.Errorf("%d starts and %d ends", len(op.starts), len(op.ends))
	}
	return op, a.Done()
}

func newSlice10(a *ops.Attrs) (ops.Op, error) { return slice{}, a.Done() }

// window is what a slice takes of an axis of length n.
type window struct{ start, step, n int }

// newWindow applies the rules of negative and too large starts and ends.
func newWindow(start, end, step, n int) (window, error) {
	if step == 0 {
		return window{}, fmt.Errorf("step 0")
	}
	if start < 0 {
		start += n
	}
	if end < 0 {
		if end = addSat(end, n); end < 0 && step < 0 {
			end = -1
		}
	}
	w := window{step: step}
	if step > 0 {
		w.start = min(max(start, 0), n)
		if d := min(max(end, 0), n) - w.start; d > 0 {
			w.n = (d-1)/step + 1
		}
		return w, nil
	}
	w.start = min(max(start, 0), n-1)
	if d := w.start - min(max(end, -1), n-1); d > 0 && n > 0 {
		back := -step
		if step == math.MinInt {
			back = math.MaxInt
		}
		w.n = (d-1)/back + 1
	}
	return w, nil
}

func addSat(a, n int) int {
	if a < math.MinInt+n {
		return math.MinInt
	}
	return a + n
}

// axesOf returns the axes that the k starts apply to.
func axesOf(axes []int, given bool, k, rank int) ([]int, error) {
	if !given {
		if k > rank {
			return nil, fmt.Errorf("%d starts for rank %d", k, rank)
		}
		axes = make([]int, k)
		for i := range axes {
			axes[i] = i
		}
		return axes, nil
	}
	if len(axes) != k {
		return nil, fmt.Errorf("%d axes for %d starts", len(axes), k)
	}
	return normAxes(axes, rank)
}

func (op slice) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	dims, ok := c.Dims(0)
	if !ok {
		return nil
	}
	starts, ends, axes, steps, known, err := op.inferArgs(c, len(dims))
	if err != nil {
		return err
	}
	if !known {
		c.SetOut(0, c.DType(0), unknown(len(dims))...)
		return nil
	}
	out := append([]tensor.Dim{}, dims...)
	for i, a := range axes {
		if out[a], err = sliceDim(dims[a], starts[i], ends[i], steps[i]); err != nil {
			return err
		}
	}
	c.SetOut(0, c.DType(0), out...)
	if e, ok := c.Ints(0); ok && len(dims) == 1 && len(axes) == 1 && anyKnown(e) {
		sliceInts(c, e, starts[0], ends[0], steps[0])
	}
	return nil
}

// inferArgs returns the arguments per axis; known is false if the axes are not.
func (op slice) inferArgs(c *ops.Infer, rank int) (starts, ends []tensor.Dim, axes []int, steps []tensor.Dim, known bool, err error) {
	given := op.axes != nil
	axes = op.axes
	if op.fromAttr {
		starts, ends = tensor.Dims(op.starts...), tensor.Dims(op.ends...)
	} else {
		var ok1, ok2 bool
		starts, ok1 = c.Ints(1)
		ends, ok2 = c.Ints(2)
		if !ok1 || !ok2 || len(starts) != len(ends) {
			return nil, nil, nil, nil, false, nil
		}
		if given = c.Has(3); given {
			var ok bool
			if axes, ok = c.ConstInts(3); !ok {
				return nil, nil, nil, nil, false, nil
			}
		}
	}
	if axes, err = axesOf(axes, given, len(starts), rank); err != nil {
		return
	}
	steps = make([]tensor.Dim, len(starts))
	for i := range steps {
		steps[i] = tensor.Int(1)
	}
	if !op.fromAttr && c.Has(4) {
		e, ok := c.Ints(4)
		if !ok || len(e) != len(starts) {
			e = unknown(len(starts))
		}
		steps = e
	}
	return starts, ends, axes, steps, true, nil
}

// sliceDim is the length of a slice of an axis of length d.
func sliceDim(d, start, end, step tensor.Dim) (tensor.Dim, error) {
	s, sok := start.Int()
	e, eok := end.Int()
	t, tok := step.Int()
	if !tok {
		return tensor.Dim{}, nil
	}
	if n, ok := d.Int(); ok && sok && eok {
		w, err := newWindow(s, e, t, n)
		return tensor.Int(w.n), err
	}
	if t == 0 {
		return tensor.Dim{}, fmt.Errorf("step 0")
	}
	if t == -1 && sok && s == -1 && eok && e <= -math.MaxInt32 {
		return d, nil
	}
	if t < 0 {
		return tensor.Dim{}, nil
	}
	lo, lok := bound(d, start)
	hi, hok := bound(d, end)
	if !lok || !hok {
		return tensor.Dim{}, nil
	}
	n := atLeast0(hi.Sub(lo))
	if hi.Equal(d) && start.NonNegative() {
		n = atLeast0(d.Sub(start))
	} else if hi.Equal(d) && sok {
		n = least(d, tensor.Int(-s))
	}
	return n.CeilDiv(t), nil
}

// bound is a start or end of a slice of d with a positive step, clamped to [0, d].
func bound(d, v tensor.Dim) (tensor.Dim, bool) {
	n, isInt := v.Int()
	switch {
	case isInt && n >= math.MaxInt32:
		return d, true
	case v.NonNegative():
		return least(d, v), true
	case v.Mul(tensor.Int(-1)).NonNegative():
		return atLeast0(d.Add(v)), true
	}
	return tensor.Dim{}, false
}

// atLeast0 is max(d, 0).
func atLeast0(d tensor.Dim) tensor.Dim {
	if d.NonNegative() {
		return d
	}
	return d.Max(tensor.Int(0))
}

// least is min(d, e).
func least(d, e tensor.Dim) tensor.Dim {
	switch {
	case d.Sub(e).NonNegative():
		return e
	case e.Sub(d).NonNegative():
		return d
	}
	return d.Min(e)
}

func sliceInts(c *ops.Infer, elems []tensor.Dim, start, end, step tensor.Dim) {
	s, sok := start.Int()
	e, eok := end.Int()
	t, tok := step.Int()
	if !sok || !eok || !tok {
		return
	}
	w, err := newWindow(s, e, t, len(elems))
	if err != nil {
		return
	}
	out := make([]tensor.Dim, w.n)
	for i := range out {
		out[i] = elems[w.start+i*w.step]
	}
	c.SetInts(0, out)
}

func (op slice) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	starts, ends, axes, steps, err := op.runArgs(c, x.Rank())
	if err != nil {
		return err
	}
	out, stride := x.Shape().Clone(), x.Shape().Strides()
	off := 0
	for i, a := range axes {
		w, err := newWindow(starts[i], ends[i], steps[i], x.Dim(a))
		if err != nil {
			return fmt.Errorf("axis %d: %w", a, err)
		}
		if out[a] = w.n; w.n > 0 {
			off += w.start * stride[a]
		}
		if w.n > 1 {
			stride[a] *= w.step
		}
	}
	if out.Equal(x.Shape()) && off == 0 {
		c.SetOut(0, x)
		return nil
	}
	return restride(c, x, out, out, stride, off)
}

func (op slice) runArgs(c *ops.Ctx, rank int) (starts, ends, axes, steps []int, err error) {
	starts, ends, axes = op.starts, op.ends, op.axes
	given := axes != nil
	if !op.fromAttr {
		if starts, err = intList(c, 1, "starts"); err != nil {
			return
		}
		if ends, err = intList(c, 2, "ends"); err != nil {
			return
		}
		if len(starts) != len(ends) {
			err = fmt.Errorf("%d starts and %d ends", len(starts), len(ends))
			return
		}
		if given = c.Has(3); given {
			if axes, err = intList(c, 3, "axes"); err != nil {
				return
			}
		}
		if c.Has(4) {
			if steps, err = intList(c, 4, "steps"); err != nil {
				return
			}
			if len(steps) != len(starts) {
				err = fmt.Errorf("%d steps for %d starts", len(steps), len(starts))
				return
			}
		}
	}
	if steps == nil {
		steps = make([]int, len(starts))
		for i := range steps {
			steps[i] = 1
		}
	}
	axes, err = axesOf(axes, given, len(starts), rank)
	return
}
