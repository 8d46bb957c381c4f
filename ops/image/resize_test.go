package image

import (
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func img(h, w int, v ...float32) *tensor.Tensor { return tensor.Of(tensor.Shape{1, 1, h, w}, v) }

func scales(h, w float32) *tensor.Tensor { return tensor.Vector(1, 1, h, w) }

func TestResize(t *testing.T) {
	x4 := img(4, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
	x24 := img(2, 4, 1, 2, 3, 4, 5, 6, 7, 8)
	x22 := img(2, 2, 1, 2, 3, 4)
	for _, c := range []struct {
		name   string
		opset  int
		attrs  opstest.Attrs
		inputs []tensor.Value
		want   *tensor.Tensor
	}{
		// The numbers are those of the standard's examples.
		{"nearest up", 0, nil, []tensor.Value{x22, nil, scales(2, 3)}, img(4, 6, 1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4)},
		{"nearest down 10", 10, nil, []tensor.Value{x24, scales(0.6, 0.6)}, img(1, 2, 1, 3)},
		{"linear down", 0, opstest.Attrs{"mode": "linear"}, []tensor.Value{x24, nil, scales(0.6, 0.6)}, img(1, 2, 2.6666665, 4.3333331)},
		{"linear down aligned", 0, opstest.Attrs{"mode": "linear", "coordinate_transformation_mode": "align_corners"}, []tensor.Value{x24, nil, scales(0.6, 0.6)}, img(1, 2, 1, 3.142857)},
		{"cubic down", 0, opstest.Attrs{"mode": "cubic"}, []tensor.Value{x4, nil, scales(0.8, 0.8)},
			img(3, 3, 1.47119141, 2.78125, 4.08251953, 6.71142578, 8.02148438, 9.32275391, 11.91650391, 13.2265625, 14.52783203)},
		{"linear antialias", 0, opstest.Attrs{"mode": "linear", "antialias": 1}, []tensor.Value{x4, nil, scales(0.6, 0.6)}, img(2, 2, 2.875, 4.5, 9.375, 11.0)},
		{"not larger", 0, opstest.Attrs{"keep_aspect_ratio_policy": "not_larger", "axes": []int{2, 3}}, []tensor.Value{x24, nil, nil, tensor.Vector[int64](1, 3)}, img(1, 2, 1, 3)},
		{"upsample 1", 1, opstest.Attrs{"height_scale": 1.0, "width_scale": 2.0}, []tensor.Value{x22}, img(2, 4, 1, 1, 2, 2, 3, 3, 4, 4)},
		{"upsample 7", 7, opstest.Attrs{"scales": []float64{1, 1, 2, 1}, "mode": "linear"}, []tensor.Value{x22}, img(4, 2, 1, 2, 2, 3, 3, 4, 3, 4)},
		{"same size", 0, nil, []tensor.Value{x22, nil, scales(1, 1)}, x22},
	} {
		name := "Resize"
		if c.opset > 0 && c.opset < 10 {
			name = "Upsample"
		}
		t.Run(c.name, func(t *testing.T) {
			opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: name, Opset: c.opset, Attrs: c.attrs}, c.inputs...), c.want, 1e-5, 0)
		})
	}
}

func TestResizeTypes(t *testing.T) {
	sizes := tensor.Vector[int64](4)
	for _, c := range []struct {
		mode    string
		x, want *tensor.Tensor
	}{
		{"nearest", tensor.Strings(tensor.Shape{2}, []string{"a", "b"}), tensor.Strings(tensor.Shape{4}, []string{"a", "a", "b", "b"})},
		{"nearest", tensor.Vector[int64](7, -1), tensor.Vector[int64](7, 7, -1, -1)},
		{"linear", tensor.Vector[uint8](0, 250), tensor.Vector[uint8](0, 62, 188, 250)},
		{"linear", tensor.Vector[float64](0, 1), tensor.Vector[float64](0, 0.25, 0.75, 1)},
		{"cubic", tensor.Vector[int8](-128, 127), tensor.Vector[int8](-128, -64, 63, 127)},
	} {
		got := opstest.Run1(t, opstest.Call{Name: "Resize", Attrs: opstest.Attrs{"mode": c.mode}}, c.x, nil, nil, sizes)
		if c.mode == "cubic" {
			if g := tensor.Slice[int8](got); g[0] != -128 || g[3] != 127 { // overshoot saturates
				t.Errorf("cubic: %v", g)
			}
			continue
		}
		opstest.Equal(t, got, c.want, 0, 0)
	}
	got := opstest.Run1(t, opstest.Call{Name: "Resize", Attrs: opstest.Attrs{"mode": "linear"}}, tensor.Vector[complex64](0, 4i), nil, nil, sizes)
	if g := tensor.Slice[complex64](got); g[1] != 1i || g[2] != 3i {
		t.Errorf("complex: %v", g)
	}
}

func TestResizeErrors(t *testing.T) {
	x := img(2, 2, 1, 2, 3, 4)
	for name, in := range map[string][]tensor.Value{
		"no scales":      {x, nil, nil, nil},
		"few scales":     {x, nil, tensor.Vector[float32](1, 2)},
		"zero scale":     {x, nil, scales(0, 1)},
		"huge scale":     {x, nil, scales(1, 1e30)},
		"negative sizes": {x, nil, nil, tensor.Vector[int64](1, 1, -2, 2)},
		"from nothing":   {tensor.New(tensor.Float32, 1, 1, 0, 2), nil, nil, tensor.Vector[int64](1, 1, 2, 2)},
	} {
		if _, err := opstest.Run(t, opstest.Call{Name: "Resize"}, in...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestResizeInfer(t *testing.T) {
	op, err := opstest.New(opstest.Call{Name: "Resize"})
	if err != nil {
		t.Fatal(err)
	}
	c := &ops.Infer{In: make([]ops.Info, 3), Out: make([]ops.Info, 1), Absent: []bool{false, true, false}}
	c.In[0].Type = tensor.TensorType(tensor.Float32, tensor.Sym("n"), tensor.Int(3), tensor.Sym("h"), tensor.Int(5))
	c.In[2].Const = scales(2, 0.5)
	if err := op.Infer(c); err != nil {
		t.Fatal(err)
	}
	if got := c.Out[0].Type.String(); got != "float[n,3,2*h,2]" {
		t.Errorf("got %s", got)
	}
}
