package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// reductions writes the kernels that return a number.
func reductions() {
	x, m := arg{"x", false}, arg{"m", true}
	sigs = append(sigs, sig{"max", []arg{x}, false, "float32"}, sig{"expSub", []arg{x, m}, true, "float32"},
		sig{"sum", []arg{x}, false, "float64"}, sig{"sumSquares", []arg{x, m}, false, "float64"})
	for _, s := range isas {
		maxKernel(s)
		expSubKernel(s)
		momentKernel(s, "sum", "returns the sum of x[i], added in double precision.", false)
		momentKernel(s, "sumSquares", "returns the sum of (x[i]-m)², added in double precision.", true)
	}
}

// fold reduces a vector to its lowest lane with op.
func (s isa) fold(x V, op func(a Op, b, r reg.Register)) V {
	if s.wide() {
		y, z := YMM(), YMM()
		VEXTRACTF64X4(U8(1), x, y)
		op(y, x.AsY(), z)
		x = z
	}
	y, z := XMM(), XMM()
	VEXTRACTF128(U8(1), x.AsY(), y)
	op(y, x.AsX(), z)
	w := XMM()
	VMOVHLPS(z, z, w)
	r := XMM()
	op(w, z, r)
	u := XMM()
	VMOVSHDUP(r, u)
	out := XMM()
	op(u, r, out)
	return out
}

// maxKernel returns the largest element; n > 0. NaN elements may be passed over.
func maxKernel(s isa) {
	name := "max" + s.name
	TEXT(name, NOSPLIT, "func(x *float32, n int) float32")
	Pragma("noescape")
	Doc(name + " returns the largest of n > 0 elements; what it returns if one is NaN is not defined.")
	x, n := Load(Param("x"), GP64()), Load(Param("n"), GP64())
	acc := [2]V{s.load(f(math.Inf(-1))), s.load(f(math.Inf(-1)))}
	CMPQ(n, U32(2*s.lanes))
	JLT(LabelRef("one_" + name))
	Label("two_" + name)
	for i := range acc {
		VMAXPS(Mem{Base: x, Disp: 4 * s.lanes * i}, acc[i], acc[i])
	}
	ADDQ(U32(8*s.lanes), x)
	SUBQ(U32(2*s.lanes), n)
	CMPQ(n, U32(2*s.lanes))
	JGE(LabelRef("two_" + name))
	Label("one_" + name)
	CMPQ(n, U32(s.lanes))
	JLT(LabelRef("tail_" + name))
	VMAXPS(Mem{Base: x}, acc[0], acc[0])
	ADDQ(U32(4*s.lanes), x)
	SUBQ(U32(s.lanes), n)
	Label("tail_" + name)
	TESTQ(n, n)
	JZ(LabelRef("done_" + name))
	m := s.mask(n)
	v := s.loadMasked(Mem{Base: x}, m)
	if s.wide() {
		VMAXPS(v, acc[0], m.k, acc[0])
	} else {
		inf := s.load(f(math.Inf(-1)))
		VBLENDVPS(m.v, v, inf, v)
		VMAXPS(v, acc[0], acc[0])
	}
	Label("done_" + name)
	VMAXPS(acc[1], acc[0], acc[0])
	r := s.fold(acc[0], func(a Op, b, r reg.Register) { VMAXPS(a, b, r) })
	VZEROUPPER()
	Store(r, ReturnIndex(0))
	RET()
}

// expSubKernel is the middle of softmax.
func expSubKernel(s isa) {
	name := "expSub" + s.name
	TEXT(name, NOSPLIT, "func(dst, x *float32, n int, m float32) float32")
	Pragma("noescape")
	Doc(name + " sets dst[i] = e^(x[i]-m) and returns the sum.")
	dst, x, n := Load(Param("dst"), GP64()), Load(Param("x"), GP64()), Load(Param("n"), GP64())
	mx := XMM()
	Load(Param("m"), mx)
	m := s.broadcast(mx)
	acc := s.v()
	VXORPS(acc, acc, acc)
	CMPQ(n, U32(s.lanes))
	JLT(LabelRef("tail_" + name))
	Label("loop_" + name)
	e := s.exp(s.sub(m, s.load(Mem{Base: x})))
	VMOVUPS(e, Mem{Base: dst})
	VADDPS(e, acc, acc)
	ADDQ(U32(4*s.lanes), x)
	ADDQ(U32(4*s.lanes), dst)
	SUBQ(U32(s.lanes), n)
	CMPQ(n, U32(s.lanes))
	JGE(LabelRef("loop_" + name))
	Label("tail_" + name)
	TESTQ(n, n)
	JZ(LabelRef("done_" + name))
	k := s.mask(n)
	e = s.exp(s.sub(m, s.loadMasked(Mem{Base: x}, k)))
	s.storeMasked(e, k, Mem{Base: dst})
	if s.wide() {
		VADDPS(e, acc, k.k, acc)
	} else {
		VANDPS(k.v, e, e)
		VADDPS(e, acc, acc)
	}
	Label("done_" + name)
	r := s.fold(acc, func(a Op, b, r reg.Register) { VADDPS(a, b, r) })
	VZEROUPPER()
	Store(r, ReturnIndex(0))
	RET()
}

