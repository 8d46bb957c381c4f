package fused

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// Activation is an element-wise function that other operators apply to their finished output: Name is the operator's
// ("" for none), Alpha and Beta its attributes, for Clip the bounds.
type Activation struct {
	Name        string
	Alpha, Beta float32
}

// ReadActivation reads the attributes activation, activation_alpha and activation_beta and returns the function, which works in
// place; nil if there is none.
func ReadActivation(a *ops.Attrs) func([]float32) {
	act := Activation{a.String("activation", ""), a.Float("activation_alpha", 0), a.Float("activation_beta", 0)}
	f, err := act.Func()
	if err != nil {
		a.Errorf("%w", err)
	}
	return f
}

// Attrs adds the activation to a node's attributes.
func (a Activation) Attrs(to map[string]any) {
	if a.Name != "" {
		to["activation"], to["activation_alpha"], to["activation_beta"] = a.Name, a.Alpha, a.Beta
	}
}

// Func returns the function, nil if there is none.
func (a Activation) Func() (func([]float32), error) {
	alpha, beta := a.Alpha, a.Beta
	switch a.Name {
	case "":
		return nil, nil
	case "Relu":
		return func(x []float32) { vec.Relu(x, x) }, nil
	case "LeakyRelu":
		return func(x []float32) { vec.LeakyRelu(x, x, alpha) }, nil
	case "Clip":
		return func(x []float32) { vec.Clip(x, x, alpha, beta) }, nil
	case "HardSigmoid":
		return func(x []float32) { vec.HardSigmoid(x, x, alpha, beta) }, nil
	case "HardSwish":
		return func(x []float32) { vec.HardSwish(x, x) }, nil
	case "Sigmoid":
		return func(x []float32) { vec.Sigmoid(x, x) }, nil
	case "Tanh":
		return func(x []float32) { vec.Tanh(x, x) }, nil
	case "Gelu":
		return func(x []float32) { vec.Gelu(x, x) }, nil
	case "GeluTanh":
		return func(x []float32) { vec.GeluTanh(x, x) }, nil
	case "Swish":
		return func(x []float32) { vec.Swish(x, x, alpha) }, nil
	case "Mish":
		return func(x []float32) { vec.Mish(x, x) }, nil
	case "Elu":
		return func(x []float32) { vec.Elu(x, x, alpha, 1, 1) }, nil
	case "Softplus":
		return func(x []float32) { vec.Softplus(x, x) }, nil
	}
	return nil, fmt.Errorf("activation %q: %w", a.Name, ops.ErrUnsupported)
}
