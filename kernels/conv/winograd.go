package conv

import "github.com/sardonyx-ml/sardonyx/kernels/parallel"

// Winograd's F(4×4, 3×3) computes a tile of 4×4 outputs of a 3×3 convolution with stride 1 as
//
//	Aᵀ·[(G·w·Gᵀ) ⊙ (Bᵀ·d·B)]·A
//
// from the 6×6 inputs d that it needs: 36 products instead of 144. Summed over the channels, each of the 36 positions is a
// matrix product of transformed weights and transformed tiles. The interpolation points are 0, ±1, ±2 and ∞:
//
//	     4  0 -5  0  1  0          1/4    0    0
//	     0 -4 -4  1  1  0         -1/6 -1/6 -1/6          1  1  1  1  1  0
//	Bᵀ = 0  4 -4 -1  1  0     G = -1/6  1/6 -1/6     Aᵀ = 0  1 -1  2 -2  0
//	     0 -2 -1  2  1  0         1/24 1/12  1/6          0  1  1  4  4  0
//	     0  2 -1 -2  1  0         1/24 -1/12 1/6          0  1 -1  8 -8  1
//	     0  4  0 -5  0  1            0    0    1
//
// Error: the weights are transformed in double precision and rounded once. By the norms of the matrices (row sums of |Bᵀ| are
// at most 10, of |Aᵀ| at most 19 and of |G| at most 1) a rounding error could grow a few thousand times, but errors are
// independent and the large factors of A meet the small ones of G: for random data the error's root mean square is about 10
// times that of the direct sum, some 2⁻²⁰ of the sum of |w·x| (TestWinogradAccuracy holds it against double precision), well
// inside the 10⁻³ that the standard's cases allow. Infinities and NaN spread over a tile, not just a window.
const winogradTile = 4

// tileable reports whether images of some size are computed by tiles: the transforms need enough channels to be a small part of
// the work.
func (g *Geometry) tileable() bool {
	if g.Groups != 1 || len(g.Kernel) != 2 || g.InC < 16 || g.OutC < 16 {
		return false
	}
	for i := range 2 {
		if g.Kernel[i] != 3 || g.Stride[i] != 1 || g.Dilate[i] != 1 {
			return false
		}
	}
	return true
}

// winograd reports whether tiles pay for this image: there must be enough of them for the products to be matrices, and most of
// what they hold must be wanted.
func (g *Geometry) winograd() bool {
	if !g.tileable() {
		return false
	}
	tiles := g.Batch * ceilDiv(g.Out[0], winogradTile) * ceilDiv(g.Out[1], winogradTile)
	return tiles >= 12 && g.Batch*g.Out[0]*g.Out[1] >= tiles*8
}

// transformedOf returns the 36 matrices of transformed weights in panels.
func (f *Filter) transformedOf(pool *parallel.Pool, g *Geometry, kern *tileKernel) []float32 {
	f.transformed.once.Do(func() {
		m, k := g.OutC, g.InC
		size := roundUp(m, kern.mr) * k
		f.transformed.data = make([]float32, 36*size)
		pool.For(ceilDiv(m, kern.mr), 1, func(lo, hi int) {
			for panel := lo; panel < hi; panel++ {
				i0 := panel * kern.mr
				for c := range k {
					for i := i0; i < min(i0+kern.mr, m); i++ {
						for p, v := range transformWeights(f.w[(i*k+c)*9:][:9]) {
							f.transformed.data[p*size+i0*k+c*kern.mr+i-i0] = v
						}
					}
				}
			}
		})
	})
	return f.transformed.data
}

// transformWeights is G·w·Gᵀ.
func transformWeights(w []float32) (u [36]float32) {
	var rows [6][3]float64
	for j := range 3 {
		for i, v := range weightColumn(float64(w[j]), float64(w[3+j]), float64(w[6+j])) {
			rows[i][j] = v
		}
	}
	for i, r := range rows {
		for j, v := range weightColumn(r[0], r[1], r[2]) {
			u[6*i+j] = float32(v)
		}
	}
	return u
}

// weightColumn is G·(a, b, c).
func weightColumn(a, b, c float64) [6]float64 {
	return [6]float64{a / 4, -(a + b + c) / 6, -(a - b + c) / 6, a/24 + b/12 + c/6, a/24 - b/12 + c/6, c}
}

// tiling is a convolution by tiles. A tile's row is a row of tiles of one image; rows of all images are counted through.
type tiling struct {
	g       *Geometry
	kern    *tileKernel
	y, x    []float32
	e       *Finish
	weights []float32
	m, k    int // padded output channels, input channels
	perRow  int // tiles in a row
	quads   int // of four tiles, likewise
	perImg  int // rows of an image
	rows    int // of tiles that are computed at once
	ldb     int // distance of the rows of matrices
	vPos    int // distance of the 36 matrices of inputs, and
	mPos    int // of outputs: odd multiples of a cache line, lest they share sets of the cache
}

