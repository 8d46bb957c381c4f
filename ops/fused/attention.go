package fused

import (
	"errors"
	"fmt"
	"slices"

	kernel "github.com/sardonyx-ml/sardonyx/kernels/attention"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Domain: ops.Internal, Name: "Attention", Since: 1, New: newAttention})
}

// attention is Y = softmax(steps(scale·Q·Kᵀ))·V over arrays whose axes lie in any order but for the last one, the elements of
// a head. Inputs: Q, K, V, then one for each step that has one. All have rank 4, or rank 3 for a single head.
//
// The attributes q_axes, k_axes and v_axes tell which axis of the input is the batch, the head (not with rank 3) and the
// position; y_perm transposes the output from (batch, head, position, element). K and V may have fewer heads than Q if their
// number divides Q's: neighbours share them. steps names what is done to the scores, in order: "add" adds an
// input, "keep" and "drop" set scores to the next value of fills where an input is false or true, "max" raises scores to the next
// value of fills. These inputs broadcast with (batch, head, query, key). Rows without any finite score give NaN, as the
// formula does, or zeros if zero_rows is set.
type attention struct {
	scale   float32
	q, k, v []int
	perm    []int
	steps   []string
	fills   []float32
	zero    bool
}

func newAttention(a *ops.Attrs) (ops.Op, error) {
	op := attention{
		scale: a.Float("scale", 1), q: a.Ints("q_axes"), k: a.Ints("k_axes"), v: a.Ints("v_axes"), perm: a.Ints("y_perm"),
		steps: a.Strings("steps"), fills: a.Floats("fills"), zero: a.Bool("zero_rows", false),
	}
	rank := len(op.perm)
	if rank != 3 && rank != 4 || !permutes(op.perm) || op.perm[rank-1] != rank-1 {
		a.Errorf("y_perm is %v", op.perm)
	}
	for _, axes := range [][]int{op.q, op.k, op.v} {
		if len(axes) != rank-1 || !permutes(axes) {
			a.Errorf("axes are %v, y_perm is %v", axes, op.perm)
		}
	}
	fills := 0
	for _, s := range op.steps {
		switch s {
		case "add":
		case "keep", "drop", "max":
			fills++
		default:
			a.Errorf("unknown step %q", s)
		}
	}
	if fills != len(op.fills) {
		a.Errorf("%d fills for %v", len(op.fills), op.steps)
	}
	return op, a.Done()
}

// permutes reports whether p holds the numbers below its length.
func permutes(p []int) bool {
	s := slices.Sorted(slices.Values(p))
	for i, v := range s {
		if v != i {
			return false
		}
	}
	return true
}

// Infer implements ops.Op.
func (op attention) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	rank := len(op.perm)
	q, okQ := c.Dims(0)
	v, okV := c.Dims(2)
	if !okQ || !okV {
		return nil
	}
	if len(q) != rank || len(v) != rank {
		return fmt.Errorf("ranks %d and %d are not %d", len(q), len(v), rank)
	}
	// Everything but the queries may broadcast too; what cannot be told stays unknown.
	shapes := [][]tensor.Dim{inOrder(q, op.q)}
	if k, ok := c.Dims(1); ok && len(k) == rank {
		b := inOrder(k, op.k)
		b[rank-2] = tensor.Int(1)
		if rank == 4 {
			b[1] = tensor.Int(1)
		}
		shapes = append(shapes, b)
	}
	for i := 3; i < len(c.In); i++ {
		m, ok := c.Dims(i)
		if !ok {
			return nil
		}
		m = slices.Clone(m)
		if len(m) > 0 {
			m[len(m)-1] = tensor.Int(1)
		}
		shapes = append(shapes, m)
	}
	dims, err := ops.BroadcastDims(shapes...)
	if err != nil || len(dims) != rank {
		return err
	}
	out := make([]tensor.Dim, rank)
	dims[rank-1] = v[rank-1]
	for i, p := range op.perm {
		out[i] = dims[p]
	}
	c.SetOut(0, c.DType(0), out...)
	return nil
}

// inOrder returns the dimensions as (batch, head, position, 1).
func inOrder(d []tensor.Dim, axes []int) []tensor.Dim {
	out := make([]tensor.Dim, 0, len(axes)+1)
	for _, a := range axes {
		out = append(out, d[a])
	}
	return append(out, tensor.Int(1))
}

// operand is Q, K or V.
type operand struct {
	data         []float32
	batch, heads int
	rows, size   int
	stride       [3]int // of batch, head and row
}

func newOperand(name string, t *tensor.Tensor, axes []int) (o operand, err error) {
	if t == nil || t.DType() != tensor.Float32 || t.Rank() != len(axes)+1 {
		return o, fmt.Errorf("%s is %v, not a float tensor of rank %d", name, t, len(axes)+1)
	}
	s, st := t.Shape(), t.Shape().Strides()
	last := len(axes) - 1
	o = operand{data: t.Float32(), batch: s[axes[0]], heads: 1, rows: s[axes[last]], size: s[len(s)-1]}
	o.stride = [3]int{st[axes[0]], 0, st[axes[last]]}
	if len(axes) == 3 {
		o.heads, o.stride[1] = s[axes[1]], st[axes[1]]
	}
	return o, nil
}

// array is the operand as the kernel takes it; axes of extent 1 repeat.
func (o operand) array() kernel.Array[float32] {
	for i, n := range []int{o.batch, o.heads, o.rows} {
		if n == 1 {
			o.stride[i] = 0
		}
	}
	return kernel.Array[float32]{Data: o.data, Batch: o.stride[0], Head: o.stride[1], Row: o.stride[2]}
}

