package backward

import (
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func TestSumTo(t *testing.T) {
	x := tensor.Of(tensor.Shape{2, 3}, []float32{1, 2, 3, 4, 5, 6})
	for _, c := range []struct {
		shape tensor.Shape
		want  []float32
	}{
		{tensor.Shape{2, 3}, []float32{1, 2, 3, 4, 5, 6}},
		{tensor.Shape{3}, []float32{5, 7, 9}},
		{tensor.Shape{2, 1}, []float32{6, 15}},
		{tensor.Shape{}, []float32{21}},
		{tensor.Shape{1, 1}, []float32{21}},
	} {
		got := opstest.Run1(t, opstest.Call{Domain: ops.Internal, Name: "SumTo"}, x, tensor.New(tensor.Float32, c.shape...))
		opstest.Equal(t, got, tensor.Of(c.shape, c.want), 0, 0)
	}
	if _, err := opstest.Run(t, opstest.Call{Domain: ops.Internal, Name: "SumTo"}, x, tensor.New(tensor.Float32, 2)); err == nil {
		t.Error("no error for shapes that do not fit")
	}
}
