package gemm

// DotRows adds the product of a with row j of b to y[j]; the rows are len(a) contiguous elements ldb apart.
func DotRows[T Number](y, a, b []T, ldb int) {
	if len(y) == 0 || len(a) == 0 {
		return
	}
	_ = b[(len(y)-1)*ldb+len(a)-1]
	if dotColumns(y, a, b, ldb) {
		return
	}
	for j := range y {
		y[j] += dot(a, b[j*ldb:][:len(a)])
	}
}

// AddRows adds a[i] times row i of b to c for every i; the rows are len(c) contiguous elements ldb apart.
func AddRows[T Number](c, a, b []T, ldb int) {
	if len(c) == 0 || len(a) == 0 {
		return
	}
	_ = b[(len(a)-1)*ldb+len(c)-1]
	p, n := axpyRows(c, a, b, ldb), len(c)
	for ; p+4 <= len(a); p += 4 {
		axpy4(c, b[p*ldb:][:n], b[(p+1)*ldb:][:n], b[(p+2)*ldb:][:n], b[(p+3)*ldb:][:n], a[p], a[p+1], a[p+2], a[p+3])
	}
	for ; p < len(a); p++ {
		v := a[p]
		for i, x := range b[p*ldb:][:n] {
			c[i] += v * x
		}
	}
}

// MulRow adds a·B to the row c for a packed B. backward goes from the last columns to the first, for who multiplies with the same B
// again and again: what the cache still holds of it comes first then.
func MulRow[T Number](c, a []T, b *Packed[T], backward bool) {
	kern := kernelOf[T]()
	if len(c) == 0 || len(a) == 0 {
		return
	}
	if len(a) != b.k || kern.nr != b.width || roundUp(len(c), kern.nr)*b.k != len(b.data) {
		panic("gemm: packed matrix does not fit")
	}
	var tmp [maxNR]T
	last := (len(c) - 1) / kern.nr
	for i := range last + 1 {
		if backward {
			i = last - i
		}
		j := i * kern.nr
		n := min(kern.nr, len(c)-j)
		if n == kern.nr {
			kern.row(c[j:j+n], a, b.block(j, 0, b.k), true)
			continue
		}
		kern.row(tmp[:kern.nr], a, b.block(j, 0, b.k), false)
		addRow(c[j:], tmp[:n], true)
	}
}
