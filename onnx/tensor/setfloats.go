package tensor

import (
	"fmt"
	"math"
)

// SetFloats sets the elements of a numeric or bool tensor to vals, which is as long as t. Floating-point types take the
// nearest value, integers are truncated toward zero and saturated (NaN becomes 0), bools are set where a value is not 0.
func (t *Tensor) SetFloats(vals []float64) error {
	if len(vals) != t.Len() {
		return fmt.Errorf("%d values for %v", len(vals), t)
	}
	switch t.dtype {
	case Float64:
		copy(t.Float64(), vals)
	case Int64:
		setInts(t.Int64(), vals, math.MinInt64, math.MaxInt64)
	case Int32:
		setInts(t.Int32(), vals, math.MinInt32, math.MaxInt32)
	case Int16:
		setInts(Slice[int16](t), vals, math.MinInt16, math.MaxInt16)
	case Int8:
		setInts(Slice[int8](t), vals, math.MinInt8, math.MaxInt8)
	case Uint64:
		setInts(Slice[uint64](t), vals, 0, math.MaxUint64)
	case Uint32:
		setInts(Slice[uint32](t), vals, 0, math.MaxUint32)
	case Uint16:
		setInts(Slice[uint16](t), vals, 0, math.MaxUint16)
	case Uint8:
		setInts(Slice[uint8](t), vals, 0, math.MaxUint8)
	case Bool:
		for i, v := range vals {
			t.Bool()[i] = v != 0
		}
	case Float16:
		for i, v := range vals {
			Slice[F16](t)[i] = ToF16From64(v)
		}
	case BFloat16:
		for i, v := range vals {
			Slice[BF16](t)[i] = ToBF16From64(v)
		}
	default:
		f := make([]float32, len(vals))
		for i, v := range vals {
			f[i] = float32(v)
		}
		if !EncodeFloat32(t, f) {
			return fmt.Errorf("numbers cannot be stored as %v", t.dtype)
		}
	}
	return nil
}

func setInts[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](dst []T, vals []float64, lo, hi T) {
	for i, v := range vals {
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
