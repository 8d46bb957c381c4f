// Command window writes the row kernels of depthwise convolutions for package conv.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!purego")
	mask := GLOBL("tailMask", RODATA|NOPTR)
	for i := range 16 {
		v := uint32(0)
		if i < 8 {
			v = 0xFFFFFFFF
		}
		DATA(4*i, U32(v))
	}
	for stride := 1; stride <= 2; stride++ {
		row(stride, mask)
		plane(stride, mask)
	}
	copyRows(mask)
	Generate()
}

// args are the parameters of a row kernel in registers.
type args struct {
	y, n, x, off, w, taps reg.GPVirtual
	bias                  reg.VecVirtual
	stride                int
}

func row(stride int, mask Mem) {
	TEXT(fmt.Sprintf("row%dAVX2", stride), NOSPLIT, "func(y *float32, n int, bias float32, x *float32, off *int, w *float32, taps int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("row%dAVX2 sets y[i] = Σ w[t]·x[off[t]+%d·i] + bias. It reads up to %d elements of x beyond the last one that it needs.", stride, stride, 8*stride))
	a := args{stride: stride, bias: YMM()}
	a.y, a.n = get("y"), get("n")
	bias, err := Param("bias").Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(bias.Addr, a.bias)
	a.x, a.off, a.w, a.taps = get("x"), get("off"), get("w"), get("taps")

	name := func(s string) string { return fmt.Sprintf("%s_%d", s, stride) }
	Label(name("wide"))
	CMPQ(a.n, U32(16))
	JLT(LabelRef(name("narrow")))
	acc := a.sum(2, name("wide_tap"))
	VMOVUPS(acc[0], Mem{Base: a.y})
	VMOVUPS(acc[1], Mem{Base: a.y, Disp: 32})
	ADDQ(U32(64), a.y)
	ADDQ(U32(64*stride), a.x)
	SUBQ(U32(16), a.n)
	JMP(LabelRef(name("wide")))

	Label(name("narrow"))
	TESTQ(a.n, a.n)
	JLE(LabelRef(name("done")))
	acc = a.sum(1, name("narrow_tap"))
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

func get(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// sum adds up the taps for n vectors of outputs.
func (a args) sum(n int, label string) []reg.VecVirtual {
	acc := make([]reg.VecVirtual, n)
	for i := range acc {
		acc[i] = YMM()
		VXORPS(acc[i], acc[i], acc[i])
	}
	off, w, taps, at := GP64(), GP64(), GP64(), GP64()
	MOVQ(a.off, off)
	MOVQ(a.w, w)
	MOVQ(a.taps, taps)
	Label(label)
	MOVQ(Mem{Base: off}, at)
	v := YMM()
	VBROADCASTSS(Mem{Base: w}, v)
	for i := range acc {
		src := Mem{Base: a.x, Index: at, Scale: 4, Disp: 32 * i * a.stride}
		if a.stride == 1 {
			VFMADD231PS(src, v, acc[i])
			continue
		}
		even, odd := YMM(), YMM()
		VMOVUPS(src, even)
		VMOVUPS(src.Offset(32), odd)
		VSHUFPS(U8(0x88), odd, even, even)
		VPERMPD(U8(0xD8), even, even)
		VFMADD231PS(even, v, acc[i])
	}
	ADDQ(U32(8), off)
	ADDQ(U32(4), w)
	DECQ(taps)
	JNZ(LabelRef(label))
	for i := range acc {
		VADDPS(a.bias, acc[i], acc[i])
	}
	return acc
}
