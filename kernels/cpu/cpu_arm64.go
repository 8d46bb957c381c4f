//go:build !purego

package cpu

// Advanced SIMD is part of every ARMv8-A processor that Go runs on.
func detect() { NEON = true }
