package contrib

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		floatOp("LinearAttention", newLinearAttention),
		floatOp("CausalConvWithState", newCausalConv),
	)
}

// maxStateWindow is the largest number of states that the stateful operators keep.
const maxStateWindow = 8

// linearAttention keeps, instead of keys and values, one matrix S (key size × value size) a head, and reads qᵀS from it:
//
//	linear       S += k⊗v
//	gated        S = exp(g)·S + k⊗v
//	delta        S += β·k⊗(v - Sᵀk)
//	gated_delta  S = exp(g)·S, then as delta
//
// Inputs: query, key, value, past_state?, decay?, beta?, each (B, T, heads·size). With more query heads than key heads
// several read one state; with fewer, each reads several.
type linearAttention struct {
	qHeads, kvHeads, window int
	scale                   float32
	gated, delta            bool
}

func newLinearAttention(a *ops.Attrs) (ops.Op, error) {
	o := linearAttention{qHeads: a.Int("q_num_heads", 0), kvHeads: a.Int("kv_num_heads", 0), window: a.Int("state_window", 0), scale: a.Float("scale", 0)}
	rule := a.Enum("update_rule", "gated_delta", "linear", "gated", "delta")
	o.gated, o.delta = rule == "gated" || rule == "gated_delta", rule == "delta" || rule == "gated_delta"
	a.Ignore("chunk_size")
	if o.qHeads <= 0 || o.kvHeads <= 0 || max(o.qHeads, o.kvHeads)%min(o.qHeads, o.kvHeads) != 0 || o.window < 0 || o.window > maxStateWindow {
		a.Errorf("q_num_heads %d, kv_num_heads %d, state_window %d", o.qHeads, o.kvHeads, o.window)
	}
	return o, a.Done()
}

// Infer implements ops.Op.
func (o linearAttention) Infer(c *ops.Infer) error {
	d, state := c.DType(0), c.DType(0)
	if c.Has(3) {
		state = c.DType(3)
	}
	c.SetDType(0, d)
	c.SetDType(1, state)
	q, ok1 := c.Dims(0)
	v, ok2 := c.Dims(2)
	if !ok1 || !ok2 || len(q) != 3 || len(v) != 3 {
		return nil
	}
	per := func(d tensor.Dim, heads int) tensor.Dim {
		if n, ok := d.Int(); ok {
			return tensor.Int(n / heads)
		}
		return tensor.Dim{}
	}
	dk, dv := per(q[2], o.qHeads), per(v[2], o.kvHeads)
	width := tensor.Dim{}
	if n, ok := dv.Int(); ok {
		width = tensor.Int(n * max(o.qHeads, o.kvHeads))
	}
	c.SetOut(0, d, q[0], q[1], width)
	dims := []tensor.Dim{q[0], tensor.Int(o.kvHeads), dk, dv}
	if o.window > 0 {
		dims = append([]tensor.Dim{tensor.Int(o.window)}, dims...)
	}
	c.SetOut(1, state, dims...)
	return nil
}

// linearRun is what a run of linearAttention works on.
type linearRun struct {
	linearAttention
	batch, steps, dk, dv int
	q, k, v, decay, beta []float32
	decays, betas        int // columns of decay and beta
	y, present           []float32
}

// Run implements ops.Op.
func (o linearAttention) Run(c *ops.Ctx) error {
	r := linearRun{linearAttention: o}
	if err := r.read(c); err != nil {
		return err
	}
	if r.scale == 0 {
		r.scale = float32(1 / math.Sqrt(float64(r.dk)))
	}
	states := r.batch * o.kvHeads * r.dk * r.dv
	shape := tensor.Shape{r.batch, o.kvHeads, r.dk, r.dv}
	if o.window > 0 {
		shape = append(tensor.Shape{o.window}, shape...)
	}
	last := max(o.window-1, 0) * states // where the newest state lies
	past, err := vectorOf(c, 3, shape.Size(), "past_state")
	if err != nil {
		return err
	}
	out, err := c.New(0, tensor.Float32, tensor.Shape{r.batch, r.steps, max(o.qHeads, o.kvHeads) * r.dv})
	if err != nil {
		return err
	}
	present, err := c.New(1, tensor.Float32, shape)
	if err != nil {
		return err
	}
	ops.Zero(present)
	r.y, r.present = out.Float32(), present.Float32()
	if past != nil {
		copy(r.present[last:], past[last:])
	}
	c.Parallel(r.batch*o.kvHeads, ops.Grain(r.steps*r.dk*r.dv*4), func(lo, hi int) {
		for n := lo; n < hi; n++ {
			r.head(n/o.kvHeads, n%o.kvHeads, r.present[last+n*r.dk*r.dv:last+(n+1)*r.dk*r.dv], states)
		}
	})
	return nil
}