// Run implements ops.Op.
func (op attention) Run(c *ops.Ctx) error {
	var in [3]operand
	for i, axes := range [][]int{op.q, op.k, op.v} {
		var err error
		if in[i], err = newOperand("QKV"[i:i+1], c.Tensor(i), axes); err != nil {
			return err
		}
	}
	q, k, v := in[0], in[1], in[2]
	if q.size != k.size || k.rows != v.rows || k.heads != v.heads {
		return fmt.Errorf("shapes %v, %v and %v of Q, K and V do not fit", c.Tensor(0).Shape(), c.Tensor(1).Shape(), c.Tensor(2).Shape())
	}
	if k.heads == 0 && q.heads > 0 || k.heads > 0 && q.heads%k.heads != 0 {
		return fmt.Errorf("%d query heads for %d key heads", q.heads, k.heads)
	}
	full, err := op.scores(c, q, k, v)
	if err != nil {
		return err
	}
	a := &kernel.Args[float32]{
		Batch: full[0], Heads: full[1], KVHeads: k.heads, QLen: full[2], KVLen: k.rows, HeadSize: q.size, VSize: v.size,
		Q: q.array(), K: k.array(), V: v.array(), Scale: op.scale, Plain: !op.zero,
	}
	if full[1] != q.heads { // masks have more heads than the rest
		a.KVHeads = 1
	}
	if a.Steps, err = op.kernelSteps(c, full); err != nil {
		return err
	}
	return op.compute(c, a)
}

// scores is the shape (batch, head, query, key) of the scores.
func (op attention) scores(c *ops.Ctx, q, k, v operand) (tensor.Shape, error) {
	full := tensor.Shape{q.batch, q.heads, q.rows, k.rows}
	err := error(nil)
	for _, s := range []tensor.Shape{{k.batch, 1, 1, 1}, {v.batch, 1, 1, 1}} {
		if full, err = full.Broadcast(s); err != nil {
			return nil, err
		}
	}
	for i := 3; i < len(c.In); i++ {
		m := c.Tensor(i)
		if m == nil || m.Rank() > len(op.perm) {
			return nil, errors.New("a mask is missing or has too many axes")
		}
		if full, err = full.Broadcast(op.wide(m.Shape())); err != nil {
			return nil, err
		}
	}
	if full[3] != k.rows || full[1] != q.heads && (q.heads != 1 || k.heads != 1) {
		return nil, fmt.Errorf("masks broadcast the scores to %v, for %d heads and %d keys", full, q.heads, k.rows)
	}
	return full, nil
}

// wide inserts the axis of heads into the shape of a mask of rank 3 operands.
func (op attention) wide(s tensor.Shape) tensor.Shape {
	if len(op.perm) == 3 && len(s) == 3 {
		return tensor.Shape{s[0], 1, s[1], s[2]}
	}
	return s
}

func (op attention) kernelSteps(c *ops.Ctx, full tensor.Shape) ([]kernel.Step[float32], error) {
	var out []kernel.Step[float32]
	in, fills := 3, op.fills
	for _, name := range op.steps {
		var st kernel.Step[float32]
		if name != "add" {
			st.Fill, fills = fills[0], fills[1:]
		}
		if name != "max" {
			m := c.Tensor(in)
			in++
			switch {
			case m == nil:
				return nil, fmt.Errorf("no input for step %q", name)
			case m.Len() == 0:
				continue // no score either
			case name == "add" && m.DType() == tensor.Float32:
				st.Bias = spread(m.Float32(), op.wide(m.Shape()), full)
			case name != "add" && m.DType() == tensor.Bool:
				st.Mask, st.Where = spread(m.Bool(), op.wide(m.Shape()), full), name == "drop"
			default:
				return nil, fmt.Errorf("step %q of %v", name, m)
			}
		}
		out = append(out, st)
	}
	return out, nil
}

// spread broadcasts a mask of shape s to the scores.
func spread[T any](data []T, s, full tensor.Shape) kernel.Broadcast[T] {
	var st [4]int
	strides := s.Strides()
	for i, n := range s {
		if n != 1 {
			st[len(full)-len(s)+i] = strides[i]
		}
	}
	if full[3] == 1 {
		st[3] = 0
	}
	return kernel.Broadcast[T]{Data: data, Batch: st[0], Head: st[1], Row: st[2], Col: st[3]}
}

// compute allocates Y and runs the kernel.
func (op attention) compute(c *ops.Ctx, a *kernel.Args[float32]) error {
	dims := tensor.Shape{a.Batch, a.Heads, a.QLen, a.VSize}
	if len(op.perm) == 3 {
		if a.Heads != 1 {
			return errors.New("several heads in operands of rank 3")
		}
		dims = tensor.Shape{a.Batch, a.QLen, a.VSize}
	}
	shape := make(tensor.Shape, len(dims))
	for i, p := range op.perm {
		shape[i] = dims[p]
	}
	y, err := c.New(0, tensor.Float32, shape)
	if err != nil {
		return err
	}
	if y.Len() == 0 {
		return nil
	}
	var strides [4]int
	for i, st := range shape.Strides() {
		strides[op.perm[i]] = st
	}
	a.Y = kernel.Array[float32]{Data: y.Float32(), Batch: strides[0], Head: strides[1], Row: strides[2]}
	if len(op.perm) == 3 {
		a.Y.Head, a.Y.Row = 0, strides[1]
	}
	kernel.Run(c.Pool, a)
	return c.Err()
}
