package gemm

import "github.com/sardonyx-ml/sardonyx/kernels/parallel"

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
func (o *Int8Operand) zero(i int) float32 {
	switch len(o.Zero) {
	case 0:
		return 0
	case 1:
		return float32(o.Zero[0])
	}
	return float32(o.Zero[i])
}

// Int8Args is one product C = A·B of 8-bit integers; sums wrap around at 32 bits. C is M rows of N contiguous elements,
// LDC apart.
type Int8Args struct {
	M, N, K int
	C       []int32
	LDC     int
	A, B    Int8Operand
	// BlockB, if set, makes up the blocks of B, zero points subtracted: integers of at most 255 in magnitude. It is
	// called concurrently.
	BlockB BlockFunc[float32]
}

// MulInt8 computes one product of 8-bit integers.
func MulInt8(pool *parallel.Pool, g *Int8Args) {
	BatchInt8(pool, 1, g, nil)
}

// BatchInt8 computes n products of the same sizes; see Batch.
//
// The blocks are multiplied as float32, and their sums added as integers. That is exact: a sum of 256 products of
// numbers of at most 255 in magnitude is below 2²⁴.
func BatchInt8(pool *parallel.Pool, n int, g *Int8Args, at func(i int, g *Int8Args)) {
	base := g.args()
	if at == nil {
		Batch(pool, n, base, nil)
		return
	}
	Batch(pool, n, base, func(i int, a *Args[float32]) {
		one := *g
		at(i, &one)
		*a = *one.args()
	})
}

// maxExact is how many products a float32 sums exactly.
const maxExact = (1<<24 - 1) / (255 * 255)

// blockK must not be larger.
var _ [maxExact - blockK]struct{}

func (g *Int8Args) args() *Args[float32] {
	a := &Args[float32]{M: g.M, N: g.N, K: g.K, LDC: g.LDC, Alpha: 1, Beta: 1, ints: g.C, blockA: g.A.blockA, BlockB: g.BlockB}
	if a.ints == nil {
		a.ints = []int32{}
	}
	if a.BlockB == nil {
		a.BlockB = g.B.blockB
	}
	return a
}

// blockB is a BlockFunc for B.
func (o *Int8Operand) blockB(dst []float32, nr, k0, kc, j0, nc int) {
	o.block(dst, nr, k0, kc, j0, nc, o.Row, o.Col)
}

// blockA packs rows [j0, j0+nc) of A into panels of nr rows.
func (o *Int8Operand) blockA(dst []float32, nr, k0, kc, j0, nc int) {
	o.block(dst, nr, k0, kc, j0, nc, o.Col, o.Row)
}

func (o *Int8Operand) block(dst []float32, nr, k0, kc, j0, nc, row, col int) {
	var zero [maxNR]float32
	for j := 0; j < nc; j += nr {
		panel, w := dst[j*kc:][:kc*nr], min(nr, nc-j)
		if w < nr {
			clear(panel)
		}
		for q := range w {
			zero[q] = o.zero(j0 + j + q)
		}
		src := o.Data[k0*row+(j0+j)*col:]
		if col == 1 {
			for p := range kc {
				o.convert(panel[p*nr:][:w], src[p*row:], 1, zero[:], 1)
			}
			continue
		}
		var line [blockK]float32
		for q := range w {
			o.convert(line[:kc], src[q*col:], row, zero[q:], 0)
			for p, v := range line[:kc] {
				panel[p*nr+q] = v
			}
		}
	}
}

// convert sets dst[i] to the number at src[i*step] less zero[i*zstep].
func (o *Int8Operand) convert(dst []float32, src []uint8, step int, zero []float32, zstep int) {
	if o.Signed {
		for i := range dst {
			dst[i] = float32(int8(src[i*step])) - zero[i*zstep]
		}
		return
	}
	for i := range dst {
		dst[i] = float32(src[i*step]) - zero[i*zstep]
	}
}
