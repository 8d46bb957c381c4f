//go:build !purego

package gemm

import "github.com/sardonyx-ml/sardonyx/kernels/cpu"

type microInt8 = func(c *int32, ldc int, a *uint8, lda int, b *uint8, groups int)

// The kernels by rows-1 and vectors-1.
var (
	qmicroAVX2 = [4][2]microInt8{
		{qmicroAVX2_1x1, qmicroAVX2_1x2},
		{qmicroAVX2_2x1, qmicroAVX2_2x2},
		{qmicroAVX2_3x1, qmicroAVX2_3x2},
		{qmicroAVX2_4x1, qmicroAVX2_4x2},
	}
	qmicroAVX512 = [8][2]microInt8{
		{qmicroAVX512_1x1, qmicroAVX512_1x2},
		{qmicroAVX512_2x1, qmicroAVX512_2x2},
		{qmicroAVX512_3x1, qmicroAVX512_3x2},
		{qmicroAVX512_4x1, qmicroAVX512_4x2},
		{qmicroAVX512_5x1, qmicroAVX512_5x2},
		{qmicroAVX512_6x1, qmicroAVX512_6x2},
		{qmicroAVX512_7x1, qmicroAVX512_7x2},
		{qmicroAVX512_8x1, qmicroAVX512_8x2},
	}
	qmicroVNNI = [8][3]microInt8{
		{qmicroVNNI_1x1, qmicroVNNI_1x2, qmicroVNNI_1x3},
		{qmicroVNNI_2x1, qmicroVNNI_2x2, qmicroVNNI_2x3},
		{qmicroVNNI_3x1, qmicroVNNI_3x2, qmicroVNNI_3x3},
		{qmicroVNNI_4x1, qmicroVNNI_4x2, qmicroVNNI_4x3},
		{qmicroVNNI_5x1, qmicroVNNI_5x2, qmicroVNNI_5x3},
		{qmicroVNNI_6x1, qmicroVNNI_6x2, qmicroVNNI_6x3},
		{qmicroVNNI_7x1, qmicroVNNI_7x2, qmicroVNNI_7x3},
		{qmicroVNNI_8x1, qmicroVNNI_8x2, qmicroVNNI_8x3},
	}
	qmicroPairsAVX2 = [4][2]microInt8{
		{qmicroPairsAVX2_1x1, qmicroPairsAVX2_1x2},
		{qmicroPairsAVX2_2x1, qmicroPairsAVX2_2x2},
		{qmicroPairsAVX2_3x1, qmicroPairsAVX2_3x2},
		{qmicroPairsAVX2_4x1, qmicroPairsAVX2_4x2},
	}
	qmicroPairsAVX512 = [8][2]microInt8{
		{qmicroPairsAVX512_1x1, qmicroPairsAVX512_1x2},
		{qmicroPairsAVX512_2x1, qmicroPairsAVX512_2x2},
		{qmicroPairsAVX512_3x1, qmicroPairsAVX512_3x2},
		{qmicroPairsAVX512_4x1, qmicroPairsAVX512_4x2},
		{qmicroPairsAVX512_5x1, qmicroPairsAVX512_5x2},
		{qmicroPairsAVX512_6x1, qmicroPairsAVX512_6x2},
		{qmicroPairsAVX512_7x1, qmicroPairsAVX512_7x2},
		{qmicroPairsAVX512_8x1, qmicroPairsAVX512_8x2},
	}
	int8AVX2   = &int8Kernel{name: "avx2", mr: 4, nr: 16, lanes: 8, run: runInt8AVX2, pairs: pairsInt8AVX2}
	int8AVX512 = &int8Kernel{name: "avx512", mr: 8, nr: 32, lanes: 16, run: runInt8AVX512, pairs: pairsInt8AVX512}
	int8VNNI   = &int8Kernel{name: "avx512vnni", mr: 8, nr: 48, lanes: 16, run: runInt8VNNI}
)

// pickInt8 returns the best kernel of this machine.
func pickInt8() *int8Kernel {
	switch {
	case cpu.VNNI:
		return int8VNNI
	case cpu.AVX512:
		return int8AVX512
	case cpu.AVX2:
		return int8AVX2
	}
	return int8Go
}

func runInt8AVX2(c []int32, a []uint8, lda int, b []uint8, groups, m, vecs int) {
	_, _, _ = c[(m-1)*16+8*vecs-1], a[(m-1)*lda+4*groups-1], b[groups*64-1]
	qmicroAVX2[m-1][vecs-1](&c[0], 16, &a[0], lda, &b[0], groups)
}

