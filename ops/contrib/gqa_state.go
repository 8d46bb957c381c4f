package contrib

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/attention"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// groupState is what a run of gqa computes with. Keys lie in rows: those of the past first, then the new ones.
type groupState struct {
	headSet
	first       bool  // everything is new
	pasts, lens []int // for each batch entry: rows of the past, and all rows
	maxLen      int   // the largest of lens, at least
	total       int   // rows that there is room for
	longest     int   // total_sequence_length

	// Of a state that holds about a window: positions before the first row, rows to keep, and room for them.
	evicted, keep []int
	capacity      int
}

// lengths reads the number of keys of each batch entry (less add in the tensor) and the largest of them in input total.
// Everything is new when that is the length of the sequence.
func (s *groupState) lengths(c *ops.Ctx, lens *tensor.Tensor, add, total int) error {
	n, err := lens.Ints()
	if err != nil {
		return err
	}
	if len(n) != s.batch {
		return fmt.Errorf("lengths of shape %v for batch %d", lens.Shape(), s.batch)
	}
	if s.longest, err = intScalar(c, total, "total_sequence_length", 0); err != nil {
		return err
	}
	if s.longest < 0 || s.longest > 1<<40 {
		return fmt.Errorf("total_sequence_length %d", s.longest)
	}
	s.first = s.longest == s.seq
	s.lens, s.pasts, s.evicted = make([]int, s.batch), make([]int, s.batch), make([]int, s.batch)
	for b := range n {
		s.lens[b] = n[b] + add
		if !s.first {
			s.pasts[b] = s.lens[b] - s.seq
		}
		if s.lens[b] < 0 || s.lens[b] > s.longest || s.pasts[b] < 0 {
			return fmt.Errorf("%d keys of batch entry %d with a sequence of %d and total_sequence_length %d", s.lens[b], b, s.seq, s.longest)
		}
	}
	s.maxLen, s.total = s.longest, s.longest
	if past := c.Tensor(3); past != nil {
		if past.Rank() != 4 {
			return fmt.Errorf("past_key has shape %v", past.Shape())
		}
		s.total = max(s.total, past.Dim(2))
	}
	return nil
}

// slide is for states that hold about a window of keys: for each batch entry the rows are those that the past still has,
// then the new ones. Each time more than the capacity would be there, as many are dropped at once as make room for all
// but a window.
func (s *groupState) slide(past *tensor.Tensor, window int) error {
	if past == nil || past.Dim(2) < window {
		return fmt.Errorf("a state with room for a window of %d keys is needed, not %v", window, past)
	}
	s.capacity = past.Dim(2)
	step := s.capacity - window + 1
	resident := func(n int) int {
		if n <= s.capacity {
			return n
		}
		return n - step*((n-s.capacity+step-1)/step)
	}
	s.keep = make([]int, s.batch)
	s.maxLen = 0
	for b, n := range s.lens {
		s.keep[b] = resident(n)
		s.evicted[b] = s.pasts[b] - resident(s.pasts[b])
		s.pasts[b] -= s.evicted[b]
		s.lens[b] -= s.evicted[b]
		s.maxLen = max(s.maxLen, s.pasts[b]+s.seq)
	}
	s.total = s.maxLen
	return nil
}

// residentBias takes the columns of a bias (B, N, S, positions) for each batch entry's rows.
func (s *groupState) residentBias(c *ops.Ctx, bias attention.Broadcast[float32]) (attention.Broadcast[float32], error) {
	if bias.Data == nil {
		return bias, nil
	}
	size, err := (tensor.Shape{s.batch, s.heads, s.seq, s.maxLen}).CheckSize()
	if err != nil {
		return bias, err
	}
	buf, err := ops.Scratch[float32](c, size)
	if err != nil {
		return bias, err
	}
	clear(buf)
	for n := range s.batch * s.heads * s.seq {
		b, h, i := n/s.seq/s.heads, n/s.seq%s.heads, n%s.seq
		at := b*bias.Batch + h*bias.Head + i*bias.Row
		copy(buf[n*s.maxLen:(n+1)*s.maxLen], bias.Data[at+min(s.evicted[b], s.longest):at+s.longest])
	}
	return attention.Broadcast[float32]{Data: buf, Batch: s.heads * s.seq * s.maxLen, Head: s.seq * s.maxLen, Row: s.maxLen, Col: 1}, nil
}

