package contrib

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/attention"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		floatOp("MultiHeadAttention", newMHA(false)),
		floatOp("DecoderMaskedMultiHeadAttention", newMHA(true)),
	)
}

// mha is MultiHeadAttention, and DecoderMaskedMultiHeadAttention, which decodes one token and knows beams. Queries are
// (B, S, N·H), or hold keys too as (B, S, N, 3, H); keys are (B, L, N·H), (B, L, N, 2, H) with the values, or
// (B, N, L, H) as an earlier node left them.
type mha struct {
	heads         int
	filter, scale float32
	causal        bool
	decoder       bool
	shared        bool
	in            mhaSlots
}

// mhaSlots are the numbers of inputs.
type mhaSlots struct{ bias, mask, scoreBias, pastKey, pastValue, pastLen, beams, indirection int }

func newMHA(decoder bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		o := mha{heads: a.Int("num_heads", 0), filter: a.Float("mask_filter_value", -10000), scale: a.Float("scale", 0), decoder: decoder}
		if o.heads <= 0 {
			a.Errorf("num_heads is %d", o.heads)
		}
		if decoder {
			o.shared = a.Bool("past_present_share_buffer", false)
			a.Ignore("output_qk")
			o.in = mhaSlots{bias: 10, mask: 3, scoreBias: 4, pastKey: 5, pastValue: 6, pastLen: 7, beams: 8, indirection: 9}
		} else {
			o.causal = a.Bool("unidirectional", false)
			o.in = mhaSlots{bias: 3, mask: 4, scoreBias: 5, pastKey: 6, pastValue: 7, pastLen: 8, indirection: 9}
		}
		return o, a.Done()
	}
}

// Infer implements ops.Op.
func (o mha) Infer(c *ops.Infer) error {
	d := c.DType(0)
	for i := range 4 {
		c.SetDType(i, d)
	}
	q, ok := c.Dims(0)
	if !ok || len(q) != 3 && len(q) != 5 {
		return nil
	}
	hidden := tensor.Dim{}
	if len(q) == 3 && c.Has(1) {
		hidden = q[2]
	}
	v, ok := c.Dims(2)
	switch {
	case ok && len(v) == 3:
		hidden = v[2]
	case ok && len(v) == 4:
		hidden = tensor.Dim{}
		if n, ok := v[3].Int(); ok {
			hidden = tensor.Int(n * o.heads)
		}
	case !c.Has(1) && len(q) == 3:
		if n, ok := q[2].Int(); ok {
			hidden = tensor.Int(n / 3)
		}
	}
	c.SetOut(0, d, q[0], q[1], hidden)
	return nil
}

// source is where queries, keys or values come from, before a bias.
type source struct {
	attention.Array[float32]
	rows, size int
	packed     bool // not yet (B, N, L, H): takes a bias
}

func (s source) copyTo(dst []float32, batch, heads int, bias []float32) attention.Array[float32] {
	for n := range batch * heads * s.rows {
		b, h, r := n/s.rows/heads, n/s.rows%heads, n%s.rows
		at := b*s.Batch + h*s.Head + r*s.Row
		row := dst[n*s.size : (n+1)*s.size]
		copy(row, s.Data[at:at+s.size])
		for i, v := range bias[h*s.size : (h+1)*s.size] {
			row[i] += v
		}
	}
	return attention.Contiguous(dst, heads, s.rows, s.size)
}

