package contrib

import (
	"fmt"
	"math"
	"sort"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(plainOp("BeamSearch", newBeamSearch))
}

// beamSearch is BeamSearch: of each batch entry the most likely continuations are followed side by side. Inputs:
// input_ids, max_length, min_length?, num_beams, num_return_sequences, length_penalty?, repetition_penalty?, vocab_mask?,
// prefix_vocab_mask?, attention_mask?, decoder_input_ids?, logits_processor?.
type beamSearch struct {
	generator
	early bool
}

func newBeamSearch(a *ops.Attrs) (ops.Op, error) {
	o := beamSearch{newGenerator(a), a.Bool("early_stopping", false)}
	return o, a.Done()
}

// Infer implements ops.Op.
func (o beamSearch) Infer(c *ops.Infer) error {
	batch := tensor.Dim{}
	if d, ok := c.Dims(0); ok && len(d) > 0 {
		batch = d[0]
	}
	at := func(i int) tensor.Dim {
		if v, ok := c.Ints(i); ok && len(v) == 1 {
			return v[0]
		}
		return tensor.Dim{}
	}
	score := tensor.Float32
	if c.Has(5) {
		score = c.DType(5)
	}
	c.SetOut(0, tensor.Int32, batch, at(4), at(1))
	c.SetOut(1, score, batch, at(4))
	c.SetOut(2, score, tensor.Dim{}, batch, at(3), tensor.Dim{})
	return o.inferGraphs(c)
}

// hypothesis is a finished sequence.
type hypothesis struct {
	tokens []int32
	score  float32
}

// beams is the state of a search.
type beams struct {
	limits
	early         bool
	width, wanted int
	penalty       float32
	seqs          [][]int32 // rows = batch·width
	scores        []float32 // of the rows
	done          []bool    // of the batch entries
	found         [][]hypothesis
	trace         []float32 // scores of all tokens in all steps
	keepTrace     bool
}

// Run implements ops.Op.
func (o beamSearch) Run(c *ops.Ctx) error {
	s := beams{limits: limits{generator: o.generator}, early: o.early, keepTrace: c.Wants(2)}
	if err := s.read(c); err != nil {
		return err
	}
	var model languageModel = newEncoderDecoder(&s.limits, s.width)
	if !o.encoderDecoder {
		gpt, err := newGPT(&s.limits, s.seqs, c.Tensor(9), s.width)
		if err != nil {
			return err
		}
		model = gpt
	}
	vocab, err := s.search(c, model)
	if err != nil {
		return err
	}
	return s.write(c, vocab)
}

func (s *beams) read(c *ops.Ctx) error {
	var err error
	if err = s.limits.read(c, 6); err != nil {
		return err
	}
	if s.width, err = intScalar(c, 3, "num_beams", 1); err != nil {
		return err
	}
	if s.wanted, err = intScalar(c, 4, "num_return_sequences", 1); err != nil {
		return err
	}
	if s.penalty, err = scalar(c, 5, "length_penalty", 1); err != nil {
		return err
	}
	stamps, err := intScalar(c, 11, "logits_processor", 0)
	if err != nil {
		return err
	}
	s.timestamps = stamps == 1
	if s.width < 1 || s.width > 1<<10 || s.wanted < 1 || s.wanted > s.width || c.Tensor(0).Rank() < 2 {
		return fmt.Errorf("%d beams, %d sequences to return, input of shape %v", s.width, s.wanted, c.Tensor(0).Shape())
	}
	starts, err := s.starts(c, c.Tensor(10))
	if err != nil {
		return err
	}
	s.batch, s.rows = len(starts), len(starts)*s.width
	for _, t := range starts {
		for range s.width {
			s.seqs = append(s.seqs, append([]int32{}, t...))
		}
	}
	if len(starts) > 0 {
		s.prompt = len(starts[0])
	}
	s.scores, s.done, s.found = make([]float32, s.rows), make([]bool, s.batch), make([][]hypothesis, s.batch)
	for r := range s.scores {
		if r%s.width != 0 {
			s.scores[r] = -1e9 // all beams begin alike: only one of them counts
		}
	}
	return nil
}

// starts returns what the sequences of the batch begin with.
func (l *limits) starts(c *ops.Ctx, given *tensor.Tensor) ([][]int32, error) {
	if !l.encoderDecoder {
		return idMatrix(c.Tensor(0), "input_ids")
	}
	if given != nil {
		return idMatrix(given, "decoder_input_ids")
	}
	out := make([][]int32, c.Tensor(0).Dim(0))
	for i := range out {
		out[i] = []int32{int32(l.start)}
	}
	return out, nil
}

// search runs until all are done or long enough; it returns the size of the vocabulary.
func (s *beams) search(c *ops.Ctx, model languageModel) (vocab int, err error) {
	var from []int
	for length := s.prompt; length < s.maxLen && s.rows > 0; length++ {
		if err := c.Err(); err != nil {
			return 0, err
		}
		var logits tensor.Value
		if length == s.prompt {
			logits, err = model.prompt(c, s.seqs)
		} else {
			logits, err = model.next(c, s.seqs, from)
		}
		if err != nil {
			return 0, fmt.Errorf("token %d: %w", length, err)
		}
		var scores []float32
		if scores, vocab, err = s.lastLogits(logits); err != nil {
			return 0, err
		}
		for r := range s.rows {
			logSoftmax(scores[r*vocab : (r+1)*vocab])
		}
		if err := s.process(scores, s.seqs, length == s.prompt); err != nil {
			return 0, err
		}
		for i := range scores {
			scores[i] += s.scores[i/vocab]
		}
		if s.keepTrace {
			s.trace = append(s.trace, scores...)
		}
		if from, err = s.step(scores, vocab, length); err != nil {
			return 0, err
		}
		if s.allDone() {
			break
		}
	}
	return vocab, nil
}

