// Command sgemm writes the float32 micro kernels of package gemm.
//
// A kernel computes r rows and v vectors of columns of a tile of C from one panel of A (kc groups of mr elements) and one
// panel of B (kc groups of nr elements). Every combination of r ≤ mr and v ≤ nr/lanes is a function of its own, so that the
// edges of a matrix cost what they hold. Accumulators stay in registers for the whole loop over k.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa describes one instruction set level.
type isa struct {
	name   string
	lanes  int
	mr     int
	vecs   int // vectors in a row of the full tile
	unroll int
}

func main() {
	ConstraintExpr("!purego")
	for _, s := range []isa{{"AVX2", 8, 4, 3, 4}, {"AVX512", 16, 8, 3, 2}} {
		for r := 1; r <= s.mr; r++ {
			for v := 1; v <= s.vecs; v++ {
				kernel(s, r, v)
			}
		}
	}
	packers()
	Generate()
}

func (s isa) vector() reg.VecVirtual {
	if s.lanes == 16 {
		return ZMM()
	}
	return YMM()
}

func kernel(s isa, rows, vecs int) {
	TEXT(fmt.Sprintf("micro%s_%dx%d", s.name, rows, vecs), NOSPLIT, "func(c *float32, ldc int, a, b *float32, kc, ahead int, add bool)")
	Pragma("noescape")
	Doc(fmt.Sprintf("micro%s_%dx%d computes %d rows and %d columns of a tile.", s.name, rows, vecs, rows, vecs*s.lanes))
	c := Load(Param("c"), GP64())
	ldc := Load(Param("ldc"), GP64())
	a := Load(Param("a"), GP64())
	b := Load(Param("b"), GP64())
	kc := Load(Param("kc"), GP64())
	var ahead reg.Register
	if rows == s.mr && vecs == s.vecs {
		ahead = Load(Param("ahead"), GP64())
	}
	acc := make([][]reg.VecVirtual, rows)
	for i := range acc {
		for range vecs {
			x := s.vector()
			s.zero(x)
			acc[i] = append(acc[i], x)
		}
	}
	tail := fmt.Sprintf("tail_%s_%d_%d", s.name, rows, vecs)
	loop := fmt.Sprintf("loop_%s_%d_%d", s.name, rows, vecs)
	rest := fmt.Sprintf("rest_%s_%d_%d", s.name, rows, vecs)
	done := fmt.Sprintf("done_%s_%d_%d", s.name, rows, vecs)
	CMPQ(kc, U32(s.unroll))
	JLT(LabelRef(tail))
	Label(loop)
	for u := range s.unroll {
		s.step(acc, a, b, ahead, u)
	}
	ADDQ(U32(4*s.mr*s.unroll), a)
	ADDQ(U32(4*s.lanes*s.vecs*s.unroll), b)
	SUBQ(U32(s.unroll), kc)
	CMPQ(kc, U32(s.unroll))
	JGE(LabelRef(loop))
	Label(tail)
	TESTQ(kc, kc)
	JZ(LabelRef(done))
	Label(rest)
	s.step(acc, a, b, ahead, 0)
	ADDQ(U32(4*s.mr), a)
	ADDQ(U32(4*s.lanes*s.vecs), b)
	DECQ(kc)
	JNZ(LabelRef(rest))
	Label(done)
	s.store(acc, c, ldc, fmt.Sprintf("%s_%d_%d", s.name, rows, vecs))
	VZEROUPPER()
	RET()
}

func (s isa) zero(x reg.VecVirtual) {
	if s.lanes == 16 {
		VPXORD(x, x, x)
		return
	}
	VXORPS(x, x, x)
}

// step is one value of k: acc[i][j] += a[i]·b[j]. Where the panel is walked through for several blocks of rows, what lies ahead
// bytes behind it, the next one, is fetched meanwhile.
func (s isa) step(acc [][]reg.VecVirtual, a, b, ahead reg.Register, u int) {
	bs := make([]reg.VecVirtual, len(acc[0]))
	for j := range bs {
		bs[j] = s.vector()
		at := 4 * s.lanes * (u*s.vecs + j)
		VMOVUPS(Mem{Base: b, Disp: at}, bs[j])
		if ahead != nil && at%64 == 0 {
			PREFETCHT1(Mem{Base: b, Index: ahead, Scale: 1, Disp: at})
		}
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

// store writes the tile, or adds it to what C holds.
func (s isa) store(acc [][]reg.VecVirtual, c, ldc reg.Register, label string) {
	SHLQ(U8(2), ldc)
	add := GP8()
	Load(Param("add"), add)
	TESTB(add, add)
	JZ(LabelRef("set_" + label))
	p := GP64()
	MOVQ(c, p)
	for i := range acc {
		for j, x := range acc[i] {
			VADDPS(Mem{Base: p, Disp: 4 * s.lanes * j}, x, x)
		}
		if i+1 < len(acc) {
			ADDQ(ldc, p)
		}
	}
	Label("set_" + label)
	for i := range acc {
		for j, x := range acc[i] {
			VMOVUPS(x, Mem{Base: c, Disp: 4 * s.lanes * j})
		}
		if i+1 < len(acc) {
			ADDQ(ldc, c)
		}
	}
}
