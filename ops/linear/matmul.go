package linear

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Name: "MatMul", Since: 1, Widen: true, New: func(a *ops.Attrs) (ops.Op, error) { return matMul{}, a.Done() }})
}

// product is how numpy.matmul reads two shapes: a batch of (m, k)·(k, n).
type product struct {
	m, k, n int
	out     tensor.Shape
	batch   tensor.Shape // broadcast shape of the leading axes
	a, b    tensor.Shape // leading axes of the operands
}

// newProduct reads the shapes of a matrix product's operands.
func newProduct(a, b tensor.Shape) (product, error) {
	var p product
	if len(a) == 0 || len(b) == 0 {
		return p, fmt.Errorf("a matrix product needs operands of rank 1 or more, not shapes %v and %v", a, b)
	}
	vecA, vecB := len(a) == 1, len(b) == 1
	if vecA {
		a = tensor.Shape{1, a[0]}
	}
	if vecB {
		b = tensor.Shape{b[0], 1}
	}
	ra, rb := len(a)-2, len(b)-2
	p.m, p.k, p.n, p.a, p.b = a[ra], a[ra+1], b[rb+1], a[:ra], b[:rb]
	if b[rb] != p.k {
		return p, fmt.Errorf("shapes %v and %v do not multiply: %d columns against %d rows", a, b, p.k, b[rb])
	}
	var err error
	if p.batch, err = p.a.Broadcast(p.b); err != nil {
		return p, err
	}
	p.out = p.batch.Clone()
	if !vecA {
		p.out = append(p.out, p.m)
	}
	if !vecB {
		p.out = append(p.out, p.n)
	}
	if _, err = p.out.CheckSize(); err != nil {
		return p, err
	}
	return p, nil
}

// merged makes a batch of matrices times one matrix one product of a taller matrix.
func (p product) merged() product {
	if rows := p.batch.Size(); p.b.Size() == 1 && p.a.Size() == rows {
		p.m, p.a, p.b, p.batch = rows*p.m, nil, nil, nil
	}
	return p
}

// offsets returns, for every product of the batch, which matrix of an operand with the leading axes s it takes.
func (p product) offsets(s tensor.Shape) []int {
	out := make([]int, p.batch.Size())
	at := make([]int, len(p.batch))
	strides := make([]int, len(p.batch))
	for i, st := range s.Strides() {
		if s[i] != 1 {
			strides[len(p.batch)-len(s)+i] = st
		}
	}
	pos := 0
	for i := range out {
		out[i] = pos
		for d := len(at) - 1; d >= 0; d-- {
			at[d]++
			pos += strides[d]
			if at[d] < p.batch[d] {
				break
			}
			pos -= at[d] * strides[d]
			at[d] = 0
		}
	}
	return out
}

// multiply computes the batch of products.
func multiply[T gemm.Number](c *ops.Ctx, p product, y, a, b []T) {
	p = p.merged()
	g := &gemm.Args[T]{M: p.m, N: p.n, K: p.k, C: y, LDC: p.n, A: gemm.RowMajor(a, p.k, false), B: gemm.RowMajor(b, p.n, false)}
	batch := p.batch.Size()
	if batch == 1 {
		gemm.Mul(c.Pool, g)
		return
	}
	ai, bi := p.offsets(p.a), p.offsets(p.b)
	gemm.Batch(c.Pool, batch, g, func(i int, g *gemm.Args[T]) {
		g.C, g.A.Data, g.B.Data = y[i*p.m*p.n:], a[ai[i]*p.m*p.k:], b[bi[i]*p.k*p.n:]
	})
}

// inferProduct sets output 0 to the type of the product of inputs i and j.
func inferProduct(c *ops.Infer, i, j int, d tensor.DType) error {
	a, aok := c.Dims(i)
	b, bok := c.Dims(j)
	if !aok || !bok {
		c.SetDType(0, d)
		return nil
	}
	if len(a) == 0 || len(b) == 0 {
		return fmt.Errorf("a matrix product needs operands of rank 1 or more, not %d and %d", len(a), len(b))
	}
	ra, rb := max(len(a)-2, 0), max(len(b)-2, 0)
	k, l := a[len(a)-1], b[rb]
	if x, ok := k.Int(); ok {
		if y, ok := l.Int(); ok && x != y {
			return fmt.Errorf("shapes %v and %v do not multiply: %d columns against %d rows", a, b, x, y)
		}
	}
	out, err := ops.BroadcastDims(a[:ra], b[:rb])
	if err != nil {
		return err
	}
	if len(a) > 1 {
		out = append(out, a[ra])
	}
	if len(b) > 1 {
		out = append(out, b[rb+1])
	}
	c.SetOut(0, d, out...)
	return nil
}

// matMul is https://onnx.ai/onnx/operators/onnx__MatMul.html.
type matMul struct{}

// Infer implements ops.Op.
func (matMul) Infer(c *ops.Infer) error { return inferProduct(c, 0, 1, c.DType(0)) }

// Run implements ops.Op.
func (matMul) Run(c *ops.Ctx) error {
	a, b := c.Tensor(0), c.Tensor(1)
	p, err := newProduct(a.Shape(), b.Shape())
	if err != nil {
		return err
	}
	if a.DType() != b.DType() {
		return fmt.Errorf("operands of types %v and %v", a.DType(), b.DType())
	}
	y, err := c.New(0, a.DType(), p.out)
	if err != nil {
		return err
	}
	switch a.DType() {
	case tensor.Float32:
		multiply(c, p, y.Float32(), a.Float32(), b.Float32())
	case tensor.Float64:
		multiply(c, p, y.Float64(), a.Float64(), b.Float64())
	case tensor.Int32:
		multiply(c, p, y.Int32(), a.Int32(), b.Int32())
	case tensor.Int64:
		multiply(c, p, y.Int64(), a.Int64(), b.Int64())
	case tensor.Uint32:
		multiply(c, p, tensor.Slice[uint32](y), tensor.Slice[uint32](a), tensor.Slice[uint32](b))
	case tensor.Uint64:
		multiply(c, p, tensor.Slice[uint64](y), tensor.Slice[uint64](a), tensor.Slice[uint64](b))
	default:
		return unsupported("MatMul", a.DType())
	}
	return c.Err()
}
