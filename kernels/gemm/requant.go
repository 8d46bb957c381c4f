package gemm

// Requantize sets dst[i] to acc[i]·scale[i], rounded to the nearest integer (ties to even), plus zero, saturated to 8 bits:
// of an int8 if signed, else of a uint8. scale has one element for all or one for each.
func Requantize(dst []uint8, signed bool, acc []int32, scale []float32, zero int32) {
	lo, hi := float32(0-zero), float32(255-zero)
	if signed {
		lo, hi = float32(-128-zero), float32(127-zero)
	}
	acc = acc[:len(dst)]
	if len(scale) == 1 {
		s := scale[0]
		for i, v := range acc {
			dst[i] = requantize(float32(v)*s, lo, hi, zero)
		}
		return
	}
	scale = scale[:len(dst)]
	for i, v := range acc {
		dst[i] = requantize(float32(v)*scale[i], lo, hi, zero)
	}
}

// requantize rounds after clamping to bounds that are integers. Adding and subtracting 1.5·2²³ rounds a small number.
func requantize(v, lo, hi float32, zero int32) uint8 {
	if !(v > lo) {
		v = lo
	}
	if v > hi {
		v = hi
	}
	const magic = 3 << 22
	return uint8(int32(float32(v+magic)-magic) + zero)
}
