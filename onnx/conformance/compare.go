package conformance

import (
	"bytes"
	"fmt"
	"math"
	"math/cmplx"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// Compare checks that got has want's type and shape and that |got−want| ≤ atol + rtol·|want| holds for every element. NaN
// equals NaN and infinities equal only themselves; integers, strings and booleans must be within the tolerance too, which
// for them means equal unless rtol is large against their size.
func Compare(got, want tensor.Value, rtol, atol float64) error {
	switch w := want.(type) {
	case *tensor.Tensor:
		g, ok := got.(*tensor.Tensor)
		if !ok {
			return fmt.Errorf("got %s, want a tensor", describe(got))
		}
		return compareTensors(g, w, rtol, atol)
	case *tensor.Sequence:
		g, ok := got.(*tensor.Sequence)
		if !ok {
			return fmt.Errorf("got %s, want a sequence", describe(got))
		}
		if len(g.Items) != len(w.Items) {
			return fmt.Errorf("sequence of %d elements, want %d", len(g.Items), len(w.Items))
		}
		for i := range w.Items {
			if err := Compare(g.Items[i], w.Items[i], rtol, atol); err != nil {
				return fmt.Errorf("element %d: %w", i, err)
			}
		}
		return nil
	case *tensor.Optional:
		return compareOptionals(got, w, rtol, atol)
	case *tensor.Map:
		g, ok := got.(*tensor.Map)
		if !ok {
			return fmt.Errorf("got %s, want a map", describe(got))
		}
		return compareMaps(g, w, rtol, atol)
	}
	return fmt.Errorf("values of %T cannot be compared", want)
}

func describe(v tensor.Value) string {
	if v == nil {
		return "nothing"
	}
	return v.Type().String()
}

func compareOptionals(got tensor.Value, want *tensor.Optional, rtol, atol float64) error {
	g, ok := got.(*tensor.Optional)
	if !ok {
		if want.Value == nil {
			return fmt.Errorf("got %s, want an empty optional", describe(got))
		}
		return Compare(got, want.Value, rtol, atol)
	}
	if (g.Value == nil) != (want.Value == nil) {
		return fmt.Errorf("optional is empty: %v, want %v", g.Value == nil, want.Value == nil)
	}
	if want.Value == nil {
		return nil
	}
	return Compare(g.Value, want.Value, rtol, atol)
}

func compareMaps(g, w *tensor.Map, rtol, atol float64) error {
	if g.Key != w.Key || len(g.Ints) != len(w.Ints) || len(g.Strs) != len(w.Strs) {
		return fmt.Errorf("map from %v with %d keys, want %v with %d", g.Key, len(g.Ints)+len(g.Strs), w.Key, len(w.Ints)+len(w.Strs))
	}
	for i := range w.Ints {
		if g.Ints[i] != w.Ints[i] {
			return fmt.Errorf("key %d is %d, want %d", i, g.Ints[i], w.Ints[i])
		}
	}
	for i := range w.Strs {
		if g.Strs[i] != w.Strs[i] {
			return fmt.Errorf("key %d is %q, want %q", i, g.Strs[i], w.Strs[i])
		}
	}
	return compareTensors(g.Values, w.Values, rtol, atol)
}

func sameForm(g, w *tensor.Tensor) error {
	if g.DType() != w.DType() {
		return fmt.Errorf("element type %v, want %v", g.DType(), w.DType())
	}
	if !g.Shape().Equal(w.Shape()) {
		return fmt.Errorf("shape %v, want %v", g.Shape(), w.Shape())
	}
	return nil
}

func compareTensors(g, w *tensor.Tensor, rtol, atol float64) error {
	if err := sameForm(g, w); err != nil {
		return err
	}
	switch w.DType() {
	case tensor.String:
		for i, s := range w.Strs() {
			if g.Strs()[i] != s {
				return fmt.Errorf("element %s is %q, want %q", index(w.Shape(), i), g.Strs()[i], s)
			}
		}
		return nil
	case tensor.Complex64:
		return compareElements(w.Shape(), tensor.Slice[complex64](g), tensor.Slice[complex64](w), func(a, b complex64) bool {
			return cmplx.Abs(complex128(a-b)) <= atol+rtol*cmplx.Abs(complex128(b))
		})
	case tensor.Complex128:
		return compareElements(w.Shape(), tensor.Slice[complex128](g), tensor.Slice[complex128](w), func(a, b complex128) bool {
			return cmplx.Abs(a-b) <= atol+rtol*cmplx.Abs(b)
		})
	}
	if bytes.Equal(g.Bytes(), w.Bytes()) {
		return nil
	}
	a, err := g.Floats()
	if err != nil {
		return err
	}
	b, err := w.Floats()
	if err != nil {
		return err
	}
	return compareElements(w.Shape(), a, b, func(a, b float64) bool {
		if a == b || a != a && b != b {
			return true
		}
		return !math.IsInf(a, 0) && !math.IsInf(b, 0) && math.Abs(a-b) <= atol+rtol*math.Abs(b)
	})
}

func compareElements[T any](shape tensor.Shape, got, want []T, equal func(a, b T) bool) error {
	bad, first := 0, 0
	for i := range want {
		if !equal(got[i], want[i]) {
			if bad == 0 {
				first = i
			}
			bad++
		}
	}
	if bad == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d elements differ; element %s is %v, want %v", bad, len(want), index(shape, first), got[first], want[first])
}

// index prints the position of element i.
func index(shape tensor.Shape, i int) string {
	pos := make(tensor.Shape, len(shape))
	for k := len(shape) - 1; k >= 0; k-- {
		pos[k] = i % shape[k]
		i /= shape[k]
	}
	return pos.String()
}
