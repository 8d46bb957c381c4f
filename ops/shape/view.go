package shape

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "Identity", Since: 1, New: newIdentity},
		ops.Def{Name: "Reshape", Since: 1, New: newReshape(true)},
		ops.Def{Name: "Reshape", Since: 5, New: newReshape(false)},
		ops.Def{Name: "Flatten", Since: 1, New: newFlatten},
		ops.Def{Name: "Squeeze", Since: 1, New: newSqueeze(true)},
		ops.Def{Name: "Squeeze", Since: 13, New: newSqueeze(false)},
		ops.Def{Name: "Unsqueeze", Since: 1, New: newUnsqueeze(true)},
		ops.Def{Name: "Unsqueeze", Since: 13, New: newUnsqueeze(false)},
	)
}

// identity is https://onnx.ai/onnx/operators/onnx__Identity.html, for tensors, sequences and optionals.
type identity struct{}

func newIdentity(a *ops.Attrs) (ops.Op, error) {
	a.Ignore("consumed_inputs")
	return identity{}, a.Done()
}

func (identity) Infer(c *ops.Infer) error {
	c.SetLike(0, 0)
	passInts(c, 0, 0)
	return nil
}

func (identity) Run(c *ops.Ctx) error {
	c.SetOut(0, c.In[0])
	return nil
}

// reshape is https://onnx.ai/onnx/operators/onnx__Reshape.html. Before opset 5 the shape was an attribute.
type reshape struct {
	fromAttr  bool
	shape     []int
	allowZero bool
}

func newReshape(fromAttr bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		op := reshape{fromAttr: fromAttr}
		if fromAttr {
			a.Ignore("consumed_inputs")
			op.shape = a.Ints("shape")
		} else {
			op.allowZero = a.Bool("allowzero", false)
		}
		return op, a.Done()
	}
}

func (op reshape) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	want := tensor.Dims(op.shape...)
	if !op.fromAttr {
		var ok bool
		if want, ok = c.Ints(1); !ok {
			return nil
		}
	}
	in, ranked := c.Dims(0)
	if ranked && op.concrete(c, in, want) {
		x, _ := c.In[0].Type.Shape()
		w := make([]int, len(want))
		for i := range w {
			w[i], _ = want[i].Int()
		}
		s, err := op.target(x, w)
		if err != nil {
			return err
		}
		c.SetOut(0, c.DType(0), tensor.Dims(s...)...)
	} else {
		c.SetOut(0, c.DType(0), op.symbolic(in, ranked, want)...)
	}
	if len(want) <= 1 {
		passInts(c, 0, 0)
	}
	return nil
}

// concrete reports whether input and target shape are numbers throughout.
func (op reshape) concrete(c *ops.Infer, in, want []tensor.Dim) bool {
	if _, ok := c.In[0].Type.Shape(); !ok {
		return false
	}
	for _, w := range want {
		if _, ok := w.Int(); !ok {
			return false
		}
	}
	return true
}

// symbolic computes what it can of the output's dimensions. A single entry that is -1 or unknown follows from the
// number of elements; entries that copy a dimension drop out of that division.
func (op reshape) symbolic(in []tensor.Dim, ranked bool, want []tensor.Dim) []tensor.Dim {
	out := make([]tensor.Dim, len(want))
	rest := append([]tensor.Dim{}, in...)
	others := tensor.Int(1)
	open, opens := -1, 0
	for i, w := range want {
		n, isInt := w.Int()
		switch {
		case isInt && n == -1 || !w.Known():
			open = i
			opens++
		case isInt && n == 0 && !op.allowZero:
			if i < len(in) {
				out[i], rest[i] = in[i], tensor.Int(1)
			} else {
				others = tensor.Dim{}
			}
		default:
			out[i] = w
			if k := indexOf(rest, w); k >= 0 {
				rest[k] = tensor.Int(1)
			} else {
				others = others.Mul(w)
			}
		}
	}
	if ranked && opens == 1 {
		out[open] = product(rest).Div(others)
	}
	return out
}

// indexOf finds a dimension that is known to equal d and is no plain 1.
func indexOf(dims []tensor.Dim, d tensor.Dim) int {
	for i, e := range dims {
		if e.Equal(d) && !d.Is(1) {
			return i
		}
	}
	return -1
}

