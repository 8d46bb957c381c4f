package contrib

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// causalConv is CausalConvWithState: a convolution of each channel with its own kernel, that looks back only along the
// last axis, past the start of the input into a state which holds the inputs before it. On the other axes of a 2-D or 3-D
// input it is an ordinary one with half the kernel as padding on each side.
//
// Inputs: input (B, C, …, L), or (B, L, …C…) if last; weight (C, 1, …, k); bias? (C); past_state? (B, C, …, S) with
// S = (k-1)·dilation.
type causalConv struct {
	ndim, dilation, window int
	silu, last             bool
}

func newCausalConv(a *ops.Attrs) (ops.Op, error) {
	o := causalConv{a.Int("ndim", 1), a.Int("dilation", 1), a.Int("state_window", 0),
		a.Enum("activation", "none", "silu", "swish") != "none", a.Bool("channels_last", false)}
	if o.ndim < 1 || o.ndim > 3 || o.dilation < 1 || o.window < 0 || o.window > maxStateWindow || o.last && o.ndim != 1 {
		a.Errorf("ndim %d, dilation %d, state_window %d", o.ndim, o.dilation, o.window)
	}
	return o, a.Done()
}

// stateShape is the shape of one state for an input shape.
func stateShape[D any](in []D, last bool, length D) []D {
	s := append([]D{}, in...)
	if last {
		s[1] = length
	} else {
		s[len(s)-1] = length
	}
	return s
}

// Infer implements ops.Op.
func (o causalConv) Infer(c *ops.Infer) error {
	c.SetLike(0, 0)
	c.SetDType(1, c.DType(0))
	x, ok1 := c.Dims(0)
	w, ok2 := c.Dims(1)
	if !ok1 || !ok2 || len(x) < 3 || len(w) < 3 {
		return nil
	}
	length := tensor.Dim{}
	if k, ok := w[len(w)-1].Int(); ok {
		length = tensor.Int((k - 1) * o.dilation)
	}
	s := stateShape(x, o.last, length)
	if o.window > 0 {
		s = append([]tensor.Dim{tensor.Int(o.window)}, s...)
	}
	c.SetOut(1, c.DType(0), s...)
	return nil
}

// causalRun is what a run of causalConv works on. The lines of a channel are its rows along the causal axis; element t of
// line l of channel (b, ch) of x is x[b·batchStep + ch·channelStep + l·length + t·step].
type causalRun struct {
	causalConv
	batch, channels, length, taps, states int
	outer, kernel                         tensor.Shape // the other axes, of input and kernel
	step, channelStep, batchStep          int
	stateChannel, stateBatch              int
	x, w, bias, past, y, present          []float32
}

// Run implements ops.Op.
func (o causalConv) Run(c *ops.Ctx) error {
	r := causalRun{causalConv: o}
	x, w := c.Tensor(0), c.Tensor(1)
	if err := r.sizes(x.Shape(), w.Shape()); err != nil {
		return err
	}
	var err error
	if r.x, err = floatInput(c, 0); err != nil {
		return err
	}
	if r.w, err = floatInput(c, 1); err != nil {
		return err
	}
	if r.bias, err = vectorOf(c, 2, r.channels, "bias"); err != nil {
		return err
	}
	shape := tensor.Shape(stateShape(x.Shape(), o.last, r.states))
	size, err := shape.CheckSize()
	if err != nil {
		return err
	}
	if o.window > 0 {
		shape = append(tensor.Shape{o.window}, shape...)
	}
	if r.past, err = vectorOf(c, 3, shape.Size(), "past_state"); err != nil {
		return err
	}
	slots := max(o.window, 1)
	if r.past != nil {
		r.past = r.past[(slots-1)*size:]
	}
	out, err := c.New(0, tensor.Float32, x.Shape())
	if err != nil {
		return err
	}
	present, err := c.New(1, tensor.Float32, shape)
	if err != nil {
		return err
	}
	ops.Zero(present)
	r.y, r.present = out.Float32(), present.Float32()
	c.Parallel(r.batch*r.channels, ops.Grain(r.outer.Size()*r.length*len(r.w)/max(r.channels, 1)), func(lo, hi int) {
		buf := make([]float32, r.outer.Size()*(r.states+r.length))
		sum := make([]float32, r.length)
		for n := lo; n < hi; n++ {
			r.channel(n/r.channels, n%r.channels, buf, sum, slots, size)
		}
	})
	return nil
}

