package attention

import (
	"fmt"

	kernel "github.com/sardonyx-ml/sardonyx/kernels/attention"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// present appends the operand to the past cache, in output i if that is wanted, and returns the cache as operand.
func present(c *ops.Ctx, i int, cur operand, past *tensor.Tensor) (operand, error) {
	if past == nil && !c.Wants(i) {
		return cur, nil
	}
	if past == nil && !cur.packed {
		c.SetOut(i, cur.Tensor)
		return cur, nil
	}
	n := 0
	if past != nil {
		s := past.Shape()
		if len(s) != 4 || s[0] != cur.batch || s[1] != cur.heads || s[3] != cur.size {
			return cur, fmt.Errorf("past state has shape %v, not [%d %d past %d]", s, cur.batch, cur.heads, cur.size)
		}
		if past.DType() != cur.DType() {
			return cur, fmt.Errorf("past state is %v, not %v", past.DType(), cur.DType())
		}
		n = s[2]
	}
	shape := tensor.Shape{cur.batch, cur.heads, n + cur.seq, cur.size}
	if _, err := shape.CheckSize(); err != nil {
		return cur, err
	}
	out, err := cache(c, i, cur.DType(), shape)
	if err != nil {
		return cur, err
	}
	appendCache(c, out, past, cur, n)
	return operand{out, cur.batch, cur.heads, n + cur.seq, cur.size, false}, nil
}

// cache allocates output i, or scratch memory if it is not wanted.
func cache(c *ops.Ctx, i int, d tensor.DType, shape tensor.Shape) (*tensor.Tensor, error) {
	if c.Wants(i) {
		return c.New(i, d, shape)
	}
	return scratch(c, d, shape)
}

func scratch(c *ops.Ctx, d tensor.DType, shape tensor.Shape) (*tensor.Tensor, error) {
	b, err := ops.Scratch[uint8](c, d.Bytes(shape.Size()))
	if err != nil {
		return nil, err
	}
	return tensor.FromBytes(d, shape, b)
}

// appendCache writes n past rows of each head and then the current ones.
func appendCache(c *ops.Ctx, out, past *tensor.Tensor, cur operand, n int) {
	row := cur.DType().Bytes(cur.size)
	total := n + cur.seq
	c.Parallel(cur.batch*cur.heads, ops.Grain(total*cur.size), func(lo, hi int) {
		for bh := lo; bh < hi; bh++ {
			dst := out.Bytes()[bh*total*row : (bh+1)*total*row]
			if past != nil {
				copy(dst, past.Bytes()[bh*n*row:(bh+1)*n*row])
			}
			dst = dst[n*row:]
			if !cur.packed {
				copy(dst, cur.Bytes()[bh*len(dst):])
				continue
			}
			b, h := bh/cur.heads, bh%cur.heads
			for t := range cur.seq {
				at := ((b*cur.seq+t)*cur.heads + h) * row
				copy(dst[t*row:(t+1)*row], cur.Bytes()[at:at+row])
			}
		}
	})
}

// setMasks sets what limits the keys: lengths, the offset of causal masks and windows, and attn_mask.
func setMasks[T kernel.Float](c *ops.Ctx, op attention, a *kernel.Args[T], past int) error {
	offset := past
	if t := c.Tensor(6); t != nil {
		lens, err := t.Ints()
		if err != nil || t.Rank() != 1 || len(lens) != a.Batch {
			return fmt.Errorf("nonpad_kv_seqlen is %v, not int64[%d]", t, a.Batch)
		}
		a.KVLens, a.Offset = lens, make([]int, a.Batch)
		for b, n := range lens {
			if n < 0 || n > a.KVLen {
				return fmt.Errorf("nonpad_kv_seqlen %d out of range for %d keys", n, a.KVLen)
			}
			a.Offset[b] = n - a.QLen
		}
	} else if offset > 0 {
		a.Offset = make([]int, a.Batch)
		for b := range a.Offset {
			a.Offset[b] = offset
		}
	}
	if t := c.Tensor(3); t != nil {
		return setMask(c, op, a, t)
	}
	return nil
}

// setMask makes attn_mask the kernel's mask or bias. Its axes line up from the right with (batch, heads, queries, keys).
func setMask[T kernel.Float](c *ops.Ctx, op attention, a *kernel.Args[T], t *tensor.Tensor) error {
	s := t.Shape()
	want := [4]int{a.Batch, a.Heads, a.QLen, a.KVLen}
	if len(s) > 4 {
		return fmt.Errorf("attn_mask has shape %v, more than 4 axes", s)
	}
	var st [4]int
	strides := s.Strides()
	for i, n := range s {
		k := 4 - len(s) + i
		switch {
		case n == want[k]:
			st[k] = strides[i]
		case k == 3 && n < want[k] && (op.padMask || n != 1):
			st[k] = 1
			limit(a, n)
		case n != 1:
			return fmt.Errorf("attn_mask of shape %v does not broadcast to %v", s, tensor.Shape(want[:]))
		}
	}
	if t.Len() == 0 {
		return nil // no query, or no key that the mask allows: limit has seen to it
	}
	if t.DType() == tensor.Bool {
		a.Mask = kernel.Broadcast[bool]{Data: t.Bool(), Batch: st[0], Head: st[1], Row: st[2], Col: st[3]}
		return nil
	}
	data, err := ops.Floats[T](c, t)
	a.Bias = kernel.Broadcast[T]{Data: data, Batch: st[0], Head: st[1], Row: st[2], Col: st[3]}
	return err
}

// limit lets no query attend keys from n on.
func limit[T kernel.Float](a *kernel.Args[T], n int) {
	lens := make([]int, a.Batch)
	for b := range lens {
		if lens[b] = n; a.KVLens != nil {
			lens[b] = min(n, a.KVLens[b])
		}
	}
	a.KVLens = lens
}