// momentKernel adds x, or the squares of x-m, in double precision, half a vector at a time.
func momentKernel(s isa, stem, doc string, square bool) {
	name := stem + s.name
	sig := "func(x *float32, n int) float64"
	if square {
		sig = "func(x *float32, n int, m float32) float64"
	}
	TEXT(name, NOSPLIT, sig)
	Pragma("noescape")
	Doc(name + " " + doc)
	x, n := Load(Param("x"), GP64()), Load(Param("n"), GP64())
	var m V
	if square {
		mx := XMM()
		Load(Param("m"), mx)
		m = s.broadcast(mx)
	}
	var acc [4]V
	for i := range acc {
		acc[i] = s.v()
		VXORPS(acc[i], acc[i], acc[i])
	}
	// step adds one float vector to a pair of accumulators.
	step := func(v V, pair int) {
		lo, hi := s.v(), s.v()
		if s.wide() {
			h := YMM()
			VEXTRACTF64X4(U8(1), v, h)
			VCVTPS2PD(v.AsY(), lo)
			VCVTPS2PD(h, hi)
		} else {
			h := XMM()
			VEXTRACTF128(U8(1), v, h)
			VCVTPS2PD(v.AsX(), lo)
			VCVTPS2PD(h, hi)
		}
		for i, d := range []V{lo, hi} {
			a := acc[2*pair+i]
			if square {
				VFMADD231PD(d, d, a)
			} else {
				VADDPD(d, a, a)
			}
		}
	}
	value := func(v V) V {
		if square {
			return s.sub(m, v)
		}
		return v
	}
	CMPQ(n, U32(2*s.lanes))
	JLT(LabelRef("one_" + name))
	Label("two_" + name)
	for i := range 2 {
		step(value(s.load(Mem{Base: x, Disp: 4 * s.lanes * i})), i)
	}
	ADDQ(U32(8*s.lanes), x)
	SUBQ(U32(2*s.lanes), n)
	CMPQ(n, U32(2*s.lanes))
	JGE(LabelRef("two_" + name))
	Label("one_" + name)
	CMPQ(n, U32(s.lanes))
	JLT(LabelRef("tail_" + name))
	step(value(s.load(Mem{Base: x})), 0)
	ADDQ(U32(4*s.lanes), x)
	SUBQ(U32(s.lanes), n)
	Label("tail_" + name)
	TESTQ(n, n)
	JZ(LabelRef("done_" + name))
	k := s.mask(n)
	v := value(s.loadMasked(Mem{Base: x}, k))
	if s.wide() {
		z := s.v()
		VMOVAPS_Z(v, k.k, z)
		v = z
	} else {
		VANDPS(k.v, v, v)
	}
	step(v, 0)
	Label("done_" + name)
	VADDPD(acc[2], acc[0], acc[0])
	VADDPD(acc[3], acc[1], acc[1])
	VADDPD(acc[1], acc[0], acc[0])
	r := acc[0]
	if s.wide() {
		y, z := YMM(), YMM()
		VEXTRACTF64X4(U8(1), r, y)
		VADDPD(y, r.AsY(), z)
		r = z
	}
	y, z := XMM(), XMM()
	VEXTRACTF128(U8(1), r.AsY(), y)
	VADDPD(y, r.AsX(), z)
	h, out := XMM(), XMM()
	VUNPCKHPD(z, z, h)
	VADDSD(h, z, out)
	VZEROUPPER()
	Store(out, ReturnIndex(0))
	RET()
}
