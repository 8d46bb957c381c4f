package gemm

// kernel is a micro kernel: run sets, or adds to if add, m ≤ mr rows and n ≤ nr columns of C at c, whose rows are ldc apart,
// from a panel of A (kc groups of mr elements) and a panel of B (kc groups of nr). tmp has room for mr×nr elements. ahead is the
// distance in bytes from b to the panel that is needed next, which may be fetched meanwhile; 0 if there is none. row does
// so for one row of A and C, nr elements at c, with the kc elements of a.
type kernel[T Number] struct {
	name   string
	mr, nr int
	few    int // up to how many rows are multiplied by row
	kc     int // rows of a block of B, such that a panel of it stays in the first-level cache
	run    func(c []T, ldc int, a, b []T, kc, m, n, ahead int, add bool, tmp []T)
	row    func(c, a, b []T, add bool)
}

// The largest tile of any micro kernel.
const (
	maxMR = 16
	maxNR = 64
)

// kernelOf returns the micro kernel for an element type.
func kernelOf[T Number]() *kernel[T] {
	if k, ok := any(float32Kernel).(*kernel[T]); ok {
		return k
	}
	return &kernel[T]{name: "go", mr: 4, nr: 4, few: 3, kc: blockK, run: microGo[T], row: micro1x4[T]}
}

// float32Kernel is the best kernel for float32 on this machine.
var float32Kernel = pickFloat32()

func pickFloat32() *kernel[float32] {
	for _, k := range float32Kernels() {
		return k
	}
	panic("gemm: no kernel")
}

var float32Go = &kernel[float32]{name: "go", mr: 4, nr: 4, few: 3, kc: blockK, run: microGo[float32], row: micro1x4[float32]}

// microGo is the portable micro kernel.
func microGo[T Number](c []T, ldc int, a, b []T, kc, m, n, _ int, add bool, tmp []T) {
	if m == 4 && n == 4 {
		micro4x4(c, ldc, a, b, kc, add)
		return
	}
	micro4x4(tmp, 4, a, b, kc, false)
	for r := range m {
		addRow(c[r*ldc:][:n], tmp[r*4:][:n], add)
	}
}

// micro4x4 computes a full tile of the portable kernel: two passes over the panels, for the sums of two rows fit the registers.
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
