package schema

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// TypeSet is a set of types without shapes: tensors, sequences of tensors,
// optionals of both, maps and sequences of maps. It is comparable; the zero
// value is empty.
type TypeSet struct {
	tensors, seqs, opts, optSeqs uint32 // bit d: element type d
	maps, seqMaps                uint64 // bit d: from int64 to d; bit 32+d: from string to d
}

// Tensors returns the set of tensors with the given element types.
func Tensors(ds ...tensor.DType) TypeSet {
	var s TypeSet
	for _, d := range ds {
		s.tensors |= 1 << d
	}
	return s
}

// Empty reports whether s allows nothing.
func (s TypeSet) Empty() bool { return s == TypeSet{} }

// AllowsTensor reports whether s has the tensors with element type d.
func (s TypeSet) AllowsTensor(d tensor.DType) bool { return s.tensors>>d&1 != 0 }

// Allows reports whether t is in s, shapes aside. Of a type that is known in
// part (the kind, not the element type) it reports whether it can be in s.
func (s TypeSet) Allows(t tensor.Type) bool {
	switch t.Kind {
	case tensor.KindUnknown:
		return !s.Empty()
	case tensor.KindTensor:
		return has(s.tensors, t.DType)
	case tensor.KindMap:
		return hasMap(s.maps, t)
	case tensor.KindSequence:
		return s.allowsSequence(t.Element())
	case tensor.KindOptional:
		return s.allowsOptional(t.Element())
	}
	return false
}

func (s TypeSet) allowsSequence(e tensor.Type) bool {
	switch e.Kind {
	case tensor.KindUnknown:
		return s.seqs != 0 || s.seqMaps != 0
	case tensor.KindTensor:
		return has(s.seqs, e.DType)
	case tensor.KindMap:
		return hasMap(s.seqMaps, e)
	}
	return false
}

func (s TypeSet) allowsOptional(e tensor.Type) bool {
	switch e.Kind {
	case tensor.KindUnknown:
		return s.opts != 0 || s.optSeqs != 0
	case tensor.KindTensor:
		return has(s.opts, e.DType)
	case tensor.KindSequence:
		e = e.Element()
		if e.Kind == tensor.KindUnknown {
			return s.optSeqs != 0
		}
		return e.Kind == tensor.KindTensor && has(s.optSeqs, e.DType)
	}
	return false
}

func has(set uint32, d tensor.DType) bool {
	if d == tensor.Undefined {
		return set != 0
	}
	return set>>d&1 != 0
}

func hasMap(set uint64, t tensor.Type) bool {
	v := t.Element()
	if t.DType == tensor.Undefined || v.Kind == tensor.KindUnknown || v.DType == tensor.Undefined {
		return set != 0
	}
	bit, ok := mapBit(t.DType, v.DType)
	return ok && v.Kind == tensor.KindTensor && set>>bit&1 != 0
}

// mapBit is the bit of a map; only int64 and string keys occur in signatures.
func mapBit(key, value tensor.DType) (uint, bool) {
	switch key {
	case tensor.Int64:
		return uint(value), true
	case tensor.String:
		return 32 + uint(value), true
	}
	return 0, false
}

// Each calls f with every type of s, in a fixed order, without shapes.
func (s TypeSet) Each(f func(tensor.Type)) {
	forms := []struct {
		set  uint32
		wrap func(tensor.Type) tensor.Type
	}{
		{s.tensors, func(t tensor.Type) tensor.Type { return t }},
		{s.seqs, tensor.SequenceType},
		{s.opts, tensor.OptionalType},
		{s.optSeqs, func(t tensor.Type) tensor.Type { return tensor.OptionalType(tensor.SequenceType(t)) }},
	}
	for _, form := range forms {
		for set := form.set; set != 0; set &= set - 1 {
			f(form.wrap(tensor.UnrankedType(tensor.DType(bits.TrailingZeros32(set)))))
		}
	}
	for set := s.maps; set != 0; set &= set - 1 {
		f(mapType(bits.TrailingZeros64(set)))
	}
	for set := s.seqMaps; set != 0; set &= set - 1 {
		f(tensor.SequenceType(mapType(bits.TrailingZeros64(set))))
	}
}

func mapType(bit int) tensor.Type {
	key := tensor.Int64
	if bit >= 32 {
		key, bit = tensor.String, bit-32
	}
	v := tensor.UnrankedType(tensor.DType(bit))
	return tensor.Type{Kind: tensor.KindMap, DType: key, Elem: &v}
}

