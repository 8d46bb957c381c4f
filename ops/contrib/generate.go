package contrib

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// generator holds the attributes that BeamSearch, GreedySearch and Sampling share.
type generator struct {
	encoderDecoder       bool // T5, BART, Whisper; else GPT
	eos, pad, start      int
	noRepeat, vocab      int
	temperature          float32
	presencePenalty      float32
	decoder, encoder, in *ops.GraphAttr // in: the decoder for the first run
}

func newGenerator(a *ops.Attrs) generator {
	g := generator{encoderDecoder: a.Int("model_type", 0) != 0, eos: a.Int("eos_token_id", -1), pad: a.Int("pad_token_id", 0),
		start: a.Int("decoder_start_token_id", -1), noRepeat: a.Int("no_repeat_ngram_size", 0), vocab: a.Int("vocab_size", -1),
		temperature: 1, decoder: a.Graph("decoder"), encoder: a.Graph("encoder"), in: a.Graph("init_decoder")}
	switch {
	case g.decoder == nil:
		a.Errorf("no decoder")
	case g.encoderDecoder && g.encoder == nil:
		a.Errorf("an encoder-decoder model needs an encoder")
	}
	return g
}

// inferGraphs lets the subgraphs' types be inferred from their declared inputs.
func (g generator) inferGraphs(c *ops.Infer) error {
	if c.Graph == nil {
		return nil
	}
	for name, sub := range map[string]*ops.GraphAttr{"decoder": g.decoder, "encoder": g.encoder, "init_decoder": g.in} {
		if sub == nil {
			continue
		}
		in := make([]ops.Info, len(sub.Inputs))
		for i := range in {
			if i < len(sub.InputTypes) {
				in[i].Type = sub.InputTypes[i]
			}
		}
		if _, err := c.Graph(name, in); err != nil {
			return err
		}
	}
	return nil
}

// limits are the settings of a run that change scores; the number of the first input after min_length differs.
type limits struct {
	generator
	maxLen, minLen       int
	repetition           float32
	vocabMask, firstMask []int // of tokens; of tokens for each batch entry, in the first step only
	presence             []int // of tokens for each row
	timestamps           bool
	batch, rows          int
	prompt               int // length of the sequences before the first step
}

func (l *limits) read(c *ops.Ctx, repetition int) error {
	var err error
	if l.maxLen, err = intScalar(c, 1, "max_length", 0); err != nil {
		return err
	}
	if l.minLen, err = intScalar(c, 2, "min_length", 0); err != nil {
		return err
	}
	if l.repetition, err = scalar(c, repetition, "repetition_penalty", 1); err != nil {
		return err
	}
	if l.maxLen <= 0 || l.maxLen > 1<<20 || l.repetition <= 0 {
		return fmt.Errorf("max_length %d, repetition_penalty %v", l.maxLen, l.repetition)
	}
	for i, dst := range []*[]int{&l.vocabMask, &l.firstMask} {
		if t := c.Tensor(repetition + 1 + i); t != nil {
			if *dst, err = t.Ints(); err != nil {
				return err
			}
		}
	}
	return nil
}

const lowest = -math.MaxFloat32

// process changes the scores (rows, vocab) of the next tokens of the sequences.
func (l *limits) process(scores []float32, seqs [][]int32, first bool) error {
	vocab := len(scores) / l.rows
	if l.vocabMask != nil && len(l.vocabMask) != vocab || l.firstMask != nil && len(l.firstMask) != l.batch*vocab ||
		l.presence != nil && len(l.presence) != len(scores) {
		return fmt.Errorf("a mask does not fit a vocabulary of %d", vocab)
	}
	for r, seq := range seqs {
		row := scores[r*vocab : (r+1)*vocab]
		if err := l.penalize(row, seq); err != nil {
			return err
		}
		for t := range row {
			if l.vocabMask != nil && l.vocabMask[t] == 0 || first && l.firstMask != nil && l.firstMask[r/(l.rows/l.batch)*vocab+t] == 0 {
				row[t] = lowest
			}
		}
		if len(seq) < l.minLen && l.eos >= 0 && l.eos < vocab {
			row[l.eos] = lowest
		}
		for t := range row {
			row[t] /= l.temperature
			if l.presence != nil {
				row[t] -= float32(l.presence[r*vocab+t]) * l.presencePenalty
			}
		}
		if l.timestamps {
			l.stamp(row, seq)
		}
	}
	return nil
}

