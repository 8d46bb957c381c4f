package ml

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	register("LabelEncoder", 1, newLabelEncoder1)
	register("LabelEncoder", 2, newLabelEncoder(false))
	register("LabelEncoder", 4, newLabelEncoder(true))
	register("CategoryMapper", 1, newCategoryMapper)
	register("OneHotEncoder", 1, newOneHot)
}

// index finds the position of a value in a list. Floats are compared as numbers, and NaN equals NaN.
type index struct {
	ints   map[int64]int
	strs   map[string]int
	floats map[uint64]int
}

func newIndex(keys *tensor.Tensor) (index, error) {
	var x index
	switch d := keys.DType(); {
	case d == tensor.String:
		x.strs = make(map[string]int, keys.Len())
		for i, k := range keys.Strs() {
			put(x.strs, k, i)
		}
	case d.IsInt() && !d.Packed():
		x.ints = make(map[int64]int, keys.Len())
		v, err := keys.Ints()
		if err != nil {
			return x, err
		}
		for i, k := range v {
			put(x.ints, int64(k), i)
		}
	default:
		x.floats = make(map[uint64]int, keys.Len())
		v, err := keys.Floats()
		if err != nil {
			return x, err
		}
		for i, k := range v {
			put(x.floats, bitsOf(k), i)
		}
	}
	return x, nil
}

// put keeps the first position of a key.
func put[K comparable](m map[K]int, k K, i int) {
	if _, ok := m[k]; !ok {
		m[k] = i
	}
}

func bitsOf(f float64) uint64 {
	switch {
	case f == 0:
		return 0 // also for -0
	case f != f:
		return math.Float64bits(math.NaN())
	}
	return math.Float64bits(f)
}

// find returns the position of each element of t, or miss.
func (x index) find(t *tensor.Tensor, miss int) ([]int, error) {
	out := make([]int, t.Len())
	at := func(i, p int, ok bool) {
		if out[i] = p; !ok {
			out[i] = miss
		}
	}
	switch {
	case x.strs != nil && t.DType() == tensor.String:
		for i, s := range t.Strs() {
			p, ok := x.strs[s]
			at(i, p, ok)
		}
	case x.ints != nil && t.DType().IsInt():
		v, err := t.Ints()
		if err != nil {
			return nil, err
		}
		for i, k := range v {
			p, ok := x.ints[int64(k)]
			at(i, p, ok)
		}
	case x.floats != nil && t.DType() != tensor.String:
		v, err := t.Floats()
		if err != nil {
			return nil, err
		}
		for i, k := range v {
			p, ok := x.floats[bitsOf(k)]
			at(i, p, ok)
		}
	default:
		return nil, fmt.Errorf("keys do not have the input's type %v", t.DType())
	}
	return out, nil
}

// encoder maps each element to a value: values has one more element than there are keys, the default. byInput holds an
// encoder for either direction in operators that choose by the type of their input.
type encoder struct {
	keys   index
	values *tensor.Tensor
}

type labelEncoder struct{ byString, other *encoder }

func newEncoder(keys, values, def *tensor.Tensor) (*encoder, error) {
	if keys.Len() != values.Len() || def.Len() != 1 || def.DType() != values.DType() || values.DType().Packed() {
		return nil, fmt.Errorf("%d keys for %d values of %v with default %v", keys.Len(), values.Len(), values.DType(), def)
	}
	idx, err := newIndex(keys)
	if err != nil {
		return nil, err
	}
	all := tensor.New(values.DType(), values.Len()+1)
	for i := range values.Len() {
		copyElem(all, i, values, i)
	}
	copyElem(all, values.Len(), def, 0)
	return &encoder{idx, all}, nil
}

// twoWay returns the encoders between strings and integers.
func twoWay(a *ops.Attrs, strs []string, ints []int64) (ops.Op, error) {
	s, n := tensor.Vector[int64](ints...), tensor.Strings(tensor.Shape{len(strs)}, strs)
	there, err := newEncoder(n, s, tensor.Vector(int64(a.Int("default_int64", -1))))
	if err != nil {
		return nil, err
	}
	back, err := newEncoder(s, n, tensor.Strings(tensor.Shape{1}, []string{a.String("default_string", "_Unused")}))
	if err != nil {
		return nil, err
	}
	return labelEncoder{there, back}, a.Done()
}

func newLabelEncoder1(a *ops.Attrs) (ops.Op, error) {
	classes := a.Strings("classes_strings")
	ints := make([]int64, len(classes))
	for i := range ints {
		ints[i] = int64(i)
	}
	return twoWay(a, classes, ints)
}

func newCategoryMapper(a *ops.Attrs) (ops.Op, error) {
	return twoWay(a, a.Strings("cats_strings"), a.Int64s("cats_int64s"))
}

