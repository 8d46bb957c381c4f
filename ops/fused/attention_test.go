package fused

import (
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/conformance"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func call(attrs opstest.Attrs) opstest.Call {
	return opstest.Call{Domain: ops.Internal, Name: "Attention", Attrs: attrs}
}

func floats(shape tensor.Shape, f func(i int) float32) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.Float32() {
		t.Float32()[i] = f(i)
	}
	return t
}

// Two heads of one element: the scores of head 0 are equal, those of head 1 differ by ln 3 after scaling.
func TestAttention(t *testing.T) {
	q := floats(tensor.Shape{1, 1, 2, 1}, func(i int) float32 { return float32(i) })             // (batch, seq, head, 1)
	k := floats(tensor.Shape{1, 2, 2, 1}, func(i int) float32 { return 1.0986123 * float32(i) }) // (batch, head, seq, 1)
	v := floats(tensor.Shape{1, 2, 2, 1}, func(i int) float32 { return float32(i) })
	axes := opstest.Attrs{"q_axes": []int{0, 2, 1}, "k_axes": []int{0, 1, 2}, "v_axes": []int{0, 1, 2}, "y_perm": []int{0, 2, 1, 3}}
	for _, c := range []struct {
		name  string
		attrs opstest.Attrs
		masks []tensor.Value
		want  [2]float32
	}{
		{"plain", nil, nil, [2]float32{0.5, 2.75}},
		{"add", opstest.Attrs{"steps": []string{"add"}}, []tensor.Value{tensor.Vector[float32](0, -1e9)}, [2]float32{0, 2}},
		{"keep", opstest.Attrs{"steps": []string{"keep"}, "fills": []float64{-1e9}}, []tensor.Value{tensor.Vector(false, true)}, [2]float32{1, 3}},
		{"drop", opstest.Attrs{"steps": []string{"drop"}, "fills": []float64{-1e9}}, []tensor.Value{tensor.Vector(false, true)}, [2]float32{0, 2}},
		{"max", opstest.Attrs{"steps": []string{"max"}, "fills": []float64{1e9}}, nil, [2]float32{0.5, 2.5}},
		{"scale", opstest.Attrs{"scale": 0.0}, nil, [2]float32{0.5, 2.5}},
	} {
		for k, v := range axes {
			if c.attrs == nil {
				c.attrs = opstest.Attrs{}
			}
			c.attrs[k] = v
		}
		out, err := opstest.Run(t, call(c.attrs), append([]tensor.Value{q, k, v}, c.masks...)...)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		want := floats(tensor.Shape{1, 1, 2, 1}, func(i int) float32 { return c.want[i] })
		if err := conformance.Compare(out[0], want, 1e-5, 1e-6); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAttentionErrors(t *testing.T) {
	x := tensor.New(tensor.Float32, 1, 2, 3, 4)
	good := opstest.Attrs{"q_axes": []int{0, 1, 2}, "k_axes": []int{0, 1, 2}, "v_axes": []int{0, 1, 2}, "y_perm": []int{0, 1, 2, 3}}
	if _, err := opstest.Run(t, call(good), x, tensor.New(tensor.Float32, 1, 2, 3, 5), x); err == nil {
		t.Error("head sizes that differ give no error")
	}
	if _, err := opstest.Run(t, call(good), x, tensor.New(tensor.Float32, 1, 3, 3, 4), tensor.New(tensor.Float32, 1, 3, 3, 4)); err == nil {
		t.Error("2 heads for 3 give no error")
	}
	for name, v := range map[string]any{"q_axes": []int{0, 1}, "y_perm": []int{0, 1, 3, 2}, "steps": []string{"halve"}, "fills": []float64{1}} {
		bad := opstest.Attrs{}
		for k, v := range good {
			bad[k] = v
		}
		bad[name] = v
		if _, err := opstest.New(call(bad)); err == nil {
			t.Errorf("%s %v gives no error", name, v)
		}
	}
}

func TestAttentionHostile(t *testing.T) {
	for _, rank := range []int{3, 4} {
		axes, perm := []int{0, 2, 1}[:rank-1], []int{0, 2, 1, 3}
		if rank == 3 {
			axes, perm = []int{0, 1}, []int{0, 1, 2}
		}
		c := call(opstest.Attrs{"q_axes": axes, "k_axes": axes, "v_axes": axes, "y_perm": perm, "steps": []string{"add", "keep"}, "fills": []float64{-1}})
		opstest.Hostile(t, c, 3000, 5, 5, func(i int) tensor.DType {
			if i == 4 {
				return tensor.Bool
			}
			return tensor.Float32
		})
	}
}
