package contrib

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		floatOp("MatMulNBits", newMatMulNBits),
		floatOp("MatMulBnb4", newMatMulBnb4),
	)
}

// blockQuant is a matrix of n rows of k numbers of 2, 4 or 8 bits, packed from the low bits up. Each block of a row has a
// scale and a zero point; the last block may be partly used.
type blockQuant struct {
	bits, block, blocks int // blocks: of a row
	data                []uint8
	rowBytes            int
	scales              []float32
	zeros               []uint8   // packed like data, zeroBytes a row; nil: 2^(bits-1)
	zeroBytes           int       //
	floatZeros          []float32 // instead of zeros
	groups              []int     // of column p, instead of p/block
}

// zero is the zero point of block g of row n.
func (q *blockQuant) zero(n, g int) float32 {
	switch {
	case q.floatZeros != nil:
		return q.floatZeros[n*q.blocks+g]
	case q.zeros == nil:
		return float32(int(1) << (q.bits - 1))
	}
	per := 8 / q.bits
	b := q.zeros[n*q.zeroBytes+g/per]
	return float32(b >> (g % per * q.bits) & uint8(1<<q.bits-1))
}

// row writes elements [k0, k0+len) of row n to every step-th element of dst.
func (q *blockQuant) row(dst []float32, step, n, k0, count int) {
	src := q.data[n*q.rowBytes : (n+1)*q.rowBytes]
	for k := k0; k < k0+count; {
		g, end := k/q.block, min((k/q.block+1)*q.block, k0+count)
		if q.groups != nil {
			g, end = q.groups[k], k+1
		}
		scale, zero := q.scales[n*q.blocks+g], q.zero(n, g)
		switch q.bits {
		case 8:
			for ; k < end; k++ {
				dst[(k-k0)*step] = (float32(src[k]) - zero) * scale
			}
		case 4:
			for ; k < end; k++ {
				dst[(k-k0)*step] = (float32(src[k/2]>>(4*(k&1))&15) - zero) * scale
			}
		default:
			for ; k < end; k++ {
				dst[(k-k0)*step] = (float32(src[k/4]>>(2*(k&3))&3) - zero) * scale
			}
		}
	}
}

// columns is a gemm.BlockFunc for the transposed matrix.
func (q *blockQuant) columns(dst []float32, nr, k0, kc, j0, nc int) {
	rowColumns(dst, nr, k0, kc, j0, nc, q.row)
}

// rowColumns makes panels of a transposed matrix out of its rows.
func rowColumns(dst []float32, nr, k0, kc, j0, nc int, row func(dst []float32, step, n, k0, count int)) {
	for j := 0; j < nc; j += nr {
		panel := dst[j*kc : (j+nr)*kc]
		if nc-j < nr {
			clear(panel)
		}
		for i := range min(nr, nc-j) {
			row(panel[i:], nr, j0+j+i, k0, kc)
		}
	}
}

// matMulNBits is A·Bᵀ + bias with B of n rows in blockQuant's form. Inputs: A, B, scales, zero_points?, g_idx?, bias?.
type matMulNBits struct {
	k, n, bits, block int
	int8              bool // A may be rounded to 8 bits, block by block
	packed            *gemm.NBits
}

// Prepack implements ops.Prepacker.
func (o matMulNBits) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	if in[1] == nil || in[2] == nil || o.bits == 2 || len(in) > 4 && in[4] != nil {
		return o, nil
	}
	vals := make([]tensor.Value, len(in))
	dropped := []int{1, 2}
	for i, t := range in {
		if t != nil {
			vals[i] = t
		}
	}
	q, err := o.weights(&ops.Ctx{In: vals})
	if err != nil {
		return o, nil // Run says what is wrong
	}
	var zeros []float32
	if len(in) > 3 && in[3] != nil {
		dropped = append(dropped, 3)
		zeros = make([]float32, o.n*q.blocks)
		for i := range zeros {
			zeros[i] = q.zero(i/q.blocks, i%q.blocks)
		}
	}
	o.packed = gemm.PackNBits(o.bits, o.block, o.k, o.n, q.data, q.scales, zeros)
	for i := 3; i < min(len(in), 5); i++ {
		if in[i] == nil { // absent, or not constant: Run needs the weights as they are in that case
			return o, nil
		}
	}
	return o, dropped
}

