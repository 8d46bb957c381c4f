package contrib

import (
	"fmt"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// languageModel runs the subgraphs of a generation.
type languageModel interface {
	// prompt runs over the sequences and returns logits.
	prompt(c *ops.Ctx, seqs [][]int32) (tensor.Value, error)
	// next runs with one more token for each sequence; sequence i continues what was sequence from[i].
	next(c *ops.Ctx, seqs [][]int32, from []int) (tensor.Value, error)
}

// subgraphInputs are the values for a subgraph by the names of its inputs.
type subgraphInputs map[string]tensor.Value

func (s subgraphInputs) list(g *ops.GraphAttr) ([]tensor.Value, error) {
	in := make([]tensor.Value, len(g.Inputs))
	for i, n := range g.Inputs {
		v, ok := s[n]
		if !ok {
			return nil, fmt.Errorf("subgraph input %q is none that generation knows", n)
		}
		in[i] = v
	}
	return in, nil
}

// pasts returns the names of the inputs for states: keys and values of past tokens.
func pasts(g *ops.GraphAttr) []string {
	var out []string
	for _, n := range g.Inputs {
		if strings.HasPrefix(n, "past") && n != "past_sequence_length" && n != "past_seq_len" {
			out = append(out, n)
		}
	}
	return out
}

// declared is the type of a subgraph's input.
func declared(g *ops.GraphAttr, name string) tensor.Type {
	for i, n := range g.Inputs {
		if n == name && i < len(g.InputTypes) {
			return g.InputTypes[i]
		}
	}
	return tensor.Type{}
}

func has(g *ops.GraphAttr, name string) bool {
	for _, n := range g.Inputs {
		if n == name {
			return true
		}
	}
	return false
}

// pickRows returns the tensor with the given indices along an axis.
func pickRows(v tensor.Value, axis int, from []int) (*tensor.Tensor, error) {
	t, ok := v.(*tensor.Tensor)
	if !ok || t.Rank() <= axis || t.DType().Packed() || t.DType() == tensor.String {
		return nil, fmt.Errorf("state is %v", v)
	}
	shape := t.Shape().Clone()
	shape[axis] = len(from)
	if _, err := shape.CheckSize(); err != nil {
		return nil, err
	}
	out := tensor.New(t.DType(), shape...)
	n, old := t.DType().Bytes(shape[axis+1:].Size()), t.Dim(axis)
	for o := range shape[:axis].Size() {
		for i, k := range from {
			copy(out.Bytes()[(o*len(from)+i)*n:(o*len(from)+i+1)*n], t.Bytes()[(o*old+k)*n:])
		}
	}
	return out, nil
}

// sharedInputs adds the inputs of subgraphs whose past and present are one buffer: the states are reordered for each step,
// so that each beam's past is its own.
func sharedInputs(in subgraphInputs, past, rows, beams, maxLen int) {
	in["past_sequence_length"] = tensor.Vector(int32(past))
	in["past_seq_len"] = in["past_sequence_length"]
	in["beam_width"] = tensor.Vector(int32(beams))
	in["num_beams"] = in["beam_width"]
	t := tensor.New(tensor.Int32, rows/beams, beams, maxLen)
	for i := range t.Int32() {
		t.Int32()[i] = int32(i / maxLen % beams)
	}
	in["cache_indirection"] = t
}

func isShared(g *ops.GraphAttr) bool { return has(g, "past_sequence_length") || has(g, "past_seq_len") }

// gptModel is a decoder with inputs input_ids, position_ids, attention_mask and past_0… (2, rows, heads, length, size) and
// outputs logits and present_0….
type gptModel struct {
	*limits
	beams  int
	mask   [][]int32 // of each sequence's tokens
	counts []int32   // tokens that are no padding
	states []tensor.Value
}

// newGPT makes the mask of each of rows sequences: given, or zero for padding tokens. Positions count tokens that are no
// padding, whatever the mask.
func newGPT(l *limits, seqs [][]int32, given *tensor.Tensor, beams int) (*gptModel, error) {
	m := &gptModel{limits: l, beams: beams, counts: make([]int32, len(seqs))}
	for r, s := range seqs {
		row := make([]int32, len(s))
		for i, t := range s {
			if int(t) != l.pad {
				row[i] = 1
				m.counts[r]++
			}
		}
		if given != nil {
			masks, err := idMatrix(given, "attention_mask")
			if err != nil {
				return nil, err
			}
			if len(masks) != l.batch || len(masks[r/beams]) != len(s) {
				return nil, fmt.Errorf("attention_mask has shape %v for %d sequences of %d", given.Shape(), l.batch, len(s))
			}
			row = masks[r/beams]
		}
		m.mask = append(m.mask, row)
	}
	return m, nil
}

func (m *gptModel) prompt(c *ops.Ctx, seqs [][]int32) (tensor.Value, error) {
	name, g := "decoder", m.decoder
	if m.in != nil {
		name, g = "init_decoder", m.in
	}
	pos := make([][]int32, len(seqs))
	for r := range seqs {
		n := int32(0)
		for _, t := range seqs[r] {
			p := int32(0)
			if int(t) != m.pad {
				p = n
				n++
			}
			pos[r] = append(pos[r], p)
		}
	}
	m.states = nil
	for _, n := range pasts(g) {
		t := declared(g, n)
		if !t.Ranked || len(t.Dims) != 5 {
			return nil, fmt.Errorf("state %q is declared as %v, not with 5 axes", n, t)
		}
		heads, ok1 := t.Dims[2].Int()
		size, ok2 := t.Dims[4].Int()
		if !ok1 || !ok2 || heads < 0 || size < 0 || heads > 1<<20 || size > 1<<20 {
			return nil, fmt.Errorf("state %q is declared as %v, without heads and their size", n, t)
		}
		length := 0
		if isShared(g) {
			length = m.maxLen
		}
		s := tensor.Shape{2, len(seqs), heads, length, size}
		if _, err := s.CheckSize(); err != nil {
			return nil, err
		}
		d := t.DType
		if d == tensor.Undefined {
			d = tensor.Float32
		}
		m.states = append(m.states, tensor.New(d, s...))
	}
	return m.run(c, name, g, seqs, pos, 0)
}

func (m *gptModel) next(c *ops.Ctx, seqs [][]int32, from []int) (tensor.Value, error) {
	last, pos := make([][]int32, len(seqs)), make([][]int32, len(seqs))
	for r, s := range seqs {
		last[r], pos[r] = s[len(s)-1:], []int32{m.counts[r]}
		m.counts[r]++
		m.mask[r] = append(m.mask[r], 1)
	}
	if from != nil {
		for i, s := range m.states {
			t, err := pickRows(s, 1, from)
			if err != nil {
				return nil, err
			}
			m.states[i] = t
		}
	}
	return m.run(c, "decoder", m.decoder, last, pos, len(seqs[0])-1)
}

// run calls a subgraph and keeps its states.
func (m *gptModel) run(c *ops.Ctx, name string, g *ops.GraphAttr, tokens, pos [][]int32, past int) (tensor.Value, error) {
	in := subgraphInputs{"input_ids": ids(tokens), "position_ids": ids(pos), "attention_mask": ids(m.mask)}
	names := pasts(g)
	if len(names) != len(m.states) {
		return nil, fmt.Errorf("%s has %d states, not %d", name, len(names), len(m.states))
	}
	for i, n := range names {
		in[n] = m.states[i]
	}
	sharedInputs(in, past, len(tokens), m.beams, m.maxLen)
	list, err := in.list(g)
	if err != nil {
		return nil, err
	}
	out, err := c.RunGraph(name, list)
	if err != nil {
		return nil, err
	}
	if len(out) < 1+len(names) {
		return nil, fmt.Errorf("%s has %d outputs for %d states", name, len(out), len(names))
	}
	m.states = out[1 : 1+len(names)]
	return out[0], nil
}

// encoderDecoder is a pair of subgraphs as T5's. The encoder takes the input, encoder_attention_mask and perhaps
// decoder_input_ids, and gives encoder_hidden_states, the states of cross attention and, if it includes the decoder's first
// step, logits and the states of self attention before those. The decoder takes input_ids, encoder_attention_mask,
// encoder_hidden_states and the states, those of self attention first, and gives logits and new states of self attention.
type encoderDecoder struct {
	*limits
	beams  int
	in     subgraphInputs
	states []tensor.Value
	whole  bool // input_ids are the whole sequences
}

func newEncoderDecoder(l *limits, beams int) *encoderDecoder {
	m := &encoderDecoder{limits: l, beams: beams, in: subgraphInputs{}}
	if t := declared(l.decoder, "input_ids"); t.Ranked && len(t.Dims) == 2 {
		n, ok := t.Dims[1].Int()
		m.whole = !ok || n != 1
	}
	return m
}

func (m *encoderDecoder) prompt(c *ops.Ctx, seqs [][]int32) (tensor.Value, error) {
	logits, err := m.encode(c, seqs)
	if err != nil || logits != nil {
		return logits, err
	}
	return m.decode(c, seqs, 0)
}

// encode runs the encoder on the batch and expands what it gives to the beams; it returns logits if it gives some.
func (m *encoderDecoder) encode(c *ops.Ctx, seqs [][]int32) (tensor.Value, error) {
	source := c.Tensor(0)
	mask, err := m.sourceMask(c, source)
	if err != nil {
		return nil, err
	}
	one := make([][]int32, m.batch)
	spread := make([]int, m.rows)
	for b := range one {
		one[b] = seqs[b*m.beams]
	}
	for r := range spread {
		spread[r] = r / m.beams
	}
	in := subgraphInputs{"decoder_input_ids": ids(one), m.encoder.Inputs[0]: source}
	if mask != nil {
		in["encoder_attention_mask"] = mask
		if m.in["encoder_attention_mask"], err = pickRows(mask, 0, spread); err != nil {
			return nil, err
		}
	}
	list, err := in.list(m.encoder)
	if err != nil {
		return nil, err
	}
	out, err := c.RunGraph("encoder", list)
	if err != nil {
		return nil, err
	}
	var logits tensor.Value
	m.states = nil
	for i, n := range m.encoder.Outputs {
		if n == "logits" {
			logits = out[i]
			continue
		}
		t, err := pickRows(out[i], 0, spread)
		if err != nil {
			return nil, err
		}
		if n == "encoder_hidden_states" {
			m.in[n] = t
		} else {
			m.states = append(m.states, t)
		}
	}
	return logits, m.completeStates()
}

// sourceMask is the attention mask in input 9, or one that leaves padding at the front out; nil if the source isn't tokens.
func (m *encoderDecoder) sourceMask(c *ops.Ctx, source *tensor.Tensor) (*tensor.Tensor, error) {
	if t := c.Tensor(9); t != nil {
		return t, nil
	}
	if source.DType() != tensor.Int32 {
		return nil, nil
	}
	rows, err := idMatrix(source, "input_ids")
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		n := 0
		for n < len(r) && int(r[n]) == m.pad {
			r[n] = 0
			n++
		}
		for i := range r[n:] {
			r[n+i] = 1
		}
	}
	return ids(rows), nil
}

