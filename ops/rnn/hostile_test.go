package rnn

import (
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func TestHostileShapes(t *testing.T) {
	types := func(i int) tensor.DType {
		if i == 4 {
			return tensor.Int32
		}
		return tensor.Float32
	}
	for _, attrs := range []opstest.Attrs{nil, {"direction": "bidirectional"}, {"layout": 1, "direction": "reverse"}} {
		opstest.Hostile(t, opstest.Call{Name: "RNN", Outputs: 2, Attrs: attrs}, 4000, 3, 6, types)
	}
	opstest.Hostile(t, opstest.Call{Name: "GRU", Outputs: 2}, 4000, 3, 6, types)
	opstest.Hostile(t, opstest.Call{Name: "LSTM", Outputs: 3}, 4000, 3, 8, types)
}
