package attention

import (
	"math"
	"strings"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func of(v []float32, shape ...int) *tensor.Tensor { return tensor.Of(tensor.Shape(shape), v) }

func double(x *tensor.Tensor) *tensor.Tensor {
	y := tensor.New(tensor.Float64, x.Shape()...)
	for i, v := range x.Float32() {
		y.Float64()[i] = float64(v)
	}
	return y
}

var inf = float32(math.Inf(1))

// TestMasks attends with queries of zero, so that a query's output is the mean of the values 1, 2, 4, 8 of the keys it may attend.
func TestMasks(t *testing.T) {
	q := tensor.New(tensor.Float32, 1, 1, 2, 1)
	k := of([]float32{5, -5, 3, 2}, 1, 1, 4, 1)
	v := of([]float32{1, 2, 4, 8}, 1, 1, 4, 1)
	bools := func(b ...bool) *tensor.Tensor { return tensor.Of(tensor.Shape{len(b) / 4, 4}, b) }
	for _, c := range []struct {
		name  string
		opset int
		attrs opstest.Attrs
		mask  *tensor.Tensor
		lens  *tensor.Tensor
		want  [2]float32
	}{
		{name: "plain", want: [2]float32{3.75, 3.75}},
		{name: "causal", attrs: opstest.Attrs{"is_causal": 1}, want: [2]float32{1, 1.5}},
		{name: "bool", mask: bools(true, false, true, false, false, false, false, false), want: [2]float32{2.5, 0}},
		{name: "float", mask: of([]float32{0, -inf, 0, -inf}, 1, 1, 1, 4), want: [2]float32{2.5, 2.5}},
		{name: "int", mask: tensor.Vector[int32](0, 0, -1000, -1000), want: [2]float32{1.5, 1.5}},
		{name: "short", mask: tensor.Of(tensor.Shape{2, 2}, []bool{true, true, false, true}), want: [2]float32{1.5, 2}},
		{name: "short scalar column", mask: tensor.Of(tensor.Shape{2, 1}, []bool{true, false}), want: [2]float32{1, 0}},
		{name: "broadcast column in 23", opset: 23, mask: tensor.Of(tensor.Shape{2, 1}, []bool{true, false}), want: [2]float32{3.75, 0}},
		{name: "lengths", lens: tensor.Vector[int64](3), want: [2]float32{7. / 3, 7. / 3}},
		{name: "causal lengths", attrs: opstest.Attrs{"is_causal": 1}, lens: tensor.Vector[int64](3), want: [2]float32{1.5, 7. / 3}},
		{name: "more queries than keys", attrs: opstest.Attrs{"is_causal": 1}, lens: tensor.Vector[int64](1), want: [2]float32{0, 1}},
		{name: "window", attrs: opstest.Attrs{"left_window_size": 0, "right_window_size": 1}, want: [2]float32{1.5, 3}},
		{name: "left window", attrs: opstest.Attrs{"left_window_size": 0}, want: [2]float32{3.75, 14. / 3}},
		{name: "window at an offset", attrs: opstest.Attrs{"left_window_size": 1, "right_window_size": 0}, lens: tensor.Vector[int64](4), want: [2]float32{3, 6}},
		{name: "causal window", attrs: opstest.Attrs{"is_causal": 1, "left_window_size": 0, "right_window_size": 3}, want: [2]float32{1, 2}},
		{name: "huge window", attrs: opstest.Attrs{"left_window_size": math.MaxInt, "right_window_size": math.MaxInt}, want: [2]float32{3.75, 3.75}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := []tensor.Value{q, k, v, nil, nil, nil}
			if c.mask != nil {
				in[3] = c.mask
			}
			if c.lens != nil {
				in = append(in, c.lens)
			}
			call := opstest.Call{Name: "Attention", Opset: c.opset, Attrs: c.attrs}
			opstest.Equal(t, opstest.Run1(t, call, in...), of(c.want[:], 1, 1, 2, 1), 1e-6, 0)
			in[0], in[1], in[2] = double(q), double(k), double(v)
			opstest.Equal(t, opstest.Run1(t, call, in...), double(of(c.want[:], 1, 1, 2, 1)), 1e-6, 0)
		})
	}
}

func TestPackedAndPast(t *testing.T) {
	// One batch entry, heads of one element: queries 0, so that head h averages its keys' values.
	q := tensor.New(tensor.Float32, 1, 1, 4) // 4 query heads
	k := of([]float32{1, 2, 3, 4}, 1, 2, 2)  // 2 steps of 2 key heads
	v := of([]float32{1, 10, 6, 60}, 1, 2, 2)
	attrs := opstest.Attrs{"q_num_heads": 4, "kv_num_heads": 2}
	opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "Attention", Attrs: attrs}, q, k, v), of([]float32{3.5, 3.5, 35, 35}, 1, 1, 4), 1e-6, 0)

	pastK, pastV := of([]float32{9, 8}, 1, 2, 1, 1), of([]float32{5, 50}, 1, 2, 1, 1)
	for _, causal := range []int{0, 1} {
		attrs["is_causal"] = causal
		out, err := opstest.Run(t, opstest.Call{Name: "Attention", Outputs: 4, Attrs: attrs}, q, k, v, nil, pastK, pastV)
		if err != nil {
			t.Fatal(err)
		}
		want := []*tensor.Tensor{
			of([]float32{4, 4, 40, 40}, 1, 1, 4),
			of([]float32{9, 1, 3, 8, 2, 4}, 1, 2, 3, 1),
			of([]float32{5, 1, 6, 50, 10, 60}, 1, 2, 3, 1),
			tensor.New(tensor.Float32, 1, 4, 1, 3),
		}
		if causal == 1 { // the query is at position 1: it attends the cached key and the first new one
			want[0] = of([]float32{3, 3, 30, 30}, 1, 1, 4)
		}
		for i, w := range want {
			opstest.Equal(t, out[i].(*tensor.Tensor), w, 1e-6, 0)
		}
	}
}

