package reduce

import "math"

// The functions on columns reduce the matrix x of rows rows, whose row r is x[r*stride:][:len(dst)], into dst, which
// holds a start value and must not overlap x.

// tile is the number of columns that are summed at once on the stack, strip the number of rows in one partial sum.
const (
	tile  = 256
	strip = 64
)

// SumColumns adds the sum of each column to dst.
func SumColumns[T Number](dst, x []T, rows, stride int) {
	blocked(dst, x, rows, stride, func(acc, row []T) {
		for j, v := range row[:len(acc)] {
			acc[j] += v
		}
	})
}

// SumSquareColumns adds the sum of each column's squares to dst.
func SumSquareColumns[T Number](dst, x []T, rows, stride int) {
	blocked(dst, x, rows, stride, func(acc, row []T) {
		for j, v := range row[:len(acc)] {
			acc[j] += v * v
		}
	})
}

// SumAbsColumns adds the sum of each column's absolute values to dst.
func SumAbsColumns[T Number](dst, x []T, rows, stride int) {
	blocked(dst, x, rows, stride, func(acc, row []T) {
		for j, v := range row[:len(acc)] {
			acc[j] += abs(v)
		}
	})
}

// blocked runs add over all rows, in strips with sums of their own when there are many.
func blocked[T Number](dst, x []T, rows, stride int, add func(acc, row []T)) {
	n := len(dst)
	if n == 0 {
		return
	}
	if rows <= strip {
		for r := range rows {
			add(dst, x[r*stride:][:n])
		}
		return
	}
	acc := make([]T, min(n, tile))
	for lo := 0; lo < n; lo += tile {
		d := dst[lo:min(lo+tile, n)]
		for first := 0; first < rows; first += strip {
			part := acc[:len(d)]
			clear(part)
			for r := first; r < min(first+strip, rows); r++ {
				add(part, x[r*stride+lo:][:len(d)])
			}
			for j, v := range part {
				d[j] += v
			}
		}
	}
}

// SumExpColumns adds the sum of exp(x-m) of each column to dst, where m has a value for each column.
func SumExpColumns[T float32 | float64](dst, x, m []T, rows, stride int) {
	for r := range rows {
		row := x[r*stride:][:len(dst)]
		for j, v := range row {
			dst[j] += T(math.Exp(float64(v - m[j])))
		}
	}
}

// MaxColumns raises dst to the largest element of each column; NaN wins.
func MaxColumns[T Number](dst, x []T, rows, stride int) {
	for r := range rows {
		for j, v := range x[r*stride:][:len(dst)] {
			dst[j] = max(dst[j], v)
		}
	}
}

// MinColumns lowers dst to the smallest element of each column; NaN wins.
func MinColumns[T Number](dst, x []T, rows, stride int) {
	for r := range rows {
		for j, v := range x[r*stride:][:len(dst)] {
			dst[j] = min(dst[j], v)
		}
	}
}

// ProdColumns multiplies dst by the product of each column.
func ProdColumns[T Number](dst, x []T, rows, stride int) {
	for r := range rows {
		for j, v := range x[r*stride:][:len(dst)] {
			dst[j] *= v
		}
	}
}

// ArgMaxColumns sets dst to the row of the largest element of each column, as ArgMax does. best is scratch of the same
// length.
func ArgMaxColumns[T Number](dst []int64, best, x []T, rows, stride int, last bool) {
	copy(best, x[:len(dst)])
	clear(dst)
	for r := 1; r < rows; r++ {
		for j, v := range x[r*stride:][:len(dst)] {
			if beats(v, best[j], last) {
				dst[j], best[j] = int64(r), v
			}
		}
	}
}

// ArgMinColumns is ArgMaxColumns for the smallest element.
func ArgMinColumns[T Number](dst []int64, best, x []T, rows, stride int, last bool) {
	copy(best, x[:len(dst)])
	clear(dst)
	for r := 1; r < rows; r++ {
		for j, v := range x[r*stride:][:len(dst)] {
			if below(v, best[j], last) {
				dst[j], best[j] = int64(r), v
			}
		}
	}
}
