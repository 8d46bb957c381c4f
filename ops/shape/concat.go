package shape

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "Concat", Since: 1, New: newConcat(1)},
		ops.Def{Name: "Concat", Since: 4, New: newConcat(0)},
		ops.Def{Name: "Split", Since: 1, New: newSplit(splitEither)},
		ops.Def{Name: "Split", Since: 2, New: newSplit(splitAttr)},
		ops.Def{Name: "Split", Since: 13, New: newSplit(splitInput)},
		ops.Def{Name: "Split", Since: 18, New: newSplit(splitNum)},
	)
}

// concat is https://onnx.ai/onnx/operators/onnx__Concat.html.
type concat struct{ axis int }

// newConcat takes the default of the axis; from opset 4 on the attribute is required.
func newConcat(axis int) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		if axis == 0 && !a.Has("axis") {
			a.Errorf("attribute axis is missing")
		}
		return concat{a.Int("axis", axis)}, a.Done()
	}
}

func (op concat) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	var out []tensor.Dim
	axis, sum := 0, tensor.Int(0)
	for i := range c.In {
		dims, ok := c.Dims(i)
		if !ok {
			sum = tensor.Dim{}
			continue
		}
		if out == nil {
			var err error
			if axis, err = ops.NormAxis(op.axis, len(dims)); err != nil {
				return err
			}
			out = append([]tensor.Dim{}, dims...)
		}
		if len(dims) != len(out) {
			return fmt.Errorf("inputs have ranks %d and %d", len(out), len(dims))
		}
		sum = sum.Add(dims[axis])
		for a, d := range dims {
			if err := sameDim(out, a, d, a == axis); err != nil {
				return err
			}
		}
	}
	if out == nil {
		return nil
	}
	out[axis] = sum
	c.SetOut(0, c.DType(0), out...)
	if len(out) == 1 {
		op.inferInts(c)
	}
	return nil
}

// sameDim merges d into out[a], which must not be another number.
func sameDim(out []tensor.Dim, a int, d tensor.Dim, skip bool) error {
	m, mok := out[a].Int()
	n, nok := d.Int()
	switch {
	case skip:
	case mok && nok && m != n:
		return fmt.Errorf("inputs have lengths %d and %d along axis %d", m, n, a)
	case nok || !out[a].Known():
		out[a] = d
	}
	return nil
}

func (op concat) inferInts(c *ops.Infer) {
	var all []tensor.Dim
	for i := range c.In {
		e, ok := c.Ints(i)
		if !ok {
			return
		}
		all = append(all, e...)
	}
	if anyKnown(all) {
		c.SetInts(0, all)
	}
}

func (op concat) Run(c *ops.Ctx) error {
	xs := make([]*tensor.Tensor, len(c.In))
	for i := range xs {
		if xs[i] = c.Tensor(i); xs[i] == nil {
			return fmt.Errorf("input %d is not a tensor", i)
		}
	}
	t, err := Join(c, xs, op.axis)
	if err != nil {
		return err
	}
	c.SetOut(0, t)
	return nil
}

// Join concatenates tensors along an axis, which may be negative. They must agree in element type and in all other
// dimensions. The result is no view.
func Join(c *ops.Ctx, xs []*tensor.Tensor, axis int) (*tensor.Tensor, error) {
	if len(xs) == 0 {
		return nil, fmt.Errorf("nothing to concatenate")
	}
	out := xs[0].Shape().Clone()
	axis, err := out.Axis(axis)
	if err != nil {
		return nil, err
	}
	out[axis] = 0
	for i, x := range xs {
		if x.DType() != xs[0].DType() {
			return nil, fmt.Errorf("inputs 0 and %d have element types %v and %v", i, xs[0].DType(), x.DType())
		}
		s := x.Shape()
		if len(s) != len(out) || !s[:axis].Equal(out[:axis]) || !s[axis+1:].Equal(out[axis+1:]) {
			return nil, fmt.Errorf("shapes %v and %v can't be concatenated along axis %d", xs[0].Shape(), s, axis)
		}
		out[axis] += s[axis]
	}
	dst, err := newSink(c, xs[0].DType(), out)
	if err != nil {
		return nil, err
	}
	outer, inner := out[:axis].Size(), out[axis+1:].Size()
	row, at := out[axis]*inner, 0
	for _, x := range xs {
		src, err := cellsOf(c, x)
		if err != nil {
			return nil, err
		}
		n := x.Dim(axis) * inner
		strided(c, dst.Mem, src, []int{outer, n}, []int{row, 1}, []int{n, 1}, at, 0)
		at += n
	}
	dst.close()
	return dst.t, nil
}

type splitForm uint8

const (
	splitEither splitForm = iota // opset 1: attribute or input
	splitAttr
	splitInput
	splitNum // input or number of outputs
)

// split is https://onnx.ai/onnx/operators/onnx__Split.html in all its forms.
type split struct {
	axis    int
	sizes   []int // attribute; nil if absent
	input   bool  // whether there may be an input with the sizes
	outputs int
	uneven  bool // whether the last part may be smaller
}

func newSplit(form splitForm) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		op := split{axis: a.Int("axis", 0), outputs: a.Outputs, input: form != splitAttr}
		if form <= splitAttr {
			op.sizes = a.Ints("split")
		}
		if form == splitNum {
			op.uneven = true
			if a.Has("num_outputs") {
				if op.outputs = a.Int("num_outputs", 1); op.outputs < 1 || op.outputs != a.Outputs {
					a.Errorf("attribute num_outputs is %d for %d outputs", op.outputs, a.Outputs)
				}
			}
		}
		return op, a.Done()
	}
}

