package contrib

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/attention"
	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		floatOp("Attention", newAttention(false)),
		floatOp("QAttention", newAttention(true)),
		floatOp("DecoderMaskedSelfAttention", newDecoderSelfAttention),
	)
}

// selfAttention is the attention of a sequence to itself and its past, with one product for queries, keys and values.
// The inputs of its three operators differ; slots says where they are.
type selfAttention struct {
	heads      int
	filter     float32
	scale      float32
	causal     bool
	shared     bool // past and present have room for more than the keys so far
	rotary     bool
	rotaryDim  int
	sizes      []int // hidden sizes of Q, K, V; nil: equal
	quantized  bool
	slots      attentionSlots
	singleStep bool
	packed     *packedB    // constant float weights
	bytes      *bytesRight // constant 8-bit weights
}

// Prepack implements ops.Prepacker.
func (o selfAttention) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	if o.quantized {
		if o.bytes = packBytes(in[1], false); o.bytes == nil {
			return o, nil
		}
		return o, []int{1}
	}
	if o.packed = packB(in[1], false); o.packed == nil {
		return o, nil
	}
	return o, []int{1}
}

// weightShape is the shape of input 1.
func (o selfAttention) weightShape(c *ops.Ctx) tensor.Shape {
	if o.packed != nil {
		return o.packed.shape
	}
	if o.bytes != nil {
		return o.bytes.shape
	}
	return c.Tensor(1).Shape()
}

// attentionSlots are the numbers of inputs; 0 stands for none (input 0 is always the sequence, input 1 the weights).
type attentionSlots struct{ bias, mask, past, scoreBias, pastLen, beams, indirection int }

func readAttention(a *ops.Attrs) selfAttention {
	o := selfAttention{heads: a.Int("num_heads", 0), filter: a.Float("mask_filter_value", -10000), scale: a.Float("scale", 0)}
	o.rotary, o.shared = a.Bool("do_rotary", false), a.Bool("past_present_share_buffer", false)
	if o.heads <= 0 {
		a.Errorf("num_heads is %d", o.heads)
	}
	return o
}

func newAttention(quantized bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		o := readAttention(a)
		o.quantized, o.causal = quantized, a.Bool("unidirectional", false)
		o.slots = attentionSlots{bias: 2, mask: 3, past: 4, scoreBias: 5, pastLen: 6}
		if quantized {
			o.slots = attentionSlots{bias: 2, mask: 5, past: 8}
		} else {
			o.sizes, o.rotaryDim = a.Ints("qkv_hidden_sizes"), a.Int("rotary_embedding_dim", 0)
			if o.sizes != nil && (len(o.sizes) != 3 || o.sizes[0] != o.sizes[1] || min(o.sizes[0], o.sizes[2]) <= 0) {
				a.Errorf("qkv_hidden_sizes is %v", o.sizes)
			}
		}
		return o, a.Done()
	}
}

func newDecoderSelfAttention(a *ops.Attrs) (ops.Op, error) {
	o := readAttention(a)
	o.singleStep = true
	o.slots = attentionSlots{bias: 2, mask: 3, past: 4, scoreBias: 5, pastLen: 6, beams: 7, indirection: 8}
	return o, a.Done()
}

// Infer implements ops.Op.
func (o selfAttention) Infer(c *ops.Infer) error {
	d := c.DType(0)
	if o.quantized {
		d = c.DType(2)
	}
	x, ok1 := c.Dims(0)
	w, ok2 := c.Dims(1)
	c.SetDType(0, d)
	c.SetDType(1, d)
	if !ok1 || !ok2 || len(x) != 3 || len(w) != 2 {
		return nil
	}
	hidden := tensor.Dim{}
	if n, ok := w[1].Int(); ok {
		hidden = tensor.Int(n / 3)
	}
	if o.sizes != nil {
		hidden = tensor.Int(o.sizes[2])
	}
	c.SetOut(0, d, x[0], x[1], hidden)
	size := tensor.Dim{}
	if n, ok := hidden.Int(); ok {
		size = tensor.Int(n / o.heads)
	}
	total := x[1]
	if p, ok := c.Dims(o.slots.past); ok && len(p) == 5 {
		if o.shared || o.singleStep {
			total = p[3]
		} else {
			total = p[3].Add(x[1])
		}
	} else if c.Has(o.slots.past) {
		total = tensor.Dim{}
	}
	c.SetOut(1, d, tensor.Int(2), x[0], tensor.Int(o.heads), total, size)
	return nil
}

