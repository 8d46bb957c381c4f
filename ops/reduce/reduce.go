package reduce

import (
	"fmt"
	"math"
	"slices"

	kernel "github.com/sardonyx-ml/sardonyx/kernels/reduce"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

type kind uint8

const (
	sum kind = iota
	mean
	maximum
	minimum
	product
	l1
	l2
	logSum
	logSumExp
	sumSquare
)

func init() {
	for k, name := range map[kind]string{
		sum: "ReduceSum", mean: "ReduceMean", maximum: "ReduceMax", minimum: "ReduceMin", product: "ReduceProd", l1: "ReduceL1",
		l2: "ReduceL2", logSum: "ReduceLogSum", logSumExp: "ReduceLogSumExp", sumSquare: "ReduceSumSquare",
	} {
		input := 18
		if k == sum {
			input = 13
		}
		ops.Register(
			ops.Def{Name: name, Since: 1, New: newReduce(k, false), Widen: true},
			ops.Def{Name: name, Since: input, New: newReduce(k, true), Widen: true},
		)
	}
}

// reduceOp is https://onnx.ai/onnx/operators/onnx__ReduceSum.html and its kin. The axes are an attribute in older opsets
// and an input later.
type reduceOp struct {
	kind       kind
	axesInput  bool
	axes       []int
	keep, noop bool
}

func newReduce(k kind, axesInput bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		op := reduceOp{kind: k, axesInput: axesInput, keep: a.Bool("keepdims", true)}
		if axesInput {
			op.noop = a.Bool("noop_with_empty_axes", false)
		} else {
			op.axes = a.Ints("axes")
		}
		return op, a.Done()
	}
}

// mask turns axes into a flag for each axis.
func (op reduceOp) mask(axes []int, rank int) ([]bool, error) {
	m := make([]bool, rank)
	for _, a := range axes {
		i, err := ops.NormAxis(a, rank)
		if err != nil {
			return nil, err
		}
		m[i] = true
	}
	if len(axes) == 0 && !op.noop {
		for i := range m {
			m[i] = true
		}
	}
	return m, nil
}

// Infer implements ops.Op.
func (op reduceOp) Infer(c *ops.Infer) error {
	if d := c.DType(0); d != tensor.Undefined {
		c.SetDType(0, d)
	}
	dims, ok := c.Dims(0)
	if !ok {
		return nil
	}
	axes, known := op.axes, true
	if op.axesInput && c.Has(1) {
		axes, known = c.ConstInts(1)
	}
	if !known {
		op.inferUnknown(c, len(dims))
		return nil
	}
	m, err := op.mask(axes, len(dims))
	if err != nil {
		return err
	}
	var out []tensor.Dim
	for i, d := range dims {
		switch {
		case !m[i]:
			out = append(out, d)
		case op.keep:
			out = append(out, tensor.Int(1))
		}
	}
	c.SetOut(0, c.DType(0), out...)
	op.inferValue(c, m)
	return nil
}

// inferUnknown sets what is known when the axes are not: the rank, if dimensions stay or the axes' number is known.
func (op reduceOp) inferUnknown(c *ops.Infer, rank int) {
	if op.keep {
		c.SetOut(0, c.DType(0), make([]tensor.Dim, rank)...)
	} else if axes, ok := c.Ints(1); ok && len(axes) > 0 && len(axes) <= rank {
		c.SetOut(0, c.DType(0), make([]tensor.Dim, rank-len(axes))...)
	}
}

// inferValue follows shape arithmetic: the reduction of a vector of dimensions.
func (op reduceOp) inferValue(c *ops.Infer, m []bool) {
	elems, ok := c.Ints(0)
	if !ok || len(m) != 1 || !m[0] || len(elems) == 0 || !c.DType(0).IsInt() {
		return
	}
	acc := elems[0]
	for _, e := range elems[1:] {
		switch op.kind {
		case sum:
			acc = acc.Add(e)
		case product:
			acc = acc.Mul(e)
		case maximum:
			acc = acc.Max(e)
		case minimum:
			acc = acc.Min(e)
		}
	}
	switch op.kind {
	case sum, product, maximum, minimum:
		c.SetInts(0, []tensor.Dim{acc})
	}
}

