package contrib

import (
	"fmt"
	"math"
	"sort"

	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(floatOp("MoE", newMoE(false)), floatOp("QMoE", newMoE(true)))
}

// moe is MoE and QMoE: each token goes to the k experts with the largest router scores, and the results are summed with
// the experts' probabilities. An expert is fc2(act(fc1·x)), or fc2(act(fc1·x)·fc3·x); weights are stored row by output.
type moe struct {
	k           int
	normalize   bool
	sparseMixer bool
	activation  string
	fusion      int // how fc1 holds both halves of swiglu: 1 interleaved, 2 one after the other
	alpha, beta float32
	limit       float32
	quantized   bool
	bits, block int
	in          [3]expertSlots // fc1, fc2, fc3
}

// expertSlots are the numbers of inputs of a layer.
type expertSlots struct{ weights, scales, bias, zeros int }

func newMoE(quantized bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		o := moe{k: a.Int("k", 1), normalize: a.Bool("normalize_routing_weights", false), sparseMixer: a.Bool("use_sparse_mixer", false),
			activation: a.Enum("activation_type", "relu", "gelu", "silu", "swiglu", "identity"), fusion: a.Int("swiglu_fusion", 0),
			alpha: a.Float("activation_alpha", 1), beta: a.Float("activation_beta", 0), limit: a.Float("swiglu_limit", float32(math.Inf(1))),
			quantized: quantized, in: [3]expertSlots{{2, 0, 3, 0}, {4, 0, 5, 0}, {6, 0, 7, 0}}}
		if o.activation != "swiglu" {
			o.fusion = 0
		}
		if quantized {
			o.bits, o.block = a.Int("expert_weight_bits", 4), a.Int("block_size", 0)
			o.in = [3]expertSlots{{2, 3, 4, 11}, {5, 6, 7, 12}, {8, 9, 10, 13}}
			a.Ignore("accuracy_level")
			if t := a.String("quant_type", "int"); t != "int" || a.Int("weights_prepacked", -1) > 0 {
				return nil, fmt.Errorf("quant_type %q, or prepacked weights: %w", t, ops.ErrUnsupported)
			}
			if o.bits != 2 && o.bits != 4 && o.bits != 8 || o.block < 0 {
				a.Errorf("expert_weight_bits %d, block_size %d", o.bits, o.block)
			}
		}
		if o.k <= 0 || o.fusion < 0 || o.fusion > 2 || o.sparseMixer && o.k > 2 {
			a.Errorf("k %d, swiglu_fusion %d", o.k, o.fusion)
		}
		return o, a.Done()
	}
}

// Infer implements ops.Op.
func (o moe) Infer(c *ops.Infer) error { return same(c) }

// expertLayer is one layer of all experts: the weights of expert e are rows·cols numbers.
type expertLayer struct {
	rows, cols int
	data       []float32
	quant      *blockQuant
	bias       []float32
}

// layer reads fully connected layer i of the given number of experts and columns; it is nil if absent.
func (o moe) layer(c *ops.Ctx, i, experts, cols int) (*expertLayer, error) {
	s := o.in[i]
	w := c.Tensor(s.weights)
	if w == nil {
		return nil, nil
	}
	per := 1
	if o.quantized {
		per = 8 / o.bits
	}
	if w.Rank() != 3 || w.Dim(0) != experts || w.Dim(2)*per != cols {
		return nil, fmt.Errorf("weights of fc%d have shape %v for %d experts and %d columns", i+1, w.Shape(), experts, cols)
	}
	l := &expertLayer{rows: w.Dim(1), cols: cols}
	var err error
	if l.bias, err = vectorOf(c, s.bias, experts*l.rows, "bias"); err != nil {
		return nil, err
	}
	if !o.quantized {
		l.data, err = floatInput(c, s.weights)
		return l, err
	}
	if w.DType() != tensor.Uint8 {
		return nil, fmt.Errorf("weights of fc%d are %v: %w", i+1, w.DType(), ops.ErrUnsupported)
	}
	q := &blockQuant{bits: o.bits, block: o.block, data: tensor.Slice[uint8](w), rowBytes: w.Dim(2)}
	if q.block == 0 {
		q.block = max(cols, 1)
	}
	q.blocks = (cols + q.block - 1) / q.block
	if q.scales, err = vectorOf(c, s.scales, experts*l.rows*q.blocks, "scales"); err != nil {
		return nil, err
	}
	if q.scales == nil {
		return nil, fmt.Errorf("fc%d has no scales", i+1)
	}
	l.quant = q
	return l, o.expertZeros(c.Tensor(s.zeros), q, experts, l.rows)
}

