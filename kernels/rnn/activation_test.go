package rnn

import (
	"math"
	"testing"
)

func TestActivations(t *testing.T) {
	for _, c := range []struct {
		name        string
		alpha, beta float32
		x, want     float64
	}{
		{"relu", 0, 0, -1, 0}, {"relu", 0, 0, 2, 2},
		{"tanh", 0, 0, 0.5, math.Tanh(0.5)},
		{"sigmoid", 0, 0, -3, 1 / (1 + math.Exp(3))},
		{"affine", 2, 1, 3, 7},
		{"leakyrelu", 0.25, 0, -4, -1}, {"leakyrelu", 0.25, 0, 4, 4},
		{"thresholdedrelu", 1.5, 0, 1, 0}, {"thresholdedrelu", 1.5, 0, 1.5, 1.5},
		{"scaledtanh", 2, 0.5, 1, 2 * math.Tanh(0.5)},
		{"hardsigmoid", 0.25, 0.5, 1, 0.75}, {"hardsigmoid", 0.25, 0.5, 9, 1}, {"hardsigmoid", 0.25, 0.5, -9, 0},
		{"elu", 2, 0, -1, 2 * math.Expm1(-1)}, {"elu", 2, 0, 1, 1},
		{"softsign", 0, 0, -3, -0.75},
		{"softplus", 0, 0, 1, math.Log(1 + math.E)}, {"softplus", 0, 0, 200, 200},
	} {
		x, x32 := []float64{c.x}, []float32{float32(c.x)}
		Activation[float64](c.name, c.alpha, c.beta)(x)
		Activation[float32](c.name, c.alpha, c.beta)(x32)
		if math.Abs(x[0]-c.want) > 1e-7 || math.Abs(float64(x32[0])-c.want) > 1e-6*(1+math.Abs(c.want)) {
			t.Errorf("%s(%v) = %v and %v, want %v", c.name, c.x, x, x32, c.want)
		}
	}
	if len(activations) != 11 {
		t.Errorf("%d activations, the standard names 11", len(activations))
	}
}