// Run implements ops.Op.
func (op reduceOp) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	axes := op.axes
	if op.axesInput && c.Has(1) {
		t := c.Tensor(1)
		var err error
		if axes, err = t.Ints(); err != nil || t.Rank() > 1 {
			return fmt.Errorf("axes is %v, not a vector of integers", t)
		}
	}
	m, err := op.mask(axes, x.Rank())
	if err != nil {
		return err
	}
	p := newPlan(x.Shape(), m, op.keep)
	y, err := c.New(0, x.DType(), p.out)
	if err != nil {
		return err
	}
	switch x.DType() {
	case tensor.Float32:
		return runFloat(op.kind, c, p, y.Float32(), x.Float32(), float32(math.Inf(1)))
	case tensor.Float64:
		return runFloat(op.kind, c, p, y.Float64(), x.Float64(), math.Inf(1))
	case tensor.Int64:
		return runInt(op.kind, c, p, y.Int64(), x.Int64(), math.MinInt64, math.MaxInt64)
	case tensor.Int32:
		return runInt(op.kind, c, p, y.Int32(), x.Int32(), math.MinInt32, math.MaxInt32)
	case tensor.Uint64:
		return runInt(op.kind, c, p, tensor.Slice[uint64](y), tensor.Slice[uint64](x), 0, math.MaxUint64)
	case tensor.Uint32:
		return runInt(op.kind, c, p, tensor.Slice[uint32](y), tensor.Slice[uint32](x), 0, math.MaxUint32)
	case tensor.Int16:
		return runInt(op.kind, c, p, tensor.Slice[int16](y), tensor.Slice[int16](x), math.MinInt16, math.MaxInt16)
	case tensor.Uint16:
		return runInt(op.kind, c, p, tensor.Slice[uint16](y), tensor.Slice[uint16](x), 0, math.MaxUint16)
	case tensor.Int8:
		return runInt(op.kind, c, p, tensor.Slice[int8](y), tensor.Slice[int8](x), math.MinInt8, math.MaxInt8)
	case tensor.Uint8:
		return runInt(op.kind, c, p, tensor.Slice[uint8](y), tensor.Slice[uint8](x), 0, math.MaxUint8)
	case tensor.Bool:
		if op.kind == maximum || op.kind == minimum {
			return runInt(op.kind, c, p, tensor.Slice[uint8](y), tensor.Slice[uint8](x), 0, 1)
		}
	}
	return fmt.Errorf("reduction of %v: %w", x.DType(), ops.ErrUnsupported)
}

// kernels are the loops of one reduction for one element type. finish, which may be nil, is applied to each result.
type kernels[T kernel.Number] struct {
	start   T
	row     func(x []T) T
	columns func(dst, x []T, rows, stride int)
	join    func(a, b T) T
	finish  func(v T, n int) T
}

// simple returns the loops of what all number types share.
func simple[T kernel.Number](k kind, lowest, highest T) kernels[T] {
	add := func(a, b T) T { return a + b }
	switch k {
	case maximum:
		row := func(x []T) T { return kernel.Max(x, lowest) }
		return kernels[T]{lowest, row, kernel.MaxColumns[T], func(a, b T) T { return max(a, b) }, nil}
	case minimum:
		row := func(x []T) T { return kernel.Min(x, highest) }
		return kernels[T]{highest, row, kernel.MinColumns[T], func(a, b T) T { return min(a, b) }, nil}
	case product:
		return kernels[T]{1, kernel.Prod[T], kernel.ProdColumns[T], func(a, b T) T { return a * b }, nil}
	case l1:
		return kernels[T]{0, kernel.SumAbs[T], kernel.SumAbsColumns[T], add, nil}
	case l2, sumSquare:
		return kernels[T]{0, kernel.SumSquare[T], kernel.SumSquareColumns[T], add, nil}
	}
	return kernels[T]{0, kernel.Sum[T], kernel.SumColumns[T], add, nil}
}

func runInt[T kernel.Number](k kind, c *ops.Ctx, p plan, y, x []T, lowest, highest T) error {
	ks := simple(k, lowest, highest)
	switch k {
	case mean:
		ks.finish = func(v T, n int) T {
			if n == 0 {
				return 0
			}
			return T(float64(v) / float64(n))
		}
	case l2:
		ks.finish = func(v T, _ int) T { return T(math.Sqrt(float64(v))) }
	case logSum:
		ks.finish = func(v T, _ int) T { return T(math.Log(float64(v))) }
	case logSumExp:
		return intLogSumExp(c, p, y, x)
	}
	return run(c, p, y, x, ks)
}

// intLogSumExp computes in float64.
func intLogSumExp[T kernel.Number](c *ops.Ctx, p plan, y, x []T) error {
	fx, err := ops.Scratch[float64](c, len(x))
	if err != nil {
		return err
	}
	fy, err := ops.Scratch[float64](c, len(y))
	if err != nil {
		return err
	}
	for i, v := range x {
		fx[i] = float64(v)
	}
	if err := runFloat(logSumExp, c, p, fy, fx, math.Inf(1)); err != nil {
		return err
	}
	for i, v := range fy {
		y[i] = T(v)
	}
	return nil
}

