package shape

import (
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "Shape", Since: 1, New: newShape(false)},
		ops.Def{Name: "Shape", Since: 15, New: newShape(true)},
		ops.Def{Name: "Size", Since: 1, New: newSize},
	)
}

// shapeOp is https://onnx.ai/onnx/operators/onnx__Shape.html: the dimensions from start up to end, both clamped.
type shapeOp struct {
	start, end int
	hasEnd     bool
}

func newShape(ranged bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		var op shapeOp
		if ranged {
			op = shapeOp{a.Int("start", 0), a.Int("end", 0), a.Has("end")}
		}
		return op, a.Done()
	}
}

func (op shapeOp) bounds(rank int) (lo, hi int) {
	clamp := func(v int) int {
		if v < 0 {
			v += rank
		}
		return min(max(v, 0), rank)
	}
	lo, hi = clamp(op.start), rank
	if op.hasEnd {
		hi = clamp(op.end)
	}
	return lo, max(lo, hi)
}

func (op shapeOp) Infer(c *ops.Infer) error {
	dims, ok := c.Dims(0)
	if !ok {
		c.SetOut(0, tensor.Int64, tensor.Dim{})
		return nil
	}
	lo, hi := op.bounds(len(dims))
	c.SetOut(0, tensor.Int64, tensor.Int(hi-lo))
	c.SetInts(0, dims[lo:hi])
	return nil
}

func (op shapeOp) Run(c *ops.Ctx) error {
	s := c.Tensor(0).Shape()
	lo, hi := op.bounds(len(s))
	out, err := c.New(0, tensor.Int64, tensor.Shape{hi - lo})
	if err != nil {
		return err
	}
	for i, n := range s[lo:hi] {
		out.Int64()[i] = int64(n)
	}
	return nil
}

// size is https://onnx.ai/onnx/operators/onnx__Size.html.
type size struct{}

func newSize(a *ops.Attrs) (ops.Op, error) { return size{}, a.Done() }

func (size) Infer(c *ops.Infer) error {
	c.SetOut(0, tensor.Int64)
	if dims, ok := c.Dims(0); ok {
		if n := product(dims); n.Known() {
			c.SetInts(0, []tensor.Dim{n})
		}
	}
	return nil
}

func (size) Run(c *ops.Ctx) error {
	out, err := c.New(0, tensor.Int64, tensor.Shape{})
	if err != nil {
		return err
	}
	out.Int64()[0] = int64(c.Tensor(0).Len())
	return nil
}
