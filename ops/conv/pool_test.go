package conv_test

import (
	"math"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	. "github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func TestPools(t *testing.T) {
	x := count[float32](1, 1, 4, 4)
	k := func(more Attrs) Attrs {
		a := Attrs{"kernel_shape": []int{2, 2}}
		for n, v := range more {
			a[n] = v
		}
		return a
	}
	line := f32(shape{1, 1, 4}, 3, 4, 0, -5)
	for name, c := range map[string]struct {
		op    string
		opset int
		attrs Attrs
		x     *tensor.Tensor
		want  *tensor.Tensor
	}{
		"average":         {"AveragePool", 1, k(strided(2, 2)), x, f32(shape{1, 1, 2, 2}, 2.5, 4.5, 10.5, 12.5)},
		"average pads":    {"AveragePool", 7, k(Attrs{"strides": []int{3, 3}, "pads": []int{1, 1, 1, 1}}), x, f32(shape{1, 1, 2, 2}, 0, 2.5, 10, 12.5)},
		"include pads":    {"AveragePool", 7, k(Attrs{"strides": []int{4, 4}, "pads": []int{1, 1, 1, 1}, "count_include_pad": 1}), x, f32(shape{1, 1, 2, 2}, 0, 0.75, 3, 3.75)},
		"average double":  {"AveragePool", 22, Attrs{"kernel_shape": []int{2}, "dilations": []int{2}}, count[float64](1, 1, 4), of[float64](shape{1, 1, 2}, 1, 2)},
		"ceil":            {"AveragePool", 10, Attrs{"kernel_shape": []int{3}, "strides": []int{2}, "ceil_mode": 1}, count[float32](1, 1, 4), f32(shape{1, 1, 2}, 1, 2.5)},
		"ceil, pads":      {"AveragePool", 19, Attrs{"kernel_shape": []int{3}, "strides": []int{2}, "ceil_mode": 1, "pads": []int{1, 1}, "count_include_pad": 1}, count[float32](1, 1, 4), f32(shape{1, 1, 3}, 1.0/3, 2, 1.5)},
		"ceil, dropped":   {"MaxPool", 10, Attrs{"kernel_shape": []int{1}, "strides": []int{2}, "ceil_mode": 1, "pads": []int{0, 1}}, count[float32](1, 1, 2), f32(shape{1, 1, 1}, 0)},
		"max":             {"MaxPool", 1, k(strided(2, 2)), x, f32(shape{1, 1, 2, 2}, 5, 7, 13, 15)},
		"max same":        {"MaxPool", 8, k(Attrs{"auto_pad": "SAME_LOWER", "strides": []int{3, 3}}), x, f32(shape{1, 1, 2, 2}, 0, 3, 12, 15)},
		"max dilated":     {"MaxPool", 10, k(Attrs{"dilations": []int{2, 2}}), x, f32(shape{1, 1, 2, 2}, 10, 11, 14, 15)},
		"max int8":        {"MaxPool", 12, Attrs{"kernel_shape": []int{2}, "pads": []int{1, 1}}, of[int8](shape{1, 1, 3}, -5, -3, -4), of[int8](shape{1, 1, 4}, -5, -3, -3, -4)},
		"max uint8":       {"MaxPool", 12, Attrs{"kernel_shape": []int{2}}, of[uint8](shape{1, 1, 3}, 250, 3, 4), of[uint8](shape{1, 1, 2}, 250, 4)},
		"lp":              {"LpPool", 2, Attrs{"kernel_shape": []int{2}}, line, f32(shape{1, 1, 3}, 5, 4, 5)},
		"lp 1":            {"LpPool", 1, Attrs{"kernel_shape": []int{2}, "p": 1.0}, line, f32(shape{1, 1, 3}, 7, 4, 5)},
		"lp pads":         {"LpPool", 18, Attrs{"kernel_shape": []int{2}, "p": 1, "pads": []int{1, 0}, "dilations": []int{2}}, line, f32(shape{1, 1, 3}, 4, 3, 9)},
		"empty batch":     {"MaxPool", 12, k(nil), f32(shape{0, 1, 2, 2}), f32(shape{0, 1, 1, 1})},
		"global average":  {"GlobalAveragePool", 1, nil, x, f32(shape{1, 1, 1, 1}, 7.5)},
		"global max":      {"GlobalMaxPool", 1, nil, line, f32(shape{1, 1, 1}, 4)},
		"global lp":       {"GlobalLpPool", 2, nil, f32(shape{1, 2, 2}, 3, 4, 6, 8), f32(shape{1, 2, 1}, 5, 10)},
		"global lp 1":     {"GlobalLpPool", 1, Attrs{"p": 1.0}, f32(shape{1, 2, 2}, 3, 4, 6, 8), f32(shape{1, 2, 1}, 7, 14)},
		"global no image": {"GlobalMaxPool", 1, nil, f32(shape{0, 3, 2}), f32(shape{0, 3, 1})},
		"global 2-D":      {"GlobalAveragePool", 1, nil, f32(shape{1, 2}, 3, 4), f32(shape{1, 2}, 3, 4)},
	} {
		t.Run(name, func(t *testing.T) {
			Equal(t, Run1(t, Call{Name: c.op, Opset: c.opset, Attrs: c.attrs}, c.x), c.want, 1e-6, 0)
		})
	}
	for name, c := range map[string]struct {
		op    string
		attrs Attrs
		x     *tensor.Tensor
	}{
		"no kernel": {"MaxPool", nil, x}, "kernel": {"MaxPool", Attrs{"kernel_shape": []int{2}}, x}, "too large": {"MaxPool", Attrs{"kernel_shape": []int{5, 1}}, x},
		"rank": {"AveragePool", Attrs{"kernel_shape": []int{}}, f32(shape{1, 1}, 0)}, "type": {"AveragePool", k(nil), count[int8](1, 1, 4, 4)},
		"huge": {"AveragePool", k(Attrs{"pads": []int{math.MaxInt, 0, 0, 0}}), x}, "p": {"LpPool", k(Attrs{"p": 0}), x}, "global rank": {"GlobalMaxPool", nil, f32(shape{1}, 0)},
	} {
		if _, err := Run(t, Call{Name: c.op, Attrs: c.attrs}, c.x); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMaxPoolIndices(t *testing.T) {
	x := f32(shape{1, 2, 2, 3}, 1, 9, 3, 4, 5, 6, 6, 5, 4, 3, 2, 1)
	for order, want := range [][]int64{{1, 1, 6, 7}, {2, 2, 6, 8}} {
		out, err := Run(t, Call{Name: "MaxPool", Outputs: 2, Attrs: Attrs{"kernel_shape": []int{2, 2}, "storage_order": order}}, x)
		if err != nil {
			t.Fatal(err)
		}
		Equal(t, out[0].(*tensor.Tensor), f32(shape{1, 2, 1, 2}, 9, 9, 6, 5), 0, 0)
		Equal(t, out[1].(*tensor.Tensor), of(shape{1, 2, 1, 2}, want...), 0, 0)
	}
}

func TestMaxUnpool(t *testing.T) {
	x, index := f32(shape{1, 1, 2, 2}, 1, 2, 3, 4), of[int64](shape{1, 1, 2, 2}, 5, 7, 13, 15)
	call := Call{Name: "MaxUnpool", Attrs: Attrs{"kernel_shape": []int{2, 2}, "strides": []int{2, 2}}}
	Equal(t, Run1(t, call, x, index), f32(shape{1, 1, 4, 4}, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 3, 0, 4), 0, 0)
	Equal(t, Run1(t, call, x, index, of[int64](shape{4}, 1, 1, 4, 5)), f32(shape{1, 1, 4, 5}, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 4, 0), 0, 0)
	for name, in := range map[string][]tensor.Value{
		"index":    {x, of[int64](shape{1, 1, 2, 2}, 5, 7, 13, 16)},
		"negative": {x, of[int64](shape{1, 1, 2, 2}, 5, 7, 13, -1)},
		"shape":    {x, of[int64](shape{1, 1, 4}, 5, 7, 13, 1)},
		"smaller":  {x, index, of[int64](shape{4}, 1, 1, 4, 3)},
		"rank":     {x, index, of[int64](shape{3}, 1, 4, 4)},
	} {
		if _, err := Run(t, call, in...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMaxRoiPool(t *testing.T) {
	x := count[float32](2, 1, 4, 4)
	call := Call{Name: "MaxRoiPool", Attrs: Attrs{"pooled_shape": []int{1, 2}, "spatial_scale": 0.5}}
	got := Run1(t, call, x, f32(shape{2, 5}, 0, 0, 0, 6, 2, 1, 2, 2, 2, 2))
	Equal(t, got, f32(shape{2, 1, 1, 2}, 5, 7, 21, 21), 0, 0)
	for name, rois := range map[string]*tensor.Tensor{
		"image": f32(shape{1, 5}, 2, 0, 0, 1, 1), "NaN": f32(shape{1, 5}, float32(math.NaN()), 0, 0, 1, 1), "shape": f32(shape{1, 4}, 0, 0, 0, 1),
	} {
		if _, err := Run(t, call, x, rois); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := New(Call{Name: "MaxRoiPool", Attrs: Attrs{"pooled_shape": []int{1}}}); err == nil {
		t.Error("pooled_shape: no error")
	}
}
