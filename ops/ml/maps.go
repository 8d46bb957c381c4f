package ml

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	register("CastMap", 1, newCastMap)
	register("DictVectorizer", 1, newDictVectorizer)
	register("ZipMap", 1, newZipMap)
}

func inputMap(c *ops.Ctx) (*tensor.Map, error) {
	m, ok := c.In[0].(*tensor.Map)
	if !ok || m.Values == nil {
		return nil, fmt.Errorf("input is %T, not a map", c.In[0])
	}
	return m, nil
}

// castMap is CastMap: a map from integers becomes a row, dense in the order of the keys or sparse at the keys' positions.
type castMap struct {
	to     tensor.DType
	sparse bool
	length int
}

func newCastMap(a *ops.Attrs) (ops.Op, error) {
	op := castMap{sparse: a.Enum("map_form", "DENSE", "SPARSE") == "SPARSE", length: a.Int("max_map", 1)}
	switch a.Enum("cast_to", "TO_FLOAT", "TO_STRING", "TO_INT64") {
	case "TO_STRING":
		op.to = tensor.String
	case "TO_INT64":
		op.to = tensor.Int64
	default:
		op.to = tensor.Float32
	}
	if op.sparse && (op.length < 1 || op.length > 1<<31) {
		a.Errorf("max_map is %d", op.length)
	}
	return op, a.Done()
}

// Infer implements ops.Op.
func (op castMap) Infer(c *ops.Infer) error {
	n := tensor.Dim{}
	if op.sparse {
		n = tensor.Int(op.length)
	}
	c.SetOut(0, op.to, tensor.Int(1), n)
	return nil
}

// Run implements ops.Op.
func (op castMap) Run(c *ops.Ctx) error {
	m, err := inputMap(c)
	if err != nil {
		return err
	}
	order := make([]int, len(m.Ints))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(m.Ints[a], m.Ints[b]) })
	n := len(order)
	if op.sparse {
		n = op.length
	}
	y, err := c.New(0, op.to, tensor.Shape{1, n})
	if err != nil {
		return err
	}
	ops.Zero(y)
	if op.to == tensor.String && op.sparse {
		for i := range y.Strs() {
			y.Strs()[i] = "0.f" // what ONNX Runtime fills gaps with
		}
	}
	for k, i := range order {
		at := k
		if op.sparse {
			if m.Ints[i] < 0 || m.Ints[i] >= int64(n) {
				return fmt.Errorf("key %d is outside of max_map %d", m.Ints[i], n)
			}
			at = int(m.Ints[i])
		}
		if err := castValue(y, at, m.Values, i); err != nil {
			return err
		}
	}
	return nil
}

// castValue converts a float or string.
func castValue(y *tensor.Tensor, at int, v *tensor.Tensor, i int) (err error) {
	var f float64
	s := ""
	switch v.DType() {
	case tensor.String:
		s = v.Strs()[i]
		if y.DType() == tensor.Int64 {
			y.Int64()[at], err = strconv.ParseInt(strings.TrimSpace(s), 10, 64)
			return err
		}
		if y.DType() == tensor.Float32 {
			if f, err = strconv.ParseFloat(strings.TrimSpace(s), 32); err != nil {
				return err
			}
		}
	case tensor.Float32:
		f = float64(v.Float32()[i])
		s = strconv.FormatFloat(f, 'f', 6, 64)
	default:
		return fmt.Errorf("a map to %v: %w", v.DType(), ops.ErrUnsupported)
	}
	switch y.DType() {
	case tensor.String:
		y.Strs()[at] = s
	case tensor.Int64:
		y.Int64()[at] = int64(f)
	default:
		y.Float32()[at] = float32(f)
	}
	return nil
}

// dictVectorizer is DictVectorizer: a row with the map's value for each word of the vocabulary.
type dictVectorizer struct{ vocabulary labels }

func newDictVectorizer(a *ops.Attrs) (ops.Op, error) {
	return dictVectorizer{readLabels(a, "int64_vocabulary", "string_vocabulary")}, a.Done()
}

// Infer implements ops.Op.
func (op dictVectorizer) Infer(c *ops.Infer) error {
	d := tensor.Undefined
	if t := c.In[0].Type; t.Kind == tensor.KindMap {
		d = t.Element().DType
	}
	c.SetOut(0, d, tensor.Int(1), tensor.Int(op.vocabulary.len()))
	return nil
}

// Run implements ops.Op.
func (op dictVectorizer) Run(c *ops.Ctx) error {
	m, err := inputMap(c)
	if err != nil {
		return err
	}
	keys := tensor.Vector(m.Ints...)
	words := tensor.Vector(op.vocabulary.ints...)
	if m.Key == tensor.String {
		keys = tensor.Strings(tensor.Shape{len(m.Strs)}, m.Strs)
	}
	if op.vocabulary.dtype() == tensor.String {
		words = tensor.Strings(tensor.Shape{len(op.vocabulary.strs)}, op.vocabulary.strs)
	}
	idx, err := newIndex(keys)
	if err != nil {
		return err
	}
	at, err := idx.find(words, -1)
	if err != nil {
		return err
	}
	y, err := c.New(0, m.Values.DType(), tensor.Shape{1, len(at)})
	if err != nil {
		return err
	}
	ops.Zero(y)
	for i, k := range at {
		if k >= 0 {
			copyElem(y, i, m.Values, k)
		}
	}
	return nil
}

// zipMap is ZipMap: each row becomes a map from the labels.
type zipMap struct{ keys labels }

func newZipMap(a *ops.Attrs) (ops.Op, error) {
	op := zipMap{readLabels(a, "classlabels_int64s", "classlabels_strings")}
	if op.keys.len() == 0 {
		a.Errorf("no class labels are given")
	}
	return op, a.Done()
}

func (op zipMap) elem() tensor.Type {
	v := tensor.TensorType(tensor.Float32)
	return tensor.Type{Kind: tensor.KindMap, DType: op.keys.dtype(), Elem: &v}
}

// Infer implements ops.Op.
func (op zipMap) Infer(c *ops.Infer) error {
	c.SetType(0, tensor.SequenceType(op.elem()))
	return nil
}

// Run implements ops.Op.
func (op zipMap) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	rows, cols, err := matrix(x)
	if err != nil {
		return err
	}
	if cols != op.keys.len() || x.DType() != tensor.Float32 {
		return fmt.Errorf("%v for %d labels", x, op.keys.len())
	}
	seq := &tensor.Sequence{Elem: op.elem(), Items: make([]tensor.Value, rows)}
	values := append([]float32{}, x.Float32()...) // the maps outlive the input
	for r := range rows {
		seq.Items[r] = &tensor.Map{Key: op.keys.dtype(), Ints: op.keys.ints, Strs: op.keys.strs, Values: tensor.Vector(values[r*cols : (r+1)*cols]...)}
	}
	c.SetOut(0, seq)
	return nil
}
