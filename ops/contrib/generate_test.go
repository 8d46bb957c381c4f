package contrib_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

// The models of these tests add up rows of tables: of the last token, of its position, and the mean of all tokens so far
// (their keys, which are the state), of 2 heads of size 4.
const vocab, stateHeads, stateSize = 11, 2, 4

func wave(scale float64, i, j int) float32 {
	return float32(scale * math.Sin(1+3*float64(i*i)+7*float64(j)))
}

// keys appends the tokens' rows of a table to a state (B, heads, T, size).
func keys(past *tensor.Tensor, ids *tensor.Tensor) *tensor.Tensor {
	batch, n, old := ids.Dim(0), ids.Dim(1), 0
	if past != nil {
		old = past.Dim(past.Rank() - 2)
	}
	out := tensor.New(tensor.Float32, batch, stateHeads, old+n, stateSize)
	for b := range batch {
		for h := range stateHeads {
			at := (b*stateHeads + h) * (old + n) * stateSize
			if past != nil {
				copy(out.Float32()[at:], past.Float32()[(b*stateHeads+h)*old*stateSize:(b*stateHeads+h+1)*old*stateSize])
			}
			for t := range n {
				for i := range stateSize {
					out.Float32()[at+(old+t)*stateSize+i] = wave(1, int(ids.Int32()[b*n+t]), h*stateSize+i)
				}
			}
		}
	}
	return out
}

// meanTimes is the mean of a state's keys for batch entry b, times a table, for one token.
func meanTimes(state *tensor.Tensor, b, token int, scale float64) float32 {
	sum, n := float32(0), state.Dim(2)
	for h := range stateHeads {
		for i := range stateSize {
			m := float32(0)
			for t := range n {
				m += state.Float32()[((b*stateHeads+h)*n+t)*stateSize+i]
			}
			sum += m / float32(n) * wave(scale, h*stateSize+i, token)
		}
	}
	return sum
}

func maskMean(t *tensor.Tensor, b int) float32 {
	sum, n := int32(0), t.Dim(1)
	for _, v := range t.Int32()[b*n : (b+1)*n] {
		sum += v
	}
	return float32(sum) / float32(n)
}

// gpt is a decoder with inputs input_ids, position_ids, attention_mask and past_0, where keys and values are alike.
func gpt(_ string, in []tensor.Value) ([]tensor.Value, error) {
	ids, pos, mask, past := in[0].(*tensor.Tensor), in[1].(*tensor.Tensor), in[2].(*tensor.Tensor), in[3].(*tensor.Tensor)
	batch, n, old := ids.Dim(0), ids.Dim(1), past.Dim(3)
	half := past.Reshaped(tensor.Shape{2, batch * stateHeads * old * stateSize})
	state := keys(half.Rows(0, 1).Reshaped(tensor.Shape{batch, stateHeads, old, stateSize}), ids)
	logits := tensor.New(tensor.Float32, batch, n, vocab)
	for b := range batch {
		for t := range n {
			for v := range vocab {
				logits.Float32()[(b*n+t)*vocab+v] = wave(2, int(ids.Int32()[b*n+t]), v) + wave(1, int(pos.Int32()[b*n+t]), v) +
					maskMean(mask, b)*meanTimes(state, b, v, 1)
			}
		}
	}
	present := tensor.New(tensor.Float32, 2, batch, stateHeads, old+n, stateSize)
	copy(present.Float32(), state.Float32())
	copy(present.Float32()[state.Len():], state.Float32())
	return []tensor.Value{logits, present}, nil
}

func gptGraph() *ops.GraphAttr {
	past := tensor.TensorType(tensor.Float32, tensor.Int(2), tensor.Dim{}, tensor.Int(stateHeads), tensor.Dim{}, tensor.Int(stateSize))
	return &ops.GraphAttr{Inputs: []string{"input_ids", "position_ids", "attention_mask", "past_0"}, Outputs: []string{"logits", "present_0"},
		InputTypes: []tensor.Type{{}, {}, {}, past}}
}