func pairsInt8AVX2(c []int32, a []uint8, lda int, b []uint8, groups, m, vecs int) {
	_, _, _ = c[(m-1)*16+8*vecs-1], a[(m-1)*lda+4*groups-1], b[groups*64-1]
	qmicroPairsAVX2[m-1][vecs-1](&c[0], 16, &a[0], lda, &b[0], groups)
}

func runInt8AVX512(c []int32, a []uint8, lda int, b []uint8, groups, m, vecs int) {
	_, _, _ = c[(m-1)*32+16*vecs-1], a[(m-1)*lda+4*groups-1], b[groups*128-1]
	qmicroAVX512[m-1][vecs-1](&c[0], 32, &a[0], lda, &b[0], groups)
}

func pairsInt8AVX512(c []int32, a []uint8, lda int, b []uint8, groups, m, vecs int) {
	_, _, _ = c[(m-1)*32+16*vecs-1], a[(m-1)*lda+4*groups-1], b[groups*128-1]
	qmicroPairsAVX512[m-1][vecs-1](&c[0], 32, &a[0], lda, &b[0], groups)
}

func runInt8VNNI(c []int32, a []uint8, lda int, b []uint8, groups, m, vecs int) {
	_, _, _ = c[(m-1)*48+16*vecs-1], a[(m-1)*lda+4*groups-1], b[groups*192-1]
	qmicroVNNI[m-1][vecs-1](&c[0], 48, &a[0], lda, &b[0], groups)
}

// interleave packs groups of four rows of width bytes, a multiple of 16; see interleaveGo.
func interleave(dst []uint8, width int, src []uint8, ld, groups int, flip uint8) {
	if !cpu.AVX2 || groups == 0 {
		interleaveGo(dst, width, src, ld, groups, flip)
		return
	}
	_, _ = dst[4*width*groups-1], src[(4*groups-1)*ld+width-1]
	for j := 0; j < width; j += 16 {
		interleave4AVX2(&dst[4*j], 4*width, &src[j], ld, groups, uint32(flip)*0x01010101)
	}
}

func sumBytes(x []uint8) int {
	if n := len(x) &^ 31; cpu.AVX2 && n > 0 {
		return sumBytesAVX2(&x[0], n) + sumBytesGo(x[n:])
	}
	return sumBytesGo(x)
}

// rank1 is rank1Go for a multiple of 16 columns.
func rank1(acc []int32, ld int, x, y []int32) {
	if len(x) == 0 || len(y) == 0 {
		return
	}
	_ = acc[(len(x)-1)*ld+len(y)-1]
	switch {
	case cpu.AVX512:
		rank1AVX512(&acc[0], ld, len(x), len(y), &x[0], &y[0])
	case cpu.AVX2:
		rank1AVX2(&acc[0], ld, len(x), len(y), &x[0], &y[0])
	default:
		rank1Go(acc, ld, x, y)
	}
}

// dequantizeTile sets dst[i·ldd+j] = acc[i·ld+j]·scale[j] + bias[j] for a multiple of 16 columns.
func dequantizeTile(dst []float32, ldd int, acc []int32, ld, rows int, scale, bias []float32) {
	n := len(scale)
	if rows == 0 || n == 0 {
		return
	}
	_, _, _ = dst[(rows-1)*ldd+n-1], acc[(rows-1)*ld+n-1], bias[n-1]
	switch {
	case cpu.AVX512:
		dequantizeTileAVX512(&dst[0], ldd, &acc[0], ld, rows, n, &scale[0], &bias[0])
	case cpu.AVX2:
		dequantizeTileAVX2(&dst[0], ldd, &acc[0], ld, rows, n, &scale[0], &bias[0])
	default:
		dequantizeGo(dst, ldd, acc, ld, rows, scale, bias)
	}
}

// requantizeTile sets dst[i·ldd+j] to acc[i·ld+j]·scale[j], clamped and rounded, plus zero, for a multiple of 16 columns.
func requantizeTile(dst []uint8, ldd int, acc []int32, ld, rows int, scale []float32, zero int32, lo, hi float32) {
	n := len(scale)
	if rows == 0 || n == 0 {
		return
	}
	_, _ = dst[(rows-1)*ldd+n-1], acc[(rows-1)*ld+n-1]
	switch {
	case cpu.AVX512:
		requantizeTileAVX512(&dst[0], ldd, &acc[0], ld, rows, n, &scale[0], zero, lo, hi)
	case cpu.AVX2:
		requantizeTileAVX2(&dst[0], ldd, &acc[0], ld, rows, n, &scale[0], zero, lo, hi)
	default:
		requantizeGo(dst, ldd, acc, ld, rows, scale, zero, lo, hi)
	}
}