func logSoftmax(x []float32) {
	top := float32(math.Inf(-1))
	for _, v := range x {
		top = max(top, v)
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(float64(v - top))
	}
	log := float32(math.Log(sum))
	for i := range x {
		x[i] = x[i] - top - log
	}
}

func (s *beams) allDone() bool {
	for _, d := range s.done {
		if !d {
			return false
		}
	}
	return true
}

// step extends the sequences by the best tokens and returns which one each continues.
func (s *beams) step(scores []float32, vocab, length int) ([]int, error) {
	from, seqs, next := make([]int, s.rows), make([][]int32, s.rows), make([]float32, s.rows)
	for b := range s.batch {
		rows := scores[b*s.width*vocab : (b+1)*s.width*vocab]
		if s.done[b] {
			for i := range s.width {
				r := b*s.width + i
				from[r], seqs[r] = r, append(append([]int32{}, s.seqs[r]...), int32(s.pad))
			}
			continue
		}
		top := best(rows, min(2*s.width, len(rows)))
		n := 0
		for rank, k := range top {
			r, token := b*s.width+k/vocab, int32(k%vocab)
			if s.eos >= 0 && int(token) == s.eos {
				if rank < s.width {
					s.finish(b, s.seqs[r], rows[k])
				}
				continue
			}
			at := b*s.width + n
			from[at], next[at] = r, rows[k]
			seqs[at] = append(append(make([]int32, 0, length+1), s.seqs[r]...), token)
			if n++; n == s.width {
				break
			}
		}
		if n < s.width {
			return nil, fmt.Errorf("a vocabulary of %d is too small for %d beams", vocab, s.width)
		}
		s.done[b] = len(s.found[b]) >= s.width && (s.early || s.worst(b) >= s.norm(rows[top[0]], length))
	}
	s.seqs, s.scores = seqs, next
	return from, nil
}

// best returns the indices of the n largest elements, the largest first; of equal ones the first comes first.
func best(x []float32, n int) []int {
	top := make([]int, 0, n+1)
	for i, v := range x {
		if len(top) == n && v <= x[top[n-1]] {
			continue
		}
		at := sort.Search(len(top), func(k int) bool { return x[top[k]] < v })
		top = append(top, 0)
		copy(top[at+1:], top[at:])
		top[at] = i
		top = top[:min(len(top), n)]
	}
	return top
}

// norm is a sum of logarithms for a sequence of the given length as a score.
func (s *beams) norm(sum float32, length int) float32 {
	return sum / float32(math.Pow(float64(length), float64(s.penalty)))
}

func (s *beams) worst(b int) float32 { return s.found[b][len(s.found[b])-1].score }

// finish adds a hypothesis, best first, and drops the worst if there are more than beams.
func (s *beams) finish(b int, tokens []int32, sum float32) {
	h := hypothesis{tokens, s.norm(sum, len(tokens))}
	if len(s.found[b]) >= s.width && h.score <= s.worst(b) {
		return
	}
	at := sort.Search(len(s.found[b]), func(k int) bool { return s.found[b][k].score < h.score })
	s.found[b] = append(s.found[b], hypothesis{})
	copy(s.found[b][at+1:], s.found[b][at:])
	s.found[b][at] = h
	s.found[b] = s.found[b][:min(len(s.found[b]), s.width)]
}

// write sets the outputs.
func (s *beams) write(c *ops.Ctx, vocab int) error {
	for r, seq := range s.seqs {
		if !s.done[r/s.width] {
			s.finish(r/s.width, seq, s.scores[r])
		}
	}
	out, err := c.New(0, tensor.Int32, tensor.Shape{s.batch, s.wanted, s.maxLen})
	if err != nil {
		return err
	}
	y := out.Int32()
	for i := range y {
		y[i] = int32(s.pad)
	}
	scores := tensor.New(tensor.Float32, s.batch, s.wanted)
	for b := range s.batch {
		for i := range min(s.wanted, len(s.found[b])) {
			at := b*s.wanted + i
			copy(y[at*s.maxLen:(at+1)*s.maxLen], s.found[b][i].tokens)
			scores.Float32()[at] = s.found[b][i].score
		}
	}
	d := tensor.Float32
	if t := c.Tensor(5); t != nil {
		d = t.DType()
	}
	if err := setFloat(c, 1, scores, d); err != nil || !c.Wants(2) {
		return err
	}
	trace := tensor.New(tensor.Float32, max(s.maxLen-s.prompt, 0), s.batch, s.width, vocab)
	copy(trace.Float32(), s.trace)
	return setFloat(c, 2, trace, d)
}

// setFloat sets output i, if it is wanted, to a float tensor as element type d.
func setFloat(c *ops.Ctx, i int, t *tensor.Tensor, d tensor.DType) error {
	if !c.Wants(i) {
		return nil
	}
	out, err := c.New(i, d, t.Shape())
	if err != nil {
		return err
	}
	if !tensor.EncodeFloat32(out, t.Float32()) {
		return fmt.Errorf("scores as %v: %w", d, ops.ErrUnsupported)
	}
	return nil
}