func (r *causalRun) sizes(x, w tensor.Shape) error {
	if len(w) != r.ndim+2 || w[1] != 1 || !r.last && len(x) != r.ndim+2 || r.last && len(x) < 3 {
		return fmt.Errorf("input %v and weight %v for %d spatial axes", x, w, r.ndim)
	}
	r.batch, r.channels, r.length, r.taps = x[0], x[1], x[len(x)-1], w[len(w)-1]
	r.outer, r.kernel, r.step = x[2:len(x)-1], w[2:len(w)-1], 1
	if r.taps < 1 || r.taps > 1<<20 || r.dilation > 1<<20 {
		return fmt.Errorf("weight has shape %v", w)
	}
	r.states = (r.taps - 1) * r.dilation
	lines := r.outer.Size()
	r.channelStep, r.stateChannel = lines*r.length, lines*r.states
	if r.last {
		r.outer, r.length, r.channels = nil, x[1], x[2:].Size()
		r.step, r.channelStep, r.stateChannel = r.channels, 1, 1
		lines = 1
	}
	r.batchStep, r.stateBatch = r.channels*lines*r.length, r.channels*lines*r.states
	if w[0] != r.channels {
		return fmt.Errorf("weight of shape %v for %d channels", w, r.channels)
	}
	return nil
}

// channel computes one channel of one batch entry. buf holds each line with the state before it.
func (r *causalRun) channel(b, ch int, buf, sum []float32, slots, size int) {
	full := r.states + r.length
	at, stateAt := b*r.batchStep+ch*r.channelStep, b*r.stateBatch+ch*r.stateChannel
	for l := range r.outer.Size() {
		line := buf[l*full : (l+1)*full]
		clear(line[:r.states])
		if r.past != nil {
			for i := range r.states {
				line[i] = r.past[stateAt+(l*r.states+i)*r.step]
			}
		}
		for i := range r.length {
			line[r.states+i] = r.x[at+(l*r.length+i)*r.step]
		}
		// Slot s holds the state after position length - slots + s.
		for s := max(0, slots-r.length); s < slots; s++ {
			from := r.length - slots + s + 1
			for i := range r.states {
				r.present[s*size+stateAt+(l*r.states+i)*r.step] = line[from+i]
			}
		}
	}
	if r.length == 0 && r.past != nil { // nothing happened
		for l := range r.outer.Size() {
			for i := range r.states {
				k := stateAt + (l*r.states+i)*r.step
				r.present[(slots-1)*size+k] = r.past[k]
			}
		}
	}
	for l := range r.outer.Size() {
		r.line(sum, buf, ch, l, full)
		for i, v := range sum {
			r.y[at+(l*r.length+i)*r.step] = v
		}
	}
}

// line sets sum to line l of the output.
func (r *causalRun) line(sum, buf []float32, ch, l, full int) {
	clear(sum)
	taps := r.kernel.Size()
	for k := range taps {
		from, ok := r.neighbour(l, k)
		if !ok {
			continue
		}
		src := buf[from*full : (from+1)*full]
		for j, w := range r.w[(ch*taps+k)*r.taps : (ch*taps+k+1)*r.taps] {
			for i, v := range src[j*r.dilation : j*r.dilation+r.length] {
				sum[i] += w * v
			}
		}
	}
	if r.bias != nil {
		for i := range sum {
			sum[i] += r.bias[ch]
		}
	}
	if r.silu {
		swishBy(float32(1))(sum, sum)
	}
}

// neighbour is the line that element k of the kernel's other axes reads for line l.
func (r *causalRun) neighbour(l, k int) (int, bool) {
	at, stride := 0, 1
	for a := len(r.outer) - 1; a >= 0; a-- {
		p := l%r.outer[a] + k%r.kernel[a] - (r.kernel[a]-1)/2
		if p < 0 || p >= r.outer[a] {
			return 0, false
		}
		at += p * stride
		stride *= r.outer[a]
		l /= r.outer[a]
		k /= r.kernel[a]
	}
	return at, true
}
