package reduce

// Cumulate sets row r of y to the running sum, or product, of x's rows up to r. Both are matrices of rows of width
// elements; y must not overlap x. Exclusive leaves row r itself out, reverse runs from the last row to the first.
func Cumulate[T Number](y, x []T, width int, product, exclusive, reverse bool) {
	rows := len(x) / width
	first, step := 0, width
	if reverse {
		first, step = (rows-1)*width, -width
	}
	at := first
	for r := range rows {
		dst, src := y[at:at+width], x[at:at+width]
		switch {
		case r == 0 && exclusive:
			fill(dst, product)
		case r == 0:
			copy(dst, src)
		default:
			before := y[at-step:][:width]
			if exclusive {
				src = x[at-step:][:width]
			}
			combine(dst, before, src, product)
		}
		at += step
	}
}

func fill[T Number](dst []T, product bool) {
	clear(dst)
	if product {
		for i := range dst {
			dst[i] = 1
		}
	}
}

func combine[T Number](dst, a, b []T, product bool) {
	if product {
		for i, v := range a {
			dst[i] = v * b[i]
		}
		return
	}
	for i, v := range a {
		dst[i] = v + b[i]
	}
}