// completeStates puts empty states of self attention before those of cross attention where the encoder gave these only,
// and makes room for all tokens in shared buffers.
func (m *encoderDecoder) completeStates() error {
	want := len(pasts(m.decoder))
	if len(m.states)*2 == want {
		var empty []tensor.Value
		for _, v := range m.states {
			t := v.(*tensor.Tensor)
			if t.Rank() != 4 {
				return fmt.Errorf("state of cross attention is %v", t)
			}
			empty = append(empty, tensor.New(t.DType(), t.Dim(0), t.Dim(1), 0, t.Dim(3)))
		}
		m.states = append(empty, m.states...)
	}
	if len(m.states) != want {
		return fmt.Errorf("the encoder gives %d states, the decoder takes %d", len(m.states), want)
	}
	if !isShared(m.decoder) {
		return nil
	}
	for i, v := range m.states[:want/2] {
		t := v.(*tensor.Tensor)
		if t.Rank() != 4 || t.Dim(2) > m.maxLen {
			return fmt.Errorf("state of self attention is %v", t)
		}
		wide := tensor.New(t.DType(), t.Dim(0), t.Dim(1), m.maxLen, t.Dim(3))
		n := t.DType().Bytes(t.Dim(2) * t.Dim(3))
		to := t.DType().Bytes(m.maxLen * t.Dim(3))
		for h := range t.Dim(0) * t.Dim(1) {
			copy(wide.Bytes()[h*to:], t.Bytes()[h*n:(h+1)*n])
		}
		m.states[i] = wide
	}
	return nil
}

