package main

import (
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The transforms of F(4×4, 3×3) work on two quads at once: four neighbouring tiles each, the lower and the upper half of a
// vector. See winograd.go of package conv for the matrices.
func winograd() {
	winogradInput()
	winogradOutput()
}

func constant(name string, x float64) reg.VecVirtual {
	m := GLOBL(name, attr.RODATA|attr.NOPTR)
	DATA(0, U32(math.Float32bits(float32(x))))
	v := YMM()
	VBROADCASTSS(m, v)
	return v
}

// halves loads four elements of each quad.
func halves(p0, p1 reg.Register, disp int) reg.VecVirtual {
	v := YMM()
	VBROADCASTF128(Mem{Base: p0, Disp: disp}, v)
	VINSERTF128(U8(1), Mem{Base: p1, Disp: disp}, v, v)
	return v
}

func storeHalves(v reg.VecVirtual, p0, p1 reg.Register, disp int) {
	VMOVUPS(v.AsX(), Mem{Base: p0, Disp: disp})
	VEXTRACTF128(U8(1), v, Mem{Base: p1, Disp: disp})
}

func unpack(low, double bool, a, b reg.VecVirtual) reg.VecVirtual {
	r := YMM()
	switch {
	case low && double:
		VUNPCKLPD(b, a, r)
	case double:
		VUNPCKHPD(b, a, r)
	case low:
		VUNPCKLPS(b, a, r)
	default:
		VUNPCKHPS(b, a, r)
	}
	return r
}

// transposed turns four vectors of four elements a tile into the tiles' first to fourth elements, or back.
func transposed(b0, b1, b2, b3 reg.VecVirtual) [4]reg.VecVirtual {
	u0, u1 := unpack(true, false, b0, b1), unpack(true, false, b2, b3)
	u2, u3 := unpack(false, false, b0, b1), unpack(false, false, b2, b3)
	return [4]reg.VecVirtual{unpack(true, true, u0, u1), unpack(false, true, u0, u1), unpack(true, true, u2, u3), unpack(false, true, u2, u3)}
}

func add(a, b reg.VecVirtual) reg.VecVirtual { r := YMM(); VADDPS(b, a, r); return r }

// sub is a - b.
func sub(a, b reg.VecVirtual) reg.VecVirtual { r := YMM(); VSUBPS(b, a, r); return r }

// fma is z + x·y, in place of z.
func fma(z, x, y reg.VecVirtual) reg.VecVirtual { VFMADD231PS(x, y, z); return z }

// fnma is z - x·y, in place of z.
func fnma(z, x, y reg.VecVirtual) reg.VecVirtual { VFNMADD231PS(x, y, z); return z }

func dup(x reg.VecVirtual) reg.VecVirtual { r := YMM(); VMOVAPS(x, r); return r }

// inputs is Bᵀ·d, handing each element to store.
func inputs(d [6]reg.VecVirtual, two, four, five reg.VecVirtual, store func(i int, x reg.VecVirtual)) {
	store(0, fma(fnma(dup(d[4]), five, d[2]), four, d[0]))
	a, b := fnma(dup(d[4]), four, d[2]), fnma(dup(d[3]), four, d[1])
	store(1, add(a, b))
	store(2, sub(a, b))
	c, e := sub(d[4], d[2]), sub(d[3], d[1])
	store(3, fma(dup(c), two, e))
	store(4, fnma(c, two, e))
	store(5, fma(fnma(d[5], five, d[3]), four, d[1]))
}

// outputs is Aᵀ·m.
func outputs(m [6]reg.VecVirtual, two, four, eight reg.VecVirtual) [4]reg.VecVirtual {
	s1, d1, s2, d2 := add(m[1], m[2]), sub(m[1], m[2]), add(m[3], m[4]), sub(m[3], m[4])
	return [4]reg.VecVirtual{add(add(m[0], s1), s2), fma(dup(d1), two, d2), fma(s1, four, s2), fma(add(d1, m[5]), eight, d2)}
}

func winogradInput() {
	TEXT("winogradInputAVX2", NOSPLIT, "func(dst0, dst1 *float32, stride int, x0, x1 *float32, ldx int, tmp *float32)")
	Pragma("noescape")
	Doc("winogradInputAVX2 transforms two quads: x0 and x1 are their first elements in an image with rows ldx apart, of which 6 rows of 20 elements are read, dst0 and dst1 get 4 elements each, 36 times, stride apart. dst1 is written after dst0. tmp has room for 36 vectors.")
	get := func(n string) reg.GPVirtual { return Load(Param(n), GP64()).(reg.GPVirtual) }
	dst0, dst1, stride, x0, x1, ldx, tmp := get("dst0"), get("dst1"), get("stride"), get("x0"), get("x1"), get("ldx"), get("tmp")
	SHLQ(U8(2), stride)
	SHLQ(U8(2), ldx)
	two, four, five := constant("winogradTwo", 2), constant("winogradFour", 4), constant("winogradFive", 5)
	for i := range 6 {
		var b [5]reg.VecVirtual
		for j := range b {
			b[j] = halves(x0, x1, 16*j)
		}
		low, high := unpack(true, false, b[1], b[2]), unpack(true, false, b[3], b[4])
		d4, d5 := unpack(true, true, low, high), unpack(false, true, low, high)
		d := transposed(b[0], b[1], b[2], b[3])
		inputs([6]reg.VecVirtual{d[0], d[1], d[2], d[3], d4, d5}, two, four, five, func(j int, x reg.VecVirtual) {
			VMOVUPS(x, Mem{Base: tmp, Disp: 32 * (6*i + j)})
		})
		if i < 5 {
			ADDQ(ldx, x0)
			ADDQ(ldx, x1)
		}
	}
	next := GP64() // from one row of positions to the next
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, next)
	ADDQ(next, next)
	for j := range 6 {
		var d [6]reg.VecVirtual
		for i := range d {
			d[i] = YMM()
			VMOVUPS(Mem{Base: tmp, Disp: 32 * (6*i + j)}, d[i])
		}
		p0, p1 := GP64(), GP64()
		MOVQ(dst0, p0)
		MOVQ(dst1, p1)
		inputs(d, two, four, five, func(i int, x reg.VecVirtual) {
			storeHalves(x, p0, p1, 0)
			if i < 5 {
				ADDQ(next, p0)
				ADDQ(next, p1)
			}
		})
		if j < 5 {
			ADDQ(stride, dst0)
			ADDQ(stride, dst1)
		}
	}
	VZEROUPPER()
	RET()
}

