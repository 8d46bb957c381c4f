package nn

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// rowParam is a scale or bias that broadcasts to a tensor seen as rows: row i uses data[i*stride:][:row length].
type rowParam[T ops.Float] struct {
	data   []T
	stride int // 0 if all rows share one
}

func (p rowParam[T]) row(i, n int) []T {
	if p.data == nil {
		return nil
	}
	return p.data[i*p.stride : i*p.stride+n]
}

// newRowParam prepares t, which broadcasts to the shape of x by the unidirectional rule, for rows of all axes from axis on. A nil
// t gives a parameter without data.
func newRowParam[T ops.Float](c *ops.Ctx, name string, t *tensor.Tensor, x tensor.Shape, axis int) (rowParam[T], error) {
	if t == nil {
		return rowParam[T]{}, nil
	}
	data, err := ops.Floats[T](c, t)
	if err != nil {
		return rowParam[T]{}, err
	}
	s := t.Shape()
	for len(s) > len(x)-axis && s[0] == 1 {
		s = s[1:]
	}
	to := x[axis:]
	if len(s) > len(to) {
		to = x
	}
	if len(s) > len(x) {
		return rowParam[T]{}, fmt.Errorf("%s of shape %v does not broadcast to %v", name, t.Shape(), x)
	}
	if b, err := s.Broadcast(to); err != nil || !b.Equal(to) {
		return rowParam[T]{}, fmt.Errorf("%s of shape %v does not broadcast to %v", name, t.Shape(), x)
	}
	stride := 0
	if len(to) == len(x) && axis > 0 {
		stride = x[axis:].Size()
	}
	if s.Equal(to) {
		return rowParam[T]{data, stride}, nil
	}
	full, err := ops.Scratch[T](c, to.Size())
	if err != nil {
		return rowParam[T]{}, err
	}
	expand(full, data, s, to)
	return rowParam[T]{full, stride}, nil
}

// expand repeats src of shape s to dst of shape to.
func expand[T ops.Float](dst, src []T, s, to tensor.Shape) {
	strides := make([]int, len(to))
	for i, st := range s.Strides() {
		if s[i] != 1 {
			strides[len(to)-len(s)+i] = st
		}
	}
	idx, at := make([]int, len(to)), 0
	for k := range dst {
		dst[k] = src[at]
		for i := len(to) - 1; i >= 0; i-- {
			idx[i]++
			at += strides[i]
			if idx[i] < to[i] {
				break
			}
			at -= idx[i] * strides[i]
			idx[i] = 0
		}
	}
}
