package reduce

import (
	"fmt"

	kernel "github.com/sardonyx-ml/sardonyx/kernels/reduce"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "ArgMax", Since: 1, New: newArg(false), Widen: true},
		ops.Def{Name: "ArgMin", Since: 1, New: newArg(true), Widen: true},
	)
}

// arg is https://onnx.ai/onnx/operators/onnx__ArgMax.html and ArgMin.
type arg struct {
	axis             int
	keep, last, mini bool
}

func newArg(mini bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		return arg{a.Int("axis", 0), a.Bool("keepdims", true), a.Bool("select_last_index", false), mini}, a.Done()
	}
}

// Infer implements ops.Op.
func (op arg) Infer(c *ops.Infer) error {
	dims, ok := c.Dims(0)
	if !ok {
		c.SetDType(0, tensor.Int64)
		return nil
	}
	axis, err := ops.NormAxis(op.axis, len(dims))
	if err != nil {
		return err
	}
	out := append([]tensor.Dim{}, dims[:axis]...)
	if op.keep {
		out = append(out, tensor.Int(1))
	}
	c.SetOut(0, tensor.Int64, append(out, dims[axis+1:]...)...)
	return nil
}

// Run implements ops.Op.
func (op arg) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	s := x.Shape()
	axis, err := s.Axis(op.axis)
	if err != nil {
		return err
	}
	shape := s[:axis].Clone()
	if op.keep {
		shape = append(shape, 1)
	}
	y, err := c.New(0, tensor.Int64, append(shape, s[axis+1:]...))
	if err != nil {
		return err
	}
	if s[axis] == 0 && y.Len() > 0 {
		return fmt.Errorf("axis %d of shape %v has no elements to choose from", axis, s)
	}
	switch x.DType() {
	case tensor.Float32:
		return runArg[float32](op, c, y, x, axis)
	case tensor.Float64:
		return runArg[float64](op, c, y, x, axis)
	case tensor.Int64:
		return runArg[int64](op, c, y, x, axis)
	case tensor.Int32:
		return runArg[int32](op, c, y, x, axis)
	case tensor.Int16:
		return runArg[int16](op, c, y, x, axis)
	case tensor.Int8:
		return runArg[int8](op, c, y, x, axis)
	case tensor.Uint64:
		return runArg[uint64](op, c, y, x, axis)
	case tensor.Uint32:
		return runArg[uint32](op, c, y, x, axis)
	case tensor.Uint16:
		return runArg[uint16](op, c, y, x, axis)
	case tensor.Uint8:
		return runArg[uint8](op, c, y, x, axis)
	}
	return fmt.Errorf("%v: %w", x.DType(), ops.ErrUnsupported)
}

func runArg[T interface {
	kernel.Number
	tensor.Elem
}](op arg, c *ops.Ctx, yt, xt *tensor.Tensor, axis int) error {
	y, x := yt.Int64(), tensor.Slice[T](xt)
	s := xt.Shape()
	n, inner := s[axis], s[axis+1:].Size()
	if len(y) == 0 {
		return nil
	}
	if inner == 1 {
		find := kernel.ArgMax[T]
		if op.mini {
			find = kernel.ArgMin[T]
		}
		c.Parallel(len(y), ops.Grain(n), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				y[i] = int64(find(x[i*n:(i+1)*n], op.last))
			}
		})
		return nil
	}
	best, err := ops.Scratch[T](c, len(y))
	if err != nil {
		return err
	}
	find := kernel.ArgMaxColumns[T]
	if op.mini {
		find = kernel.ArgMinColumns[T]
	}
	tiles := (inner + columnTile - 1) / columnTile
	c.Parallel(len(y)/inner*tiles, ops.Grain(n*min(inner, columnTile)), func(a, b int) {
		for i := a; i < b; i++ {
			o, lo := i/tiles, i%tiles*columnTile
			hi := min(lo+columnTile, inner)
			find(y[o*inner+lo:o*inner+hi], best[o*inner+lo:o*inner+hi], x[o*n*inner+lo:], n, inner, op.last)
		}
	})
	return nil
}