func winogradOutput() {
	TEXT("winogradOutputAVX2", NOSPLIT, "func(y0, y1 *float32, ldy int, m0, m1 *float32, stride int, tmp *float32)")
	Pragma("noescape")
	Doc("winogradOutputAVX2 transforms two quads back: m0 and m1 hold 4 elements each, 36 times, stride apart, y0 and y1 get 4 rows of 16 elements, ldy apart. tmp has room for 24 vectors.")
	get := func(n string) reg.GPVirtual { return Load(Param(n), GP64()).(reg.GPVirtual) }
	y0, y1, ldy, m0, m1, stride, tmp := get("y0"), get("y1"), get("ldy"), get("m0"), get("m1"), get("stride"), get("tmp")
	SHLQ(U8(2), stride)
	SHLQ(U8(2), ldy)
	two, four, eight := constant("winogradTwoOut", 2), constant("winogradFourOut", 4), constant("winogradEight", 8)
	next := GP64()
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, next)
	ADDQ(next, next)
	for j := range 6 {
		p0, p1 := GP64(), GP64()
		MOVQ(m0, p0)
		MOVQ(m1, p1)
		var m [6]reg.VecVirtual
		for i := range m {
			m[i] = halves(p0, p1, 0)
			if i < 5 {
				ADDQ(next, p0)
				ADDQ(next, p1)
			}
		}
		for i, y := range outputs(m, two, four, eight) {
			VMOVUPS(y, Mem{Base: tmp, Disp: 32 * (6*i + j)})
		}
		if j < 5 {
			ADDQ(stride, m0)
			ADDQ(stride, m1)
		}
	}
	for i := range 4 {
		var m [6]reg.VecVirtual
		for j := range m {
			m[j] = YMM()
			VMOVUPS(Mem{Base: tmp, Disp: 32 * (6*i + j)}, m[j])
		}
		y := outputs(m, two, four, eight)
		for t, v := range transposed(y[0], y[1], y[2], y[3]) {
			storeHalves(v, y0, y1, 16*t)
		}
		if i < 3 {
			ADDQ(ldy, y0)
			ADDQ(ldy, y1)
		}
	}
	VZEROUPPER()
	RET()
}
