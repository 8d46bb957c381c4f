package contrib

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/attention"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(floatOp("GroupQueryAttention", newGQA))
}

// gqa is GroupQueryAttention: causal attention with rotary positions in which several query heads share a key head, and
// with a state of its own length for each batch entry.
//
// Inputs: query, key?, value?, past_key?, past_value?, seqlens_k, total_sequence_length, cos_cache?, sin_cache?,
// position_ids?, attention_bias?, head_sink?, k_scale?, v_scale?, q_norm_weight?, k_norm_weight?.
type gqa struct {
	heads, kvHeads int
	scale, softcap float32
	causal, rotary bool
	interleaved    bool
	smooth         bool
	window         int
	evict          bool // the state holds about a window of keys
	qkOutput       int
	normEps        float64
	kQuant, vQuant string
	cacheBits      int
}

func newGQA(a *ops.Attrs) (ops.Op, error) {
	o := gqa{heads: a.Int("num_heads", 0), kvHeads: a.Int("kv_num_heads", 0), scale: a.Float("scale", 0), softcap: a.Float("softcap", 0),
		causal: a.Bool("causal", true), rotary: a.Bool("do_rotary", false), interleaved: a.Bool("rotary_interleaved", false),
		smooth: a.Int("smooth_softmax", 0) == 1, window: a.Int("local_window_size", -1), qkOutput: a.Int("qk_output", 0),
		normEps: float64(a.Float("qk_norm_epsilon", 1e-6)), cacheBits: a.Int("kv_cache_bit_width", 0),
		kQuant: a.Enum("k_quant_type", "NONE", "PER_TENSOR", "PER_CHANNEL"), vQuant: a.Enum("v_quant_type", "NONE", "PER_TENSOR", "PER_CHANNEL")}
	if o.heads <= 0 || o.kvHeads <= 0 || o.heads%o.kvHeads != 0 {
		a.Errorf("num_heads %d with kv_num_heads %d", o.heads, o.kvHeads)
	}
	if !o.causal && o.window > 0 {
		a.Errorf("local_window_size %d without causal", o.window)
	}
	if o.evict = a.Bool("sliding_window_cache", false); o.evict && o.window <= 0 {
		a.Errorf("sliding_window_cache without local_window_size")
	}
	return o, a.Done()
}

// Infer implements ops.Op.
func (o gqa) Infer(c *ops.Infer) error {
	d, cache := c.DType(0), c.DType(0)
	if c.Has(3) {
		cache = c.DType(3)
	}
	c.SetDType(0, d)
	c.SetDType(1, cache)
	c.SetDType(2, cache)
	c.SetDType(3, d)
	q, ok := c.Dims(0)
	if !ok || len(q) != 3 {
		return nil
	}
	hidden := q[2]
	if !c.Has(1) {
		hidden = tensor.Dim{}
		if n, ok := q[2].Int(); ok {
			hidden = tensor.Int(n / (o.heads + 2*o.kvHeads) * o.heads)
		}
	}
	c.SetOut(0, d, q[0], q[1], hidden)
	size := tensor.Dim{}
	if p, ok := c.Dims(3); ok && len(p) == 4 {
		size = p[3]
	} else if n, ok := hidden.Int(); ok {
		size = tensor.Int(n / o.heads)
	}
	for i := 1; i <= 2; i++ {
		c.SetOut(i, cache, q[0], tensor.Int(o.kvHeads), tensor.Dim{}, size)
	}
	return nil
}

// groups reads queries, keys and values, packed or apart, of input 0 to 2.
func groups(c *ops.Ctx, heads, kvHeads int) (q, k, v source, err error) {
	for i := range 3 {
		if _, err := floatInput(c, i); err != nil {
			return q, k, v, err
		}
	}
	t := c.Tensor(0)
	if err := rank(t, "query", 3); err != nil {
		return q, k, v, err
	}
	if c.Tensor(1) != nil && c.Tensor(2) != nil {
		if q, err = headsOf(t, heads, "query"); err != nil {
			return q, k, v, err
		}
		if k, err = headsOf(c.Tensor(1), kvHeads, "key"); err != nil {
			return q, k, v, err
		}
		v, err = headsOf(c.Tensor(2), kvHeads, "value")
		if err == nil && (k.rows != q.rows || v.rows != q.rows || k.size != q.size || v.size != q.size || c.Tensor(1).Dim(0) != t.Dim(0) || c.Tensor(2).Dim(0) != t.Dim(0)) {
			err = fmt.Errorf("query %v, key %v and value %v do not fit", t.Shape(), c.Tensor(1).Shape(), c.Tensor(2).Shape())
		}
		return q, k, v, err
	}
	n := heads + 2*kvHeads
	if t.Dim(2)%n != 0 {
		return q, k, v, fmt.Errorf("query of shape %v does not hold %d heads", t.Shape(), n)
	}
	size := t.Dim(2) / n
	q = source{attention.Packed(t.Float32(), n, t.Dim(1), size), t.Dim(1), size, true}
	k, v = q, q
	k.Data, v.Data = q.Data[min(heads*size, len(q.Data)):], q.Data[min((heads+kvHeads)*size, len(q.Data)):]
	return q, k, v, nil
}

