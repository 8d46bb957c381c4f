package linear

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "Gemm", Since: 1, Widen: true, New: newGemm},
		ops.Def{Name: "Gemm", Since: 7, Widen: true, New: newGemm},
	)
}

// gemmOp is https://onnx.ai/onnx/operators/onnx__Gemm.html. Before opset 7, C had to have the output's shape unless
// the attribute broadcast was set.
type gemmOp struct {
	alpha, beta    float32
	transA, transB bool
	exactC         bool
}

func newGemm(a *ops.Attrs) (ops.Op, error) {
	op := gemmOp{alpha: a.Float("alpha", 1), beta: a.Float("beta", 1), transA: a.Bool("transA", false), transB: a.Bool("transB", false)}
	if a.Opset < 7 {
		op.exactC = !a.Bool("broadcast", false)
	}
	return op, a.Done()
}

// Infer implements ops.Op.
func (op gemmOp) Infer(c *ops.Infer) error {
	a, aok := c.Dims(0)
	b, bok := c.Dims(1)
	if aok && len(a) != 2 || bok && len(b) != 2 {
		return fmt.Errorf("operands A and B must be matrices, not of ranks %d and %d", len(a), len(b))
	}
	m, n := tensor.Dim{}, tensor.Dim{}
	if aok {
		m = a[btoi(op.transA)]
	}
	if bok {
		n = b[1-btoi(op.transB)]
	}
	c.SetOut(0, c.DType(0), m, n)
	return nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// sizes returns m, n and k of the product.
func (op gemmOp) sizes(a, b tensor.Shape) (m, n, k int, err error) {
	if len(a) != 2 || len(b) != 2 {
		return 0, 0, 0, fmt.Errorf("operands A and B must be matrices, not of shapes %v and %v", a, b)
	}
	m, k = a[btoi(op.transA)], a[1-btoi(op.transA)]
	n = b[1-btoi(op.transB)]
	if l := b[btoi(op.transB)]; l != k {
		return 0, 0, 0, fmt.Errorf("shapes %v (transA %t) and %v (transB %t) do not multiply", a, op.transA, b, op.transB)
	}
	return m, n, k, nil
}

// biasStrides returns the strides of C as an (m, n) matrix.
func (op gemmOp) biasStrides(s tensor.Shape, m, n int) (row, col int, err error) {
	if op.exactC && !s.Equal(tensor.Shape{m, n}) {
		return 0, 0, fmt.Errorf("operand C of shape %v is not [%d %d] and broadcast is not set", s, m, n)
	}
	full := tensor.Shape{1, 1}
	if len(s) <= 2 {
		copy(full[2-len(s):], s)
	}
	if len(s) > 2 || full[0] != 1 && full[0] != m || full[1] != 1 && full[1] != n {
		return 0, 0, fmt.Errorf("operand C of shape %v does not broadcast to [%d %d]", s, m, n)
	}
	if full[0] != 1 {
		row = full[1]
	}
	if full[1] != 1 {
		col = 1
	}
	return row, col, nil
}

// Run implements ops.Op.
func (op gemmOp) Run(c *ops.Ctx) error {
	switch d := c.Tensor(0).DType(); d {
	case tensor.Float32:
		return runGemm[float32](c, op)
	case tensor.Float64:
		return runGemm[float64](c, op)
	case tensor.Int32:
		return runGemm[int32](c, op)
	case tensor.Int64:
		return runGemm[int64](c, op)
	case tensor.Uint32:
		return runGemm[uint32](c, op)
	case tensor.Uint64:
		return runGemm[uint64](c, op)
	default:
		return unsupported("Gemm", d)
	}
}

func runGemm[T float32 | float64 | int32 | int64 | uint32 | uint64](c *ops.Ctx, op gemmOp) error {
	a, b, bias := c.Tensor(0), c.Tensor(1), c.Tensor(2)
	m, n, k, err := op.sizes(a.Shape(), b.Shape())
	if err != nil {
		return err
	}
	if b.DType() != a.DType() || bias != nil && bias.DType() != a.DType() {
		return fmt.Errorf("the operands' types differ from %v", a.DType())
	}
	var add gemm.Operand[T]
	if bias != nil {
		if add.Row, add.Col, err = op.biasStrides(bias.Shape(), m, n); err != nil {
			return err
		}
		if op.beta != 0 {
			add.Data = tensor.Slice[T](bias)
		}
	}
	out, err := c.New(0, a.DType(), tensor.Shape{m, n})
	if err != nil {
		return err
	}
	y := tensor.Slice[T](out)
	g := &gemm.Args[T]{M: m, N: n, K: k, C: y, LDC: n,
		A: gemm.RowMajor(tensor.Slice[T](a), a.Dim(1), op.transA),
		B: gemm.RowMajor(tensor.Slice[T](b), b.Dim(1), op.transB)}
	late := op.alpha == 0 || a.DType().IsInt() && (op.alpha != 1 || op.beta != 1)
	if !late {
		g.Alpha, g.Beta, g.Bias = T(op.alpha), T(op.beta), add
	}
	gemm.Mul(c.Pool, g)
	if late {
		scaleLate(y, n, op.alpha, op.beta, add)
	}
	return c.Err()
}

// scaleLate sets y to alpha·y + beta·add where the kernel does not: integers are scaled as real numbers and then
// truncated, and a factor of 0 keeps NaN.
func scaleLate[T gemm.Number](y []T, n int, alpha, beta float32, add gemm.Operand[T]) {
	for i := range y {
		v := float64(alpha) * float64(y[i])
		if len(add.Data) > 0 {
			v += float64(beta) * float64(add.Data[i/n*add.Row+i%n*add.Col])
		}
		y[i] = T(v)
	}
}
