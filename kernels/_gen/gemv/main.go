// Command gemv writes the kernels of package gemm that multiply single rows with a matrix as it lies in memory.
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
	axpy8(mask)
	dot4()
	row("rowAVX2", 8, func() reg.VecVirtual { return YMM() })
	row("rowAVX512", 16, func() reg.VecVirtual { return ZMM() })
	Generate()
}

func get(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// rows are 4·n addresses a stride apart, from n base registers.
type rows struct {
	base             []reg.GPVirtual
	stride, stride3x reg.GPVirtual
}

func newRows(b, ld reg.GPVirtual, n int) rows {
	SHLQ(U8(2), ld)
	r := rows{stride: ld, stride3x: GP64(), base: []reg.GPVirtual{b}}
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, r.stride3x)
	for i := 1; i < n; i++ {
		next := GP64()
		LEAQ(Mem{Base: r.base[i-1], Index: ld, Scale: 4}, next)
		r.base = append(r.base, next)
	}
	return r
}

// at is element disp/4 of row i.
func (r rows) at(i, disp int) Mem {
	m := Mem{Base: r.base[i/4], Disp: disp}
	switch i % 4 {
	case 1:
		m.Index, m.Scale = r.stride, 1
	case 2:
		m.Index, m.Scale = r.stride, 2
	case 3:
		m.Index, m.Scale = r.stride3x, 1
	}
	return m
}

func (r rows) advance(bytes int) {
	for _, b := range r.base {
		ADDQ(U32(bytes), b)
	}
}

func axpy8(mask Mem) {
	TEXT("axpy8AVX2", NOSPLIT, "func(c *float32, n int, a, b *float32, ldb int)")
	Pragma("noescape")
	Doc("axpy8AVX2 adds a[0]·b[0:n] + a[1]·b[ldb:ldb+n] + … + a[7]·b[7·ldb:7·ldb+n] to c[0:n], term by term.")
	c, n, a := get("c"), get("n"), get("a")
	b := newRows(get("b"), get("ldb"), 2)
	as := make([]reg.VecVirtual, 8)
	for i := range as {
		as[i] = YMM()
		VBROADCASTSS(Mem{Base: a, Disp: 4 * i}, as[i])
	}
	Label("axpy_wide")
	CMPQ(n, U32(16))
	JLT(LabelRef("axpy_narrow"))
	x, y := YMM(), YMM()
	VMOVUPS(Mem{Base: c}, x)
	VMOVUPS(Mem{Base: c, Disp: 32}, y)
	for i, v := range as {
		VFMADD231PS(b.at(i, 0), v, x)
		VFMADD231PS(b.at(i, 32), v, y)
	}
	VMOVUPS(x, Mem{Base: c})
	VMOVUPS(y, Mem{Base: c, Disp: 32})
	ADDQ(U32(64), c)
	b.advance(64)
	SUBQ(U32(16), n)
	JMP(LabelRef("axpy_wide"))
	Label("axpy_narrow")
	CMPQ(n, U32(8))
	JLT(LabelRef("axpy_tail"))
	VMOVUPS(Mem{Base: c}, x)
	for i, v := range as {
		VFMADD231PS(b.at(i, 0), v, x)
	}
	VMOVUPS(x, Mem{Base: c})
	ADDQ(U32(32), c)
	b.advance(32)
	SUBQ(U32(8), n)
	Label("axpy_tail")
	TESTQ(n, n)
	JLE(LabelRef("axpy_done"))
	p, m, t := GP64(), YMM(), YMM()
	LEAQ(mask.Offset(32), p)
	SHLQ(U8(2), n)
	SUBQ(n, p)
	VMOVUPS(Mem{Base: p}, m)
	VMASKMOVPS(Mem{Base: c}, m, x)
	for i, v := range as {
		VMASKMOVPS(b.at(i, 0), m, t)
		VFMADD231PS(t, v, x)
	}
	VMASKMOVPS(x, m, Mem{Base: c})
	Label("axpy_done")
	VZEROUPPER()
	RET()
}

