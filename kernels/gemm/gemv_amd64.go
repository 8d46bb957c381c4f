//go:build !purego

package gemm

import "github.com/sardonyx-ml/sardonyx/kernels/cpu"

// axpyRows adds a·B to c for len(a) rows of B, ldb apart, from b on. It reports how many rows it took: as many as there is
// code for.
func axpyRows[T Number](c, a, b []T, ldb int) int {
	c32, ok := any(c).([]float32)
	if !ok || !cpu.AVX2 || len(c) == 0 {
		return 0
	}
	a32, b32 := any(a).([]float32), any(b).([]float32)
	p := 0
	for ; p+8 <= len(a32); p += 8 {
		rows := b32[p*ldb:]
		_ = rows[7*ldb+len(c32)-1]
		axpy8AVX2(&c32[0], len(c32), &a32[p], &rows[0], ldb)
	}
	return p
}

// dotColumns adds the products of a with the len(c) columns of B, ldb apart, to c. It reports whether there is code for it.
func dotColumns[T Number](c, a, b []T, ldb int) bool {
	c32, ok := any(c).([]float32)
	k := len(a) &^ 7
	if !ok || !cpu.AVX2 || k == 0 {
		return false
	}
	a32, b32 := any(a).([]float32), any(b).([]float32)
	var y [4]float32
	for j := 0; j < len(c32); {
		cols, step := 4, ldb
		if len(c32)-j < 4 {
			cols, step = 1, 0 // four times the same column: its sum has the same order as those of four
		}
		column := b32[j*ldb:]
		_ = column[(cols-1)*step+len(a32)-1]
		dot4AVX2(&y[0], &a32[0], &column[0], step, k)
		for i := range cols {
			c32[j+i] += y[i] + dot(a32[k:], column[i*step+k:][:len(a32)-k])
		}
		j += cols
	}
	return true
}
