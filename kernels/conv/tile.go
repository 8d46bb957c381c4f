package conv

// tile is one call of a micro kernel: C (+)= A·B for mr rows and up to nr columns.
type tile struct {
	c    []float32 // rows ldc apart
	a    []float32 // kc groups of mr elements, one per row
	b    []float32 // kc rows, ldb apart
	res  []float32 // added at the end, if it has data; rows ldc apart
	bias []float32 // mr elements, likewise

	ldc, ldb, kc int
	n            int     // columns, for tail
	lo, hi       float32 // bounds of the finished elements
	add          bool    // to what C holds
	last         bool    // finish: add bias and residual, bound
}

// tileKernel is a family of micro kernels.
type tileKernel struct {
	name   string
	mr     int             // rows
	lanes  int             // columns of a vector
	full   []func(t *tile) // by vectors-1
	tail   func(t *tile)   // t.n < lanes columns
	column func(t *tile)   // sets c[:mr] to one column
	single int             // up to this number of columns, column beats tail
}

// nr is the largest number of columns of a tile.
func (k *tileKernel) nr() int { return k.lanes * len(k.full) }

var tileGo = &tileKernel{name: "go", mr: 4, lanes: 4, full: []func(*tile){func(t *tile) { tile4(t, 4) }}, tail: func(t *tile) { tile4(t, t.n) }, column: columnGo}

// tile4 is the portable micro kernel.
func tile4(t *tile, n int) {
	for i := range 4 {
		var sum [4]float32
		a, b := t.a[i:], t.b
		for p := range t.kc {
			v := a[p*4]
			for j, w := range b[p*t.ldb:][:n] {
				sum[j&3] += v * w
			}
		}
		c := t.c[i*t.ldc:][:n]
		for j := range c {
			v := sum[j&3]
			if t.add {
				v += c[j]
			}
			if t.last {
				if v += t.bias[i]; t.res != nil {
					v += t.res[i*t.ldc+j]
				}
				v = bounded(v, t.lo, t.hi)
			}
			c[j] = v
		}
	}
}

// bounded limits v to [lo, hi] and leaves NaN as it is.
func bounded(v, lo, hi float32) float32 {
	if v < lo {
		v = lo
	}
	if v > hi {
		v = hi
	}
	return v
}

func columnGo(t *tile) {
	var sum [4]float32
	for p := range t.kc {
		v := t.b[p*t.ldb]
		for i, w := range t.a[p*4:][:4] {
			sum[i] += v * w
		}
	}
	copy(t.c, sum[:])
}

// packRows packs the m×k matrix a, row-major, into panels of mr rows; missing rows are zero.
func packRows(dst, a []float32, m, k, mr int) {
	for i := 0; i < m; i += mr {
		panel := dst[i*k:][:k*mr]
		for r := range min(mr, m-i) {
			for p, v := range a[(i+r)*k:][:k] {
				panel[p*mr+r] = v
			}
		}
	}
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func roundUp(a, b int) int { return ceilDiv(a, b) * b }

// product is a matrix product whose left operand is packed.
type product struct {
	m, k   int
	a      []float32 // panels of mr rows, k long
	c      []float32 // rows ldc apart; room for all of the last panel's rows if padded
	ldc    int
	padded bool
	finish
	bias []float32 // one per row, or nil
	res  []float32 // like C, or nil
}

// finish bounds the elements of a product.
type finish struct{ lo, hi float32 }

// worker is the memory that one goroutine needs for products.
type worker struct {
	t    tile
	tmp  [16 * 64]float32
	bias [16]float32
}

// block adds rows [k0, k0+kc) of the product for rows [i0, i0+m) and columns [j0, j0+n) of C. b holds these rows and columns of
// the right operand, ldb apart. i0 is a multiple of mr and j0 of nr.
func (p *product) block(kern *tileKernel, w *worker, b []float32, ldb, i0, m, j0, n, k0, kc int) {
	t := &w.t
	*t = tile{ldc: p.ldc, ldb: ldb, kc: kc, lo: p.lo, hi: p.hi, add: k0 > 0, last: k0+kc == p.k}
	nr := kern.nr()
	for j := 0; j < n; j += nr {
		for i := i0; i < i0+m; i += kern.mr {
			t.a = p.a[i*p.k+k0*kern.mr:][:kc*kern.mr]
			t.bias = w.biasOf(p.bias, i, kern.mr)
			p.tiles(kern, w, b, i, j0, j, min(nr, n-j))
		}
	}
}

// biasOf returns mr elements from row i on.
func (w *worker) biasOf(bias []float32, i, mr int) []float32 {
	if i+mr <= len(bias) {
		return bias[i : i+mr]
	}
	clear(w.bias[:mr])
	copy(w.bias[:], bias[min(i, len(bias)):])
	return w.bias[:mr]
}

// tiles computes mr rows from i on and n ≤ nr columns from j of the block at j0 on.
func (p *product) tiles(kern *tileKernel, w *worker, b []float32, i, j0, j, n int) {
	t := &w.t
	rows := kern.mr
	if !p.padded {
		rows = min(rows, p.m-i)
	}
	for n > 0 {
		width := min(n, kern.lanes)
		if n > kern.lanes {
			width = n / kern.lanes * kern.lanes
		}
		at := i*p.ldc + j0 + j
		t.b = b[j:]
		_ = t.b[(t.kc-1)*t.ldb+width-1]
		t.n = width
		switch {
		case width < kern.lanes && width <= kern.single:
			for q := range width {
				t.b = b[j+q:]
				t.c = w.tmp[q*kern.mr:]
				kern.column(t)
			}
			p.scatter(t, at, rows, width, w.tmp[:], 1, kern.mr)
		case rows < kern.mr:
			add, last, ldc := t.add, t.last, t.ldc
			t.c, t.ldc, t.add, t.last = w.tmp[:], 64, false, false
			kern.run(t, width)
			t.add, t.last, t.ldc = add, last, ldc
			p.scatter(t, at, rows, width, w.tmp[:], 64, 1)
		default:
			last := at + (rows-1)*p.ldc + width
			t.c, t.res = p.c[at:last], nil
			if t.last && p.res != nil {
				t.res = p.res[at:last]
			}
			kern.run(t, width)
		}
		j += width
		n -= width
	}
}

// run computes a tile of whole vectors or of less than one.
func (k *tileKernel) run(t *tile, width int) {
	if width < k.lanes {
		k.tail(t)
		return
	}
	k.full[width/k.lanes-1](t)
}

// scatter does what a micro kernel does with its sums, for those in src.
func (p *product) scatter(t *tile, at, rows, cols int, src []float32, row, col int) {
	for i := range rows {
		c := p.c[at+i*p.ldc:][:cols]
		for j := range c {
			v := src[i*row+j*col]
			if t.add {
				v += c[j]
			}
			if t.last {
				if v += t.bias[i]; p.res != nil {
					v += p.res[at+i*p.ldc+j]
				}
				v = bounded(v, t.lo, t.hi)
			}
			c[j] = v
		}
	}
}
