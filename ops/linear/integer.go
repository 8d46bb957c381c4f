package linear

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "MatMulInteger", Since: 10, New: func(a *ops.Attrs) (ops.Op, error) { return matMulInteger{}, a.Done() }},
		ops.Def{Name: "QLinearMatMul", Since: 10, New: func(a *ops.Attrs) (ops.Op, error) { return qLinearMatMul{}, a.Done() }},
	)
}

// param is a quantization parameter of an operand: one value, or one for each row of A or column of B, which may
// differ between the matrices of a batch.
type param[T any] struct {
	vals []T          // empty for an absent one
	n    int          // values that belong together: 1, M or N
	lead tensor.Shape // the batch axes of vals
}

// newParam reads the parameter t of an operand with n rows (or columns, if cols) of a product.
func newParam[T any](t *tensor.Tensor, vals []T, n int, cols bool, p product) (param[T], error) {
	s := t.Shape()
	if t.Len() == 1 {
		return param[T]{vals: vals, n: 1}, nil
	}
	if len(s) == 1 && s[0] == n {
		return param[T]{vals: vals, n: n}, nil
	}
	if r := len(s) - 2; r >= 0 {
		want := tensor.Shape{n, 1}
		if cols {
			want = tensor.Shape{1, n}
		}
		if b, err := s[:r].Broadcast(p.batch); err == nil && b.Equal(p.batch) && s[r:].Equal(want) {
			return param[T]{vals: vals, n: n, lead: s[:r]}, nil
		}
	}
	return param[T]{}, fmt.Errorf("quantization parameter of shape %v for %d rows or columns of a batch %v", s, n, p.batch)
}

// shared reports whether every matrix of a batch and every row has the same value.
func (q param[T]) shared() bool { return q.n <= 1 }

// of returns the values for the product that takes the parameter's vector i.
func (q param[T]) of(i int) []T {
	if q.n == 0 {
		return nil
	}
	return q.vals[i*q.n : (i+1)*q.n]
}

// zeroPoint reads the zero points at input i of an operand of type d.
func zeroPoint(c *ops.Ctx, i, n int, cols bool, p product, d tensor.DType) (param[int32], error) {
	t := c.Tensor(i)
	if t == nil {
		return param[int32]{}, nil
	}
	if t.DType() != d {
		return param[int32]{}, fmt.Errorf("zero point of type %v for an operand of %v", t.DType(), d)
	}
	v, err := t.Ints()
	if err != nil {
		return param[int32]{}, err
	}
	z := make([]int32, len(v))
	for k, x := range v {
		z[k] = int32(x)
	}
	return newParam(t, z, n, cols, p)
}

func is8Bit(d tensor.DType) bool { return d == tensor.Uint8 || d == tensor.Int8 }

// matrix8 is the second operand of a product of 8-bit integers; data is nil if it is packed.
type matrix8 struct {
	shape  tensor.Shape
	dtype  tensor.DType
	data   []uint8
	packed *gemm.Int8Panels
}

// pack8 packs a constant matrix; it returns nil if t is none.
func pack8(t *tensor.Tensor) *matrix8 {
	if t == nil || !is8Bit(t.DType()) || t.Rank() != 2 || t.Len() == 0 {
		return nil
	}
	b := gemm.Int8Operand{Data: t.Bytes(), Signed: t.DType() == tensor.Int8, Row: t.Dim(1), Col: 1}
	return &matrix8{t.Shape().Clone(), t.DType(), nil, gemm.PackInt8(b, t.Dim(0), t.Dim(1))}
}

// or returns the packed matrix, or the one at input i.
func (m *matrix8) or(c *ops.Ctx, i int) *matrix8 {
	if m != nil {
		return m
	}
	t := c.Tensor(i)
	return &matrix8{t.Shape(), t.DType(), t.Bytes(), nil}
}

// intProduct multiplies the 8-bit operands a and b with the zero points at inputs az and bz. set sets the output of one of
// the products, which begins with element at.
func intProduct(c *ops.Ctx, p product, a *tensor.Tensor, b *matrix8, az, bz int, set func(g *gemm.Int8Args, at int)) error {
	for _, d := range []tensor.DType{a.DType(), b.dtype} {
		if !is8Bit(d) {
			return unsupported("an integer product", d)
		}
	}
	za, err := zeroPoint(c, az, p.m, false, p, a.DType())
	if err != nil {
		return err
	}
	zb, err := zeroPoint(c, bz, p.n, true, p, b.dtype)
	if err != nil {
		return err
	}
	if za.shared() && len(zb.lead) == 0 {
		p = p.merged()
	}
	g := &gemm.Int8Args{M: p.m, N: p.n, K: p.k, LDC: p.n, PackedB: b.packed,
		A: gemm.Int8Operand{Signed: a.DType() == tensor.Int8, Row: p.k, Col: 1},
		B: gemm.Int8Operand{Signed: b.dtype == tensor.Int8, Row: p.n, Col: 1}}
	ai, bi, zai, zbi := p.offsets(p.a), p.offsets(p.b), p.offsets(za.lead), p.offsets(zb.lead)
	gemm.BatchInt8(c.Pool, p.batch.Size(), g, func(i int, g *gemm.Int8Args) {
		set(g, i*p.m*p.n)
		if g.A.Data = a.Bytes()[ai[i]*p.m*p.k:]; b.packed == nil {
			g.B.Data = b.data[bi[i]*p.k*p.n:]
		}
		g.A.Zero, g.B.Zero = za.of(zai[i]), zb.of(zbi[i])
	})
	return c.Err()
}