// split finds queries, keys and values in inputs 0 to 2.
func (o mha) split(c *ops.Ctx) (q, k, v source, err error) {
	query, key, value := c.Tensor(0), c.Tensor(1), c.Tensor(2)
	for i := range 3 {
		if _, err := floatInput(c, i); err != nil {
			return q, k, v, err
		}
	}
	s := query.Shape()
	switch {
	case key == nil && len(s) == 5:
		parts, err := interleavedParts(query, o.heads, 3)
		if err != nil {
			return q, k, v, err
		}
		return parts[0], parts[1], parts[2], nil
	case key == nil && len(s) == 3:
		if s[2]%(3*o.heads) != 0 {
			return q, k, v, fmt.Errorf("query of shape %v does not hold three times %d heads", s, o.heads)
		}
		n := s[2] / 3 / o.heads
		whole := source{attention.Array[float32]{Data: query.Float32(), Batch: s[1] * s[2], Head: n, Row: s[2]}, s[1], n, true}
		k, v = whole, whole
		k.Data, v.Data = whole.Data[min(s[2]/3, len(whole.Data)):], whole.Data[min(s[2]/3*2, len(whole.Data)):]
		return whole, k, v, nil
	}
	if q, err = headsOf(query, o.heads, "query"); err != nil {
		return q, k, v, err
	}
	if key != nil && key.Rank() == 5 && value == nil {
		parts, err := interleavedParts(key, o.heads, 2)
		if err != nil {
			return q, k, v, err
		}
		k, v = parts[0], parts[1]
	} else {
		if value == nil {
			return q, k, v, fmt.Errorf("key of shape %v needs a value", key.Shape())
		}
		if k, err = headsOf(key, o.heads, "key"); err != nil {
			return q, k, v, err
		}
		if v, err = headsOf(value, o.heads, "value"); err != nil {
			return q, k, v, err
		}
		if key.Dim(0) != s[0] || value.Dim(0) != s[0] {
			return q, k, v, fmt.Errorf("batches of query %v, key %v and value %v differ", s, key.Shape(), value.Shape())
		}
	}
	if k.rows != v.rows || k.size != q.size {
		return q, k, v, fmt.Errorf("query %v, key and value do not fit: %d rows of %d, %d rows", s, k.rows, k.size, v.rows)
	}
	return q, k, v, nil
}

// headsOf reads (B, S, N·H) or (B, N, S, H).
func headsOf(t *tensor.Tensor, heads int, name string) (source, error) {
	s := t.Shape()
	switch {
	case len(s) == 3 && s[2]%heads == 0:
		n := s[2] / heads
		return source{attention.Packed(t.Float32(), heads, s[1], n), s[1], n, true}, nil
	case len(s) == 4 && s[1] == heads:
		return source{attention.Contiguous(t.Float32(), heads, s[2], s[3]), s[2], s[3], false}, nil
	}
	return source{}, fmt.Errorf("%s has shape %v for %d heads", name, s, heads)
}

// interleavedParts splits (B, S, N, parts, H).
func interleavedParts(t *tensor.Tensor, heads, parts int) ([]source, error) {
	s := t.Shape()
	if s[2] != heads || s[3] != parts {
		return nil, fmt.Errorf("packed tensor has shape %v for %d heads and %d parts", s, heads, parts)
	}
	out := make([]source, parts)
	for i := range out {
		data := t.Float32()
		out[i] = source{attention.Array[float32]{Data: data[min(i*s[4], len(data)):], Batch: s[1] * s[2] * s[3] * s[4], Head: s[3] * s[4], Row: s[2] * s[3] * s[4]}, s[1], s[4], true}
	}
	return out, nil
}

// addBias copies the parts that take a bias and adds theirs.
func (o mha) addBias(c *ops.Ctx, batch int, parts ...*source) error {
	t := c.Tensor(o.in.bias)
	if t == nil {
		return nil
	}
	total := 0
	for _, p := range parts {
		total += o.heads * p.size
	}
	bias, err := vectorOf(c, o.in.bias, total, "bias")
	if err != nil {
		return err
	}
	for _, p := range parts {
		n := o.heads * p.size
		if p.packed {
			buf, err := ops.Scratch[float32](c, batch*o.heads*p.rows*p.size)
			if err != nil {
				return err
			}
			p.Array = p.copyTo(buf, batch, o.heads, bias[:n])
		}
		bias = bias[n:]
	}
	return nil
}

