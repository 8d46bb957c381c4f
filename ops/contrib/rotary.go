package contrib

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/attention"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(floatOp("RotaryEmbedding", newRotary))
}

// angles is the table of a rotary embedding: row p holds the cosines and sines of position p.
type angles struct {
	rows, half  int
	cos, sin    []float32
	interleaved bool
}

// newAngles reads cos and sin caches of shape (positions, half of the rotated columns).
func newAngles(c *ops.Ctx, cos, sin int, interleaved bool) (angles, error) {
	a := angles{interleaved: interleaved}
	ct, st := c.Tensor(cos), c.Tensor(sin)
	if ct == nil || st == nil || ct.Rank() != 2 || !ct.Shape().Equal(st.Shape()) {
		return a, fmt.Errorf("cosine and sine caches must be two matrices of one shape")
	}
	a.rows, a.half = ct.Dim(0), ct.Dim(1)
	var err error
	if a.cos, err = floatInput(c, cos); err != nil {
		return a, err
	}
	a.sin, err = floatInput(c, sin)
	return a, err
}

// computedAngles is the table of the usual frequencies 10000^(-2i/dim).
func computedAngles(rows, dim int) angles {
	a := angles{rows: rows, half: dim / 2, cos: make([]float32, rows*(dim/2)), sin: make([]float32, rows*(dim/2))}
	for p := range rows {
		for i := range a.half {
			s, c := math.Sincos(float64(p) / math.Pow(10000, float64(2*i)/float64(dim)))
			a.cos[p*a.half+i], a.sin[p*a.half+i] = float32(c), float32(s)
		}
	}
	return a
}

// rotate turns the first 2·half columns of x by the angles of position p and copies the others; y may be x. The pairs are
// neighbours if interleaved, else half apart.
func (a angles) rotate(y, x []float32, p int) {
	cos, sin := a.cos[p*a.half:(p+1)*a.half], a.sin[p*a.half:(p+1)*a.half]
	copy(y[2*a.half:], x[2*a.half:])
	if a.interleaved {
		for i, c := range cos {
			u, v := x[2*i], x[2*i+1]
			y[2*i], y[2*i+1] = u*c-v*sin[i], v*c+u*sin[i]
		}
		return
	}
	for i, c := range cos {
		u, v := x[i], x[a.half+i]
		y[i], y[a.half+i] = u*c-v*sin[i], v*c+u*sin[i]
	}
}

// rotary is RotaryEmbedding: positions are one offset, or one number per token.
type rotary struct {
	heads, dim  int
	interleaved bool
}

func newRotary(a *ops.Attrs) (ops.Op, error) {
	o := rotary{a.Int("num_heads", 0), a.Int("rotary_embedding_dim", 0), a.Bool("interleaved", false)}
	a.Ignore("is_packed_batching", "scale")
	if o.dim < 0 || o.dim%2 != 0 || o.dim > 0 && o.heads <= 0 {
		a.Errorf("rotary_embedding_dim %d with num_heads %d", o.dim, o.heads)
	}
	return o, a.Done()
}

// Infer implements ops.Op.
func (o rotary) Infer(c *ops.Infer) error { return same(c) }

// Run implements ops.Op.
func (o rotary) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	if err := rank(x, "input", 3, 4); err != nil {
		return err
	}
	table, err := newAngles(c, 2, 3, o.interleaved)
	if err != nil {
		return err
	}
	src, err := floatInput(c, 0)
	if err != nil {
		return err
	}
	// Element (b, h, s) of in is one head of one token.
	var in attention.Array[float32]
	batch, heads, seq, size := x.Dim(0), 0, x.Dim(1), 0
	if x.Rank() == 4 {
		heads, seq, size = x.Dim(1), x.Dim(2), x.Dim(3)
		in = attention.Contiguous(src, heads, seq, size)
	} else {
		size = 2 * table.half
		if o.dim > 0 {
			size = x.Dim(2) / o.heads
		}
		if size == 0 || x.Dim(2)%size != 0 {
			return fmt.Errorf("input of shape %v has no heads of size %d", x.Shape(), size)
		}
		heads = x.Dim(2) / size
		in = attention.Packed(src, heads, seq, size)
	}
	if 2*table.half > size || o.dim > 0 && 2*table.half != o.dim {
		return fmt.Errorf("caches for %d rotated columns, heads of %d, rotary_embedding_dim %d", 2*table.half, size, o.dim)
	}
	pos, err := positions(c.Tensor(1), batch, seq, table.rows)
	if err != nil {
		return err
	}
	out, err := c.New(0, tensor.Float32, x.Shape())
	if err != nil {
		return err
	}
	y := out.Float32()
	c.Parallel(batch*heads*seq, ops.Grain(4*size), func(lo, hi int) {
		for n := lo; n < hi; n++ {
			b, h, s := n/seq/heads, n/seq%heads, n%seq
			at := b*in.Batch + h*in.Head + s*in.Row
			table.rotate(y[at:at+size], src[at:at+size], pos(b, s))
		}
	})
	return nil
}

// positions reads position ids, one offset or (B, S), which must lie below limit.
func positions(t *tensor.Tensor, batch, seq, limit int) (func(b, s int) int, error) {
	v, err := t.Ints()
	if err != nil {
		return nil, err
	}
	if len(v) == 1 && (batch*seq != 1 || t.Rank() < 2) {
		if v[0] < 0 || v[0] > limit-seq {
			return nil, fmt.Errorf("positions %d to %d are not in caches of %d rows", v[0], v[0]+seq-1, limit)
		}
		return func(_, s int) int { return v[0] + s }, nil
	}
	if len(v) != batch*seq {
		return nil, fmt.Errorf("position_ids has shape %v for batch %d and sequence %d", t.Shape(), batch, seq)
	}
	for _, p := range v {
		if p < 0 || p >= limit {
			return nil, fmt.Errorf("position %d is not in caches of %d rows", p, limit)
		}
	}
	return func(b, s int) int { return v[b*seq+s] }, nil
}
