package shape

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/move"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "Pad", Since: 1, New: newPadAttr("paddings")},
		ops.Def{Name: "Pad", Since: 2, New: newPadAttr("pads")},
		ops.Def{Name: "Pad", Since: 11, New: newPad(false)},
		ops.Def{Name: "Pad", Since: 19, New: newPad(true)},
		ops.Def{Name: "CenterCropPad", Since: 18, New: newCenterCropPad},
		ops.Def{Name: "ReverseSequence", Since: 10, New: newReverseSequence},
	)
}

// pad is https://onnx.ai/onnx/operators/onnx__Pad.html. Before opset 11 pads and value were attributes. Negative pads
// crop; a crop is done before the other end is padded.
type pad struct {
	fromAttr bool
	mode     string
	pads     []int
	value    float32
}

func newPadAttr(name string) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		if !a.Has(name) {
			a.Errorf("attribute %s is missing", name)
		}
		op := pad{fromAttr: true, pads: a.Ints(name), value: a.Float("value", 0)}
		op.mode = a.Enum("mode", "constant", "reflect", "edge")
		return op, a.Done()
	}
}

func newPad(wrap bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		modes := []string{"reflect", "edge", "wrap"}
		if !wrap {
			modes = modes[:2]
		}
		return pad{mode: a.Enum("mode", "constant", modes...)}, a.Done()
	}
}

// spread assigns the pads, all begins before all ends, to the axes of a tensor.
func spread[D any](pads []D, axes []int, given bool, rank int, none D) (begin, end []D, err error) {
	if !given {
		axes = make([]int, rank)
		for i := range axes {
			axes[i] = i
		}
	} else if axes, err = normAxes(axes, rank); err != nil {
		return nil, nil, err
	}
	if len(pads) != 2*len(axes) {
		return nil, nil, fmt.Errorf("%d pads for %d axes", len(pads), len(axes))
	}
	begin, end = make([]D, rank), make([]D, rank)
	for i := range begin {
		begin[i], end[i] = none, none
	}
	for i, a := range axes {
		begin[a], end[a] = pads[i], pads[len(axes)+i]
	}
	return begin, end, nil
}

func (op pad) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	dims, ok := c.Dims(0)
	if !ok {
		return nil
	}
	pads, ok := tensor.Dims(op.pads...), true
	var axes []int
	given := !op.fromAttr && c.Has(3)
	if !op.fromAttr {
		pads, ok = c.Ints(1)
		if given && ok {
			axes, ok = c.ConstInts(3)
		}
	}
	if !ok {
		c.SetOut(0, c.DType(0), unknown(len(dims))...)
		return nil
	}
	begin, end, err := spread(pads, axes, given, len(dims), tensor.Int(0))
	if err != nil {
		return err
	}
	out := make([]tensor.Dim, len(dims))
	for i, d := range dims {
		out[i] = d.Add(begin[i]).Add(end[i])
	}
	c.SetOut(0, c.DType(0), out...)
	return nil
}

func (op pad) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	pads := op.pads
	var axes []int
	given := !op.fromAttr && c.Has(3)
	if !op.fromAttr {
		var err error
		if pads, err = intList(c, 1, "pads"); err != nil {
			return err
		}
		if given {
			if axes, err = intList(c, 3, "axes"); err != nil {
				return err
			}
		}
	}
	begin, end, err := spread(pads, axes, given, x.Rank(), 0)
	if err != nil {
		return err
	}
	fill, err := op.fill(c, x.DType())
	if err != nil {
		return err
	}
	return padTo(c, x, begin, end, op.mode, fill)
}

// fill is the one element that a constant pad consists of.
func (op pad) fill(c *ops.Ctx, d tensor.DType) (*tensor.Tensor, error) {
	if !op.fromAttr && c.Has(2) && op.mode == "constant" {
		v := c.Tensor(2)
		if v.DType() != d || v.Len() != 1 {
			return nil, fmt.Errorf("constant_value is %v, not one element of type %v", v, d)
		}
		return v, nil
	}
	t := tensor.New(d, 1)
	if op.value != 0 {
		switch {
		case d == tensor.Float64:
			t.Float64()[0] = float64(op.value)
		case !tensor.EncodeFloat32(t, []float32{op.value}):
			return nil, fmt.Errorf("value %v for element type %v", op.value, d)
		}
	}
	return t, nil
}

// padTo writes output 0: x with begin and end elements added to (or, negative, removed from) each axis.
func padTo(c *ops.Ctx, x *tensor.Tensor, begin, end []int, mode string, fill *tensor.Tensor) error {
	out := x.Shape().Clone()
	for a, n := range x.Shape() {
		if begin[a] > 1<<48 || end[a] > 1<<48 || begin[a] < -n || end[a] < -n || begin[a]+n+end[a] < 0 {
			return fmt.Errorf("pads %d and %d for axis %d of length %d", begin[a], end[a], a, n)
		}
		left := n + min(begin[a], 0) + min(end[a], 0)
		if out[a] = begin[a] + n + end[a]; out[a] > 0 && left <= 0 && mode != "constant" {
			return fmt.Errorf("nothing to %s along axis %d of length %d with pads %d and %d", mode, a, n, begin[a], end[a])
		}
	}
	if _, err := out.CheckSize(); err != nil {
		return err
	}
	src, err := cellsOf(c, x)
	if err != nil {
		return err
	}
	v, err := cellsOf(c, fill)
	if err != nil {
		return err
	}
	dst, err := output(c, 0, x.DType(), out)
	if err != nil || dst.t.Len() == 0 {
		return err
	}
	m := padMap(x.Shape(), out, begin, end, mode)
	row := m.Inner * len(m.Axes[len(m.Axes)-1])
	c.Parallel(m.Rows(), ops.Grain(row), func(lo, hi int) { m.Run(dst.Mem, src, v, lo, hi) })
	dst.close()
	return nil
}

