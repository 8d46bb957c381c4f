package linear

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// weights is a constant float32 matrix in the kernels' layout.
type weights struct {
	packed *gemm.Packed[float32]
	k, n   int
}

// packWeights packs a constant matrix; it returns nil if t is none or is not of float32.
func packWeights(t *tensor.Tensor, trans bool) *weights {
	if t == nil || t.DType() != tensor.Float32 || t.Rank() != 2 || t.Len() == 0 {
		return nil
	}
	k, n := t.Dim(0), t.Dim(1)
	if trans {
		k, n = n, k
	}
	return &weights{gemm.PackB(gemm.RowMajor(t.Float32(), t.Dim(1), trans), k, n), k, n}
}

// Prepack implements ops.Prepacker.
func (op matMul) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	if w := packWeights(in[1], false); w != nil {
		return packedMatMul{op, w}, []int{1}
	}
	return op, nil
}

// packedMatMul is MatMul with a constant matrix as its second operand.
type packedMatMul struct {
	matMul
	w *weights
}

// Run implements ops.Op.
func (op packedMatMul) Run(c *ops.Ctx) error {
	a := c.Tensor(0)
	if a.DType() != tensor.Float32 {
		return unsupported("MatMul with float weights", a.DType())
	}
	p, err := newProduct(a.Shape(), tensor.Shape{op.w.k, op.w.n})
	if err != nil {
		return err
	}
	y, err := c.New(0, tensor.Float32, p.out)
	if err != nil {
		return err
	}
	p = p.merged()
	gemm.Mul(c.Pool, &gemm.Args[float32]{M: p.m, N: p.n, K: p.k, C: y.Float32(), LDC: p.n, A: gemm.RowMajor(a.Float32(), p.k, false), PackedB: op.w.packed})
	return c.Err()
}

// Prepack implements ops.Prepacker.
func (op gemmOp) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	if op.alpha == 0 {
		return op, nil
	}
	if w := packWeights(in[1], op.transB); w != nil {
		return packedGemm{op, w}, []int{1}
	}
	return op, nil
}

// packedGemm is Gemm with a constant B.
type packedGemm struct {
	gemmOp
	w *weights
}

// Run implements ops.Op.
func (op packedGemm) Run(c *ops.Ctx) error {
	a, bias := c.Tensor(0), c.Tensor(2)
	if a.DType() != tensor.Float32 || bias != nil && bias.DType() != tensor.Float32 {
		return unsupported("Gemm with float weights", a.DType())
	}
	if a.Rank() != 2 || a.Dim(1-btoi(op.transA)) != op.w.k {
		return fmt.Errorf("operand A of shape %v (transA %t) does not multiply with B of %d rows", a.Shape(), op.transA, op.w.k)
	}
	m, n := a.Dim(btoi(op.transA)), op.w.n
	g := &gemm.Args[float32]{M: m, N: n, K: op.w.k, LDC: n, A: gemm.RowMajor(a.Float32(), a.Dim(1), op.transA), PackedB: op.w.packed, Alpha: op.alpha, Beta: op.beta}
	if bias != nil {
		row, col, err := op.biasStrides(bias.Shape(), m, n)
		if err != nil {
			return err
		}
		if op.beta != 0 {
			g.Bias = gemm.Operand[float32]{Data: bias.Float32(), Row: row, Col: col}
		}
	}
	y, err := c.New(0, tensor.Float32, tensor.Shape{m, n})
	if err != nil {
		return err
	}
	g.C = y.Float32()
	gemm.Mul(c.Pool, g)
	return c.Err()
}
