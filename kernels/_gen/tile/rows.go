package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// rows writes kernels over single rows.
func rows() {
	even()
	finishRow()
}

// even copies every other element: eight at a time, the rest by scalars.
func even() {
	TEXT("evenAVX2", NOSPLIT, "func(dst, src *float32, n int)")
	Pragma("noescape")
	Doc("evenAVX2 sets dst[i] = src[2·i]. It reads no element past src[2·n-2].")
	dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("n"), GP64())
	Label("even_loop")
	CMPQ(n, U32(9)) // the last vector reads one element further
	JLT(LabelRef("even_tail"))
	a, b := YMM(), YMM()
	VMOVUPS(Mem{Base: src}, a)
	VMOVUPS(Mem{Base: src, Disp: 32}, b)
	VSHUFPS(U8(0x88), b, a, a)
	VPERMPD(U8(0xD8), a, a)
	VMOVUPS(a, Mem{Base: dst})
	ADDQ(U32(64), src)
	ADDQ(U32(32), dst)
	SUBQ(U32(8), n)
	JMP(LabelRef("even_loop"))
	Label("even_tail")
	TESTQ(n, n)
	JLE(LabelRef("even_done"))
	x := XMM()
	VMOVSS(Mem{Base: src}, x)
	VMOVSS(x, Mem{Base: dst})
	ADDQ(U32(8), src)
	ADDQ(U32(4), dst)
	DECQ(n)
	JMP(LabelRef("even_tail"))
	Label("even_done")
	VZEROUPPER()
	RET()
}

// finishRow adds bias and residual to a row and bounds it.
func finishRow() {
	TEXT("finishRowAVX2", NOSPLIT, "func(dst, src, res *float32, n int, bias, lo, hi float32)")
	Pragma("noescape")
	Doc("finishRowAVX2 sets dst[i] = min(max(src[i] + bias + res[i], lo), hi); res may be nil. dst may be src.")
	dst, src, res, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("res"), GP64()), Load(Param("n"), GP64())
	bias, lo, hi := YMM(), YMM(), YMM()
	for _, p := range []struct {
		name string
		v    Op
	}{{"bias", bias}, {"lo", lo}, {"hi", hi}} {
		at, err := Param(p.name).Resolve()
		if err != nil {
			panic(err)
		}
		VBROADCASTSS(at.Addr, p.v)
	}
	body := func(load func(p Mem) Op, store func(x Op), label string) {
		x := load(Mem{Base: src})
		VADDPS(bias, x, x)
		TESTQ(res, res)
		JZ(LabelRef("finish_bound_" + label))
		VADDPS(load(Mem{Base: res}), x, x)
		Label("finish_bound_" + label)
		VMAXPS(x, lo, x)
		VMINPS(x, hi, x)
		store(x)
	}
	skip := GP64() // how far res moves
	XORQ(skip, skip)
	TESTQ(res, res)
	JZ(LabelRef("finish_loop"))
	MOVQ(U32(32), skip)
	Label("finish_loop")
	CMPQ(n, U32(8))
	JLT(LabelRef("finish_tail"))
	body(func(p Mem) Op { x := YMM(); VMOVUPS(p, x); return x }, func(x Op) { VMOVUPS(x, Mem{Base: dst}) }, "full")
	ADDQ(U32(32), src)
	ADDQ(U32(32), dst)
	ADDQ(skip, res)
	SUBQ(U32(8), n)
	JMP(LabelRef("finish_loop"))
	Label("finish_tail")
	TESTQ(n, n)
	JLE(LabelRef("finish_done"))
	at, m := GP64(), YMM()
	LEAQ(tailMask.Offset(32), at)
	NEGQ(n)
	VMOVDQU(Mem{Base: at, Index: n, Scale: 4}, m)
	body(func(p Mem) Op { x := YMM(); VMASKMOVPS(p, m, x); return x }, func(x Op) { VMASKMOVPS(x, m, Mem{Base: dst}) }, "tail")
	Label("finish_done")
	VZEROUPPER()
	RET()
}
