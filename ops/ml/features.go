package ml

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	register("ArrayFeatureExtractor", 1, func(a *ops.Attrs) (ops.Op, error) { return extractor{}, a.Done() })
	register("FeatureVectorizer", 1, newVectorizer)
	register("Binarizer", 1, func(a *ops.Attrs) (ops.Op, error) { return binarizer{a.Float("threshold", 0)}, a.Done() })
	register("Imputer", 1, newImputer)
	register("Scaler", 1, newScaler)
	register("Normalizer", 1, func(a *ops.Attrs) (ops.Op, error) { return normalizer{a.Enum("norm", "MAX", "L1", "L2")}, a.Done() })
}

// extractor is ArrayFeatureExtractor: it selects columns.
type extractor struct{}

// Infer implements ops.Op.
func (extractor) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	dims, ok := c.Dims(0)
	if !ok || len(dims) == 0 {
		return nil
	}
	n := tensor.Int(1)
	idx, ok := c.Dims(1)
	if !ok {
		n = tensor.Dim{}
	}
	for _, d := range idx {
		n = n.Mul(d)
	}
	out := append([]tensor.Dim{}, dims[:len(dims)-1]...)
	if len(dims) == 1 {
		out = []tensor.Dim{tensor.Int(1)}
	}
	c.SetOut(0, c.DType(0), append(out, n)...)
	return nil
}

// Run implements ops.Op.
func (extractor) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	idx, err := c.Tensor(1).Ints()
	if err != nil {
		return err
	}
	s := x.Shape()
	if len(s) == 0 || len(idx) == 0 {
		return fmt.Errorf("%d indices into shape %v", len(idx), s)
	}
	n := s[len(s)-1]
	for _, i := range idx {
		if i < 0 || i >= n {
			return fmt.Errorf("index %d out of range for shape %v", i, s)
		}
	}
	outer := s[:len(s)-1]
	if len(outer) == 0 {
		outer = tensor.Shape{1}
	}
	y, err := c.New(0, x.DType(), append(outer.Clone(), len(idx)))
	if err != nil {
		return err
	}
	return each(c, outer.Size(), len(idx), func(r int) {
		for k, i := range idx {
			copyElem(y, r*len(idx)+k, x, r*n+i)
		}
	})
}

// copyElem copies one element between tensors of the same type, which has at least 8 bits or is a string.
func copyElem(dst *tensor.Tensor, d int, src *tensor.Tensor, s int) {
	if dst.DType() == tensor.String {
		dst.Strs()[d] = src.Strs()[s]
		return
	}
	w := dst.DType().Bytes(1)
	copy(dst.Bytes()[d*w:(d+1)*w], src.Bytes()[s*w:(s+1)*w])
}

// vectorizer is FeatureVectorizer: it joins the columns of its inputs, each cut or padded to its dimension.
type vectorizer struct{ dims []int }

func newVectorizer(a *ops.Attrs) (ops.Op, error) {
	v := vectorizer{a.Ints("inputdimensions")}
	for _, d := range v.dims {
		if d < 0 || d > 1<<31 {
			a.Errorf("input dimension %d", d)
		}
	}
	return v, a.Done()
}

func (v vectorizer) width() int {
	n := 0
	for _, d := range v.dims {
		n += d
	}
	return n
}

// Infer implements ops.Op.
func (v vectorizer) Infer(c *ops.Infer) error {
	c.SetOut(0, tensor.Float32, inferRows(c), tensor.Int(v.width()))
	return nil
}

// Run implements ops.Op.
func (v vectorizer) Run(c *ops.Ctx) error {
	if len(c.In) != len(v.dims) {
		return fmt.Errorf("%d inputs for %d dimensions", len(c.In), len(v.dims))
	}
	rows, _, err := flat(c.Tensor(0))
	if err != nil {
		return err
	}
	width := v.width()
	t, err := c.New(0, tensor.Float32, tensor.Shape{rows, width})
	if err != nil {
		return err
	}
	ops.Zero(t)
	at := 0
	for k, d := range v.dims {
		n, cols, err := flat(c.Tensor(k))
		if err != nil {
			return err
		}
		if n != rows {
			return fmt.Errorf("input %d has %d rows, the first %d", k, n, rows)
		}
		x, err := floats(c.Tensor(k))
		if err != nil {
			return err
		}
		for r := range rows {
			copy(t.Float32()[r*width+at:][:d], x[r*cols:(r+1)*cols])
		}
		at += d
	}
	return c.Err()
}

type binarizer struct{ threshold float32 }

// Infer implements ops.Op.
func (binarizer) Infer(c *ops.Infer) error {
	c.SetShapeLike(0, 0, c.DType(0))
	return nil
}

// Run implements ops.Op.
func (b binarizer) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	y, err := c.New(0, x.DType(), x.Shape())
	if err != nil {
		return err
	}
	switch x.DType() {
	case tensor.Float32:
		binarize(y.Float32(), x.Float32(), b.threshold)
	case tensor.Float64:
		binarize(y.Float64(), x.Float64(), b.threshold)
	case tensor.Int64:
		binarize(y.Int64(), x.Int64(), b.threshold)
	case tensor.Int32:
		binarize(y.Int32(), x.Int32(), b.threshold)
	default:
		return fmt.Errorf("%v: %w", x.DType(), ops.ErrUnsupported)
	}
	return nil
}