func ids32(rows, columns int, v ...int32) *tensor.Tensor {
	return tensor.Of(tensor.Shape{rows, columns}, v)
}

// The expected tokens and scores are ONNX Runtime's.
func TestGenerate(t *testing.T) {
	prompt := ids32(2, 3, 3, 4, 5, 10, 10, 2)
	i := func(v int32) tensor.Value { return tensor.Vector(v) }
	f := func(v float32) tensor.Value { return tensor.Vector(v) }
	for _, c := range []struct {
		op     string
		attrs  opstest.Attrs
		in     []tensor.Value
		want   *tensor.Tensor
		scores []float32
	}{
		{"GreedySearch", nil, []tensor.Value{prompt, i(10)},
			ids32(2, 10, 3, 4, 5, 10, 3, 6, 0, 9, 4, 4, 10, 10, 2, 10, 4, 3, 7, 5, 10, 3), nil},
		{"GreedySearch", opstest.Attrs{"no_repeat_ngram_size": 2}, []tensor.Value{prompt, i(10), i(6), f(1.5)},
			ids32(2, 10, 3, 4, 5, 10, 3, 6, 0, 9, 4, 4, 10, 10, 2, 10, 4, 3, 7, 5, 10, 10), nil},
		{"BeamSearch", nil, []tensor.Value{prompt, i(10), i(0), i(3), i(2), f(1), f(1)},
			tensor.Of(tensor.Shape{2, 2, 10}, []int32{3, 4, 5, 10, 10, 10, 10, 10, 10, 10, 3, 4, 5, 10, 4, 4, 3, 7, 6, 7,
				10, 10, 2, 10, 10, 10, 10, 10, 10, 10, 10, 10, 2, 10, 4, 4, 4, 4, 3, 7}), []float32{-0.46655545, -0.75557953, -0.4709612, -0.7211648}},
		{"BeamSearch", opstest.Attrs{"early_stopping": 1}, []tensor.Value{prompt, i(10), i(5), i(4), i(1), f(2), f(1.3)},
			tensor.Of(tensor.Shape{2, 1, 10}, []int32{3, 4, 5, 10, 4, 4, 3, 7, 6, 8, 10, 10, 2, 10, 4, 3, 7, 6, 0, 9}), []float32{-0.08699316, -0.08565708}},
		{"Sampling", opstest.Attrs{"top_p": 0.9, "temperature": 1.3, "min_tokens_to_keep": 1},
			[]tensor.Value{prompt, i(10), i(0), f(1), nil, nil, nil, nil, i(4)},
			ids32(2, 10, 3, 4, 5, 2, 10, 4, 2, 0, 9, 3, 10, 10, 2, 10, 4, 2, 10, 10, 10, 10), nil},
	} {
		attrs := opstest.Attrs{"decoder": gptGraph(), "eos_token_id": 1, "pad_token_id": 10}
		for k, v := range c.attrs {
			attrs[k] = v
		}
		outputs := 1
		if c.scores != nil {
			outputs = 2
		}
		out, err := opstest.Run(t, opstest.Call{Domain: ops.Microsoft, Name: c.op, Attrs: attrs, Outputs: outputs, Graph: gpt}, c.in...)
		if err != nil {
			t.Errorf("%s: %v", c.op, err)
			continue
		}
		opstest.Equal(t, out[0].(*tensor.Tensor), c.want, 0, 0)
		if c.scores != nil {
			opstest.Equal(t, out[1].(*tensor.Tensor), tensor.Of(c.want.Shape()[:2], c.scores), 1e-4, 0)
		}
	}
}

