package gemm

import (
	"encoding/binary"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// zeroB is the zero point of column j of B as it is packed, with an offset if B is unsigned.
func (g *Int8Args) zeroB(j int) int32 {
	if g.B.Signed {
		return g.B.zero(j)
	}
	return g.B.zero(j) - 128
}

// zeroA is the zero point of row i of A as it is packed, with an offset if A is signed.
func (g *Int8Args) zeroA(i int) int32 {
	if g.A.Signed {
		return g.A.zero(i) + 128
	}
	return g.A.zero(i)
}

// Int8Rows is an A of 8-bit integers in the kernels' layout: unsigned rows, padded to groups of four, and their sums. It is
// immutable and may be used by many products at once.
type Int8Rows struct {
	data []uint8
	lda  int
	sums []int32
}

// PackInt8Rows packs the m×k matrix a, whose zero points are not part of it.
func PackInt8Rows(a Int8Operand, m, k int) *Int8Rows {
	p := &Int8Rows{lda: paddedRow(k)}
	p.data, p.sums = make([]uint8, m*p.lda), make([]int32, m)
	for i := range m {
		packInt8Row(p.data[i*p.lda:(i+1)*p.lda], &a, i, k)
		p.sums[i] = int32(sumBytes(p.data[i*p.lda:][:k]))
	}
	return p
}

// paddedRow is the distance of packed rows: whole groups, and no multiple of what makes rows fall into the same sets of a
// cache.
func paddedRow(k int) int {
	n := roundUp(k, 4)
	if n%1024 == 0 {
		n += 64
	}
	return n
}

// packInt8Row copies row i of a.
func packInt8Row(dst []uint8, a *Int8Operand, i, k int) {
	clear(dst[k:])
	if k == 0 {
		return
	}
	src := a.Data[i*a.Row:]
	dst = dst[:k]
	if a.Col != 1 {
		flip := uint8(0)
		if a.Signed {
			flip = 0x80
		}
		for p := range dst {
			dst[p] = src[p*a.Col] ^ flip
		}
		return
	}
	src = src[:k]
	if !a.Signed {
		copy(dst, src)
		return
	}
	p := 0
	for ; p+8 <= k; p += 8 {
		binary.LittleEndian.PutUint64(dst[p:], binary.LittleEndian.Uint64(src[p:])^0x8080808080808080)
	}
	for ; p < k; p++ {
		dst[p] = src[p] ^ 0x80
	}
}

// int8Rows is the A of one product.
type int8Rows struct {
	data []uint8
	lda  int
	zero []int32 // of each row; nil if all are 0
	rest []int32 // Σa - K·zero of each row; nil if B's zero points are all 0

	buf     []uint8 // what data, zero and rest are kept in
	zeroBuf []int32
	restBuf []int32
}

// set prepares the A of a product. pool may be nil.
func (r *int8Rows) set(g *Int8Args, pool *parallel.Pool) {
	var sums []int32
	a := &g.A
	switch {
	case g.PackedA != nil:
		r.data, r.lda, sums = g.PackedA.data, g.PackedA.lda, g.PackedA.sums
	case !a.Signed && a.Col == 1 && g.K%4 == 0 && (g.M == 1 || a.Row%1024 != 0 && a.Row >= g.K):
		r.data, r.lda = a.Data, a.Row
	default:
		r.lda = paddedRow(g.K)
		r.buf = grow(r.buf, g.M*r.lda)
		r.data = r.buf
		pack := func(lo, hi int) {
			for i := lo; i < hi; i++ {
				packInt8Row(r.buf[i*r.lda:(i+1)*r.lda], a, i, g.K)
			}
		}
		if pool != nil {
			pool.For(g.M, max(1, (1<<17)/r.lda), pack)
		} else {
			pack(0, g.M)
		}
	}
	r.zero, r.rest = nil, nil
	for i := range max(1, len(a.Zero)) {
		if g.zeroA(i) != 0 {
			r.zeroBuf = grow(r.zeroBuf, g.M)
			r.zero = r.zeroBuf
		}
	}
	for i := range r.zero {
		r.zero[i] = g.zeroA(i)
	}
	for j := range max(1, len(g.B.Zero)) {
		if g.zeroB(j) != 0 {
			r.restBuf = grow(r.restBuf, g.M)
			r.rest = r.restBuf
			break
		}
	}
	for i := range r.rest {
		sum := int32(0)
		if sums != nil {
			sum = sums[i]
		} else if g.K > 0 {
			sum = int32(sumBytes(r.data[i*r.lda:][:g.K]))
		}
		r.rest[i] = sum - int32(g.K)*g.zeroA(i)
	}
}

// Int8Panels is a B of 8-bit integers in the kernels' layout, with the sums of its columns. It is immutable and may be used
// by many products at once.
type Int8Panels struct {
	kern *int8Kernel
	k    int
	data []uint8
	sums []int32
	// light holds for each panel whether it fits the kernel for pairs after its excess was taken out.
	light  []bool
	excess [][]excess
}

// excess is what was taken out of an element of a panel: row k, column j.
type excess struct {
	k    int32
	j, v int16
}

// lighten makes a panel fit the kernel for pairs by reducing the few elements that are too large, and returns what it took
// away. If there are many of them, it leaves the panel as it is.
func lighten(kern *int8Kernel, panel []uint8) (out []excess, ok bool) {
	const most = 1.0 / 256
	limit := int(most * float64(len(panel)))
	for i := 0; i < len(panel); i += 2 {
		x, y := int(int8(panel[i])), int(int8(panel[i+1]))
		room := 128 - max(y, -y)
		if x <= room && -x <= room {
			continue
		}
		keep := min(max(x, -room), room)
		out = append(out, excess{int32(i/(4*kern.nr)*4 + i%4), int16(i / 4 % kern.nr), int16(x - keep)})
		if len(out) > limit {
			return nil, false
		}
	}
	for _, e := range out {
		panel[int(e.k)/4*4*kern.nr+4*int(e.j)+int(e.k)%4] -= uint8(e.v)
	}
	return out, true
}

// PackInt8 packs the k×n matrix b, whose zero points are not part of it.
func PackInt8(b Int8Operand, k, n int) *Int8Panels {
	kern := pickInt8()
	size, panels := roundUp(k, 4)*kern.nr, ceilDiv(n, kern.nr)
	p := &Int8Panels{kern: kern, k: k, data: make([]uint8, panels*size), sums: make([]int32, panels*kern.nr)}
	for i := range panels {
		j := i * kern.nr
		panel := p.data[i*size : (i+1)*size]
		packInt8Panel(kern, panel, p.sums[j:j+kern.nr], &b, k, j, min(kern.nr, n-j), false)
		if kern.pairs != nil {
			out, ok := lighten(kern, panel)
			p.excess, p.light = append(p.excess, out), append(p.light, ok)
		}
	}
	return p
}

// panel returns the panel that begins with column j and the sums of its columns.
func (p *Int8Panels) panel(j int) ([]uint8, []int32) {
	size := roundUp(p.k, 4) * p.kern.nr
	return p.data[j/p.kern.nr*size:][:size], p.sums[j : j+p.kern.nr]
}

// packInt8Panel packs w columns of b from column j on, of k rows, and sums them. If padded, rows of b are readable up to the
// panel's width.
func packInt8Panel(kern *int8Kernel, dst []uint8, sums []int32, b *Int8Operand, k, j, w int, padded bool) {
	if k == 0 {
		clear(sums)
		return
	}
	flip := uint8(0x80)
	if b.Signed {
		flip = 0
	}
	src := b.Data[j*b.Col:]
	switch {
	case b.Col == 1 && (w == kern.nr || padded):
		whole := k / 4
		interleave(dst, kern.nr, src, b.Row, whole, flip)
		packGroups(dst, kern.nr, src, b.Row, 1, w, 4*whole, k, flip)
	case b.Row == 1:
		packInt8Columns(dst, kern.nr, src, b.Col, w, k, flip)
	default:
		packGroups(dst, kern.nr, src, b.Row, b.Col, w, 0, k, flip)
	}
	var ones [4 * 1024]uint8
	for i := range ones[:min(len(ones), roundUp(k, 4))] {
		ones[i] = 1
	}
	clear(sums)
	var part [maxInt8NR]int32
	for g := 0; g < k; g += len(ones) {
		groups := ceilDiv(min(len(ones), k-g), 4)
		kern.run(part[:], ones[:], 0, dst[g*kern.nr:], groups, 1, kern.nr/kern.lanes)
		for i := range sums {
			sums[i] += part[i]
		}
	}
}

// packGroups packs rows [k0, k) of b one element at a time. k0 is a multiple of 4; what is past the end is 0.
func packGroups(dst []uint8, nr int, src []uint8, row, col, w, k0, k int, flip uint8) {
	for p := k0; p < roundUp(k, 4); p++ {
		d := dst[p/4*4*nr+p%4:]
		if p >= k {
			for j := range nr {
				d[4*j] = 0
			}
			continue
		}
		for j := range w {
			d[4*j] = src[p*row+j*col] ^ flip
		}
		for j := w; j < nr; j++ {
			d[4*j] = 0
		}
	}
}

// packInt8Columns packs columns that are contiguous in memory, ld apart.
func packInt8Columns(dst []uint8, nr int, src []uint8, ld, w, k int, flip uint8) {
	mask := uint32(flip) * 0x01010101
	whole := k / 4
	for j := range nr {
		if j >= w {
			for g := range whole {
				binary.LittleEndian.PutUint32(dst[4*(g*nr+j):], 0)
			}
			continue
		}
		s := src[j*ld:][:k]
		for g := range whole {
			binary.LittleEndian.PutUint32(dst[4*(g*nr+j):], binary.LittleEndian.Uint32(s[4*g:])^mask)
		}
	}
	packGroups(dst, nr, src, 1, ld, w, 4*whole, k, flip)
}