func binarize[T float32 | float64 | int64 | int32](y, x []T, threshold float32) {
	for i, v := range x {
		y[i] = 0
		if float64(v) > float64(threshold) {
			y[i] = 1
		}
	}
}

// imputer replaces one value by others, one for each column or one for all.
type imputer struct {
	floats      []float32
	ints        []int64
	replaced    float32
	replacedInt int64
}

func newImputer(a *ops.Attrs) (ops.Op, error) {
	return imputer{a.Floats("imputed_value_floats"), a.Int64s("imputed_value_int64s"), a.Float("replaced_value_float", 0), int64(a.Int("replaced_value_int64", 0))}, a.Done()
}

// Infer implements ops.Op.
func (imputer) Infer(c *ops.Infer) error {
	c.SetShapeLike(0, 0, c.DType(0))
	return nil
}

// Run implements ops.Op.
func (op imputer) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	if x.Rank() == 0 {
		return fmt.Errorf("input is a scalar")
	}
	y, err := c.New(0, x.DType(), x.Shape())
	if err != nil {
		return err
	}
	cols := x.Dim(min(1, x.Rank()-1))
	switch x.DType() {
	case tensor.Float32:
		return impute(y.Float32(), x.Float32(), op.floats, op.replaced, cols)
	case tensor.Float64:
		return impute(y.Float64(), x.Float64(), op.floats, op.replaced, cols)
	case tensor.Int64:
		return impute(y.Int64(), x.Int64(), op.ints, op.replacedInt, cols)
	case tensor.Int32:
		return impute(y.Int32(), x.Int32(), op.ints, op.replacedInt, cols)
	}
	return fmt.Errorf("%v: %w", x.DType(), ops.ErrUnsupported)
}

func impute[T float32 | float64 | int64 | int32, V float32 | int64](y, x []T, values []V, replaced V, cols int) error {
	if len(values) != 1 && len(values) != cols {
		return fmt.Errorf("%d imputed values for %d columns", len(values), cols)
	}
	for i, v := range x {
		y[i] = v
		if V(v) == replaced && T(replaced) == v || v != v && replaced != replaced {
			y[i] = T(values[i%cols%len(values)])
		}
	}
	return nil
}

// scaler is (x - offset) · scale, with one value for each column or one for all.
type scaler struct{ offset, scale []float32 }

func newScaler(a *ops.Attrs) (ops.Op, error) {
	return scaler{a.Floats("offset"), a.Floats("scale")}, a.Done()
}

// Infer implements ops.Op.
func (scaler) Infer(c *ops.Infer) error {
	c.SetShapeLike(0, 0, tensor.Float32)
	return nil
}

// Run implements ops.Op.
func (op scaler) Run(c *ops.Ctx) error {
	t := c.Tensor(0)
	cols := 1
	if t.Rank() > 0 {
		cols = t.Dim(min(1, t.Rank()-1))
	}
	offset, err := perColumn(op.offset, cols, 0)
	if err != nil {
		return err
	}
	scale, err := perColumn(op.scale, cols, 1)
	if err != nil {
		return err
	}
	x, err := t.Floats()
	if err != nil {
		return err
	}
	y, err := c.New(0, tensor.Float32, t.Shape())
	if err != nil {
		return err
	}
	for i, v := range x {
		y.Float32()[i] = float32((v - float64(offset[i%cols])) * float64(scale[i%cols]))
	}
	return nil
}

// perColumn spreads one value to all columns; without values it is def.
func perColumn(v []float32, cols int, def float32) ([]float32, error) {
	if len(v) == cols && cols > 0 {
		return v, nil
	}
	if len(v) == 1 {
		def = v[0]
	} else if len(v) > 1 {
		return nil, fmt.Errorf("%d values for %d columns", len(v), cols)
	}
	out := make([]float32, cols)
	for i := range out {
		out[i] = def
	}
	return out, nil
}

// normalizer divides each row by its largest element, its L1 or its L2 norm.
type normalizer struct{ norm string }

// Infer implements ops.Op.
func (normalizer) Infer(c *ops.Infer) error {
	c.SetShapeLike(0, 0, tensor.Float32)
	return nil
}

// Run implements ops.Op.
func (op normalizer) Run(c *ops.Ctx) error {
	t := c.Tensor(0)
	rows, cols, err := matrix(t)
	if err != nil {
		return err
	}
	x, err := floats(t)
	if err != nil {
		return err
	}
	y, err := c.New(0, tensor.Float32, t.Shape())
	if err != nil || cols == 0 {
		return err
	}
	return each(c, rows, cols, func(r int) {
		row := x[r*cols : (r+1)*cols]
		d := op.divisor(row)
		for i, v := range row {
			y.Float32()[r*cols+i] = float32(float64(v) / d)
		}
	})
}

func (op normalizer) divisor(row []float32) float64 {
	var d float64
	switch op.norm {
	case "L1":
		for _, v := range row {
			d += math.Abs(float64(v))
		}
	case "L2":
		for _, v := range row {
			d += float64(v) * float64(v)
		}
		d = math.Sqrt(d)
	default:
		d = math.Inf(-1)
		for _, v := range row {
			d = max(d, float64(v))
		}
	}
	if d == 0 {
		return 1
	}
	return d
}
