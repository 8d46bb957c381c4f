//go:build !amd64 || purego

package conv

func rowKernelFor(int) rowKernel { return nil }

func planeKernelFor(*Geometry) planeKernel { return nil }

func copyRows([]float32, int, []float32, int, int, int) bool { return false }