// expertZeros reads zero points. With one block a row, those of several rows share a byte; they become one a byte here.
func (o moe) expertZeros(z *tensor.Tensor, q *blockQuant, experts, rows int) error {
	if z == nil {
		return nil
	}
	per := 8 / o.bits
	if z.DType() != tensor.Uint8 {
		return fmt.Errorf("zero points are %v", z.DType())
	}
	packed := tensor.Slice[uint8](z)
	q.zeroBytes = (q.blocks + per - 1) / per
	if o.block > 0 {
		if len(packed) != experts*rows*q.zeroBytes {
			return fmt.Errorf("zero points have shape %v", z.Shape())
		}
		q.zeros = packed
		return nil
	}
	each := (rows + per - 1) / per
	if len(packed) != experts*each {
		return fmt.Errorf("zero points have shape %v", z.Shape())
	}
	q.zeros = make([]uint8, experts*rows)
	for e := range experts {
		for r := range rows {
			q.zeros[e*rows+r] = packed[e*each+r/per] >> (r % per * o.bits) & uint8(1<<o.bits-1)
		}
	}
	return nil
}

// apply sets y (n, rows) to x (n, cols) times the weights of expert e, plus its bias.
func (l *expertLayer) apply(c *ops.Ctx, y, x []float32, n, e int) {
	g := &gemm.Args[float32]{M: n, N: l.rows, K: l.cols, C: y, LDC: l.rows, A: gemm.RowMajor(x, l.cols, false)}
	if l.quant != nil {
		g.BlockB = func(dst []float32, nr, k0, kc, j0, nc int) { l.quant.columns(dst, nr, k0, kc, e*l.rows+j0, nc) }
	} else {
		g.B = gemm.RowMajor(l.data[e*l.rows*l.cols:], l.cols, true)
	}
	if l.bias != nil {
		g.Bias = gemm.Operand[float32]{Data: l.bias[e*l.rows:], Col: 1}
	}
	gemm.Mul(c.Pool, g)
}

// route is one token's way through one expert.
type route struct {
	token  int
	weight float32
}

// Run implements ops.Op.
func (o moe) Run(c *ops.Ctx) error {
	x, err := floatInput(c, 0)
	if err != nil {
		return err
	}
	tokens, hidden, err := splitLast(c.Tensor(0).Shape())
	if err != nil {
		return err
	}
	router := c.Tensor(1)
	if router.Rank() != 2 || router.Dim(0) != tokens || router.Dim(1) < o.k {
		return fmt.Errorf("router scores of shape %v for %d tokens and %d experts each", router.Shape(), tokens, o.k)
	}
	experts := router.Dim(1)
	routes, err := o.routes(c, tokens, experts)
	if err != nil {
		return err
	}
	var fc [3]*expertLayer
	if fc[0], err = o.layer(c, 0, experts, hidden); err != nil {
		return err
	}
	inner := fc[0].rows
	if o.fusion > 0 {
		inner /= 2
	}
	if fc[1], err = o.layer(c, 1, experts, inner); err != nil {
		return err
	}
	if fc[2], err = o.layer(c, 2, experts, hidden); err != nil {
		return err
	}
	if fc[1].rows != hidden || fc[2] != nil && fc[2].rows != inner || o.activation == "swiglu" && o.fusion == 0 && fc[2] == nil {
		return fmt.Errorf("layers of an expert do not fit: %d → %d → %d", hidden, inner, fc[1].rows)
	}
	out, err := c.New(0, tensor.Float32, c.Tensor(0).Shape())
	if err != nil {
		return err
	}
	ops.Zero(out)
	for e, rs := range routes {
		if err := c.Err(); err != nil {
			return err
		}
		if err := o.expert(c, out.Float32(), x, hidden, inner, fc, e, rs); err != nil {
			return err
		}
	}
	return nil
}

