// Command qgemm writes the kernels of package gemm for 8-bit integers.
//
// A micro kernel computes r rows and v vectors of columns of sums of u8·s8 products. A lies in rows of bytes; B in a panel
// of groups of four values of k: for each group, the four bytes of every column follow each other. Every product and every
// sum is exact (modulo 2³²): with VNNI by VPDPBUSD, without by widening both factors to 16 bits or, where pairs of products
// are known to fit, by VPMADDUBSW.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The ways to sum products of a group.
const (
	byVNNI  = iota
	byWords // both factors widened to 16 bits
	byPairs // sums of two in 16 bits, which must not overflow
)

// isa describes one instruction set level.
type isa struct {
	name   string
	lanes  int
	mr     int
	vecs   int // vectors in a row of the full tile
	dot    int // how products are summed
	unroll int
}

func main() {
	ConstraintExpr("!purego")
	for _, s := range []isa{
		{"AVX2", 8, 4, 2, byWords, 1}, {"AVX512", 16, 8, 2, byWords, 1}, {"VNNI", 16, 8, 3, byVNNI, 2},
		{"PairsAVX2", 8, 4, 2, byPairs, 2}, {"PairsAVX512", 16, 8, 2, byPairs, 2},
	} {
		for r := 1; r <= s.mr; r++ {
			for v := 1; v <= s.vecs; v++ {
				kernel(s, r, v)
			}
		}
	}
	interleave()
	sumBytes()
	for _, s := range []isa{{name: "AVX2", lanes: 8}, {name: "AVX512", lanes: 16}} {
		rank1(s)
		dequantize(s)
		requantize(s)
	}
	Generate()
}

func get(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

func (s isa) vector() reg.VecVirtual {
	if s.lanes == 16 {
		return ZMM()
	}
	return YMM()
}

func (s isa) bytes() int { return 4 * s.lanes }

func (s isa) load(m Mem, x reg.VecVirtual) {
	if s.lanes == 16 {
		VMOVDQU32(m, x)
		return
	}
	VMOVDQU(m, x)
}

func (s isa) store(x reg.VecVirtual, m Mem) {
	if s.lanes == 16 {
		VMOVDQU32(x, m)
		return
	}
	VMOVDQU(x, m)
}

func (s isa) zero(x reg.VecVirtual) {
	if s.lanes == 16 {
		VPXORD(x, x, x)
		return
	}
	VPXOR(x, x, x)
}

// rowsOf returns addressing for n ≤ 8 rows that are ld bytes apart, and their base registers.
func rowsOf(a, ld reg.GPVirtual, n int) ([]Mem, []reg.GPVirtual) {
	rows, bases := []Mem{{Base: a}}, []reg.GPVirtual{a}
	var three reg.GPVirtual
	if n > 3 {
		three = GP64()
		LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, three)
	}
	if n > 4 {
		half := GP64()
		LEAQ(Mem{Base: a, Index: ld, Scale: 4}, half)
		bases = append(bases, half)
	}
	for i := 1; i < n; i++ {
		m := Mem{Base: bases[i/4]}
		switch i % 4 {
		case 1:
			m.Index, m.Scale = ld, 1
		case 2:
			m.Index, m.Scale = ld, 2
		case 3:
			m.Index, m.Scale = three, 1
		}
		rows = append(rows, m)
	}
	return rows, bases
}

