//go:build !purego

package gemm

import "github.com/sardonyx-ml/sardonyx/kernels/cpu"

type nbitsFunc = func(y *float32, ldy int, a *float32, lda int, panel *uint8, scale, minus, sums *float32, ldsum, blocks, groups int)

// The kernels by rows-1.
var (
	nbits4AVX2   = [4]nbitsFunc{nbits4AVX2_1, nbits4AVX2_2, nbits4AVX2_3, nbits4AVX2_4}
	nbits8AVX2   = [4]nbitsFunc{nbits8AVX2_1, nbits8AVX2_2, nbits8AVX2_3, nbits8AVX2_4}
	nbits4AVX512 = [4]nbitsFunc{nbits4AVX512_1, nbits4AVX512_2, nbits4AVX512_3, nbits4AVX512_4}
	nbits8AVX512 = [4]nbitsFunc{nbits8AVX512_1, nbits8AVX512_2, nbits8AVX512_3, nbits8AVX512_4}
)

// nbitsMicro multiplies rows ≤ 4 rows with a panel; see nbitsMicroGo.
func nbitsMicro(bits, rows int, y, a []float32, lda int, panel []uint8, scale, offset, sums []float32, blocks, groups int) {
	_, _, _, _ = y[(rows-1)*nbitsPanel+nbitsPanel-1], a[(rows-1)*lda+blocks*groups*(32/bits)-1], panel[blocks*groups*64-1], scale[blocks*nbitsPanel-1]
	var minus, s *float32
	if offset != nil {
		_, _ = offset[blocks*nbitsPanel-1], sums[rows*blocks-1]
		minus, s = &offset[0], &sums[0]
	}
	f := &nbits4AVX512
	switch {
	case !cpu.AVX2:
		nbitsMicroGo(bits, rows, y, a, lda, panel, scale, offset, sums, blocks, groups)
		return
	case !cpu.AVX512:
		f = &nbits4AVX2
		if bits == 8 {
			f = &nbits8AVX2
		}
		f[rows-1](&y[0], nbitsPanel, &a[0], lda, &panel[0], &scale[0], minus, s, blocks, blocks, groups)
		if offset != nil {
			minus = &offset[8]
		}
		f[rows-1](&y[8], nbitsPanel, &a[0], lda, &panel[32], &scale[8], minus, s, blocks, blocks, groups)
		return
	case bits == 8:
		f = &nbits8AVX512
	}
	f[rows-1](&y[0], nbitsPanel, &a[0], lda, &panel[0], &scale[0], minus, s, blocks, blocks, groups)
}

// nbitsLanes is how many columns of a panel of nr are expanded at a time.
func nbitsLanes(nr int) int {
	switch {
	case cpu.AVX512 && nr%16 == 0:
		return 16
	case cpu.AVX2 && nr%8 == 0:
		return 8
	}
	return 4
}

// nbitsExpand expands groups of a panel; see expandGo.
func nbitsExpand(bits int, dst []float32, ld int, panel []uint8, scale, offset []float32, groups, lanes int) {
	if groups == 0 {
		return
	}
	_, _ = dst[(groups*(32/bits)-1)*ld+lanes-1], panel[(groups-1)*64+4*lanes-1]
	_, _ = scale[lanes-1], offset[lanes-1]
	switch {
	case lanes == 16 && bits == 4:
		expand4AVX512(&dst[0], ld, &panel[0], &scale[0], &offset[0], groups)
	case lanes == 16:
		expand8AVX512(&dst[0], ld, &panel[0], &scale[0], &offset[0], groups)
	case lanes == 8 && bits == 4:
		expand4AVX2(&dst[0], ld, &panel[0], &scale[0], &offset[0], groups)
	case lanes == 8:
		expand8AVX2(&dst[0], ld, &panel[0], &scale[0], &offset[0], groups)
	default:
		expandGo(bits, dst, ld, panel, scale, offset, groups, lanes)
	}
}
