// Package gemm multiplies matrices.
//
// A product is cut into tiles of C that are computed independently: for each block of k the tile packs its parts of A
// and B into panels that a register-tiled micro kernel walks through, so neither operand's strides matter to the inner
// loop, and B may even come from a function that makes the panels up as they are needed (an implicit im2col). The tiles
// never split k, whose blocks are summed in order: the result has the same bits for any number of threads. Zeros are
// not skipped; NaN and Inf come through as in the naive loop.
package gemm

import (
	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
	"github.com/sardonyx-ml/sardonyx/kernels/vec"
)

// Number is every element type that is multiplied. Integers wrap around.
type Number interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// Operand is a matrix over a slice: element (i, j) is Data[i*Row+j*Col]. A transposed matrix has its strides swapped,
// a broadcast vector has a stride of 0.
type Operand[T any] struct {
	Data     []T
	Row, Col int
}

// RowMajor is the operand whose rows of contiguous elements are ld apart; trans swaps its axes.
func RowMajor[T any](data []T, ld int, trans bool) Operand[T] {
	if trans {
		return Operand[T]{data, 1, ld}
	}
	return Operand[T]{data, ld, 1}
}

// T is the transposed operand.
func (o Operand[T]) T() Operand[T] { return Operand[T]{o.Data, o.Col, o.Row} }

// BlockFunc writes the block of a K×N matrix with rows [k0, k0+kc) and columns [j0, j0+nc) to dst, panel by panel: nr
// columns make a panel, and element (k0+p, j0+j) goes to dst[j/nr*kc*nr+p*nr+j%nr]. Columns that fill the last panel up
// are to be zeroed.
type BlockFunc[T any] func(dst []T, nr, k0, kc, j0, nc int)

// Args is one product C = act(Alpha·A·B + Beta·Bias), where C is (M, N), A is (M, K) and B is (K, N). C overlaps no
// other operand.
type Args[T Number] struct {
	M, N, K int
	C       []T // rows of N contiguous elements
	LDC     int // distance of C's rows
	A, B    Operand[T]
	// PackedA and PackedB replace A and B when they were packed in advance.
	PackedA, PackedB *Packed[T]
	// BlockB, if set, makes up the blocks of B. It is called concurrently.
	BlockB BlockFunc[T]

	Acc   bool        // add to what C holds; Alpha must be unset then
	Alpha T           // 0 stands for 1
	Bias  Operand[T]  // added if it has data; (M, N) by its strides
	Beta  T           // scales Bias; 0 stands for 1
	Act   func(x []T) // applied in place to each piece of a finished row

	swapped bool // computed as the transposed product
}

const (
	blockK = 256 // rows of a block of B
	tileM  = 192 // largest tile of C that is computed at once
	tileN  = 256
	wideN  = 1536 // largest number of columns of a tile where B is packed already
	// grainFlops is the least work of a chunk handed to a thread.
	grainFlops = 1 << 16
)

// Mul computes one product.
func Mul[T Number](pool *parallel.Pool, g *Args[T]) {
	Batch(pool, 1, g, nil)
}

// Batch computes n products of the same sizes. For product i, at sets the slices of a copy of g; at may be nil if n is
// 1. It is called concurrently, more than once for an i. Which of PackedA, PackedB and BlockB are nil it must not change.
func Batch[T Number](pool *parallel.Pool, n int, g *Args[T], at func(i int, g *Args[T])) {
	if n <= 0 || g.M <= 0 || g.N <= 0 {
		return
	}
	g = g.normal()
	tm, tn := g.tiles(n, pool.Threads())
	rows, cols := ceilDiv(g.M, tm), ceilDiv(g.N, tn)
	grain := max(1, grainFlops/max(1, tm*tn*max(g.K, 1)))
	pool.For(n*rows*cols, grain, func(lo, hi int) {
		w := getWork[T]()
		defer putWork(w)
		one := *g
		for t := lo; t < hi; t++ {
			if at != nil && (t == lo || t%(rows*cols) == 0) {
				one = *g
				g.set(t/(rows*cols), &one, at)
			}
			// Tiles below each other come one after the other: they share the columns of B.
			r, c := t%(rows*cols)%rows, t%(rows*cols)/rows
			i, j := r*tm, c*tn
			one.tile(w, i, min(tm, g.M-i), j, min(tn, g.N-j))
		}
	})
}

