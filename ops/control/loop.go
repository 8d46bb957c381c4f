package control

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// loop is https://onnx.ai/onnx/operators/onnx__Loop.html. The inputs are M, cond and the carried values; the body takes
// the iteration number, the condition and the carried values, and returns the condition, the carried values and the
// scan outputs.
//
// Exporters declare the iteration number and the condition as scalars or as vectors of one element; the body gets what it
// declares.
type loop struct {
	bodyIn, bodyOut int
	iter, cond      tensor.Shape
}

func newLoop(a *ops.Attrs) (ops.Op, error) {
	g := a.Graph("body")
	if g == nil {
		a.Errorf("attribute body is missing")
		return nil, a.Done()
	}
	if len(g.Inputs) < 2 || len(g.Outputs) < 1 || len(g.Outputs) < len(g.Inputs)-1 {
		a.Errorf("a loop body of %d inputs and %d outputs", len(g.Inputs), len(g.Outputs))
	}
	if a.Outputs > len(g.Outputs)-1 {
		a.Errorf("%d outputs of a loop whose body has %d", a.Outputs, len(g.Outputs))
	}
	return loop{len(g.Inputs), len(g.Outputs), declared(g, 0), declared(g, 1)}, a.Done()
}

// declared is the shape of a body's input of one element: [1] if it is declared as a vector, else [].
func declared(g *ops.GraphAttr, i int) tensor.Shape {
	if i < len(g.InputTypes) && g.InputTypes[i].Ranked && len(g.InputTypes[i].Dims) == 1 {
		return tensor.Shape{1}
	}
	return tensor.Shape{}
}

// carried is the number of loop-carried values; scans of scan outputs.
func (op loop) carried() int { return op.bodyIn - 2 }
func (op loop) scans() int   { return op.bodyOut - 1 - op.carried() }

// maxRounds bounds how often inference widens the carried values' types; what still changes then becomes unknown.
const maxRounds = 4

// Infer implements ops.Op. The types of carried values are widened until one iteration keeps them.
func (op loop) Infer(c *ops.Infer) error {
	n := op.carried()
	in := make([]ops.Info, 2+n)
	in[0].Type = tensor.TensorType(tensor.Int64, tensor.Dims(op.iter...)...)
	in[1].Type = tensor.TensorType(tensor.Bool, tensor.Dims(op.cond...)...)
	for i := range n {
		if c.Has(2 + i) {
			in[2+i].Type = c.In[2+i].Type
		}
	}
	out, err := inferCarried(c, in, 2, 1, n)
	if err != nil {
		return err
	}
	trips := tensor.Dim{}
	if m, ok := c.ConstInts(0); ok && len(m) == 1 && op.alwaysOn(c, out[0]) {
		trips = tensor.Int(max(m[0], 0))
	}
	for i := range c.Out {
		if i < n {
			c.SetType(i, in[2+i].Type)
			continue
		}
		t, err := stackedType(out[1+i].Type, 0, trips)
		if err != nil {
			return err
		}
		c.SetType(i, t)
	}
	return nil
}

// alwaysOn reports whether the condition is known to be true in every iteration.
func (op loop) alwaysOn(c *ops.Infer, out ops.Info) bool {
	isTrue := func(t *tensor.Tensor) bool {
		return t != nil && t.DType() == tensor.Bool && t.Len() == 1 && t.Bool()[0]
	}
	return (!c.Has(1) || isTrue(c.Const(1))) && isTrue(out.Tensor())
}

// inferCarried infers the body until the types of the n carried values, which are in[at:] and the body's outputs from
// from on, hold for every iteration. It leaves these types in in and returns the body's outputs.
func inferCarried(c *ops.Infer, in []ops.Info, at, from, n int) ([]ops.Info, error) {
	for round := 0; ; round++ {
		out, err := c.Graph("body", in)
		if err != nil {
			return nil, err
		}
		if len(out) < from+n {
			return nil, fmt.Errorf("the body has %d outputs for %d carried values", len(out), n)
		}
		changed := false
		for i := range n {
			before, after := in[at+i].Type, out[from+i].Type
			t := widen(before, after)
			if round >= maxRounds && t.String() != before.String() {
				t = tensor.Type{Kind: t.Kind, DType: t.DType, Elem: t.Elem}
			}
			if round >= 2*maxRounds {
				t = tensor.Type{}
			}
			changed = changed || t.String() != before.String()
			in[at+i].Type = t
		}
		if !changed || round > 2*maxRounds {
			return out, nil
		}
	}
}

// widen is the type that describes a carried value before and after an iteration. Where the value's type before is
// unknown, nothing is known.
func widen(before, after tensor.Type) tensor.Type {
	if before.Kind == tensor.KindOptional && before.Element().Kind == tensor.KindUnknown {
		return after
	}
	if before.Kind != tensor.KindUnknown && after.Kind == tensor.KindUnknown {
		return tensor.Type{}
	}
	return before.Unify(after)
}

// Run implements ops.Op.
func (op loop) Run(c *ops.Ctx) error {
	trips, cond, err := op.start(c)
	if err != nil {
		return err
	}
	n := op.carried()
	state := make([]tensor.Value, n)
	for i := range state {
		if c.Has(2 + i) {
			state[i] = c.In[2+i]
		}
	}
	stacks := make([]stack, op.scans())
	for i := range stacks {
		stacks[i] = stack{mem: c.Mem, limit: trips}
	}
	for iter := 0; cond && (trips < 0 || iter < trips); iter++ {
		if err := c.Err(); err != nil {
			return err
		}
		in := append([]tensor.Value{tensor.Of(op.iter, []int64{int64(iter)}), tensor.Of(op.cond, []bool{cond})}, state...)
		out, err := c.RunGraph("body", in)
		if err != nil {
			return fmt.Errorf("iteration %d: %w", iter, err)
		}
		if cond, err = loopFlag(out[0]); err != nil {
			return fmt.Errorf("iteration %d: %w", iter, err)
		}
		copy(state, out[1:1+n])
		for i := range stacks {
			if !c.Wants(n + i) {
				continue
			}
			if err := stacks[i].add(out[1+n+i]); err != nil {
				return fmt.Errorf("iteration %d: %w", iter, err)
			}
		}
	}
	return op.finish(c, state, stacks)
}

// start reads M and cond; trips is -1 without a limit.
func (op loop) start(c *ops.Ctx) (trips int, cond bool, err error) {
	trips, cond = -1, true
	if len(c.In)-2 > op.carried() {
		return 0, false, fmt.Errorf("%d carried values for a body that takes %d", len(c.In)-2, op.carried())
	}
	if c.Has(0) {
		m := c.Tensor(0)
		if m == nil || m.DType() != tensor.Int64 || m.Len() != 1 {
			return 0, false, fmt.Errorf("trip count is %s, not an int64 tensor of one element", typeOf(c.In[0]))
		}
		trips = int(max(m.Int64()[0], 0))
	}
	if c.Has(1) {
		cond, err = loopFlag(c.In[1])
	}
	return trips, cond, err
}

func loopFlag(v tensor.Value) (bool, error) {
	t, _ := v.(*tensor.Tensor)
	return flag(t)
}

func (op loop) finish(c *ops.Ctx, state []tensor.Value, stacks []stack) error {
	for i, v := range state {
		c.SetOut(i, v)
	}
	for i := range stacks {
		o := len(state) + i
		if !c.Wants(o) {
			continue
		}
		t, err := stacks[i].take(rowType(c.OutType(o), 0))
		if err != nil {
			return fmt.Errorf("output %d: %w", o, err)
		}
		c.SetOut(o, t)
	}
	return nil
}
