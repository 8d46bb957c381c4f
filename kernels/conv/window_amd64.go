//go:build !purego

package conv

import "github.com/sardonyx-ml/sardonyx/kernels/cpu"

// rowKernelFor returns the row kernel for a stride, or nil.
func rowKernelFor(stride int) rowKernel {
	switch {
	case !cpu.AVX2:
		return nil
	case stride == 1:
		return func(y []float32, bias float32, x []float32, off []int, w []float32) {
			checkRow(y, x, off, w, 1)
			row1AVX2(&y[0], len(y), bias, &x[0], &off[0], &w[0], len(w))
		}
	case stride == 2:
		return func(y []float32, bias float32, x []float32, off []int, w []float32) {
			checkRow(y, x, off, w, 2)
			row2AVX2(&y[0], len(y), bias, &x[0], &off[0], &w[0], len(w))
		}
	}
	return nil
}

// checkRow panics if a row kernel would read too far; the last offset is the largest.
func checkRow(y, x []float32, off []int, w []float32, stride int) {
	_, _ = x[off[len(off)-1]+(len(y)-1)*stride+8*stride], off[len(w)-1]
}