func kernel(s isa, rows, vecs int) {
	id := fmt.Sprintf("%s_%dx%d", s.name, rows, vecs)
	TEXT("qmicro"+id, NOSPLIT, "func(c *int32, ldc int, a *uint8, lda int, b *uint8, groups int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("qmicro%s sets %d rows and %d columns of a tile to sums over groups of four, of which there is at least one.", id, rows, vecs*s.lanes))
	c, ldc := get("c"), get("ldc")
	a, bases := rowsOf(get("a"), get("lda"), rows)
	b, groups := get("b"), get("groups")
	acc := make([][]reg.VecVirtual, rows)
	for i := range acc {
		for range vecs {
			x := s.vector()
			s.zero(x)
			acc[i] = append(acc[i], x)
		}
	}
	var low reg.VecVirtual
	if s.dot != byVNNI {
		low = s.vector()
		if s.lanes == 16 {
			VPTERNLOGD(U8(0xFF), low, low, low)
		} else {
			VPCMPEQD(low, low, low)
		}
		if s.dot == byPairs {
			VPSRLW(U8(15), low, low)
		} else {
			VPSRLW(U8(8), low, low)
		}
	}
	panel := s.bytes() * s.vecs
	step := func(u int) {
		for i := range a {
			a[i].Disp = 4 * u
		}
		if s.dot == byWords {
			widened(s, acc, a, b, low, panel*u)
		} else {
			dots(s, acc, a, b, low, panel*u)
		}
	}
	advance := func(n int) {
		for _, p := range bases {
			ADDQ(U32(4*n), p)
		}
		ADDQ(U32(panel*n), b)
	}
	if s.unroll > 1 {
		CMPQ(groups, U32(s.unroll))
		JLT(LabelRef("rest_" + id))
		Label("loop_" + id)
		for u := range s.unroll {
			step(u)
		}
		advance(s.unroll)
		SUBQ(U32(s.unroll), groups)
		CMPQ(groups, U32(s.unroll))
		JGE(LabelRef("loop_" + id))
		TESTQ(groups, groups)
		JZ(LabelRef("done_" + id))
	}
	Label("rest_" + id)
	step(0)
	advance(1)
	DECQ(groups)
	JNZ(LabelRef("rest_" + id))
	Label("done_" + id)
	SHLQ(U8(2), ldc)
	for i := range acc {
		for j, x := range acc[i] {
			s.store(x, Mem{Base: c, Disp: s.bytes() * j})
		}
		if i+1 < len(acc) {
			ADDQ(ldc, c)
		}
	}
	VZEROUPPER()
	RET()
}

// dots adds one group by VPDPBUSD, or by sums of two products whose 16 bits are then added with factors of one.
func dots(s isa, acc [][]reg.VecVirtual, a []Mem, b reg.GPVirtual, ones reg.VecVirtual, disp int) {
	bs := make([]reg.VecVirtual, len(acc[0]))
	for j := range bs {
		bs[j] = s.vector()
		s.load(Mem{Base: b, Disp: disp + s.bytes()*j}, bs[j])
	}
	for i := range acc {
		x := s.vector()
		VPBROADCASTD(a[i], x)
		for j := range bs {
			if s.dot == byVNNI {
				VPDPBUSD(bs[j], x, acc[i][j])
				continue
			}
			t := s.vector()
			VPMADDUBSW(bs[j], x, t)
			VPMADDWD(ones, t, t)
			VPADDD(t, acc[i][j], acc[i][j])
		}
	}
}

// widened adds one group by products of 16 bits: those of even and of odd k apart.
func widened(s isa, acc [][]reg.VecVirtual, a []Mem, b reg.GPVirtual, low reg.VecVirtual, disp int) {
	even, odd := make([]reg.VecVirtual, len(acc[0])), make([]reg.VecVirtual, len(acc[0]))
	for j := range even {
		even[j], odd[j] = s.vector(), s.vector()
		s.load(Mem{Base: b, Disp: disp + s.bytes()*j}, odd[j])
		VPSLLW(U8(8), odd[j], even[j])
		VPSRAW(U8(8), odd[j], odd[j])
		VPSRAW(U8(8), even[j], even[j])
	}
	for i := range acc {
		x, y := s.vector(), s.vector()
		VPBROADCASTD(a[i], x)
		VPSRLW(U8(8), x, y)
		if s.lanes == 16 {
			VPANDD(low, x, x)
		} else {
			VPAND(low, x, x)
		}
		for j := range even {
			t := s.vector()
			VPMADDWD(even[j], x, t)
			VPADDD(t, acc[i][j], acc[i][j])
			VPMADDWD(odd[j], y, t)
			VPADDD(t, acc[i][j], acc[i][j])
		}
	}
}

// interleave packs rows of B into a panel.
func interleave() {
	TEXT("interleave4AVX2", NOSPLIT, "func(dst *uint8, step int, src *uint8, ld, groups int, flip uint32)")
	Pragma("noescape")
	Doc("interleave4AVX2 writes 16 bytes of each of four rows, ld apart, column by column to 64 bytes at dst, and goes on with",
		"the next four rows and dst+step, for groups > 0. The bits of flip are flipped in every four bytes.")
	dst, step, src, ld, groups := get("dst"), get("step"), get("src"), get("ld"), get("groups")
	flip, f := XMM(), Load(Param("flip"), GP32())
	VMOVD(f, flip)
	VPBROADCASTD(flip, flip)
	rows, _ := rowsOf(src, ld, 4)
	Label("interleave4")
	var r, t [4]reg.VecVirtual
	for i := range r {
		r[i], t[i] = XMM(), XMM()
		VPXOR(rows[i], flip, r[i])
	}
	VPUNPCKLBW(r[1], r[0], t[0])
	VPUNPCKHBW(r[1], r[0], t[1])
	VPUNPCKLBW(r[3], r[2], t[2])
	VPUNPCKHBW(r[3], r[2], t[3])
	for i := range 2 {
		x, y := XMM(), XMM()
		VPUNPCKLWD(t[2+i], t[i], x)
		VPUNPCKHWD(t[2+i], t[i], y)
		VMOVDQU(x, Mem{Base: dst, Disp: 32 * i})
		VMOVDQU(y, Mem{Base: dst, Disp: 32*i + 16})
	}
	ADDQ(step, dst)
	LEAQ(Mem{Base: src, Index: ld, Scale: 4}, src)
	DECQ(groups)
	JNZ(LabelRef("interleave4"))
	RET()
}

func sumBytes() {
	TEXT("sumBytesAVX2", NOSPLIT, "func(x *uint8, n int) int")
	Pragma("noescape")
	Doc("sumBytesAVX2 returns the sum of x[0:n]; n is a positive multiple of 32.")
	x, n := get("x"), get("n")
	zero, acc, t := YMM(), YMM(), YMM()
	VPXOR(zero, zero, zero)
	VPXOR(acc, acc, acc)
	Label("sumBytes")
	VPSADBW(Mem{Base: x}, zero, t)
	VPADDQ(t, acc, acc)
	ADDQ(U32(32), x)
	SUBQ(U32(32), n)
	JNZ(LabelRef("sumBytes"))
	high, sum := XMM(), GP64()
	VEXTRACTI128(U8(1), acc, high)
	VPADDQ(high, acc.AsX(), high)
	VPSRLDQ(U8(8), high, acc.AsX())
	VPADDQ(high, acc.AsX(), high)
	VMOVQ(high, sum)
	VZEROUPPER()
	Store(sum, ReturnIndex(0))
	RET()
}

// rank1 subtracts a product of two vectors.
func rank1(s isa) {
	id := "rank1" + s.name
	TEXT(id, NOSPLIT, "func(acc *int32, ld, rows, cols int, x, y *int32)")
	Pragma("noescape")
	Doc(id + " subtracts x[i]·y[j] from element (i, j) of rows that are ld apart. cols is a positive multiple of 16, rows > 0.")
	acc, ld, rows, cols, x, y := get("acc"), get("ld"), get("rows"), get("cols"), get("x"), get("y")
	SHLQ(U8(2), ld)
	Label("cols_" + id)
	v := s.vector()
	s.load(Mem{Base: y}, v)
	p, px, left := GP64(), GP64(), GP64()
	MOVQ(acc, p)
	MOVQ(x, px)
	MOVQ(rows, left)
	Label("rows_" + id)
	t := s.vector()
	VPBROADCASTD(Mem{Base: px}, t)
	VPMULLD(v, t, t)
	c := s.vector()
	s.load(Mem{Base: p}, c)
	VPSUBD(t, c, c)
	s.store(c, Mem{Base: p})
	ADDQ(ld, p)
	ADDQ(U8(4), px)
	DECQ(left)
	JNZ(LabelRef("rows_" + id))
	ADDQ(U32(s.bytes()), acc)
	ADDQ(U32(s.bytes()), y)
	SUBQ(U32(s.lanes), cols)
	JNZ(LabelRef("cols_" + id))
	VZEROUPPER()
	RET()
}

// dequantize turns sums into floats.
func dequantize(s isa) {
	id := "dequantizeTile" + s.name
	TEXT(id, NOSPLIT, "func(dst *float32, ldd int, acc *int32, ld, rows, cols int, scale, bias *float32)")
	Pragma("noescape")
	Doc(id + " sets dst[i·ldd+j] = acc[i·ld+j]·scale[j] + bias[j]. cols is a positive multiple of 16, rows > 0.")
	dst, ldd, acc, ld, rows, cols := get("dst"), get("ldd"), get("acc"), get("ld"), get("rows"), get("cols")
	scale, bias := get("scale"), get("bias")
	SHLQ(U8(2), ld)
	SHLQ(U8(2), ldd)
	Label("cols_" + id)
	sc, bi := s.vector(), s.vector()
	VMOVUPS(Mem{Base: scale}, sc)
	VMOVUPS(Mem{Base: bias}, bi)
	p, d, left := GP64(), GP64(), GP64()
	MOVQ(acc, p)
	MOVQ(dst, d)
	MOVQ(rows, left)
	Label("rows_" + id)
	x := s.vector()
	VCVTDQ2PS(Mem{Base: p}, x)
	VMULPS(sc, x, x)
	VADDPS(bi, x, x)
	VMOVUPS(x, Mem{Base: d})
	ADDQ(ld, p)
	ADDQ(ldd, d)
	DECQ(left)
	JNZ(LabelRef("rows_" + id))
	for _, r := range []reg.GPVirtual{acc, dst, scale, bias} {
		ADDQ(U32(s.bytes()), r)
	}
	SUBQ(U32(s.lanes), cols)
	JNZ(LabelRef("cols_" + id))
	VZEROUPPER()
	RET()
}

// requantize turns sums into bytes.
func requantize(s isa) {
	id := "requantizeTile" + s.name
	TEXT(id, NOSPLIT, "func(dst *uint8, ldd int, acc *int32, ld, rows, cols int, scale *float32, zero int32, lo, hi float32)")
	Pragma("noescape")
	Doc(id+" sets dst[i·ldd+j] to acc[i·ld+j]·scale[j], clamped to [lo, hi] and rounded half to even, plus zero. cols is a", "positive multiple of 16, rows > 0.")
	dst, ldd, acc, ld, rows, cols := get("dst"), get("ldd"), get("acc"), get("ld"), get("rows"), get("cols")
	scale := get("scale")
	SHLQ(U8(2), ld)
	zero, lo, hi := s.vector(), s.vector(), s.vector()
	x32 := XMM()
	VMOVD(Load(Param("zero"), GP32()), x32)
	VPBROADCASTD(x32, zero)
	Load(Param("lo"), x32)
	VBROADCASTSS(x32, lo)
	Load(Param("hi"), x32)
	VBROADCASTSS(x32, hi)
	Label("cols_" + id)
	sc := s.vector()
	VMOVUPS(Mem{Base: scale}, sc)
	p, d, left := GP64(), GP64(), GP64()
	MOVQ(acc, p)
	MOVQ(dst, d)
	MOVQ(rows, left)
	Label("rows_" + id)
	x := s.vector()
	VCVTDQ2PS(Mem{Base: p}, x)
	VMULPS(sc, x, x)
	VMAXPS(lo, x, x) // the second source wins over NaN
	VMINPS(hi, x, x)
	VCVTPS2DQ(x, x)
	VPADDD(zero, x, x)
	if s.lanes == 16 {
		VPMOVDB(x, Mem{Base: d})
	} else {
		// Only the lowest byte of each element counts, so that truncation is a mask and unsigned packing.
		low := s.vector()
		VPCMPEQD(low, low, low)
		VPSRLD(U8(24), low, low)
		VPAND(low, x, x)
		h := XMM()
		VEXTRACTI128(U8(1), x, h)
		VPACKUSDW(h, x.AsX(), x.AsX())
		VPACKUSWB(x.AsX(), x.AsX(), x.AsX())
		VMOVQ(x.AsX(), Mem{Base: d})
	}
	ADDQ(ld, p)
	ADDQ(ldd, d)
	DECQ(left)
	JNZ(LabelRef("rows_" + id))
	ADDQ(U32(s.bytes()), acc)
	ADDQ(U32(s.bytes()), scale)
	ADDQ(U32(s.lanes), dst)
	SUBQ(U32(s.lanes), cols)
	JNZ(LabelRef("cols_" + id))
	VZEROUPPER()
	RET()
}
