package conv

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/pool"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "GlobalAveragePool", Since: 1, Widen: true, New: newGlobal(globalAverage)},
		ops.Def{Name: "GlobalMaxPool", Since: 1, Widen: true, New: newGlobal(globalMax)},
		ops.Def{Name: "GlobalLpPool", Since: 1, Widen: true, New: newGlobalLp(floatP)},
		ops.Def{Name: "GlobalLpPool", Since: 2, Widen: true, New: newGlobalLp(intP)},
	)
}

// global is one of https://onnx.ai/onnx/operators/onnx__GlobalAveragePool.html, GlobalMaxPool and GlobalLpPool.
type global struct {
	run func(c *ops.Ctx, y, x *tensor.Tensor) error
}

func newGlobal(run func(c *ops.Ctx, y, x *tensor.Tensor) error) func(a *ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) { return global{run}, a.Done() }
}

func newGlobalLp(p func(*ops.Attrs) float64) func(a *ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		p := p(a)
		checkP(a, p)
		return global{func(c *ops.Ctx, y, x *tensor.Tensor) error {
			switch x.DType() {
			case tensor.Float32:
				pool.GlobalNorm(c.Pool, y.Float32(), x.Float32(), p)
			case tensor.Float64:
				pool.GlobalNorm(c.Pool, y.Float64(), x.Float64(), p)
			default:
				return unsupported("GlobalLpPool", x.DType())
			}
			return c.Err()
		}}, a.Done()
	}
}

func globalAverage(c *ops.Ctx, y, x *tensor.Tensor) error {
	switch x.DType() {
	case tensor.Float32:
		pool.GlobalAverage(c.Pool, y.Float32(), x.Float32())
	case tensor.Float64:
		pool.GlobalAverage(c.Pool, y.Float64(), x.Float64())
	default:
		return unsupported("GlobalAveragePool", x.DType())
	}
	return c.Err()
}

func globalMax(c *ops.Ctx, y, x *tensor.Tensor) error {
	switch x.DType() {
	case tensor.Float32:
		pool.GlobalMax(c.Pool, y.Float32(), x.Float32(), float32(math.Inf(-1)))
	case tensor.Float64:
		pool.GlobalMax(c.Pool, y.Float64(), x.Float64(), math.Inf(-1))
	default:
		return unsupported("GlobalMaxPool", x.DType())
	}
	return c.Err()
}

// Infer implements ops.Op.
func (op global) Infer(c *ops.Infer) error {
	x, ok := c.Dims(0)
	if !ok {
		c.SetDType(0, c.DType(0))
		return nil
	}
	if len(x) < 2 {
		return fmt.Errorf("input of rank %d; at least 2 are needed", len(x))
	}
	dims := append([]tensor.Dim{}, x...)
	for i := 2; i < len(dims); i++ {
		dims[i] = tensor.Int(1)
	}
	c.SetOut(0, c.DType(0), dims...)
	return nil
}

// Run implements ops.Op.
func (op global) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	if x.Rank() < 2 {
		return fmt.Errorf("input of shape %v; at least 2 axes are needed", x.Shape())
	}
	shape := x.Shape().Clone()
	for i := 2; i < len(shape); i++ {
		shape[i] = 1
	}
	y, err := c.New(0, x.DType(), shape)
	if err != nil {
		return err
	}
	return op.run(c, y, x)
}
