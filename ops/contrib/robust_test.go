package contrib_test

import (
	"fmt"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

// TestNoPanics runs the cases with one input replaced by tensors of other shapes and values: errors are fine.
func TestNoPanics(t *testing.T) {
	for n, c := range readCases(t) {
		for k := range c.In {
			for v, x := range variants(c.inputs(t)[k]) {
				in := c.inputs(t)
				in[k] = x
				func() {
					defer func() {
						if p := recover(); p != nil {
							t.Errorf("case %d, %s %v: input %d as %v (variant %d): %v", n+1, c.Op, c.Attrs, k, x, v, p)
						}
					}()
					_, _ = opstest.Run(quiet{t}, opstest.Call{Domain: c.Domain, Name: c.Op, Attrs: c.attrs(), Outputs: len(c.Out)}, in...)
				}()
			}
		}
	}
}

// quiet ignores failures: inference need not find out what Run refuses.
type quiet struct{ testing.TB }

// Errorf implements testing.TB.
func (quiet) Errorf(string, ...any) {}

// variants are tensors like v with other shapes, or with large numbers instead of small integers.
func variants(v tensor.Value) []*tensor.Tensor {
	x, ok := v.(*tensor.Tensor)
	if !ok {
		return nil
	}
	d := x.DType()
	out := []*tensor.Tensor{tensor.New(d), tensor.New(d, 0), tensor.New(d, 1), tensor.New(d, 2, 3), tensor.New(d, 0, 0, 0), tensor.New(d, 1, 1, 1, 1), tensor.New(d, 2, 0, 2, 4, 4, 2)}
	for i := range x.Shape() {
		for _, n := range []int{0, 1, x.Dim(i) + 1} {
			s := x.Shape().Clone()
			s[i] = n
			out = append(out, tensor.New(d, s...))
		}
	}
	for _, n := range []int64{-1, 100, 1 << 10} {
		y := tensor.New(d, x.Shape()...)
		switch d {
		case tensor.Int32:
			for i := range y.Int32() {
				y.Int32()[i] = int32(n)
			}
		case tensor.Int64:
			for i := range y.Int64() {
				y.Int64()[i] = n
			}
		default:
			continue
		}
		out = append(out, y)
	}
	return out
}

func (c contribCase) inputs(t *testing.T) []tensor.Value {
	in := make([]tensor.Value, len(c.In))
	for i, x := range c.In {
		if x != nil {
			in[i] = x.tensor(t)
		}
	}
	return in
}

// TestBadAttributes checks that values which make no sense are refused when the operator is made.
func TestBadAttributes(t *testing.T) {
	for _, c := range []struct {
		op    string
		attrs opstest.Attrs
	}{
		{"Attention", nil}, {"Attention", opstest.Attrs{"num_heads": -1}}, {"Attention", opstest.Attrs{"num_heads": 2, "qkv_hidden_sizes": []int{8, 4, 4}}},
		{"MultiHeadAttention", opstest.Attrs{"num_heads": 0}}, {"GroupQueryAttention", opstest.Attrs{"num_heads": 3, "kv_num_heads": 2}},
		{"SparseAttention", opstest.Attrs{"num_heads": 4, "kv_num_heads": 2}}, {"RotaryEmbedding", opstest.Attrs{"rotary_embedding_dim": 4}},
		{"MatMulNBits", opstest.Attrs{"K": 16, "N": 4, "block_size": 15}}, {"MatMulNBits", opstest.Attrs{"K": 16, "N": 4, "block_size": 16, "bits": 3}},
		{"MatMulBnb4", opstest.Attrs{"K": 16, "N": 4, "block_size": 16, "quant_type": 2}}, {"GatherBlockQuantized", opstest.Attrs{"bits": 5}},
		{"MoE", opstest.Attrs{"k": 0}}, {"MoE", opstest.Attrs{"activation_type": "sin"}}, {"QMoE", opstest.Attrs{"quant_type": "fp4"}},
		{"FusedConv", opstest.Attrs{"activation": "Sin"}}, {"FusedGemm", opstest.Attrs{"activation": "Sin"}}, {"NGramRepeatBlock", opstest.Attrs{"ngram_size": 0}},
		{"LinearAttention", opstest.Attrs{"q_num_heads": 4, "kv_num_heads": 3}}, {"CausalConvWithState", opstest.Attrs{"ndim": 4}},
		{"BeamSearch", opstest.Attrs{"eos_token_id": 1}}, {"Gelu", opstest.Attrs{"approximate": "tanh"}},
	} {
		if _, err := opstest.New(opstest.Call{Domain: "com.microsoft", Name: c.op, Attrs: c.attrs}); err == nil {
			t.Error(fmt.Sprint(c.op, c.attrs, ": no error"))
		}
	}
}
