package gemm

// kernel is a micro kernel: run sets, or adds to if add, the mr×nr tile of C at c, whose rows are ldc apart, from a panel
// of A (kc groups of mr elements) and a panel of B (kc groups of nr). row does so for one row of A and C, nr elements at
// c, with the kc elements of a.
type kernel[T Number] struct {
	mr, nr int
	run    func(c []T, ldc int, a, b []T, kc int, add bool)
	row    func(c, a, b []T, add bool)
}

// The largest tile of any micro kernel.
const (
	maxMR = 16
	maxNR = 64
)

// kernelOf returns the micro kernel for an element type.
func kernelOf[T Number]() kernel[T] {
	return kernel[T]{mr: 4, nr: 4, run: micro4x4[T], row: micro1x4[T]}
}

// micro4x4 is the portable micro kernel: two passes over the panels, for the sums of two rows fit the registers.
func micro4x4[T Number](c []T, ldc int, a, b []T, kc int, add bool) {
	micro2x4(c, c[ldc:], a, b, 0, kc, add)
	micro2x4(c[2*ldc:], c[3*ldc:], a, b, 2, kc, add)
}

// micro2x4 computes rows r and r+1 of the tile.
func micro2x4[T Number](c0, c1 []T, a, b []T, r, kc int, add bool) {
	var c00, c01, c02, c03, c10, c11, c12, c13 T
	a, b = a[:kc*4], b[:kc*4]
	for len(a) >= 4 && len(b) >= 4 {
		a0, a1 := a[r&3], a[(r+1)&3]
		b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
		c00 += a0 * b0
		c10 += a1 * b0
		c01 += a0 * b1
		c11 += a1 * b1
		c02 += a0 * b2
		c12 += a1 * b2
		c03 += a0 * b3
		c13 += a1 * b3
		a, b = a[4:], b[4:]
	}
	c0, c1 = c0[:4], c1[:4]
	if add {
		c00 += c0[0]
		c01 += c0[1]
		c02 += c0[2]
		c03 += c0[3]
		c10 += c1[0]
		c11 += c1[1]
		c12 += c1[2]
		c13 += c1[3]
	}
	c0[0], c0[1], c0[2], c0[3] = c00, c01, c02, c03
	c1[0], c1[1], c1[2], c1[3] = c10, c11, c12, c13
}

// micro1x4 is the portable kernel for one row.
func micro1x4[T Number](c, a, b []T, add bool) {
	var c0, c1, c2, c3 T
	b = b[:len(a)*4]
	for len(a) >= 1 && len(b) >= 4 {
		v := a[0]
		c0 += v * b[0]
		c1 += v * b[1]
		c2 += v * b[2]
		c3 += v * b[3]
		a, b = a[1:], b[4:]
	}
	c = c[:4]
	if add {
		c0 += c[0]
		c1 += c[1]
		c2 += c[2]
		c3 += c[3]
	}
	c[0], c[1], c[2], c[3] = c0, c1, c2, c3
}
