package contrib

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		floatOp("DynamicQuantizeMatMul", right(inferProduct(0), dynamicQuantizeMatMul)),
		floatOp("MatMulIntegerToFloat", right(inferProduct(2), matMulIntegerToFloat)),
		floatOp("QGemm", newQGemm),
	)
}

// bytesMat is a row-major matrix of 8-bit integers; zero holds no zero point, one, or (of a right operand) one per column.
type bytesMat struct {
	data   []uint8
	signed bool
	zero   []int32
}

func newBytesMat(t *tensor.Tensor, zero []int32) bytesMat {
	return bytesMat{tensor.Slice[uint8](t), t.DType() == tensor.Int8, zero}
}

func (m bytesMat) operand(ld int) gemm.Int8Operand {
	return gemm.Int8Operand{Data: m.data, Signed: m.signed, Row: ld, Col: 1, Zero: m.zero}
}

// bytesRight is the right operand of a product of 8-bit integers; data is nil if it is packed.
type bytesRight struct {
	shape  tensor.Shape
	signed bool
	data   []uint8
	packed *gemm.Int8Panels
}

// packBytes packs a constant matrix, transposed if trans; it returns nil if t is none.
func packBytes(t *tensor.Tensor, trans bool) *bytesRight {
	if t == nil || t.DType() != tensor.Uint8 && t.DType() != tensor.Int8 || t.Rank() != 2 || t.Len() == 0 {
		return nil
	}
	b, k, n := newBytesMat(t, nil).operand(t.Dim(1)), t.Dim(0), t.Dim(1)
	if trans {
		b.Row, b.Col, k, n = 1, n, n, k
	}
	return &bytesRight{t.Shape().Clone(), b.Signed, nil, gemm.PackInt8(b, k, n)}
}

// or returns the packed operand, or the one at input i.
func (b *bytesRight) or(c *ops.Ctx, i int) *bytesRight {
	if b != nil {
		return b
	}
	t := c.Tensor(i)
	return &bytesRight{t.Shape(), t.DType() == tensor.Int8, tensor.Slice[uint8](t), nil}
}

// rightOp is an operator whose input 1 is the right operand of a product.
type rightOp struct {
	op
	run8 func(c *ops.Ctx, b *bytesRight) error
	b    *bytesRight
}

func right(infer func(*ops.Infer) error, run func(*ops.Ctx, *bytesRight) error) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) { return rightOp{op: op{infer: infer}, run8: run}, a.Done() }
}

// Run implements ops.Op.
func (o rightOp) Run(c *ops.Ctx) error { return o.run8(c, o.b.or(c, 1)) }

// Prepack implements ops.Prepacker.
func (o rightOp) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	if o.b = packBytes(in[1], false); o.b != nil {
		return o, []int{1}
	}
	return o, nil
}

// inferProduct infers a product whose element type is that of input like.
func inferProduct(like int) func(*ops.Infer) error {
	return func(c *ops.Infer) error {
		err := inferMatMul(false, false, false, false)(c)
		c.SetDType(0, c.DType(like))
		return err
	}
}

// dynamicRange returns the scale and zero point with which DynamicQuantizeLinear stores x as uint8.
func dynamicRange(x []float32) (scale float32, zero int32) {
	lo, hi := vec.MinMax(x, 0, 0)
	scale = 1
	if hi != lo {
		scale = (hi - lo) / 255
	}
	return scale, int32(math.RoundToEven(float64(min(max(-lo/scale, 0), 255))))
}

// quantizeRow sets q = x/scale + zero, rounded half to even, saturated to the range of int8 if signed, else of uint8.
func quantizeRow(q []uint8, x []float32, scale float32, zero int32, signed bool) {
	if !signed {
		vec.Quantize(q, x, scale, float32(zero), 0, 255)
		return
	}
	vec.Quantize(q, x, scale, float32(zero+128), 0, 255)
	for i := range q {
		q[i] ^= 0x80
	}
}

// saturate rounds v half to even, adds zero and limits the sum to [lo, hi]; NaN gives zero.
func saturate(v float32, zero, lo, hi int32) int32 {
	r := math.RoundToEven(float64(v)) + float64(zero)
	switch {
	case r >= float64(hi):
		return hi
	case r <= float64(lo):
		return lo
	case r != r:
		return min(max(zero, lo), hi)
	}
	return int32(r)
}

