package attention

import (
	"math"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func TestRotaryEmbedding(t *testing.T) {
	// Position 0 leaves a pair as it is, position 1 turns it by a quarter: (a, b) → (-b, a).
	cos, sin := of([]float32{1, 1, 0, 0}, 2, 2), of([]float32{0, 0, 1, 1}, 2, 2)
	ids := tensor.Of(tensor.Shape{1, 2}, []int64{1, 0})
	x := of([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 1, 1, 2, 4) // one head, two steps
	call := func(a opstest.Attrs) opstest.Call { return opstest.Call{Name: "RotaryEmbedding", Attrs: a} }
	opstest.Equal(t, opstest.Run1(t, call(nil), x, cos, sin, ids), of([]float32{-3, -4, 1, 2, 5, 6, 7, 8}, 1, 1, 2, 4), 0, 0)
	opstest.Equal(t, opstest.Run1(t, call(opstest.Attrs{"interleaved": 1}), x, cos, sin, ids), of([]float32{-2, 1, -4, 3, 5, 6, 7, 8}, 1, 1, 2, 4), 0, 0)
	half := func(v ...float32) *tensor.Tensor { return of(v, 2, 1) }
	opstest.Equal(t, opstest.Run1(t, call(opstest.Attrs{"rotary_embedding_dim": 2}), x, half(1, 0), half(0, 1), ids), of([]float32{-2, 1, 3, 4, 5, 6, 7, 8}, 1, 1, 2, 4), 0, 0)
	// The caches by step instead of position, and packed heads of two elements.
	opstest.Equal(t, opstest.Run1(t, call(opstest.Attrs{"num_heads": 2}), x.Reshaped(tensor.Shape{1, 2, 4}), of([]float32{1, 0}, 1, 2, 1), of([]float32{0, 1}, 1, 2, 1)),
		of([]float32{1, 2, 3, 4, -6, 5, -8, 7}, 1, 2, 4), 0, 0)
	for name, in := range map[string][]tensor.Value{
		"no heads":  {x.Reshaped(tensor.Shape{1, 2, 4}), cos, sin, ids},
		"position":  {x, cos, sin, tensor.Of(tensor.Shape{1, 2}, []int64{2, 0})},
		"negative":  {x, cos, sin, tensor.Of(tensor.Shape{1, 2}, []int64{-1, 0})},
		"ids shape": {x, cos, sin, tensor.Vector[int64](0, 1)},
		"cache":     {x, half(1, 0), half(0, 1), ids},
		"no ids":    {x, cos, sin},
	} {
		if _, err := opstest.Run(t, call(nil), in...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestLinearAttention follows a state of one number: heads, keys and values have size 1.
func TestLinearAttention(t *testing.T) {
	seq := func(v ...float32) *tensor.Tensor { return of(v, 1, len(v), 1) }
	ln2 := float32(-math.Ln2) // halves the state
	q, k, v := seq(1, 10), seq(1, 2), seq(3, 4)
	past := of([]float32{8}, 1, 1, 1, 1)
	for _, c := range []struct {
		rule              string
		past, decay, beta *tensor.Tensor
		y                 [2]float32
		state             float32
	}{
		{"linear", nil, nil, nil, [2]float32{3, 110}, 11},
		{"linear", past, nil, nil, [2]float32{11, 190}, 19},
		{"gated", past, seq(ln2, ln2), nil, [2]float32{7, 115}, 11.5},
		{"delta", past, nil, seq(0.5, 1), [2]float32{5.5, -85}, -8.5},             // 8+(3-8)/2; 5.5+2·(4-11)
		{"gated_delta", past, seq(ln2, ln2), seq(1, 0.5), [2]float32{3, 25}, 2.5}, // 4+(3-4); 1.5+2·0.5·(4-3)
	} {
		in := make([]tensor.Value, 6)
		in[0], in[1], in[2] = q, k, v
		for i, x := range []*tensor.Tensor{c.past, c.decay, c.beta} {
			if x != nil {
				in[3+i] = x
			}
		}
		attrs := opstest.Attrs{"q_num_heads": 1, "kv_num_heads": 1, "update_rule": c.rule, "chunk_size": 8}
		out, err := opstest.Run(t, opstest.Call{Name: "LinearAttention", Outputs: 2, Attrs: attrs}, in...)
		if err != nil {
			t.Fatal(c.rule, err)
		}
		opstest.Equal(t, out[0].(*tensor.Tensor), of(c.y[:], 1, 2, 1), 1e-6, 0)
		opstest.Equal(t, out[1].(*tensor.Tensor), of([]float32{c.state}, 1, 1, 1, 1), 1e-6, 0)
	}
	attrs := opstest.Attrs{"q_num_heads": 1, "kv_num_heads": 1}
	if _, err := opstest.Run(t, opstest.Call{Name: "LinearAttention", Attrs: attrs}, q, k, v); err == nil {
		t.Error("gated_delta without decay is accepted")
	}
	// Half precision without a past state gives a state of the query's type.
	h := func(x *tensor.Tensor) *tensor.Tensor {
		y := tensor.New(tensor.Float16, x.Shape()...)
		tensor.EncodeFloat32(y, x.Float32())
		return y
	}
	attrs["update_rule"] = "linear"
	out, err := opstest.Run(t, opstest.Call{Name: "LinearAttention", Outputs: 2, Attrs: attrs}, h(q), h(k), h(v))
	if err != nil {
		t.Fatal(err)
	}
	opstest.Equal(t, out[1].(*tensor.Tensor), h(of([]float32{11}, 1, 1, 1, 1)), 0, 0)
}

func TestCausalConvWithState(t *testing.T) {
	x, w := of([]float32{1, 2, 3, 10, 20, 30}, 1, 2, 3), of([]float32{1, 10, 100, 1, 0, 1}, 2, 1, 3)
	past, bias := of([]float32{4, 5, 0, 0}, 1, 2, 2), tensor.Vector[float32](0, 1)
	out, err := opstest.Run(t, opstest.Call{Name: "CausalConvWithState", Outputs: 2}, x, w, bias, past)
	if err != nil {
		t.Fatal(err)
	}
	opstest.Equal(t, out[0].(*tensor.Tensor), of([]float32{154, 215, 321, 11, 21, 41}, 1, 2, 3), 0, 0)
	opstest.Equal(t, out[1].(*tensor.Tensor), of([]float32{2, 3, 20, 30}, 1, 2, 2), 0, 0)
	one := of([]float32{7}, 1, 1, 1)
	out, err = opstest.Run(t, opstest.Call{Name: "CausalConvWithState", Outputs: 2, Attrs: opstest.Attrs{"activation": "silu"}}, one, of([]float32{0, 0, 0, 0}, 1, 1, 4), tensor.Vector[float32](2))
	if err != nil {
		t.Fatal(err)
	}
	opstest.Equal(t, out[0].(*tensor.Tensor), of([]float32{float32(2 / (1 + math.Exp(-2)))}, 1, 1, 1), 1e-6, 0)
	opstest.Equal(t, out[1].(*tensor.Tensor), of([]float32{0, 0, 7}, 1, 1, 3), 0, 0)
	if _, err := opstest.Run(t, opstest.Call{Name: "CausalConvWithState"}, x, one); err == nil {
		t.Error("a weight for other channels is accepted")
	}
}

func TestFlexAttention(t *testing.T) {
	q, k, v := tensor.New(tensor.Float32, 1, 2, 1, 1), tensor.New(tensor.Float32, 1, 1, 2, 1), of([]float32{1, 5}, 1, 1, 2, 1)
	call := opstest.Call{Domain: ops.Preview, Name: "FlexAttention"}
	opstest.Equal(t, opstest.Run1(t, call, q, k, v), of([]float32{3, 3}, 1, 2, 1, 1), 1e-6, 0)
	// score_mod masks the first key of head 0; prob_mod doubles. Both see the type that softmax_precision asks for.
	for _, d := range []tensor.DType{tensor.Float32, tensor.Float64, tensor.Float16} {
		call.Attrs = opstest.Attrs{"score_mod": &ops.GraphAttr{}, "prob_mod": &ops.GraphAttr{}, "softmax_precision": d}
		call.Graph = func(name string, in []tensor.Value) ([]tensor.Value, error) {
			x := in[0].(*tensor.Tensor)
			if x.DType() != d {
				t.Errorf("%s gets %v, want %v", name, x, d)
			}
			f, _ := x.Floats()
			y, out := make([]float32, len(f)), tensor.New(d, x.Shape()...)
			for i, e := range f {
				if y[i] = 2 * float32(e); name == "score_mod" && i == 0 {
					y[i] = -inf
				}
			}
			ops.StoreFloats(out, y)
			return []tensor.Value{out}, nil
		}
		opstest.Equal(t, opstest.Run1(t, call, q, k, v), of([]float32{10, 6}, 1, 2, 1, 1), 1e-3, 0)
	}
	call.Graph = func(string, []tensor.Value) ([]tensor.Value, error) { return []tensor.Value{q}, nil }
	if _, err := opstest.Run(t, call, q, k, v); err == nil {
		t.Error("a modifier that changes the shape is accepted")
	}
}