// padMap tables the source of each index. Trailing axes without pads are moved as a whole.
func padMap(s, out tensor.Shape, begin, end []int, mode string) *move.Map {
	k := len(s)
	for k > 0 && begin[k-1] == 0 && end[k-1] == 0 {
		k--
	}
	m := &move.Map{Inner: s[k:].Size()}
	if k == 0 {
		m.Axes = [][]int{{0}}
		return m
	}
	stride := s.Strides()
	for a := range k {
		table := make([]int, out[a])
		// what is left after a crop at either end is padded
		first, left := max(-begin[a], 0), s[a]+min(begin[a], 0)+min(end[a], 0)
		for i := range table {
			j := source(i-max(begin[a], 0), left, mode)
			if table[i] = -1; j >= 0 {
				table[i] = (first + j) * stride[a]
			}
		}
		m.Axes = append(m.Axes, table)
	}
	return m
}

// source maps index i, which may lie outside [0, n), into it; -1 means a constant.
func source(i, n int, mode string) int {
	if i >= 0 && i < n {
		return i
	}
	if n <= 0 {
		return -1
	}
	switch mode {
	case "edge":
		return min(max(i, 0), n-1)
	case "wrap":
		return ((i % n) + n) % n
	case "reflect":
		if n == 1 {
			return 0
		}
		period := 2 * (n - 1)
		i = ((i % period) + period) % period
		return min(i, period-i)
	}
	return -1
}

// centerCropPad is https://onnx.ai/onnx/operators/onnx__CenterCropPad.html.
type centerCropPad struct {
	axes  []int
	given bool
}

func newCenterCropPad(a *ops.Attrs) (ops.Op, error) {
	return centerCropPad{a.Ints("axes"), a.Has("axes")}, a.Done()
}

func (op centerCropPad) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	dims, ok := c.Dims(0)
	if !ok {
		return nil
	}
	want, ok := c.Ints(1)
	if !ok {
		c.SetOut(0, c.DType(0), unknown(len(dims))...)
		return nil
	}
	axes, err := op.axesFor(len(want), len(dims))
	if err != nil {
		return err
	}
	out := append([]tensor.Dim{}, dims...)
	for i, a := range axes {
		out[a] = want[i]
	}
	c.SetOut(0, c.DType(0), out...)
	return nil
}

func (op centerCropPad) axesFor(n, rank int) ([]int, error) {
	if !op.given {
		if n != rank {
			return nil, fmt.Errorf("%d lengths for rank %d", n, rank)
		}
		return axesOf(nil, false, n, rank)
	}
	if n != len(op.axes) {
		return nil, fmt.Errorf("%d lengths for axes %v", n, op.axes)
	}
	return normAxes(op.axes, rank)
}

func (op centerCropPad) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	want, err := intList(c, 1, "shape")
	if err != nil {
		return err
	}
	axes, err := op.axesFor(len(want), x.Rank())
	if err != nil {
		return err
	}
	begin, end := make([]int, x.Rank()), make([]int, x.Rank())
	for i, a := range axes {
		if want[i] < 0 {
			return fmt.Errorf("negative length %d for axis %d", want[i], a)
		}
		d := want[i] - x.Dim(a) // Go's division rounds both crops and pads towards less at the beginning
		begin[a] = d / 2
		end[a] = d - d/2
	}
	return padTo(c, x, begin, end, "constant", tensor.New(x.DType(), 1))
}

// reverseSequence is https://onnx.ai/onnx/operators/onnx__ReverseSequence.html.
type reverseSequence struct{ batch, time int }

func newReverseSequence(a *ops.Attrs) (ops.Op, error) {
	op := reverseSequence{a.Int("batch_axis", 1), a.Int("time_axis", 0)}
	if op.batch+op.time != 1 || op.batch*op.time != 0 {
		a.Errorf("batch_axis %d and time_axis %d are not 0 and 1", op.batch, op.time)
	}
	return op, a.Done()
}

func (op reverseSequence) Infer(c *ops.Infer) error {
	if dims, ok := c.Dims(0); ok && len(dims) < 2 {
		return fmt.Errorf("input has rank %d, less than 2", len(dims))
	}
	c.SetLike(0, 0)
	return nil
}

func (op reverseSequence) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	s := x.Shape()
	if len(s) < 2 {
		return fmt.Errorf("input has rank %d, less than 2", len(s))
	}
	lens, err := intList(c, 1, "sequence_lens")
	if err != nil {
		return err
	}
	if len(lens) != s[op.batch] {
		return fmt.Errorf("%d sequence lengths for a batch of %d", len(lens), s[op.batch])
	}
	for _, n := range lens {
		if n < 0 || n > s[op.time] {
			return fmt.Errorf("sequence length %d out of range for axis %d of length %d", n, op.time, s[op.time])
		}
	}
	src, err := cellsOf(c, x)
	if err != nil {
		return err
	}
	dst, err := output(c, 0, x.DType(), s)
	if err != nil {
		return err
	}
	inner := s[2:].Size()
	c.Parallel(s[0]*s[1], ops.Grain(inner), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			at := [2]int{r / s[1], r % s[1]}
			if n := lens[at[op.batch]]; at[op.time] < n {
				at[op.time] = n - 1 - at[op.time]
			}
			dst.Copy(r*inner, src, (at[0]*s[1]+at[1])*inner, inner)
		}
	})
	dst.close()
	return nil
}
