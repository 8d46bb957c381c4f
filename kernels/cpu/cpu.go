// Package cpu says which instruction sets kernels may use.
//
// The level is found once at start. The environment variable SARDONYX_CPU lowers it: portable (Go code only), avx2,
// avx512 or neon; a level that the machine lacks falls back to the best one below it.
package cpu

import "os"

// The instruction sets that kernels have code for. AVX2 includes FMA and F16C, AVX512 is F, VL, BW and DQ, VNNI is AVX-512
// VNNI. Tests may clear them before the first use of a kernel.
var (
	AVX2   bool
	AVX512 bool
	VNNI   bool
	NEON   bool
)

func init() {
	detect()
	switch os.Getenv("SARDONYX_CPU") {
	case "portable":
		AVX2, AVX512, VNNI, NEON = false, false, false, false
	case "avx2":
		AVX512, VNNI = false, false
	}
}

// Level names the best level in use.
func Level() string {
	switch {
	case AVX512 && VNNI:
		return "avx512vnni"
	case AVX512:
		return "avx512"
	case AVX2:
		return "avx2"
	case NEON:
		return "neon"
	}
	return "portable"
}

// Variant is one implementation of a kernel.
type Variant[F any] struct {
	Name string
	OK   bool // whether this machine can run it
	Run  F
}

// Pick returns the first implementation that the machine can run; the last row of a table is the portable one.
func Pick[F any](rows []Variant[F]) F {
	for _, r := range rows {
		if r.OK {
			return r.Run
		}
	}
	panic("cpu: no portable variant")
}
