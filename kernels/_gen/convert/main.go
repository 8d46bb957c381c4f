// Command convert writes the kernels of package vec that convert between element types. They handle whole vectors: n is a
// multiple of 16.
package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa emits vector instructions for lanes float32 values at a time.
type isa struct {
	name  string
	lanes int
}

func (s isa) wide() bool { return s.lanes == 16 }

func (s isa) v() reg.VecVirtual {
	if s.wide() {
		return ZMM()
	}
	return YMM()
}

// half is a register of half the width.
func (s isa) half() reg.VecVirtual {
	if s.wide() {
		return YMM()
	}
	return XMM()
}

func main() {
	ConstraintExpr("!purego")
	kernel("fromF16", "sets dst[i] to the number whose binary16 bits are src[i].", "dst *float32, src *uint16", 4, 2, nil, func(s isa, _ []reg.VecVirtual, src, dst Mem) {
		x := s.v()
		VCVTPH2PS(src, x)
		VMOVUPS(x, dst)
	})
	kernel("toF16", "rounds src[i] to binary16, ties to even.", "dst *uint16, src *float32", 2, 4, nil, func(s isa, _ []reg.VecVirtual, src, dst Mem) {
		x := s.v()
		VMOVUPS(src, x)
		VCVTPS2PH(U8(0), x, dst)
	})
	kernel("fromBF16", "sets dst[i] to the number whose bfloat16 bits are src[i].", "dst *float32, src *uint16", 4, 2, nil, func(s isa, _ []reg.VecVirtual, src, dst Mem) {
		x := s.v()
		VPMOVZXWD(src, x)
		VPSLLD(U8(16), x, x)
		VMOVUPS(x, dst)
	})
	kernel("toBF16", "rounds src[i] to bfloat16, ties to even.", "dst *uint16, src *float32", 2, 4, nil, toBF16)
	params := []string{"scale", "zero", "lo", "hi"}
	kernel("quantize8", "sets dst[i] = round(clamp(src[i]/scale, lo, hi)) + zero, rounding ties to even; NaN becomes lo.", "dst *uint8, src *float32", 1, 4, params, quantize)
	for _, signed := range []bool{false, true} {
		name, typ := "dequantizeU8", "uint8"
		if signed {
			name, typ = "dequantizeS8", "int8"
		}
		kernel(name, "sets dst[i] = (src[i] - zero)·scale.", "dst *float32, src *"+typ, 4, 1, []string{"scale", "zero"}, func(s isa, p []reg.VecVirtual, src, dst Mem) {
			x := s.v()
			if signed {
				VPMOVSXBD(src, x)
			} else {
				VPMOVZXBD(src, x)
			}
			VCVTDQ2PS(x, x)
			VSUBPS(p[1], x, x)
			VMULPS(p[0], x, x)
			VMOVUPS(x, dst)
		})
	}
	minMax()
	Generate()
}

// kernel writes a loop over 16 elements per turn; d and w are the bytes of a destination and source element.
func kernel(name, doc, arrays string, d, w int, params []string, body func(s isa, params []reg.VecVirtual, src, dst Mem)) {
	for _, s := range []isa{{"AVX2", 8}, {"AVX512", 16}} {
		sig := "func(" + arrays + ", n int"
		for _, p := range params {
			sig += ", " + p + " float32"
		}
		TEXT(name+s.name, NOSPLIT, sig+")")
		Pragma("noescape")
		Doc(name + s.name + " " + doc + " n is a positive multiple of 16.")
		dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("n"), GP64())
		vals := make([]reg.VecVirtual, len(params))
		for i, p := range params {
			x := XMM()
			Load(Param(p), x)
			vals[i] = s.v()
			VBROADCASTSS(x, vals[i])
		}
		label := fmt.Sprintf("loop_%s%s", name, s.name)
		Label(label)
		for at := 0; at < 16; at += s.lanes {
			body(s, vals, Mem{Base: src, Disp: at * w}, Mem{Base: dst, Disp: at * d})
		}
		ADDQ(U32(16*w), src)
		ADDQ(U32(16*d), dst)
		SUBQ(U32(16), n)
		JNZ(LabelRef(label))
		VZEROUPPER()
		RET()
	}
}

var globals = map[string]Mem{}

// words is a constant of 32-bit lanes in memory; one is repeated.
func words(name string, vals ...uint32) Mem {
	if m, ok := globals[name]; ok {
		return m
	}
	m := GLOBL(name, attr.RODATA|attr.NOPTR)
	for i := range 16 {
		DATA(4*i, U32(vals[i%len(vals)]))
	}
	globals[name] = m
	return m
}

func toBF16(s isa, _ []reg.VecVirtual, src, dst Mem) {
	x, odd, r, nan := s.v(), s.v(), s.v(), s.v()
	VMOVUPS(src, x)
	VPSRLD(U8(16), x, odd)
	load := func(m Mem) reg.VecVirtual { y := s.v(); VMOVUPS(m, y); return y }
	one, bias, quiet := load(words("bfOne", 1)), load(words("bfBias", 0x7FFF)), load(words("bfQuiet", 0x40))
	if s.wide() {
		VPORD(quiet, odd, nan)
		VPANDD(one, odd, odd)
	} else {
		VPOR(quiet, odd, nan)
		VPAND(one, odd, odd)
	}
	VPADDD(x, odd, r)
	VPADDD(bias, r, r)
	VPSRLD(U8(16), r, r)
	if s.wide() {
		k := K()
		VCMPPS(U8(3), x, x, k)
		VMOVDQA32(nan, k, r)
		VPMOVDW(r, dst)
		return
	}
	unordered := s.v()
	VCMPPS(U8(3), x, x, unordered)
	VBLENDVPS(unordered, nan, r, r)
	VPACKUSDW(r, r, r)
	VPERMQ(U8(0x08), r, r)
	VMOVDQU(r.AsX(), dst)
}

func quantize(s isa, p []reg.VecVirtual, src, dst Mem) {
	x, i := s.v(), s.v()
	VMOVUPS(src, x)
	VDIVPS(p[0], x, x)
	VMAXPS(p[2], x, x) // the second source, lo, wins over NaN
	VMINPS(p[3], x, x)
	VCVTPS2DQ(x, i)
	zero := s.v()
	VCVTPS2DQ(p[1], zero)
	VPADDD(zero, i, i)
	if s.wide() {
		VPMOVDB(i, dst)
		return
	}
	// The lowest bytes of each lane's words come together, then those of both lanes.
	pick, join := YMM(), YMM()
	VMOVDQU(words("pickBytes", 0x0C080400, math.MaxUint32, math.MaxUint32, math.MaxUint32), pick)
	VPSHUFB(pick, i, i)
	VMOVDQU(words("joinLanes", 0, 4, 1, 1, 1, 1, 1, 1), join)
	VPERMD(i, join, i)
	VMOVQ(i.AsX(), dst)
}
