package image

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// copyElems copies n elements of src from index so to index do of dst, which has the same element type.
func copyElems(dst *tensor.Tensor, do int, src *tensor.Tensor, so, n int) {
	d := dst.DType()
	switch {
	case d == tensor.String:
		copy(dst.Strs()[do:do+n], src.Strs()[so:so+n])
	case d.Packed():
		for i := range n {
			dst.SetPacked(do+i, src.PackedAt(so+i))
		}
	default:
		w := d.Bytes(1)
		copy(dst.Bytes()[do*w:(do+n)*w], src.Bytes()[so*w:(so+n)*w])
	}
}

// storeFloats sets t's elements to vals. Integers are rounded to the nearest (even when halfway) and saturated.
func storeFloats(t *tensor.Tensor, vals []float64) error {
	switch d := t.DType(); {
	case d == tensor.Complex64:
		for i, v := range vals {
			tensor.Slice[complex64](t)[i] = complex(float32(v), 0)
		}
		return nil
	case d == tensor.Complex128:
		for i, v := range vals {
			tensor.Slice[complex128](t)[i] = complex(v, 0)
		}
		return nil
	case d.IsInt(), d == tensor.Bool:
		rounded := make([]float64, len(vals))
		for i, v := range vals {
			rounded[i] = math.RoundToEven(v)
		}
		vals = rounded
	}
	return t.SetFloats(vals)
}
