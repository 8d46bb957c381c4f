package control

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// stack collects tensors of one type and shape as the rows of a new first axis. Its memory grows by doubling, so that
// n rows cost O(n) copies, and never beyond limit rows when a limit is known.
type stack struct {
	mem   ops.Memory
	limit int // largest number of rows; negative if unknown
	rows  int
	buf   *tensor.Tensor // capacity × row; nil before the first row
}

// firstBytes is about what a stack reserves at once.
const firstBytes = 1 << 20

// add copies t behind the rows that are there.
func (s *stack) add(v tensor.Value) error {
	t, ok := v.(*tensor.Tensor)
	if !ok {
		return fmt.Errorf("scan output is %v, not a tensor", typeOf(v))
	}
	if s.buf == nil {
		row := max(t.DType().Bytes(t.Len()), 1)
		if err := s.grow(t.DType(), t.Shape(), max(1, firstBytes/row)); err != nil {
			return err
		}
	}
	if t.DType() != s.buf.DType() || !t.Shape().Equal(s.buf.Shape()[1:]) {
		return fmt.Errorf("scan output changes from %v%v to %v", s.buf.DType(), s.buf.Shape()[1:], t)
	}
	if s.rows == s.buf.Dim(0) {
		if err := s.grow(t.DType(), t.Shape(), 2*s.rows); err != nil {
			return err
		}
	}
	copyElems(s.buf, s.rows*t.Len(), t, 0, t.Len())
	s.rows++
	return nil
}

func (s *stack) grow(d tensor.DType, row tensor.Shape, rows int) error {
	if s.limit >= 0 {
		rows = min(rows, s.limit)
	}
	buf, err := s.mem.Alloc(d, prepend(rows, row))
	if err != nil {
		return err
	}
	if s.buf != nil {
		copyElems(buf, 0, s.buf, 0, s.rows*row.Size())
		s.mem.Free(s.buf)
	}
	s.buf = buf
	return nil
}

// take returns the rows as one tensor; of a stack without rows it is empty, with what elem tells of the rows' type.
func (s *stack) take(elem tensor.Type) (*tensor.Tensor, error) {
	if s.buf == nil {
		return emptyRows(s.mem, elem)
	}
	buf := s.buf
	s.buf = nil
	if s.rows == buf.Dim(0) {
		return buf, nil
	}
	out, err := s.mem.Alloc(buf.DType(), prepend(s.rows, buf.Shape()[1:]))
	if err != nil {
		return nil, err
	}
	copyElems(out, 0, buf, 0, out.Len())
	s.mem.Free(buf)
	return out, nil
}

// emptyRows returns a tensor of no rows; dimensions of the rows that inference does not know become 0.
func emptyRows(mem ops.Memory, elem tensor.Type) (*tensor.Tensor, error) {
	if elem.DType == tensor.Undefined {
		return nil, fmt.Errorf("the element type of an output that was never computed is unknown")
	}
	shape := tensor.Shape{0}
	for _, d := range elem.Dims {
		n, _ := d.Int()
		shape = append(shape, max(n, 0))
	}
	return mem.Alloc(elem.DType, shape)
}

// rowType is the type of the elements along axis of a tensor type.
func rowType(t tensor.Type, axis int) tensor.Type {
	if !t.Ranked || axis < 0 || axis >= len(t.Dims) {
		return tensor.UnrankedType(t.DType)
	}
	dims := append([]tensor.Dim{}, t.Dims[:axis]...)
	return tensor.TensorType(t.DType, append(dims, t.Dims[axis+1:]...)...)
}

// stackedType is the type of rows of type t stacked along axis; axis may be negative, counted in the result.
func stackedType(t tensor.Type, axis int, n tensor.Dim) (tensor.Type, error) {
	if t.Kind != tensor.KindTensor || !t.Ranked {
		return tensor.UnrankedType(t.DType), nil
	}
	axis, err := ops.NormAxis(axis, len(t.Dims)+1)
	if err != nil {
		return t, err
	}
	dims := append([]tensor.Dim{}, t.Dims[:axis]...)
	dims = append(dims, n)
	return tensor.TensorType(t.DType, append(dims, t.Dims[axis:]...)...), nil
}

func prepend(n int, s tensor.Shape) tensor.Shape { return append(tensor.Shape{n}, s...) }

func typeOf(v tensor.Value) string {
	if v == nil {
		return "absent"
	}
	return v.Type().String()
}

// copyElems copies n elements of src from index so to index do of dst, which has the same element type.
func copyElems(dst *tensor.Tensor, do int, src *tensor.Tensor, so, n int) {
	d := dst.DType()
	switch {
	case d == tensor.String:
		copy(dst.Strs()[do:do+n], src.Strs()[so:so+n])
	case d.Packed():
		for i := range n {
			dst.SetPacked(do+i, src.PackedAt(so+i))
		}
	default:
		w := d.Bytes(1)
		copy(dst.Bytes()[do*w:(do+n)*w], src.Bytes()[so*w:(so+n)*w])
	}
}

// sliceAt returns t's elements at index i of axis as a tensor of one rank less: a view where they are contiguous.
func sliceAt(mem ops.Memory, t *tensor.Tensor, axis, i int) (*tensor.Tensor, error) {
	s := t.Shape()
	shape := append(s[:axis:axis].Clone(), s[axis+1:]...)
	outer, inner := s[:axis].Size(), s[axis+1:].Size()
	if outer == 1 && !t.DType().Packed() {
		return t.Reshaped(tensor.Shape{s[axis], inner}).Rows(i, i+1).Reshaped(shape), nil
	}
	out, err := mem.Alloc(t.DType(), shape)
	if err != nil {
		return nil, err
	}
	for o := range outer {
		copyElems(out, o*inner, t, (o*s[axis]+i)*inner, inner)
	}
	return out, nil
}

// moveFirst returns a tensor in which the first axis of t, in reverse order if asked, stands at position axis.
func moveFirst(mem ops.Memory, t *tensor.Tensor, axis int, reverse bool) (*tensor.Tensor, error) {
	if axis == 0 && !reverse {
		return t, nil
	}
	s := t.Shape()
	n, row := s[0], s[1:]
	shape := append(row[:axis].Clone(), n)
	shape = append(shape, row[axis:]...)
	out, err := mem.Alloc(t.DType(), shape)
	if err != nil {
		return nil, err
	}
	outer, inner := row[:axis].Size(), row[axis:].Size()
	for i := range n {
		from := i
		if reverse {
			from = n - 1 - i
		}
		for o := range outer {
			copyElems(out, (o*n+i)*inner, t, (from*outer+o)*inner, inner)
		}
	}
	mem.Free(t)
	return out, nil
}
