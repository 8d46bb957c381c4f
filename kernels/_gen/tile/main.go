// Command tile writes the micro kernels of package conv for products with packed weights.
//
// A kernel computes mr rows and v vectors of columns of a tile of C from a panel of A (kc groups of mr elements) and kc rows
// of B that are ldb elements apart, and finishes the tile on request: bias, residual and bounds are applied while it is in
// registers. Its arguments come in a struct of Go slices and numbers (type tile of package conv).
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets in the struct.
const (
	offC    = 0
	offA    = 24
	offB    = 48
	offRes  = 72
	offBias = 96
	offLDC  = 120
	offLDB  = 128
	offKC   = 136
	offN    = 144
	offLo   = 152
	offHi   = 156
	offAdd  = 160
	offLast = 161
)

type isa struct {
	name  string
	lanes int
	mr    int
}

var tailMask Mem

func main() {
	ConstraintExpr("!purego")
	tailMask = GLOBL("tileMask", 16|8)
	for i := range 16 {
		v := uint32(0)
		if i < 8 {
			v = 0xFFFFFFFF
		}
		DATA(4*i, U32(v))
	}
	for _, s := range []isa{{"AVX2", 8, 4}, {"AVX512", 16, 8}} {
		for v := 1; v <= 3; v++ {
			s.kernel(v, false)
		}
		s.kernel(1, true)
		s.column()
	}
	winograd()
	rows()
	Generate()
}

func (s isa) vector() reg.VecVirtual {
	if s.lanes == 16 {
		return ZMM()
	}
	return YMM()
}

func zero(x reg.VecVirtual, wide bool) {
	if wide {
		VPXORD(x, x, x)
	} else {
		VXORPS(x, x, x)
	}
}

func field(t reg.Register, off int) reg.GPVirtual {
	r := GP64()
	MOVQ(Mem{Base: t, Disp: off}, r)
	return r
}

// edge restricts memory access to the first n lanes of a vector.
type edge struct {
	on   bool
	wide bool
	k    reg.OpmaskVirtual
	v    reg.VecVirtual
}

func (s isa) newEdge(t reg.Register, masked bool) edge {
	e := edge{on: masked, wide: s.lanes == 16}
	if !masked {
		return e
	}
	n := field(t, offN)
	if e.wide {
		ones := GP64()
		e.k = K()
		MOVQ(I64(-1), ones)
		BZHIQ(n, ones, ones)
		KMOVW(ones.As32(), e.k)
		return e
	}
	at := GP64()
	e.v = YMM()
	LEAQ(tailMask.Offset(32), at)
	NEGQ(n)
	VMOVDQU(Mem{Base: at, Index: n, Scale: 4}, e.v)
	return e
}

func (e edge) load(m Mem, x reg.VecVirtual) {
	switch {
	case !e.on:
		VMOVUPS(m, x)
	case e.wide:
		VMOVUPS_Z(m, e.k, x)
	default:
		VMASKMOVPS(m, e.v, x)
	}
}

func (e edge) store(x reg.VecVirtual, m Mem) {
	switch {
	case !e.on:
		VMOVUPS(x, m)
	case e.wide:
		VMOVUPS(x, e.k, m)
	default:
		VMASKMOVPS(x, e.v, m)
	}
}

