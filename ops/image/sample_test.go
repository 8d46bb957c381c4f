package image

import (
	"math"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func TestGridSample(t *testing.T) {
	x := img(2, 2, 0, 1, 2, 3)
	grid := func(v ...float32) *tensor.Tensor { return tensor.Of(tensor.Shape{1, 1, len(v) / 2, 2}, v) }
	for _, c := range []struct {
		name  string
		attrs opstest.Attrs
		x     *tensor.Tensor
		grid  *tensor.Tensor
		want  *tensor.Tensor
	}{
		{"centre", nil, x, grid(0, 0), img(1, 1, 1.5)},
		{"corner aligned", opstest.Attrs{"align_corners": 1}, x, grid(1, -1, -1, 1), img(1, 2, 1, 2)},
		{"half outside", nil, x, grid(1, 1), img(1, 1, 0.75)},
		{"border", opstest.Attrs{"padding_mode": "border"}, x, grid(9, 9, -9, 9), img(1, 2, 3, 2)},
		{"reflection", opstest.Attrs{"padding_mode": "reflection", "align_corners": 1}, x, grid(3, -1, 5, -1), img(1, 2, 0, 1)},
		{"nearest zeros", opstest.Attrs{"mode": "nearest"}, x, grid(0.6, 0.4, 5, 0), img(1, 2, 3, 0)},
		{"nan", opstest.Attrs{"mode": "nearest"}, x, grid(float32(math.NaN()), 0.4), img(1, 1, 0)},
		{"cubic at pixels", opstest.Attrs{"mode": "cubic", "align_corners": 1}, x, grid(-1, -1, 1, 1), img(1, 2, 0, 3)},
	} {
		t.Run(c.name, func(t *testing.T) {
			opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "GridSample", Attrs: c.attrs}, c.x, c.grid), c.want, 1e-6, 1e-7)
		})
	}
	words := tensor.Strings(tensor.Shape{1, 1, 1, 2}, []string{"a", "b"})
	got := opstest.Run1(t, opstest.Call{Name: "GridSample", Attrs: opstest.Attrs{"mode": "nearest"}}, words, grid(0.5, 0))
	opstest.Equal(t, got, tensor.Strings(tensor.Shape{1, 1, 1, 1}, []string{"b"}), 0, 0)
	volume := tensor.Of(tensor.Shape{1, 1, 2, 1, 1}, []float64{1, 3})
	got = opstest.Run1(t, opstest.Call{Name: "GridSample"}, volume, tensor.Of(tensor.Shape{1, 1, 1, 1, 3}, []float64{0, 0, 0.25}))
	opstest.Equal(t, got, tensor.Of(tensor.Shape{1, 1, 1, 1, 1}, []float64{2.5}), 1e-12, 0)
	if _, err := opstest.Run(t, opstest.Call{Name: "GridSample"}, x, tensor.New(tensor.Float32, 1, 1, 1, 3)); err == nil {
		t.Error("a grid of other rank is accepted")
	}
}

func TestAffineGrid(t *testing.T) {
	theta := tensor.Of(tensor.Shape{1, 2, 3}, []float32{1, 0, 0.5, 0, 2, 0})
	got := opstest.Run1(t, opstest.Call{Name: "AffineGrid"}, theta, tensor.Vector[int64](1, 3, 1, 2))
	opstest.Equal(t, got, tensor.Of(tensor.Shape{1, 1, 2, 2}, []float32{0, 0, 1, 0}), 1e-6, 1e-7)
	got = opstest.Run1(t, opstest.Call{Name: "AffineGrid", Attrs: opstest.Attrs{"align_corners": 1}}, theta, tensor.Vector[int64](1, 3, 2, 2))
	opstest.Equal(t, got, tensor.Of(tensor.Shape{1, 2, 2, 2}, []float32{-0.5, -2, 1.5, -2, -0.5, 2, 1.5, 2}), 1e-6, 1e-7)
	if _, err := opstest.Run(t, opstest.Call{Name: "AffineGrid"}, theta, tensor.Vector[int64](2, 3, 2, 2)); err == nil {
		t.Error("another batch size is accepted")
	}
}

func TestRoiAlign(t *testing.T) {
	x := img(4, 4, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
	rois := tensor.Of(tensor.Shape{1, 4}, []float32{0, 0, 4, 4})
	batch := tensor.Vector[int64](0)
	attrs := opstest.Attrs{"output_height": 2, "output_width": 2, "sampling_ratio": 2}
	// With half pixels, each bin averages 2×2 points that lie on pixels.
	got := opstest.Run1(t, opstest.Call{Name: "RoiAlign", Attrs: attrs}, x, rois, batch)
	opstest.Equal(t, got, img(2, 2, 2.5, 4.5, 10.5, 12.5), 1e-6, 0)
	got = opstest.Run1(t, opstest.Call{Name: "RoiAlign", Opset: 10, Attrs: attrs}, x, rois, batch)
	opstest.Equal(t, got, img(2, 2, 5, 6.75, 12, 13.75), 1e-6, 0)
	if _, err := opstest.Run(t, opstest.Call{Name: "RoiAlign"}, x, rois, tensor.Vector[int64](1)); err == nil {
		t.Error("a batch index out of range is accepted")
	}
	huge := tensor.Of(tensor.Shape{1, 4}, []float32{0, 0, 1e30, 1e30})
	if _, err := opstest.Run(t, opstest.Call{Name: "RoiAlign"}, x, huge, batch); err == nil {
		t.Error("a huge region is accepted")
	}
}

func TestNonMaxSuppression(t *testing.T) {
	boxes := tensor.Of(tensor.Shape{1, 4, 4}, []float32{0, 0, 1, 1, 0, 0.1, 1, 1.1, 1, 1.1, 0, 0.1, 0, 10, 1, 11})
	scores := tensor.Of(tensor.Shape{1, 2, 4}, []float32{0.9, 0.75, 0.6, 0.95, 0.1, 0.1, 0.3, 0.2})
	call := opstest.Call{Name: "NonMaxSuppression"}
	got := opstest.Run1(t, call, boxes, scores, tensor.Scalar[int64](3), tensor.Vector[float32](0.5), tensor.Scalar[float32](0.15))
	opstest.Equal(t, got, tensor.Of(tensor.Shape{4, 3}, []int64{0, 0, 3, 0, 0, 0, 0, 1, 2, 0, 1, 3}), 0, 0)
	opstest.Equal(t, opstest.Run1(t, call, boxes, scores), tensor.New(tensor.Int64, 0, 3), 0, 0)
	if _, err := opstest.Run(t, call, boxes, scores, nil, tensor.Scalar[float32](2)); err == nil {
		t.Error("iou_threshold 2 is accepted")
	}
	centred := tensor.Of(tensor.Shape{1, 2, 4}, []float32{0.5, 0.5, 1, 1, 0.5, 0.6, 1, 1})
	call.Attrs = opstest.Attrs{"center_point_box": 1}
	got = opstest.Run1(t, call, centred, tensor.Of(tensor.Shape{1, 1, 2}, []float32{1, 2}), tensor.Scalar[int64](9), tensor.Scalar[float32](0.5))
	opstest.Equal(t, got, tensor.Of(tensor.Shape{1, 3}, []int64{0, 0, 1}), 0, 0)
}
