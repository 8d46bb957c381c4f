// Package signal holds the operators on signals: Fourier transforms, windows and mel filters.
package signal

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/fft"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "DFT", Since: 17, New: newDFT(false), Widen: true},
		ops.Def{Name: "DFT", Since: 20, New: newDFT(true), Widen: true},
	)
}

// dft is https://onnx.ai/onnx/operators/onnx__DFT.html. The last axis of a signal holds one real number, or the two parts
// of a complex one. The axis was an attribute before opset 20.
type dft struct {
	axis              int
	axisInput         bool
	inverse, onesided bool
}

func newDFT(axisInput bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		op := dft{axis: -2, axisInput: axisInput, inverse: a.Bool("inverse", false), onesided: a.Bool("onesided", false)}
		if !axisInput {
			op.axis = a.Int("axis", 1)
		}
		return op, a.Done()
	}
}

// place checks the axis of a signal of the given rank.
func (op dft) place(axis, rank int) (int, error) {
	a, err := ops.NormAxis(axis, rank)
	if err == nil && a == rank-1 {
		err = fmt.Errorf("axis %d of rank %d holds the parts of complex numbers", axis, rank)
	}
	return a, err
}

// Infer implements ops.Op.
func (op dft) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	dims, ok := c.Dims(0)
	if !ok {
		return nil
	}
	out := append([]tensor.Dim{}, dims...)
	axis, known := op.axis, true
	if op.axisInput && c.Has(2) {
		v, ok := c.ConstInts(2)
		if known = ok && len(v) == 1; known {
			axis = v[0]
		}
	}
	if !known {
		c.SetOut(0, c.DType(0), make([]tensor.Dim, len(dims))...)
		return nil
	}
	at, err := op.place(axis, len(dims))
	if err != nil {
		return err
	}
	length := dims[at]
	if op.inverse && op.onesided {
		length = length.AddInt(-1).Mul(tensor.Int(2))
	}
	if c.Has(1) {
		length = tensor.Dim{}
		if v, ok := c.Ints(1); ok && len(v) == 1 {
			length = v[0]
		}
	}
	out[len(out)-1] = tensor.Int(2)
	switch {
	case op.onesided && op.inverse:
		out[len(out)-1] = tensor.Int(1)
	case op.onesided:
		length = length.Div(tensor.Int(2)).AddInt(1)
	}
	out[at] = length
	c.SetOut(0, c.DType(0), out...)
	return nil
}

// scalarInt reads an optional integer input of one element.
func scalarInt(c *ops.Ctx, i, def int) (int, error) {
	t := c.Tensor(i)
	if t == nil {
		return def, nil
	}
	v, err := t.Ints()
	if err != nil || len(v) != 1 {
		return 0, fmt.Errorf("input %d is %v, not one integer", i, t)
	}
	return v[0], nil
}

// maxLength bounds the lengths of transforms and windows.
const maxLength = 1 << 30

// Run implements ops.Op.
func (op dft) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	s := x.Shape()
	axis := op.axis
	if op.axisInput {
		var err error
		if axis, err = scalarInt(c, 2, axis); err != nil {
			return err
		}
	}
	axis, err := op.place(axis, len(s))
	if err != nil {
		return err
	}
	if parts := s[len(s)-1]; parts != 1 && parts != 2 {
		return fmt.Errorf("last axis of shape %v is neither real (1) nor complex (2)", s)
	}
	n := s[axis]
	if op.inverse && op.onesided {
		n = 2 * (n - 1)
	}
	if n, err = scalarInt(c, 1, n); err != nil {
		return err
	}
	if n < 1 || n > maxLength {
		return fmt.Errorf("a transform of length %d", n)
	}
	shape := s.Clone()
	shape[axis], shape[len(s)-1] = n, 2
	if op.onesided && op.inverse {
		shape[len(s)-1] = 1
	} else if op.onesided {
		shape[axis] = n/2 + 1
	}
	y, err := c.New(0, x.DType(), shape)
	if err != nil {
		return err
	}
	t := transform{n: n, in: s[axis], out: shape[axis], inner: s[axis+1 : len(s)-1].Size(), inParts: s[len(s)-1], outParts: shape[len(s)-1], dft: op}
	switch x.DType() {
	case tensor.Float32:
		if single := t.single(); single != nil {
			runSingle(c, t, single, y.Float32(), x.Float32(), s[:axis].Size())
			break
		}
		runDFT(c, t, y.Float32(), x.Float32(), s[:axis].Size())
	case tensor.Float64:
		runDFT(c, t, y.Float64(), x.Float64(), s[:axis].Size())
	default:
		return fmt.Errorf("%v: %w", x.DType(), ops.ErrUnsupported)
	}
	return c.Err()
}

// transform describes the lines of a batch of transforms: in elements of inParts numbers at distance inner become out
// elements of outParts numbers.
type transform struct {
	dft
	n, in, out, inner, inParts, outParts int
}

func runDFT[T float32 | float64](c *ops.Ctx, t transform, y, x []T, outer int) {
	plan := fft.NewPlan(t.n)
	c.Parallel(outer*t.inner, ops.Grain(64*t.n), func(lo, hi int) {
		src, dst, work := make([]complex128, t.n), make([]complex128, t.n), &fft.Work{}
		for i := lo; i < hi; i++ {
			if c.Err() != nil {
				return
			}
			o, k := i/t.inner, i%t.inner
			read(t, src, x, (o*t.in*t.inner+k)*t.inParts)
			plan.Transform(dst, src, work)
			write(t, dst, y, (o*t.out*t.inner+k)*t.outParts)
		}
	})
}

// read fills src with a line that begins at x[at], cut or padded with zeros. The inverse transform is the forward one of
// the conjugate, which write conjugates again; from half a spectrum the other half follows.
func read[T float32 | float64](t transform, src []complex128, x []T, at int) {
	clear(src)
	step := t.inner * t.inParts
	m := min(t.in, t.n)
	if t.onesided && t.inverse {
		m = min(t.in, t.n/2+1)
	}
	for j := range m {
		re, im := float64(x[at+j*step]), 0.0
		if t.inParts == 2 {
			im = float64(x[at+j*step+1])
		}
		if t.inverse {
			im = -im
		}
		src[j] = complex(re, im)
	}
	if !t.onesided || !t.inverse {
		return
	}
	src[0] = complex(real(src[0]), 0)
	if t.n%2 == 0 {
		src[t.n/2] = complex(real(src[t.n/2]), 0)
	}
	for j := 1; j < (t.n+1)/2; j++ {
		src[t.n-j] = complex(real(src[j]), -imag(src[j]))
	}
}

func write[T float32 | float64](t transform, dst []complex128, y []T, at int) {
	step := t.inner * t.outParts
	scale, sign := 1.0, 1.0
	if t.inverse {
		scale, sign = float64(t.n), -1
	}
	for j := range t.out {
		y[at+j*step] = T(real(dst[j]) / scale)
		if t.outParts == 2 {
			y[at+j*step+1] = T(sign * imag(dst[j]) / scale)
		}
	}
}
