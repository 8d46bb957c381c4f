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
