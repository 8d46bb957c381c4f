package conv

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/conv"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/fused"
)

func init() {
	ops.Register(ops.Def{Domain: ops.Internal, Name: "FusedConv", Since: 1, New: newFusedConv})
}

// fusedConv is act(Conv(X, W, B) + Z) in float32. Inputs: X, W, and optionally B and Z, which is like the result. The
// attributes are Conv's and those of fused.Activation.
type fusedConv struct {
	*convOp
	finish conv.Finish
}

func newFusedConv(a *ops.Attrs) (ops.Op, error) {
	op := &fusedConv{convOp: newConv(a)}
	act := fused.Activation{Name: a.String("activation", ""), Alpha: a.Float("activation_alpha", 0), Beta: a.Float("activation_beta", 0)}
	switch act.Name {
	case "Relu":
		op.finish = conv.Finish{Bounded: true, Hi: float32(math.Inf(1))}
	case "Clip":
		op.finish = conv.Finish{Bounded: true, Lo: act.Alpha, Hi: act.Beta}
	default:
		var err error
		if op.finish.Act, err = act.Func(); err != nil {
			a.Errorf("%w", err)
		}
	}
	return op, a.Done()
}

// Prepack implements ops.Prepacker.
func (op *fusedConv) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	if p, dropped := (standard{op.convOp}).Prepack(in); dropped != nil {
		return &constantFusedConv{p.(*constantConv), op.finish}, dropped
	}
	return op, nil
}

// Run implements ops.Op.
func (op *fusedConv) Run(c *ops.Ctx) error {
	w := c.Tensor(1)
	if w.DType() != tensor.Float32 {
		return unsupported("FusedConv", w.DType())
	}
	return runFused(c, &constantConv{op.convOp, w.Shape(), conv.NewFilter(w.Float32())}, op.finish)
}

// constantFusedConv is fusedConv with constant weights.
type constantFusedConv struct {
	*constantConv
	finish conv.Finish
}

// Run implements ops.Op.
func (op *constantFusedConv) Run(c *ops.Ctx) error { return runFused(c, op.constantConv, op.finish) }

func runFused(c *ops.Ctx, op *constantConv, e conv.Finish) error {
	if z := c.Tensor(3); z != nil {
		_, shape, err := op.geometry(c.Tensor(0).Shape(), op.shape)
		if err != nil {
			return err
		}
		if z.DType() != tensor.Float32 || !z.Shape().Equal(shape) {
			return fmt.Errorf("input Z is %v of shape %v, the result has shape %v", z.DType(), z.Shape(), shape)
		}
		e.Residual = z.Float32()
	}
	return op.run(c, e)
}