// matMulInteger is https://onnx.ai/onnx/operators/onnx__MatMulInteger.html.
type matMulInteger struct{ w *matrix8 }

// Infer implements ops.Op.
func (matMulInteger) Infer(c *ops.Infer) error { return inferProduct(c, 0, 1, tensor.Int32) }

// Prepack implements ops.Prepacker.
func (op matMulInteger) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	if w := pack8(in[1]); w != nil {
		return matMulInteger{w}, []int{1}
	}
	return op, nil
}

// Run implements ops.Op.
func (op matMulInteger) Run(c *ops.Ctx) error {
	a, b := c.Tensor(0), op.w.or(c, 1)
	p, err := newProduct(a.Shape(), b.shape)
	if err != nil {
		return err
	}
	y, err := c.New(0, tensor.Int32, p.out)
	if err != nil {
		return err
	}
	return intProduct(c, p, a, b, 2, 3, func(g *gemm.Int8Args, at int) { g.C = y.Int32()[at:] })
}

// qLinearMatMul is https://onnx.ai/onnx/operators/onnx__QLinearMatMul.html. Operands of 8-bit floating-point types are
// multiplied as float32.
type qLinearMatMul struct{ w *matrix8 }

// Prepack implements ops.Prepacker.
func (op qLinearMatMul) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	// The kernels for integers run if all three types are 8-bit integers.
	for _, i := range []int{2, 7} {
		if t := in[i]; t == nil || !is8Bit(t.DType()) {
			return op, nil
		}
	}
	if w := pack8(in[3]); w != nil {
		return qLinearMatMul{w}, []int{3}
	}
	return op, nil
}

// Infer implements ops.Op.
func (qLinearMatMul) Infer(c *ops.Infer) error { return inferProduct(c, 0, 3, c.DType(7)) }

// scale reads the scales at input i.
func scale(c *ops.Ctx, i, n int, cols bool, p product) (param[float32], error) {
	t, err := c.Tensor(i).AsFloat32()
	if err != nil {
		return param[float32]{}, err
	}
	return newParam(t, t.Float32(), n, cols, p)
}

// Run implements ops.Op.
func (op qLinearMatMul) Run(c *ops.Ctx) error {
	a, yz := c.Tensor(0), c.Tensor(7)
	if b := c.Tensor(3); b != nil && !(is8Bit(a.DType()) && is8Bit(b.DType()) && is8Bit(yz.DType())) {
		return op.run(c, a, &matrix8{shape: b.Shape()}, yz)
	}
	return op.run(c, a, op.w.or(c, 3), yz)
}

// run computes the product; b has neither data nor panels if the operands are to be multiplied as float32.
func (qLinearMatMul) run(c *ops.Ctx, a *tensor.Tensor, b *matrix8, yz *tensor.Tensor) error {
	p, err := newProduct(a.Shape(), b.shape)
	if err != nil {
		return err
	}
	q := quantized{p: p, d: yz.DType()}
	if q.as, err = scale(c, 1, p.m, false, p); err != nil {
		return err
	}
	if q.bs, err = scale(c, 4, p.n, true, p); err != nil {
		return err
	}
	ys, err := c.Tensor(6).AsFloat32()
	if err != nil {
		return err
	}
	if ys.Len() != 1 || yz.Len() != 1 {
		return fmt.Errorf("output scale %v and zero point %v are not single", ys, yz)
	}
	q.ys = ys.Float32()[0]
	y, err := c.New(0, q.d, p.out)
	if err != nil {
		return err
	}
	if b.data != nil || b.packed != nil {
		return q.runInt(c, y, a, b)
	}
	return q.runFloat(c, y, a, c.Tensor(3))
}

// quantized is a product with the scales of its operands and result.
type quantized struct {
	p      product
	as, bs param[float32]
	ys     float32
	d      tensor.DType // of the result
}

