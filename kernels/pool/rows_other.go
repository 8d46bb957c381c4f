//go:build !amd64 || purego

package pool

func rowKernelFor(int) rowKernel { return nil }