// listed returns the list that is given among the typed attributes of a prefix.
func listed(a *ops.Attrs, prefix string) *tensor.Tensor {
	f, n, s, t := a.Floats(prefix+"_floats"), a.Int64s(prefix+"_int64s"), a.Strings(prefix+"_strings"), a.Tensor(prefix+"_tensor")
	switch {
	case len(f) > 0:
		return tensor.Vector(f...)
	case len(n) > 0:
		return tensor.Vector(n...)
	case len(s) > 0:
		return tensor.Strings(tensor.Shape{len(s)}, s)
	}
	return t
}

// newLabelEncoder reads versions from 2 on. A key NaN is found from version 4 on.
func newLabelEncoder(nan bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) { return readLabelEncoder(a, nan) }
}

func readLabelEncoder(a *ops.Attrs, nan bool) (ops.Op, error) {
	keys, values := listed(a, "keys"), listed(a, "values")
	def := a.Tensor("default_tensor")
	f, n, s := a.Float("default_float", float32(math.Copysign(0, -1))), a.Int("default_int64", -1), a.String("default_string", "_Unused")
	if err := a.Done(); err != nil {
		return nil, err
	}
	if keys == nil || values == nil {
		return nil, fmt.Errorf("keys or values are missing")
	}
	if def == nil {
		def = tensor.New(values.DType(), 1)
		switch d := values.DType(); {
		case d == tensor.String:
			def.Strs()[0] = s
		case d.IsInt():
			if err := def.SetFloats([]float64{float64(n)}); err != nil {
				return nil, err
			}
			if d == tensor.Int64 {
				def.Int64()[0] = int64(n)
			}
		default:
			if err := def.SetFloats([]float64{float64(f)}); err != nil {
				return nil, err
			}
		}
	}
	e, err := newEncoder(keys, values, def)
	if err != nil {
		return nil, err
	}
	if !nan {
		delete(e.keys.floats, bitsOf(math.NaN()))
	}
	if keys.DType() == tensor.String {
		return labelEncoder{byString: e}, nil
	}
	return labelEncoder{other: e}, nil
}

func (op labelEncoder) pick(d tensor.DType) (*encoder, error) {
	e := op.other
	if d == tensor.String {
		e = op.byString
	}
	if e == nil {
		return nil, fmt.Errorf("there are no keys of type %v", d)
	}
	return e, nil
}

// Infer implements ops.Op.
func (op labelEncoder) Infer(c *ops.Infer) error {
	if c.DType(0) == tensor.Undefined {
		return nil
	}
	e, err := op.pick(c.DType(0))
	if err != nil {
		return err
	}
	c.SetShapeLike(0, 0, e.values.DType())
	return nil
}

// Run implements ops.Op.
func (op labelEncoder) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	e, err := op.pick(x.DType())
	if err != nil {
		return err
	}
	at, err := e.keys.find(x, e.values.Len()-1)
	if err != nil {
		return err
	}
	y, err := c.New(0, e.values.DType(), x.Shape())
	if err != nil {
		return err
	}
	for i, k := range at {
		copyElem(y, i, e.values, k)
	}
	return c.Err()
}

// oneHot is OneHotEncoder: a new last axis with a one at the category's position.
type oneHot struct {
	keys  index
	n     int
	zeros bool
}

func newOneHot(a *ops.Attrs) (ops.Op, error) {
	cats := readLabels(a, "cats_int64s", "cats_strings")
	zeros := a.Bool("zeros", true)
	if cats.len() == 0 {
		a.Errorf("no categories are given")
	}
	keys := tensor.Vector(cats.ints...)
	if len(cats.strs) > 0 {
		keys = tensor.Strings(tensor.Shape{len(cats.strs)}, cats.strs)
	}
	idx, err := newIndex(keys)
	if err != nil {
		return nil, err
	}
	return oneHot{idx, cats.len(), zeros}, a.Done()
}

// Infer implements ops.Op.
func (op oneHot) Infer(c *ops.Infer) error {
	if dims, ok := c.Dims(0); ok {
		c.SetOut(0, tensor.Float32, append(append([]tensor.Dim{}, dims...), tensor.Int(op.n))...)
	} else {
		c.SetDType(0, tensor.Float32)
	}
	return nil
}

// Run implements ops.Op.
func (op oneHot) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	if x.DType().IsFloat() { // looked up as integers
		f, err := x.Floats()
		if err != nil {
			return err
		}
		x = tensor.New(tensor.Int64, x.Shape()...)
		if err := x.SetFloats(f); err != nil {
			return err
		}
	}
	at, err := op.keys.find(x, -1)
	if err != nil {
		return err
	}
	y, err := c.New(0, tensor.Float32, append(x.Shape().Clone(), op.n))
	if err != nil {
		return err
	}
	ops.Zero(y)
	for i, k := range at {
		switch {
		case k >= 0:
			y.Float32()[i*op.n+k] = 1
		case !op.zeros:
			return fmt.Errorf("element %d is none of the %d categories", i, op.n)
		}
	}
	return nil
}