// rows calls f for each row of the result with the factors for its elements: one or as many as there are columns.
func (q quantized) rows(c *ops.Ctx, f func(row int, scale []float32)) {
	ai, bi := q.p.offsets(q.as.lead), q.p.offsets(q.bs.lead)
	c.Parallel(q.p.batch.Size()*q.p.m, ops.Grain(q.p.n), func(lo, hi int) {
		factors := make([]float32, q.bs.n)
		for r := lo; r < hi; r++ {
			as, bs := q.as.of(ai[r/q.p.m]), q.bs.of(bi[r/q.p.m])
			s := as[0]
			if len(as) > 1 {
				s = as[r%q.p.m]
			}
			for j, v := range bs {
				factors[j] = s * v / q.ys
			}
			f(r, factors)
		}
	})
}

func (q quantized) runInt(c *ops.Ctx, y, a *tensor.Tensor, b *matrix8) error {
	zero, err := c.Tensor(7).Ints()
	if err != nil {
		return err
	}
	dst, n, signed := y.Bytes(), q.p.n, q.d == tensor.Int8
	if q.as.n == 1 && len(q.bs.lead) == 0 {
		factors := make([]float32, q.bs.n)
		for j, v := range q.bs.of(0) {
			factors[j] = q.as.vals[0] * v / q.ys
		}
		return intProduct(c, q.p, a, b, 2, 5, func(g *gemm.Int8Args, at int) {
			g.Q, g.QSigned, g.QZero, g.Scale = dst[at:], signed, int32(zero[0]), factors
		})
	}
	acc, err := ops.Scratch[int32](c, y.Len())
	if err != nil {
		return err
	}
	if err := intProduct(c, q.p, a, b, 2, 5, func(g *gemm.Int8Args, at int) { g.C = acc[at:] }); err != nil {
		return err
	}
	q.rows(c, func(r int, scale []float32) {
		gemm.Requantize(dst[r*n:(r+1)*n], signed, acc[r*n:(r+1)*n], scale, int32(zero[0]))
	})
	return c.Err()
}

func (q quantized) runFloat(c *ops.Ctx, y, a, b *tensor.Tensor) error {
	fa, err := q.decode(c, a, 2, q.p.m, false)
	if err != nil {
		return err
	}
	fb, err := q.decode(c, b, 5, q.p.n, true)
	if err != nil {
		return err
	}
	fy, err := ops.Scratch[float32](c, y.Len())
	if err != nil {
		return err
	}
	zero, err := c.Tensor(7).Floats()
	if err != nil {
		return err
	}
	multiply(c, q.p, fy, fa, fb)
	n := q.p.n
	q.rows(c, func(r int, scale []float32) {
		row := fy[r*n : (r+1)*n]
		for j := range row {
			row[j] *= scale[j%len(scale)]
		}
	})
	if is8Bit(q.d) {
		lo, hi := 0.0, 255.0
		if q.d == tensor.Int8 {
			lo, hi = -128, 127
		}
		for i, v := range fy {
			r := math.RoundToEven(float64(v)) + zero[0]
			if r != r {
				r = zero[0]
			}
			y.Bytes()[i] = uint8(int(min(max(r, lo), hi)))
		}
		return c.Err()
	}
	for i := range fy {
		fy[i] += float32(zero[0])
	}
	if !tensor.EncodeFloat32(y, fy) {
		return unsupported("QLinearMatMul with an output", q.d)
	}
	return c.Err()
}

// decode returns an operand's numbers with its zero points, at input zi, subtracted.
func (q quantized) decode(c *ops.Ctx, t *tensor.Tensor, zi, n int, cols bool) ([]float32, error) {
	out, err := ops.Scratch[float32](c, t.Len())
	if err != nil {
		return nil, err
	}
	if err := decode8(out, t); err != nil {
		return nil, err
	}
	zt := c.Tensor(zi)
	if zt.DType() != t.DType() {
		return nil, fmt.Errorf("zero point of type %v for an operand of %v", zt.DType(), t.DType())
	}
	zf := make([]float32, zt.Len())
	if err := decode8(zf, zt); err != nil {
		return nil, err
	}
	z, err := newParam(zt, zf, n, cols, q.p)
	if err != nil {
		return nil, err
	}
	if len(z.lead) > 0 && z.lead.Size() > 1 {
		return nil, fmt.Errorf("zero points of shape %v for %v: %w", zt.Shape(), t.DType(), ops.ErrUnsupported)
	}
	for i := range out {
		switch {
		case z.n == 1:
			out[i] -= zf[0]
		case cols:
			out[i] -= zf[i%n]
		default:
			out[i] -= zf[i/q.p.k%n]
		}
	}
	return out, nil
}

func decode8(dst []float32, t *tensor.Tensor) error {
	if tensor.DecodeFloat32(dst, t) {
		return nil
	}
	v, err := t.Ints()
	if err != nil {
		return err
	}
	for i, x := range v {
		dst[i] = float32(x)
	}
	return nil
}
