// Package kerneltest helps to test kernels at every level that a machine has.
package kerneltest

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/cpu"
)

// EachLevel runs f once for every instruction set level of this machine, the portable one included, with package cpu set
// accordingly. Levels that the machine lacks are skipped visibly.
func EachLevel(t *testing.T, f func(t *testing.T)) {
	avx2, avx512, vnni, neon := cpu.AVX2, cpu.AVX512, cpu.VNNI, cpu.NEON
	defer func() { cpu.AVX2, cpu.AVX512, cpu.VNNI, cpu.NEON = avx2, avx512, vnni, neon }()
	for _, l := range []struct {
		name                     string
		has                      bool
		avx2, avx512, vnni, neon bool
	}{
		{"portable", true, false, false, false, false},
		{"avx2", avx2, true, false, false, false},
		{"avx512", avx512, true, true, false, false},
		{"avx512vnni", vnni, true, true, true, false},
		{"neon", neon, false, false, false, true},
	} {
		t.Run(l.name, func(t *testing.T) {
			if !l.has {
				t.Skipf("this machine has no %s", l.name)
			}
			cpu.AVX2, cpu.AVX512, cpu.VNNI, cpu.NEON = l.avx2, l.avx512, l.vnni, l.neon
			f(t)
		})
	}
}

// Portable runs f with every instruction set switched off.
func Portable(f func()) {
	avx2, avx512, vnni, neon := cpu.AVX2, cpu.AVX512, cpu.VNNI, cpu.NEON
	defer func() { cpu.AVX2, cpu.AVX512, cpu.VNNI, cpu.NEON = avx2, avx512, vnni, neon }()
	cpu.AVX2, cpu.AVX512, cpu.VNNI, cpu.NEON = false, false, false, false
	f()
}

const guard = 16

// guardBits is a NaN that no kernel computes.
const guardBits = 0x7FC5A5A5

// Guarded returns n floats with guard words before and after them, and a function that fails the test if one was changed.
func Guarded(tb testing.TB, n int) ([]float32, func()) {
	all := make([]float32, n+2*guard)
	for i := range all {
		all[i] = math.Float32frombits(guardBits)
	}
	return all[guard : guard+n : guard+n], func() {
		tb.Helper()
		for i, v := range all {
			if (i < guard || i >= guard+n) && math.Float32bits(v) != guardBits {
				tb.Fatalf("element %d of %d was written", i-guard, n)
			}
		}
	}
}

// Rand returns n floats in [-4, 4) that depend on n only.
func Rand(n int) []float32 {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	x := make([]float32, n)
	for i := range x {
		x[i] = r.Float32()*8 - 4
	}
	return x
}