func runFloat[T float32 | float64](k kind, c *ops.Ctx, p plan, y, x []T, inf T) error {
	if k == logSumExp {
		return runLogSumExp(c, p, y, x, inf)
	}
	ks := simple(k, -inf, inf)
	switch k {
	case mean:
		ks.finish = func(v T, n int) T { return v / T(n) }
	case l2:
		ks.finish = func(v T, _ int) T { return T(math.Sqrt(float64(v))) }
	case logSum:
		ks.finish = func(v T, _ int) T { return T(math.Log(float64(v))) }
	}
	return run(c, p, y, x, ks)
}

// runLogSumExp is max + log Σ exp(x-max), which does not overflow.
func runLogSumExp[T float32 | float64](c *ops.Ctx, p plan, y, x []T, inf T) error {
	if err := run(c, p, y, x, simple(maximum, -inf, inf)); err != nil {
		return err
	}
	m, err := ops.Scratch[T](c, len(y))
	if err != nil {
		return err
	}
	for i, v := range y {
		if v == inf || v == -inf {
			v = 0
		}
		m[i] = v
	}
	p.each(c, func(o, lo, hi, rowStride int) {
		acc := y[o*p.width()+lo : o*p.width()+hi]
		shift := m[o*p.width()+lo : o*p.width()+hi]
		clear(acc)
		base := offset(p.keep, o) + lo
		for r := range min(p.repeat, p.reduced) {
			at := base + offset(p.red, r)
			if p.lastReduced {
				acc[0] += kernel.SumExp(x[at:at+p.inner], shift[0])
			} else {
				kernel.SumExpColumns(acc, x[at:], shift, p.rows, rowStride)
			}
		}
		for j := range acc {
			acc[j] = shift[j] + T(math.Log(float64(acc[j])))
		}
	})
	return nil
}

// width is the number of output elements of one outer position.
func (p plan) width() int {
	if p.lastReduced {
		return 1
	}
	return p.inner
}

// columnTile is how many columns are one thread's work at a time.
const columnTile = 1024

// each calls body for every outer position o and range [lo, hi) of its columns in parallel. Nothing is called where the
// output is empty, nor, with reduced elements missing, does body read any.
func (p plan) each(c *ops.Ctx, body func(o, lo, hi, rowStride int)) {
	w := p.width()
	tiles := (w + columnTile - 1) / columnTile
	cost := p.reduced * min(w, columnTile)
	c.Parallel(p.outer*tiles, ops.Grain(cost), func(a, b int) {
		for i := a; i < b; i++ {
			lo := i % tiles * columnTile
			body(i/tiles, lo, min(lo+columnTile, w), w)
		}
	})
}

// longRow is the row length from which a row is cut into pieces that are reduced in parallel.
const longRow = 1 << 16

func run[T kernel.Number](c *ops.Ctx, p plan, y, x []T, ks kernels[T]) error {
	if len(y) == 0 {
		return c.Err()
	}
	if p.reduced == 0 {
		for i := range y {
			y[i] = ks.start
		}
	} else if p.lastReduced && p.inner >= longRow {
		for o := range y {
			y[o] = longRows(c, p, x, offset(p.keep, o), ks)
		}
	} else {
		p.each(c, func(o, lo, hi, rowStride int) { reduceTile(p, y, x, ks, o, lo, hi, rowStride) })
	}
	if ks.finish != nil {
		c.Parallel(len(y), 1<<12, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				y[i] = ks.finish(y[i], p.reduced)
			}
		})
	}
	return c.Err()
}

func reduceTile[T kernel.Number](p plan, y, x []T, ks kernels[T], o, lo, hi, rowStride int) {
	base := offset(p.keep, o)
	if p.lastReduced {
		acc := ks.row(x[base : base+p.inner])
		for r := 1; r < p.repeat; r++ {
			at := base + offset(p.red, r)
			acc = ks.join(acc, ks.row(x[at:at+p.inner]))
		}
		y[o] = acc
		return
	}
	acc := y[o*p.inner+lo : o*p.inner+hi]
	for i := range acc {
		acc[i] = ks.start
	}
	for r := range p.repeat {
		ks.columns(acc, x[base+lo+offset(p.red, r):], p.rows, rowStride)
	}
}

// longRows reduces rows in pieces of a fixed length.
func longRows[T kernel.Number](c *ops.Ctx, p plan, x []T, base int, ks kernels[T]) T {
	const piece = longRow / 4
	n := (p.inner + piece - 1) / piece
	parts := make([]T, n*p.repeat)
	c.Parallel(len(parts), 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			at := i % n * piece
			row := x[base+offset(p.red, i/n):][:p.inner]
			parts[i] = ks.row(row[at:min(at+piece, p.inner)])
		}
	})
	for len(parts) > 1 {
		for i := range len(parts) / 2 {
			parts[i] = ks.join(parts[2*i], parts[2*i+1])
		}
		half := len(parts) / 2
		if len(parts)%2 == 1 {
			parts[half] = parts[len(parts)-1]
			half++
		}
		parts = slices.Clip(parts[:half])
	}
	return parts[0]
}
