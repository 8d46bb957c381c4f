package gemm

// Requantize sets dst[i] to acc[i]·scale[i], rounded to the nearest integer (ties to even), plus zero, saturated to 8 bits:
// of an int8 if signed, else of a uint8. scale has one element for all or one for each.
func Requantize(dst []uint8, signed bool, acc []int32, scale []float32, zero int32) {
	lo, hi := bounds8(signed, zero)
	acc = acc[:len(dst)]
	if len(scale) == 1 {
		var same [16]float32
		for i := range same {
			same[i] = scale[0]
		}
		n := len(dst) &^ 15
		requantizeTile(dst, 16, acc, 16, n/16, same[:], zero, lo, hi)
		for i, v := range acc[n:] {
			dst[n+i] = requantize(float32(v)*scale[0], lo, hi, zero)
		}
		return
	}
	scale = scale[:len(dst)]
	n := len(dst) &^ 15
	if n > 0 {
		requantizeTile(dst, n, acc, n, 1, scale[:n], zero, lo, hi)
	}
	dst, acc, scale = dst[n:], acc[n:], scale[n:]
	for i, v := range acc {
		dst[i] = requantize(float32(v)*scale[i], lo, hi, zero)
	}
}

// bounds8 returns the limits of an 8-bit integer less its zero point.
func bounds8(signed bool, zero int32) (lo, hi float32) {
	if signed {
		return float32(-128 - zero), float32(127 - zero)
	}
	return float32(0 - zero), float32(255 - zero)
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