// Run implements ops.Op.
func (o gqa) Run(c *ops.Ctx) error {
	q, k, v, err := groups(c, o.heads, o.kvHeads)
	if err != nil {
		return err
	}
	s := groupState{headSet: headSet{batch: c.Tensor(0).Dim(0), heads: o.heads, kvHeads: o.kvHeads, seq: q.rows, newKeys: q.rows, size: q.size, vSize: q.size}}
	if err := s.lengths(c, c.Tensor(5), 1, 6); err != nil {
		return err
	}
	if o.evict {
		if err := s.slide(c.Tensor(3), o.window); err != nil {
			return err
		}
	}
	if q.Array, err = o.prepare(c, &s, q, o.heads, 14); err != nil {
		return err
	}
	if k.Array, err = o.prepare(c, &s, k, o.kvHeads, 15); err != nil {
		return err
	}
	s.q = q.Array
	if s.k, err = o.state(c, &s, 3, 1, k.Array, o.kQuant); err != nil {
		return err
	}
	if s.v, err = o.state(c, &s, 4, 2, v.Array, o.vQuant); err != nil {
		return err
	}
	return o.attend(c, &s)
}

// prepare normalizes and rotates the rows of x, which has as many heads; the norm's weights are input norm.
func (o gqa) prepare(c *ops.Ctx, s *groupState, x source, heads, norm int) (attention.Array[float32], error) {
	weights, err := vectorOf(c, norm, x.size, "norm weights")
	if err != nil || weights == nil && !o.rotary {
		return x.Array, err
	}
	var table angles
	pos := func(_, _ int) int { return 0 }
	if o.rotary {
		if table, err = newAngles(c, 7, 8, o.interleaved); err != nil {
			return x.Array, err
		}
		if 2*table.half > x.size {
			return x.Array, fmt.Errorf("caches for %d rotated columns, heads of %d", 2*table.half, x.size)
		}
		if pos, err = s.positions(c.Tensor(9), table.rows); err != nil {
			return x.Array, err
		}
	}
	buf, err := ops.Scratch[float32](c, s.batch*heads*x.rows*x.size)
	if err != nil {
		return x.Array, err
	}
	c.Parallel(s.batch*heads*x.rows, ops.Grain(6*x.size), func(lo, hi int) {
		for n := lo; n < hi; n++ {
			b, h, r := n/x.rows/heads, n/x.rows%heads, n%x.rows
			at := b*x.Batch + h*x.Head + r*x.Row
			dst, src := buf[n*x.size:(n+1)*x.size], x.Data[at:at+x.size]
			if weights != nil {
				normRow(dst, src, weights, nil, o.normEps, true)
				src = dst
			}
			if o.rotary {
				table.rotate(dst, src, pos(b, r))
			}
		}
	})
	return attention.Contiguous(buf, heads, x.rows, x.size), nil
}

// positions returns the rotary position of each row: given, or counted from the past on. When everything is new, a given
// position is that of the first token.
func (s *groupState) positions(ids *tensor.Tensor, limit int) (func(b, r int) int, error) {
	if ids != nil && s.first && ids.Len() > 1 {
		first, err := ids.Ints()
		if err != nil {
			return nil, err
		}
		ids = tensor.Vector(int64(first[0]))
	}
	if ids != nil {
		return positions(ids, s.batch, s.seq, limit)
	}
	for b, n := range s.pasts {
		if n += s.evicted[b]; n+s.seq > limit {
			return nil, fmt.Errorf("position %d of batch entry %d is not in caches of %d rows", n+s.seq-1, b, limit)
		}
	}
	return func(b, r int) int { return s.evicted[b] + s.pasts[b] + r }, nil
}

// attend writes outputs 0 and 3.
func (o gqa) attend(c *ops.Ctx, s *groupState) error {
	args := s.args(o.scale, s.maxLen)
	args.Softcap, args.KVLens = o.softcap, s.lens
	if o.causal {
		args.Causal, args.Offset = true, s.pasts
		if o.window > 0 {
			args.Windowed, args.Left, args.Right = true, o.window-1, -1
		}
	}
	var err error
	if args.Bias, err = scoreBias(c, c.Tensor(10), attention.Broadcast[float32]{}, s.batch, s.heads, s.seq, s.longest); err != nil {
		return err
	}
	if o.evict {
		if args.Bias, err = s.residentBias(c, args.Bias); err != nil {
			return err
		}
	}
	if args.Sink, err = vectorOf(c, 11, s.heads, "head_sink"); err != nil {
		return err
	}
	if args.Sink == nil && o.smooth {
		args.Sink = make([]float32, s.heads)
	}
	if c.Wants(3) {
		t, err := c.New(3, tensor.Float32, tensor.Shape{s.batch, s.heads, s.seq, s.maxLen})
		if err != nil {
			return err
		}
		args.Scores, args.Stage = t.Float32(), attention.Biased
		if o.qkOutput == 2 {
			args.Stage = attention.Probabilities
		}
	}
	if err := s.write(c, args); err != nil {
		return err
	}
	for i, v := range args.Scores {
		if math.IsInf(float64(v), -1) {
			args.Scores[i] = 0
		}
	}
	return nil
}
