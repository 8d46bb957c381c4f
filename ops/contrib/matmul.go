package contrib

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		floatOp("FusedMatMul", newFusedMatMul),
		floatOp("TransposeMatMul", newFusedMatMul),
		floatOp("FusedMatMulActivation", newFusedMatMul),
		floatOp("GemmFastGelu", simple(inferMatMul(false, false, false, false), gemmFastGelu)),
	)
}

// fusedMatMul is act(alpha·A'·B'), where a flag transposes the last two axes of an operand, and a batch flag moves its
// first axis behind the batch axes before that.
type fusedMatMul struct {
	alpha                float32
	ta, tb, batchA, bchB bool
	act                  func([]float32)
	packed               *packedB
}

// packedB is a constant float32 matrix in the kernel's layout.
type packedB struct {
	*gemm.Packed[float32]
	shape tensor.Shape // of the tensor
	k, n  int
}

// packB packs a constant matrix; it returns nil if t is none or is not of float32.
func packB(t *tensor.Tensor, trans bool) *packedB {
	if t == nil || t.DType() != tensor.Float32 || t.Rank() != 2 || t.Len() == 0 {
		return nil
	}
	k, n := t.Dim(0), t.Dim(1)
	if trans {
		k, n = n, k
	}
	return &packedB{gemm.PackB(gemm.RowMajor(t.Float32(), t.Dim(1), trans), k, n), t.Shape().Clone(), k, n}
}

func newFusedMatMul(a *ops.Attrs) (ops.Op, error) {
	o := fusedMatMul{alpha: a.Float("alpha", 1), ta: a.Bool("transA", false), tb: a.Bool("transB", false),
		batchA: a.Bool("transBatchA", false), bchB: a.Bool("transBatchB", false)}
	a.Ignore("activation_axis")
	if name := a.String("activation", ""); name != "" {
		var params []float32
		for _, p := range []string{"activation_alpha", "activation_beta", "activation_gamma"} {
			if a.Has(p) {
				params = append(params, a.Float(p, 0))
			}
		}
		act, err := activation(name, params)
		if err != nil {
			return nil, err
		}
		o.act = act
	}
	return o, a.Done()
}

// Prepack implements ops.Prepacker.
func (o fusedMatMul) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	if o.packed = packB(in[1], o.tb); o.packed == nil || o.alpha == 0 {
		o.packed = nil
		return o, nil
	}
	return o, []int{1}
}

// Infer implements ops.Op.
func (o fusedMatMul) Infer(c *ops.Infer) error {
	return inferMatMul(o.ta, o.tb, o.batchA, o.bchB)(c)
}

func inferMatMul(ta, tb, batchA, batchB bool) func(*ops.Infer) error {
	return func(c *ops.Infer) error {
		a, ok1 := c.Dims(0)
		b, ok2 := c.Dims(1)
		if !ok1 || !ok2 || len(a) == 0 || len(b) == 0 {
			c.SetDType(0, c.DType(0))
			return nil
		}
		la, ma, _ := matDims(a, ta, batchA)
		lb, _, nb := matDims(b, tb, batchB)
		out, err := ops.BroadcastDims(la, lb)
		if err != nil {
			return err
		}
		if len(a) > 1 {
			out = append(out, ma)
		}
		if len(b) > 1 {
			out = append(out, nb)
		}
		c.SetOut(0, c.DType(0), out...)
		return nil
	}
}

// matDims splits the dimensions of a matrix operand into batch dimensions, rows and columns. Of a vector, rows and
// columns are both its extent.
func matDims[D any](d []D, t, moved bool) (batch []D, rows, cols D) {
	if len(d) == 1 {
		return nil, d[0], d[0]
	}
	n := len(d)
	batch, rows, cols = d[:n-2:n-2], d[n-2], d[n-1]
	if moved && n > 2 {
		batch, rows = d[1:n-1:n-1], d[0]
	}
	if t {
		rows, cols = cols, rows
	}
	return batch, rows, cols
}

// Run implements ops.Op.
func (o fusedMatMul) Run(c *ops.Ctx) error {
	if o.act != nil && c.Tensor(0).DType() != tensor.Float32 {
		return fmt.Errorf("activation of %v: %w", c.Tensor(0).DType(), ops.ErrUnsupported)
	}
	if o.packed != nil {
		return o.runPacked(c)
	}
	return typed(func(c *ops.Ctx) error { return runFusedMatMul[float32](c, o) }, func(c *ops.Ctx) error { return runFusedMatMul[float64](c, o) })(c)
}

// operand is a batch of matrices in a tensor.
type operand[T any] struct {
	gemm.Operand[T]
	batch      tensor.Shape
	rows, cols int
	step       int // elements between neighbouring matrices
}

func newOperand[T tensor.Elem](t *tensor.Tensor, trans, moved, left bool) (operand[T], error) {
	s := t.Shape()
	if len(s) == 0 {
		return operand[T]{}, fmt.Errorf("a scalar is no matrix")
	}
	if len(s) == 1 {
		trans, moved = false, false
		if left {
			s = tensor.Shape{1, s[0]}
		} else {
			s = tensor.Shape{s[0], 1}
		}
	}
	batch, rows, cols := matDims(s, trans, moved)
	o := operand[T]{batch: batch, rows: rows, cols: cols}
	ld := s[len(s)-1]
	o.step = ld * s[len(s)-2]
	if moved && len(s) > 2 {
		o.step, ld = ld, s[1:].Size()
	}
	o.Operand = gemm.RowMajor(tensor.Slice[T](t), ld, trans)
	return o, nil
}

