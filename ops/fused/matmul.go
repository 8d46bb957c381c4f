package fused

import (
	"fmt"
	"slices"

	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Domain: ops.Internal, Name: "FusedMatMul", Since: 1, New: newMatMul})
}

// matMul is act(alpha·A'·B' + bias): A' and B' are batches of matrices that result from transposing the inputs by perm_a and
// perm_b, and the output is the result transposed by perm_y, none of which moves data. Inputs: A, B, and the optional bias, a
// vector along the columns. Without a permutation the axes stay as they are. A' and B' have two axes or more.
type matMul struct {
	permA, permB, permY []int
	alpha               float32
	act                 func([]float32)
	b                   *packed
}

// packed is a constant B', a single matrix.
type packed struct {
	data *gemm.Packed[float32]
	k, n int
}

func newMatMul(a *ops.Attrs) (ops.Op, error) {
	op := matMul{permA: a.Ints("perm_a"), permB: a.Ints("perm_b"), permY: a.Ints("perm_y"), alpha: a.Float("alpha", 1), act: ReadActivation(a)}
	for _, p := range [][]int{op.permA, op.permB, op.permY} {
		if s := slices.Sorted(slices.Values(p)); len(s) > 0 && (len(s) == 1 || !slices.Equal(s, count(len(s)))) {
			a.Errorf("%v is no permutation of axes", p)
		}
	}
	if n := len(op.permY); n > 0 && op.permY[n-1] != n-1 {
		a.Errorf("perm_y %v moves the columns", op.permY)
	}
	if op.alpha == 0 {
		a.Errorf("alpha is 0")
	}
	return op, a.Done()
}

// count is 0, 1, …, n-1.
func count(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// permuted picks s's elements in the order of perm, which may be nil.
func permuted[T any](s []T, perm []int) ([]T, error) {
	if perm == nil {
		return s, nil
	}
	if len(perm) != len(s) {
		return nil, fmt.Errorf("permutation %v for rank %d", perm, len(s))
	}
	out := make([]T, len(s))
	for i, p := range perm {
		out[i] = s[p]
	}
	return out, nil
}

// Prepack implements ops.Prepacker.
func (op matMul) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	t := in[1]
	if t == nil || t.DType() != tensor.Float32 || t.Rank() != 2 || t.Len() == 0 {
		return op, nil
	}
	trans := op.permB != nil && op.permB[0] == 1
	k, n := t.Dim(0), t.Dim(1)
	if trans {
		k, n = n, k
	}
	op.b = &packed{gemm.PackB(gemm.RowMajor(t.Float32(), t.Dim(1), trans), k, n), k, n}
	return op, []int{1}
}

// Infer implements ops.Op.
func (op matMul) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	a, aok := c.Dims(0)
	b, bok := c.Dims(1)
	if !aok || !bok {
		return nil
	}
	a, err := permuted(a, op.permA)
	if err != nil {
		return err
	}
	if b, err = permuted(b, op.permB); err != nil {
		return err
	}
	if len(a) < 2 || len(b) < 2 {
		return fmt.Errorf("operands of ranks %d and %d", len(a), len(b))
	}
	out, err := ops.BroadcastDims(a[:len(a)-2], b[:len(b)-2])
	if err != nil {
		return err
	}
	if out, err = permuted(append(out, a[len(a)-2], b[len(b)-1]), op.permY); err != nil {
		return err
	}
	c.SetOut(0, c.DType(0), out...)
	return nil
}

// view is a tensor's data seen as a batch of matrices: shape and strides, all axes.
type view struct {
	data    []float32
	shape   tensor.Shape
	strides []int
}

func newView(t *tensor.Tensor, perm []int) (view, error) {
	if t.DType() != tensor.Float32 {
		return view{}, fmt.Errorf("operand of type %v: %w", t.DType(), ops.ErrUnsupported)
	}
	v := view{data: t.Float32()}
	var err error
	if v.shape, err = permuted(t.Shape(), perm); err != nil {
		return v, err
	}
	if v.strides, err = permuted(t.Shape().Strides(), perm); err != nil {
		return v, err
	}
	if len(v.shape) < 2 {
		return v, fmt.Errorf("operand of shape %v is no matrix", t.Shape())
	}
	return v, nil
}

