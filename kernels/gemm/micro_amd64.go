//go:build !purego

package gemm

import "github.com/sardonyx-ml/sardonyx/kernels/cpu"

// float32Kernels lists the kernels that this machine can run, best first.
func float32Kernels() []*kernel[float32] {
	var ks []*kernel[float32]
	if cpu.AVX512 {
		ks = append(ks, &kernel[float32]{name: "avx512", mr: 8, nr: 48, few: 1, kc: blockK, run: runAVX512, row: runRowAVX512})
	}
	if cpu.AVX2 {
		ks = append(ks, &kernel[float32]{name: "avx2", mr: 4, nr: 24, few: 1, kc: blockK, run: runAVX2, row: runRowAVX2})
	}
	return append(ks, float32Go)
}

type microFloat32 = func(c *float32, ldc int, a, b *float32, kc, ahead int, add bool)

// The kernels by rows-1 and vectors-1.
var (
	microAVX2 = [4][3]microFloat32{
		{microAVX2_1x1, microAVX2_1x2, microAVX2_1x3},
		{microAVX2_2x1, microAVX2_2x2, microAVX2_2x3},
		{microAVX2_3x1, microAVX2_3x2, microAVX2_3x3},
		{microAVX2_4x1, microAVX2_4x2, microAVX2_4x3},
	}
	microAVX512 = [8][3]microFloat32{
		{microAVX512_1x1, microAVX512_1x2, microAVX512_1x3},
		{microAVX512_2x1, microAVX512_2x2, microAVX512_2x3},
		{microAVX512_3x1, microAVX512_3x2, microAVX512_3x3},
		{microAVX512_4x1, microAVX512_4x2, microAVX512_4x3},
		{microAVX512_5x1, microAVX512_5x2, microAVX512_5x3},
		{microAVX512_6x1, microAVX512_6x2, microAVX512_6x3},
		{microAVX512_7x1, microAVX512_7x2, microAVX512_7x3},
		{microAVX512_8x1, microAVX512_8x2, microAVX512_8x3},
	}
)

func runAVX2(c []float32, ldc int, a, b []float32, kc, m, n, ahead int, add bool, tmp []float32) {
	runVectors(&microAVX2[m-1], 4, 8, c, ldc, a, b, kc, m, n, ahead, add, tmp)
}

func runAVX512(c []float32, ldc int, a, b []float32, kc, m, n, ahead int, add bool, tmp []float32) {
	runVectors(&microAVX512[m-1], 8, 16, c, ldc, a, b, kc, m, n, ahead, add, tmp)
}

func runRowAVX2(c, a, b []float32, add bool) {
	if len(a) == 0 {
		return
	}
	_, _ = c[23], b[len(a)*24-1]
	rowAVX2(&c[0], &a[0], &b[0], len(a), add)
}

func runRowAVX512(c, a, b []float32, add bool) {
	if len(a) == 0 {
		return
	}
	_, _ = c[47], b[len(a)*48-1]
	rowAVX512(&c[0], &a[0], &b[0], len(a), add)
}

// runVectors computes whole vectors of columns in place and the rest through tmp.
func runVectors(row *[3]microFloat32, mr, lanes int, c []float32, ldc int, a, b []float32, kc, m, n, ahead int, add bool, tmp []float32) {
	_, _, _ = c[(m-1)*ldc+n-1], a[kc*mr-1], b[kc*3*lanes-1]
	full := n / lanes
	if full > 0 {
		row[full-1](&c[0], ldc, &a[0], &b[0], kc, ahead, add)
	}
	if rest := n - full*lanes; rest > 0 {
		row[0](&tmp[0], lanes, &a[0], &b[full*lanes], kc, 0, false)
		for r := range m {
			addRow(c[r*ldc+full*lanes:][:rest], tmp[r*lanes:][:rest], add)
		}
	}
}

// packFloat32 is packPanels for one panel of w ≤ width columns; it reports false where it has no code.
func packFloat32(panel, src []float32, row, col, width, w, kc int) bool {
	if !cpu.AVX2 || kc == 0 {
		return false
	}
	switch {
	case col == 1 && w == width && (width == 24 || width == 48 && cpu.AVX512):
		_, _ = panel[kc*width-1], src[(kc-1)*row+width-1]
		if width == 24 {
			packRowsAVX2(&panel[0], &src[0], row, kc)
		} else {
			packRowsAVX512(&panel[0], &src[0], row, kc)
		}
		return true
	case row == 1 && kc >= 8:
		packTransposed(panel, src, col, width, w, kc)
		return true
	}
	return false
}

// packTransposed packs columns that are contiguous in memory, col apart.
func packTransposed(panel, src []float32, col, width, w, kc int) {
	j := 0
	for step := 8; step >= 4; step /= 2 {
		for ; j+step <= w; j += step {
			whole := kc / step * step
			_, _ = panel[(kc-1)*width+j+step-1], src[(j+step-1)*col+kc-1]
			if step == 8 {
				transpose8AVX2(&panel[j], width, &src[j*col], col, whole)
			} else {
				transpose4AVX2(&panel[j], width, &src[j*col], col, whole)
			}
			for p := whole; p < kc; p++ {
				for t := range step {
					panel[p*width+j+t] = src[p+(j+t)*col]
				}
			}
		}
	}
	packStrided(panel[j:], src[min(j*col, len(src)):], 1, col, width, w-j, kc, width-j)
}