func (s isa) kernel(vecs int, masked bool) {
	name := fmt.Sprintf("tile%s_%d", s.name, vecs)
	if masked {
		name = "tile" + s.name + "_tail"
	}
	TEXT(name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	if masked {
		Doc(fmt.Sprintf("%s computes a tile of %d rows and t.n < %d columns.", name, s.mr, s.lanes))
	} else {
		Doc(fmt.Sprintf("%s computes a tile of %d rows and %d columns.", name, s.mr, vecs*s.lanes))
	}
	t := Load(Param("t"), GP64())
	a, b := field(t, offA), field(t, offB)
	ldb, kc := field(t, offLDB), field(t, offKC)
	SHLQ(U8(2), ldb)
	s.prefetch(t, vecs)
	e := s.newEdge(t, masked)
	acc := make([][]reg.VecVirtual, s.mr)
	for i := range acc {
		for range vecs {
			x := s.vector()
			zero(x, s.lanes == 16)
			acc[i] = append(acc[i], x)
		}
	}
	label := func(l string) string { return l + "_" + name }
	unroll := 2
	CMPQ(kc, U32(unroll))
	JLT(LabelRef(label("tail")))
	Label(label("loop"))
	for u := range unroll {
		s.step(acc, a, b, u, e)
		ADDQ(ldb, b)
	}
	ADDQ(U32(4*s.mr*unroll), a)
	SUBQ(U32(unroll), kc)
	CMPQ(kc, U32(unroll))
	JGE(LabelRef(label("loop")))
	Label(label("tail"))
	TESTQ(kc, kc)
	JZ(LabelRef(label("done")))
	s.step(acc, a, b, 0, e)
	Label(label("done"))
	s.finish(acc, t, e, label)
	VZEROUPPER()
	RET()
}

// prefetch fetches the tile of C, and that of the residual if there is one, whose rows are too far apart for the processor to
// foresee.
func (s isa) prefetch(t reg.Register, vecs int) {
	ldc := field(t, offLDC)
	SHLQ(U8(2), ldc)
	lines := func(p reg.Register) {
		for i := range s.mr {
			for at := 0; at < 4*s.lanes*vecs; at += 64 {
				PREFETCHT0(Mem{Base: p, Disp: at})
			}
			if i+1 < s.mr {
				ADDQ(ldc, p)
			}
		}
	}
	lines(field(t, offC))
	res := field(t, offRes)
	label := fmt.Sprintf("start_%s_%d", s.name, prefetches)
	prefetches++
	TESTQ(res, res)
	JZ(LabelRef(label))
	lines(res)
	Label(label)
}

// prefetches counts calls of prefetch, for labels.
var prefetches int

// step is one value of k: acc[i][j] += a[i]·b[j].
func (s isa) step(acc [][]reg.VecVirtual, a, b reg.Register, u int, e edge) {
	bs := make([]reg.VecVirtual, len(acc[0]))
	for j := range bs {
		bs[j] = s.vector()
		e.load(Mem{Base: b, Disp: 4 * s.lanes * j}, bs[j])
	}
	for i := range acc {
		at := Mem{Base: a, Disp: 4 * (u*s.mr + i)}
		if s.lanes == 16 && len(bs) == 1 {
			VFMADD231PS_BCST(at, bs[0], acc[i][0])
			continue
		}
		x := s.vector()
		VBROADCASTSS(at, x)
		for j := range bs {
			VFMADD231PS(bs[j], x, acc[i][j])
		}
	}
}

// finish adds what C holds, bias and residual, bounds the sums and stores them.
func (s isa) finish(acc [][]reg.VecVirtual, t reg.Register, e edge, label func(string) string) {
	c, ldc := field(t, offC), field(t, offLDC)
	SHLQ(U8(2), ldc)
	each := func(p reg.Register, f func(m Mem, x reg.VecVirtual)) {
		for i := range acc {
			for j, x := range acc[i] {
				f(Mem{Base: p, Disp: 4 * s.lanes * j}, x)
			}
			if i+1 < len(acc) {
				ADDQ(ldc, p)
			}
		}
	}
	addFrom := func(m Mem, x reg.VecVirtual) {
		if !e.on {
			VADDPS(m, x, x)
			return
		}
		v := s.vector()
		e.load(m, v)
		VADDPS(v, x, x)
	}
	CMPB(Mem{Base: t, Disp: offAdd}, U8(0))
	JEQ(LabelRef(label("fresh")))
	p := GP64()
	MOVQ(c, p)
	each(p, addFrom)
	Label(label("fresh"))
	CMPB(Mem{Base: t, Disp: offLast}, U8(0))
	JEQ(LabelRef(label("store")))
	bias := field(t, offBias)
	for i := range acc {
		v := s.vector()
		VBROADCASTSS(Mem{Base: bias, Disp: 4 * i}, v)
		for _, x := range acc[i] {
			VADDPS(v, x, x)
		}
	}
	res := field(t, offRes)
	TESTQ(res, res)
	JZ(LabelRef(label("bound")))
	each(res, addFrom)
	Label(label("bound"))
	lo, hi := s.vector(), s.vector()
	VBROADCASTSS(Mem{Base: t, Disp: offLo}, lo)
	VBROADCASTSS(Mem{Base: t, Disp: offHi}, hi)
	for i := range acc {
		for _, x := range acc[i] {
			VMAXPS(x, lo, x) // the second operand of the machine instruction is the result if one is NaN: x
			VMINPS(x, hi, x)
		}
	}
	Label(label("store"))
	each(c, func(m Mem, x reg.VecVirtual) { e.store(x, m) })
}

// column computes one column: the mr rows are the lanes, four sums are interleaved.
func (s isa) column() {
	name := "column" + s.name
	TEXT(name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s sets c[:%d] to one column of a product, in four interleaved sums.", name, s.mr))
	t := Load(Param("t"), GP64())
	a, b, ldb, kc, c := field(t, offA), field(t, offB), field(t, offLDB), field(t, offKC), field(t, offC)
	SHLQ(U8(2), ldb)
	vector := func() reg.VecVirtual {
		if s.mr == 8 {
			return YMM()
		}
		return XMM()
	}
	var acc [4]reg.VecVirtual
	for i := range acc {
		acc[i] = vector()
		zero(acc[i], false)
	}
	label := func(l string) string { return l + "_" + name }
	step := func(u int) {
		v := vector()
		VBROADCASTSS(Mem{Base: b}, v)
		VFMADD231PS(Mem{Base: a, Disp: 4 * s.mr * u}, v, acc[u])
		ADDQ(ldb, b)
	}
	CMPQ(kc, U32(4))
	JLT(LabelRef(label("tail")))
	Label(label("loop"))
	for u := range 4 {
		step(u)
	}
	ADDQ(U32(16*s.mr), a)
	SUBQ(U32(4), kc)
	CMPQ(kc, U32(4))
	JGE(LabelRef(label("loop")))
	Label(label("tail"))
	TESTQ(kc, kc)
	JZ(LabelRef(label("done")))
	step(0)
	ADDQ(U32(4*s.mr), a)
	DECQ(kc)
	JMP(LabelRef(label("tail")))
	Label(label("done"))
	VADDPS(acc[1], acc[0], acc[0])
	VADDPS(acc[3], acc[2], acc[2])
	VADDPS(acc[2], acc[0], acc[0])
	VMOVUPS(acc[0], Mem{Base: c})
	VZEROUPPER()
	RET()
}
