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
		floatOp("DynamicQuantizeMatMul", simple(inferProduct(0), dynamicQuantizeMatMul)),
		floatOp("MatMulIntegerToFloat", simple(inferProduct(2), matMulIntegerToFloat)),
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

// mulInt8 sets y[m×n] = A[m×k]·B[k×n].
func mulInt8(c *ops.Ctx, m, n, k int, a, b bytesMat, y []int32) {
	gemm.MulInt8(c.Pool, &gemm.Int8Args{M: m, N: n, K: k, C: y, LDC: n, A: a.operand(k), B: b.operand(n)})
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
	b              *tensor.Tensor
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
	sa, sb := p.shapeA, p.b.Shape()
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
	acc, err := ops.Scratch[int32](c, p.m*p.n)
	if err != nil {
		return err
	}
	a := operand[uint8]{batch: p.batchA, step: p.m * p.k, Operand: gemm.Operand[uint8]{Data: p.qa.data}}
	b := operand[uint8]{batch: p.batchB, step: p.k * p.n, Operand: gemm.Operand[uint8]{Data: tensor.Slice[uint8](p.b)}}
	y := out.Float32()
	for i := range p.mats {
		which, qa := 0, p.qa
		if p.mats > 1 {
			which, qa.data = b.index(i, p.batch), a.from(a.index(i, p.batch))
		}
		zero, scale := part(p.bZero, which, p.n), part(p.bScale, which, p.n)
		mulInt8(c, p.m, p.n, p.k, qa, bytesMat{b.from(which), p.b.DType() == tensor.Int8, zero}, acc)
		p.scale(c, y[i*p.m*p.n:], acc, scale)
	}
	return nil
}

// scale writes the rows of acc in float32.
func (p *qproduct) scale(c *ops.Ctx, y []float32, acc []int32, scale []float32) {
	c.Parallel(p.m, ops.Grain(2*p.n), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			scaleRow(y[r*p.n:(r+1)*p.n], acc[r*p.n:], p.aScale, scale, p.bias)
		}
	})
}

// scaleRow sets y = acc·(a·b) + bias, where b holds one element or one per column and bias may be nil.
func scaleRow(y []float32, acc []int32, a float32, b, bias []float32) {
	if len(b) == 1 {
		s := a * b[0]
		for j := range y {
			y[j] = float32(acc[j]) * s
		}
	} else {
		for j := range y {
			y[j] = float32(acc[j]) * (a * b[j])
		}
	}
	if bias != nil {
		vec.Add(y, y, bias)
	}
}

// dynamicQuantizeMatMul: inputs A, B, b_scale, b_zero_point?, bias?.
func dynamicQuantizeMatMul(c *ops.Ctx) error {
	x, err := floatInput(c, 0)
	if err != nil {
		return err
	}
	p := qproduct{b: c.Tensor(1), shapeA: c.Tensor(0).Shape()}
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
func matMulIntegerToFloat(c *ops.Ctx) error {
	p := qproduct{b: c.Tensor(1), shapeA: c.Tensor(0).Shape()}
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
}

func newQGemm(a *ops.Attrs) (ops.Op, error) {
	return qGemm{a.Float("alpha", 1), a.Bool("transA", false), a.Bool("transB", false)}, a.Done()
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
	b, kb, n, err := transposedBytes(c, c.Tensor(3), o.tb)
	if err != nil {
		return err
	}
	if k != kb {
		return fmt.Errorf("shapes %v and %v do not multiply", c.Tensor(0).Shape(), c.Tensor(3).Shape())
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
	mulInt8(c, m, n, k, bytesMat{a, c.Tensor(0).DType() == tensor.Int8, za}, bytesMat{b, c.Tensor(3).DType() == tensor.Int8, zb}, acc)
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
		for r := range m {
			scaleRow(y[r*n:(r+1)*n], acc[r*n:], o.alpha*as, bs, nil)
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
	lo, hi := range8(d)
	y := tensor.Slice[uint8](t)
	for i, v := range acc {
		s := bs[0]
		if len(bs) > 1 {
			s = bs[i%n]
		}
		y[i] = uint8(saturate(float32(v)*(o.alpha*as*s/ys), int32(yz), lo, hi))
	}
	return nil
}