// target is the shape that x gets for the requested one.
func (op reshape) target(x tensor.Shape, want []int) (tensor.Shape, error) {
	out := make(tensor.Shape, len(want))
	rest := append(tensor.Shape{}, x...) // the dimensions that are not copied
	others := tensor.Shape{}
	open := -1
	for i, w := range want {
		switch {
		case w == -1:
			if open >= 0 {
				return nil, fmt.Errorf("shape %v has more than one -1", tensor.Shape(want))
			}
			open, out[i] = i, 1
		case w == 0 && !op.allowZero:
			if i >= len(x) {
				return nil, fmt.Errorf("shape %v copies dimension %d, which shape %v lacks", tensor.Shape(want), i, x)
			}
			out[i], rest[i] = x[i], 1
		case w < 0:
			return nil, fmt.Errorf("negative dimension in shape %v", tensor.Shape(want))
		default:
			out[i] = w
			others = append(others, w)
		}
	}
	if open >= 0 {
		n, err := rest.CheckSize()
		if err != nil {
			return nil, err
		}
		m, err := others.CheckSize()
		if err != nil {
			return nil, err
		}
		if m == 0 || n%m != 0 {
			return nil, fmt.Errorf("shape %v can't be reshaped to %v", x, tensor.Shape(want))
		}
		out[open] = n / m
	}
	have, err := x.CheckSize()
	if err != nil {
		return nil, err
	}
	if n, err := out.CheckSize(); err != nil || n != have {
		return nil, fmt.Errorf("shape %v can't be reshaped to %v", x, tensor.Shape(want))
	}
	return out, nil
}

func (op reshape) Run(c *ops.Ctx) error {
	want := op.shape
	if !op.fromAttr {
		var err error
		if want, err = intList(c, 1, "shape"); err != nil {
			return err
		}
	}
	x := c.Tensor(0)
	s, err := op.target(x.Shape(), want)
	if err != nil {
		return err
	}
	c.SetOut(0, x.Reshaped(s))
	return nil
}

// flatten is https://onnx.ai/onnx/operators/onnx__Flatten.html.
type flatten struct{ axis int }

func newFlatten(a *ops.Attrs) (ops.Op, error) {
	return flatten{a.Int("axis", 1)}, a.Done()
}

// split is the number of axes that go into the first dimension: 0 to rank.
func (op flatten) split(rank int) (int, error) {
	k := op.axis
	if k < 0 {
		k += rank
	}
	if k < 0 || k > rank {
		return 0, fmt.Errorf("axis %d out of range for rank %d", op.axis, rank)
	}
	return k, nil
}

func (op flatten) Infer(c *ops.Infer) error {
	dims, ok := c.Dims(0)
	if !ok {
		c.SetOut(0, c.DType(0), unknown(2)...)
		return nil
	}
	k, err := op.split(len(dims))
	if err != nil {
		return err
	}
	c.SetOut(0, c.DType(0), product(dims[:k]), product(dims[k:]))
	return nil
}

func (op flatten) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	k, err := op.split(x.Rank())
	if err != nil {
		return err
	}
	c.SetOut(0, x.Reshaped(tensor.Shape{x.Shape()[:k].Size(), x.Shape()[k:].Size()}))
	return nil
}

// axesArg is a list of axes that was an attribute and became input 1.
type axesArg struct {
	fromAttr, given bool
	axes            []int
}

func newAxesArg(a *ops.Attrs, fromAttr bool) axesArg {
	arg := axesArg{fromAttr: fromAttr}
	if fromAttr {
		arg.given = a.Has("axes")
		arg.axes = a.Ints("axes")
	}
	return arg
}

// infer returns the axes; given is false if there are none, known is false if they are not constant, and count is their
// number or -1.
func (arg axesArg) infer(c *ops.Infer) (axes []int, given, known bool, count int) {
	if arg.fromAttr {
		return arg.axes, arg.given, true, len(arg.axes)
	}
	if !c.Has(1) {
		return nil, false, true, 0
	}
	if axes, ok := c.ConstInts(1); ok {
		return axes, true, true, len(axes)
	}
	if e, ok := c.Ints(1); ok {
		return nil, true, false, len(e)
	}
	return nil, true, false, -1
}