// expert adds what expert e makes of its tokens to y.
func (o moe) expert(c *ops.Ctx, y, x []float32, hidden, inner int, fc [3]*expertLayer, e int, rs []route) error {
	n := len(rs)
	if n == 0 {
		return nil
	}
	buf := make([]float32, n*(2*hidden+fc[0].rows+inner))
	in, mid, up, res := buf[:n*hidden], buf[n*hidden:n*(hidden+fc[0].rows)], buf[n*(hidden+fc[0].rows):n*(hidden+fc[0].rows+inner)], buf[n*(hidden+fc[0].rows+inner):]
	for i, r := range rs {
		copy(in[i*hidden:(i+1)*hidden], x[r.token*hidden:])
	}
	fc[0].apply(c, mid, in, n, e)
	if o.fusion > 0 {
		o.swiglu(up, mid, n, inner)
		mid = up
	} else {
		o.activate(mid)
		if fc[2] != nil {
			fc[2].apply(c, up, in, n, e)
			for i, v := range up {
				mid[i] *= v
			}
		}
	}
	fc[1].apply(c, res, mid, n, e)
	for i, r := range rs {
		row := y[r.token*hidden : (r.token+1)*hidden]
		for j, v := range res[i*hidden : (i+1)*hidden] {
			row[j] += r.weight * v
		}
	}
	return nil
}

func (o moe) activate(x []float32) {
	switch o.activation {
	case "relu":
		vec.Relu(x, x)
	case "gelu":
		fastGelu(x, x)
	case "silu":
		swishBy(float32(1))(x, x)
	case "swiglu":
		swishBy(o.alpha)(x, x)
	}
}

// swiglu sets y (n, inner) to gate·sigmoid(alpha·gate)·(linear+beta) of the halves of x, both limited.
func (o moe) swiglu(y, x []float32, n, inner int) {
	for r := range n {
		for i := range inner {
			g, l := x[r*2*inner+2*i], x[r*2*inner+2*i+1]
			if o.fusion == 2 {
				g, l = x[r*2*inner+i], x[r*2*inner+inner+i]
			}
			g, l = min(g, o.limit), max(min(l, o.limit), -o.limit)
			y[r*inner+i] = g * float32(1/(1+math.Exp(-float64(o.alpha*g)))) * (l + o.beta)
		}
	}
}

// routes returns the tokens of each expert. Input 14 of QMoE, if there, holds the weights instead of the scores.
func (o moe) routes(c *ops.Ctx, tokens, experts int) ([][]route, error) {
	scores, err := vectorOf(c, 1, tokens*experts, "router_probs")
	if err != nil {
		return nil, err
	}
	var weights []float32
	if o.quantized {
		if weights, err = vectorOf(c, 14, tokens*experts, "router_weights"); err != nil {
			return nil, err
		}
	}
	out := make([][]route, experts)
	for t := range tokens {
		row := append([]float32{}, scores[t*experts:(t+1)*experts]...)
		var ids []int
		var probs []float32
		if o.sparseMixer {
			ids, probs = mixSparsely(row, o.k)
		} else {
			ids, probs = o.best(row)
		}
		if weights != nil {
			o.reweigh(probs, ids, weights[t*experts:])
		}
		for i, e := range ids {
			out[e] = append(out[e], route{t, probs[i]})
		}
	}
	return out, nil
}

// reweigh sets the probabilities to the given weights of the chosen experts.
func (o moe) reweigh(probs []float32, ids []int, weights []float32) {
	sum := float32(0)
	for i, e := range ids {
		probs[i] = weights[e]
		sum += weights[e]
	}
	if o.normalize && sum != 0 {
		for i := range probs {
			probs[i] /= sum
		}
	}
}

// best returns the k experts with the largest scores and their probabilities: of the softmax over all, or over these if
// they are to sum to 1, as they always do in QMoE.
func (o moe) best(row []float32) ([]int, []float32) {
	ids := make([]int, len(row))
	for i := range ids {
		ids[i] = i
	}
	sort.SliceStable(ids, func(a, b int) bool { return row[ids[a]] > row[ids[b]] })
	ids = ids[:o.k]
	own := o.normalize || o.quantized
	if !own {
		softmaxRow(row)
	}
	probs := make([]float32, o.k)
	for i, e := range ids {
		probs[i] = row[e]
	}
	if own {
		softmaxRow(probs)
	}
	return ids, probs
}

// mixSparsely chooses one or two experts as SparseMixer does: one after the other, each with its probability among the
// experts whose scores come within 2 % of the best.
func mixSparsely(row []float32, k int) ([]int, []float32) {
	const jitter = 0.01
	var ids []int
	var probs []float32
	for range k {
		top := 0
		for i, v := range row {
			if v > row[top] {
				top = i
			}
		}
		sum := 0.0
		for _, v := range row {
			far := (row[top] - v) / max(float32(math.Abs(float64(v))), row[top])
			if v == row[top] || far <= 2*jitter {
				sum += math.Exp(float64(v - row[top]))
			}
		}
		ids, probs = append(ids, top), append(probs, float32(1/sum))
		row[top] = float32(math.Inf(-1))
	}
	return ids, probs
}
