package vec

import "math"

// FromF16 sets dst[i] to the number whose binary16 bits are src[i].
func FromF16[T ~uint16](dst []float32, src []T) {
	check(len(dst), len(src))
	n := fromF16Vec(dst, words(src))
	for i, h := range src[n:] {
		b := math.Float32bits(math.Float32frombits(uint32(h&0x7FFF)<<13)*0x1p112) | uint32(h&0x8000)<<16
		if h&0x7C00 == 0x7C00 {
			b |= 0x7F800000
		}
		dst[n+i] = math.Float32frombits(b)
	}
}

// ToF16 rounds src[i] to binary16, ties to even; what is out of range becomes infinite.
func ToF16[T ~uint16](dst []T, src []float32) {
	check(len(dst), len(src))
	n := toF16Vec(words(dst), src)
	for i, f := range src[n:] {
		dst[n+i] = T(toF16(f))
	}
}

func toF16(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7FFFFFFF
	switch {
	case b > 0x7F800000: // NaN, made quiet
		return sign | 0x7E00 | uint16(b>>13)&0x3FF
	case b >= 0x477FF000: // rounds to 65536 or more
		return sign | 0x7C00
	case b < 0x38800000: // subnormal result: the sum's last bit is the smallest number
		return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)-0x3F000000)
	}
	b += 0xFFF + b>>13&1 - 112<<23
	return sign | uint16(b>>13)
}

// FromBF16 sets dst[i] to the number whose bfloat16 bits are src[i].
func FromBF16[T ~uint16](dst []float32, src []T) {
	check(len(dst), len(src))
	n := fromBF16Vec(dst, words(src))
	for i, h := range src[n:] {
		dst[n+i] = math.Float32frombits(uint32(h) << 16)
	}
}

// ToBF16 rounds src[i] to bfloat16, ties to even.
func ToBF16[T ~uint16](dst []T, src []float32) {
	check(len(dst), len(src))
	n := toBF16Vec(words(dst), src)
	for i, f := range src[n:] {
		b := math.Float32bits(f)
		if b&0x7FFFFFFF > 0x7F800000 {
			dst[n+i] = T(b>>16 | 0x40)
		} else {
			dst[n+i] = T((b + 0x7FFF + b>>16&1) >> 16)
		}
	}
}