// range8 returns the limits of an 8-bit integer type.
func range8(d tensor.DType) (lo, hi int32) {
	if d == tensor.Int8 {
		return -128, 127
	}
	return 0, 255
}

// quantizeDynamic returns x stored as uint8 with a scale of its own.
func quantizeDynamic(c *ops.Ctx, x []float32) (q bytesMat, scale float32, err error) {
	scale, zero := dynamicRange(x)
	buf, err := ops.Scratch[uint8](c, len(x))
	if err != nil {
		return q, 0, err
	}
	c.Parallel(len(x), ops.Grain(4), func(lo, hi int) { quantizeRow(buf[lo:hi], x[lo:hi], scale, zero, false) })
	return bytesMat{data: buf, zero: []int32{zero}}, scale, nil
}

// zeros reads the zero points in input i; nil if absent.
func zeros(c *ops.Ctx, i int) ([]int32, error) {
	t := c.Tensor(i)
	if t == nil {
		return nil, nil
	}
	v, err := t.Ints()
	if err != nil {
		return nil, err
	}
	out := make([]int32, len(v))
	for k, z := range v {
		out[k] = int32(z)
	}
	return out, nil
}

// qproduct is a batched product of 8-bit matrices that ends in float32: (A-za)·(B-zb)·as·bs + bias, where zb and bs hold
// one element, one per column, or one per column and matrix of B.
type qproduct struct {
	b              *bytesRight
	qa             bytesMat
	shapeA         tensor.Shape
	aScale         float32
	bScale         []float32
	bZero          []int32
	bias           []float32
	m, n, k, mats  int
	batchA, batchB tensor.Shape
	batch          tensor.Shape
}

func (p *qproduct) check() (tensor.Shape, error) {
	sa, sb := p.shapeA, p.b.shape
	if len(sa) < 1 || len(sb) < 2 {
		return nil, fmt.Errorf("shapes %v and %v do not multiply", sa, sb)
	}
	p.m, p.k = 1, sa[len(sa)-1]
	if len(sa) > 1 {
		p.m = sa[len(sa)-2]
		p.batchA = sa[:len(sa)-2]
	}
	p.n, p.batchB = sb[len(sb)-1], sb[:len(sb)-2]
	if sb[len(sb)-2] != p.k {
		return nil, fmt.Errorf("shapes %v and %v do not multiply", sa, sb)
	}
	var err error
	if p.batch, err = p.batchA.Broadcast(p.batchB); err != nil {
		return nil, err
	}
	out := p.batch.Clone()
	if len(sa) > 1 {
		out = append(out, p.m)
	}
	out = append(out, p.n)
	p.mats = p.batch.Size()
	if p.batchB.Size() == 1 {
		p.m, p.mats = p.m*p.mats, 1
	}
	for _, v := range []struct {
		name string
		n    int
	}{{"scale", len(p.bScale)}, {"zero point", len(p.bZero)}} {
		if v.n == 0 && v.name == "scale" || v.n > 1 && v.n != p.n && v.n != p.n*p.batchB.Size() {
			return nil, fmt.Errorf("%s of B has %d elements for shape %v", v.name, v.n, sb)
		}
	}
	if len(p.bScale) == 0 {
		return nil, fmt.Errorf("no scale of B")
	}
	if p.bias != nil && len(p.bias) != p.n {
		return nil, fmt.Errorf("bias has %d elements for %d columns", len(p.bias), p.n)
	}
	return out, nil
}

// part returns the elements of v that belong to matrix i of B.
func part[T any](v []T, i, n int) []T {
	if len(v) > n && n > 1 || len(v) > 1 && n == 1 {
		return v[i*n : (i+1)*n]
	}
	return v
}