// Run implements ops.Op.
func (o selfAttention) Run(c *ops.Ctx) error {
	x, w := c.Tensor(0), o.weightShape(c)
	if x.Rank() != 3 || len(w) != 2 || x.Dim(2) != w[0] {
		return fmt.Errorf("input of shape %v with weights of shape %v", x.Shape(), w)
	}
	width := w[1]
	hidden, vHidden := width/3, width/3
	if o.sizes != nil {
		hidden, vHidden = o.sizes[0], o.sizes[2]
	}
	if 2*hidden+vHidden != width || hidden%o.heads != 0 || vHidden%o.heads != 0 {
		return fmt.Errorf("weights of shape %v for %d heads", w, o.heads)
	}
	batch, seq := x.Dim(0), x.Dim(1)
	if o.singleStep && seq != 1 {
		return fmt.Errorf("input of shape %v: one token at a time is decoded", x.Shape())
	}
	qkv, err := o.project(c, batch*seq, width)
	if err != nil {
		return err
	}
	n, nv := hidden/o.heads, vHidden/o.heads
	h := headSet{batch: batch, heads: o.heads, kvHeads: o.heads, seq: seq, newKeys: seq, size: n, vSize: nv}
	h.q = attention.Array[float32]{Data: qkv, Batch: seq * width, Head: n, Row: width}
	h.k = attention.Array[float32]{Data: qkv[min(hidden, len(qkv)):], Batch: seq * width, Head: n, Row: width}
	h.v = attention.Array[float32]{Data: qkv[min(2*hidden, len(qkv)):], Batch: seq * width, Head: nv, Row: width}
	if err := o.keep(c, &h); err != nil {
		return err
	}
	return o.attend(c, &h)
}

// project returns input·weights + bias.
func (o selfAttention) project(c *ops.Ctx, rows, width int) ([]float32, error) {
	bias, err := vectorOf(c, o.slots.bias, width, "bias")
	if err != nil {
		return nil, err
	}
	if _, err := (tensor.Shape{rows, width}).CheckSize(); err != nil {
		return nil, err
	}
	y, err := ops.Scratch[float32](c, rows*width)
	if err != nil {
		return nil, err
	}
	k := o.weightShape(c)[0]
	if o.quantized {
		return y, o.projectInt8(c, y, rows, width, k, bias)
	}
	x, err := floatInput(c, 0)
	if err != nil {
		return nil, err
	}
	g := &gemm.Args[float32]{M: rows, N: width, K: k, C: y, LDC: width, A: gemm.RowMajor(x, k, false), Bias: gemm.Operand[float32]{Data: bias, Col: 1}}
	if o.packed != nil {
		g.PackedB = o.packed.Packed
	} else {
		w, err := floatInput(c, 1)
		if err != nil {
			return nil, err
		}
		g.B = gemm.RowMajor(w, width, false)
	}
	gemm.Mul(c.Pool, g)
	return y, nil
}

// projectInt8 is project for QAttention, whose inputs 3, 4, 6 and 7 are the scales and zero points of input and weights.
func (o selfAttention) projectInt8(c *ops.Ctx, y []float32, rows, width, k int, bias []float32) error {
	scale, err := scalar(c, 3, "input_scale", 1)
	if err != nil {
		return err
	}
	ws, err := floatInput(c, 4)
	if err != nil {
		return err
	}
	xz, err := zeros(c, 6)
	if err != nil {
		return err
	}
	wz, err := zeros(c, 7)
	if err != nil {
		return err
	}
	if len(ws) != 1 && len(ws) != width || len(wz) > 1 && len(wz) != width || len(xz) > 1 {
		return fmt.Errorf("%d scales and %d zero points of the weights, %d zero points of the input", len(ws), len(wz), len(xz))
	}
	factors := make([]float32, len(ws))
	for j, v := range ws {
		factors[j] = scale * v
	}
	w := o.bytes.or(c, 1)
	gemm.MulInt8(c.Pool, &gemm.Int8Args{M: rows, N: width, K: k, LDC: width, F: y, Scale: factors, Bias: bias, PackedB: w.packed,
		A: newBytesMat(c.Tensor(0), xz).operand(k), B: bytesMat{w.data, w.signed, wz}.operand(width)})
	return nil
}

