package contrib

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/attention"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(floatOp("SparseAttention", newSparse))
}

// sparse is SparseAttention: grouped causal attention in which a query of block i attends the keys of the blocks that row
// i of its head's layout lists. Heads take the layouts in turn; a layout is a compressed sparse matrix of blocks.
//
// Inputs: query, key?, value?, past_key, past_value, block_row_indices (layouts, blocks+1), block_col_indices (layouts,
// most entries), total_sequence_length, key_total_sequence_lengths, cos_cache?, sin_cache?.
type sparse struct {
	gqa
	block int
}

func newSparse(a *ops.Attrs) (ops.Op, error) {
	o := sparse{gqa{heads: a.Int("num_heads", 0), kvHeads: a.Int("kv_num_heads", 0), scale: a.Float("scale", 0), causal: true,
		rotary: a.Bool("do_rotary", false), interleaved: a.Bool("rotary_interleaved", false)}, a.Int("sparse_block_size", 0)}
	if o.heads <= 0 || o.kvHeads <= 0 || o.heads%o.kvHeads != 0 || o.block <= 0 {
		a.Errorf("num_heads %d, kv_num_heads %d, sparse_block_size %d", o.heads, o.kvHeads, o.block)
	}
	return o, a.Done()
}

// Infer implements ops.Op.
func (o sparse) Infer(c *ops.Infer) error { return o.gqa.Infer(c) }

// Run implements ops.Op.
func (o sparse) Run(c *ops.Ctx) error {
	q, k, v, err := groups(c, o.heads, o.kvHeads)
	if err != nil {
		return err
	}
	s := groupState{headSet: headSet{batch: c.Tensor(0).Dim(0), heads: o.heads, kvHeads: o.kvHeads, seq: q.rows, newKeys: q.rows, size: q.size, vSize: q.size}}
	if err := s.lengths(c, c.Tensor(8), 0, 7); err != nil {
		return err
	}
	if o.rotary {
		table, err := newAngles(c, 9, 10, o.interleaved)
		if err != nil {
			return err
		}
		if q.Array, err = s.rotated(c, q, o.heads, table); err != nil {
			return err
		}
		if k.Array, err = s.rotated(c, k, o.kvHeads, table); err != nil {
			return err
		}
	}
	s.q = q.Array
	if s.k, err = o.state(c, &s, 3, 1, k.Array, "NONE"); err != nil {
		return err
	}
	if s.v, err = o.state(c, &s, 4, 2, v.Array, "NONE"); err != nil {
		return err
	}
	args := s.args(o.scale, s.maxLen)
	args.KVLens, args.Causal, args.Offset = s.lens, true, s.pasts
	if args.Mask, err = o.mask(c, &s); err != nil {
		return err
	}
	return s.write(c, args)
}

// rotated turns the rows of x by their positions.
func (s *groupState) rotated(c *ops.Ctx, x source, heads int, table angles) (attention.Array[float32], error) {
	if 2*table.half > x.size {
		return x.Array, fmt.Errorf("caches for %d rotated columns, heads of %d", 2*table.half, x.size)
	}
	pos, err := s.positions(nil, table.rows)
	if err != nil {
		return x.Array, err
	}
	buf, err := ops.Scratch[float32](c, s.batch*heads*x.rows*x.size)
	if err != nil {
		return x.Array, err
	}
	for n := range s.batch * heads * x.rows {
		b, h, r := n/x.rows/heads, n/x.rows%heads, n%x.rows
		at := b*x.Batch + h*x.Head + r*x.Row
		table.rotate(buf[n*x.size:(n+1)*x.size], x.Data[at:at+x.size], pos(b, r))
	}
	return attention.Contiguous(buf, heads, x.rows, x.size), nil
}

// mask tells, for each batch entry, head and query, the keys of the blocks that the layout lists.
func (o sparse) mask(c *ops.Ctx, s *groupState) (attention.Broadcast[bool], error) {
	none := attention.Broadcast[bool]{}
	rt, ct := c.Tensor(5), c.Tensor(6)
	if rt.Rank() != 2 || ct.Rank() != 2 || rt.Dim(0) != ct.Dim(0) || rt.Dim(0) == 0 || o.heads%rt.Dim(0) != 0 {
		return none, fmt.Errorf("layouts of shapes %v and %v for %d heads", rt.Shape(), ct.Shape(), o.heads)
	}
	rows, err := rt.Ints()
	if err != nil {
		return none, err
	}
	cols, err := ct.Ints()
	if err != nil {
		return none, err
	}
	layouts, blocks := rt.Dim(0), rt.Dim(1)-1
	if s.maxLen > blocks*o.block {
		return none, fmt.Errorf("%d keys for layouts of %d blocks of %d", s.maxLen, blocks, o.block)
	}
	size, err := (tensor.Shape{s.batch, s.heads, s.seq, s.maxLen}).CheckSize()
	if err != nil {
		return none, err
	}
	keep, err := ops.Scratch[bool](c, size)
	if err != nil {
		return none, err
	}
	clear(keep)
	for n := range s.batch * s.heads * s.seq {
		b, l, i := n/s.seq/s.heads, n/s.seq%s.heads%layouts, n%s.seq
		row := keep[n*s.maxLen : (n+1)*s.maxLen]
		at := l*(blocks+1) + min((s.pasts[b]+i)/o.block, blocks-1)
		if rows[at] < 0 || rows[at+1] > ct.Dim(1) {
			return none, fmt.Errorf("layout %d lists blocks %d to %d of %d", l, rows[at], rows[at+1], ct.Dim(1))
		}
		for e := rows[at]; e < rows[at+1]; e++ {
			k := cols[l*ct.Dim(1)+e]
			if k < 0 || k >= blocks {
				return none, fmt.Errorf("layout %d lists block %d of %d", l, k, blocks)
			}
			for t := k * o.block; t < min((k+1)*o.block, s.maxLen); t++ {
				row[t] = true
			}
		}
	}
	return attention.Broadcast[bool]{Data: keep, Batch: s.heads * s.seq * s.maxLen, Head: s.seq * s.maxLen, Row: s.maxLen, Col: 1}, nil
}
