package attention

import (
	"fmt"
	"math"

	kernel "github.com/sardonyx-ml/sardonyx/kernels/attention"
	"github.com/sardonyx-ml/sardonyx/kernels/softmax"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Domain: ops.Preview, Name: "FlexAttention", Since: 1, New: newFlex, Widen: true})
}

// flex is https://onnx.ai/onnx/operators/onnx_aionnxpreview_FlexAttention.html. Inputs: Q, K, V of rank 4.
type flex struct {
	scale             float32
	hasScale          bool
	scoreMod, probMod bool
	precision         tensor.DType // Undefined: double for double inputs, else float
}

func newFlex(a *ops.Attrs) (ops.Op, error) {
	op := flex{
		hasScale: a.Has("scale"), scale: a.Float("scale", 0), precision: softmaxPrecision(a),
		scoreMod: a.Graph("score_mod") != nil, probMod: a.Graph("prob_mod") != nil,
	}
	return op, a.Done()
}

// compute is the element type of scores and probabilities for inputs of type d.
func (op flex) compute(d tensor.DType) tensor.DType {
	switch {
	case op.precision != tensor.Undefined:
		return op.precision
	case d == tensor.Float64:
		return d
	}
	return tensor.Float32
}

// Infer implements ops.Op.
func (op flex) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	score := tensor.Type{Kind: tensor.KindTensor, DType: op.compute(c.DType(0))}
	q, qok := c.Dims(0)
	v, vok := c.Dims(2)
	if qok && vok && len(q) == 4 && len(v) == 4 {
		c.SetOut(0, c.DType(0), q[0], q[1], q[2], v[3])
		score = tensor.TensorType(score.DType, q[0], q[1], q[2], v[2])
	}
	for name, there := range map[string]bool{"score_mod": op.scoreMod, "prob_mod": op.probMod} {
		if !there || c.Graph == nil {
			continue
		}
		if _, err := c.Graph(name, []ops.Info{{Type: score}}); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// Run implements ops.Op.
func (op flex) Run(c *ops.Ctx) error {
	if op.compute(c.Tensor(0).DType()) == tensor.Float64 || c.Tensor(0).DType() == tensor.Float64 {
		return runFlex[float64](c, op)
	}
	return runFlex[float32](c, op)
}

func runFlex[T kernel.Float](c *ops.Ctx, op flex) error {
	q, k, v, err := attention{}.operands(c)
	if err != nil {
		return err
	}
	if q.packed {
		return fmt.Errorf("query has shape %v, not 4 axes", q.Shape())
	}
	a := &kernel.Args[T]{Batch: q.batch, Heads: q.heads, KVHeads: k.heads, QLen: q.seq, KVLen: k.seq, HeadSize: q.size, VSize: v.size}
	if a.Scale = T(op.scale); !op.hasScale {
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
	y, finish, err := ops.NewFloats[T](c, 0, q.DType(), tensor.Shape{q.batch, q.heads, q.seq, v.size})
	if err != nil {
		return err
	}
	a.Y = kernel.Contiguous(y, q.heads, q.seq, v.size)
	if op.scoreMod || op.probMod {
		err = staged(c, op, a, op.compute(q.DType()))
	} else {
		kernel.Run(c.Pool, a)
	}
	if err != nil {
		return err
	}
	finish()
	return nil
}

// staged computes all scores and passes them, and the probabilities, of element type d, through the subgraphs.
func staged[T kernel.Float](c *ops.Ctx, op flex, a *kernel.Args[T], d tensor.DType) error {
	shape := tensor.Shape{a.Batch, a.Heads, a.QLen, a.KVLen}
	n, err := shape.CheckSize()
	if err != nil {
		return err
	}
	if a.Scores, err = ops.Scratch[T](c, n); err != nil {
		return err
	}
	kernel.Scores(c.Pool, a)
	scores, err := modify(c, "score_mod", op.scoreMod, a.Scores, d, shape)
	if err != nil {
		return err
	}
	if n > 0 {
		c.Parallel(n/a.KVLen, ops.Grain(8*a.KVLen), func(lo, hi int) {
			for r := lo; r < hi; r++ {
				softmax.Softmax(a.Scores[r*a.KVLen:(r+1)*a.KVLen], scores[r*a.KVLen:(r+1)*a.KVLen], a.KVLen, 1)
			}
		})
	}
	if a.Scores, err = modify(c, "prob_mod", op.probMod, a.Scores, d, shape); err != nil {
		return err
	}
	kernel.Apply(c.Pool, a)
	return nil
}

// modify rounds x to element type d, passes it through the named subgraph if it is there, and returns the result as T.
func modify[T kernel.Float](c *ops.Ctx, name string, there bool, x []T, d tensor.DType, shape tensor.Shape) ([]T, error) {
	if !there {
		return x, nil
	}
	t := tensor.Of(shape, x)
	if d != t.DType() {
		var err error
		if t, err = scratch(c, d, shape); err != nil {
			return nil, err
		}
		ops.StoreFloats(t, x)
	}
	out, err := c.RunGraph(name, []tensor.Value{t})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(out) != 1 {
		return nil, fmt.Errorf("%s has %d outputs, not 1", name, len(out))
	}
	y, ok := out[0].(*tensor.Tensor)
	if !ok || y.DType() != d || !y.Shape().Equal(shape) {
		return nil, fmt.Errorf("%s returned %v for %v", name, out[0], t)
	}
	return ops.Floats[T](c, y)
}
