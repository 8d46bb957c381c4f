package tensor

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// Shape lists the extents of a tensor's axes, outermost first. A nil or empty Shape is a scalar's.
type Shape []int

// Size is the number of elements. It panics where CheckSize would return an error: shapes of existing tensors never do.
func (s Shape) Size() int {
	n, err := s.CheckSize()
	if err != nil {
		panic(err)
	}
	return n
}

// CheckSize is the number of elements, or an error for a negative dimension or a product that overflows.
func (s Shape) CheckSize() (int, error) {
	n := uint64(1)
	for _, d := range s {
		if d < 0 {
			return 0, fmt.Errorf("negative dimension in shape %v", s)
		}
		if d == 0 {
			n = 0
		}
		if n == 0 {
			continue
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt/16 {
			return 0, fmt.Errorf("shape %v has too many elements", s)
		}
		n = lo
	}
	return int(n), nil
}

// Equal reports equal ranks and extents.
func (s Shape) Equal(t Shape) bool { return slices.Equal(s, t) }

// Clone returns a copy that is never nil.
func (s Shape) Clone() Shape { return append(make(Shape, 0, len(s)), s...) }

// String prints the shape as [2 3]; a scalar's is [].
func (s Shape) String() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, d := range s {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.Itoa(d))
	}
	b.WriteByte(']')
	return b.String()
}

// Strides returns the number of elements between neighbours along each axis in row-major order.
func (s Shape) Strides() []int {
	st := make([]int, len(s))
	n := 1
	for i := len(s) - 1; i >= 0; i-- {
		st[i] = n
		n *= s[i]
	}
	return st
}

// Axis turns a possibly negative axis into an index into s, or returns an error.
func (s Shape) Axis(axis int) (int, error) {
	a := axis
	if a < 0 {
		a += len(s)
	}
	if a < 0 || a >= len(s) {
		return 0, fmt.Errorf("axis %d out of range for shape %v", axis, s)
	}
	return a, nil
}

// Broadcast returns the shape that s and t broadcast to by the multidirectional (NumPy) rule, or an error.
func (s Shape) Broadcast(t Shape) (Shape, error) {
	out := make(Shape, max(len(s), len(t)))
	for i := range out {
		a, b := 1, 1
		if j := i - (len(out) - len(s)); j >= 0 {
			a = s[j]
		}
		if j := i - (len(out) - len(t)); j >= 0 {
			b = t[j]
		}
		switch {
		case a == b || b == 1:
			out[i] = a
		case a == 1:
			out[i] = b
		default:
			return nil, fmt.Errorf("shapes %v and %v do not broadcast", s, t)
		}
	}
	return out, nil
}