// rows is the number of rows of each matrix.
func (v view) rows() int { return v.shape[len(v.shape)-2] }

func (v view) cols() int { return v.shape[len(v.shape)-1] }

func (v view) operand() gemm.Operand[float32] {
	n := len(v.strides)
	return gemm.Operand[float32]{Data: v.data, Row: v.strides[n-2], Col: v.strides[n-1]}
}

// steps returns the distances of neighbouring matrices along the axes of a batch, 0 where the view is broadcast.
func (v view) steps(batch tensor.Shape) []int {
	out := make([]int, len(batch))
	for i, d := range v.shape[:len(v.shape)-2] {
		if d != 1 {
			out[len(batch)-len(v.shape)+2+i] = v.strides[i]
		}
	}
	return out
}

// offset is where matrix i of the batch begins, given the distances along the batch's axes.
func offset(i int, batch tensor.Shape, steps []int) int {
	at := 0
	for d := len(batch) - 1; d >= 0; d-- {
		at += i % batch[d] * steps[d]
		i /= batch[d]
	}
	return at
}

// operands returns the views of A' and B'; B' has no data if it is packed.
func (op matMul) operands(c *ops.Ctx) (a, b view, err error) {
	if a, err = newView(c.Tensor(0), op.permA); err != nil {
		return a, b, err
	}
	if op.b != nil {
		b = view{shape: tensor.Shape{op.b.k, op.b.n}, strides: []int{0, 0}}
	} else if b, err = newView(c.Tensor(1), op.permB); err != nil {
		return a, b, err
	}
	if a.cols() != b.rows() {
		return a, b, fmt.Errorf("matrices of shapes %v and %v do not multiply", a.shape, b.shape)
	}
	return a, b, nil
}

// Run implements ops.Op.
func (op matMul) Run(c *ops.Ctx) error {
	a, b, err := op.operands(c)
	if err != nil {
		return err
	}
	batch, err := a.shape[:len(a.shape)-2].Broadcast(b.shape[:len(b.shape)-2])
	if err != nil {
		return err
	}
	m, k, n := a.rows(), a.cols(), b.cols()
	bias := c.Tensor(2)
	if bias != nil && (bias.DType() != tensor.Float32 || bias.Len() != n) {
		return fmt.Errorf("bias %v for %d columns", bias, n)
	}
	shape := append(batch.Clone(), m, n)
	stored, err := permuted(shape, op.permY)
	if err != nil {
		return err
	}
	y, err := c.New(0, tensor.Float32, stored)
	if err != nil {
		return err
	}
	strides := make([]int, len(shape))
	for i, s := range y.Shape().Strides() {
		if op.permY != nil {
			strides[op.permY[i]] = s
		} else {
			strides[i] = s
		}
	}
	out := view{y.Float32(), shape, strides}
	g := &gemm.Args[float32]{M: m, N: n, K: k, C: out.data, LDC: strides[len(strides)-2], A: a.operand(), Alpha: op.alpha, Act: op.act}
	if op.b != nil {
		g.PackedB = op.b.data
	} else {
		g.B = b.operand()
	}
	if bias != nil {
		g.Bias = gemm.Operand[float32]{Data: bias.Float32(), Col: 1}
	}
	multiply(c, g, batch, out.steps(batch), a.steps(batch), b.steps(batch))
	return c.Err()
}

// multiply computes a batch of products. Axes of the batch along which B stays and the rows of A and C go on evenly make taller
// matrices.
func multiply(c *ops.Ctx, g *gemm.Args[float32], batch tensor.Shape, ys, as, bs []int) {
	for d := len(batch) - 1; d >= 0 && bs[d] == 0 && (batch[d] == 1 || as[d] == g.M*g.A.Row && ys[d] == g.M*g.LDC); d-- {
		g.M *= batch[d]
		batch = batch[:d]
	}
	size := batch.Size()
	if size == 1 {
		gemm.Mul(c.Pool, g)
		return
	}
	y, a, b := g.C, g.A.Data, g.B.Data
	gemm.Batch(c.Pool, size, g, func(i int, g *gemm.Args[float32]) {
		g.C, g.A.Data = y[offset(i, batch, ys):], a[offset(i, batch, as):]
		if b != nil {
			g.B.Data = b[offset(i, batch, bs):]
		}
	})
}
