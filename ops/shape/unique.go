package shape

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Name: "Unique", Since: 11, New: newUnique})
}

// unique is https://onnx.ai/onnx/operators/onnx__Unique.html. NaNs are equal to each other and above all numbers.
type unique struct {
	axis    int
	hasAxis bool
	sorted  bool
}

func newUnique(a *ops.Attrs) (ops.Op, error) {
	return unique{a.Int("axis", 0), a.Has("axis"), a.Bool("sorted", true)}, a.Done()
}

func (op unique) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	for i := 1; i < 4; i++ {
		c.SetOut(i, tensor.Int64, tensor.Dim{})
	}
	dims, ok := c.Dims(0)
	if !op.hasAxis {
		c.SetOut(0, c.DType(0), tensor.Dim{})
		if ok {
			c.SetOut(2, tensor.Int64, product(dims))
		}
		return nil
	}
	if !ok {
		return nil
	}
	axis, err := ops.NormAxis(op.axis, len(dims))
	if err != nil {
		return err
	}
	out := append([]tensor.Dim{}, dims...)
	out[axis] = tensor.Dim{}
	c.SetOut(0, c.DType(0), out...)
	c.SetOut(2, tensor.Int64, dims[axis])
	return nil
}

func (op unique) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	axis := 0
	if op.hasAxis {
		var err error
		if axis, err = x.Shape().Axis(op.axis); err != nil {
			return err
		}
	} else {
		x = x.Reshaped(tensor.Shape{x.Len()})
	}
	compare, err := comparer(x)
	if err != nil {
		return err
	}
	s := x.Shape()
	groups := op.group(s[axis], rowComparer(compare, s[:axis].Size(), s[axis], s[axis+1:].Size()))
	first := make([]int64, len(groups))
	for g, rows := range groups {
		first[g] = int64(rows[0])
	}
	if err := op.indices(c, s[axis], groups); err != nil {
		return err
	}
	shape := s.Clone()
	shape[axis] = len(groups)
	return gatherRows(c, x, shape, axis, first)
}

// group returns the classes of equal rows, each in ascending order, in the order of the output.
func (op unique) group(n int, compare func(i, j int) int) [][]int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, compare)
	var groups [][]int
	for lo := 0; lo < n; {
		hi := lo + 1
		for hi < n && compare(order[lo], order[hi]) == 0 {
			hi++
		}
		groups = append(groups, order[lo:hi])
		lo = hi
	}
	if !op.sorted {
		slices.SortFunc(groups, func(a, b []int) int { return cmp.Compare(a[0], b[0]) })
	}
	return groups
}

// indices writes outputs 1 to 3 where they are wanted: first occurrences, inverse and counts.
func (op unique) indices(c *ops.Ctx, n int, groups [][]int) error {
	for o, length := range []int{len(groups), n, len(groups)} {
		if !c.Wants(o + 1) {
			continue
		}
		t, err := c.New(o+1, tensor.Int64, tensor.Shape{length})
		if err != nil {
			return err
		}
		y := t.Int64()
		for g, rows := range groups {
			switch o {
			case 0:
				y[g] = int64(rows[0])
			case 1:
				for _, r := range rows {
					y[r] = int64(g)
				}
			case 2:
				y[g] = int64(len(rows))
			}
		}
	}
	return nil
}

// rowComparer compares entries along the middle axis of a tensor of shape (outer, n, inner), element by element.
func rowComparer(compare func(i, j int) int, outer, n, inner int) func(i, j int) int {
	if outer == 1 && inner == 1 {
		return compare
	}
	return func(i, j int) int {
		for o := range outer {
			for k := range inner {
				if r := compare((o*n+i)*inner+k, (o*n+j)*inner+k); r != 0 {
					return r
				}
			}
		}
		return 0
	}
}

// comparer orders the elements of t by their offsets.
func comparer(t *tensor.Tensor) (func(i, j int) int, error) {
	switch d := t.DType(); d {
	case tensor.Float32:
		return ordered(t.Float32()), nil
	case tensor.Float64:
		return ordered(t.Float64()), nil
	case tensor.Int64:
		return ordered(t.Int64()), nil
	case tensor.Uint64:
		return ordered(tensor.Slice[uint64](t)), nil
	case tensor.Bool:
		return ordered(tensor.Slice[uint8](t)), nil
	case tensor.String:
		s := t.Strs()
		return func(i, j int) int { return strings.Compare(s[i], s[j]) }, nil
	case tensor.Complex64:
		return complexOrder(tensor.Slice[complex64](t)), nil
	case tensor.Complex128:
		return complexOrder(tensor.Slice[complex128](t)), nil
	default:
		if d.IsInt() {
			v, err := t.Ints()
			return ordered(v), err
		}
		f, err := t.AsFloat32()
		if err != nil {
			return nil, fmt.Errorf("%w: comparing elements of type %v", ops.ErrUnsupported, d)
		}
		return ordered(f.Float32()), nil
	}
}

func ordered[T cmp.Ordered](s []T) func(i, j int) int {
	return func(i, j int) int { return order(s[i], s[j]) }
}

// order compares with NaN above everything.
func order[T cmp.Ordered](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	return -cmp.Compare(a, b) // with NaNs, which cmp.Compare puts first
}

func complexOrder[T complex64 | complex128](s []T) func(i, j int) int {
	return func(i, j int) int {
		a, b := complex128(s[i]), complex128(s[j])
		if r := order(real(a), real(b)); r != 0 {
			return r
		}
		return order(imag(a), imag(b))
	}
}
