package attention

import (
	"fmt"

	kernel "github.com/sardonyx-ml/sardonyx/kernels/attention"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Name: "CausalConvWithState", Since: 27, New: newCausalConv, Widen: true})
}

// causalConv is https://onnx.ai/onnx/operators/onnx__CausalConvWithState.html. Inputs: input (batch, channels, length),
// weight (channels, 1, k), bias (channels), past_state (batch, channels, k-1).
type causalConv struct{ silu bool }

func newCausalConv(a *ops.Attrs) (ops.Op, error) {
	return causalConv{a.Enum("activation", "none", "silu", "swish") != "none"}, a.Done()
}

// Infer implements ops.Op.
func (causalConv) Infer(c *ops.Infer) error {
	c.SetLike(0, 0)
	c.SetDType(1, c.DType(0))
	x, ok := c.Dims(0)
	w, wok := c.Dims(1)
	if ok && wok && len(x) == 3 && len(w) == 3 {
		c.SetOut(1, c.DType(0), x[0], x[1], w[2].AddInt(-1))
	}
	return nil
}

// Run implements ops.Op.
func (op causalConv) Run(c *ops.Ctx) error {
	x, w := c.Tensor(0), c.Tensor(1)
	if x.Rank() != 3 || w.Rank() != 3 || w.Dim(0) != x.Dim(1) || w.Dim(1) != 1 || w.Dim(2) < 1 {
		return fmt.Errorf("weight of shape %v does not fit an input of shape %v", w.Shape(), x.Shape())
	}
	batch, channels, n, k := x.Dim(0), x.Dim(1), x.Dim(2), w.Dim(2)
	state := tensor.Shape{batch, channels, k - 1}
	bias, past := make([]float32, channels), make([]float32, 0)
	if t := c.Tensor(2); t != nil {
		if !t.Shape().Equal(tensor.Shape{channels}) {
			return fmt.Errorf("bias has shape %v, not [%d]", t.Shape(), channels)
		}
		bias = t.Float32()
	}
	if t := c.Tensor(3); t != nil {
		if !t.Shape().Equal(state) {
			return fmt.Errorf("past_state has shape %v, not %v", t.Shape(), state)
		}
		past = t.Float32()
	}
	y, err := c.New(0, tensor.Float32, x.Shape())
	if err != nil {
		return err
	}
	next, err := c.New(1, tensor.Float32, state)
	if err != nil {
		return err
	}
	zeros := make([]float32, k-1)
	c.Parallel(batch*channels, ops.Grain(n*k), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			p := zeros
			if len(past) > 0 {
				p = past[i*(k-1) : (i+1)*(k-1)]
			}
			row, ch := x.Float32()[i*n:(i+1)*n], i%channels
			kernel.CausalConv(y.Float32()[i*n:(i+1)*n], row, p, w.Float32()[ch*k:(ch+1)*k], bias[ch], op.silu)
			keepLast(next.Float32()[i*(k-1):(i+1)*(k-1)], p, row)
		}
	})
	return nil
}

// keepLast sets dst to the last elements of past followed by x.
func keepLast(dst, past, x []float32) {
	if len(x) >= len(dst) {
		copy(dst, x[len(x)-len(dst):])
		return
	}
	copy(dst, past[len(x):])
	copy(dst[len(dst)-len(x):], x)
}
