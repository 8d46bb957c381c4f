package elementwise

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "IsInf", Since: 10, New: newIsInf},
		ops.Def{Name: "IsNaN", Since: 9, New: func(a *ops.Attrs) (ops.Op, error) {
			return floatTest{"IsNaN", func(f float64) bool { return f != f }}, a.Done()
		}},
	)
}

// floatTest is IsNaN and IsInf, on floats of any width.
type floatTest struct {
	name string
	test func(float64) bool
}

func newIsInf(a *ops.Attrs) (ops.Op, error) {
	lo, hi := a.Bool("detect_negative", true), a.Bool("detect_positive", true)
	return floatTest{"IsInf", func(f float64) bool { return hi && f > math.MaxFloat64 || lo && f < -math.MaxFloat64 }}, a.Done()
}

// Infer implements ops.Op.
func (op floatTest) Infer(c *ops.Infer) error {
	c.SetShapeLike(0, 0, tensor.Bool)
	return nil
}

// Run implements ops.Op.
func (op floatTest) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	if !x.DType().IsFloat() {
		return unsupported(op.name, x)
	}
	out, err := c.NewOver(0, tensor.Bool, x.Shape(), 0)
	if err != nil {
		return err
	}
	dst := out.Bool()
	c.Parallel(x.Len(), castGrain, func(lo, hi int) {
		if x.DType() == tensor.Float64 {
			for i, v := range x.Float64()[lo:hi] {
				dst[lo+i] = op.test(v)
			}
			return
		}
		bufs := floatBufs.Get().(*[3][piece]float32)
		defer floatBufs.Put(bufs)
		for ; lo < hi; lo += piece {
			b := bufs[0][:min(piece, hi-lo)]
			tensor.ReadFloat32(b, x, lo)
			for i, v := range b {
				dst[lo+i] = op.test(float64(v))
			}
		}
	})
	return c.Err()
}