// index returns the number of the matrix at index i of the broadcast batch.
func (o operand[T]) index(i int, batch tensor.Shape) int {
	off, stride := 0, 1
	for k := len(batch) - 1; k >= 0; k-- {
		j := k - (len(batch) - len(o.batch))
		if j >= 0 {
			if o.batch[j] != 1 {
				off += i % batch[k] * stride
			}
			stride *= o.batch[j]
		}
		i /= batch[k]
	}
	return off
}

// from returns the elements from matrix i on.
func (o operand[T]) from(i int) []T { return o.Data[i*o.step:] }

func runFusedMatMul[T float32 | float64](c *ops.Ctx, o fusedMatMul) error {
	if c.Tensor(1).DType() != c.Tensor(0).DType() {
		return fmt.Errorf("operands are %v and %v", c.Tensor(0).DType(), c.Tensor(1).DType())
	}
	a, err := newOperand[T](c.Tensor(0), o.ta, o.batchA, true)
	if err != nil {
		return err
	}
	b, err := newOperand[T](c.Tensor(1), o.tb, o.bchB, false)
	if err != nil {
		return err
	}
	if a.cols != b.rows {
		return fmt.Errorf("shapes %v and %v do not multiply", c.Tensor(0).Shape(), c.Tensor(1).Shape())
	}
	batch, err := a.batch.Broadcast(b.batch)
	if err != nil {
		return err
	}
	shape := batch.Clone()
	if c.Tensor(0).Rank() > 1 {
		shape = append(shape, a.rows)
	}
	if c.Tensor(1).Rank() > 1 {
		shape = append(shape, b.cols)
	}
	out, err := c.New(0, c.Tensor(0).DType(), shape)
	if err != nil {
		return err
	}
	y := tensor.Slice[T](out)
	g := &gemm.Args[T]{M: a.rows, N: b.cols, K: a.cols, C: y, LDC: b.cols, A: a.Operand, B: b.Operand, Alpha: T(o.alpha)}
	if g.Alpha == 0 {
		g.K, g.Alpha = 0, 1
	}
	if o.act != nil {
		act := o.act
		g.Act = func(x []T) { act(any(x).([]float32)) }
	}
	mats, size := batch.Size(), a.rows*b.cols
	if b.batch.Size() == 1 && !o.ta && !o.batchA {
		// One matrix on the right: all rows of A at once.
		g.M, mats = mats*a.rows, min(mats, 1)
	}
	gemm.Batch(c.Pool, mats, g, func(i int, g *gemm.Args[T]) {
		g.A.Data, g.B.Data, g.C = a.from(a.index(i, batch)), b.from(b.index(i, batch)), y[i*size:]
	})
	return nil
}

// runPacked is Run with a constant B.
func (o fusedMatMul) runPacked(c *ops.Ctx) error {
	t := c.Tensor(0)
	if t.DType() != tensor.Float32 {
		return fmt.Errorf("operands are %v and float", t.DType())
	}
	a, err := newOperand[float32](t, o.ta, o.batchA, true)
	if err != nil {
		return err
	}
	if a.cols != o.packed.k {
		return fmt.Errorf("shapes %v and %v do not multiply", t.Shape(), o.packed.shape)
	}
	shape := a.batch.Clone()
	if t.Rank() > 1 {
		shape = append(shape, a.rows)
	}
	shape = append(shape, o.packed.n)
	out, err := c.New(0, tensor.Float32, shape)
	if err != nil {
		return err
	}
	y, mats, size := out.Float32(), a.batch.Size(), a.rows*o.packed.n
	g := &gemm.Args[float32]{M: a.rows, N: o.packed.n, K: a.cols, C: y, LDC: o.packed.n, A: a.Operand, PackedB: o.packed.Packed, Alpha: o.alpha, Act: o.act}
	if !o.ta && !o.batchA {
		g.M, mats = mats*a.rows, min(mats, 1)
	}
	gemm.Batch(c.Pool, mats, g, func(i int, g *gemm.Args[float32]) { g.A.Data, g.C = a.from(i), y[i*size:] })
	return nil
}

// gemmFastGelu is fastGelu(X·W + bias).
func gemmFastGelu(c *ops.Ctx) error {
	if err := (fusedMatMul{alpha: 1}).Run(c); err != nil {
		return err
	}
	y, ok := c.Out[0].(*tensor.Tensor)
	if !ok || y.DType() != tensor.Float32 {
		return fmt.Errorf("element type %v: %w", c.Tensor(0).DType(), ops.ErrUnsupported)
	}
	v := y.Float32()
	if len(v) == 0 {
		return nil
	}
	n := y.Dim(y.Rank() - 1)
	bias, err := vectorOf(c, 2, n, "bias")
	if err != nil {
		return err
	}
	c.Parallel(len(v)/n, ops.Grain(16*n), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			row := v[r*n : (r+1)*n]
			for i, b := range bias {
				row[i] += b
			}
			fastGelu(row, row)
		}
	})
	return nil
}