func (p *qproduct) run(c *ops.Ctx) error {
	shape, err := p.check()
	if err != nil {
		return err
	}
	out, err := c.New(0, tensor.Float32, shape)
	if err != nil || out.Len() == 0 {
		return err
	}
	a := operand[uint8]{batch: p.batchA, step: p.m * p.k, Operand: gemm.Operand[uint8]{Data: p.qa.data}}
	b := operand[uint8]{batch: p.batchB, step: p.k * p.n, Operand: gemm.Operand[uint8]{Data: p.b.data}}
	y, factors := out.Float32(), make([]float32, len(p.bScale))
	for j, s := range p.bScale {
		factors[j] = p.aScale * s
	}
	g := &gemm.Int8Args{M: p.m, N: p.n, K: p.k, LDC: p.n, Bias: p.bias, PackedB: p.b.packed, A: p.qa.operand(p.k)}
	gemm.BatchInt8(c.Pool, p.mats, g, func(i int, g *gemm.Int8Args) {
		which, data := 0, p.b.data
		if p.mats > 1 {
			which, g.A.Data = b.index(i, p.batch), a.from(a.index(i, p.batch))
		}
		if data != nil {
			data = b.from(which)
		}
		g.F, g.Scale = y[i*p.m*p.n:], part(factors, which, p.n)
		g.B = bytesMat{data, p.b.signed, part(p.bZero, which, p.n)}.operand(p.n)
	})
	return nil
}

// dynamicQuantizeMatMul: inputs A, B, b_scale, b_zero_point?, bias?.
func dynamicQuantizeMatMul(c *ops.Ctx, b *bytesRight) error {
	x, err := floatInput(c, 0)
	if err != nil {
		return err
	}
	p := qproduct{b: b, shapeA: c.Tensor(0).Shape()}
	if p.bScale, err = floatInput(c, 2); err != nil {
		return err
	}
	if p.bZero, err = zeros(c, 3); err != nil {
		return err
	}
	if p.bias, err = floatInput(c, 4); err != nil {
		return err
	}
	if p.qa, p.aScale, err = quantizeDynamic(c, x); err != nil {
		return err
	}
	return p.run(c)
}

// matMulIntegerToFloat: inputs A, B, a_scale, b_scale, a_zero_point?, b_zero_point?, bias?.
func matMulIntegerToFloat(c *ops.Ctx, b *bytesRight) error {
	p := qproduct{b: b, shapeA: c.Tensor(0).Shape()}
	var err error
	if p.aScale, err = scalar(c, 2, "a_scale", 1); err != nil {
		return err
	}
	az, err := intScalar(c, 4, "a_zero_point", 0)
	if err != nil {
		return err
	}
	p.qa = newBytesMat(c.Tensor(0), []int32{int32(az)})
	if p.bScale, err = floatInput(c, 3); err != nil {
		return err
	}
	if p.bZero, err = zeros(c, 5); err != nil {
		return err
	}
	if p.bias, err = floatInput(c, 6); err != nil {
		return err
	}
	return p.run(c)
}

// qGemm is alpha·A'·B' + C of quantized matrices; C is in units of alpha·a_scale·b_scale. The result is float32, or
// quantized with y_scale and y_zero_point. Zero points and scales of B are for all or per column.
type qGemm struct {
	alpha  float32
	ta, tb bool
	b      *bytesRight
}

// Prepack implements ops.Prepacker.
func (o qGemm) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	if o.b = packBytes(in[3], o.tb); o.b != nil {
		return o, []int{3}
	}
	return o, nil
}

func newQGemm(a *ops.Attrs) (ops.Op, error) {
	return qGemm{alpha: a.Float("alpha", 1), ta: a.Bool("transA", false), tb: a.Bool("transB", false)}, a.Done()
}

// Infer implements ops.Op.
func (o qGemm) Infer(c *ops.Infer) error {
	d := tensor.Float32
	if c.Has(8) {
		d = c.DType(8)
	}
	c.SetDType(0, d)
	a, ok1 := c.Dims(0)
	b, ok2 := c.Dims(3)
	if ok1 && ok2 && len(a) == 2 && len(b) == 2 {
		_, m, _ := matDims(a, o.ta, false)
		_, _, n := matDims(b, o.tb, false)
		c.SetOut(0, d, m, n)
	}
	return nil
}

// transposedBytes returns a 2-D 8-bit tensor's elements in row-major order of the matrix or of its transpose.
func transposedBytes(c *ops.Ctx, t *tensor.Tensor, trans bool) ([]uint8, int, int, error) {
	if t.Rank() != 2 {
		return nil, 0, 0, fmt.Errorf("a matrix is needed, not %v", t)
	}
	data, rows, cols := tensor.Slice[uint8](t), t.Dim(0), t.Dim(1)
	if !trans {
		return data, rows, cols, nil
	}
	buf, err := ops.Scratch[uint8](c, len(data))
	if err != nil {
		return nil, 0, 0, err
	}
	swapBytes(c, buf, data, 1, rows, cols)
	return buf, cols, rows, nil
}

