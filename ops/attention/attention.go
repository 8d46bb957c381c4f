// Package attention implements the attention operators of ai.onnx and ai.onnx.preview.
package attention

import (
	"errors"
	"fmt"
	"math"

	kernel "github.com/sardonyx-ml/sardonyx/kernels/attention"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "Attention", Since: 23, New: newAttention(23), Widen: true},
		ops.Def{Name: "Attention", Since: 24, New: newAttention(24), Widen: true},
		ops.Def{Name: "Attention", Since: 25, New: newAttention(25), Widen: true},
	)
}

// attention is https://onnx.ai/onnx/operators/onnx__Attention.html. Inputs: Q, K, V, attn_mask, past_key, past_value,
// nonpad_kv_seqlen (24). Outputs: Y, present_key, present_value, qk_matmul_output.
type attention struct {
	heads, kvHeads int // of 3-D inputs; 0 if not given
	scale          float32
	hasScale       bool
	softcap        float32
	causal         bool
	left, right    int
	stage          kernel.Stage
	double         bool // the softmax is wanted in double
	padMask        bool // a mask may be shorter than the keys
}

func newAttention(version int) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		op := attention{
			heads: a.Int("q_num_heads", 0), kvHeads: a.Int("kv_num_heads", 0),
			hasScale: a.Has("scale"), scale: a.Float("scale", 0), softcap: a.Float("softcap", 0),
			causal: a.Bool("is_causal", false), left: -1, right: -1, padMask: version >= 24,
		}
		stage := a.Int("qk_matmul_output_mode", 0)
		if stage < 0 || stage > 3 {
			a.Errorf("qk_matmul_output_mode is %d, not 0 to 3", stage)
		}
		op.stage = kernel.Stage(stage)
		op.double = softmaxPrecision(a) == tensor.Float64
		if version >= 25 {
			op.left, op.right = a.Int("left_window_size", -1), a.Int("right_window_size", -1)
		}
		if op.left < -1 || op.right < -1 {
			a.Errorf("window of %d keys to the left and %d to the right: neither may be below -1", op.left, op.right)
		}
		if op.heads < 0 || op.kvHeads < 0 {
			a.Errorf("%d query heads and %d key heads", op.heads, op.kvHeads)
		}
		return op, a.Done()
	}
}

// softmaxPrecision reads the attribute of that name; Undefined if absent.
func softmaxPrecision(a *ops.Attrs) tensor.DType {
	d := a.DType("softmax_precision", tensor.Undefined)
	switch d {
	case tensor.Undefined, tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16:
	default:
		a.Errorf("softmax_precision is %v, not a floating-point type", d)
	}
	return d
}

// Infer implements ops.Op.
func (op attention) Infer(c *ops.Infer) error {
	q, k, v := op.split(c, 0, op.heads), op.split(c, 1, op.kvHeads), op.split(c, 2, op.kvHeads)
	c.SetDType(0, c.DType(0))
	c.SetDType(1, c.DType(1))
	c.SetDType(2, c.DType(2))
	c.SetDType(3, c.DType(0))
	if q == nil || k == nil || v == nil {
		return nil
	}
	total := k[2]
	if c.Has(4) {
		total = tensor.Dim{}
		if past, ok := c.Dims(4); ok && len(past) == 4 {
			total = k[2].Add(past[2])
		}
	}
	if d, _ := c.Dims(0); len(d) == 3 {
		c.SetOut(0, c.DType(0), q[0], q[2], q[1].Mul(v[3]))
	} else {
		c.SetOut(0, c.DType(0), q[0], q[1], q[2], v[3])
	}
	c.SetOut(1, c.DType(1), k[0], k[1], total, k[3])
	c.SetOut(2, c.DType(2), v[0], v[1], total, v[3])
	c.SetOut(3, c.DType(0), q[0], q[1], q[2], total)
	return nil
}

// split returns input i's dimensions as (batch, heads, sequence, size), nil if its rank is unknown.
func (op attention) split(c *ops.Infer, i, heads int) []tensor.Dim {
	d, ok := c.Dims(i)
	if !ok || len(d) == 4 {
		return d
	}
	if len(d) != 3 || heads == 0 {
		return nil
	}
	return []tensor.Dim{d[0], tensor.Int(heads), d[1], d[2].Div(tensor.Int(heads))}
}

// Run implements ops.Op.
func (op attention) Run(c *ops.Ctx) error {
	if op.double || c.Tensor(0).DType() == tensor.Float64 {
		return run[float64](c, op)
	}
	return run[float32](c, op)
}

// operand is Q, K or V with its sizes.
type operand struct {
	*tensor.Tensor
	batch, heads, seq, size int
	packed                  bool // (batch, seq, heads·size)
}

