//go:build !purego

package vec

import "github.com/sardonyx-ml/sardonyx/kernels/cpu"

// The functions here convert a multiple of 16 elements from the start and return how many: 0 where there is no vector
// code.

func fromF16Vec(dst []float32, src []uint16) int {
	n := len(dst) &^ 15
	switch {
	case n == 0:
	case cpu.AVX512:
		fromF16AVX512(&dst[0], &src[0], n)
		return n
	case cpu.AVX2:
		fromF16AVX2(&dst[0], &src[0], n)
		return n
	}
	return 0
}

func toF16Vec(dst []uint16, src []float32) int {
	n := len(dst) &^ 15
	switch {
	case n == 0:
	case cpu.AVX512:
		toF16AVX512(&dst[0], &src[0], n)
		return n
	case cpu.AVX2:
		toF16AVX2(&dst[0], &src[0], n)
		return n
	}
	return 0
}

func fromBF16Vec(dst []float32, src []uint16) int {
	n := len(dst) &^ 15
	switch {
	case n == 0:
	case cpu.AVX512:
		fromBF16AVX512(&dst[0], &src[0], n)
		return n
	case cpu.AVX2:
		fromBF16AVX2(&dst[0], &src[0], n)
		return n
	}
	return 0
}

func toBF16Vec(dst []uint16, src []float32) int {
	n := len(dst) &^ 15
	switch {
	case n == 0:
	case cpu.AVX512:
		toBF16AVX512(&dst[0], &src[0], n)
		return n
	case cpu.AVX2:
		toBF16AVX2(&dst[0], &src[0], n)
		return n
	}
	return 0
}

// quantize8Vec computes round(clamp(src/scale, lo, hi)) + zero.
func quantize8Vec(dst []uint8, src []float32, scale, zero, lo, hi float32) int {
	n := len(dst) &^ 15
	switch {
	case n == 0:
	case cpu.AVX512:
		quantize8AVX512(&dst[0], &src[0], n, scale, zero, lo, hi)
		return n
	case cpu.AVX2:
		quantize8AVX2(&dst[0], &src[0], n, scale, zero, lo, hi)
		return n
	}
	return 0
}

func dequantizeU8Vec(dst []float32, src []uint8, scale, zero float32) int {
	n := len(dst) &^ 15
	switch {
	case n == 0:
	case cpu.AVX512:
		dequantizeU8AVX512(&dst[0], &src[0], n, scale, zero)
		return n
	case cpu.AVX2:
		dequantizeU8AVX2(&dst[0], &src[0], n, scale, zero)
		return n
	}
	return 0
}

func dequantizeS8Vec(dst []float32, src []int8, scale, zero float32) int {
	n := len(dst) &^ 15
	switch {
	case n == 0:
	case cpu.AVX512:
		dequantizeS8AVX512(&dst[0], &src[0], n, scale, zero)
		return n
	case cpu.AVX2:
		dequantizeS8AVX2(&dst[0], &src[0], n, scale, zero)
		return n
	}
	return 0
}

// minMaxVec widens [lo, hi] to a multiple of 16 elements from the start and returns how many.
func minMaxVec(x []float32, lo, hi *float32) int {
	n := len(x) &^ 15
	if n == 0 || !cpu.AVX2 {
		return 0
	}
	var y [32]float32
	for i := range 16 {
		y[i], y[16+i] = *lo, *hi
	}
	if cpu.AVX512 {
		minMaxAVX512(&y[0], &x[0], n)
	} else {
		minMaxAVX2(&y[0], &x[0], n)
	}
	for i := range 16 {
		*lo, *hi = min(*lo, y[i]), max(*hi, y[16+i])
	}
	return n
}