func newMatMulNBits(a *ops.Attrs) (ops.Op, error) {
	o := matMulNBits{a.Int("K", 0), a.Int("N", 0), a.Int("bits", 4), a.Int("block_size", 0), a.Int("accuracy_level", 0) == 4, nil}
	if o.bits != 2 && o.bits != 4 && o.bits != 8 {
		a.Errorf("bits is %d, not 2, 4 or 8", o.bits)
	}
	if o.block < 16 || o.block&(o.block-1) != 0 || o.k <= 0 || o.n <= 0 || o.k > math.MaxInt32 || o.n > math.MaxInt32 {
		a.Errorf("K %d, N %d, block_size %d", o.k, o.n, o.block)
	}
	if a.Int("weight_prepacked", 0) != 0 {
		return nil, fmt.Errorf("prepacked weights: %w", ops.ErrUnsupported)
	}
	return o, a.Done()
}

// Infer implements ops.Op.
func (o matMulNBits) Infer(c *ops.Infer) error { return inferLast(c, o.n) }

// inferLast infers output 0 as input 0 with n columns.
func inferLast(c *ops.Infer, n int) error {
	c.SetDType(0, c.DType(0))
	if dims, ok := c.Dims(0); ok && len(dims) > 0 {
		out := append([]tensor.Dim{}, dims...)
		out[len(out)-1] = tensor.Int(n)
		c.SetOut(0, c.DType(0), out...)
	}
	return nil
}

// weights reads inputs 1 to 4.
func (o matMulNBits) weights(c *ops.Ctx) (*blockQuant, error) {
	q := &blockQuant{bits: o.bits, block: o.block, blocks: (o.k + o.block - 1) / o.block}
	q.rowBytes = q.blocks * o.block * o.bits / 8
	q.zeroBytes = (q.blocks*o.bits + 7) / 8
	b := c.Tensor(1)
	if b.DType() != tensor.Uint8 || b.Len() != o.n*q.rowBytes {
		return nil, fmt.Errorf("input B is %v for %d rows of %d bytes", b, o.n, q.rowBytes)
	}
	q.data = tensor.Slice[uint8](b)
	var err error
	if q.scales, err = vectorOf(c, 2, o.n*q.blocks, "scales"); err != nil {
		return nil, err
	}
	if err := q.readZeros(c, 3, o.n); err != nil {
		return nil, err
	}
	if g := c.Tensor(4); g != nil {
		if q.groups, err = g.Ints(); err != nil {
			return nil, err
		}
		if len(q.groups) < o.k {
			return nil, fmt.Errorf("g_idx has shape %v for %d columns", g.Shape(), o.k)
		}
		for _, i := range q.groups {
			if i < 0 || i >= q.blocks {
				return nil, fmt.Errorf("group %d of %d in g_idx", i, q.blocks)
			}
		}
	}
	return q, nil
}

// readZeros reads the zero points of n rows in input i.
func (q *blockQuant) readZeros(c *ops.Ctx, i, n int) error {
	z := c.Tensor(i)
	if z == nil {
		return nil
	}
	if z.DType() != tensor.Uint8 {
		var err error
		q.floatZeros, err = vectorOf(c, i, n*q.blocks, "zero_points")
		return err
	}
	if z.Len() != n*q.zeroBytes {
		return fmt.Errorf("zero_points have shape %v for %d rows of %d bytes", z.Shape(), n, q.zeroBytes)
	}
	q.zeros = tensor.Slice[uint8](z)
	return nil
}

// Run implements ops.Op.
func (o matMulNBits) Run(c *ops.Ctx) error {
	packed := o.packed
	if c.Has(3) || c.Has(4) {
		packed = nil
	}
	var q *blockQuant
	var err error
	if packed == nil {
		if q, err = o.weights(c); err != nil {
			return err
		}
	}
	bias, err := vectorOf(c, 5, o.n, "bias")
	if err != nil {
		return err
	}
	a, err := floatInput(c, 0)
	if err != nil {
		return err
	}
	if o.int8 && (q == nil || q.groups == nil) {
		if a, err = roundBlocks(c, a, o.k, o.block); err != nil {
			return err
		}
	}
	if packed == nil {
		return multiply(c, a, o.k, o.n, q.columns, bias)
	}
	y, rows, err := newRows(c, o.k, o.n)
	if err != nil {
		return err
	}
	gemm.MulNBits(c.Pool, y, a, rows, packed, bias)
	return nil
}

// newRows makes output 0: as many rows as input 0 has, whose length is k, of n elements.
func newRows(c *ops.Ctx, k, n int) (y []float32, rows int, err error) {
	s := c.Tensor(0).Shape()
	if len(s) == 0 || s[len(s)-1] != k {
		return nil, 0, fmt.Errorf("input A has shape %v, not %d columns", s, k)
	}
	shape := s.Clone()
	shape[len(s)-1] = n
	if _, err := shape.CheckSize(); err != nil {
		return nil, 0, err
	}
	out, err := c.New(0, tensor.Float32, shape)
	if err != nil {
		return nil, 0, err
	}
	return out.Float32(), s[:len(s)-1].Size(), nil
}

