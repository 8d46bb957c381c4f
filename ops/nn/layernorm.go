package nn

import (
	"github.com/sardonyx-ml/sardonyx/kernels/norm"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		// The standard has it from 17 on; ONNX Runtime's optimizer writes it with any opset.
		ops.Def{Name: "LayerNormalization", Since: 1, New: newOldLayerNorm, Widen: true},
		ops.Def{Name: "LayerNormalization", Since: 17, New: newLayerNorm, Widen: true},
		ops.Def{Name: "RMSNormalization", Since: 23, New: newRMSNorm, Widen: true},
	)
}

// layerNorm is https://onnx.ai/onnx/operators/onnx__LayerNormalization.html. Inputs: X, Scale, B. Outputs: Y, Mean, InvStdDev.
// What is float or narrower is computed in float, double in double, whatever stash_type says: it sets the type of the
// last two outputs.
type layerNorm struct {
	axis  int
	eps   float32
	stash tensor.DType
}

func newLayerNorm(a *ops.Attrs) (ops.Op, error) {
	return newNorm(a), a.Done()
}

// newOldLayerNorm also takes a misspelt attribute without effect, which test models of ONNX Runtime are full of.
func newOldLayerNorm(a *ops.Attrs) (ops.Op, error) {
	a.Ignore("epsion")
	return newLayerNorm(a)
}

func newNorm(a *ops.Attrs) layerNorm {
	op := layerNorm{a.Int("axis", -1), a.Float("epsilon", 1e-5), a.DType("stash_type", tensor.Float32)}
	switch op.stash {
	case tensor.Float32, tensor.BFloat16, tensor.Float16, tensor.Float64:
	default:
		a.Errorf("stash_type is %v, not a floating-point type", op.stash)
	}
	return op
}

// Infer implements ops.Op.
func (op layerNorm) Infer(c *ops.Infer) error {
	c.SetLike(0, 0)
	c.SetDType(1, op.stash)
	c.SetDType(2, op.stash)
	d, ok := c.Dims(0)
	if !ok {
		return nil
	}
	axis, err := ops.NormAxis(op.axis, len(d))
	if err != nil {
		return err
	}
	m := append([]tensor.Dim{}, d...)
	for i := axis; i < len(m); i++ {
		m[i] = tensor.Int(1)
	}
	c.SetOut(1, op.stash, m...)
	c.SetOut(2, op.stash, m...)
	return nil
}

// Run implements ops.Op.
func (op layerNorm) Run(c *ops.Ctx) error {
	if c.Tensor(0).DType() == tensor.Float64 {
		return runLayerNorm[float64](c, op)
	}
	return runLayerNorm[float32](c, op)
}

func runLayerNorm[T norm.Float](c *ops.Ctx, op layerNorm) error {
	x := c.Tensor(0)
	axis, err := x.Shape().Axis(op.axis)
	if err != nil {
		return err
	}
	scale, err := newRowParam[T](c, "Scale", c.Tensor(1), x.Shape(), axis)
	if err != nil {
		return err
	}
	bias, err := newRowParam[T](c, "B", c.Tensor(2), x.Shape(), axis)
	if err != nil {
		return err
	}
	m := x.Shape().Clone()
	for i := axis; i < len(m); i++ {
		m[i] = 1
	}
	var stats [3][]T
	finish := [3]func(){1: func() {}, 2: func() {}}
	for o := 1; o < 3; o++ {
		if c.Wants(o) {
			if stats[o], finish[o], err = ops.NewFloats[T](c, o, op.stash, m); err != nil {
				return err
			}
		}
	}
	y, err := c.NewOver(0, x.DType(), x.Shape(), 0)
	if err != nil {
		return err
	}
	n, dst, src := x.Shape()[axis:].Size(), tensor.Slice[T](y), tensor.Slice[T](x)
	c.Parallel(m.Size(), ops.Grain(6*n), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			mean, inv := norm.Layer(dst[i*n:(i+1)*n], src[i*n:(i+1)*n], scale.row(i, n), bias.row(i, n), T(op.eps))
			if stats[1] != nil {
				stats[1][i] = mean
			}
			if stats[2] != nil {
				stats[2][i] = inv
			}
		}
	})
	finish[1]()
	finish[2]()
	return nil
}

// rmsNorm is https://onnx.ai/onnx/operators/onnx__RMSNormalization.html. Inputs: X, scale. The output has scale's type.
type rmsNorm struct{ layerNorm }

func newRMSNorm(a *ops.Attrs) (ops.Op, error) { return rmsNorm{newNorm(a)}, a.Done() }

// Infer implements ops.Op.
func (op rmsNorm) Infer(c *ops.Infer) error {
	c.SetShapeLike(0, 0, c.DType(1))
	if d, ok := c.Dims(0); ok {
		_, err := ops.NormAxis(op.axis, len(d))
		return err
	}
	return nil
}

// Run implements ops.Op.
func (op rmsNorm) Run(c *ops.Ctx) error {
	if c.Tensor(0).DType() == tensor.Float64 || c.Tensor(1).DType() == tensor.Float64 {
		return runRMSNorm[float64](c, op)
	}
	return runRMSNorm[float32](c, op)
}

func runRMSNorm[T norm.Float](c *ops.Ctx, op rmsNorm) error {
	x := c.Tensor(0)
	axis, err := x.Shape().Axis(op.axis)
	if err != nil {
		return err
	}
	src, err := ops.Floats[T](c, x)
	if err != nil {
		return err
	}
	scale, err := newRowParam[T](c, "scale", c.Tensor(1), x.Shape(), axis)
	if err != nil {
		return err
	}
	dst, finish, err := ops.NewFloats[T](c, 0, c.Tensor(1).DType(), x.Shape())
	if err != nil {
		return err
	}
	n := x.Shape()[axis:].Size()
	c.Parallel(x.Shape()[:axis].Size(), ops.Grain(4*n), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			norm.RMS(dst[i*n:(i+1)*n], src[i*n:(i+1)*n], scale.row(i, n), T(op.eps))
		}
	})
	finish()
	return nil
}
