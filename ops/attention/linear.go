package attention

import (
	"fmt"
	"math"

	kernel "github.com/sardonyx-ml/sardonyx/kernels/attention"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Name: "LinearAttention", Since: 27, New: newLinear})
}

// linear is https://onnx.ai/onnx/operators/onnx__LinearAttention.html. Inputs: query, key, value, past_state, decay, beta.
// It converts half precision itself: present_state may have another type than the activations.
type linear struct {
	heads, kvHeads int
	scale          float32
	gated, delta   bool
}

func newLinear(a *ops.Attrs) (ops.Op, error) {
	op := linear{heads: a.Int("q_num_heads", 0), kvHeads: a.Int("kv_num_heads", 0), scale: a.Float("scale", 0)}
	rule := a.Enum("update_rule", "gated_delta", "linear", "gated", "delta", "gated_delta")
	op.gated = rule == "gated" || rule == "gated_delta"
	op.delta = rule == "delta" || rule == "gated_delta"
	a.Ignore("chunk_size")
	if op.heads <= 0 || op.kvHeads <= 0 || op.heads%op.kvHeads != 0 {
		a.Errorf("q_num_heads %d must be a positive multiple of kv_num_heads %d", op.heads, op.kvHeads)
	}
	return op, a.Done()
}

// Infer implements ops.Op.
func (op linear) Infer(c *ops.Infer) error {
	state := c.DType(0)
	if c.Has(3) {
		state = c.DType(3)
	}
	c.SetDType(0, c.DType(0))
	c.SetDType(1, state)
	q, qok := c.Dims(0)
	v, vok := c.Dims(2)
	if !qok || !vok || len(q) != 3 || len(v) != 3 {
		return nil
	}
	dk, dv := q[2].Div(tensor.Int(op.heads)), v[2].Div(tensor.Int(op.kvHeads))
	c.SetOut(0, c.DType(0), q[0], q[1], dv.Mul(tensor.Int(op.heads)))
	c.SetOut(1, state, q[0], tensor.Int(op.kvHeads), dk, dv)
	return nil
}

// Run implements ops.Op.
func (op linear) Run(c *ops.Ctx) error {
	a, err := op.sizes(c)
	if err != nil {
		return err
	}
	for i, dst := range []*[]float32{&a.Q, &a.K, &a.V, nil, &a.Decay, &a.Beta} {
		if dst == nil || !c.Has(i) {
			continue
		}
		if *dst, err = ops.Floats[float32](c, c.Tensor(i)); err != nil {
			return err
		}
	}
	y, finish, err := ops.NewFloats[float32](c, 0, c.Tensor(0).DType(), tensor.Shape{a.Batch, a.Steps, a.Heads * a.ValueSize})
	if err != nil {
		return err
	}
	state := c.Tensor(0).DType()
	if c.Has(3) {
		state = c.Tensor(3).DType()
	}
	s, finishState, err := ops.NewFloats[float32](c, 1, state, tensor.Shape{a.Batch, a.KVHeads, a.KeySize, a.ValueSize})
	if err != nil {
		return err
	}
	a.Y, a.State = y, s
	clear(s)
	if past := c.Tensor(3); past != nil {
		tensor.DecodeFloat32(s, past)
	}
	kernel.RunLinear(c.Pool, a)
	finish()
	finishState()
	return nil
}

// sizes checks the inputs' shapes.
func (op linear) sizes(c *ops.Ctx) (*kernel.Linear, error) {
	if op.gated != c.Has(4) || op.delta != c.Has(5) {
		return nil, fmt.Errorf("decay must be given for gated rules only, beta for delta rules only")
	}
	for i, name := range []string{"query", "key", "value", "", "decay", "beta"} {
		if t := c.Tensor(i); t != nil && i != 3 && t.Rank() != 3 {
			return nil, fmt.Errorf("%s has shape %v, not 3 axes", name, t.Shape())
		}
	}
	q, k, v := c.Tensor(0).Shape(), c.Tensor(1).Shape(), c.Tensor(2).Shape()
	a := &kernel.Linear{Batch: q[0], Steps: q[1], Heads: op.heads, KVHeads: op.kvHeads, KeySize: q[2] / op.heads, ValueSize: v[2] / op.kvHeads, Scale: op.scale}
	b, t := a.Batch, a.Steps
	if q[2]%op.heads != 0 || v[2]%op.kvHeads != 0 || !k.Equal(tensor.Shape{b, t, a.KVHeads * a.KeySize}) || v[0] != b || v[1] != t {
		return nil, fmt.Errorf("query %v, key %v and value %v do not fit %d and %d heads", q, k, v, op.heads, op.kvHeads)
	}
	if s := c.Tensor(3); s != nil && (!s.Shape().Equal(tensor.Shape{b, a.KVHeads, a.KeySize, a.ValueSize}) || s.DType() == tensor.Float64) {
		return nil, fmt.Errorf("past_state is %v, not of shape %v", s, tensor.Shape{b, a.KVHeads, a.KeySize, a.ValueSize})
	}
	if d := c.Tensor(4); d != nil {
		s := d.Shape()
		switch a.DecaySize = 1; {
		case s.Equal(tensor.Shape{b, t, a.KVHeads}):
		case s.Equal(tensor.Shape{b, t, a.KVHeads * a.KeySize}):
			a.DecaySize = a.KeySize
		default:
			return nil, fmt.Errorf("decay has shape %v, not [%d %d] and %d or %d", s, b, t, a.KVHeads, a.KVHeads*a.KeySize)
		}
	}
	if d := c.Tensor(5); d != nil {
		s := d.Shape()
		if a.BetaHeads = s[2]; s[0] != b || s[1] != t || s[2] != 1 && s[2] != a.KVHeads {
			return nil, fmt.Errorf("beta has shape %v, not [%d %d] and %d or 1", s, b, t, a.KVHeads)
		}
	}
	if a.Scale == 0 {
		a.Scale = float32(1 / math.Sqrt(float64(a.KeySize)))
	}
	return a, nil
}
