package shape

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "OneHot", Since: 9, New: newOneHot(false)},
		ops.Def{Name: "OneHot", Since: 11, New: newOneHot(true)},
		ops.Def{Name: "NonZero", Since: 9, New: newNonZero},
		ops.Def{Name: "Trilu", Since: 14, New: newTrilu},
	)
}

// oneHot is https://onnx.ai/onnx/operators/onnx__OneHot.html. Before opset 11 indices were not counted from the end.
type oneHot struct {
	axis     int
	negative bool
}

func newOneHot(negative bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) { return oneHot{a.Int("axis", -1), negative}, a.Done() }
}

func (op oneHot) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(2))
	dims, ok := c.Dims(0)
	if !ok {
		return nil
	}
	axis, err := ops.NormAxis(op.axis, len(dims)+1)
	if err != nil {
		return err
	}
	depth := tensor.Dim{}
	if e, ok := c.Ints(1); ok && len(e) == 1 {
		depth = e[0]
	} else if t := c.Const(1); t != nil {
		n, err := depthOf(t)
		if err != nil {
			return err
		}
		depth = tensor.Int(n)
	}
	out := append([]tensor.Dim{}, dims[:axis]...)
	out = append(out, depth)
	c.SetOut(0, c.DType(2), append(out, dims[axis:]...)...)
	return nil
}

func depthOf(t *tensor.Tensor) (int, error) {
	v, err := truncated(t)
	if err != nil {
		return 0, fmt.Errorf("depth: %w", err)
	}
	if len(v) != 1 || v[0] < 0 {
		return 0, fmt.Errorf("depth is %v", v)
	}
	return int(v[0]), nil
}

// truncated returns the elements of a numeric tensor as integers.
func truncated(t *tensor.Tensor) ([]int64, error) {
	if t.DType().IsInt() {
		v, err := t.Ints()
		out := make([]int64, len(v))
		for i, x := range v {
			out[i] = int64(x)
		}
		return out, err
	}
	f, err := t.Floats()
	if err != nil {
		return nil, err
	}
	out := make([]int64, len(f))
	for i, v := range f {
		if !(math.Abs(v) < 1<<62) {
			return nil, fmt.Errorf("%v is no index", v)
		}
		out[i] = int64(v)
	}
	return out, nil
}

func (op oneHot) Run(c *ops.Ctx) error {
	ind, values := c.Tensor(0), c.Tensor(2)
	depth, err := depthOf(c.Tensor(1))
	if err != nil {
		return err
	}
	if values.Len() != 2 {
		return fmt.Errorf("values is %v, not [off, on]", values)
	}
	s := ind.Shape()
	axis, err := ops.NormAxis(op.axis, len(s)+1)
	if err != nil {
		return err
	}
	idx, err := truncated(ind)
	if err != nil {
		return fmt.Errorf("indices: %w", err)
	}
	shape, err := unsqueezed(s, []int{axis}, depth)
	if err != nil {
		return err
	}
	if _, err := tensor.Shape(shape).CheckSize(); err != nil {
		return err
	}
	v, err := cellsOf(c, values)
	if err != nil {
		return err
	}
	dst, err := output(c, 0, values.DType(), shape)
	if err != nil {
		return err
	}
	c.Parallel(dst.t.Len(), 1<<16, func(lo, hi int) { dst.Fill(lo, hi, v) })
	inner := s[axis:].Size()
	for i, k := range idx {
		if k < 0 && op.negative {
			k += int64(depth)
		}
		if k >= 0 && k < int64(depth) {
			dst.Copy((i/inner*depth+int(k))*inner+i%inner, v, 1, 1)
		}
	}
	dst.close()
	return nil
}

// nonZero is https://onnx.ai/onnx/operators/onnx__NonZero.html.
type nonZero struct{}

func newNonZero(a *ops.Attrs) (ops.Op, error) { return nonZero{}, a.Done() }

func (nonZero) Infer(c *ops.Infer) error {
	c.SetOut(0, tensor.Int64, tensor.Dim{}, tensor.Dim{})
	if dims, ok := c.Dims(0); ok {
		c.SetOut(0, tensor.Int64, tensor.Int(len(dims)), tensor.Dim{})
	}
	return nil
}

func (nonZero) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	at, err := nonZeros(c, x)
	if err != nil {
		return err
	}
	s := x.Shape()
	out, err := c.New(0, tensor.Int64, tensor.Shape{len(s), len(at)})
	if err != nil {
		return err
	}
	if len(s) > 0 {
		positions(out.Int64(), at, s)
	}
	return nil
}