func (m *encoderDecoder) next(c *ops.Ctx, seqs [][]int32, from []int) (tensor.Value, error) {
	if from != nil {
		for i, v := range m.states[:len(m.states)/2] {
			t, err := pickRows(v, 0, from)
			if err != nil {
				return nil, err
			}
			m.states[i] = t
		}
	}
	return m.decode(c, seqs, len(seqs[0])-1)
}

// decode runs the decoder for the tokens after the first past ones.
func (m *encoderDecoder) decode(c *ops.Ctx, seqs [][]int32, past int) (tensor.Value, error) {
	tokens := make([][]int32, len(seqs))
	for r, s := range seqs {
		if tokens[r] = s; !m.whole {
			tokens[r] = s[past:]
		}
	}
	m.in["input_ids"] = ids(tokens)
	for i, n := range pasts(m.decoder) {
		m.in[n] = m.states[i]
	}
	sharedInputs(m.in, past, len(seqs), m.beams, m.maxLen)
	list, err := m.in.list(m.decoder)
	if err != nil {
		return nil, err
	}
	out, err := c.RunGraph("decoder", list)
	if err != nil {
		return nil, err
	}
	n := len(m.states) / 2
	if len(out) < 1+n {
		return nil, fmt.Errorf("the decoder has %d outputs for %d states", len(out), n)
	}
	copy(m.states, out[1:1+n])
	return out[0], nil
}
