package elementwise

import (
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// maxOperands is the number of inputs that one plan can walk.
const maxOperands = 3

// plan is the index space of an operation whose operands broadcast to one shape. Axes of extent 1 are dropped and
// neighbouring axes merged where every operand is contiguous or broadcast over both. Along the last axis a step is 1 or 0.
type plan struct {
	shape tensor.Shape // of the output
	n     int          // its size
	dims  []int        // collapsed, outermost first; at least one
	step  [maxOperands][]int
}

// newPlan broadcasts the shapes against each other.
func newPlan(shapes ...tensor.Shape) (*plan, error) {
	p := &plan{}
	for _, s := range shapes {
		var err error
		if p.shape, err = p.shape.Broadcast(s); err != nil {
			return nil, err
		}
	}
	var err error
	if p.n, err = p.shape.CheckSize(); err != nil {
		return nil, err
	}
	strides := make([]tensor.Shape, len(shapes))
	for k, s := range shapes {
		strides[k] = aligned(s, len(p.shape))
	}
	for axis, d := range p.shape {
		if d != 1 {
			p.addAxis(axis, d, strides)
		}
	}
	if len(p.dims) == 0 {
		p.dims = []int{1}
		for k := range shapes {
			p.step[k] = []int{1}
		}
	}
	return p, nil
}

// aligned returns the strides of a contiguous s, right-aligned in rank axes; 0 along axes that are missing or 1.
func aligned(s tensor.Shape, rank int) tensor.Shape {
	out := make(tensor.Shape, rank)
	for i, st := range s.Strides() {
		if s[i] != 1 {
			out[rank-len(s)+i] = st
		}
	}
	return out
}

// addAxis appends an axis, or merges it into the one before.
func (p *plan) addAxis(axis, d int, strides []tensor.Shape) {
	last := len(p.dims) - 1
	merge := last >= 0
	for k := range strides {
		merge = merge && p.step[k][last] == strides[k][axis]*d
	}
	if merge {
		p.dims[last] *= d
	} else {
		p.dims = append(p.dims, d)
	}
	for k := range strides {
		if merge {
			p.step[k][last] = strides[k][axis]
		} else {
			p.step[k] = append(p.step[k], strides[k][axis])
		}
	}
}

// row is the extent of the last axis.
func (p *plan) row() int { return p.dims[len(p.dims)-1] }

// inner is the step of operand k along the last axis: 1 or 0.
func (p *plan) inner(k int) int { return p.step[k][len(p.dims)-1] }

// full reports whether operand k has the output's size, so that element i of the output belongs to its element i.
func (p *plan) full(k int) bool {
	st := 1
	for i := len(p.dims) - 1; i >= 0; i-- {
		if p.step[k][i] != st {
			return false
		}
		st *= p.dims[i]
	}
	return true
}

// shortRow is the row length below which operands are expanded into long pieces rather than walked row by row.
const shortRow = 32

// piece is the number of elements of expanded or converted pieces.
const piece = 1024

// cursor walks the rows of a plan and knows where each operand's row starts.
type cursor struct {
	p   *plan
	idx []int
	off [maxOperands]int
}

// seek returns a cursor at the row that holds output element i, and i's place in that row.
func (p *plan) seek(i int) (*cursor, int) {
	last := len(p.dims) - 1
	c := &cursor{p: p, idx: make([]int, last)}
	col := i % p.dims[last]
	i /= p.dims[last]
	for d := last - 1; d >= 0; d-- {
		c.idx[d] = i % p.dims[d]
		i /= p.dims[d]
		for k := range c.off {
			if p.step[k] != nil {
				c.off[k] += c.idx[d] * p.step[k][d]
			}
		}
	}
	return c, col
}

// next moves to the following row; after the last comes the first again.
func (c *cursor) next() {
	for d := len(c.idx) - 1; d >= 0; d-- {
		c.idx[d]++
		wrap := c.idx[d] == c.p.dims[d]
		for k := range c.off {
			if c.p.step[k] == nil {
				continue
			}
			c.off[k] += c.p.step[k][d]
			if wrap {
				c.off[k] -= c.p.dims[d] * c.p.step[k][d]
			}
		}
		if !wrap {
			return
		}
		c.idx[d] = 0
	}
}

// rows calls f for each row, or part of one, of the output range [lo, hi): n elements from output element at on, with
// operand k's from off[k] on.
func (p *plan) rows(lo, hi int, f func(at, n int, off *[maxOperands]int)) {
	if lo >= hi {
		return
	}
	c, col := p.seek(lo)
	var off [maxOperands]int
	for at := lo; at < hi; {
		n := min(p.row()-col, hi-at)
		off = c.off
		for k := range off {
			if p.step[k] != nil {
				off[k] += col * p.inner(k)
			}
		}
		f(at, n, &off)
		at += n
		col = 0
		c.next()
	}
}

// expand writes operand k's elements for the outputs from lo on into dst.
func expand[T any](p *plan, k int, dst, src []T, lo int) {
	last := len(p.dims) - 1
	row, step, dims := p.row(), p.step[k], p.dims
	c, col := p.seek(lo)
	off, idx := c.off[k], c.idx
	for len(dst) > 0 {
		n := min(row-col, len(dst))
		if step[last] == 1 {
			copy(dst, src[off+col:off+col+n])
		} else {
			v := src[off]
			for i := range dst[:n] {
				dst[i] = v
			}
		}
		dst, col = dst[n:], 0
		for d := last - 1; d >= 0; d-- {
			idx[d]++
			off += step[d]
			if idx[d] < dims[d] {
				break
			}
			off -= dims[d] * step[d]
			idx[d] = 0
		}
	}
}

// take returns operand k's n elements for the outputs from lo on: a part of src if the operand is full, else expanded
// into buf.
func take[T any](p *plan, k int, src, buf []T, lo, n int) []T {
	if p.full(k) {
		return src[lo : lo+n]
	}
	expand(p, k, buf[:n], src, lo)
	return buf[:n]
}
