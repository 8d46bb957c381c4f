package gemm

import (
	"sync"
	"unsafe"

	"github.com/sardonyx-ml/sardonyx/kernels/mem"
)

// Packed is an operand in the micro kernel's layout: A in panels of its rows or B in panels of its columns. It is
// immutable and may be used by many products at once.
type Packed[T Number] struct {
	data  []T
	k     int // length of a panel
	width int // rows or columns of a panel
}

// PackB packs the K×N matrix b.
func PackB[T Number](b Operand[T], k, n int) *Packed[T] { return packAll(b, k, n, kernelOf[T]().nr) }

// PackA packs the M×K matrix a.
func PackA[T Number](a Operand[T], m, k int) *Packed[T] {
	return packAll(a.T(), k, m, kernelOf[T]().mr)
}

func packAll[T Number](b Operand[T], k, n, width int) *Packed[T] {
	p := &Packed[T]{data: mem.Make[T](roundUp(n, width) * k), k: k, width: width}
	packPanels(p.data, b, width, 0, k, 0, n)
	return p
}

// Len is the number of elements that the packed operand holds.
func (p *Packed[T]) Len() int { return len(p.data) }

// block is the part [k0, k0+kc) of the panel that starts at row or column j.
func (p *Packed[T]) block(j, k0, kc int) []T {
	at := j/p.width*p.k*p.width + k0*p.width
	return p.data[at : at+kc*p.width]
}

// ahead is the distance in bytes from the block [k0, k0+kc) of the panel at column j0+j to the block that a tile of n columns
// from j0 needs next: that of the next panel, or the first panel's next one. It is 0 at the end.
func (p *Packed[T]) ahead(j0, j, n, k0, kc int) int {
	var z T
	size := int(unsafe.Sizeof(z)) // a constant of the type; no memory is touched
	switch panel := p.k * p.width; {
	case j+p.width < n:
		return panel * size
	case k0+kc < p.k:
		return (kc*p.width - j/p.width*panel) * size
	}
	return 0
}

// packPanels copies rows [k0, k0+kc) and columns [j0, j0+n) of b to panels of width columns; see BlockFunc.
func packPanels[T Number](dst []T, b Operand[T], width, k0, kc, j0, n int) {
	if kc == 0 {
		return
	}
	done := 0 // columns
	if d32, ok := any(dst).([]float32); ok && b.Col == 1 && kc > packBlock {
		done = packRowBlocks(d32, any(b.Data[k0*b.Row+j0:]).([]float32), width, b.Row, kc, n)
	}
	for j := done; j < n; j += width {
		panel := dst[j*kc:][:kc*width]
		src := b.Data[k0*b.Row+(j0+j)*b.Col:]
		w := min(width, n-j)
		if p32, ok := any(panel).([]float32); ok && packFloat32(p32, any(src).([]float32), b.Row, b.Col, width, w, kc) {
			continue
		}
		switch {
		case b.Col == 1 && w == width && width == 4:
			packRows4(panel, src, b.Row, kc)
		case b.Col == 1:
			for p := range kc {
				copy(panel[p*width:][:w], src[p*b.Row:])
				clear(panel[p*width+w : (p+1)*width])
			}
		case b.Row == 1 && w == width && width == 4:
			packCols4(panel, src, b.Col, kc)
		default:
			packStrided(panel, src, b.Row, b.Col, width, w, kc, width)
		}
	}
}

// packBlock is how many rows are spread over all panels before the next ones: few enough that each is read as a stream of
// its own, and that their pages stay in the translation cache.
const packBlock = 16

// packRowBlocks packs the full panels of a matrix with contiguous rows and returns how many columns these hold; none if
// there is no vector code.
func packRowBlocks(dst, src []float32, width, row, kc, n int) int {
	full := n / width * width
	for p := 0; p < kc; p += packBlock {
		rows := min(packBlock, kc-p)
		for j := 0; j < full; j += width {
			if !packFloat32(dst[j*kc+p*width:][:rows*width], src[p*row+j:], row, 1, width, width, rows) {
				return 0
			}
		}
	}
	return full
}

func packRows4[T Number](panel, src []T, ld, kc int) {
	for p := range kc {
		*(*[4]T)(panel[p*4:]) = *(*[4]T)(src[p*ld:])
	}
}

func packCols4[T Number](panel, src []T, ld, kc int) {
	s0, s1, s2, s3 := src[:kc], src[ld:][:kc], src[2*ld:][:kc], src[3*ld:][:kc]
	for p := range kc {
		*(*[4]T)(panel[p*4:]) = [4]T{s0[p], s1[p], s2[p], s3[p]}
	}
}

// packStrided fills the first room columns of a panel: w from src, the others with zeros.
func packStrided[T Number](panel, src []T, row, col, width, w, kc, room int) {
	for j := range w {
		for p := range kc {
			panel[p*width+j] = src[p*row+j*col]
		}
	}
	for j := w; j < room; j++ {
		for p := range kc {
			panel[p*width+j] = 0
		}
	}
}

// work is the memory that one goroutine packs blocks into.
type work[T Number] struct {
	a []T // tileM × blockK
	b []T // blockK × tileN
	c [maxMR * maxNR]T
}

var works [10]sync.Pool

func poolOf[T Number]() *sync.Pool {
	var z T
	switch any(z).(type) {
	case float32:
		return &works[0]
	case float64:
		return &works[1]
	case int8:
		return &works[2]
	case int16:
		return &works[3]
	case int32:
		return &works[4]
	case int64:
		return &works[5]
	case uint8:
		return &works[6]
	case uint16:
		return &works[7]
	case uint32:
		return &works[8]
	}
	return &works[9]
}

func getWork[T Number]() *work[T] {
	if w, ok := poolOf[T]().Get().(*work[T]); ok {
		return w
	}
	return &work[T]{a: make([]T, (tileM+maxMR)*blockK), b: make([]T, (tileN+maxNR)*blockK)}
}

func putWork[T Number](w *work[T]) { poolOf[T]().Put(w) }