// positions writes the indices of ascending offsets into a tensor of shape s, one axis after the other. Within a row only
// the last index changes.
func positions(dst []int64, at []int, s tensor.Shape) {
	n, k := len(at), len(s)-1
	row, idx := 0, make([]int64, k)
	for i, o := range at {
		if o >= row+s[k] {
			r := o / s[k]
			row = r * s[k]
			for a := k - 1; a >= 0; a-- {
				idx[a] = int64(r % s[a])
				r /= s[a]
			}
		}
		for a, v := range idx {
			dst[a*n+i] = v
		}
		dst[k*n+i] = int64(o - row)
	}
}

// nonZeros returns the offsets of the elements that differ from zero; NaN does, negative zero does not.
func nonZeros(c *ops.Ctx, x *tensor.Tensor) ([]int, error) {
	switch x.DType() {
	case tensor.Float32:
		return offsets(x.Float32(), 0), nil
	case tensor.Float64:
		return offsets(x.Float64(), 0), nil
	case tensor.Int64:
		return offsets(x.Int64(), 0), nil
	case tensor.Int32:
		return offsets(x.Int32(), 0), nil
	case tensor.Complex64:
		return offsets(tensor.Slice[complex64](x), 0), nil
	case tensor.Complex128:
		return offsets(tensor.Slice[complex128](x), 0), nil
	case tensor.String:
		return offsets(x.Strs(), ""), nil
	case tensor.Bool:
		return offsets(x.Bool(), false), nil
	}
	m, err := cellsOf(c, x)
	if err != nil {
		return nil, err
	}
	var at []int
	w := max(m.Width, 1)
	for i := range x.Len() {
		cell := m.Bytes[i*w : (i+1)*w]
		nonzero := false
		for j, b := range cell {
			if j == w-1 && x.DType().IsFloat() && signed(x.DType()) {
				b &^= 1 << (min(x.DType().Bits(), 8) - 1)
			}
			nonzero = nonzero || b != 0
		}
		if nonzero {
			at = append(at, i)
		}
	}
	return at, nil
}

// signed reports the small float types that have a negative zero.
func signed(d tensor.DType) bool {
	return d != tensor.Float8E4M3FNUZ && d != tensor.Float8E5M2FNUZ && d != tensor.Float8E8M0
}

func offsets[T comparable](s []T, zero T) []int {
	n := 0
	for _, v := range s {
		if v != zero {
			n++
		}
	}
	at := make([]int, 0, n)
	for i, v := range s {
		if v != zero {
			at = append(at, i)
		}
	}
	return at
}

// trilu is https://onnx.ai/onnx/operators/onnx__Trilu.html.
type trilu struct{ upper bool }

func newTrilu(a *ops.Attrs) (ops.Op, error) { return trilu{a.Bool("upper", true)}, a.Done() }

func (op trilu) Infer(c *ops.Infer) error {
	if dims, ok := c.Dims(0); ok && len(dims) < 2 {
		return fmt.Errorf("input has rank %d, less than 2", len(dims))
	}
	c.SetLike(0, 0)
	return nil
}

func (op trilu) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	r := x.Rank()
	if r < 2 {
		return fmt.Errorf("input has rank %d, less than 2", r)
	}
	k := 0
	if c.Has(1) {
		var err error
		if k, err = scalarInt(c, 1, "k"); err != nil {
			return err
		}
	}
	src, err := cellsOf(c, x)
	if err != nil {
		return err
	}
	zero, err := cellsOf(c, tensor.New(x.DType(), 1))
	if err != nil {
		return err
	}
	dst, err := output(c, 0, x.DType(), x.Shape())
	if err != nil {
		return err
	}
	n, m := x.Dim(r-2), x.Dim(r-1)
	k = min(max(k, -n), m)
	c.Parallel(x.Shape()[:r-1].Size(), ops.Grain(m), func(lo, hi int) {
		for row := lo; row < hi; row++ {
			at, diag := row*m, row%n+k
			if op.upper {
				cut := min(max(diag, 0), m)
				dst.Fill(at, at+cut, zero)
				dst.Copy(at+cut, src, at+cut, m-cut)
			} else {
				cut := min(max(diag+1, 0), m)
				dst.Copy(at, src, at, cut)
				dst.Fill(at+cut, at+m, zero)
			}
		}
	})
	dst.close()
	return nil
}
