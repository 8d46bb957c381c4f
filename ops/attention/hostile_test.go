package attention

import (
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func TestHostileShapes(t *testing.T) {
	types := func(ints ...int) func(int) tensor.DType {
		return func(i int) tensor.DType {
			for _, k := range ints {
				if k == i {
					return tensor.Int64
				}
			}
			return tensor.Float32
		}
	}
	heads := opstest.Attrs{"q_num_heads": 2, "kv_num_heads": 1, "is_causal": 1}
	for _, c := range []struct {
		domain, name string
		ins, out     int
		attrs        opstest.Attrs
		dtype        func(int) tensor.DType
	}{
		{"", "Attention", 3, 1, nil, types()},
		{"", "Attention", 4, 4, opstest.Attrs{"left_window_size": 1, "is_causal": 1, "qk_matmul_output_mode": 3}, types(3)},
		{"", "Attention", 6, 4, nil, types()},
		{"", "Attention", 6, 4, heads, types()},
		{"", "Attention", 7, 4, opstest.Attrs{"is_causal": 1, "qk_matmul_output_mode": 2}, types(6)},
		{"", "RotaryEmbedding", 4, 1, nil, types(3)},
		{"", "RotaryEmbedding", 4, 1, opstest.Attrs{"num_heads": 1, "interleaved": 1, "rotary_embedding_dim": 2}, types(3)},
		{"", "LinearAttention", 4, 2, opstest.Attrs{"q_num_heads": 2, "kv_num_heads": 1, "update_rule": "linear"}, types()},
		{"", "LinearAttention", 6, 2, opstest.Attrs{"q_num_heads": 1, "kv_num_heads": 1}, types()},
		{"", "CausalConvWithState", 4, 2, nil, types()},
		{ops.Preview, "FlexAttention", 3, 1, nil, types()},
	} {
		req := 3
		if c.name == "CausalConvWithState" {
			req = 2
		}
		opstest.Hostile(t, opstest.Call{Domain: c.domain, Name: c.name, Outputs: c.out, Attrs: c.attrs}, 4000, req, c.ins, c.dtype)
	}
}
