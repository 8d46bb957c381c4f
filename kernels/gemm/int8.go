package gemm

import "github.com/sardonyx-ml/sardonyx/kernels/parallel"

// Int8Operand is a matrix of 8-bit integers with its zero points: element (i, j) stands for the number
// Data[i*Row+j*Col] - zero, where Data is read as int8 if Signed.
type Int8Operand struct {
	Data     []uint8
	Signed   bool
	Row, Col int
	// Zero has no element for zero points of 0, one for the matrix, or one for each row of A or column of B.
	Zero []int32
}

// at is the zero point of row or column i.
func (o *Int8Operand) zero(i int) int32 {
	switch len(o.Zero) {
	case 0:
		return 0
	case 1:
		return o.Zero[0]
	}
	return o.Zero[i]
}

// Int8Args is one product C = A·B of 8-bit integers; sums wrap around at 32 bits. C is M rows of N contiguous elements,
// LDC apart.
type Int8Args struct {
	M, N, K int
	C       []int32
	LDC     int
	A, B    Int8Operand
	// BlockB, if set, makes up the blocks of B, zero points subtracted. It is called concurrently.
	BlockB BlockFunc[int32]
}

// MulInt8 computes one product of 8-bit integers.
func MulInt8(pool *parallel.Pool, g *Int8Args) {
	BatchInt8(pool, 1, g, nil)
}

// BatchInt8 computes n products of the same sizes; see Batch.
func BatchInt8(pool *parallel.Pool, n int, g *Int8Args, at func(i int, g *Int8Args)) {
	base := Args[int32]{M: g.M, N: g.N, K: g.K, C: g.C, LDC: g.LDC, blockA: g.A.blockA, BlockB: g.BlockB}
	if base.BlockB == nil {
		base.BlockB = g.B.blockB
	}
	if at == nil {
		Batch(pool, n, &base, nil)
		return
	}
	Batch(pool, n, &base, func(i int, a *Args[int32]) {
		one := *g
		at(i, &one)
		a.C, a.blockA, a.BlockB = one.C, one.A.blockA, one.BlockB
		if a.BlockB == nil {
			a.BlockB = one.B.blockB
		}
	})
}

// blockB is a BlockFunc for B.
func (o *Int8Operand) blockB(dst []int32, nr, k0, kc, j0, nc int) {
	o.block(dst, nr, k0, kc, j0, nc, o.Row, o.Col)
}

// blockA packs rows [j0, j0+nc) of A into panels of nr rows.
func (o *Int8Operand) blockA(dst []int32, nr, k0, kc, j0, nc int) {
	o.block(dst, nr, k0, kc, j0, nc, o.Col, o.Row)
}

func (o *Int8Operand) block(dst []int32, nr, k0, kc, j0, nc, row, col int) {
	for j := 0; j < nc; j += nr {
		panel := dst[j*kc:][:kc*nr]
		w := min(nr, nc-j)
		if w < nr {
			clear(panel)
		}
		for q := range w {
			z, src := o.zero(j0+j+q), o.Data[k0*row+(j0+j+q)*col:]
			if o.Signed {
				for p := range kc {
					panel[p*nr+q] = int32(int8(src[p*row])) - z
				}
				continue
			}
			for p := range kc {
				panel[p*nr+q] = int32(src[p*row]) - z
			}
		}
	}
}
