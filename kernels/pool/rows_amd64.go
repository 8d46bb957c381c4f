//go:build !purego

package pool

import "github.com/sardonyx-ml/sardonyx/kernels/cpu"

// rowKernelFor returns the row kernel for a stride, or nil.
func rowKernelFor(stride int) rowKernel {
	switch {
	case !cpu.AVX2:
		return nil
	case stride == 1:
		return func(y, x []float32, off []int) {
			checkRow(y, x, off, 1)
			maxRow1AVX2(&y[0], len(y), &x[0], &off[0], len(off))
		}
	case stride == 2:
		return func(y, x []float32, off []int) {
			checkRow(y, x, off, 2)
			maxRow2AVX2(&y[0], len(y), &x[0], &off[0], len(off))
		}
	}
	return nil
}

// checkRow panics if a row kernel would read too far; the last offset is the largest.
func checkRow(y, x []float32, off []int, stride int) {
	_ = x[off[len(off)-1]+(len(y)-1)*stride+8*stride]
}
