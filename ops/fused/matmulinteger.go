package fused

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Domain: ops.Internal, Name: "ScaledMatMulInteger", Since: 1, New: newMatMulInteger})
}

// matMulInteger is act(float(MatMulInteger(A, B, a_zero, b_zero))·(scale·scale2) + bias). A has two axes or more and one zero
// point, B has two axes and one zero point or one for each column. The scales have one element or one for each column, the
// bias one for each column. Inputs: A, B, a_zero?, b_zero?, scale, scale2?, bias?.
type matMulInteger struct {
	act func([]float32)
	b   *bytesMatrix
}

// bytesMatrix is a constant B.
type bytesMatrix struct {
	panels *gemm.Int8Panels
	signed bool
	k, n   int
}

func newMatMulInteger(a *ops.Attrs) (ops.Op, error) {
	return matMulInteger{act: ReadActivation(a)}, a.Done()
}

// Infer implements ops.Op.
func (op matMulInteger) Infer(c *ops.Infer) error {
	c.SetDType(0, tensor.Float32)
	a, aok := c.Dims(0)
	b, bok := c.Dims(1)
	if !aok || !bok {
		return nil
	}
	if len(a) < 2 || len(b) != 2 {
		return fmt.Errorf("operands of ranks %d and %d", len(a), len(b))
	}
	c.SetOut(0, tensor.Float32, append(append([]tensor.Dim{}, a[:len(a)-1]...), b[1])...)
	return nil
}

func is8Bit(d tensor.DType) bool { return d == tensor.Uint8 || d == tensor.Int8 }

// Prepack implements ops.Prepacker.
func (op matMulInteger) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	t := in[1]
	if t == nil || !is8Bit(t.DType()) || t.Rank() != 2 || t.Len() == 0 {
		return op, nil
	}
	k, n := t.Dim(0), t.Dim(1)
	signed := t.DType() == tensor.Int8
	op.b = &bytesMatrix{gemm.PackInt8(gemm.Int8Operand{Data: t.Bytes(), Signed: signed, Row: n, Col: 1}, k, n), signed, k, n}
	return op, []int{1}
}

// zeroPoints reads the zero points at input i: none, one, or up to n.
func zeroPoints(c *ops.Ctx, i, n int, signed bool) ([]int32, error) {
	t := c.Tensor(i)
	if t == nil {
		return nil, nil
	}
	if t.Len() != 1 && t.Len() != n || !is8Bit(t.DType()) || (t.DType() == tensor.Int8) != signed {
		return nil, fmt.Errorf("zero points %v", t)
	}
	out := make([]int32, t.Len())
	for k, v := range t.Bytes() {
		if out[k] = int32(v); signed {
			out[k] = int32(int8(v))
		}
	}
	return out, nil
}

// vector reads the float vector of n elements, or of one if that is allowed, at input i.
func vector(c *ops.Ctx, i, n int, one bool) ([]float32, error) {
	t := c.Tensor(i)
	if t == nil {
		return nil, nil
	}
	if t.DType() != tensor.Float32 || t.Len() != n && !(one && t.Len() == 1) {
		return nil, fmt.Errorf("%v for %d columns", t, n)
	}
	return t.Float32(), nil
}

// scales returns the factors of n columns, or one for all.
func (op matMulInteger) scales(c *ops.Ctx, n int) ([]float32, error) {
	s, err := vector(c, 4, n, true)
	if err != nil {
		return nil, fmt.Errorf("scale: %w", err)
	}
	t, err := vector(c, 5, n, true)
	if err != nil {
		return nil, fmt.Errorf("scale2: %w", err)
	}
	if len(t) == 0 {
		return s, nil
	}
	if len(s) < len(t) {
		s, t = t, s
	}
	out, err := ops.Scratch[float32](c, len(s))
	if err != nil {
		return nil, err
	}
	for j, v := range s {
		out[j] = v * t[j%len(t)]
	}
	return out, nil
}

// Run implements ops.Op.
func (op matMulInteger) Run(c *ops.Ctx) error {
	a := c.Tensor(0)
	g := gemm.Int8Args{A: gemm.Int8Operand{Data: a.Bytes(), Signed: a.DType() == tensor.Int8, Col: 1}, Act: op.act}
	k := 0
	if b := op.b; b != nil {
		g.PackedB, g.B.Signed, k, g.N = b.panels, b.signed, b.k, b.n
	} else {
		t := c.Tensor(1)
		if t.Rank() != 2 || !is8Bit(t.DType()) {
			return fmt.Errorf("B is %v, no matrix of 8-bit integers", t)
		}
		k, g.N = t.Dim(0), t.Dim(1)
		g.B = gemm.Int8Operand{Data: t.Bytes(), Signed: t.DType() == tensor.Int8, Row: g.N, Col: 1}
	}
	if !is8Bit(a.DType()) || a.Rank() < 2 || a.Dim(a.Rank()-1) != k {
		return fmt.Errorf("A is %v for a B of %d rows", a, k)
	}
	shape := a.Shape().Clone()
	last := len(shape) - 1
	g.M, g.K, g.A.Row, shape[last], g.LDC = shape[:last].Size(), k, k, g.N, g.N
	var err error
	if g.A.Zero, err = zeroPoints(c, 2, 1, g.A.Signed); err != nil {
		return err
	}
	if g.B.Zero, err = zeroPoints(c, 3, g.N, g.B.Signed); err != nil {
		return err
	}
	if g.Scale, err = op.scales(c, g.N); err != nil {
		return err
	}
	if g.Bias, err = vector(c, 6, g.N, false); err != nil {
		return fmt.Errorf("bias: %w", err)
	}
	y, err := c.New(0, tensor.Float32, shape)
	if err != nil {
		return err
	}
	g.F = y.Float32()
	gemm.MulInt8(c.Pool, &g)
	return c.Err()
}