func dot4() {
	TEXT("dot4AVX2", NOSPLIT, "func(y, a, b *float32, ldb, k int)")
	Pragma("noescape")
	Doc("dot4AVX2 sets y[i] = a[0:k]·b[i·ldb:i·ldb+k] for i < 4. k is a multiple of 8 and not 0.")
	y, a := get("y"), get("a")
	b := newRows(get("b"), get("ldb"), 1)
	k := get("k")
	acc := make([]reg.VecVirtual, 4)
	for i := range acc {
		acc[i] = YMM()
		VXORPS(acc[i], acc[i], acc[i])
	}
	Label("dot_loop")
	v := YMM()
	VMOVUPS(Mem{Base: a}, v)
	for i := range acc {
		VFMADD231PS(b.at(i, 0), v, acc[i])
	}
	ADDQ(U32(32), a)
	b.advance(32)
	SUBQ(U32(8), k)
	JNZ(LabelRef("dot_loop"))
	VHADDPS(acc[1], acc[0], acc[0])
	VHADDPS(acc[3], acc[2], acc[2])
	VHADDPS(acc[2], acc[0], acc[0])
	high := XMM()
	VEXTRACTF128(U8(1), acc[0], high)
	VADDPS(high, acc[0].AsX(), high)
	VMOVUPS(high, Mem{Base: y})
	VZEROUPPER()
	RET()
}

// row multiplies one row with a packed panel of three vectors' columns. Four rows of the panel have sums of their own, which hides the
// latency of the additions.
func row(name string, lanes int, vec func() reg.VecVirtual) {
	const vecs, unroll = 3, 4
	width := 4 * lanes * vecs // bytes
	TEXT(name, NOSPLIT, "func(c, a, b *float32, k int, add bool)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s sets c[i] = Σ a[p]·b[%d·p+i] for i < %d and p < k, or adds to it.", name, lanes*vecs, lanes*vecs))
	c, a, b, k := get("c"), get("a"), get("b"), get("k")
	var acc [unroll][vecs]reg.VecVirtual
	for u := range acc {
		for v := range acc[u] {
			acc[u][v] = vec()
			if lanes == 16 {
				VPXORD(acc[u][v], acc[u][v], acc[u][v])
			} else {
				VXORPS(acc[u][v], acc[u][v], acc[u][v])
			}
		}
	}
	step := func(u int) {
		x := vec()
		VBROADCASTSS(Mem{Base: a, Disp: 4 * u}, x)
		for v := range vecs {
			VFMADD231PS(Mem{Base: b, Disp: u*width + v*4*lanes}, x, acc[u][v])
		}
	}
	Label(name + "_wide")
	CMPQ(k, U32(unroll))
	JLT(LabelRef(name + "_narrow"))
	for u := range unroll {
		step(u)
	}
	ADDQ(U32(4*unroll), a)
	ADDQ(U32(uint32(unroll*width)), b)
	SUBQ(U32(unroll), k)
	JMP(LabelRef(name + "_wide"))
	Label(name + "_narrow")
	TESTQ(k, k)
	JLE(LabelRef(name + "_sum"))
	step(0)
	ADDQ(U32(4), a)
	ADDQ(U32(uint32(width)), b)
	DECQ(k)
	JMP(LabelRef(name + "_narrow"))
	Label(name + "_sum")
	for v := range vecs {
		VADDPS(acc[1][v], acc[0][v], acc[0][v])
		VADDPS(acc[3][v], acc[2][v], acc[2][v])
		VADDPS(acc[2][v], acc[0][v], acc[0][v])
	}
	add := Load(Param("add"), GP8())
	TESTB(add, add)
	JE(LabelRef(name + "_store"))
	for v := range vecs {
		VADDPS(Mem{Base: c, Disp: v * 4 * lanes}, acc[0][v], acc[0][v])
	}
	Label(name + "_store")
	for v := range vecs {
		VMOVUPS(acc[0][v], Mem{Base: c, Disp: v * 4 * lanes})
	}
	VZEROUPPER()
	RET()
}
