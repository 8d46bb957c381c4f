// Command nbits writes the kernels of package gemm for weights of 4 and 8 bits with scales for blocks of them.
//
// Weights lie in panels of 16 columns. A group, 64 bytes, holds 32 bits for each column: 8 numbers of 4 bits or 4 of 8 bits,
// in two's complement, the first in the lowest bits.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa describes one instruction set level.
type isa struct {
	name  string
	lanes int
}

func (s isa) v() reg.VecVirtual {
	if s.lanes == 16 {
		return ZMM()
	}
	return YMM()
}

func (s isa) zero(x reg.VecVirtual) {
	if s.lanes == 16 {
		VPXORD(x, x, x)
		return
	}
	VXORPS(x, x, x)
}

var nibbles Mem

func main() {
	ConstraintExpr("!purego")
	nibbles = GLOBL("nibbleValues", RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, F32(float32((i^8)-8)))
	}
	for _, s := range []isa{{"AVX2", 8}, {"AVX512", 16}} {
		for _, bits := range []int{4, 8} {
			for rows := 1; rows <= 4; rows++ {
				multiply(s, bits, rows)
			}
			expand(s, bits)
		}
	}
	Generate()
}

func get(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// rowsOf returns addressing for n ≤ 4 rows that are ld elements apart.
func rowsOf(a, ld reg.GPVirtual, n int) []Mem {
	SHLQ(U8(2), ld)
	rows := []Mem{{Base: a}, {Base: a, Index: ld, Scale: 1}, {Base: a, Index: ld, Scale: 2}}
	if n > 3 {
		three := GP64()
		LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, three)
		rows = append(rows, Mem{Base: a, Index: three, Scale: 1})
	}
	return rows[:n]
}

// table loads what number needs.
func (s isa) table(bits int) reg.VecVirtual {
	t := s.v()
	if s.lanes == 16 && bits == 4 {
		VMOVUPS(nibbles, t)
	}
	return t
}

// number returns number t of a group as floats.
func (s isa) number(x, table reg.VecVirtual, bits, t int) reg.VecVirtual {
	v := s.v()
	if s.lanes == 16 && bits == 4 {
		i := x
		if t > 0 {
			i = s.v()
			VPSRLD(U8(4*t), x, i)
		}
		VPERMPS(table, i, v)
		return v
	}
	if up := 32 - bits*(t+1); up > 0 {
		VPSLLD(U8(up), x, v)
		VPSRAD(U8(32-bits), v, v)
	} else {
		VPSRAD(U8(32-bits), x, v)
	}
	VCVTDQ2PS(v, v)
	return v
}

func multiply(s isa, bits, rows int) {
	id := fmt.Sprintf("nbits%d%s_%d", bits, s.name, rows)
	TEXT(id, NOSPLIT, "func(y *float32, ldy int, a *float32, lda int, panel *uint8, scale, minus, sums *float32, ldsum, blocks, groups int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s sets %d rows of y, %d columns, to Σ(scale·Σa·q + minus·sum) over blocks of groups; scale and minus are 16 floats", id, rows, s.lanes),
		"a block, the sums, of a's elements in the block, one of each row. minus may be nil.")
	a := get("a")
	as := rowsOf(a, get("lda"), rows)
	panel, scale, minus, sums := get("panel"), get("scale"), get("minus"), get("sums")
	ss := rowsOf(sums, get("ldsum"), rows)
	blocks, groups := get("blocks"), get("groups")
	table := s.table(bits)
	parts := max(2, 4/rows)
	total, acc := make([]reg.VecVirtual, rows), make([][]reg.VecVirtual, rows)
	for r := range rows {
		total[r] = s.v()
		s.zero(total[r])
		for range parts {
			acc[r] = append(acc[r], s.v())
		}
	}
	Label("block_" + id)
	for r := range rows {
		for _, x := range acc[r] {
			s.zero(x)
		}
	}
	left := GP64()
	MOVQ(groups, left)
	Label("group_" + id)
	x := s.v()
	VMOVUPS(Mem{Base: panel}, x)
	for t := range 32 / bits {
		v := s.number(x, table, bits, t)
		for r := range rows {
			at := as[r]
			at.Disp = 4 * t
			if s.lanes == 16 {
				VFMADD231PS_BCST(at, v, acc[r][t%parts])
				continue
			}
			f := s.v()
			VBROADCASTSS(at, f)
			VFMADD231PS(f, v, acc[r][t%parts])
		}
	}
	ADDQ(U32(64), panel)
	ADDQ(U32(4*32/bits), a)
	DECQ(left)
	JNZ(LabelRef("group_" + id))
	for r := range rows {
		for step := parts / 2; step > 0; step /= 2 {
			for i := range step {
				VADDPS(acc[r][i+step], acc[r][i], acc[r][i])
			}
		}
		VFMADD231PS(Mem{Base: scale}, acc[r][0], total[r])
	}
	ADDQ(U32(64), scale)
	TESTQ(minus, minus)
	JZ(LabelRef("next_" + id))
	m := s.v()
	VMOVUPS(Mem{Base: minus}, m)
	for r := range rows {
		f := s.v()
		VBROADCASTSS(ss[r], f)
		VFMADD231PS(f, m, total[r])
	}
	ADDQ(U32(64), minus)
	Label("next_" + id)
	ADDQ(U8(4), sums)
	DECQ(blocks)
	JNZ(LabelRef("block_" + id))
	y := rowsOf(get("y"), get("ldy"), rows)
	for r := range rows {
		VMOVUPS(total[r], y[r])
	}
	VZEROUPPER()
	RET()
}

// expand writes floats.
func expand(s isa, bits int) {
	id := fmt.Sprintf("expand%d%s", bits, s.name)
	TEXT(id, NOSPLIT, "func(dst *float32, ld int, panel *uint8, scale, minus *float32, groups int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s sets rows of dst, ld apart, %d columns, to q·scale + minus, for groups > 0.", id, s.lanes))
	dst, ld, panel, groups := get("dst"), get("ld"), get("panel"), get("groups")
	scale, minus := s.v(), s.v()
	VMOVUPS(Mem{Base: get("scale")}, scale)
	VMOVUPS(Mem{Base: get("minus")}, minus)
	SHLQ(U8(2), ld)
	table := s.table(bits)
	Label("group_" + id)
	x := s.v()
	VMOVUPS(Mem{Base: panel}, x)
	for t := range 32 / bits {
		v := s.number(x, table, bits, t)
		VFMADD213PS(minus, scale, v)
		VMOVUPS(v, Mem{Base: dst})
		ADDQ(ld, dst)
	}
	ADDQ(U32(64), panel)
	DECQ(groups)
	JNZ(LabelRef("group_" + id))
	VZEROUPPER()
	RET()
}
