package rnn

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	kernel "github.com/sardonyx-ml/sardonyx/kernels/rnn"
	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	build := newLayer(kernel.LSTM, 7)
	ops.Register(ops.Def{Domain: ops.Microsoft, Name: "DynamicQuantizeLSTM", Since: 1, New: func(a *ops.Attrs) (ops.Op, error) {
		op, err := build(a)
		if err != nil {
			return nil, err
		}
		return dynamicLSTM{layer: op.(layer)}, nil
	}})
}

// dynamicLSTM is com.microsoft's DynamicQuantizeLSTM: an LSTM whose weights W (directions, input, 4·hidden) and R (directions,
// hidden, 4·hidden) are 8-bit integers with scales and zero points for each direction, or each column of it, in inputs 8 to 11.
// The input, and each sequence's state before each step, are rounded to 8 bits with a scale that fits their range.
type dynamicLSTM struct {
	layer
	w, r *quantWeights // constant weights
}

// Prepack implements ops.Prepacker.
func (op dynamicLSTM) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	vals := make([]tensor.Value, len(in))
	for i, t := range in {
		if t != nil {
			vals[i] = t
		}
	}
	for _, i := range []int{1, 2, 8, 9, 10, 11} {
		if i >= len(in) || in[i] == nil {
			return op, nil
		}
	}
	c := &ops.Ctx{In: vals}
	w, err := newQuantWeights(c, 1, 8, op.directions)
	if err != nil {
		return op, nil // Run says what is wrong
	}
	r, err := newQuantWeights(c, 2, 10, op.directions)
	if err != nil {
		return op, nil
	}
	op.w, op.r = &w, &r
	return op, []int{1, 2}
}

// quantWeights are the weights of all directions for one product: rows × columns each.
type quantWeights struct {
	rows, columns int
	panels        []*gemm.Int8Panels // of each direction
	signed        bool
	scale         []float32
	zero          []int32
}

// newQuantWeights reads W or R in input i, with its scales and zero points in inputs q and q+1.
func newQuantWeights(c *ops.Ctx, i, q, directions int) (quantWeights, error) {
	w, s, z := c.Tensor(i), c.Tensor(q), c.Tensor(q+1)
	if w.Rank() != 3 || w.Dim(0) != directions || w.DType() != tensor.Int8 && w.DType() != tensor.Uint8 {
		return quantWeights{}, fmt.Errorf("quantized weights are %v for %d directions", w, directions)
	}
	p := quantWeights{rows: w.Dim(1), columns: w.Dim(2), signed: w.DType() == tensor.Int8}
	if s == nil || z == nil || s.DType() != tensor.Float32 || z.Len() != s.Len() || s.Len() != directions && s.Len() != directions*p.columns {
		return p, fmt.Errorf("scales %v and zero points %v for weights of shape %v", s, z, w.Shape())
	}
	p.scale = s.Float32()
	zero, err := z.Ints()
	for _, v := range zero {
		p.zero = append(p.zero, int32(v))
	}
	size, data := p.rows*p.columns, tensor.Slice[uint8](w)
	for d := range directions {
		p.panels = append(p.panels, gemm.PackInt8(gemm.Int8Operand{Data: data[d*size : (d+1)*size], Signed: p.signed, Row: p.columns, Col: 1}, p.rows, p.columns))
	}
	return p, err
}

// addTo adds x (n, rows) times the weights of direction d to y, rounding x to 8 bits.
func (p *quantWeights) addTo(c *ops.Ctx, y, x []float32, n, d int, q []uint8, acc []int32) {
	lo, hi := vec.MinMax(x, 0, 0)
	scale := float32(1)
	if hi > lo {
		scale = (hi - lo) / 255
	}
	zero := math.RoundToEven(float64(min(max(-lo/scale, 0), 255)))
	vec.Quantize(q[:len(x)], x, scale, float32(zero), 0, 255)
	per := len(p.scale) / max(len(p.panels), 1)
	gemm.MulInt8(c.Pool, &gemm.Int8Args{M: n, N: p.columns, K: p.rows, C: acc, LDC: p.columns,
		A: gemm.Int8Operand{Data: q, Row: p.rows, Col: 1, Zero: []int32{int32(zero)}},
		B: gemm.Int8Operand{Signed: p.signed, Zero: p.zero[d*per : (d+1)*per]}, PackedB: p.panels[d]})
	s := p.scale[d*per : (d+1)*per]
	for i, v := range acc[:n*p.columns] {
		k := 0
		if per > 1 {
			k = i % p.columns
		}
		y[i] += float32(v) * (scale * s[k])
	}
}

// Infer implements ops.Op.
func (op dynamicLSTM) Infer(c *ops.Infer) error {
	sub := &ops.Infer{In: append([]ops.Info{}, c.In...), Absent: append([]bool{}, c.Absent...), Out: c.Out}
	if r, ok := c.Dims(2); ok && len(r) == 3 {
		sub.In[2].Type = tensor.TensorType(tensor.Float32, r[0], r[2], r[1])
	}
	return op.layer.Infer(sub)
}

// Run implements ops.Op.
func (op dynamicLSTM) Run(c *ops.Ctx) error {
	w, r := op.w, op.r
	if w == nil {
		pw, err := newQuantWeights(c, 1, 8, op.directions)
		if err != nil {
			return err
		}
		pr, err := newQuantWeights(c, 2, 10, op.directions)
		if err != nil {
			return err
		}
		w, r = &pw, &pr
	}
	x := c.Tensor(0)
	if x.Rank() != 3 || x.DType() != tensor.Float32 || r.columns != w.columns {
		return fmt.Errorf("input %v with weights of %d×%d and %d×%d", x, w.rows, w.columns, r.rows, r.columns)
	}
	rows := x.Dim(0) * x.Dim(1)
	q, err := ops.Scratch[uint8](c, max(x.Len(), x.Dim(1)*r.rows))
	if err != nil {
		return err
	}
	acc, err := ops.Scratch[int32](c, max(rows, x.Dim(1))*w.columns)
	if err != nil {
		return err
	}
	op.packed = &packed{w: tensor.Shape{op.directions, w.columns, w.rows}, r: tensor.Shape{op.directions, r.columns, r.rows}}
	a := &kernel.Args[float32]{Act: op.act32, Product: func(d int, recurrent bool, y, x []float32, n int) {
		if !recurrent {
			w.addTo(c, y, x, n, d, q[:len(x)], acc)
			return
		}
		for b := range n {
			r.addTo(c, y[b*r.columns:], x[b*r.rows:(b+1)*r.rows], 1, d, q[:r.rows], acc)
		}
	}}
	in := append([]tensor.Value{}, c.In...)
	in[1], in[2] = nil, nil
	sub := &ops.Ctx{Context: c.Context, In: in, Out: c.Out, Wanted: c.Wanted, Mem: c.Mem, Pool: c.Pool}
	defer sub.ReleaseScratch()
	return run(sub, op.layer, a)
}