// keep rotates queries and keys if asked for, appends keys and values to the past, and points h at the whole.
func (o selfAttention) keep(c *ops.Ctx, h *headSet) error {
	past := c.Tensor(o.slots.past)
	if o.slots.past == 0 {
		past = nil
	}
	rows := 0
	if past != nil {
		want := tensor.Shape{2, h.batch, h.heads, 0, h.size}
		if past.Rank() == 5 {
			want[3] = past.Dim(3)
		}
		if !past.Shape().Equal(want) || h.size != h.vSize || past.DType() != tensor.Float32 {
			return fmt.Errorf("past is %v for batch %d and %d heads of size %d", past, h.batch, h.heads, h.size)
		}
		rows = past.Dim(3)
		h.past = rows
	}
	total := rows + h.seq
	if o.shared || o.singleStep {
		var err error
		if h.past, err = intScalar(c, o.slots.pastLen, "past_sequence_length", 0); err != nil {
			return err
		}
		if past == nil || h.past < 0 || h.past+h.seq > rows {
			return fmt.Errorf("past_sequence_length %d and %d new keys for a past of %d rows", h.past, h.seq, rows)
		}
		total = rows
	}
	if o.rotary {
		dim := o.rotaryDim
		if dim == 0 {
			dim = h.size
		}
		if dim > h.size || dim%2 != 0 {
			return fmt.Errorf("rotary_embedding_dim %d for heads of size %d", dim, h.size)
		}
		table := computedAngles(h.past+h.seq, dim)
		h.rotateRows(h.q, table)
		h.rotateRows(h.k, table)
	}
	if past == nil && !c.Wants(1) {
		return nil
	}
	return h.extend(c, past, total)
}

// attend computes output 0.
func (o selfAttention) attend(c *ops.Ctx, h *headSet) error {
	m := maskForm{batch: h.batch, seq: h.seq, total: h.past + h.newKeys, past: h.past, filter: o.filter, causal: o.causal && h.seq > 1}
	var bias *tensor.Tensor
	if o.slots.scoreBias > 0 {
		bias = c.Tensor(o.slots.scoreBias)
	}
	if o.slots.beams > 0 {
		if err := h.followBeams(c, o.slots.beams, o.slots.indirection); err != nil {
			return err
		}
	}
	return h.attend(c, m, c.Tensor(o.slots.mask), bias, o.scale, -1)
}

// headSet is what one attention reads: queries of the sequence; keys and values of the past and of new tokens.
type headSet struct {
	batch, heads, kvHeads int
	seq, newKeys, past    int
	size, vSize           int
	q, k, v               attention.Array[float32]
}

// rotateRows turns each new row of a, in place, by its position.
func (h *headSet) rotateRows(a attention.Array[float32], table angles) {
	for n := range h.batch * h.heads * h.seq {
		b, head, s := n/h.seq/h.heads, n/h.seq%h.heads, n%h.seq
		at := b*a.Batch + head*a.Head + s*a.Row
		row := a.Data[at : at+h.size]
		table.rotate(row, row, h.past+s)
	}
}

// extend writes output 1, the past (2, B, N, P, H) or nil followed by the new keys and values, with total rows per head;
// a past with total rows of its own is copied whole. h then reads its keys and values from there.
func (h *headSet) extend(c *ops.Ctx, past *tensor.Tensor, total int) error {
	if h.size != h.vSize {
		return fmt.Errorf("keys of size %d and values of size %d have no common state", h.size, h.vSize)
	}
	out, err := c.New(1, tensor.Float32, tensor.Shape{2, h.batch, h.heads, total, h.size})
	if err != nil {
		return err
	}
	y := out.Float32()
	half := len(y) / 2
	var pk, pv []float32
	if past != nil {
		p := past.Float32()
		pk, pv = p[:len(p)/2], p[len(p)/2:]
	}
	h.k = h.join(c, y[:half], pk, h.k, h.size, total)
	h.v = h.join(c, y[half:], pv, h.v, h.vSize, total)
	return nil
}

// join fills dst (B, KV heads, total rows) with the rows of past (B, KV heads, any number of rows), puts the new rows
// of x behind the first h.past of them, and returns it as an array.
func (h *headSet) join(c *ops.Ctx, dst, past []float32, x attention.Array[float32], size, total int) attention.Array[float32] {
	heads := h.batch * h.kvHeads
	rows := 0
	if heads > 0 && size > 0 {
		rows = len(past) / heads / size
	}
	c.Parallel(heads, ops.Grain(total*size), func(lo, hi int) {
		for n := lo; n < hi; n++ {
			b, head := n/h.kvHeads, n%h.kvHeads
			d := dst[n*total*size : (n+1)*total*size]
			kept := copy(d, past[n*rows*size:(n+1)*rows*size])
			clear(d[kept:])
			for s := range h.newKeys {
				at := b*x.Batch + head*x.Head + s*x.Row
				copy(d[(h.past+s)*size:(h.past+s+1)*size], x.Data[at:at+size])
			}
		}
	})
	return attention.Contiguous(dst, h.kvHeads, total, size)
}

