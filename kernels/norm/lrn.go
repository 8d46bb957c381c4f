package norm

import "math"

// LRN normalizes one image x of (channels, inner) across channels: y = x / (bias + alpha·Σ x²)^beta, where the sum runs over
// channels c-before … c+after that exist. alpha is already divided by the window's size. y must not overlap x.
func LRN[T Float](y, x []T, channels, inner, before, after int, alpha, beta, bias T) {
	for c := range channels {
		lo, hi := max(0, c-before), min(channels, c+after+1)
		row, out := x[c*inner:(c+1)*inner], y[c*inner:(c+1)*inner]
		clear(out)
		for k := lo; k < hi; k++ {
			for i, v := range x[k*inner : (k+1)*inner] {
				out[i] += v * v
			}
		}
		if beta == 0.75 { // the usual one
			for i, s := range out {
				r := math.Sqrt(float64(bias + alpha*s))
				out[i] = row[i] / T(r*math.Sqrt(r))
			}
			continue
		}
		for i, s := range out {
			out[i] = row[i] * T(math.Pow(float64(bias+alpha*s), -float64(beta)))
		}
	}
}