// normal sets the defaults and turns a product with one column into one with one row, for which there is a path
// without packing.
func (g *Args[T]) normal() *Args[T] {
	n := *g
	if n.Alpha == 0 {
		n.Alpha = 1
	}
	if n.Beta == 0 {
		n.Beta = 1
	}
	if n.N == 1 && n.M > 1 && n.LDC == 1 && n.plain() {
		n.M, n.N, n.A, n.B, n.Bias, n.LDC = 1, n.M, n.B.T(), n.A.T(), n.Bias.T(), n.M
		n.swapped = true
	}
	return &n
}

// set lets at set product i's slices.
func (g *Args[T]) set(i int, one *Args[T], at func(int, *Args[T])) {
	if g.swapped {
		one.A, one.B, one.Bias = g.B.T(), g.A.T(), g.Bias.T()
	}
	at(i, one)
	if g.swapped {
		one.A, one.B, one.Bias = one.B.T(), one.A.T(), one.Bias.T()
	}
}

// tiles chooses the size of a tile such that there is work for every thread.
func (g *Args[T]) tiles(batch, threads int) (tm, tn int) {
	kern := kernelOf[T]()
	wide, chunks := tileN, 4*threads
	if g.PackedB != nil { // B needs no packing, A is packed again for every tile beside it
		wide, chunks = wideN, 2*threads
	}
	tm, tn = min(g.M, tileM/kern.mr*kern.mr), min(g.N, wide/kern.nr*kern.nr)
	if g.direct() {
		tn = g.N
	}
	if g.PackedB != nil {
		tn = min(g.N, tileM/max(tm, 1)*tn) // few rows are packed once for many columns
	}
	if threads == 1 {
		return tm, tn
	}
	for batch*ceilDiv(g.M, tm)*ceilDiv(g.N, tn) < chunks && tm*tn*g.K > 4*grainFlops {
		switch {
		case tn > 4*kern.nr && (tn >= tm || tm <= 4*kern.mr):
			tn = roundUp(ceilDiv(tn, 2), kern.nr)
		case tm > 4*kern.mr:
			tm = roundUp(ceilDiv(tm, 2), kern.mr)
		default:
			return tm, tn
		}
	}
	if g.direct() {
		return tm, tn
	}
	// As many tiles, but of even sizes: a small last one would leave a thread without work.
	return even(g.M, tm, kern.mr), even(g.N, tn, kern.nr)
}

// even is the smallest multiple of unit such that no more pieces of that size than of the given one cover n.
func even(n, size, unit int) int { return roundUp(ceilDiv(n, ceilDiv(n, size)), unit) }

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func roundUp(a, b int) int { return ceilDiv(a, b) * b }

// skinny is the largest number of rows for which packing B does not pay.
func skinny[T Number]() int { return kernelOf[T]().few }

// direct reports whether the product is computed from B as it lies in memory.
func (g *Args[T]) direct() bool {
	return g.M <= skinny[T]() && g.plain() && (g.B.Col == 1 || g.B.Row == 1)
}

// plain reports whether both operands are matrices in memory.
func (g *Args[T]) plain() bool {
	return g.PackedA == nil && g.PackedB == nil && g.BlockB == nil
}