// Run implements ops.Op.
func (o mha) Run(c *ops.Ctx) error {
	q, k, v, err := o.split(c)
	if err != nil {
		return err
	}
	batch := c.Tensor(0).Dim(0)
	if o.decoder && q.rows != 1 {
		return fmt.Errorf("query of shape %v: one token at a time is decoded", c.Tensor(0).Shape())
	}
	if err := o.addBias(c, batch, &q, &k, &v); err != nil {
		return err
	}
	h := headSet{batch: batch, heads: o.heads, kvHeads: o.heads, seq: q.rows, newKeys: k.rows, size: q.size, vSize: v.size,
		q: q.Array, k: k.Array, v: v.Array}
	if err := o.keep(c, &h); err != nil {
		return err
	}
	if o.decoder {
		if err := h.followBeams(c, o.in.beams, o.in.indirection); err != nil {
			return err
		}
	}
	m := maskForm{batch: batch, seq: h.seq, total: h.past + h.newKeys, past: h.past, filter: o.filter, causal: o.causal && h.seq > 1}
	return h.attend(c, m, c.Tensor(o.in.mask), c.Tensor(o.in.scoreBias), o.scale, 3)
}

// keep appends keys and values to the past in inputs pastKey and pastValue, and writes outputs 1 and 2.
func (o mha) keep(c *ops.Ctx, h *headSet) error {
	pk, pv := c.Tensor(o.in.pastKey), c.Tensor(o.in.pastValue)
	if (pk == nil) != (pv == nil) {
		return fmt.Errorf("past_key and past_value go together")
	}
	rows := 0
	if pk != nil {
		if pk.Rank() != 4 || !pk.Shape().Equal(tensor.Shape{h.batch, h.heads, pk.Dim(2), h.size}) ||
			!pv.Shape().Equal(tensor.Shape{h.batch, h.heads, pk.Dim(2), h.vSize}) || pk.DType() != tensor.Float32 || pv.DType() != tensor.Float32 {
			return fmt.Errorf("past_key %v and past_value %v for batch %d and %d heads of size %d and %d", pk, pv, h.batch, h.heads, h.size, h.vSize)
		}
		rows = pk.Dim(2)
		h.past = rows
	}
	total := rows + h.newKeys
	if pk != nil && (o.shared || !o.decoder && c.Has(o.in.pastLen)) {
		var err error
		if h.past, err = intScalar(c, o.in.pastLen, "past_sequence_length", 0); err != nil {
			return err
		}
		if h.past < 0 || h.past+h.newKeys > rows {
			return fmt.Errorf("past_sequence_length %d and %d new keys for a past of %d rows", h.past, h.newKeys, rows)
		}
		total = rows
	}
	var err error
	var p []float32
	if pk != nil {
		p = pk.Float32()
	}
	if h.k, err = h.present(c, 1, p, h.k, h.size, total); err != nil {
		return err
	}
	if pv != nil {
		p = pv.Float32()
	}
	h.v, err = h.present(c, 2, p, h.v, h.vSize, total)
	return err
}

// present returns past and new rows as one array, in output i if it is wanted. Without a past, x itself does.
func (h *headSet) present(c *ops.Ctx, i int, past []float32, x attention.Array[float32], size, total int) (attention.Array[float32], error) {
	if past == nil && !c.Wants(i) {
		return x, nil
	}
	shape := tensor.Shape{h.batch, h.kvHeads, total, size}
	if n, err := shape.CheckSize(); err != nil {
		return x, err
	} else if !c.Wants(i) {
		buf, err := ops.Scratch[float32](c, n)
		if err != nil {
			return x, err
		}
		return h.join(c, buf, past, x, size, total), nil
	}
	t, err := c.New(i, tensor.Float32, shape)
	if err != nil {
		return x, err
	}
	return h.join(c, t.Float32(), past, x, size, total), nil
}