const winogradBytes = 1 << 20 // of transformed tiles that are at work in one goroutine

func (f *Filter) runWinograd(pool *parallel.Pool, g *Geometry, kern *tileKernel, y, x []float32, e *Finish) {
	t := &tiling{g: g, kern: kern, y: y, x: x, e: e, weights: f.transformedOf(pool, g, kern), m: roundUp(g.OutC, kern.mr), k: g.InC,
		perRow: ceilDiv(g.Out[1], winogradTile), perImg: ceilDiv(g.Out[0], winogradTile)}
	t.quads = ceilDiv(t.perRow, 4)
	total := g.Batch * t.perImg
	tiles := min(max(winogradBytes/(36*4*(t.k+t.m)), kern.nr()), 4*kern.nr())
	t.rows = max(1, tiles/t.perRow)
	blocks := ceilDiv(total, t.rows)
	inner, outer := serial, pool
	if blocks < 8*pool.Threads() {
		// A small image is computed step by step, each on all threads.
		t.rows = min(total, max(t.rows, 4*tiles/t.perRow))
		blocks = ceilDiv(total, t.rows)
		inner, outer = pool, serial
	}
	t.ldb = roundUp(t.rows*t.perRow+4, 16) | 16
	t.vPos, t.mPos = (t.k*t.ldb)|16, (t.m*t.ldb)|16
	outer.For(blocks, 1, func(lo, hi int) {
		buf := getBuffer(36 * (t.vPos + t.mPos))
		defer buffers.Put(buf)
		v := (*buf)[:36*t.vPos]
		m := (*buf)[36*t.vPos:]
		for b := lo; b < hi; b++ {
			r0 := b * t.rows
			t.block(inner, v, m, r0, min(t.rows, total-r0))
		}
	})
}

// block computes the tiles of some rows; v and m have room for the transformed input and output, (36, channels, ldb).
func (t *tiling) block(pool *parallel.Pool, v, m []float32, r0, rows int) {
	tiles := rows * t.perRow
	pool.For(t.k, max(1, (1<<11)/tiles), func(lo, hi int) {
		w := getWorker()
		defer workers.Put(w)
		for c := lo; c < hi; c++ {
			t.input(w, v[c*t.ldb:], c, r0, rows)
		}
	})
	pool.For(36, max(1, taskFlops/(2*t.k*t.m*tiles)), func(lo, hi int) {
		w := getWorker()
		defer workers.Put(w)
		for pos := lo; pos < hi; pos++ {
			t.multiply(w, pos, v[pos*t.vPos:], m[pos*t.mPos:][:t.m*t.ldb], tiles)
		}
	})
	pool.For(t.g.OutC, max(1, (1<<11)/tiles), func(lo, hi int) {
		w := getWorker()
		defer workers.Put(w)
		for c := lo; c < hi; c++ {
			t.output(w, m[c*t.ldb:], c, r0, rows)
		}
	})
}

// multiply computes one position of all tiles.
func (t *tiling) multiply(w *workspace, pos int, v, m []float32, tiles int) {
	none := Finish{}
	p := product{m: t.m, k: t.k, a: t.weights[pos*t.m*t.k:][:t.m*t.k], c: m, ldc: t.ldb, padded: true, finish: none.bounds()}
	kc := roundUp(ceilDiv(t.k, ceilDiv(t.k, blockRows)), 2)
	mb := max(t.kern.mr, panelBytes/4/kc/t.kern.mr*t.kern.mr)
	for k0 := 0; k0 < t.k; k0 += kc {
		for i := 0; i < t.m; i += mb {
			p.block(t.kern, &w.worker, v[k0*t.ldb:], t.ldb, i, min(mb, t.m-i), 0, tiles, k0, min(kc, t.k-k0))
		}
	}
}

// runs calls f for the parts of rows [r0, r0+rows) that lie in one image: its number, its first row and the number of rows.
func (t *tiling) runs(r0, rows int, f func(image, first, n, at int)) {
	for at := 0; at < rows; {
		image, first := (r0+at)/t.perImg, (r0+at)%t.perImg
		n := min(rows-at, t.perImg-first)
		f(image, first, n, at)
		at += n
	}
}

// pairs calls f for every two quads of n rows: a quad's first tile and its row and number therein. The later quad's results
// replace what the earlier one wrote beyond its row.
func (t *tiling) pairs(n int, f func(r0, q0, r1, q1 int)) {
	for i := 0; i < n*t.quads; i += 2 {
		j := min(i+1, n*t.quads-1)
		f(i/t.quads, i%t.quads, j/t.quads, j%t.quads)
	}
}

