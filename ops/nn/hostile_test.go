package nn

import (
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func TestHostileShapes(t *testing.T) {
	float := func(int) tensor.DType { return tensor.Float32 }
	target := func(i int) tensor.DType {
		if i == 1 {
			return tensor.Int64
		}
		return tensor.Float32
	}
	req := map[string]int{"BatchNormalization": 5, "InstanceNormalization": 3, "GroupNormalization": 3, "LayerNormalization": 2, "RMSNormalization": 2,
		"NegativeLogLikelihoodLoss": 2, "SoftmaxCrossEntropyLoss": 2, "Softmax": 1, "LogSoftmax": 1, "Hardmax": 1, "LRN": 1, "LpNormalization": 1,
		"MeanVarianceNormalization": 1, "Dropout": 1}
	for _, c := range []struct {
		name            string
		opset, ins, out int
		attrs           opstest.Attrs
		dtype           func(int) tensor.DType
	}{
		{"Softmax", 13, 1, 1, nil, float},
		{"Softmax", 11, 1, 1, nil, float},
		{"LogSoftmax", 13, 1, 1, opstest.Attrs{"axis": 0}, float},
		{"Hardmax", 11, 1, 1, opstest.Attrs{"axis": 2}, float},
		{"BatchNormalization", 15, 5, 1, nil, float},
		{"BatchNormalization", 15, 5, 3, opstest.Attrs{"training_mode": 1}, float},
		{"BatchNormalization", 7, 5, 5, opstest.Attrs{"spatial": 0}, float},
		{"InstanceNormalization", 22, 3, 1, nil, float},
		{"GroupNormalization", 18, 3, 1, opstest.Attrs{"num_groups": 2}, float},
		{"GroupNormalization", 21, 3, 1, opstest.Attrs{"num_groups": 2}, float},
		{"LayerNormalization", 17, 3, 3, nil, float},
		{"LayerNormalization", 17, 2, 1, opstest.Attrs{"axis": 0}, float},
		{"RMSNormalization", 23, 2, 1, nil, float},
		{"LRN", 13, 1, 1, opstest.Attrs{"size": 1 << 40}, float},
		{"LpNormalization", 22, 1, 1, opstest.Attrs{"axis": 1}, float},
		{"MeanVarianceNormalization", 13, 1, 1, nil, float},
		{"MeanVarianceNormalization", 13, 1, 1, opstest.Attrs{"axes": []int{-1, 0}}, float},
		{"Dropout", 22, 1, 2, nil, float},
		{"Dropout", 6, 1, 2, nil, float},
		{"NegativeLogLikelihoodLoss", 22, 2, 1, nil, target},
		{"SoftmaxCrossEntropyLoss", 13, 3, 2, opstest.Attrs{"reduction": "none"}, target},
	} {
		opstest.Hostile(t, opstest.Call{Name: c.name, Opset: c.opset, Outputs: c.out, Attrs: c.attrs}, 3000, min(c.ins, req[c.name]), c.ins, c.dtype)
	}
}