// followBeams replaces the keys and values of each batch entry by those of the beams that its past came through: input
// beams holds their number W, input indirection (B/W, W, rows) which of the W entries holds position t.
func (h *headSet) followBeams(c *ops.Ctx, beams, indirection int) error {
	w, err := intScalar(c, beams, "beam_width", 1)
	if err != nil || w <= 1 {
		return err
	}
	t := c.Tensor(indirection)
	if t == nil || t.Rank() != 3 || h.batch%w != 0 || t.Dim(0)*w != h.batch || t.Dim(1) != w || t.Dim(2) < h.past {
		return fmt.Errorf("cache_indirection of %d beams does not fit batch %d and %d keys", w, h.batch, h.past)
	}
	v, err := t.Ints()
	if err != nil {
		return err
	}
	total := h.past + h.newKeys
	gather := func(a attention.Array[float32], size int) (attention.Array[float32], error) {
		buf, err := ops.Scratch[float32](c, h.batch*h.kvHeads*total*size)
		if err != nil {
			return a, err
		}
		for n := range h.batch * h.kvHeads * total {
			b, head, p := n/total/h.kvHeads, n/total%h.kvHeads, n%total
			from := b
			if p < h.past {
				beam := v[b*t.Dim(2)+p]
				if beam < 0 || beam >= w {
					return a, fmt.Errorf("beam %d of %d in cache_indirection", beam, w)
				}
				from = b/w*w + beam
			}
			at := from*a.Batch + head*a.Head + p*a.Row
			copy(buf[n*size:(n+1)*size], a.Data[at:at+size])
		}
		return attention.Contiguous(buf, h.kvHeads, total, size), nil
	}
	if h.k, err = gather(h.k, h.size); err != nil {
		return err
	}
	h.v, err = gather(h.v, h.vSize)
	return err
}

// attend writes output 0 (B, S, N·H) and, if qk is an output that is wanted, the scores before the softmax there.
func (h *headSet) attend(c *ops.Ctx, m maskForm, mask, bias *tensor.Tensor, scale float32, qk int) error {
	filter, err := m.build(c, mask)
	if err != nil {
		return err
	}
	total := h.past + h.newKeys
	b, err := scoreBias(c, bias, filter, h.batch, h.heads, h.seq, total)
	if err != nil {
		return err
	}
	args := h.args(scale, total)
	args.Bias = b
	if m.causal && filter.Data == nil {
		args.Causal, args.Offset = true, repeat(h.past, h.batch)
	}
	if qk >= 0 && c.Wants(qk) {
		t, err := c.New(qk, tensor.Float32, tensor.Shape{h.batch, h.heads, h.seq, total})
		if err != nil {
			return err
		}
		args.Scores, args.Stage = t.Float32(), attention.Biased
	}
	return h.write(c, args)
}

// args are the arguments of an attention without masks; scale 0 stands for 1/√size.
func (h *headSet) args(scale float32, total int) *attention.Args[float32] {
	if scale == 0 && h.size > 0 {
		scale = float32(1 / math.Sqrt(float64(h.size)))
	}
	return &attention.Args[float32]{Batch: h.batch, Heads: h.heads, KVHeads: h.kvHeads, QLen: h.seq, KVLen: total,
		HeadSize: h.size, VSize: h.vSize, Q: h.q, K: h.k, V: h.v, Scale: scale}
}

// write runs the attention into output 0.
func (h *headSet) write(c *ops.Ctx, args *attention.Args[float32]) error {
	out, err := c.New(0, tensor.Float32, tensor.Shape{h.batch, h.seq, h.heads * h.vSize})
	if err != nil {
		return err
	}
	if out.Len() == 0 {
		return nil
	}
	args.Y = attention.Packed(out.Float32(), h.heads, h.seq, h.vSize)
	attention.Run(c.Pool, args)
	return nil
}

func repeat[T any](v T, n int) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = v
	}
	return s
}
