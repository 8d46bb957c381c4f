package exec

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// run is the state of one call of Session.Run; it is kept for later calls.
type run struct {
	mem     *memory
	pool    *parallel.Pool
	profile *Profile
	frames  map[*program]*frame
}

// frame holds the slots of one program in one run. A program never runs inside itself, so a run has one frame for each.
type frame struct {
	slots []tensor.Value
	ctxs  []*ops.Ctx // by step
	fixed staticResults
}

func newRun(b *budget, pool *parallel.Pool) *run {
	return &run{mem: &memory{budget: b, free: map[int][]*tensor.Buffer{}}, pool: pool, frames: map[*program]*frame{}}
}

func (r *run) frame(p *program) *frame {
	f, ok := r.frames[p]
	if !ok {
		f = &frame{slots: make([]tensor.Value, p.slots), ctxs: make([]*ops.Ctx, len(p.steps))}
		r.frames[p] = f
	}
	return f
}

// exec runs a program. The returned values belong to the caller; outer is the frame that captures are taken from.
func (r *run) exec(ctx context.Context, p *program, in []tensor.Value, outer *frame) ([]tensor.Value, error) {
	if len(in) != len(p.inputs) {
		return nil, fmt.Errorf("subgraph called with %d inputs, it has %d", len(in), len(p.inputs))
	}
	f := r.frame(p)
	defer f.clear(p)
	for _, k := range p.consts {
		f.slots[k.slot] = k.v
	}
	for _, k := range p.captures {
		f.set(r, k.inner, outer.slots[k.outer])
	}
	for i, slot := range p.inputs {
		if in[i] == nil {
			return nil, fmt.Errorf("input %q has no value", p.values[slot].Name)
		}
		f.set(r, slot, in[i])
	}
	if outer == nil {
		f.fixed.prepare(in, len(p.steps))
	}
	for i := range p.steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := r.step(ctx, p, f, i); err != nil {
			return nil, fmt.Errorf("%v: %w", p.steps[i].node, err)
		}
	}
	out := make([]tensor.Value, len(p.outputs))
	for i, slot := range p.outputs {
		out[i] = f.slots[slot]
		if out[i] == nil {
			return nil, fmt.Errorf("output %q has no value", p.values[slot].Name)
		}
		// What left the free list before has other holders: kept results, sequences, another output.
		if t, ok := out[i].(*tensor.Tensor); ok && outer == nil && t.Buffer() != nil && !t.Buffer().Pooled() {
			out[i] = t.Clone()
			continue
		}
		r.mem.escape(out[i])
	}
	return out, nil
}

func (f *frame) set(r *run, slot int, v tensor.Value) {
	r.mem.retain(v)
	f.slots[slot] = v
}

// clear drops what the slots still hold.
func (f *frame) clear(p *program) {
	for _, k := range p.consts {
		f.slots[k.slot] = nil
	}
	for i, v := range f.slots {
		if v != nil {
			release(v)
			f.slots[i] = nil
		}
	}
}

// context returns the step's operator context with the inputs filled in.
func (r *run) context(ctx context.Context, f *frame, s *step, i int) *ops.Ctx {
	c := f.ctxs[i]
	if c == nil {
		c = &ops.Ctx{In: make([]tensor.Value, len(s.in)), Out: make([]tensor.Value, len(s.out)), Wanted: s.wanted, OutTypes: s.types,
			Reusable: make([]bool, len(s.in)), Mem: r.mem, Pool: r.pool}
		if s.subs != nil {
			c.RunGraph = func(name string, in []tensor.Value) ([]tensor.Value, error) {
				sub, ok := s.subs[name]
				if !ok {
					return nil, fmt.Errorf("no graph attribute %s", name)
				}
				return r.exec(c.Context, sub, in, f)
			}
		}
		f.ctxs[i] = c
	}
	c.Context = ctx
	for k, slot := range s.in {
		c.In[k], c.Reusable[k] = nil, false
		if slot < 0 {
			continue
		}
		v := f.slots[slot]
		c.In[k] = v
		if t, ok := v.(*tensor.Tensor); ok && s.dies[k] {
			b := t.Buffer()
			c.Reusable[k] = b != nil && b.Refs() == 1 && b.Pooled()
		}
	}
	clear(c.Out)
	return c
}

// step runs one node and moves its outputs into their slots.
func (r *run) step(ctx context.Context, p *program, f *frame, i int) error {
	s := &p.steps[i]
	if s.static && !s.observed && f.fixed.out[i] != nil {
		f.take(r, s, f.fixed.out[i])
		return nil
	}
	c := r.context(ctx, f, s, i)
	var start time.Time
	if r.profile != nil {
		start = time.Now()
	}
	err := call(s.op, c)
	c.ReleaseScratch()
	if err != nil {
		return err
	}
	if r.profile != nil {
		r.profile.add(s, c, start)
	}
	for k, v := range c.Out {
		switch t, ok := v.(*tensor.Tensor); {
		case v == nil && s.wanted[k]:
			return fmt.Errorf("output %d was not computed", k)
		case v != nil && !s.wanted[k]:
			if ok && !aliases(c, k, t) {
				r.mem.Free(t)
			}
			c.Out[k] = nil
		}
	}
	if s.observed && c.Out[0] != nil {
		f.fixed.observe(i, c.Out)
	}
	if s.static && f.fixed.out[i] == nil {
		f.fixed.keep(r, i, c.Out)
	}
	f.take(r, s, c.Out)
	clear(c.In)
	clear(c.Out)
	return nil
}

// take moves a step's outputs into their slots and drops what nobody reads any more.
func (f *frame) take(r *run, s *step, out []tensor.Value) {
	for k, v := range out {
		if v != nil {
			f.set(r, s.out[k], v)
		}
	}
	for _, slot := range s.release {
		if v := f.slots[slot]; v != nil {
			release(v)
			f.slots[slot] = nil
		}
	}
}

// aliases reports whether an unwanted output shares its memory with another output.
func aliases(c *ops.Ctx, k int, t *tensor.Tensor) bool {
	for j, v := range c.Out {
		if u, ok := v.(*tensor.Tensor); ok && j != k && t.Buffer() != nil && u.Buffer() == t.Buffer() {
			return true
		}
	}
	return false
}

// ErrInternal marks a failure that is a bug of the runtime rather than of the model or its inputs.
var ErrInternal = errors.New("internal error")

// call runs an operator and turns a panic into an error.
func call(op ops.Op, c *ops.Ctx) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v", ErrInternal, v)
			if debugPanics {
				err = fmt.Errorf("%w\n%s", err, debug.Stack())
			}
		}
	}()
	return op.Run(c)
}
