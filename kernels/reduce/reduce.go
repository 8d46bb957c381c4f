// Package reduce holds reductions of contiguous slices: whole rows to one value, and the columns of a matrix.
//
// Sums of floating-point numbers are blocked, so that their rounding error grows with the block's size and the logarithm
// of the length rather than with the length.
package reduce

import "math"

// Number is every element type that the reductions know.
type Number interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// block is the length below which sums run straight.
const block = 256

// Sum returns the sum of x; the empty sum is 0.
func Sum[T Number](x []T) T {
	if len(x) > block {
		h := half(len(x))
		return Sum(x[:h]) + Sum(x[h:])
	}
	var a, b, c, d T
	for len(x) >= 4 {
		a += x[0]
		b += x[1]
		c += x[2]
		d += x[3]
		x = x[4:]
	}
	for _, v := range x {
		a += v
	}
	return (a + b) + (c + d)
}

// half is a point near the middle of n that leaves whole blocks on the left.
func half(n int) int { return (n/2 + block - 1) / block * block }

// SumSquare returns the sum of x[i]².
func SumSquare[T Number](x []T) T {
	if len(x) > block {
		h := half(len(x))
		return SumSquare(x[:h]) + SumSquare(x[h:])
	}
	var a, b, c, d T
	for len(x) >= 4 {
		a += x[0] * x[0]
		b += x[1] * x[1]
		c += x[2] * x[2]
		d += x[3] * x[3]
		x = x[4:]
	}
	for _, v := range x {
		a += v * v
	}
	return (a + b) + (c + d)
}

// SumAbs returns the sum of |x[i]|.
func SumAbs[T Number](x []T) T {
	if len(x) > block {
		h := half(len(x))
		return SumAbs(x[:h]) + SumAbs(x[h:])
	}
	var a, b T
	for len(x) >= 2 {
		a += abs(x[0])
		b += abs(x[1])
		x = x[2:]
	}
	for _, v := range x {
		a += abs(v)
	}
	return a + b
}

func abs[T Number](v T) T {
	if v < 0 {
		return -v
	}
	return v
}

// SumExp returns the sum of exp(x[i]-m).
func SumExp[T float32 | float64](x []T, m T) T {
	var s float64
	for _, v := range x {
		s += math.Exp(float64(v - m))
	}
	return T(s)
}

// Max returns the largest element and from; NaN wins.
func Max[T Number](x []T, from T) T {
	a, b, c, d := from, from, from, from
	for len(x) >= 4 {
		a = max(a, x[0])
		b = max(b, x[1])
		c = max(c, x[2])
		d = max(d, x[3])
		x = x[4:]
	}
	for _, v := range x {
		a = max(a, v)
	}
	return max(a, b, c, d)
}

// Min returns the smallest element and from; NaN wins.
func Min[T Number](x []T, from T) T {
	a, b, c, d := from, from, from, from
	for len(x) >= 4 {
		a = min(a, x[0])
		b = min(b, x[1])
		c = min(c, x[2])
		d = min(d, x[3])
		x = x[4:]
	}
	for _, v := range x {
		a = min(a, v)
	}
	return min(a, b, c, d)
}

// Prod returns the product of x; the empty product is 1.
func Prod[T Number](x []T) T {
	p := T(1)
	for _, v := range x {
		p *= v
	}
	return p
}

// ArgMax returns the index of the first (or last) largest element of x, which is not empty. NaN counts as largest.
func ArgMax[T Number](x []T, last bool) int {
	at, best := 0, x[0]
	for i, v := range x[1:] {
		if beats(v, best, last) {
			at, best = i+1, v
		}
	}
	return at
}

// ArgMin returns the index of the first (or last) smallest element of x, which is not empty. NaN counts as smallest.
func ArgMin[T Number](x []T, last bool) int {
	at, best := 0, x[0]
	for i, v := range x[1:] {
		if below(v, best, last) {
			at, best = i+1, v
		}
	}
	return at
}

// beats reports v > best, or equality where ties go to the later one.
func beats[T Number](v, best T, last bool) bool {
	if v != v {
		return best == best || last
	}
	return v > best || last && v == best
}

// below is beats for the smallest element.
func below[T Number](v, best T, last bool) bool {
	if v != v {
		return best == best || last
	}
	return v < best || last && v == best
}
