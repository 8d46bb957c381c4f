package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// V is a vector register.
type V = reg.VecVirtual

// isa emits vector instructions of one width.
type isa struct {
	name  string
	lanes int
}

var isas = []isa{{"AVX2", 8}, {"AVX512", 16}}

func (s isa) wide() bool { return s.lanes == 16 }

func (s isa) v() V {
	if s.wide() {
		return ZMM()
	}
	return YMM()
}

var globals = map[string]Mem{}

// bits is a constant of 16 equal lanes in memory.
func bits(b uint32) Mem {
	name := fmt.Sprintf("c%08x", b)
	if m, ok := globals[name]; ok {
		return m
	}
	m := GLOBL(name, attr.RODATA|attr.NOPTR)
	for i := range 16 {
		DATA(4*i, U32(b))
	}
	globals[name] = m
	return m
}

// f is a float constant.
func f(x float64) Mem { return bits(math.Float32bits(float32(x))) }

func (s isa) load(m Op) V {
	x := s.v()
	VMOVUPS(m, x)
	return x
}

func (s isa) copy(x V) V {
	y := s.v()
	VMOVAPS(x, y)
	return y
}

func (s isa) broadcast(p reg.Register) V {
	x := s.v()
	VBROADCASTSS(p, x)
	return x
}

func (s isa) add(a Op, b V) V { r := s.v(); VADDPS(a, b, r); return r }
func (s isa) mul(a Op, b V) V { r := s.v(); VMULPS(a, b, r); return r }

// sub is b - a.
func (s isa) sub(a Op, b V) V { r := s.v(); VSUBPS(a, b, r); return r }

// div is b / a.
func (s isa) div(a Op, b V) V { r := s.v(); VDIVPS(a, b, r); return r }

// max is the larger of b and a, and a if one of them is NaN.
func (s isa) max(a Op, b V) V { r := s.v(); VMAXPS(a, b, r); return r }

// min is the smaller of b and a, and a if one of them is NaN.
func (s isa) min(a Op, b V) V { r := s.v(); VMINPS(a, b, r); return r }

func (s isa) and(a Op, b V) V { r := s.v(); VANDPS(a, b, r); return r }
func (s isa) or(a Op, b V) V  { r := s.v(); VORPS(a, b, r); return r }

func (s isa) abs(x V) V { return s.and(bits(0x7FFFFFFF), x) }

// sign is the sign bit of x.
func (s isa) sign(x V) V { return s.and(bits(0x80000000), x) }

// fma is x·y + z, in place of x.
func (s isa) fma(z Op, y, x V) V { VFMADD213PS(z, y, x); return x }

// poly evaluates a polynomial in x by Horner's rule, highest coefficient first.
func (s isa) poly(x V, cs ...float64) V {
	p := s.load(f(cs[0]))
	for _, c := range cs[1:] {
		p = s.fma(f(c), x, p)
	}
	return p
}

// ifNegative picks a where x's sign bit is set, else b.
func (s isa) ifNegative(x, a, b V) V {
	r := s.v()
	if s.wide() {
		k := K()
		VPMOVD2M(x, k)
		VBLENDMPS(a, b, k, r)
		return r
	}
	VBLENDVPS(x, a, b, r)
	return r
}

// ifLess picks a where x < m, else b (also where x is NaN).
func (s isa) ifLess(x V, m Op, a, b V) V {
	r := s.v()
	if s.wide() {
		k := K()
		VCMPPS(U8(0x11), m, x, k)
		VBLENDMPS(a, b, k, r)
		return r
	}
	c := s.v()
	VCMPPS(U8(0x11), m, x, c)
	VBLENDVPS(c, a, b, r)
	return r
}

// ifNaN picks a where x is NaN, else b.
func (s isa) ifNaN(x, a, b V) V {
	r := s.v()
	if s.wide() {
		k := K()
		VCMPPS(U8(0x03), x, x, k)
		VBLENDMPS(a, b, k, r)
		return r
	}
	c := s.v()
	VCMPPS(U8(0x03), x, x, c)
	VBLENDVPS(c, a, b, r)
	return r
}

// arg is an input of an elementwise kernel.
type arg struct {
	name   string
	scalar bool
}