func (r *linearRun) read(c *ops.Ctx) error {
	var s [3]tensor.Shape
	for i, dst := range []*[]float32{&r.q, &r.k, &r.v} {
		t := c.Tensor(i)
		if err := rank(t, "input", 3); err != nil {
			return err
		}
		s[i] = t.Shape()
		var err error
		if *dst, err = floatInput(c, i); err != nil {
			return err
		}
	}
	r.batch, r.steps, r.dk, r.dv = s[0][0], s[0][1], s[0][2]/r.qHeads, s[2][2]/r.kvHeads
	if !s[0].Equal(tensor.Shape{r.batch, r.steps, r.qHeads * r.dk}) || !s[1].Equal(tensor.Shape{r.batch, r.steps, r.kvHeads * r.dk}) ||
		!s[2].Equal(tensor.Shape{r.batch, r.steps, r.kvHeads * r.dv}) {
		return fmt.Errorf("query %v, key %v and value %v for %d and %d heads", s[0], s[1], s[2], r.qHeads, r.kvHeads)
	}
	var err error
	if r.gated {
		if r.decay, r.decays, err = r.gate(c, 4, "decay", r.kvHeads, r.kvHeads*r.dk); err != nil {
			return err
		}
	}
	if r.delta {
		r.beta, r.betas, err = r.gate(c, 5, "beta", r.kvHeads, 1)
	}
	return err
}

// gate reads an input (B, T, n) where n is one of two numbers.
func (r *linearRun) gate(c *ops.Ctx, i int, name string, n1, n2 int) ([]float32, int, error) {
	t := c.Tensor(i)
	if t == nil {
		return nil, 0, fmt.Errorf("this update rule needs %s", name)
	}
	s := t.Shape()
	if len(s) != 3 || s[0] != r.batch || s[1] != r.steps || s[2] != n1 && s[2] != n2 {
		return nil, 0, fmt.Errorf("%s has shape %v for batch %d and %d steps", name, s, r.batch, r.steps)
	}
	v, err := floatInput(c, i)
	return v, s[2], err
}

// head runs one head of keys through all steps; s is its state. If there is a window, the states before the last go to
// the slots before s, states elements apart.
func (r *linearRun) head(b, h int, s []float32, states int) {
	dk, dv := r.dk, r.dv
	delta := make([]float32, dv)
	for t := range r.steps {
		row := b*r.steps + t
		k, v := r.k[(row*r.kvHeads+h)*dk:][:dk], r.v[(row*r.kvHeads+h)*dv:][:dv]
		if r.gated {
			r.forget(s, row, h)
		}
		copy(delta, v)
		if r.delta {
			for i, f := range k {
				for j, w := range s[i*dv : (i+1)*dv] {
					delta[j] -= f * w
				}
			}
			beta := r.beta[row*r.betas+h%r.betas]
			for j := range delta {
				delta[j] *= beta
			}
		}
		for i, f := range k {
			line := s[i*dv : (i+1)*dv]
			for j, w := range delta {
				line[j] += f * w
			}
		}
		r.answer(s, row, h)
		r.remember(s, t, states, b*r.kvHeads+h)
	}
}

// forget multiplies the state by the decay of a step, one for the head or one for each row.
func (r *linearRun) forget(s []float32, row, h int) {
	for i := range r.dk {
		at := row*r.decays + h
		if r.decays != r.kvHeads {
			at = row*r.decays + h*r.dk + i
		}
		g := float32(math.Exp(float64(r.decay[at])))
		for j := range s[i*r.dv : (i+1)*r.dv] {
			s[i*r.dv+j] *= g
		}
	}
}

// answer writes scale·qᵀS for the query heads that read state h, or, if there are fewer of these, for the one that does.
func (r *linearRun) answer(s []float32, row, h int) {
	first, count := h*r.qHeads/r.kvHeads, max(r.qHeads/r.kvHeads, 1)
	for g := range count {
		out := h
		if r.qHeads > r.kvHeads {
			out = first + g
		}
		q := r.q[(row*r.qHeads+first+g)*r.dk:][:r.dk]
		y := r.y[(row*max(r.qHeads, r.kvHeads)+out)*r.dv:][:r.dv]
		clear(y)
		for i, f := range q {
			f *= r.scale
			for j, w := range s[i*r.dv : (i+1)*r.dv] {
				y[j] += f * w
			}
		}
	}
}

// remember copies the state after step t to its slot, if it has one before the last.
func (r *linearRun) remember(s []float32, t, states, n int) {
	if slot := r.window - r.steps + t; slot >= 0 && slot < r.window-1 {
		copy(r.present[slot*states+n*len(s):(slot*states+(n+1)*len(s))], s)
	}
}