// parts are the lengths of the parts of an axis of length n.
func (op split) parts(n int, sizes []int) ([]int, error) {
	if sizes == nil {
		return op.equal(n)
	}
	if len(sizes) != op.outputs {
		return nil, fmt.Errorf("%d sizes for %d outputs", len(sizes), op.outputs)
	}
	return sizes, checkParts(n, sizes)
}

func checkParts(n int, sizes []int) error {
	left := n
	for _, s := range sizes {
		if s < 0 || s > left {
			return fmt.Errorf("sizes %v don't split length %d", sizes, n)
		}
		left -= s
	}
	if left != 0 {
		return fmt.Errorf("sizes %v don't split length %d", sizes, n)
	}
	return nil
}

func (op split) equal(n int) ([]int, error) {
	k := op.outputs
	size := n / k
	if n%k != 0 {
		if !op.uneven {
			return nil, fmt.Errorf("length %d is not divisible by %d outputs", n, k)
		}
		size++
	}
	out := make([]int, k)
	for i := range out {
		out[i] = min(size, max(n-i*size, 0))
	}
	return out, nil
}

func (op split) Infer(c *ops.Infer) error {
	for i := range c.Out {
		c.SetDType(i, c.DType(0))
	}
	dims, ok := c.Dims(0)
	if !ok {
		return nil
	}
	axis, err := ops.NormAxis(op.axis, len(dims))
	if err != nil {
		return err
	}
	lens, err := op.inferParts(c, dims[axis])
	if err != nil {
		return err
	}
	elems, haveInts := c.Ints(0)
	at := 0
	for i := range c.Out {
		out := append([]tensor.Dim{}, dims...)
		out[axis] = tensor.Dim{}
		if i < len(lens) {
			out[axis] = lens[i]
		}
		c.SetOut(i, c.DType(0), out...)
		n, known := out[axis].Int()
		if haveInts = haveInts && known && len(dims) == 1 && at+n <= len(elems); haveInts {
			if anyKnown(elems[at : at+n]) {
				c.SetInts(i, elems[at:at+n])
			}
			at += n
		}
	}
	return nil
}

func (op split) inferParts(c *ops.Infer, d tensor.Dim) ([]tensor.Dim, error) {
	sizes := op.sizes
	if op.input && c.Has(1) {
		var ok bool
		if sizes, ok = c.ConstInts(1); !ok {
			e, _ := c.Ints(1)
			return e, nil
		}
	}
	if n, ok := d.Int(); ok {
		p, err := op.parts(n, sizes)
		return tensor.Dims(p...), err
	}
	if sizes != nil {
		return tensor.Dims(sizes...), nil
	}
	part := d.Div(tensor.Int(op.outputs))
	if op.uneven && !part.Mul(tensor.Int(op.outputs)).Equal(d) {
		return nil, nil
	}
	out := make([]tensor.Dim, op.outputs)
	for i := range out {
		out[i] = part
	}
	return out, nil
}

func (op split) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	axis, err := x.Shape().Axis(op.axis)
	if err != nil {
		return err
	}
	sizes := op.sizes
	if op.input && c.Has(1) {
		if sizes, err = op.inputSizes(c); err != nil {
			return err
		}
	}
	if sizes, err = op.parts(x.Dim(axis), sizes); err != nil {
		return err
	}
	parts, err := Cut(c, x, axis, sizes)
	if err != nil {
		return err
	}
	for i, p := range parts {
		c.SetOut(i, p)
	}
	return nil
}

// inputSizes reads the sizes; in opset 1 they have the data's element type.
func (op split) inputSizes(c *ops.Ctx) ([]int, error) {
	t := c.Tensor(1)
	if !t.DType().IsFloat() {
		return intList(c, 1, "split")
	}
	f, err := t.Floats()
	if err != nil {
		return nil, err
	}
	sizes := make([]int, len(f))
	for i, v := range f {
		sizes[i] = int(v)
	}
	return sizes, nil
}

// Cut splits x along an axis into parts of the given lengths, which must add up to the axis' length. Parts that are
// contiguous in x are views of it.
func Cut(c *ops.Ctx, x *tensor.Tensor, axis int, sizes []int) ([]*tensor.Tensor, error) {
	if err := checkParts(x.Dim(axis), sizes); err != nil {
		return nil, err
	}
	s := x.Shape()
	outer, inner := s[:axis].Size(), s[axis+1:].Size()
	if outer == 1 && !x.DType().Packed() {
		return views(x, axis, sizes), nil
	}
	src, err := cellsOf(c, x)
	if err != nil {
		return nil, err
	}
	out := make([]*tensor.Tensor, len(sizes))
	row, at := s[axis]*inner, 0
	for i, n := range sizes {
		shape := s.Clone()
		shape[axis] = n
		dst, err := newSink(c, x.DType(), shape)
		if err != nil {
			return nil, err
		}
		out[i] = dst.t
		strided(c, dst.Mem, src, []int{outer, n * inner}, []int{n * inner, 1}, []int{row, 1}, 0, at)
		dst.close()
		at += n * inner
	}
	return out, nil
}

// views cuts along the first axis that is not 1.
func views(x *tensor.Tensor, axis int, sizes []int) []*tensor.Tensor {
	rows := x.Reshaped(x.Shape()[axis:])
	out := make([]*tensor.Tensor, len(sizes))
	at := 0
	for i, n := range sizes {
		shape := x.Shape().Clone()
		shape[axis] = n
		out[i] = rows.Rows(at, at+n).Reshaped(shape)
		at += n
	}
	return out
}
