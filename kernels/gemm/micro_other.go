//go:build purego || !amd64

package gemm

// float32Kernels lists the kernels that this machine can run, best first.
func float32Kernels() []*kernel[float32] { return []*kernel[float32]{float32Go} }

func packFloat32(_, _ []float32, _, _, _, _, _ int) bool { return false }