// state appends the new rows of x to the past in the given input, for each batch entry behind its own, and writes what is
// to be kept to an output. What lies behind the rows there is 0. A quantized state is a tensor of codes: new rows are
// encoded, and attention reads the decoded whole; the scales of outputs 1 and 2 are inputs 12 and 13.
func (o gqa) state(c *ops.Ctx, s *groupState, input, output int, x attention.Array[float32], quant string) (attention.Array[float32], error) {
	past := c.Tensor(input)
	dtype, columns := tensor.Float32, s.size
	var codec *cacheCodec
	if quant != "NONE" {
		if past == nil {
			return x, fmt.Errorf("a quantized state needs a past, which may be empty")
		}
		k, err := o.newCacheCodec(past, c.Tensor(11+output), s.kvHeads, s.size)
		if err != nil {
			return x, err
		}
		codec, dtype, columns = &k, k.dtype, k.bytes()
	}
	var src []byte
	rows := 0
	if past != nil {
		if past.Rank() == 4 {
			rows = past.Dim(2)
		}
		if past.DType() != dtype || rows > max(s.total, s.capacity) || !past.Shape().Equal(tensor.Shape{s.batch, s.kvHeads, rows, columns}) {
			return x, fmt.Errorf("past is %v for batch %d and %d heads of %d", past, s.batch, s.kvHeads, columns)
		}
		src = past.Bytes()
	}
	for b, n := range s.pasts {
		if n > rows || n+s.newKeys > s.total {
			return x, fmt.Errorf("%d keys of the past of batch entry %d in a past of %d rows", n, b, rows)
		}
	}
	whole, err := s.room(c, output, dtype, columns)
	if err != nil {
		return x, err
	}
	s.fill(c, whole.Bytes(), src, rows, dtype.Bytes(columns), x, codec)
	if s.capacity > 0 {
		if err := s.retain(c, output, whole, columns); err != nil {
			return x, err
		}
	}
	if codec == nil {
		return attention.Contiguous(whole.Float32(), s.kvHeads, s.total, s.size), nil
	}
	return s.decoded(c, whole.Bytes(), codec)
}

// room returns memory for all rows: the output, unless that holds only a window.
func (s *groupState) room(c *ops.Ctx, output int, d tensor.DType, columns int) (*tensor.Tensor, error) {
	shape := tensor.Shape{s.batch, s.kvHeads, s.total, columns}
	n, err := shape.CheckSize()
	if err != nil {
		return nil, err
	}
	if s.capacity == 0 {
		return c.New(output, d, shape)
	}
	buf, err := ops.Scratch[uint8](c, d.Bytes(n))
	if err != nil {
		return nil, err
	}
	return tensor.FromBytes(d, shape, buf)
}

// fill writes rows of the given width in bytes: those of the past, then the new ones, then zeros.
func (s *groupState) fill(c *ops.Ctx, dst, past []byte, rows, width int, x attention.Array[float32], codec *cacheCodec) {
	c.Parallel(s.batch*s.kvHeads, ops.Grain(s.total*width/4), func(lo, hi int) {
		for n := lo; n < hi; n++ {
			b, head := n/s.kvHeads, n%s.kvHeads
			d := dst[n*s.total*width : (n+1)*s.total*width]
			kept := copy(d[:s.pasts[b]*width], past[n*rows*width:(n+1)*rows*width])
			clear(d[kept:])
			for r := range s.newKeys {
				at := b*x.Batch + head*x.Head + r*x.Row
				row := d[(s.pasts[b]+r)*width : (s.pasts[b]+r+1)*width]
				if codec != nil {
					codec.encode(row, x.Data[at:at+s.size], head)
				} else {
					copy(row, tensor.Of(tensor.Shape{s.size}, x.Data[at:at+s.size]).Bytes())
				}
			}
		}
	})
}

// retain writes the rows to keep to an output.
func (s *groupState) retain(c *ops.Ctx, output int, whole *tensor.Tensor, columns int) error {
	out, err := c.New(output, whole.DType(), tensor.Shape{s.batch, s.kvHeads, s.capacity, columns})
	if err != nil {
		return err
	}
	ops.Zero(out)
	width := whole.DType().Bytes(columns)
	for n := range s.batch * s.kvHeads {
		b := n / s.kvHeads
		from, to := n*s.total+s.lens[b]-s.keep[b], n*s.total+s.lens[b]
		copy(out.Bytes()[n*s.capacity*width:], whole.Bytes()[from*width:to*width])
	}
	return nil
}

// decoded returns the rows of a quantized state as floats.
func (s *groupState) decoded(c *ops.Ctx, codes []byte, codec *cacheCodec) (attention.Array[float32], error) {
	rows, width := s.batch*s.kvHeads*s.total, codec.bytes()
	buf, err := ops.Scratch[float32](c, rows*s.size)
	if err != nil {
		return attention.Array[float32]{}, err
	}
	c.Parallel(rows, ops.Grain(4*s.size), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			codec.decode(buf[r*s.size:(r+1)*s.size], codes[r*width:(r+1)*width], r/s.total%s.kvHeads)
		}
	})
	return attention.Contiguous(buf, s.kvHeads, s.total, s.size), nil
}
