//go:build !amd64 || purego

package conv

func rowKernelFor(int) rowKernel { return nil }

func planeKernelFor(*Geometry) planeKernel { return nil }

func copyRows(dst []float32, ldd int, src []float32, lds, rows, n int) {
	copyRowsGo(dst, ldd, src, lds, rows, n)
}
