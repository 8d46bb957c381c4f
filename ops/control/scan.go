package control

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// scan is https://onnx.ai/onnx/operators/onnx__Scan.html. The inputs are the initial states and the scan inputs; the
// body takes the states and one slice of each scan input, and returns the states and one slice of each scan output.
// Before opset 9 (batched) there are sequence lengths in front, axis 0 of everything is the batch and axis 1 is scanned.
type scan struct {
	batched                 bool
	scanIn, states, scanOut int
	inAxes, outAxes         []int
	inReverse, outReverse   []bool
}

func newScan(a *ops.Attrs) (ops.Op, error)  { return makeScan(a, false) }
func newScan8(a *ops.Attrs) (ops.Op, error) { return makeScan(a, true) }

func makeScan(a *ops.Attrs, batched bool) (ops.Op, error) {
	g := a.Graph("body")
	m := a.Int("num_scan_inputs", 0)
	if g == nil {
		a.Errorf("attribute body is missing")
		return nil, a.Done()
	}
	n := len(g.Inputs) - m
	k := len(g.Outputs) - n
	if m < 1 || n < 0 || k < 0 || a.Outputs > len(g.Outputs) {
		a.Errorf("%d scan inputs and %d outputs for a body of %d inputs and %d outputs", m, a.Outputs, len(g.Inputs), len(g.Outputs))
		return nil, a.Done()
	}
	op := scan{batched: batched, scanIn: m, states: n, scanOut: k}
	if batched {
		op.inReverse = flags(a, "directions", m)
		op.inAxes, op.outAxes, op.outReverse = make([]int, m), make([]int, k), make([]bool, k)
		return op, a.Done()
	}
	op.inAxes, op.outAxes = axes(a, "scan_input_axes", m), axes(a, "scan_output_axes", k)
	op.inReverse, op.outReverse = flags(a, "scan_input_directions", m), flags(a, "scan_output_directions", k)
	return op, a.Done()
}

func axes(a *ops.Attrs, name string, n int) []int {
	v := a.Ints(name)
	if v == nil {
		return make([]int, n)
	}
	if len(v) != n {
		a.Errorf("attribute %s has %d entries, not %d", name, len(v), n)
	}
	return v
}

func flags(a *ops.Attrs, name string, n int) []bool {
	out := make([]bool, n)
	for i, v := range axes(a, name, n) {
		if v != 0 && v != 1 {
			a.Errorf("attribute %s has the value %d", name, v)
		}
		if i < n {
			out[i] = v == 1
		}
	}
	return out
}

// first is the index of the first initial state among the inputs.
func (op scan) first() int {
	if op.batched {
		return 1
	}
	return 0
}

// Infer implements ops.Op.
func (op scan) Infer(c *ops.Infer) error {
	in := make([]ops.Info, op.states+op.scanIn)
	batch, length := tensor.Dim{}, tensor.Dim{}
	for i := range in {
		at := op.first() + i
		if !c.Has(at) {
			continue
		}
		t := c.In[at].Type
		if op.batched && t.Ranked && len(t.Dims) > 0 {
			batch = t.Dims[0]
			t = rowType(t, 0)
		}
		if k := i - op.states; k >= 0 && t.Ranked {
			axis, err := ops.NormAxis(op.inAxes[k], len(t.Dims))
			if err != nil {
				return fmt.Errorf("scan input %d: %w", k, err)
			}
			if _, ok := length.Int(); !ok {
				length = t.Dims[axis]
			}
			t = rowType(t, axis)
		} else if k >= 0 {
			t = tensor.UnrankedType(t.DType)
		}
		in[i].Type = t
	}
	out, err := inferCarried(c, in, 0, 0, op.states)
	if err != nil {
		return err
	}
	return op.inferOutputs(c, in, out, batch, length)
}

func (op scan) inferOutputs(c *ops.Infer, in, out []ops.Info, batch, length tensor.Dim) (err error) {
	for i := range c.Out {
		var t tensor.Type
		if i < op.states {
			t = in[i].Type
		} else if t, err = stackedType(out[i].Type, op.outAxes[i-op.states], length); err != nil {
			return err
		}
		if op.batched {
			if t, err = stackedType(t, 0, batch); err != nil {
				return err
			}
		}
		c.SetType(i, t)
	}
	return nil
}

// Run implements ops.Op.
func (op scan) Run(c *ops.Ctx) error {
	if len(c.In) != op.first()+op.states+op.scanIn {
		return fmt.Errorf("%d inputs for %d states and %d scan inputs", len(c.In)-op.first(), op.states, op.scanIn)
	}
	if op.batched {
		return op.runBatches(c)
	}
	rows := make([]tensor.Type, op.scanOut)
	for i := range rows {
		rows[i] = op.rowOf(c.OutType(op.states+i), op.outAxes[i])
	}
	out, err := op.sequence(c, c.In[:op.states], c.In[op.states:], -1, rows)
	if err != nil {
		return err
	}
	for i, v := range out {
		c.SetOut(i, v)
	}
	return nil
}

func (op scan) rowOf(t tensor.Type, axis int) tensor.Type {
	if axis < 0 {
		axis += len(t.Dims)
	}
	return rowType(t, axis)
}

