package gemm

import (
	"encoding/binary"
	"sync"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// NBits is a K×N matrix of numbers of 4 or 8 bits with a scale and an offset for each block of a column, in the kernels'
// layout: panels of 16 columns, in which 32 bits of each column, a group, follow each other. It is immutable and may be used
// by many products at once.
type NBits struct {
	bits, k, n    int
	blocks        int // of a column
	groups        int // of a block
	data          []uint8
	scale, offset []float32 // of block b of the columns of panel j: 16 floats at 16·(j·blocks+b); offset may be nil
}

const nbitsPanel = 16

// PackNBits packs a matrix whose columns lie as rows of whole blocks in data, packed from the low bits up. Number q of block b
// of column j stands for (q - zero)·scale, which are at j·blocks+b; without zeros, zero is 2^(bits-1). block is a power of two
// and at least 16.
func PackNBits(bits, block, k, n int, data []uint8, scales, zeros []float32) *NBits {
	w := &NBits{bits: bits, k: k, n: n, blocks: ceilDiv(k, block), groups: block * bits / 32}
	panels, groups := ceilDiv(n, nbitsPanel), w.blocks*w.groups
	w.data, w.scale = make([]uint8, panels*groups*64), make([]float32, panels*w.blocks*nbitsPanel)
	flip, mid := uint32(0x80808080), float32(128)
	if bits == 4 {
		flip, mid = 0x88888888, 8
	}
	if zeros != nil {
		w.offset = make([]float32, len(w.scale))
	}
	for j := range n {
		src := data[j*groups*4:][:groups*4]
		dst := w.data[j/nbitsPanel*groups*64+j%nbitsPanel*4:]
		for g := range groups {
			binary.LittleEndian.PutUint32(dst[64*g:], binary.LittleEndian.Uint32(src[4*g:])^flip)
		}
		at := j/nbitsPanel*w.blocks*nbitsPanel + j%nbitsPanel
		for b := range w.blocks {
			s := scales[j*w.blocks+b]
			w.scale[at+b*nbitsPanel] = s
			if zeros != nil {
				w.offset[at+b*nbitsPanel] = (mid - zeros[j*w.blocks+b]) * s
			}
		}
	}
	return w
}

// per is the number of elements in a group.
func (w *NBits) per() int { return 32 / w.bits }

// nbitsRows is the largest number of rows that are multiplied with the weights as they are; for more, they are expanded to
// floats first.
const nbitsRows = 8

// nbitsWork holds the rows of A, padded to whole blocks, and the sums of their blocks.
type nbitsWork struct{ a, sums []float32 }

var nbitsWorks sync.Pool

// MulNBits sets m rows of y of N columns to a·w + bias. a is m rows of K elements; bias is empty or one row.
func MulNBits(pool *parallel.Pool, y, a []float32, m int, w *NBits, bias []float32) {
	if m == 0 || w.n == 0 {
		return
	}
	if m > nbitsRows {
		Mul(pool, &Args[float32]{M: m, N: w.n, K: w.k, C: y, LDC: w.n, A: RowMajor(a, w.k, false), BlockB: w.blockB, Bias: Operand[float32]{Data: bias, Col: 1}})
		return
	}
	work, ok := nbitsWorks.Get().(*nbitsWork)
	if !ok {
		work = &nbitsWork{}
	}
	defer nbitsWorks.Put(work)
	a, lda := work.rows(a, m, w)
	panels := ceilDiv(w.n, nbitsPanel)
	pool.For(panels, max(1, (1<<16)/(w.blocks*w.groups*64)), func(lo, hi int) {
		for p := lo; p < hi; p++ {
			w.multiply(p, y, a, lda, m, work.sums, bias)
		}
	})
}

// rows returns a with rows padded to whole blocks, and fills in the sums.
func (work *nbitsWork) rows(a []float32, m int, w *NBits) (padded []float32, lda int) {
	lda = w.blocks * w.groups * w.per()
	if lda != w.k {
		work.a = grow(work.a, m*lda)
		for i := range m {
			row := work.a[i*lda : (i+1)*lda]
			clear(row[copy(row, a[i*w.k:(i+1)*w.k]):])
		}
		a = work.a
	}
	if w.offset == nil {
		return a, lda
	}
	work.sums = grow(work.sums, m*w.blocks)
	block := lda / w.blocks
	for i := range work.sums {
		s := float32(0)
		for _, v := range a[i*block : (i+1)*block] {
			s += v
		}
		work.sums[i] = s
	}
	return a, lda
}

// multiply computes the columns of one panel.
func (w *NBits) multiply(p int, y, a []float32, lda, m int, sums, bias []float32) {
	var out [nbitsRows * nbitsPanel]float32
	size := w.blocks * w.groups * 64
	at := p * w.blocks * nbitsPanel
	scale := w.scale[at : at+w.blocks*nbitsPanel]
	var offset []float32
	if w.offset != nil {
		offset = w.offset[at : at+w.blocks*nbitsPanel]
	}
	for i := 0; i < m; i += 4 {
		rows := min(4, m-i)
		var s []float32
		if offset != nil {
			s = sums[i*w.blocks:]
		}
		nbitsMicro(w.bits, rows, out[i*nbitsPanel:], a[i*lda:], lda, w.data[p*size:(p+1)*size], scale, offset, s, w.blocks, w.groups)
	}
	j := p * nbitsPanel
	n := min(nbitsPanel, w.n-j)
	for i := range m {
		row := y[i*w.n+j:][:n]
		copy(row, out[i*nbitsPanel:])
		if len(bias) > 0 {
			for q, v := range bias[j : j+n] {
				row[q] += v
			}
		}
	}
}

// nbitsNumber is number t of a group of one column.
func nbitsNumber(x uint32, bits, t int) float32 {
	return float32(int32(x<<(32-bits*(t+1))) >> (32 - bits))
}

// nbitsMicroGo multiplies up to 4 rows with a panel; y has rows of 16.
func nbitsMicroGo(bits, rows int, y, a []float32, lda int, panel []uint8, scale, offset, sums []float32, blocks, groups int) {
	per := 32 / bits
	for r := range rows {
		var total [nbitsPanel]float32
		for b := range blocks {
			for j := range total {
				sum := float32(0)
				for g := b * groups; g < (b+1)*groups; g++ {
					x := binary.LittleEndian.Uint32(panel[64*g+4*j:])
					for t, v := range a[r*lda+g*per:][:per] {
						sum += v * nbitsNumber(x, bits, t)
					}
				}
				total[j] += sum * scale[b*nbitsPanel+j]
				if offset != nil {
					total[j] += sums[r*blocks+b] * offset[b*nbitsPanel+j]
				}
			}
		}
		copy(y[r*nbitsPanel:], total[:])
	}
}

// expandGo sets rows of dst, ld apart, to lanes columns of groups of a panel as floats.
func expandGo(bits int, dst []float32, ld int, panel []uint8, scale, offset []float32, groups, lanes int) {
	per := 32 / bits
	for g := range groups {
		for j := range lanes {
			x := binary.LittleEndian.Uint32(panel[64*g+4*j:])
			for t := range per {
				dst[(g*per+t)*ld+j] = float32(nbitsNumber(x, bits, t)*scale[j]) + offset[j]
			}
		}
	}
}

// blockB is a BlockFunc for the matrix.
func (w *NBits) blockB(dst []float32, nr, k0, kc, j0, nc int) {
	lanes := nbitsLanes(nr)
	for j := 0; j < nc; j += nr {
		panel := dst[j*kc : (j+nr)*kc]
		for q := 0; q < nr; q += lanes {
			w.expand(panel[q:], nr, k0, kc, j0+j+q, lanes)
		}
	}
}

// expand writes lanes columns from column j on as floats; columns past the end are zero.
func (w *NBits) expand(dst []float32, nr, k0, kc, j, lanes int) {
	if j >= roundUp(w.n, nbitsPanel) {
		for p := range kc {
			clear(dst[p*nr:][:lanes])
		}
		return
	}
	var none [nbitsPanel]float32
	per, block := w.per(), w.groups*w.per()
	panel := w.data[j/nbitsPanel*w.blocks*w.groups*64+j%nbitsPanel*4:]
	for k := k0; k < k0+kc; {
		end := min(k0+kc, (k/block+1)*block)
		at := (j/nbitsPanel*w.blocks+k/block)*nbitsPanel + j%nbitsPanel
		scale, offset := w.scale[at:][:lanes], none[:lanes]
		if w.offset != nil {
			offset = w.offset[at:][:lanes]
		}
		whole := (end - k) / per
		nbitsExpand(w.bits, dst[(k-k0)*nr:], nr, panel[k/per*64:], scale, offset, whole, lanes)
		if k += whole * per; k < end { // part of a group
			var tmp [8 * nbitsPanel]float32
			nbitsExpand(w.bits, tmp[:], nbitsPanel, panel[k/per*64:], scale, offset, 1, lanes)
			for t := range end - k {
				copy(dst[(k-k0+t)*nr:][:lanes], tmp[t*nbitsPanel:])
			}
			k = end
		}
	}
}