func (arg axesArg) run(c *ops.Ctx) (axes []int, given bool, err error) {
	if arg.fromAttr {
		return arg.axes, arg.given, nil
	}
	if !c.Has(1) {
		return nil, false, nil
	}
	axes, err = intList(c, 1, "axes")
	return axes, true, err
}

// squeeze is https://onnx.ai/onnx/operators/onnx__Squeeze.html. Before opset 13 the axes were an attribute.
type squeeze struct{ axesArg }

func newSqueeze(fromAttr bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) { return squeeze{newAxesArg(a, fromAttr)}, a.Done() }
}

func (op squeeze) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	dims, ok := c.Dims(0)
	if !ok {
		return nil
	}
	axes, given, known, count := op.infer(c)
	if !known {
		if count >= 0 && count <= len(dims) {
			c.SetOut(0, c.DType(0), unknown(len(dims)-count)...)
		}
		return nil
	}
	out, err := squeezed(dims, axes, given, func(d tensor.Dim) (one, sure bool) {
		n, isInt := d.Int()
		return isInt && n == 1, isInt
	})
	if err != nil {
		return err
	}
	if out == nil {
		return nil
	}
	c.SetOut(0, c.DType(0), out...)
	if len(dims) <= 1 {
		passInts(c, 0, 0)
	}
	return nil
}

// squeezed drops the given axes, or all of extent 1. It returns nil where that depends on extents that are not sure.
func squeezed[D any](dims []D, axes []int, given bool, isOne func(D) (one, sure bool)) ([]D, error) {
	drop := make([]bool, len(dims))
	if given {
		axes, err := normAxes(axes, len(dims))
		if err != nil {
			return nil, err
		}
		for _, a := range axes {
			if one, sure := isOne(dims[a]); sure && !one {
				return nil, fmt.Errorf("axis %d has length %v, not 1", a, dims[a])
			}
			drop[a] = true
		}
	} else {
		for i, d := range dims {
			one, sure := isOne(d)
			if !sure {
				return nil, nil
			}
			drop[i] = one
		}
	}
	out := make([]D, 0, len(dims))
	for i, d := range dims {
		if !drop[i] {
			out = append(out, d)
		}
	}
	return out, nil
}

func (op squeeze) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	axes, given, err := op.run(c)
	if err != nil {
		return err
	}
	s, err := squeezed(x.Shape(), axes, given, func(n int) (bool, bool) { return n == 1, true })
	if err != nil {
		return err
	}
	c.SetOut(0, x.Reshaped(s))
	return nil
}

// unsqueeze is https://onnx.ai/onnx/operators/onnx__Unsqueeze.html. Before opset 13 the axes were an attribute.
type unsqueeze struct{ axesArg }

func newUnsqueeze(fromAttr bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) { return unsqueeze{newAxesArg(a, fromAttr)}, a.Done() }
}

func (op unsqueeze) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	dims, ok := c.Dims(0)
	if !ok {
		return nil
	}
	axes, _, known, count := op.infer(c)
	if !known {
		if count >= 0 {
			c.SetOut(0, c.DType(0), unknown(len(dims)+count)...)
		}
		return nil
	}
	out, err := unsqueezed(dims, axes, tensor.Int(1))
	if err != nil {
		return err
	}
	c.SetOut(0, c.DType(0), out...)
	if len(out) <= 1 {
		passInts(c, 0, 0)
	}
	return nil
}

// unsqueezed inserts ones so that they are at the given axes of the result.
func unsqueezed[D any](dims []D, axes []int, one D) ([]D, error) {
	axes, err := normAxes(axes, len(dims)+len(axes))
	if err != nil {
		return nil, err
	}
	out := make([]D, len(dims)+len(axes))
	isNew := make([]bool, len(out))
	for _, a := range axes {
		isNew[a] = true
	}
	k := 0
	for i := range out {
		if isNew[i] {
			out[i] = one
		} else {
			out[i] = dims[k]
			k++
		}
	}
	return out, nil
}

func (op unsqueeze) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	axes, _, err := op.run(c)
	if err != nil {
		return err
	}
	s, err := unsqueezed(x.Shape(), axes, 1)
	if err != nil {
		return err
	}
	c.SetOut(0, x.Reshaped(s))
	return nil
}
