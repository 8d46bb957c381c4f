//go:build !amd64 || purego

package gemm

func axpyRows[T Number](c, a, b []T, ldb int) int { return 0 }

func dotColumns[T Number](c, a, b []T, ldb int) bool { return false }