// Run implements ops.Op.
func (o qGemm) Run(c *ops.Ctx) error {
	a, m, k, err := transposedBytes(c, c.Tensor(0), o.ta)
	if err != nil {
		return err
	}
	b := o.b.or(c, 3)
	if len(b.shape) != 2 {
		return fmt.Errorf("a matrix is needed, not shape %v", b.shape)
	}
	right, kb, n := gemm.Int8Operand{Data: b.data, Signed: b.signed, Row: b.shape[1], Col: 1}, b.shape[0], b.shape[1]
	if o.tb {
		right.Row, right.Col, kb, n = 1, n, n, kb
	}
	if k != kb {
		return fmt.Errorf("shapes %v and %v do not multiply", c.Tensor(0).Shape(), b.shape)
	}
	za, err := zeros(c, 2)
	if err != nil {
		return err
	}
	zb, err := zeros(c, 5)
	if err != nil {
		return err
	}
	bs, err := floatInput(c, 4)
	if err != nil {
		return err
	}
	if len(za) != 1 || len(zb) != 1 && len(zb) != n || len(bs) != 1 && len(bs) != n {
		return fmt.Errorf("%d and %d zero points and %d scales for %d columns", len(za), len(zb), len(bs), n)
	}
	acc, err := ops.Scratch[int32](c, m*n)
	if err != nil {
		return err
	}
	right.Zero = zb
	left := bytesMat{a, c.Tensor(0).DType() == tensor.Int8, za}
	gemm.MulInt8(c.Pool, &gemm.Int8Args{M: m, N: n, K: k, C: acc, LDC: n, A: left.operand(k), B: right, PackedB: b.packed})
	if err := addInt32(c.Tensor(6), acc, m, n); err != nil {
		return err
	}
	as, err := scalar(c, 1, "a_scale", 1)
	if err != nil {
		return err
	}
	return o.write(c, acc, m, n, as, bs)
}

// addInt32 adds t, broadcast to m×n, to acc; t may be nil.
func addInt32(t *tensor.Tensor, acc []int32, m, n int) error {
	if t == nil {
		return nil
	}
	s := t.Shape()
	if full, err := s.Broadcast(tensor.Shape{m, n}); err != nil || !full.Equal(tensor.Shape{m, n}) {
		return fmt.Errorf("input C has shape %v for a result of shape [%d %d]", s, m, n)
	}
	rowStep, colStep := 0, 0
	if len(s) > 0 && s[len(s)-1] != 1 {
		colStep = 1
	}
	if len(s) == 2 && s[0] != 1 {
		rowStep = s[1]
	}
	for i, v := 0, t.Int32(); i < len(acc); i++ {
		acc[i] += v[i/n*rowStep+i%n*colStep]
	}
	return nil
}

func (o qGemm) write(c *ops.Ctx, acc []int32, m, n int, as float32, bs []float32) error {
	shape := tensor.Shape{m, n}
	if !c.Has(8) {
		t, err := c.New(0, tensor.Float32, shape)
		if err != nil {
			return err
		}
		y := t.Float32()
		for i, v := range acc {
			y[i] = float32(v) * (o.alpha * as * bs[i%len(bs)])
		}
		return nil
	}
	ys, err := scalar(c, 7, "y_scale", 1)
	if err != nil {
		return err
	}
	yz, err := intScalar(c, 8, "y_zero_point", 0)
	if err != nil {
		return err
	}
	d := c.Tensor(8).DType()
	t, err := c.New(0, d, shape)
	if err != nil {
		return err
	}
	factors := make([]float32, len(bs))
	for j, v := range bs {
		factors[j] = o.alpha * as * v / ys
	}
	rows := m // each with the factors of its columns
	if len(bs) == 1 {
		rows = 1
	}
	y, width := tensor.Slice[uint8](t), m*n/max(rows, 1)
	for r := range rows {
		gemm.Requantize(y[r*width:(r+1)*width], d == tensor.Int8, acc[r*width:(r+1)*width], factors, int32(yz))
	}
	return nil
}
