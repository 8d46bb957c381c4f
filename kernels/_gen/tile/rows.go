package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rows writes kernels over single rows.
func rows() {
	even()
	finishRow()
}

// even copies every other element of rows: eight at a time, the rest of a row by scalars.
func even() {
	TEXT("evenRowsAVX2", NOSPLIT, "func(dst *float32, ldd int, src *float32, lds, rows, n int)")
	Pragma("noescape")
	Doc("evenRowsAVX2 copies every other element of rows of 2·n-1 > 0 elements, lds apart, to rows that are ldd apart. It reads no other elements.")
	get := func(n string) reg.GPVirtual { return Load(Param(n), GP64()).(reg.GPVirtual) }
	dst, ldd, src, lds, rows, n := get("dst"), get("ldd"), get("src"), get("lds"), get("rows"), get("n")
	SHLQ(U8(2), ldd)
	SHLQ(U8(2), lds)
	d, s, left := GP64(), GP64(), GP64()
	Label("even_row")
	MOVQ(dst, d)
	MOVQ(src, s)
	MOVQ(n, left)
	Label("even_loop")
	CMPQ(left, U32(9)) // the last vector reads one element further
	JLT(LabelRef("even_tail"))
	a, b := YMM(), YMM()
	VMOVUPS(Mem{Base: s}, a)
	VMOVUPS(Mem{Base: s, Disp: 32}, b)
	VSHUFPS(U8(0x88), b, a, a)
	VPERMPD(U8(0xD8), a, a)
	VMOVUPS(a, Mem{Base: d})
	ADDQ(U32(64), s)
	ADDQ(U32(32), d)
	SUBQ(U32(8), left)
	JMP(LabelRef("even_loop"))
	Label("even_tail")
	x := XMM()
	VMOVSS(Mem{Base: s}, x)
	VMOVSS(x, Mem{Base: d})
	ADDQ(U32(8), s)
	ADDQ(U32(4), d)
	DECQ(left)
	JNZ(LabelRef("even_tail"))
	ADDQ(ldd, dst)
	ADDQ(lds, src)
	DECQ(rows)
	JNZ(LabelRef("even_row"))
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
