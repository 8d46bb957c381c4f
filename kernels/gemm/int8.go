package gemm

import (
	"math"
	"slices"
	"sync"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// Int8Operand is a matrix of 8-bit integers with its zero points: element (i, j) stands for the number
// Data[i*Row+j*Col] - zero, where Data is read as int8 if Signed.
type Int8Operand struct {
	Data     []uint8
	Signed   bool
	Row, Col int
	// Zero has no element for zero points of 0, one for the matrix, or one for each row of A or column of B. They lie in
	// the range of the elements' type.
	Zero []int32
}

// zero is the zero point of row or column i.
func (o *Int8Operand) zero(i int) int32 {
	switch len(o.Zero) {
	case 0:
		return 0
	case 1:
		return o.Zero[0]
	}
	return o.Zero[i]
}

// Int8Args is one product A·B of 8-bit integers; sums wrap around at 32 bits. The result has M rows of N contiguous
// elements, LDC apart, in one of C, F and Q.
//
// The kernels multiply an unsigned A with a signed B without zero points. The operands are turned into that by an offset
// of 128 where their sign differs, and Σ(a-za)(b-zb) = Σab - za·Σb - zb·(Σa - K·za) does the rest.
type Int8Args struct {
	M, N, K int
	LDC     int
	C       []int32
	// F, if set, is the result as act(sum·Scale + Bias).
	F   []float32
	Act func(x []float32) // applied in place to pieces of rows, or nil
	// Q, if set, is the result as sum·Scale, rounded half to even, plus QZero, saturated to 8 bits: of an int8 if QSigned,
	// else of a uint8.
	Q       []uint8
	QSigned bool
	QZero   int32

	Scale []float32 // one, or one for each column
	Bias  []float32 // one for each column, or none

	A, B Int8Operand
	// PackedA and PackedB replace the Data of A and B when they were packed in advance.
	PackedA *Int8Rows
	PackedB *Int8Panels
	// BlockB, if set, makes up B: it writes rows [k0, k0+kc) of columns [j0, j0+nc) to dst, where rows are ld apart. It is
	// called concurrently.
	BlockB func(dst []uint8, ld, k0, kc, j0, nc int)
}

// MulInt8 computes one product of 8-bit integers.
func MulInt8(pool *parallel.Pool, g *Int8Args) {
	BatchInt8(pool, 1, g, nil)
}

// BatchInt8 computes n products of the same sizes; see Batch.
func BatchInt8(pool *parallel.Pool, n int, g *Int8Args, at func(i int, g *Int8Args)) {
	if n <= 0 || g.M <= 0 || g.N <= 0 {
		return
	}
	p := newInt8Plan(g, n, pool.Threads())
	var shared *int8Rows
	one := *g
	if n == 1 {
		if at != nil {
			at(0, &one)
		}
		w := getInt8Work()
		defer int8Works.Put(w)
		w.rows.set(&one, pool)
		shared = &w.rows
	}
	pool.For(n*p.cols*p.rows, p.grain(), func(lo, hi int) {
		w := getInt8Work()
		defer int8Works.Put(w)
		rows, product, block := shared, -1, -1
		one := one
		for t := lo; t < hi; t++ {
			if i := t / (p.cols * p.rows); n > 1 && i != product {
				one = *g
				at(i, &one)
				w.rows.set(&one, nil)
				rows, product, block = &w.rows, i, -1
			}
			// Tiles below each other come one after the other: they share the columns of B.
			c, r := t%(p.cols*p.rows)/p.rows, t%p.rows
			j := c * p.tn
			if c != block {
				w.load(&one, p, j, min(p.tn, g.N-j))
				block = c
			}
			w.multiply(&one, p, rows, r*p.tm, min(p.tm, g.M-r*p.tm), j, min(p.tn, g.N-j))
		}
	})
}

// int8Plan is how a product is cut: into blocks of tm rows and tn columns.
type int8Plan struct {
	kern       *int8Kernel
	k          int
	tm, tn     int
	rows, cols int
}

const (
	// int8Tile is the number of rows of sums that are finished at a time.
	int8Tile = 128
	// int8Block is about the largest number of bytes of a block of B that is made up.
	int8Block = 1 << 19
)

func newInt8Plan(g *Int8Args, batch, threads int) int8Plan {
	p := int8Plan{kern: pickInt8(), k: g.K, tm: g.M}
	if g.PackedB != nil {
		p.kern = g.PackedB.kern
	}
	nr := p.kern.nr
	p.tn = nr
	if g.BlockB != nil { // gather long rows
		p.tn = nr * max(1, min(240/nr, int8Block/max(1, nr*g.K)))
	}
	p.cols = ceilDiv(g.N, p.tn)
	for threads > 1 && batch*p.cols*ceilDiv(g.M, p.tm) < 4*threads && p.tm >= 8*p.kern.mr {
		p.tm = roundUp(ceilDiv(p.tm, 2), p.kern.mr)
	}
	p.rows = ceilDiv(g.M, p.tm)
	return p
}

// grain is the number of blocks that are worth a thread's while.
func (p int8Plan) grain() int { return max(1, (1<<18)/max(1, p.tm*p.tn*p.k)) }

// int8Work is the memory of one goroutine.
type int8Work struct {
	rows   int8Rows
	panels []uint8 // of B, where that is not packed
	sums   []int32 // of B's columns
	stage  []uint8 // rows of B
	acc    []int32
	zb     []int32
	scale  []float32
	bias   []float32
	f      []float32
	q      []uint8
}

var int8Works sync.Pool

func getInt8Work() *int8Work {
	if w, ok := int8Works.Get().(*int8Work); ok {
		return w
	}
	return &int8Work{acc: make([]int32, int8Tile*maxInt8NR), zb: make([]int32, maxInt8NR), scale: make([]float32, maxInt8NR), bias: make([]float32, maxInt8NR),
		f: make([]float32, int8Tile*maxInt8NR), q: make([]uint8, int8Tile*maxInt8NR)}
}

// grow returns s with n elements.
func grow[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

// load packs columns [j0, j0+n) of B unless they are packed.
func (w *int8Work) load(g *Int8Args, p int8Plan, j0, n int) {
	if g.PackedB != nil {
		return
	}
	size := roundUp(g.K, 4) * p.kern.nr
	panels := ceilDiv(n, p.kern.nr)
	w.panels, w.sums = grow(w.panels, panels*size), grow(w.sums, panels*p.kern.nr)
	src, at := g.B, j0
	if g.BlockB != nil {
		ld := roundUp(n, p.kern.nr)
		w.stage = grow(w.stage, g.K*ld)
		g.BlockB(w.stage, ld, 0, g.K, j0, n)
		src.Data, src.Row, src.Col, at = w.stage, ld, 1, 0
	}
	for i := range panels {
		j := i * p.kern.nr
		packInt8Panel(p.kern, w.panels[i*size:(i+1)*size], w.sums[j:j+p.kern.nr], &src, g.K, at+j, min(p.kern.nr, n-j), g.BlockB != nil)
	}
}

// multiply computes a block of the result.
func (w *int8Work) multiply(g *Int8Args, p int8Plan, rows *int8Rows, i0, m, j0, n int) {
	kern := p.kern
	groups := ceilDiv(g.K, 4)
	size := 4 * groups * kern.nr
	for j := 0; j < n; j += kern.nr {
		nc := min(kern.nr, n-j)
		vecs := ceilDiv(nc, kern.lanes)
		var b []uint8
		var sums []int32
		var extra []excess
		run := kern.run
		if g.PackedB != nil {
			b, sums = g.PackedB.panel(j0 + j)
			if i := (j0 + j) / kern.nr; kern.pairs != nil && g.PackedB.light[i] {
				run, extra = kern.pairs, g.PackedB.excess[i]
			}
		} else {
			b, sums = w.panels[j/kern.nr*size:][:size], w.sums[j:][:kern.nr]
		}
		for i := 0; i < m; i += int8Tile {
			mc := min(int8Tile, m-i)
			for r := 0; r < mc && groups > 0; r += kern.mr {
				run(w.acc[r*kern.nr:], rows.data[(i0+i+r)*rows.lda:], rows.lda, b, groups, min(kern.mr, mc-r), vecs)
			}
			if groups == 0 {
				clear(w.acc)
			}
			for r := 0; len(extra) > 0 && r < mc; r++ {
				addExcess(w.acc[r*kern.nr:][:kern.nr], rows.data[(i0+i+r)*rows.lda:], extra)
			}
			w.finish(g, kern.nr, rows, sums, i0+i, mc, j0+j, nc)
		}
	}
}

// addExcess adds to a row of sums what was taken out of the panel.
func addExcess(acc []int32, a []uint8, extra []excess) {
	for _, e := range extra {
		acc[e.j] += int32(a[e.k]) * int32(e.v)
	}
}

// finish takes the zero points into account and writes a tile of sums to the result.
func (w *int8Work) finish(g *Int8Args, nr int, rows *int8Rows, sums []int32, i0, m, j0, n int) {
	full := roundUp(n, 16)
	if rows.zero != nil {
		rank1(w.acc, nr, rows.zero[i0:i0+m], sums[:full])
	}
	if rows.rest != nil {
		for j := range n {
			w.zb[j] = g.zeroB(j0 + j)
		}
		rank1(w.acc, nr, rows.rest[i0:i0+m], w.zb[:full])
	}
	if g.F == nil && g.Q == nil {
		for i := range m {
			copy(g.C[(i0+i)*g.LDC+j0:][:n], w.acc[i*nr:])
		}
		return
	}
	spread(w.scale[:n], g.Scale, j0)
	if g.F == nil {
		w.requantize(g, nr, i0, m, j0, n)
		return
	}
	if g.Bias == nil {
		for j := range n {
			w.bias[j] = negZero
		}
	} else {
		copy(w.bias[:n], g.Bias[j0:])
	}
	dst, ldd := g.F[i0*g.LDC+j0:], g.LDC
	if n < full {
		dst, ldd = w.f, nr
	}
	dequantizeTile(dst, ldd, w.acc, nr, m, w.scale[:full], w.bias[:full])
	for i := range m {
		row := g.F[(i0+i)*g.LDC+j0:][:n]
		if n < full {
			copy(row, w.f[i*nr:])
		}
		if g.Act != nil {
			g.Act(row)
		}
	}
}

// negZero changes no number it is added to.
var negZero = float32(math.Copysign(0, -1))

// requantize writes a tile of sums as bytes.
func (w *int8Work) requantize(g *Int8Args, nr int, i0, m, j0, n int) {
	full := roundUp(n, 16)
	lo, hi := bounds8(g.QSigned, g.QZero)
	dst, ldd := g.Q[i0*g.LDC+j0:], g.LDC
	if n < full {
		dst, ldd = w.q, nr
	}
	requantizeTile(dst, ldd, w.acc, nr, m, w.scale[:full], g.QZero, lo, hi)
	for i := 0; n < full && i < m; i++ {
		copy(g.Q[(i0+i)*g.LDC+j0:][:n], w.q[i*nr:])
	}
}

// spread sets dst[j] to the factor of column j0+j.
func spread(dst, scale []float32, j0 int) {
	if len(scale) > 1 {
		copy(dst, scale[j0:])
		return
	}
	for j := range dst {
		dst[j] = scale[0]
	}
}
