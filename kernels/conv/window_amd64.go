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

// planeKernelFor returns the plane kernel for a convolution, or nil.
func planeKernelFor(g *Geometry) planeKernel {
	if !cpu.AVX2 || len(g.In) != 2 {
		return nil
	}
	for d := range 2 {
		if g.Kernel[d] != 3 || g.Dilate[d] != 1 || g.Stride[d] != g.Stride[0] {
			return nil
		}
	}
	switch g.Stride[0] {
	case 1:
		return func(y []float32, rows, n int, x []float32, ldx int, w []float32, bias, lo, hi float32) {
			checkPlane(y, rows, n, x, ldx, w, 1)
			plane3x3s1AVX2(&y[0], rows, n, &x[0], ldx, &w[0], bias, lo, hi)
		}
	case 2:
		return func(y []float32, rows, n int, x []float32, ldx int, w []float32, bias, lo, hi float32) {
			checkPlane(y, rows, n, x, ldx, w, 2)
			plane3x3s2AVX2(&y[0], rows, n, &x[0], ldx, &w[0], bias, lo, hi)
		}
	}
	return nil
}

// checkPlane panics if a plane kernel would read or write too far.
func checkPlane(y []float32, rows, n int, x []float32, ldx int, w []float32, stride int) {
	_, _, _ = y[rows*n-1], x[((rows-1)*stride+2)*ldx+(n-1)*stride+2+8*stride], w[8]
}

// copyRows copies rows of n > 0 elements that are ldd and lds apart.
func copyRows(dst []float32, ldd int, src []float32, lds, rows, n int) {
	_, _ = dst[(rows-1)*ldd+n-1], src[(rows-1)*lds+n-1]
	if !cpu.AVX2 {
		copyRowsGo(dst, ldd, src, lds, rows, n)
		return
	}
	copyRowsAVX2(&dst[0], ldd, &src[0], lds, rows, n)
}