// penalize makes tokens of the sequence less likely, and those that would repeat an n-gram impossible.
func (l *limits) penalize(row []float32, seq []int32) error {
	if l.repetition != 1 {
		seen := map[int32]bool{}
		for _, t := range seq {
			if t < 0 || int(t) >= len(row) {
				return fmt.Errorf("token %d of a vocabulary of %d", t, len(row))
			}
			if seen[t] {
				continue
			}
			seen[t] = true
			if row[t] < 0 {
				row[t] *= l.repetition
			} else {
				row[t] /= l.repetition
			}
		}
	}
	if l.noRepeat <= 0 || l.noRepeat > len(seq) {
		return nil
	}
	ids := make([]int, len(seq))
	for i, t := range seq {
		ids[i] = int(t)
	}
	if err := blockRepeats(row, ids, l.noRepeat); err != nil {
		return err
	}
	for i, v := range row {
		row[i] = max(v, lowest)
	}
	return nil
}

// stamp keeps to the grammar of Whisper's timestamps, which are the tokens from the 107th after the end token on: they
// come in pairs and never go back, and the first is at most a second.
func (l *limits) stamp(row []float32, seq []int32) {
	begin := int32(l.eos + 107)
	const latest = 50 // a second in steps of 20 ms
	ban := func(from, to int) {
		for t := max(from, 0); t < min(to, len(row)); t++ {
			row[t] = lowest
		}
	}
	start, last := 0, int32(-1)
	for start < len(seq) {
		start++
		if seq[start-1] >= begin {
			break
		}
	}
	for _, t := range seq {
		if t >= begin {
			last = t
		}
	}
	ban(l.eos+105, l.eos+107) // start of the language model, no timestamps
	if len(seq) > start {     // start of the transcript, translate, transcribe
		ban(l.eos+1, l.eos+2)
		ban(l.eos+101, l.eos+103)
	}
	single := false
	if n := len(seq); n > 0 && seq[n-1] >= begin {
		if single = n > start && n > 1 && seq[n-2] < begin; single {
			ban(0, l.eos)
		} else {
			ban(int(begin), len(row))
		}
	}
	if last >= 0 && !single {
		last++
	}
	ban(int(begin), int(last))
	if len(seq) == start {
		ban(int(begin)+latest+1, len(row))
	}
}

// lastLogits returns the logits of the last position as (rows, vocab); a tensor of fewer rows is repeated.
func (l *limits) lastLogits(v tensor.Value) ([]float32, int, error) {
	t, ok := v.(*tensor.Tensor)
	if !ok || t.Rank() != 3 || t.Dim(1) == 0 || t.Dim(0) != l.rows && t.Dim(0) != l.batch {
		return nil, 0, fmt.Errorf("logits are %v for %d sequences", v, l.rows)
	}
	f, err := t.AsFloat32()
	if err != nil {
		return nil, 0, err
	}
	full := t.Dim(2)
	vocab := full
	if l.vocab > 0 {
		vocab = min(vocab, l.vocab)
	}
	if vocab == 0 {
		return nil, 0, fmt.Errorf("logits have shape %v", t.Shape())
	}
	src, out := f.Float32(), make([]float32, l.rows*vocab)
	for r := range l.rows {
		at := (r/(l.rows/t.Dim(0))*t.Dim(1) + t.Dim(1) - 1) * full
		copy(out[r*vocab:(r+1)*vocab], src[at:at+vocab])
	}
	return out, vocab, nil
}

// idMatrix reads int32 ids (rows, columns) as one slice a row.
func idMatrix(t *tensor.Tensor, name string) ([][]int32, error) {
	if t == nil || t.Rank() != 2 || t.DType() != tensor.Int32 {
		return nil, fmt.Errorf("%s is %v, not an int32 matrix", name, t)
	}
	out := make([][]int32, t.Dim(0))
	for i := range out {
		out[i] = append([]int32{}, t.Int32()[i*t.Dim(1):(i+1)*t.Dim(1)]...)
	}
	return out, nil
}

// ids returns rows of equal length as a tensor.
func ids(rows [][]int32) *tensor.Tensor {
	if len(rows) == 0 {
		return tensor.New(tensor.Int32, 0, 0)
	}
	t := tensor.New(tensor.Int32, len(rows), len(rows[0]))
	for i, r := range rows {
		copy(t.Int32()[i*len(r):], r)
	}
	return t
}
