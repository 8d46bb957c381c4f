package contrib

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		plainOp("GreedySearch", newGreedy(false)),
		plainOp("Sampling", newGreedy(true)),
	)
}

// greedy is GreedySearch, which takes the most likely token each time, and Sampling, which draws one from the likely ones.
// Inputs: input_ids, max_length, min_length?, repetition_penalty?, vocab_mask?, prefix_vocab_mask?, attention_mask?, and
// of Sampling presence_mask?, seed?.
type greedy struct {
	generator
	sampling        bool
	custom          bool
	topP, filter    float32
	minTokensToKeep int
}

func newGreedy(sampling bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		o := greedy{generator: newGenerator(a), sampling: sampling}
		if o.encoderDecoder {
			return nil, fmt.Errorf("encoder-decoder models: %w", ops.ErrUnsupported)
		}
		if sampling {
			o.custom, o.topP, o.filter = a.Bool("custom", false), a.Float("top_p", 0), a.Float("filter_value", -1e20)
			o.minTokensToKeep, o.presencePenalty = a.Int("min_tokens_to_keep", 0), a.Float("presence_penalty", 0)
			if o.temperature = a.Float("temperature", 1); o.temperature <= 0 || o.minTokensToKeep < 0 {
				a.Errorf("temperature %v, min_tokens_to_keep %d", o.temperature, o.minTokensToKeep)
			}
		}
		return o, a.Done()
	}
}

// Infer implements ops.Op.
func (o greedy) Infer(c *ops.Infer) error {
	batch, length := tensor.Dim{}, tensor.Dim{}
	if d, ok := c.Dims(0); ok && len(d) > 0 {
		batch = d[0]
	}
	if v, ok := c.Ints(1); ok && len(v) == 1 {
		length = v[0]
	}
	c.SetOut(0, tensor.Int32, batch, length)
	c.SetOut(1, tensor.Float32, batch, tensor.Dim{})
	return o.inferGraphs(c)
}

// Run implements ops.Op.
func (o greedy) Run(c *ops.Ctx) error {
	l := limits{generator: o.generator}
	if err := l.read(c, 3); err != nil {
		return err
	}
	seqs, err := l.starts(c, nil)
	if err != nil {
		return err
	}
	if l.batch, l.rows = len(seqs), len(seqs); l.rows > 0 {
		l.prompt = len(seqs[0])
	}
	if t := c.Tensor(7); t != nil && o.sampling {
		if l.presence, err = t.Ints(); err != nil {
			return err
		}
	}
	seed, err := intScalar(c, 8, "seed", int(rand.Uint32()))
	if err != nil {
		return err
	}
	d := dice(uint32(seed))
	model, err := newGPT(&l, seqs, c.Tensor(6), 1)
	if err != nil {
		return err
	}
	filtered, err := o.generate(c, &l, model, seqs, &d)
	if err != nil {
		return err
	}
	out, err := c.New(0, tensor.Int32, tensor.Shape{l.batch, l.maxLen})
	if err != nil {
		return err
	}
	y := out.Int32()
	for i := range y {
		y[i] = int32(o.pad)
	}
	for r, s := range seqs {
		copy(y[r*l.maxLen:(r+1)*l.maxLen], s)
	}
	if filtered == nil {
		filtered = tensor.New(tensor.Float32, l.batch, 0)
	}
	return setFloat(c, 1, filtered, tensor.Float32)
}

// generate extends the sequences in place and returns the last step's scores.
func (o greedy) generate(c *ops.Ctx, l *limits, model languageModel, seqs [][]int32, d *dice) (*tensor.Tensor, error) {
	var last *tensor.Tensor
	ended, left := make([]bool, l.rows), l.rows
	for length := l.prompt; length < l.maxLen && left > 0; length++ {
		if err := c.Err(); err != nil {
			return nil, err
		}
		var logits tensor.Value
		var err error
		if length == l.prompt {
			logits, err = model.prompt(c, seqs)
		} else {
			logits, err = model.next(c, seqs, nil)
		}
		if err != nil {
			return nil, fmt.Errorf("token %d: %w", length, err)
		}
		scores, vocab, err := l.lastLogits(logits)
		if err != nil {
			return nil, err
		}
		if err := l.process(scores, seqs, length == l.prompt); err != nil {
			return nil, err
		}
		last = tensor.Of(tensor.Shape{l.rows, vocab}, scores)
		for r := range seqs {
			row := scores[r*vocab : (r+1)*vocab]
			token := 0
			if o.sampling {
				o.nucleus(row)
				token = d.draw(row)
			} else {
				token = best(row, 1)[0]
			}
			if token == o.eos && !ended[r] {
				ended[r] = true
				left--
			}
			if ended[r] {
				token = o.pad
			}
			seqs[r] = append(seqs[r], int32(token))
		}
	}
	return last, nil
}

// nucleus sets the scores of unlikely tokens to the filter's value: those beyond the likeliest that make up top_p.
func (o greedy) nucleus(row []float32) {
	order := make([]int, len(row))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool {
		if o.custom {
			return row[order[a]] > row[order[b]]
		}
		return row[order[a]] < row[order[b]]
	})
	probs := make([]float32, len(row))
	for i, k := range order {
		probs[i] = row[k]
	}
	softmaxRow(probs)
	sum := float32(0)
	for i, p := range probs {
		sum += p
		switch {
		case o.custom:
			if sum > o.topP && i+1 < len(row) {
				row[order[i+1]] = o.filter
			}
		case sum <= 1-o.topP && (i == 0 || i < len(row)-o.minTokensToKeep):
			row[order[i]] = o.filter
		}
	}
}

// dice is the minimal standard generator with multiplier 16807, which ONNX Runtime's Sampling uses.
type dice uint32

// draw returns an index with a probability that is the softmax of the scores.
func (d *dice) draw(scores []float32) int {
	u := d.next()
	top := float32(math.Inf(-1))
	for _, v := range scores {
		top = max(top, v)
	}
	sum, sums := 0.0, make([]float64, len(scores))
	for i, v := range scores {
		sum += math.Exp(float64(v - top))
		sums[i] = sum
	}
	at := u * sum
	return min(sort.Search(len(sums), func(i int) bool { return sums[i] > at }), len(sums)-1)
}

// next returns a number in [0, 1) of 62 random bits, the low ones first.
func (d *dice) next() float64 {
	const modulus = 1<<31 - 1
	u, scale := 0.0, 1.0
	for range 2 {
		if *d %= modulus; *d == 0 {
			*d = 1
		}
		*d = dice(uint64(*d) * 16807 % modulus)
		u += float64(*d-1) * scale
		scale *= modulus - 1
	}
	return min(u/scale, math.Nextafter(1, 0))
}
