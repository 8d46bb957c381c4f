package tensor

// DecodeFloat32 converts the elements of a floating-point tensor of at most 32 bits into dst, which is as long as t. It
// returns false for other element types.
func DecodeFloat32(dst []float32, t *Tensor) bool { return ReadFloat32(dst, t, 0) }

// EncodeFloat32 rounds src into the floating-point tensor t of at most 32 bits, saturating 8- and 4-bit types. It
// returns false for other element types.
func EncodeFloat32(t *Tensor, src []float32) bool { return WriteFloat32(t, 0, src, true, RoundUp) }

// ReadFloat32 converts len(dst) elements of a floating-point tensor of at most 32 bits, from element lo on. It returns
// false for other element types.
func ReadFloat32(dst []float32, t *Tensor, lo int) bool {
	switch t.dtype {
	case Float32:
		copy(dst, t.Float32()[lo:])
	case Float16:
		decode(dst, Slice[F16](t)[lo:])
	case BFloat16:
		decode(dst, Slice[BF16](t)[lo:])
	case Float8E4M3FN:
		decode(dst, Slice[F8E4M3FN](t)[lo:])
	case Float8E4M3FNUZ:
		decode(dst, Slice[F8E4M3FNUZ](t)[lo:])
	case Float8E5M2:
		decode(dst, Slice[F8E5M2](t)[lo:])
	case Float8E5M2FNUZ:
		decode(dst, Slice[F8E5M2FNUZ](t)[lo:])
	case Float8E8M0:
		decode(dst, Slice[F8E8M0](t)[lo:])
	case Float4E2M1:
		for i := range dst {
			dst[i] = Float4ToFloat32(uint8(t.PackedAt(lo + i)))
		}
	default:
		return false
	}
	return true
}

func decode[T interface{ Float32() float32 }](dst []float32, src []T) {
	for i, v := range src[:len(dst)] {
		dst[i] = v.Float32()
	}
}

// WriteFloat32 rounds src into the elements of a floating-point tensor of at most 32 bits from lo on. saturate is about
// the 8-bit types, mode about Float8E8M0. It returns false for other element types. Goroutines that write different
// ranges of a packed type must split it at even elements.
func WriteFloat32(t *Tensor, lo int, src []float32, saturate bool, mode RoundMode) bool {
	switch t.dtype {
	case Float32:
		copy(t.Float32()[lo:], src)
	case Float16:
		encode(Slice[F16](t)[lo:], src, ToF16)
	case BFloat16:
		encode(Slice[BF16](t)[lo:], src, ToBF16)
	case Float8E4M3FN:
		encode(Slice[F8E4M3FN](t)[lo:], src, func(f float32) F8E4M3FN { return ToF8E4M3FN(f, saturate) })
	case Float8E4M3FNUZ:
		encode(Slice[F8E4M3FNUZ](t)[lo:], src, func(f float32) F8E4M3FNUZ { return ToF8E4M3FNUZ(f, saturate) })
	case Float8E5M2:
		encode(Slice[F8E5M2](t)[lo:], src, func(f float32) F8E5M2 { return ToF8E5M2(f, saturate) })
	case Float8E5M2FNUZ:
		encode(Slice[F8E5M2FNUZ](t)[lo:], src, func(f float32) F8E5M2FNUZ { return ToF8E5M2FNUZ(f, saturate) })
	case Float8E8M0:
		encode(Slice[F8E8M0](t)[lo:], src, func(f float32) F8E8M0 { return ToF8E8M0(f, mode, saturate) })
	case Float4E2M1:
		for i, f := range src {
			t.SetPacked(lo+i, int8(ToFloat4(f)))
		}
	default:
		return false
	}
	return true
}

func encode[T any](dst []T, src []float32, conv func(float32) T) {
	for i, f := range src {
		dst[i] = conv(f)
	}
}
