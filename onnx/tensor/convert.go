package tensor

import "fmt"

// Ints returns the elements of an integer tensor of any width as ints.
func (t *Tensor) Ints() ([]int, error) {
	switch t.dtype {
	case Int64:
		return toInts(t.Int64()), nil
	case Int32:
		return toInts(t.Int32()), nil
	case Int16:
		return toInts(Slice[int16](t)), nil
	case Int8:
		return toInts(Slice[int8](t)), nil
	case Uint8:
		return toInts(Slice[uint8](t)), nil
	case Uint16:
		return toInts(Slice[uint16](t)), nil
	case Uint32:
		return toInts(Slice[uint32](t)), nil
	case Uint64:
		return toInts(Slice[uint64](t)), nil
	case Int4, Uint4, Int2, Uint2:
		out := make([]int, t.Len())
		for i := range out {
			out[i] = int(t.PackedAt(i))
		}
		return out, nil
	}
	return nil, fmt.Errorf("an integer tensor is needed, not %v", t.dtype)
}

func toInts[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](s []T) []int {
	out := make([]int, len(s))
	for i, v := range s {
		out[i] = int(v)
	}
	return out
}

// PackedAt returns element i of an int4, uint4, int2, uint2 tensor, or the code of a float4e2m1 element.
func (t *Tensor) PackedAt(i int) int8 {
	switch t.dtype {
	case Int4:
		return int8(t.data[i/2]<<(4*(1-i&1))) >> 4
	case Uint4, Float4E2M1:
		return int8(t.data[i/2] >> (4 * (i & 1)) & 0xF)
	case Int2:
		return int8(t.data[i/4]<<(2*(3-i&3))) >> 6
	case Uint2:
		return int8(t.data[i/4] >> (2 * (i & 3)) & 3)
	}
	panic("tensor: PackedAt of " + t.dtype.String())
}

// SetPacked sets element i of a packed tensor to the low bits of v.
func (t *Tensor) SetPacked(i int, v int8) {
	b := t.dtype.Bits()
	if b == 0 || b >= 8 {
		panic("tensor: SetPacked of " + t.dtype.String())
	}
	per := 8 / b
	shift := b * (i % per)
	mask := byte(1<<b-1) << shift
	t.data[i/per] = t.data[i/per]&^mask | byte(v)<<shift&mask
}

// Floats returns the elements of a numeric or bool tensor as float64, which is exact but for large 64-bit integers.
func (t *Tensor) Floats() ([]float64, error) {
	switch t.dtype {
	case Float32:
		return widen(t.Float32()), nil
	case Float64:
		return append([]float64{}, t.Float64()...), nil
	case Int64:
		return widen(t.Int64()), nil
	case Uint64:
		return widen(Slice[uint64](t)), nil
	case Bool:
		return widen(Slice[uint8](t)), nil
	case String, Complex64, Complex128, Undefined:
		return nil, fmt.Errorf("a real tensor is needed, not %v", t.dtype)
	}
	if t.dtype.IsInt() {
		v, err := t.Ints()
		return widen(v), err
	}
	f, err := t.AsFloat32()
	if err != nil {
		return nil, err
	}
	return widen(f.Float32()), nil
}

func widen[T ~int | int64 | uint64 | uint8 | float32](s []T) []float64 {
	out := make([]float64, len(s))
	for i, v := range s {
		out[i] = float64(v)
	}
	return out
}

// AsFloat32 returns a float tensor with the elements of a low-precision floating-point tensor, converted exactly; a
// float tensor is returned as it is.
func (t *Tensor) AsFloat32() (*Tensor, error) {
	if t.dtype == Float32 {
		return t, nil
	}
	out := New(Float32, t.shape...)
	if !DecodeFloat32(out.Float32(), t) {
		return nil, fmt.Errorf("a floating-point tensor of at most 32 bits is needed, not %v", t.dtype)
	}
	return out, nil
}
