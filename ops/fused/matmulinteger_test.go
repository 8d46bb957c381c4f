package fused_test

import (
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	_ "github.com/sardonyx-ml/sardonyx/ops/fused"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func TestScaledMatMulInteger(t *testing.T) {
	call := opstest.Call{Domain: ops.Internal, Name: "ScaledMatMulInteger", Attrs: map[string]any{"activation": "Relu"}}
	a := tensor.Of(tensor.Shape{2, 3}, []uint8{1, 2, 255, 4, 5, 6})
	b := tensor.Of(tensor.Shape{3, 2}, []int8{1, -128, 0, 127, 3, 1})
	za, zb := tensor.Scalar[uint8](2), tensor.Of(tensor.Shape{2}, []int8{1, -1})
	scale, bias := tensor.Scalar[float32](0.5), tensor.Of(tensor.Shape{2}, []float32{0.25, -3})
	// (a-za)·(b-zb) = {{-1, 0, 253}, {2, 3, 4}}·{{0, -127}, {-1, 128}, {2, 2}} = {{506, 633}, {5, 138}}
	got := opstest.Run1(t, call, a, b, za, zb, scale, nil, bias)
	opstest.Equal(t, got, tensor.Of(tensor.Shape{2, 2}, []float32{253.25, 313.5, 2.75, 66}), 0, 0)
	got = opstest.Run1(t, call, a, b, za, zb, scale, tensor.Of(tensor.Shape{2}, []float32{2, -2}), bias)
	opstest.Equal(t, got, tensor.Of(tensor.Shape{2, 2}, []float32{506.25, 0, 5.25, 0}), 0, 0)
	for name, in := range map[string][]tensor.Value{
		"rows":       {a, tensor.New(tensor.Int8, 2, 2), za, nil, scale},
		"float":      {tensor.New(tensor.Float32, 2, 3), b, nil, nil, scale},
		"batch":      {a, tensor.New(tensor.Int8, 1, 3, 2), nil, nil, scale},
		"zero point": {a, b, tensor.New(tensor.Uint8, 2), nil, scale},
		"zero type":  {a, b, tensor.Scalar[int8](1), nil, scale},
		"scale":      {a, b, nil, nil, tensor.New(tensor.Float32, 3)},
		"bias":       {a, b, nil, nil, scale, nil, scale},
	} {
		if _, err := opstest.Run(t, call, in...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
