package quant

import (
	"fmt"
	"math"
	"sync"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// dynamic is https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html: uint8 over the range of the data and 0. If
// all elements are 0, the scale is 1.
type dynamic struct{}

func newDynamic(a *ops.Attrs) (ops.Op, error) { return dynamic{}, a.Done() }

// Infer implements ops.Op.
func (dynamic) Infer(c *ops.Infer) error {
	c.SetShapeLike(0, 0, tensor.Uint8)
	c.SetOut(1, tensor.Float32)
	c.SetOut(2, tensor.Uint8)
	return nil
}

// Run implements ops.Op.
func (dynamic) Run(c *ops.Ctx) error {
	t := c.Tensor(0)
	if t.DType() != tensor.Float32 {
		return fmt.Errorf("%w: dynamic quantization of %v", ops.ErrUnsupported, t.DType())
	}
	x := t.Float32()
	scale, zero := rangeParams(extremes(c, x))
	out, err := c.New(0, tensor.Uint8, t.Shape())
	if err != nil {
		return err
	}
	s, err := c.New(1, tensor.Float32, nil)
	if err != nil {
		return err
	}
	z, err := c.New(2, tensor.Uint8, nil)
	if err != nil {
		return err
	}
	s.Float32()[0], z.Bytes()[0] = scale, uint8(zero)
	y := tensor.Slice[uint8](out)
	c.Parallel(len(x), grain, func(lo, hi int) { vec.Quantize(y[lo:hi], x[lo:hi], scale, zero, 0, 255) })
	return c.Err()
}

// rangeParams returns the scale and zero point that map [lo, hi] to 0…255.
func rangeParams(lo, hi float32) (scale, zero float32) {
	if lo == hi {
		return 1, 0
	}
	scale = (hi - lo) / 255
	zero = max(0, min(255, -lo/scale))
	return scale, float32(math.RoundToEven(float64(zero)))
}

// extremes returns the smallest and the largest of the elements and 0.
func extremes(c *ops.Ctx, x []float32) (lo, hi float32) {
	var mu sync.Mutex
	c.Parallel(len(x), grain, func(i, j int) {
		l, h := vec.MinMax(x[i:j], 0, 0)
		mu.Lock()
		defer mu.Unlock()
		lo, hi = min(lo, l), max(hi, h)
	})
	return lo, hi
}