// elementwise writes dst[i] = body(args…[i]) for both widths. unroll vectors are in flight at once.
func elementwise(name, doc string, unroll int, args []arg, body func(s isa, in []V) V) {
	sigs = append(sigs, sig{name, args, true, ""})
	for _, s := range isas {
		sig := "func(dst"
		for _, a := range args {
			if !a.scalar {
				sig += ", " + a.name
			}
		}
		sig += " *float32, n int"
		for _, a := range args {
			if a.scalar {
				sig += ", " + a.name + " float32"
			}
		}
		TEXT(name+s.name, NOSPLIT, sig+")")
		Pragma("noescape")
		Doc(name + s.name + " " + doc)
		k := &loop{s: s, dst: Load(Param("dst"), GP64()), n: Load(Param("n"), GP64()), body: body}
		for _, a := range args {
			if a.scalar {
				x := XMM()
				Load(Param(a.name), x)
				k.args = append(k.args, operand{v: s.broadcast(x)})
			} else {
				k.args = append(k.args, operand{p: Load(Param(a.name), GP64())})
			}
		}
		k.emit(name+s.name, unroll)
	}
}

type operand struct {
	p reg.Register // array, or
	v V            // scalar
}

type loop struct {
	s    isa
	dst  reg.Register
	n    reg.Register
	args []operand
	body func(s isa, in []V) V
}

func (k *loop) emit(name string, unroll int) {
	width := k.s.lanes
	for _, u := range []int{unroll, 1} {
		if u == 1 && unroll == 0 {
			break
		}
		label := fmt.Sprintf("x%d_%s", u, name)
		next := "after_" + label
		CMPQ(k.n, U32(u*width))
		JLT(LabelRef(next))
		Label(label)
		for i := range u {
			k.vector(i)
		}
		k.advance(4 * u * width)
		SUBQ(U32(u*width), k.n)
		CMPQ(k.n, U32(u*width))
		JGE(LabelRef(label))
		Label(next)
		if unroll == 1 {
			break
		}
	}
	TESTQ(k.n, k.n)
	JZ(LabelRef("done_" + name))
	k.tail()
	Label("done_" + name)
	VZEROUPPER()
	RET()
}

func (k *loop) advance(bytes int) {
	ADDQ(U32(bytes), k.dst)
	for _, a := range k.args {
		if a.p != nil {
			ADDQ(U32(bytes), a.p)
		}
	}
}

func (k *loop) vector(i int) {
	in := make([]V, len(k.args))
	for j, a := range k.args {
		if in[j] = a.v; a.p != nil {
			in[j] = k.s.load(Mem{Base: a.p, Disp: 4 * k.s.lanes * i})
		}
	}
	VMOVUPS(k.body(k.s, in), Mem{Base: k.dst, Disp: 4 * k.s.lanes * i})
}

// mask is the set of the first n lanes.
type mask struct {
	k reg.Register // AVX-512
	v V            // AVX2
}

var maskTable Mem

func (s isa) mask(n reg.Register) mask {
	if s.wide() {
		ones, k := GP64(), K()
		MOVQ(I64(-1), ones)
		BZHIQ(n, ones, ones)
		KMOVW(ones.As32(), k)
		return mask{k: k}
	}
	if maskTable.Symbol.Name == "" {
		maskTable = GLOBL("masks", attr.RODATA|attr.NOPTR)
		for i := range 16 {
			b := uint32(0)
			if i < 8 {
				b = math.MaxUint32
			}
			DATA(4*i, U32(b))
		}
	}
	at, m := GP64(), YMM()
	LEAQ(maskTable.Offset(32), at)
	neg := GP64()
	MOVQ(n, neg)
	NEGQ(neg)
	VMOVDQU(Mem{Base: at, Index: neg, Scale: 4}, m)
	return mask{v: m}
}

// loadMasked loads the lanes of m; the others are zero.
func (s isa) loadMasked(at Mem, m mask) V {
	x := s.v()
	if s.wide() {
		VMOVUPS_Z(at, m.k, x)
	} else {
		VMASKMOVPS(at, m.v, x)
	}
	return x
}

func (s isa) storeMasked(x V, m mask, at Mem) {
	if s.wide() {
		VMOVUPS(x, m.k, at)
	} else {
		VMASKMOVPS(x, m.v, at)
	}
}

func (k *loop) tail() {
	m := k.s.mask(k.n)
	in := make([]V, len(k.args))
	for j, a := range k.args {
		if in[j] = a.v; a.p != nil {
			in[j] = k.s.loadMasked(Mem{Base: a.p}, m)
		}
	}
	k.s.storeMasked(k.body(k.s, in), m, Mem{Base: k.dst})
}