func newOperand(name string, t *tensor.Tensor, heads int) (operand, error) {
	s := t.Shape()
	switch {
	case len(s) == 4 && heads != 0 && heads != s[1]:
		return operand{}, fmt.Errorf("%s has shape %v, the attributes say %d heads", name, s, heads)
	case len(s) == 4:
		return operand{t, s[0], s[1], s[2], s[3], false}, nil
	case len(s) != 3:
		return operand{}, fmt.Errorf("%s has shape %v, not 3 or 4 axes", name, s)
	case heads == 0:
		return operand{}, fmt.Errorf("%s has 3 axes: q_num_heads and kv_num_heads are needed", name)
	case s[2]%heads != 0:
		return operand{}, fmt.Errorf("%s of shape %v does not divide into %d heads", name, s, heads)
	}
	return operand{t, s[0], heads, s[1], s[2] / heads, true}, nil
}

func array[T kernel.Float](c *ops.Ctx, o operand) (kernel.Array[T], error) {
	data, err := ops.Floats[T](c, o.Tensor)
	if o.packed {
		return kernel.Packed(data, o.heads, o.seq, o.size), err
	}
	return kernel.Contiguous(data, o.heads, o.seq, o.size), err
}

func (op attention) operands(c *ops.Ctx) (q, k, v operand, err error) {
	if q, err = newOperand("Q", c.Tensor(0), op.heads); err != nil {
		return
	}
	if k, err = newOperand("K", c.Tensor(1), op.kvHeads); err != nil {
		return
	}
	if v, err = newOperand("V", c.Tensor(2), op.kvHeads); err != nil {
		return
	}
	qs, ks, vs := q.Shape(), k.Shape(), v.Shape()
	switch {
	case len(qs) != len(ks) || len(qs) != len(vs):
		err = fmt.Errorf("ranks of Q %v, K %v and V %v differ", qs, ks, vs)
	case q.batch != k.batch || q.batch != v.batch:
		err = fmt.Errorf("batch sizes of Q %v, K %v and V %v differ", qs, ks, vs)
	case q.size != k.size:
		err = fmt.Errorf("head sizes %d of Q and %d of K differ", q.size, k.size)
	case k.heads != v.heads || k.seq != v.seq:
		err = fmt.Errorf("key %v and value %v do not match", ks, vs)
	case k.heads == 0 && q.heads != 0 || k.heads != 0 && q.heads%k.heads != 0:
		err = fmt.Errorf("%d query heads for %d key heads", q.heads, k.heads)
	}
	return
}

func run[T kernel.Float](c *ops.Ctx, op attention) error {
	q, k, v, err := op.operands(c)
	if err != nil {
		return err
	}
	if c.Has(4) != c.Has(5) {
		return errors.New("past_key and past_value must be given together")
	}
	if c.Has(4) && c.Has(6) {
		return errors.New("nonpad_kv_seqlen cannot be combined with past_key")
	}
	current := k.seq
	if k, err = present(c, 1, k, c.Tensor(4)); err != nil {
		return err
	}
	if v, err = present(c, 2, v, c.Tensor(5)); err != nil {
		return err
	}
	if k.seq != v.seq {
		return fmt.Errorf("past_key %v and past_value %v do not match", c.Tensor(4).Shape(), c.Tensor(5).Shape())
	}
	a := &kernel.Args[T]{
		Batch: q.batch, Heads: q.heads, KVHeads: k.heads, QLen: q.seq, KVLen: k.seq, HeadSize: q.size, VSize: v.size,
		Scale: T(op.scale), Softcap: T(op.softcap), Causal: op.causal, Windowed: op.left >= 0 || op.right >= 0,
		Left: op.left, Right: op.right, Stage: op.stage,
	}
	if !op.hasScale {
		a.Scale = T(1 / math.Sqrt(float64(q.size)))
	}
	if a.Q, err = array[T](c, q); err != nil {
		return err
	}
	if a.K, err = array[T](c, k); err != nil {
		return err
	}
	if a.V, err = array[T](c, v); err != nil {
		return err
	}
	if err := setMasks(c, op, a, k.seq-current); err != nil {
		return err
	}
	return compute(c, a, q)
}

// compute allocates Y and the scores and runs the kernel.
func compute[T kernel.Float](c *ops.Ctx, a *kernel.Args[T], q operand) error {
	shape := tensor.Shape{a.Batch, a.Heads, a.QLen, a.VSize}
	if q.packed {
		shape = tensor.Shape{a.Batch, a.QLen, a.Heads * a.VSize}
	}
	out, finish, err := ops.NewFloats[T](c, 0, q.DType(), shape)
	if err != nil {
		return err
	}
	a.Y = kernel.Contiguous(out, a.Heads, a.QLen, a.VSize)
	if q.packed {
		a.Y = kernel.Packed(out, a.Heads, a.QLen, a.VSize)
	}
	finishScores := func() {}
	if c.Wants(3) {
		a.Scores, finishScores, err = ops.NewFloats[T](c, 3, q.DType(), tensor.Shape{a.Batch, a.Heads, a.QLen, a.KVLen})
		if err != nil {
			return err
		}
	}
	kernel.Run(c.Pool, a)
	finish()
	finishScores()
	return nil
}
