//go:build !amd64 || purego

package conv

func rowKernelFor(int) rowKernel { return nil }
