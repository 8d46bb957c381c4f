package vec

// Small is the integer types that quantized values are stored in; 4- and 2-bit values are handled as int8.
type Small interface {
	int8 | uint8 | int16 | uint16 | int32
}

// Quantize sets dst[i] = clamp(round(x[i]/scale) + zero, lo, hi), rounding ties to even; NaN becomes lo. zero, lo and
// hi are integers of at most 16 bits.
func Quantize[T Small](dst []T, x []float32, scale, zero, lo, hi float32) {
	check(len(dst), len(x))
	lo, hi = lo-zero, hi-zero
	n := 0
	switch d := any(dst).(type) {
	case []uint8:
		n = quantize8Vec(d, x, scale, zero, lo, hi)
	case []int8:
		n = quantize8Vec(octets(d), x, scale, zero, lo, hi)
	}
	dst = dst[n:]
	for i, v := range x[n:] {
		q := v / scale
		if !(q > lo) {
			q = lo
		}
		if q > hi {
			q = hi
		}
		dst[i] = T(int32(float32(q+magic) - magic + zero))
	}
}

// QuantizeEach is Quantize with a scale and a zero point for each element.
func QuantizeEach[T Small](dst []T, x, scale, zero []float32, lo, hi float32) {
	check(len(dst), len(x))
	check(len(dst), len(scale))
	check(len(dst), len(zero))
	for i, v := range x {
		z := zero[i]
		q := v / scale[i]
		if !(q > lo-z) {
			q = lo - z
		}
		if q > hi-z {
			q = hi - z
		}
		dst[i] = T(int32(float32(q+magic) - magic + z))
	}
}

// Dequantize sets dst[i] = (x[i] - zero)·scale.
func Dequantize[T Small | float32](dst []float32, x []T, scale, zero float32) {
	check(len(dst), len(x))
	n := 0
	switch x := any(x).(type) {
	case []uint8:
		n = dequantizeU8Vec(dst, x, scale, zero)
	case []int8:
		n = dequantizeS8Vec(dst, x, scale, zero)
	}
	dst = dst[n:]
	for i, v := range x[n:] {
		dst[i] = (float32(v) - zero) * scale
	}
}

// DequantizeEach is Dequantize with a scale and a zero point for each element.
func DequantizeEach[T Small | float32](dst []float32, x []T, scale, zero []float32) {
	check(len(dst), len(x))
	check(len(dst), len(scale))
	check(len(dst), len(zero))
	for i, v := range x {
		dst[i] = (float32(v) - zero[i]) * scale[i]
	}
}
