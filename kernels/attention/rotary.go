package attention

// Rotate turns the first 2·len(cos) elements of x by angles given as cosines and sines and copies the rest to y. Pair j is
// elements j and j+len(cos), or 2j and 2j+1 if interleaved. y may be x; len(y) == len(x), len(sin) == len(cos).
func Rotate[T Float](y, x, cos, sin []T, interleaved bool) {
	n := len(cos)
	if len(y) != len(x) || len(sin) != n || 2*n > len(x) {
		panic("attention.Rotate: bad lengths")
	}
	copy(y[2*n:], x[2*n:])
	if interleaved {
		for j, c := range cos {
			a, b, s := x[2*j], x[2*j+1], sin[j]
			y[2*j], y[2*j+1] = c*a-s*b, s*a+c*b
		}
		return
	}
	x1, x2, y1, y2 := x[:n], x[n:2*n], y[:n], y[n:2*n]
	for j, c := range cos {
		a, b, s := x1[j], x2[j], sin[j]
		y1[j], y2[j] = c*a-s*b, s*a+c*b
	}
}