// TestStages follows the scores 2 and 0 through every output mode.
func TestStages(t *testing.T) {
	q, k := of([]float32{2}, 1, 1, 1, 1), of([]float32{2, 0, 7}, 1, 1, 3, 1)
	v := of([]float32{1, 2, 3}, 1, 1, 3, 1)
	mask := of([]float32{0, 1, -inf}, 1, 3)
	tanh := func(x float64) float32 { return float32(2 * math.Tanh(x/2)) }
	p := float32(math.Exp(float64(tanh(2))) / (math.Exp(float64(tanh(2))) + math.E))
	for mode, want := range [][]float32{{2, 0, 7}, {tanh(2), 0, tanh(7)}, {tanh(2), 1, -inf}, {p, 1 - p, 0}} {
		for _, d := range []tensor.DType{tensor.Undefined, tensor.Float64} {
			attrs := opstest.Attrs{"scale": 0.5, "softcap": 2.0, "qk_matmul_output_mode": mode}
			if d != tensor.Undefined {
				attrs["softmax_precision"] = d
			}
			out, err := opstest.Run(t, opstest.Call{Name: "Attention", Outputs: 4, Attrs: attrs}, q, k, v, mask)
			if err != nil {
				t.Fatal(err)
			}
			opstest.Equal(t, out[3].(*tensor.Tensor), of(want, 1, 1, 1, 3), 1e-6, 1e-7)
			opstest.Equal(t, out[0].(*tensor.Tensor), of([]float32{2 - p}, 1, 1, 1, 1), 1e-6, 0)
			opstest.Equal(t, out[1].(*tensor.Tensor), k, 0, 0)
		}
	}
}

func TestMixedTypes(t *testing.T) {
	q, k, v := tensor.New(tensor.Float32, 1, 1, 1, 1), tensor.New(tensor.Float32, 1, 1, 2, 1), of([]float32{1, 3}, 1, 1, 2, 1)
	opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "Attention"}, double(q), double(k), v), double(of([]float32{2}, 1, 1, 1, 1)), 1e-12, 0)
	opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "Attention"}, q, k, double(v)), of([]float32{2}, 1, 1, 1, 1), 1e-6, 0)
	empty := opstest.Run1(t, opstest.Call{Name: "Attention"}, tensor.New(tensor.Float32, 1, 1, 2, 3), tensor.New(tensor.Float32, 1, 1, 0, 3), tensor.New(tensor.Float32, 1, 1, 0, 2))
	opstest.Equal(t, empty, tensor.New(tensor.Float32, 1, 1, 2, 2), 0, 0)
}

func TestErrors(t *testing.T) {
	f := func(shape ...int) *tensor.Tensor { return tensor.New(tensor.Float32, shape...) }
	for want, in := range map[string][]tensor.Value{
		"q_num_heads":       {f(1, 2, 4), f(1, 2, 4), f(1, 2, 4)},
		"K has 3 axes":      {f(1, 2, 2, 4), f(1, 2, 4), f(1, 2, 4)},
		"not 3 or 4 axes":   {f(2, 4), f(2, 4), f(2, 4)},
		"batch sizes":       {f(2, 1, 2, 4), f(1, 1, 2, 4), f(1, 1, 2, 4)},
		"head sizes":        {f(1, 1, 2, 4), f(1, 1, 2, 3), f(1, 1, 2, 4)},
		"do not match":      {f(1, 1, 2, 4), f(1, 1, 2, 4), f(1, 1, 3, 4)},
		"3 query heads":     {f(1, 3, 2, 4), f(1, 2, 2, 4), f(1, 2, 2, 4)},
		"broadcast":         {f(1, 1, 2, 4), f(1, 1, 2, 4), f(1, 1, 2, 4), f(3, 2)},
		"more than 4 axes":  {f(1, 1, 2, 4), f(1, 1, 2, 4), f(1, 1, 2, 4), f(1, 1, 1, 1, 1)},
		"together":          {f(1, 1, 2, 4), f(1, 1, 2, 4), f(1, 1, 2, 4), nil, f(1, 1, 2, 4)},
		"past state has":    {f(1, 1, 2, 4), f(1, 1, 2, 4), f(1, 1, 2, 4), nil, f(4), f(4)},
		"combined":          {f(1, 1, 2, 4), f(1, 1, 2, 4), f(1, 1, 2, 4), nil, f(1, 1, 2, 4), f(1, 1, 2, 4), tensor.Vector[int64](1)},
		"nonpad_kv_seqlen ": {f(1, 1, 2, 4), f(1, 1, 2, 4), f(1, 1, 2, 4), nil, nil, nil, tensor.Vector[int64](3)},
	} {
		if _, err := opstest.Run(t, opstest.Call{Name: "Attention"}, in...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in the error %v", want, err)
		}
	}
	for name, attrs := range map[string]opstest.Attrs{
		"mode": {"qk_matmul_output_mode": 4}, "window": {"left_window_size": -2}, "precision": {"softmax_precision": tensor.Int64},
		"heads": {"q_num_heads": 3, "kv_num_heads": 3},
	} {
		if _, err := opstest.Run(t, opstest.Call{Name: "Attention", Attrs: attrs}, f(1, 1, 2, 4), f(1, 1, 2, 4), f(1, 1, 2, 4)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
