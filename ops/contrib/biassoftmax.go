package contrib

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/softmax"
	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(floatOp("BiasSoftmax", newBiasSoftmax))
}

// biasSoftmax is the softmax of data + bias over the axes from axis on. A bias with fewer elements repeats: along the
// outer axes (inner broadcast: consecutive rows share a bias), or whole (outer broadcast: rows take biases in turn).
type biasSoftmax struct {
	axis  int
	inner bool
}

func newBiasSoftmax(a *ops.Attrs) (ops.Op, error) {
	return op{same, func(o biasSoftmax) func(*ops.Ctx) error {
		return typed(func(c *ops.Ctx) error { return runBiasSoftmax[float32](c, o) }, func(c *ops.Ctx) error { return runBiasSoftmax[float64](c, o) })
	}(biasSoftmax{a.Int("axis", 1), a.Bool("is_inner_broadcast", true)})}, a.Done()
}

func runBiasSoftmax[T float32 | float64](c *ops.Ctx, o biasSoftmax) error {
	x, b := c.Tensor(0), c.Tensor(1)
	axis, err := x.Shape().Axis(o.axis)
	if err != nil {
		return err
	}
	rows, n := x.Shape()[:axis].Size(), x.Shape()[axis:].Size()
	if n == 0 || rows == 0 {
		_, err := c.New(0, x.DType(), x.Shape())
		return err
	}
	if b.DType() != x.DType() || b.Len()%n != 0 || b.Len() == 0 || rows%(b.Len()/n) != 0 {
		return fmt.Errorf("bias %v for data %v", b, x)
	}
	y, err := c.NewOver(0, x.DType(), x.Shape(), 0)
	if err != nil {
		return err
	}
	src, dst, bias := tensor.Slice[T](x), tensor.Slice[T](y), tensor.Slice[T](b)
	biases := len(bias) / n
	repeat := rows / biases
	c.Parallel(rows, ops.Grain(20*n), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			k := r % biases
			if o.inner {
				k = r / repeat
			}
			row := dst[r*n : (r+1)*n]
			vec.Add(row, src[r*n:(r+1)*n], bias[k*n:(k+1)*n])
			softmaxRow(row)
		}
	})
	return nil
}

// softmaxRow replaces x by its softmax.
func softmaxRow[T real](x []T) {
	if len(x) > 0 {
		softmax.Softmax(x, x, len(x), 1)
	}
}
