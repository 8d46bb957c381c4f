package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// minMax writes the search for the smallest and largest elements.
func minMax() {
	for _, s := range []isa{{"AVX2", 8}, {"AVX512", 16}} {
		TEXT("minMax"+s.name, NOSPLIT, "func(y, x *float32, n int)")
		Pragma("noescape")
		Doc("minMax"+s.name+" lowers y[0:16] to the elements of x[0:n], 16 at a time, and raises y[16:32] to them. NaN is passed", "over. n is a positive multiple of 16.")
		y, x, n := Load(Param("y"), GP64()), Load(Param("x"), GP64()), Load(Param("n"), GP64())
		var lo, hi []reg.VecVirtual
		for at := 0; at < 16; at += s.lanes {
			a, b := s.v(), s.v()
			VMOVUPS(Mem{Base: y, Disp: 4 * at}, a)
			VMOVUPS(Mem{Base: y, Disp: 64 + 4*at}, b)
			lo, hi = append(lo, a), append(hi, b)
		}
		Label("loop_minMax" + s.name)
		for i := range lo {
			v := s.v()
			VMOVUPS(Mem{Base: x, Disp: 4 * s.lanes * i}, v)
			VMINPS(lo[i], v, lo[i]) // the second source wins over NaN
			VMAXPS(hi[i], v, hi[i])
		}
		ADDQ(U32(64), x)
		SUBQ(U32(16), n)
		JNZ(LabelRef("loop_minMax" + s.name))
		for i := range lo {
			VMOVUPS(lo[i], Mem{Base: y, Disp: 4 * s.lanes * i})
			VMOVUPS(hi[i], Mem{Base: y, Disp: 64 + 4*s.lanes*i})
		}
		VZEROUPPER()
		RET()
	}
}
