package image

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
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

// storeFloats converts vals to t's element type: integers are rounded to the nearest (even when halfway) and saturated.
func storeFloats(t *tensor.Tensor, vals []float64) error {
	switch t.DType() {
	case tensor.Float32:
		storeFloat(t.Float32(), vals)
	case tensor.Float64:
		copy(t.Float64(), vals)
	case tensor.Int64:
		storeInt(t.Int64(), vals, math.MinInt64, math.MaxInt64)
	case tensor.Int32:
		storeInt(t.Int32(), vals, math.MinInt32, math.MaxInt32)
	case tensor.Int16:
		storeInt(tensor.Slice[int16](t), vals, math.MinInt16, math.MaxInt16)
	case tensor.Int8:
		storeInt(tensor.Slice[int8](t), vals, math.MinInt8, math.MaxInt8)
	case tensor.Uint64:
		storeInt(tensor.Slice[uint64](t), vals, 0, math.MaxUint64)
	case tensor.Uint32:
		storeInt(tensor.Slice[uint32](t), vals, 0, math.MaxUint32)
	case tensor.Uint16:
		storeInt(tensor.Slice[uint16](t), vals, 0, math.MaxUint16)
	case tensor.Uint8:
		storeInt(tensor.Slice[uint8](t), vals, 0, math.MaxUint8)
	case tensor.Bool:
		for i, v := range vals {
			t.Bool()[i] = math.RoundToEven(v) != 0
		}
	case tensor.Float16, tensor.BFloat16:
		f := make([]float32, len(vals))
		storeFloat(f, vals)
		tensor.EncodeFloat32(t, f)
	case tensor.Complex64:
		for i, v := range vals {
			tensor.Slice[complex64](t)[i] = complex(float32(v), 0)
		}
	case tensor.Complex128:
		for i, v := range vals {
			tensor.Slice[complex128](t)[i] = complex(v, 0)
		}
	default:
		return fmt.Errorf("numbers as %v: %w", t.DType(), ops.ErrUnsupported)
	}
	return nil
}

func storeFloat(dst []float32, vals []float64) {
	for i, v := range vals {
		dst[i] = float32(v)
	}
}

func storeInt[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](dst []T, vals []float64, lo, hi T) {
	for i, v := range vals {
		v = math.RoundToEven(v)
		switch {
		case v != v:
			dst[i] = 0
		case v >= float64(hi):
			dst[i] = hi
		case v <= float64(lo):
			dst[i] = lo
		default:
			dst[i] = T(v)
		}
	}
}