// Len is the number of types in s.
func (s TypeSet) Len() int {
	return bits.OnesCount32(s.tensors) + bits.OnesCount32(s.seqs) + bits.OnesCount32(s.opts) +
		bits.OnesCount32(s.optSeqs) + bits.OnesCount64(s.maps) + bits.OnesCount64(s.seqMaps)
}

// Only returns the type of a set of one type.
func (s TypeSet) Only() (t tensor.Type, ok bool) {
	if s.Len() != 1 {
		return t, false
	}
	s.Each(func(u tensor.Type) { t = u })
	return t, true
}

// String lists the types as the standard writes them: "tensor(float), seq(tensor(int64))".
func (s TypeSet) String() string {
	var names []string
	s.Each(func(t tensor.Type) { names = append(names, TypeString(t)) })
	return strings.Join(names, ", ")
}

// TypeString prints a type without its shape as the standard's signatures do:
// tensor(float), seq(tensor(int64)), optional(…), map(int64,tensor(float)),
// sparse_tensor(float).
func TypeString(t tensor.Type) string {
	switch t.Kind {
	case tensor.KindTensor:
		return "tensor(" + t.DType.String() + ")"
	case tensor.KindSparse:
		return "sparse_tensor(" + t.DType.String() + ")"
	case tensor.KindSequence:
		return "seq(" + TypeString(t.Element()) + ")"
	case tensor.KindOptional:
		return "optional(" + TypeString(t.Element()) + ")"
	case tensor.KindMap:
		return "map(" + t.DType.String() + "," + TypeString(t.Element()) + ")"
	}
	return "unknown"
}

// Known reports whether t is known but for its shape.
func Known(t tensor.Type) bool {
	switch t.Kind {
	case tensor.KindTensor, tensor.KindSparse:
		return t.DType != tensor.Undefined
	case tensor.KindSequence, tensor.KindOptional:
		return Known(t.Element())
	case tensor.KindMap:
		return t.DType != tensor.Undefined && Known(t.Element())
	}
	return false
}

// Same reports whether two types are equal, shapes aside.
func Same(a, b tensor.Type) bool {
	if a.Kind != b.Kind || a.DType != b.DType {
		return false
	}
	if a.Elem == nil || b.Elem == nil {
		return a.Elem == b.Elem
	}
	return Same(*a.Elem, *b.Elem)
}

func withoutShape(t tensor.Type) tensor.Type {
	t.Ranked, t.Dims = false, nil
	if t.Elem != nil {
		e := withoutShape(*t.Elem)
		t.Elem = &e
	}
	return t
}

// add puts a type in the table's notation into s: float, seq(float),
// optional(seq(float)), map(int64,float), seq(map(string,float)); "tensor(…)"
// may be spelled out.
func (s *TypeSet) add(name string) error {
	form, elem := "", strings.TrimSuffix(strings.TrimPrefix(name, "tensor("), ")")
	if inner, ok := cut(name, "optional(seq("); ok {
		form, elem = "optseq", inner
	} else if inner, ok := cut(name, "optional("); ok {
		form, elem = "opt", inner
	} else if inner, ok := cut(name, "seq(map("); ok {
		form, elem = "seqmap", inner
	} else if inner, ok := cut(name, "seq("); ok {
		form, elem = "seq", inner
	} else if inner, ok := cut(name, "map("); ok {
		form, elem = "map", inner
	}
	if form == "map" || form == "seqmap" {
		return s.addMap(form, elem, name)
	}
	d, ok := dtypes[elem]
	if !ok {
		return fmt.Errorf("unknown type %q", name)
	}
	sets := map[string]*uint32{"": &s.tensors, "seq": &s.seqs, "opt": &s.opts, "optseq": &s.optSeqs}
	*sets[form] |= 1 << d
	return nil
}

func (s *TypeSet) addMap(form, elem, name string) error {
	k, v, _ := strings.Cut(elem, ",")
	bit, ok := mapBit(dtypes[k], dtypes[v])
	if !ok || dtypes[v] == tensor.Undefined {
		return fmt.Errorf("unknown type %q", name)
	}
	if form == "map" {
		s.maps |= 1 << bit
	} else {
		s.seqMaps |= 1 << bit
	}
	return nil
}

func cut(s, prefix string) (string, bool) {
	if !strings.HasPrefix(s, prefix) {
		return s, false
	}
	return strings.TrimRight(s[len(prefix):], ")"), true
}

var dtypes = func() map[string]tensor.DType {
	m := map[string]tensor.DType{}
	for _, d := range tensor.DTypes() {
		m[d.String()] = d
	}
	return m
}()
