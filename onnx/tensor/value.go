package tensor

import (
	"fmt"
	"strings"
)

// Value is what flows along an edge of a graph: *Tensor, *Sequence, *Optional or *Map. An absent optional input is nil.
type Value interface {
	// Type is the value's type with all dimensions known.
	Type() Type
}

// Sequence is an ordered list of values of one type. Operators never change a sequence in place.
type Sequence struct {
	Elem  Type // element type; shapes may be unknown
	Items []Value
}

// Optional holds a value or nothing.
type Optional struct {
	Elem  Type  // type of the value it may hold
	Value Value // nil when empty
}

// Map maps keys, all int64 or all strings, to values, in insertion order.
type Map struct {
	Key    DType // Int64 or String (or another integer type)
	Ints   []int64
	Strs   []string
	Values *Tensor // one element per key
}

// Type implements Value.
func (t *Tensor) Type() Type {
	dims := make([]Dim, len(t.shape))
	for i, d := range t.shape {
		dims[i] = Int(d)
	}
	return Type{Kind: KindTensor, DType: t.dtype, Ranked: true, Dims: dims}
}

// Type implements Value.
func (s *Sequence) Type() Type { return SequenceType(s.Elem) }

// Type implements Value.
func (o *Optional) Type() Type { return OptionalType(o.Elem) }

// Type implements Value.
func (m *Map) Type() Type {
	e := Type{Kind: KindTensor, Ranked: true}
	if m.Values != nil {
		e.DType = m.Values.dtype
	}
	return Type{Kind: KindMap, DType: m.Key, Elem: &e}
}

// Kind says which sort of value a Type describes.
type Kind uint8

// The kinds of values. KindUnknown is the zero value: nothing is known.
const (
	KindUnknown Kind = iota
	KindTensor
	KindSequence
	KindOptional
	KindMap
	KindSparse
	KindOpaque
)

// Type is the static type of a value. Parts may be unknown: DType Undefined, Ranked false, single dimensions.
type Type struct {
	Kind   Kind
	DType  DType // element type of a tensor or sparse tensor; key type of a map
	Ranked bool  // whether Dims is known
	Dims   []Dim
	Elem   *Type // of a sequence, optional or map
}

// TensorType returns a tensor type of known rank.
func TensorType(d DType, dims ...Dim) Type {
	return Type{Kind: KindTensor, DType: d, Ranked: true, Dims: dims}
}

// UnrankedType returns a tensor type of unknown rank.
func UnrankedType(d DType) Type { return Type{Kind: KindTensor, DType: d} }

// SequenceType returns the type of a sequence of e.
func SequenceType(e Type) Type { return Type{Kind: KindSequence, Elem: &e} }

// OptionalType returns the type of an optional e.
func OptionalType(e Type) Type { return Type{Kind: KindOptional, Elem: &e} }

// Shape returns the concrete shape if every dimension is known.
func (t Type) Shape() (Shape, bool) {
	if t.Kind != KindTensor || !t.Ranked {
		return nil, false
	}
	s := make(Shape, len(t.Dims))
	for i, d := range t.Dims {
		n, ok := d.Int()
		if !ok {
			return nil, false
		}
		s[i] = n
	}
	return s, true
}

// WithDims returns a copy of a tensor type with other dimensions.
func (t Type) WithDims(dims ...Dim) Type {
	t.Ranked, t.Dims = true, dims
	return t
}

// Element is the type of a sequence's, optional's or map's elements; unknown if there is none.
func (t Type) Element() Type {
	if t.Elem == nil {
		return Type{}
	}
	return *t.Elem
}

// String prints the type in the standard's textual syntax: float[N,3,224], seq(int64[]), optional(…).
func (t Type) String() string {
	switch t.Kind {
	case KindTensor, KindSparse:
		s := t.DType.String()
		if t.Ranked {
			parts := make([]string, len(t.Dims))
			for i, d := range t.Dims {
				parts[i] = d.String()
			}
			s += "[" + strings.Join(parts, ",") + "]"
		}
		if t.Kind == KindSparse {
			return "sparse_tensor(" + s + ")"
		}
		return s
	case KindSequence:
		return "seq(" + t.Element().String() + ")"
	case KindOptional:
		return "optional(" + t.Element().String() + ")"
	case KindMap:
		return fmt.Sprintf("map(%v, %v)", t.DType, t.Element())
	case KindOpaque:
		return "opaque"
	}
	return "unknown"
}

// Merge combines what two descriptions of the same value know: each part that one of them lacks is taken from the
// other; where both know a dimension, t's wins unless it is symbolic and u's is a number. It returns an error if they
// contradict each other.
func (t Type) Merge(u Type) (Type, error) {
	switch {
	case t.Kind == KindUnknown:
		return u, nil
	case u.Kind == KindUnknown:
		return t, nil
	case t.Kind != u.Kind:
		return t, fmt.Errorf("type %v is not %v", t, u)
	}
	out := t
	if out.DType == Undefined {
		out.DType = u.DType
	} else if u.DType != Undefined && u.DType != t.DType {
		return t, fmt.Errorf("type %v is not %v", t, u)
	}
	if t.Elem != nil && u.Elem != nil {
		e, err := t.Elem.Merge(*u.Elem)
		if err != nil {
			return t, err
		}
		out.Elem = &e
	} else if t.Elem == nil {
		out.Elem = u.Elem
	}
	if !t.Ranked {
		out.Ranked, out.Dims = u.Ranked, u.Dims
		return out, nil
	}
	if !u.Ranked {
		return out, nil
	}
	if len(t.Dims) != len(u.Dims) {
		return t, fmt.Errorf("type %v is not %v: the ranks differ", t, u)
	}
	out.Dims = append([]Dim{}, t.Dims...)
	for i, d := range u.Dims {
		a, aok := t.Dims[i].Int()
		b, bok := d.Int()
		switch {
		case aok && bok && a != b:
			return t, fmt.Errorf("type %v is not %v: dimension %d differs", t, u, i)
		case bok || !t.Dims[i].Known():
			out.Dims[i] = d
		}
	}
	return out, nil
}

// Unify returns the most specific type that describes both t and u: what they disagree on becomes unknown. Values that
// come from two branches or from a loop's iterations have such a type.
func (t Type) Unify(u Type) Type {
	if t.Kind != u.Kind {
		return Type{}
	}
	out := Type{Kind: t.Kind}
	if t.DType == u.DType {
		out.DType = t.DType
	}
	if t.Elem != nil && u.Elem != nil {
		e := t.Elem.Unify(*u.Elem)
		out.Elem = &e
	}
	if t.Ranked && u.Ranked && len(t.Dims) == len(u.Dims) {
		out.Ranked, out.Dims = true, make([]Dim, len(t.Dims))
		for i, d := range t.Dims {
			if d.Equal(u.Dims[i]) {
				out.Dims[i] = d
			}
		}
	}
	return out
}
