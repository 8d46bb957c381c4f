package shape

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "Expand", Since: 8, New: newExpand},
		ops.Def{Name: "Tile", Since: 1, New: newTile1},
		ops.Def{Name: "Tile", Since: 6, New: newTile},
	)
}

// expand is https://onnx.ai/onnx/operators/onnx__Expand.html: both the tensor and the shape are broadcast.
type expand struct{}

func newExpand(a *ops.Attrs) (ops.Op, error) { return expand{}, a.Done() }

func (expand) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	dims, ranked := c.Dims(0)
	want, ok := c.Ints(1)
	if !ranked || !ok {
		return nil
	}
	out, err := ops.BroadcastDims(dims, want)
	if err != nil {
		return err
	}
	c.SetOut(0, c.DType(0), out...)
	if e, ok := c.Ints(0); ok && anyKnown(e) {
		repeatInts(c, e, out)
	}
	return nil
}

// repeatInts follows the elements of a tensor that is broadcast to one dimension.
func repeatInts(c *ops.Infer, elems, out []tensor.Dim) {
	if len(out) == 0 {
		c.SetInts(0, elems)
		return
	}
	n, ok := out[0].Int()
	if len(out) != 1 || !ok || n > 1024 {
		return
	}
	if len(elems) == 1 {
		all := make([]tensor.Dim, n)
		for i := range all {
			all[i] = elems[0]
		}
		elems = all
	}
	if len(elems) == n {
		c.SetInts(0, elems)
	}
}

func (expand) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	want, err := intList(c, 1, "shape")
	if err != nil {
		return err
	}
	if _, err := tensor.Shape(want).CheckSize(); err != nil {
		return err
	}
	out, err := x.Shape().Broadcast(want)
	if err != nil {
		return err
	}
	if x.Shape().Size() == out.Size() && out.Size() > 0 {
		c.SetOut(0, x.Reshaped(out))
		return nil
	}
	stride, from := make([]int, len(out)), x.Shape().Strides()
	pad := len(out) - x.Rank()
	for i, n := range x.Shape() {
		if n != 1 {
			stride[pad+i] = from[i]
		}
	}
	return restride(c, x, out, out, stride, 0)
}

// tile is https://onnx.ai/onnx/operators/onnx__Tile.html. In opset 1 the inputs are a number of copies and an axis.
type tile struct{ single bool }

func newTile1(a *ops.Attrs) (ops.Op, error) { return tile{single: true}, a.Done() }
func newTile(a *ops.Attrs) (ops.Op, error)  { return tile{}, a.Done() }

func (op tile) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	dims, ok := c.Dims(0)
	if !ok {
		return nil
	}
	if op.single {
		c.SetOut(0, c.DType(0), unknown(len(dims))...)
		return nil
	}
	reps, ok := c.Ints(1)
	if !ok {
		c.SetOut(0, c.DType(0), unknown(len(dims))...)
		return nil
	}
	if len(reps) != len(dims) {
		return fmt.Errorf("%d repeats for rank %d", len(reps), len(dims))
	}
	out := make([]tensor.Dim, len(dims))
	for i := range out {
		if n, ok := reps[i].Int(); ok && n < 0 {
			return fmt.Errorf("negative repeat %d", n)
		}
		out[i] = dims[i].Mul(reps[i])
	}
	c.SetOut(0, c.DType(0), out...)
	if e, ok := c.Ints(0); ok && len(out) == 1 && len(e) == 1 && anyKnown(e) {
		repeatInts(c, e, out)
	}
	return nil
}

func (op tile) repeats(c *ops.Ctx, rank int) ([]int, error) {
	if !op.single {
		reps, err := intList(c, 1, "repeats")
		if err == nil && len(reps) != rank {
			err = fmt.Errorf("%d repeats for rank %d", len(reps), rank)
		}
		return reps, err
	}
	n, err := c.Tensor(1).Floats()
	if err != nil {
		return nil, err
	}
	axis, err := c.Tensor(2).Floats()
	if err != nil {
		return nil, err
	}
	if len(n) != 1 || len(axis) != 1 {
		return nil, fmt.Errorf("tiles and axis must have one element each")
	}
	a, err := ops.NormAxis(int(axis[0]), rank)
	if err != nil {
		return nil, err
	}
	reps := make([]int, rank)
	for i := range reps {
		reps[i] = 1
	}
	reps[a] = int(n[0])
	return reps, nil
}

func (op tile) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	reps, err := op.repeats(c, x.Rank())
	if err != nil {
		return err
	}
	out, from := x.Shape().Clone(), x.Shape().Strides()
	var view, stride []int
	same := true
	for i, r := range reps {
		if r < 0 {
			return fmt.Errorf("negative repeat %d", r)
		}
		if _, err := (tensor.Shape{out[i], r}).CheckSize(); err != nil {
			return err
		}
		same = same && r == 1
		view = append(view, r, out[i])
		stride = append(stride, 0, from[i])
		out[i] *= r
	}
	if same {
		c.SetOut(0, x)
		return nil
	}
	return restride(c, x, out, view, stride, 0)
}