// multiply writes output 0, input 0 in a, with rows of length k, times a k×n matrix.
func multiply(c *ops.Ctx, a []float32, k, n int, block gemm.BlockFunc[float32], bias []float32) error {
	y, rows, err := newRows(c, k, n)
	if err != nil {
		return err
	}
	gemm.Mul(c.Pool, &gemm.Args[float32]{M: rows, N: n, K: k, C: y, LDC: n,
		A: gemm.RowMajor(a, k, false), BlockB: block, Bias: gemm.Operand[float32]{Data: bias, Col: 1}})
	return nil
}

// roundBlocks returns rows of k numbers as 8-bit integers, with a scale for each block, stand for them.
func roundBlocks(c *ops.Ctx, x []float32, k, block int) ([]float32, error) {
	y, err := ops.Scratch[float32](c, len(x))
	if err != nil {
		return nil, err
	}
	c.Parallel(len(x)/k, ops.Grain(8*k), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			for at := r * k; at < (r+1)*k; at += block {
				end := min(at+block, (r+1)*k)
				roundBlock(y[at:end], x[at:end])
			}
		}
	})
	return y, nil
}

func roundBlock(y, x []float32) {
	top := float32(0)
	for _, v := range x {
		top = max(top, v, -v)
	}
	scale, inv := top/127, float32(0)
	if scale != 0 {
		inv = 1 / scale
	}
	for i, v := range x {
		y[i] = float32(math.RoundToEven(float64(v*inv))) * scale
	}
}

// bnb4Tables are the numbers that 4-bit codes stand for, times the block's largest magnitude: floats of 4 bits, and the
// quantiles of a normal distribution.
var bnb4Tables = [2][16]float32{
	{0, 5.208333333e-03, 2. / 3, 1, 1. / 3, 0.5, 1. / 6, 0.25, 0, -5.208333333e-03, -2. / 3, -1, -1. / 3, -0.5, -1. / 6, -0.25},
	{-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
		0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1},
}

// matMulBnb4 is A·Bᵀ, or A·B without transB, where B (n×k) is stored as 4-bit codes, high ones first, whose blocks run on
// across rows.
type matMulBnb4 struct {
	k, n, block int
	table       *[16]float32
	trans       bool
}

func newMatMulBnb4(a *ops.Attrs) (ops.Op, error) {
	o := matMulBnb4{k: a.Int("K", 0), n: a.Int("N", 0), block: a.Int("block_size", 0), trans: a.Bool("transB", true)}
	a.Ignore("training_mode")
	t := a.Int("quant_type", 0)
	if t < 0 || t >= len(bnb4Tables) || o.block <= 0 || o.k <= 0 || o.n <= 0 || o.k > math.MaxInt32 || o.n > math.MaxInt32 {
		a.Errorf("quant_type %d, K %d, N %d, block_size %d", t, o.k, o.n, o.block)
		return nil, a.Done()
	}
	o.table = &bnb4Tables[t]
	return o, a.Done()
}

// Infer implements ops.Op.
func (o matMulBnb4) Infer(c *ops.Infer) error {
	if o.trans {
		return inferLast(c, o.n)
	}
	return inferLast(c, o.k)
}

// Run implements ops.Op.
func (o matMulBnb4) Run(c *ops.Ctx) error {
	b := c.Tensor(1)
	if b.DType() != tensor.Uint8 || b.Len() != (o.n*o.k+1)/2 {
		return fmt.Errorf("input B is %v for %d numbers", b, o.n*o.k)
	}
	scale, err := vectorOf(c, 2, (o.n*o.k+o.block-1)/o.block, "absmax")
	if err != nil {
		return err
	}
	a, err := floatInput(c, 0)
	if err != nil {
		return err
	}
	data := tensor.Slice[uint8](b)
	row := func(dst []float32, step, n, k0, count int) {
		for p := range count {
			i := n*o.k + k0 + p
			dst[p*step] = o.table[data[i/2]>>(4*(1-i&1))&15] * scale[i/o.block]
		}
	}
	if o.trans {
		return multiply(c, a, o.k, o.n, func(dst []float32, nr, k0, kc, j0, nc int) { rowColumns(dst, nr, k0, kc, j0, nc, row) }, nil)
	}
	return multiply(c, a, o.n, o.k, func(dst []float32, nr, k0, kc, j0, nc int) {
		for j := 0; j < nc; j += nr {
			panel, w := dst[j*kc:(j+nr)*kc], min(nr, nc-j)
			clear(panel)
			for p := range kc {
				row(panel[p*nr:], 1, k0+p, j0+j, w)
			}
		}
	}, nil)
}
