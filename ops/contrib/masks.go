package contrib

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/attention"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// maskForm describes how a key is masked: scores get filter added for keys that the mask excludes.
type maskForm struct {
	batch, seq, total, past int
	filter                  float32
	causal                  bool
}

// build turns a mask tensor into a bias over (batch, 1, queries, keys). The forms are
//
//	(B)              number of valid keys
//	(2B)             exclusive ends, then inclusive starts of the valid keys
//	(3B+2)           numbers of valid keys, then offsets that do not matter here
//	(B, T), (B, L)   flags of all keys, or of the new ones
//	(B, S, T)        flags for each query
//	(B, 1, M, M)     flags by positions of query and key, M ≥ T
//
// Like ONNX Runtime's, the bias is finite, so that a query with no valid key attends all of them evenly; for the same
// reason the causal mask is part of it when there is another one. The result is empty if t is nil or a dummy of extent 1.
func (m maskForm) build(c *ops.Ctx, t *tensor.Tensor) (attention.Broadcast[float32], error) {
	none := attention.Broadcast[float32]{}
	if t == nil {
		return none, nil
	}
	s := t.Shape()
	if len(s) == 2 && s[1] == 1 && m.total != 1 {
		return none, nil
	}
	rows := 1
	if m.causal || len(s) > 2 {
		rows = m.seq
	}
	if err := m.check(s); err != nil {
		return none, err
	}
	v, err := t.Ints()
	if err != nil {
		return none, err
	}
	if _, err := (tensor.Shape{m.batch, rows, m.total}).CheckSize(); err != nil {
		return none, err
	}
	buf, err := ops.Scratch[float32](c, m.batch*rows*m.total)
	if err != nil {
		return none, err
	}
	keep := m.rule(s, v)
	for b := range m.batch {
		for i := range rows {
			row := buf[(b*rows+i)*m.total:][:m.total]
			for k := range row {
				row[k] = m.value(keep(b, i, k), i, k)
			}
		}
	}
	out := attention.Broadcast[float32]{Data: buf, Batch: rows * m.total, Col: 1}
	if rows > 1 {
		out.Row = m.total
	}
	return out, nil
}

func (m maskForm) value(keep bool, i, k int) float32 {
	switch {
	case m.causal && k > m.past+i:
		return -math.MaxFloat32
	case keep:
		return 0
	}
	return m.filter
}

func (m maskForm) check(s tensor.Shape) error {
	ok := false
	switch len(s) {
	case 1:
		ok = s[0] == m.batch || s[0] == 2*m.batch || s[0] == 3*m.batch+2
	case 2:
		ok = s[0] == m.batch && (s[1] == m.total || s[1] == m.total-m.past)
	case 3:
		ok = s.Equal(tensor.Shape{m.batch, m.seq, m.total})
	case 4:
		ok = s[0] == m.batch && s[1] == 1 && s[2] == s[3] && s[2] >= m.total
	}
	if !ok {
		return fmt.Errorf("mask has shape %v for batch %d, %d queries and %d keys", s, m.batch, m.seq, m.total)
	}
	return nil
}

// rule returns whether key k is valid for query i of batch entry b.
func (m maskForm) rule(s tensor.Shape, v []int) func(b, i, k int) bool {
	switch len(s) {
	case 1:
		if s[0] == 2*m.batch {
			return func(b, _, k int) bool { return k < v[b] && k >= v[m.batch+b] }
		}
		return func(b, _, k int) bool { return k < v[b] }
	case 2:
		skip := m.total - s[1]
		return func(b, _, k int) bool { return k < skip || v[b*s[1]+k-skip] > 0 }
	case 3:
		return func(b, i, k int) bool { return v[(b*m.seq+i)*m.total+k] > 0 }
	}
	return func(b, i, k int) bool { return v[(b*s[2]+m.past+i)*s[3]+k] > 0 }
}

// scoreBias adds an attention bias of shape (B or 1, N or 1, S, T), which may be nil, to a mask.
func scoreBias(c *ops.Ctx, t *tensor.Tensor, mask attention.Broadcast[float32], batch, heads, seq, total int) (attention.Broadcast[float32], error) {
	if t == nil {
		return mask, nil
	}
	s := t.Shape()
	if len(s) != 4 || s[0] != 1 && s[0] != batch || s[1] != 1 && s[1] != heads || s[2] != seq && s[2] != 1 || s[3] != total {
		return mask, fmt.Errorf("attention bias has shape %v for batch %d, %d heads, %d queries and %d keys", s, batch, heads, seq, total)
	}
	if t.DType() != tensor.Float32 {
		return mask, fmt.Errorf("attention bias is %v: %w", t.DType(), ops.ErrUnsupported)
	}
	bias := attention.Broadcast[float32]{Data: t.Float32(), Col: 1}
	for _, a := range []struct {
		step   *int
		extent int
		size   int
	}{{&bias.Row, s[2], s[3]}, {&bias.Head, s[1], s[2] * s[3]}, {&bias.Batch, s[0], s[1] * s[2] * s[3]}} {
		if a.extent > 1 {
			*a.step = a.size
		}
	}
	if mask.Data == nil {
		return bias, nil
	}
	if _, err := (tensor.Shape{batch, s[1], seq, total}).CheckSize(); err != nil {
		return mask, err
	}
	buf, err := ops.Scratch[float32](c, batch*s[1]*seq*total)
	if err != nil {
		return mask, err
	}
	sum := attention.Broadcast[float32]{Data: buf, Batch: s[1] * seq * total, Row: total, Col: 1}
	if s[1] > 1 {
		sum.Head = seq * total
	}
	for n := range batch * s[1] * seq {
		b, h, i := n/seq/s[1], n/seq%s[1], n%seq
		x, y := bias.Data[b*bias.Batch+h*bias.Head+i*bias.Row:], mask.Data[b*mask.Batch+i*mask.Row:]
		row := buf[n*total : (n+1)*total]
		for k := range row {
			row[k] = x[k] + y[k]
		}
	}
	return sum, nil
}