// input transforms the tiles of one channel.
func (t *tiling) input(w *workspace, v []float32, c, r0, rows int) {
	h, width := t.g.In[0], t.g.In[1]
	ld := 16*t.quads + 4
	left := t.g.Pad[1]
	t.runs(r0, rows, func(image, first, n, at int) {
		x := t.x[(image*t.k+c)*h*width:][:h*width]
		plane := w.buffer((winogradTile*n + 2) * ld)
		for i := range winogradTile*n + 2 {
			row := plane[i*ld:][:ld]
			line := first*winogradTile + i - t.g.Pad[0]
			if uint(line) >= uint(h) {
				clear(row)
				continue
			}
			windowRow(row, x[line*width:][:width], -left)
		}
		t.pairs(n, func(ra, qa, rb, qb int) {
			winogradInput(v, (at+ra)*t.perRow+4*qa, (at+rb)*t.perRow+4*qb, t.vPos, plane, winogradTile*ra*ld+16*qa, winogradTile*rb*ld+16*qb, ld, &w.tmp)
		})
	})
}

// output transforms the tiles of one channel back.
func (t *tiling) output(w *workspace, m []float32, c, r0, rows int) {
	h, width := t.g.Out[0], t.g.Out[1]
	ld := 16 * t.quads
	t.runs(r0, rows, func(image, first, n, at int) {
		plane := w.buffer(winogradTile * n * ld)
		t.pairs(n, func(ra, qa, rb, qb int) {
			winogradOutput(plane, winogradTile*ra*ld+16*qa, winogradTile*rb*ld+16*qb, ld, m, (at+ra)*t.perRow+4*qa, (at+rb)*t.perRow+4*qb, t.mPos, &w.tmp)
		})
		for i := range min(winogradTile*n, h-first*winogradTile) {
			from := ((image*t.g.OutC+c)*h + first*winogradTile + i) * width
			finishPiece(t.y[from:from+width], plane[i*ld:], t.e, from, c)
		}
	})
}

// winogradInputGo sets v[p·stride+n…+3], for the 36 elements p of a transformed tile, to the four tiles that start at x0 in x,
// whose rows are ldx apart, 4 elements after each other; then likewise for n1 and x1.
func winogradInputGo(v []float32, n0, n1, stride int, x []float32, x0, x1, ldx int) {
	for half := range 2 {
		if half == 1 {
			n0, x0 = n1, x1
		}
		for q := range 4 {
			var rows, cols [6][6]float32
			for i := range 6 {
				rows[i] = inputColumn([6]float32(x[x0+i*ldx+4*q:]))
			}
			for j := range 6 {
				cols[j] = inputColumn([6]float32{rows[0][j], rows[1][j], rows[2][j], rows[3][j], rows[4][j], rows[5][j]})
			}
			for i := range 6 {
				for j := range 6 {
					v[n0+q+(6*i+j)*stride] = cols[j][i]
				}
			}
		}
	}
}

// inputColumn is Bᵀ·d.
func inputColumn(d [6]float32) [6]float32 {
	a, b := d[4]-4*d[2], d[3]-4*d[1]
	c, e := d[4]-d[2], 2*(d[3]-d[1])
	return [6]float32{d[4] - 5*d[2] + 4*d[0], a + b, a - b, c + e, c - e, d[5] - 5*d[3] + 4*d[1]}
}

// winogradOutputGo sets four rows of 16 elements at y0 in y, ldy apart, to the tiles n0…n0+3 of m, whose elements are stride
// apart; then likewise for y1 and n1.
func winogradOutputGo(y []float32, y0, y1, ldy int, m []float32, n0, n1, stride int) {
	for half := range 2 {
		if half == 1 {
			y0, n0 = y1, n1
		}
		for q := range 4 {
			var rows [6][4]float32
			for j := range 6 {
				var d [6]float32
				for i := range 6 {
					d[i] = m[n0+q+(6*i+j)*stride]
				}
				rows[j] = outputColumn(d)
			}
			for i := range 4 {
				r := outputColumn([6]float32{rows[0][i], rows[1][i], rows[2][i], rows[3][i], rows[4][i], rows[5][i]})
				copy(y[y0+i*ldy+4*q:], r[:])
			}
		}
	}
}

// outputColumn is Aᵀ·m.
func outputColumn(m [6]float32) [4]float32 {
	s1, d1, s2, d2 := m[1]+m[2], m[1]-m[2], m[3]+m[4], m[3]-m[4]
	return [4]float32{m[0] + s1 + s2, d1 + 2*d2, s1 + 4*s2, d1 + m[5] + 8*d2}
}
