//go:build !purego

package cpu

import "golang.org/x/sys/cpu"

func detect() {
	x := &cpu.X86
	AVX2 = x.HasAVX2 && x.HasFMA
	AVX512 = AVX2 && x.HasAVX512F && x.HasAVX512VL && x.HasAVX512BW && x.HasAVX512DQ
	VNNI = AVX512 && x.HasAVX512VNNI
}
