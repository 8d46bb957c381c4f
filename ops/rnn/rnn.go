// Package rnn implements the recurrent operators RNN, GRU and LSTM.
package rnn

import (
	"fmt"
	"strings"

	kernel "github.com/sardonyx-ml/sardonyx/kernels/rnn"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	register("RNN", kernel.RNN, 1, 7, 14, 22)
	register("GRU", kernel.GRU, 1, 3, 7, 14, 22)
	register("LSTM", kernel.LSTM, 1, 7, 14, 22)
}

func register(name string, kind kernel.Kind, versions ...int) {
	for _, v := range versions {
		ops.Register(ops.Def{Name: name, Since: v, New: newLayer(kind, v), Widen: true})
	}
}

// layer is https://onnx.ai/onnx/operators/onnx__LSTM.html, onnx__GRU.html or onnx__RNN.html. Inputs: X, W, R, B, sequence_lens,
// initial_h, and of LSTM initial_c and P. Outputs: Y, Y_h, and of LSTM Y_c.
type layer struct {
	kind        kernel.Kind
	directions  int
	reverse     bool
	hidden      int // 0 if not given
	clip        float32
	batchFirst  bool
	linearFirst bool // GRU: linear_before_reset
	coupled     bool // LSTM: input_forget
	act32       [2][3]kernel.Func[float32]
	act64       [2][3]kernel.Func[float64]
	packed      *packed
}

// packed are constant weights in the kernel's layout.
type packed struct {
	w, r    tensor.Shape
	weights []kernel.Weights[float32]
}

func newLayer(kind kernel.Kind, version int) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		op := layer{kind: kind, directions: 1, hidden: a.Int("hidden_size", 0), clip: a.Float("clip", 0)}
		switch a.Enum("direction", "forward", "reverse", "bidirectional") {
		case "reverse":
			op.reverse = true
		case "bidirectional":
			op.directions = 2
		}
		if op.clip < 0 {
			a.Errorf("clip is %v", op.clip)
		}
		if version < 7 {
			a.Ignore("output_sequence") // Y is there if the node lists it
		}
		if version >= 14 {
			op.batchFirst = a.Bool("layout", false)
		}
		switch {
		case kind == kernel.LSTM:
			op.coupled = a.Bool("input_forget", false)
		case kind == kernel.GRU && version >= 3:
			op.linearFirst = a.Bool("linear_before_reset", false)
		}
		op.readActivations(a)
		return op, a.Done()
	}
}

// defaults are the activation functions of one direction, by kind.
var defaults = map[kernel.Kind][]string{kernel.RNN: {"Tanh"}, kernel.GRU: {"Sigmoid", "Tanh"}, kernel.LSTM: {"Sigmoid", "Tanh", "Tanh"}}

// readActivations reads the functions; those that take alpha or beta get the next value of that list, or their own default.
func (op *layer) readActivations(a *ops.Attrs) {
	names, alphas, betas := a.Strings("activations"), a.Floats("activation_alpha"), a.Floats("activation_beta")
	per := len(defaults[op.kind])
	if len(names) == 0 {
		for range op.directions {
			names = append(names, defaults[op.kind]...)
		}
	}
	// The default of RNN is written as two functions in the standard, also for one direction.
	if len(names) != per*op.directions && !(op.kind == kernel.RNN && len(names) == 2) {
		a.Errorf("%d activations for %d functions", len(names), per*op.directions)
		return
	}
	for i, name := range names[:per*op.directions] {
		name = strings.ToLower(name)
		alpha, beta, hasAlpha, hasBeta, ok := kernel.Parameters(name)
		if !ok {
			a.Errorf("unknown activation %q", names[i])
			return
		}
		if hasAlpha && len(alphas) > 0 {
			alpha, alphas = alphas[0], alphas[1:]
		}
		if hasBeta && len(betas) > 0 {
			beta, betas = betas[0], betas[1:]
		}
		op.act32[i/per][i%per] = kernel.Activation[float32](name, alpha, beta)
		op.act64[i/per][i%per] = kernel.Activation[float64](name, alpha, beta)
	}
}

// Infer implements ops.Op.
func (op layer) Infer(c *ops.Infer) error {
	for o := range c.Out {
		c.SetDType(o, c.DType(0))
	}
	x, ok := c.Dims(0)
	if !ok {
		return nil
	}
	if len(x) != 3 {
		return fmt.Errorf("input has %d axes, not 3", len(x))
	}
	var hidden tensor.Dim
	if r, ok := c.Dims(2); ok && len(r) == 3 {
		hidden = r[2]
	}
	if op.hidden > 0 && !hidden.Known() {
		hidden = tensor.Int(op.hidden)
	}
	d, steps, batch := tensor.Int(op.directions), x[0], x[1]
	if op.batchFirst {
		steps, batch = batch, steps
		c.SetOut(0, c.DType(0), batch, steps, d, hidden)
		c.SetOut(1, c.DType(0), batch, d, hidden)
		c.SetOut(2, c.DType(0), batch, d, hidden)
		return nil
	}
	c.SetOut(0, c.DType(0), steps, d, batch, hidden)
	c.SetOut(1, c.DType(0), d, batch, hidden)
	c.SetOut(2, c.DType(0), d, batch, hidden)
	return nil
}

// Prepack implements ops.Prepacker: constant float weights are packed.
func (op layer) Prepack(in []*tensor.Tensor) (ops.Op, []int) {
	if len(in) < 3 || in[1] == nil || in[2] == nil || in[1].DType() != tensor.Float32 || in[2].DType() != tensor.Float32 {
		return op, nil
	}
	w, r := in[1].Shape(), in[2].Shape()
	input, hidden, err := op.weightSizes(w, r)
	if err != nil {
		return op, nil // Run reports it
	}
	g := op.kind.Gates()
	p := &packed{w: w.Clone(), r: r.Clone()}
	for d := range op.directions {
		n := g * hidden
		p.weights = append(p.weights, kernel.Pack(in[1].Float32()[d*n*input:(d+1)*n*input], in[2].Float32()[d*n*hidden:(d+1)*n*hidden],
			g, input, hidden, op.kind == kernel.GRU && !op.linearFirst))
	}
	op.packed = p
	return op, []int{1, 2}
}

// weightSizes checks the shapes of W and R.
func (op layer) weightSizes(w, r tensor.Shape) (input, hidden int, err error) {
	if len(w) != 3 || len(r) != 3 {
		return 0, 0, fmt.Errorf("weights of shapes %v and %v must have 3 axes", w, r)
	}
	input, hidden = w[2], r[2]
	gates := op.kind.Gates()
	if w[0] != op.directions || r[0] != op.directions || hidden > 1<<40 || w[1] != gates*hidden || r[1] != gates*hidden {
		return 0, 0, fmt.Errorf("weights of shapes %v and %v do not fit %d directions of %d gates", w, r, op.directions, gates)
	}
	if op.hidden > 0 && op.hidden != hidden {
		return 0, 0, fmt.Errorf("hidden_size is %d, the weights have %d", op.hidden, hidden)
	}
	return input, hidden, nil
}
