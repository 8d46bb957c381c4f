// Command pool writes the row kernels of maximum pooling for package pool.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!purego")
	mask := GLOBL("tailMask", 16|8)
	for i := range 16 {
		v := uint32(0)
		if i < 8 {
			v = 0xFFFFFFFF
		}
		DATA(4*i, U32(v))
	}
	for stride := 1; stride <= 2; stride++ {
		row(stride, mask)
	}
	Generate()
}

// args are the parameters of a row kernel in registers.
type args struct {
	y, n, x, off, taps reg.GPVirtual
	stride             int
}

func row(stride int, mask Mem) {
	TEXT(fmt.Sprintf("maxRow%dAVX2", stride), NOSPLIT, "func(y *float32, n int, x *float32, off *int, taps int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("maxRow%dAVX2 sets y[i] to the maximum of x[off[t]+%d·i], NaN if one is. It reads up to %d elements of x beyond the last one that it needs.", stride, stride, 8*stride))
	get := func(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }
	a := args{get("y"), get("n"), get("x"), get("off"), get("taps"), stride}
	name := func(s string) string { return fmt.Sprintf("%s_%d", s, stride) }
	Label(name("wide"))
	CMPQ(a.n, U32(16))
	JLT(LabelRef(name("narrow")))
	acc := a.maxima(2, name("wide_tap"))
	VMOVUPS(acc[0], Mem{Base: a.y})
	VMOVUPS(acc[1], Mem{Base: a.y, Disp: 32})
	ADDQ(U32(64), a.y)
	ADDQ(U32(64*stride), a.x)
	SUBQ(U32(16), a.n)
	JMP(LabelRef(name("wide")))

	Label(name("narrow"))
	TESTQ(a.n, a.n)
	JLE(LabelRef(name("done")))
	acc = a.maxima(1, name("narrow_tap"))
	CMPQ(a.n, U32(8))
	JLT(LabelRef(name("tail")))
	VMOVUPS(acc[0], Mem{Base: a.y})
	ADDQ(U32(32), a.y)
	ADDQ(U32(32*stride), a.x)
	SUBQ(U32(8), a.n)
	JMP(LabelRef(name("narrow")))
	Label(name("tail"))
	p, m := GP64(), YMM()
	LEAQ(mask.Offset(32), p)
	SHLQ(U8(2), a.n)
	SUBQ(a.n, p)
	VMOVUPS(Mem{Base: p}, m)
	VMASKMOVPS(acc[0], m, Mem{Base: a.y})
	Label(name("done"))
	VZEROUPPER()
	RET()
}

// maxima takes the maxima over the taps for n vectors of outputs. NaN are collected apart, for VMAXPS forgets them.
func (a args) maxima(n int, label string) []reg.VecVirtual {
	acc, nan := make([]reg.VecVirtual, n), make([]reg.VecVirtual, n)
	off, taps, at := GP64(), GP64(), GP64()
	MOVQ(a.off, off)
	MOVQ(a.taps, taps)
	MOVQ(Mem{Base: off}, at)
	for i := range acc {
		acc[i], nan[i] = a.load(at, i), YMM()
		VCMPPS(U8(3), acc[i], acc[i], nan[i])
	}
	JMP(LabelRef(label + "_next"))
	Label(label)
	MOVQ(Mem{Base: off}, at)
	for i := range acc {
		v, u := a.load(at, i), YMM()
		VCMPPS(U8(3), v, v, u)
		VORPS(u, nan[i], nan[i])
		VMAXPS(v, acc[i], acc[i])
	}
	Label(label + "_next")
	ADDQ(U32(8), off)
	DECQ(taps)
	JNZ(LabelRef(label))
	for i := range acc {
		VORPS(nan[i], acc[i], acc[i])
	}
	return acc
}

// load gathers the inputs of vector i for one tap.
func (a args) load(at reg.Register, i int) reg.VecVirtual {
	src := Mem{Base: a.x, Index: at, Scale: 4, Disp: 32 * i * a.stride}
	even := YMM()
	VMOVUPS(src, even)
	if a.stride == 2 {
		odd := YMM()
		VMOVUPS(src.Offset(32), odd)
		VSHUFPS(U8(0x88), odd, even, even)
		VPERMPD(U8(0xD8), even, even)
	}
	return even
}
