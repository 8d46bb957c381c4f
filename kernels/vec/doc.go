// Package vec has the element-wise loops over contiguous float32 slices, and the numeric types' generic arithmetic.
//
// In every function the destination comes first and all slices have its length; a wrong length panics. The destination
// may be one of the sources (the same slice), but must not otherwise overlap them. The transcendental functions are
// accurate to a few units in the last place (ULP); the tests hold them to the bounds in their comments.
package vec

// check panics unless a source is as long as the destination.
func check(dst, src int) {
	if dst != src {
		panic("vec: lengths differ")
	}
}
