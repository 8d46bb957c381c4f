package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func broadcast(name string) reg.VecVirtual {
	at, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	v := YMM()
	VBROADCASTSS(at.Addr, v)
	return v
}

// tail loads the mask of the first n lanes.
func tail(mask Mem, n reg.Register) reg.VecVirtual {
	p, neg, m := GP64(), GP64(), YMM()
	LEAQ(mask.Offset(32), p)
	MOVQ(n, neg)
	NEGQ(neg)
	VMOVUPS(Mem{Base: p, Index: neg, Scale: 4}, m)
	return m
}

// plane convolves a padded plane with a kernel of 3×3, whose weights stay in registers.
func plane(stride int, mask Mem) {
	TEXT(fmt.Sprintf("plane3x3s%dAVX2", stride), NOSPLIT, "func(y *float32, rows, n int, x *float32, ldx int, w *float32, bias, lo, hi float32)")
	Pragma("noescape")
	Doc(fmt.Sprintf("plane3x3s%dAVX2 computes rows of n outputs, one after the other, from a plane with rows ldx apart; columns are %d apart, rows likewise. It reads up to %d elements beyond the last one that it needs.", stride, stride, 8*stride))
	y, rows, n, x, ldx, wp := get("y"), get("rows"), get("n"), get("x"), get("ldx"), get("w")
	bias, lo, hi := broadcast("bias"), broadcast("lo"), broadcast("hi")
	var w [9]reg.VecVirtual
	for i := range w {
		w[i] = YMM()
		VBROADCASTSS(Mem{Base: wp, Disp: 4 * i}, w[i])
	}
	SHLQ(U8(2), ldx)
	name := func(l string) string { return fmt.Sprintf("plane_%s_%d", l, stride) }
	left, at := GP64(), GP64()
	Label(name("row"))
	MOVQ(n, left)
	MOVQ(x, at)
	Label(name("vector"))
	acc := YMM()
	VMOVAPS(bias, acc)
	line := GP64()
	MOVQ(at, line)
	for r := range 3 {
		taps(line, stride, w[3*r:3*r+3], acc)
		if r < 2 {
			ADDQ(ldx, line)
		}
	}
	if stride == 2 {
		VPERMPD(U8(0xD8), acc, acc)
	}
	VMAXPS(acc, lo, acc)
	VMINPS(acc, hi, acc)
	CMPQ(left, U32(8))
	JLT(LabelRef(name("tail")))
	VMOVUPS(acc, Mem{Base: y})
	ADDQ(U32(32), y)
	ADDQ(U32(32*stride), at)
	SUBQ(U32(8), left)
	JNZ(LabelRef(name("vector")))
	JMP(LabelRef(name("next")))
	Label(name("tail"))
	VMASKMOVPS(acc, tail(mask, left), Mem{Base: y})
	LEAQ(Mem{Base: y, Index: left, Scale: 4}, y)
	Label(name("next"))
	ADDQ(ldx, x)
	if stride == 2 {
		ADDQ(ldx, x)
	}
	DECQ(rows)
	JNZ(LabelRef(name("row")))
	VZEROUPPER()
	RET()
}

// taps adds a line's three taps to eight sums; for stride 2 these are in the order that VSHUFPS leaves them in.
func taps(line reg.Register, stride int, w []reg.VecVirtual, acc reg.VecVirtual) {
	if stride == 1 {
		for i, v := range w {
			VFMADD231PS(Mem{Base: line, Disp: 4 * i}, v, acc)
		}
		return
	}
	a, b := YMM(), YMM()
	VMOVUPS(Mem{Base: line}, a)
	VSHUFPS(U8(0x88), Mem{Base: line, Disp: 32}, a, b)
	VFMADD231PS(b, w[0], acc)
	VSHUFPS(U8(0xDD), Mem{Base: line, Disp: 32}, a, b)
	VFMADD231PS(b, w[1], acc)
	VMOVUPS(Mem{Base: line, Disp: 8}, a)
	VSHUFPS(U8(0x88), Mem{Base: line, Disp: 40}, a, b)
	VFMADD231PS(b, w[2], acc)
}

// copyRows copies rows between planes.
func copyRows(mask Mem) {
	TEXT("copyRowsAVX2", NOSPLIT, "func(dst *float32, ldd int, src *float32, lds, rows, n int)")
	Pragma("noescape")
	Doc("copyRowsAVX2 copies rows of n > 0 elements that are ldd and lds apart.")
	dst, ldd, src, lds, rows, n := get("dst"), get("ldd"), get("src"), get("lds"), get("rows"), get("n")
	SHLQ(U8(2), ldd)
	SHLQ(U8(2), lds)
	rest := GP64()
	MOVQ(n, rest)
	ANDQ(U8(7), rest)
	m := tail(mask, rest)
	v := YMM()
	d, s, left := GP64(), GP64(), GP64()
	Label("copy_row")
	MOVQ(dst, d)
	MOVQ(src, s)
	MOVQ(n, left)
	Label("copy_vector")
	CMPQ(left, U32(8))
	JLT(LabelRef("copy_tail"))
	VMOVUPS(Mem{Base: s}, v)
	VMOVUPS(v, Mem{Base: d})
	ADDQ(U32(32), s)
	ADDQ(U32(32), d)
	SUBQ(U32(8), left)
	JMP(LabelRef("copy_vector"))
	Label("copy_tail")
	TESTQ(left, left)
	JZ(LabelRef("copy_next"))
	VMASKMOVPS(Mem{Base: s}, m, v)
	VMASKMOVPS(v, m, Mem{Base: d})
	Label("copy_next")
	ADDQ(ldd, dst)
	ADDQ(lds, src)
	DECQ(rows)
	JNZ(LabelRef("copy_row"))
	VZEROUPPER()
	RET()
}