// t5 is an encoder that gives the state of cross attention, and a decoder.
func t5(name string, in []tensor.Value) ([]tensor.Value, error) {
	if name == "encoder" {
		k := keys(nil, in[0].(*tensor.Tensor))
		return []tensor.Value{k, k}, nil
	}
	if name != "decoder" {
		return nil, fmt.Errorf("graph %s", name)
	}
	ids, mask, past, cross := in[0].(*tensor.Tensor), in[1].(*tensor.Tensor), in[2].(*tensor.Tensor), in[4].(*tensor.Tensor)
	state := keys(past, ids)
	logits := tensor.New(tensor.Float32, ids.Dim(0), 1, vocab)
	for b := range ids.Dim(0) {
		for v := range vocab {
			logits.Float32()[b*vocab+v] = wave(2, int(ids.Int32()[b]), v) + maskMean(mask, b)*meanTimes(cross, b, v, 2) + meanTimes(state, b, v, 2)
		}
	}
	return []tensor.Value{logits, state, state}, nil
}

func TestGenerateEncoderDecoder(t *testing.T) {
	single := tensor.TensorType(tensor.Int32, tensor.Dim{}, tensor.Int(1))
	attrs := opstest.Attrs{"eos_token_id": 1, "pad_token_id": 10, "decoder_start_token_id": 0, "model_type": 1,
		"encoder": &ops.GraphAttr{Inputs: []string{"encoder_input_ids", "encoder_attention_mask"}, Outputs: []string{"present_key_cross_0", "present_value_cross_0"}},
		"decoder": &ops.GraphAttr{Inputs: []string{"input_ids", "encoder_attention_mask", "past_key_self_0", "past_value_self_0", "past_key_cross_0", "past_value_cross_0"},
			Outputs: []string{"logits", "present_key_self_0", "present_value_self_0"}, InputTypes: []tensor.Type{single}}}
	i := func(v int32) tensor.Value { return tensor.Vector(v) }
	f := func(v float32) tensor.Value { return tensor.Vector(v) }
	out, err := opstest.Run(t, opstest.Call{Domain: ops.Microsoft, Name: "BeamSearch", Attrs: attrs, Outputs: 2, Graph: t5},
		ids32(2, 4, 10, 4, 5, 6, 7, 2, 10, 3), i(8), i(3), i(3), i(2), f(1), f(1))
	if err != nil {
		t.Fatal(err)
	}
	opstest.Equal(t, out[0].(*tensor.Tensor), tensor.Of(tensor.Shape{2, 2, 8}, []int32{0, 2, 2, 2, 2, 2, 2, 3, 0, 2, 2, 2, 2, 2, 2, 2,
		0, 9, 4, 4, 4, 4, 4, 4, 0, 9, 4, 4, 4, 4, 4, 3}), 0, 0)
	opstest.Equal(t, out[1].(*tensor.Tensor), tensor.Of(tensor.Shape{2, 2}, []float32{-0.97570217, -0.97702694, -0.9060269, -0.9229487}), 1e-4, 0)
}

func TestGenerateErrors(t *testing.T) {
	prompt := ids32(1, 2, 3, 4)
	attrs := opstest.Attrs{"decoder": gptGraph(), "eos_token_id": 1, "pad_token_id": 10}
	i := func(v int32) tensor.Value { return tensor.Vector(v) }
	for name, in := range map[string][]tensor.Value{
		"no length":     {prompt, i(0), nil, i(1), i(1)},
		"no beams":      {prompt, i(5), nil, i(0), i(1)},
		"too many back": {prompt, i(5), nil, i(2), i(3)},
		"float ids":     {tensor.New(tensor.Float32, 1, 2), i(5), nil, i(1), i(1)},
		"short mask":    {prompt, i(5), nil, i(1), i(1), nil, nil, tensor.Vector[int32](1, 1)},
	} {
		if out, err := opstest.Run(t, opstest.Call{Domain: ops.Microsoft, Name: "BeamSearch", Attrs: attrs, Graph: gpt}, in...); err == nil {
			t.Errorf("%s: got %v", name, out)
		}
	}
}