// tile computes m rows from i0 and n columns from j0 of C.
func (g *Args[T]) tile(w *work[T], i0, m, j0, n int) {
	switch {
	case g.K == 0:
		g.clear(i0, m, j0, n)
	case g.direct():
		g.tileDirect(w, i0, m, j0, n)
	case g.M <= skinny[T]() && g.PackedB != nil && g.PackedA == nil && g.A.Col == 1:
		g.tileRows(w, i0, m, j0, n)
	default:
		g.tilePacked(w, i0, m, j0, n)
	}
	g.finish(w, i0, m, j0, n)
}

// clear computes a tile of a product of no rows and columns.
func (g *Args[T]) clear(i0, m, j0, n int) {
	for i := i0; i < i0+m && !g.Acc; i++ {
		clear(g.C[i*g.LDC+j0:][:n])
	}
}

// tilePacked multiplies by panels.
func (g *Args[T]) tilePacked(w *work[T], i0, m, j0, n int) {
	kern := kernelOf[T]()
	for k0 := 0; k0 < g.K; k0 += kern.kc {
		kc := min(kern.kc, g.K-k0)
		add := g.Acc || k0 > 0
		for j := 0; j < n; j += kern.nr {
			nr, ahead := min(kern.nr, n-j), 0
			var b []T
			switch {
			case g.PackedB != nil:
				b = g.PackedB.block(j0+j, k0, kc)
				ahead = g.PackedB.ahead(j0, j, n, k0, kc)
			default:
				if j == 0 {
					g.packB(w, kern.nr, k0, kc, j0, n)
				}
				b = w.b[j*kc:][:kc*kern.nr]
			}
			for i := 0; i < m; i += kern.mr {
				mr := min(kern.mr, m-i)
				var a []T
				switch {
				case g.PackedA != nil:
					a = g.PackedA.block(i0+i, k0, kc)
				default:
					if i == 0 && j == 0 {
						g.packA(w, kern.mr, k0, kc, i0, m)
					}
					a = w.a[i*kc:][:kc*kern.mr]
				}
				kern.run(g.C[(i0+i)*g.LDC+j0+j:], g.LDC, a, b, kc, mr, nr, ahead, add, w.c[:])
			}
		}
	}
}

func addRow[T Number](c, x []T, add bool) {
	if !add {
		copy(c, x)
		return
	}
	for i, v := range x {
		c[i] += v
	}
}

func (g *Args[T]) packB(w *work[T], nr, k0, kc, j0, n int) {
	if g.BlockB != nil {
		g.BlockB(w.b[:roundUp(n, nr)*kc], nr, k0, kc, j0, n)
		return
	}
	packPanels(w.b, g.B, nr, k0, kc, j0, n)
}

func (g *Args[T]) packA(w *work[T], mr, k0, kc, i0, m int) {
	packPanels(w.a, g.A.T(), mr, k0, kc, i0, m)
}

// finish scales, adds the bias and applies the activation.
func (g *Args[T]) finish(w *work[T], i0, m, j0, n int) {
	if g.Alpha == 1 && len(g.Bias.Data) == 0 && g.Act == nil {
		return
	}
	for i := i0; i < i0+m; i++ {
		row := g.C[i*g.LDC+j0:][:n]
		if g.Alpha != 1 {
			vec.MulScalar(row, row, g.Alpha)
		}
		g.addBias(row, i, j0)
		if g.Act != nil {
			g.Act(row)
		}
	}
}

func (g *Args[T]) addBias(row []T, i, j0 int) {
	b := g.Bias
	if len(b.Data) == 0 {
		return
	}
	switch b.Col {
	case 0:
		vec.AddScalar(row, row, g.Beta*b.Data[i*b.Row])
	case 1:
		x := b.Data[i*b.Row+j0:][:len(row)]
		if g.Beta == 1 {
			vec.Add(row, row, x)
			return
		}
		for j, v := range x {
			row[j] += g.Beta * v
		}
	default:
		for j := range row {
			row[j] += g.Beta * b.Data[i*b.Row+(j0+j)*b.Col]
		}
	}
}
