package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// packers writes the copies of operands into panels.
func packers() {
	packRows("packRowsAVX2", 8)
	packRows("packRowsAVX512", 16)
	transpose8()
	transpose4()
}

// packRows copies rows of three vectors.
func packRows(name string, lanes int) {
	TEXT(name, NOSPLIT, "func(dst, src *float32, ld, rows int)")
	Pragma("noescape")
	Doc(name + " copies the first elements, three vectors of them, of rows that are ld apart to contiguous rows. rows > 0.")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	ld, rows := Load(Param("ld"), GP64()), Load(Param("rows"), GP64())
	SHLQ(U8(2), ld)
	Label("row_" + name)
	s := isa{lanes: lanes}
	for j := range 3 {
		x := s.vector()
		VMOVUPS(Mem{Base: src, Disp: 4 * lanes * j}, x)
		VMOVUPS(x, Mem{Base: dst, Disp: 4 * lanes * j})
	}
	ADDQ(ld, src)
	ADDQ(U32(12*lanes), dst)
	DECQ(rows)
	JNZ(LabelRef("row_" + name))
	VZEROUPPER()
	RET()
}

// rowPointers returns addressing for rows 0 to n-1 (n ≤ 8) that are ld bytes apart.
func rowPointers(src, ld reg.Register, n int) []Mem {
	three := GP64()
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, three)
	rows := []Mem{{Base: src}, {Base: src, Index: ld, Scale: 1}, {Base: src, Index: ld, Scale: 2}, {Base: src, Index: three, Scale: 1}}
	if n > 4 {
		half := GP64()
		LEAQ(Mem{Base: src, Index: ld, Scale: 4}, half)
		rows = append(rows, Mem{Base: half}, Mem{Base: half, Index: ld, Scale: 1}, Mem{Base: half, Index: ld, Scale: 2}, Mem{Base: half, Index: three, Scale: 1})
	}
	return rows
}

// transpose8 writes 8 rows as columns, 8 elements of each at a time.
func transpose8() {
	TEXT("transpose8AVX2", NOSPLIT, "func(dst *float32, ds int, src *float32, ld, n int)")
	Pragma("noescape")
	Doc("transpose8AVX2 writes element (i, p) of 8 rows that are ld apart to dst[p*ds+i], for p < n, a positive multiple of 8.")
	dst, ds := Load(Param("dst"), GP64()), Load(Param("ds"), GP64())
	src, ld, n := Load(Param("src"), GP64()), Load(Param("ld"), GP64()), Load(Param("n"), GP64())
	SHLQ(U8(2), ds)
	SHLQ(U8(2), ld)
	rows := rowPointers(src, ld, 8)
	Label("transpose8")
	var r, t [8]reg.VecVirtual
	for i := range r {
		r[i] = YMM()
		VMOVUPS(rows[i], r[i])
	}
	for i := 0; i < 8; i += 2 { // pairs of rows interleaved
		t[i], t[i+1] = YMM(), YMM()
		VUNPCKLPS(r[i+1], r[i], t[i])
		VUNPCKHPS(r[i+1], r[i], t[i+1])
	}
	for i := 0; i < 8; i += 4 { // groups of four
		r[i], r[i+1], r[i+2], r[i+3] = YMM(), YMM(), YMM(), YMM()
		VSHUFPS(U8(0x44), t[i+2], t[i], r[i])
		VSHUFPS(U8(0xEE), t[i+2], t[i], r[i+1])
		VSHUFPS(U8(0x44), t[i+3], t[i+1], r[i+2])
		VSHUFPS(U8(0xEE), t[i+3], t[i+1], r[i+3])
	}
	for i := range 4 { // halves
		t[i], t[i+4] = YMM(), YMM()
		VPERM2F128(U8(0x20), r[i+4], r[i], t[i])
		VPERM2F128(U8(0x31), r[i+4], r[i], t[i+4])
	}
	for i := range 8 {
		VMOVUPS(t[i], Mem{Base: dst})
		ADDQ(ds, dst)
	}
	advance(rows, 32)
	SUBQ(U8(8), n)
	JNZ(LabelRef("transpose8"))
	VZEROUPPER()
	RET()
}

// advance moves the row pointers, which share one or two bases.
func advance(rows []Mem, bytes int) {
	for i := 0; i < len(rows); i += 4 {
		ADDQ(U32(bytes), rows[i].Base)
	}
}

// transpose4 writes 4 rows as columns, 4 elements of each at a time.
func transpose4() {
	TEXT("transpose4AVX2", NOSPLIT, "func(dst *float32, ds int, src *float32, ld, n int)")
	Pragma("noescape")
	Doc("transpose4AVX2 writes element (i, p) of 4 rows that are ld apart to dst[p*ds+i], for p < n, a positive multiple of 4.")
	dst, ds := Load(Param("dst"), GP64()), Load(Param("ds"), GP64())
	src, ld, n := Load(Param("src"), GP64()), Load(Param("ld"), GP64()), Load(Param("n"), GP64())
	SHLQ(U8(2), ds)
	SHLQ(U8(2), ld)
	rows := rowPointers(src, ld, 4)
	Label("transpose4")
	var r, t [4]reg.VecVirtual
	for i := range r {
		r[i], t[i] = XMM(), XMM()
		VMOVUPS(rows[i], r[i])
	}
	VUNPCKLPS(r[1], r[0], t[0])
	VUNPCKHPS(r[1], r[0], t[1])
	VUNPCKLPS(r[3], r[2], t[2])
	VUNPCKHPS(r[3], r[2], t[3])
	for _, op := range []struct {
		imm  uint64
		a, b int
	}{{0x44, 0, 2}, {0xEE, 0, 2}, {0x44, 1, 3}, {0xEE, 1, 3}} {
		x := XMM()
		VSHUFPS(U8(op.imm), t[op.b], t[op.a], x)
		VMOVUPS(x, Mem{Base: dst})
		ADDQ(ds, dst)
	}
	advance(rows, 16)
	SUBQ(U8(4), n)
	JNZ(LabelRef("transpose4"))
	VZEROUPPER()
	RET()
}
