package quant

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// params are the scales and zero points of a tensor of the shape [outer, axis, inner], in float32. There is one pair
// for the tensor, one for each index along axis, or, blocked, one for each block of an axis and index outside it.
type params struct {
	scale, zero []float32 // equally long
	axis, inner int       // extents; axis is 0 when one pair is for all
	block       int       // the block size along axis; 0 if not blocked
	blocks      int       // the number of blocks along axis
}

// newParams checks the shapes and converts the values. zero may be nil.
func newParams(c *ops.Ctx, x tensor.Shape, scale, zero *tensor.Tensor, axis, block int) (*params, error) {
	p := &params{}
	if err := p.layOut(x, scale.Shape(), axis, block); err != nil {
		return nil, err
	}
	var err error
	if p.scale, err = floats(c, scale); err != nil {
		return nil, err
	}
	if zero == nil {
		if p.zero, err = ops.Scratch[float32](c, len(p.scale)); err == nil {
			clear(p.zero)
		}
		return p, err
	}
	if zero.Len() != scale.Len() || zero.Len() != 1 && !zero.Shape().Equal(scale.Shape()) {
		return nil, fmt.Errorf("the zero point has shape %v, the scale %v", zero.Shape(), scale.Shape())
	}
	p.zero, err = floats(c, zero)
	return p, err
}

// layOut finds out what the scale's shape means.
func (p *params) layOut(x, scale tensor.Shape, axis, block int) error {
	if scale.Size() == 1 && block == 0 {
		return nil
	}
	axis, err := x.Axis(axis)
	if err != nil {
		return err
	}
	p.axis, p.inner = x[axis], x[axis+1:].Size()
	switch {
	case block < 0:
		return fmt.Errorf("block_size is %d", block)
	case block == 0 && len(scale) == 1 && scale[0] == p.axis:
		return nil
	case block == 0:
		return fmt.Errorf("a scale of shape %v fits neither all of shape %v nor its axis %d", scale, x, axis)
	}
	p.block = block
	p.blocks = p.axis / block
	if p.axis%block != 0 {
		p.blocks++
	}
	want := x.Clone()
	want[axis] = p.blocks
	if !want.Equal(scale) {
		return fmt.Errorf("a scale of shape %v does not fit blocks of %d along axis %d of shape %v, which need %v", scale, block, axis, x, want)
	}
	return nil
}

// floats returns the elements of a scale or zero point.
func floats(c *ops.Ctx, t *tensor.Tensor) ([]float32, error) {
	f, err := ops.Scratch[float32](c, t.Len())
	if err != nil {
		return nil, err
	}
	if tensor.ReadFloat32(f, t, 0) {
		return f, nil
	}
	vals, err := t.Ints()
	if err != nil {
		return nil, err
	}
	for i, v := range vals {
		f[i] = float32(v)
	}
	return f, nil
}

// runs calls f for parts of the elements [lo, hi): n from at on that have either one pair of parameters, at k, or, with
// each set, n consecutive ones from k on.
func (p *params) runs(lo, hi int, f func(at, n, k int, each bool)) {
	if p.axis == 0 {
		f(lo, hi-lo, 0, false)
		return
	}
	for at := lo; at < hi; {
		row, col := at/p.inner, at%p.inner
		outer, a := row/p.axis, row%p.axis
		n, k, each := p.inner-col, a, false
		switch {
		case p.block == 0 && p.inner == 1:
			n, each = p.axis-a, true
		case p.block > 0 && p.inner == 1:
			n, k = min(p.block-a%p.block, p.axis-a), outer*p.blocks+a/p.block
		case p.block > 0:
			k, each = (outer*p.blocks+a/p.block)*p.inner+col, true
		}
		n = min(n, hi-at)
		f(at, n, k, each)
		at += n
	}
}

// piece is the number of elements that are converted at a time; grain, a multiple of it, those of a thread's turn.
const (
	piece = 1024
	grain = 16 * piece
)
