package exec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// bind orders the inputs and checks them against what the model declares. Dimensions with the same symbol must agree.
func (s *Session) bind(in map[string]tensor.Value) ([]tensor.Value, error) {
	for name := range in {
		if !slices.ContainsFunc(s.inputs, func(p Port) bool { return p.Name == name }) {
			return nil, fmt.Errorf("the model has no input %q; it has %s", name, portNames(s.inputs))
		}
	}
	feed := make([]tensor.Value, len(s.inputs))
	symbols := map[string]boundDim{}
	for i, p := range s.inputs {
		v, ok := in[p.Name]
		if !ok || v == nil {
			if feed[i] = s.g.Inputs[i].Default; feed[i] != nil {
				continue
			}
			if !p.Optional {
				return nil, fmt.Errorf("input %q (%v) is missing", p.Name, p.Type)
			}
			feed[i] = &tensor.Optional{Elem: p.Type.Element()}
			continue
		}
		v, err := checkInput(p, v, symbols)
		if err != nil {
			return nil, err
		}
		feed[i] = v
	}
	return feed, nil
}

type boundDim struct {
	n     int
	input string
}

func portNames(ports []Port) string {
	if len(ports) == 0 {
		return "none"
	}
	names := make([]string, len(ports))
	for i, p := range ports {
		names[i] = fmt.Sprintf("%q", p.Name)
	}
	return strings.Join(names, ", ")
}

func checkInput(p Port, v tensor.Value, symbols map[string]boundDim) (tensor.Value, error) {
	got := v.Type()
	if p.Type.Kind == tensor.KindOptional && got.Kind != tensor.KindOptional {
		v = &tensor.Optional{Elem: p.Type.Element(), Value: v}
		got = v.Type()
	}
	if p.Type.Kind == tensor.KindUnknown {
		return v, nil
	}
	if got.Kind != p.Type.Kind || p.Type.DType != tensor.Undefined && got.DType != p.Type.DType {
		return nil, fmt.Errorf("input %q is %v, the model needs %v", p.Name, got, p.Type)
	}
	t, ok := v.(*tensor.Tensor)
	if !ok || !p.Type.Ranked {
		return v, nil
	}
	if t.Rank() != len(p.Type.Dims) {
		return nil, fmt.Errorf("input %q has shape %v of rank %d, the model needs %v", p.Name, t.Shape(), t.Rank(), p.Type)
	}
	for i, d := range p.Type.Dims {
		n := t.Dim(i)
		if want, ok := d.Int(); ok && want != n {
			return nil, fmt.Errorf("input %q has shape %v, the model needs %v: dimension %d is %d, not %d", p.Name, t.Shape(), p.Type, i, n, want)
		}
		sym, ok := d.Symbol()
		if !ok {
			continue
		}
		if b, ok := symbols[sym]; ok && b.n != n {
			return nil, fmt.Errorf("input %q has shape %v, but dimension %s (%d) is %d in input %q", p.Name, t.Shape(), sym, i, b.n, b.input)
		}
		symbols[sym] = boundDim{n, p.Name}
	}
	return v, nil
}