// sequence scans one sequence; limit ≥ 0 is the number of slices to use, otherwise all. rows are the types of the
// scan outputs' slices for the case that there are none.
func (op scan) sequence(c *ops.Ctx, init, scanned []tensor.Value, limit int, rows []tensor.Type) ([]tensor.Value, error) {
	ins, axes, n, err := op.scanned(scanned)
	if err != nil {
		return nil, err
	}
	if limit >= 0 {
		if limit > n {
			return nil, fmt.Errorf("sequence length %d of %d", limit, n)
		}
		n = limit
	}
	state := append([]tensor.Value{}, init...)
	stacks := make([]stack, op.scanOut)
	for i := range stacks {
		stacks[i] = stack{mem: c.Mem, limit: n}
	}
	for t := range n {
		if err := c.Err(); err != nil {
			return nil, err
		}
		args := append(make([]tensor.Value, 0, len(state)+len(ins)), state...)
		for k, x := range ins {
			at := t
			if op.inReverse[k] {
				at = n - 1 - t
			}
			s, err := sliceAt(c.Mem, x, axes[k], at)
			if err != nil {
				return nil, err
			}
			args = append(args, s)
		}
		out, err := c.RunGraph("body", args)
		if err != nil {
			return nil, fmt.Errorf("iteration %d: %w", t, err)
		}
		copy(state, out[:op.states])
		for k := range stacks {
			if err := stacks[k].add(out[op.states+k]); err != nil {
				return nil, fmt.Errorf("iteration %d: %w", t, err)
			}
		}
	}
	return op.collect(c, state, stacks, rows)
}

// scanned checks the scan inputs and returns them with their axes and common length.
func (op scan) scanned(vals []tensor.Value) (ins []*tensor.Tensor, axes []int, n int, err error) {
	for k, v := range vals {
		x, ok := v.(*tensor.Tensor)
		if !ok {
			return nil, nil, 0, fmt.Errorf("scan input %d is %s, not a tensor", k, typeOf(v))
		}
		axis, err := x.Shape().Axis(op.inAxes[k])
		if err != nil {
			return nil, nil, 0, fmt.Errorf("scan input %d: %w", k, err)
		}
		if k > 0 && x.Dim(axis) != n {
			return nil, nil, 0, fmt.Errorf("scan input %d has %d slices, the first %d", k, x.Dim(axis), n)
		}
		n = x.Dim(axis)
		ins, axes = append(ins, x), append(axes, axis)
	}
	return ins, axes, n, nil
}

func (op scan) collect(c *ops.Ctx, state []tensor.Value, stacks []stack, rows []tensor.Type) ([]tensor.Value, error) {
	out := state
	for k := range stacks {
		t, err := stacks[k].take(rows[k])
		if err != nil {
			return nil, fmt.Errorf("scan output %d: %w", k, err)
		}
		axis, err := t.Shape().Axis(op.outAxes[k])
		if err != nil {
			return nil, fmt.Errorf("scan output %d: %w", k, err)
		}
		if t, err = moveFirst(c.Mem, t, axis, op.outReverse[k]); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// runBatches is Scan-8: each batch item is scanned on its own, and scan outputs are padded with zeros to the full length.
func (op scan) runBatches(c *ops.Ctx) error {
	batch, length, err := op.batchSize(c)
	if err != nil {
		return err
	}
	lens := make([]int, batch)
	for b := range lens {
		lens[b] = length
	}
	if t := c.Tensor(0); t != nil {
		if lens, err = t.Ints(); err != nil || len(lens) != batch {
			return fmt.Errorf("sequence_lens is %v, not int64[%d]", t, batch)
		}
	}
	rows := make([]tensor.Type, op.scanOut)
	for i := range rows {
		rows[i] = rowType(rowType(c.OutType(op.states+i), 0), 0)
	}
	stacks := make([]stack, op.states+op.scanOut)
	for i := range stacks {
		stacks[i] = stack{mem: c.Mem, limit: batch}
	}
	for b := range batch {
		if lens[b] < 0 {
			return fmt.Errorf("sequence length %d", lens[b])
		}
		args := make([]tensor.Value, op.states+op.scanIn)
		for i := range args {
			if args[i], err = sliceAt(c.Mem, c.Tensor(1+i), 0, b); err != nil {
				return err
			}
		}
		out, err := op.sequence(c, args[:op.states], args[op.states:], lens[b], rows)
		if err != nil {
			return fmt.Errorf("batch %d: %w", b, err)
		}
		for i, v := range out {
			if i >= op.states {
				if v, err = padRows(c.Mem, v.(*tensor.Tensor), length); err != nil {
					return err
				}
			}
			if err := stacks[i].add(v); err != nil {
				return fmt.Errorf("batch %d: %w", b, err)
			}
		}
	}
	for i := range stacks {
		t, err := stacks[i].take(rowType(c.OutType(i), 0))
		if err != nil {
			return err
		}
		c.SetOut(i, t)
	}
	return nil
}

func (op scan) batchSize(c *ops.Ctx) (batch, length int, err error) {
	for i := range op.states + op.scanIn {
		t := c.Tensor(1 + i)
		need := 1
		if i >= op.states {
			need = 2
		}
		if t == nil || t.Rank() < need {
			return 0, 0, fmt.Errorf("input %d is %s; a tensor with a batch axis is needed", 1+i, typeOf(c.In[1+i]))
		}
		if i > 0 && t.Dim(0) != batch {
			return 0, 0, fmt.Errorf("input %d has %d batch items, not %d", 1+i, t.Dim(0), batch)
		}
		batch = t.Dim(0)
		if i >= op.states {
			length = t.Dim(1)
		}
	}
	return batch, length, nil
}

// padRows appends zeros along the first axis up to n.
func padRows(mem ops.Memory, t *tensor.Tensor, n int) (*tensor.Tensor, error) {
	if t.Dim(0) >= n {
		return t, nil
	}
	out, err := mem.Alloc(t.DType(), prepend(n, t.Shape()[1:]))
	if err != nil {
		return nil, err
	}
	ops.Zero(out)
	copyElems(out, 0, t, 0, t.Len())
	return out, nil
}
