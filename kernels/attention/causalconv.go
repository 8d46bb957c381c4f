package attention

import "github.com/sardonyx-ml/sardonyx/kernels/vec"

// CausalConv sets y[t] = bias + Σ_j w[j]·z[t+j] for one channel, where z is past followed by x and len(past) == len(w)-1, and
// then, if silu is set, y ← y·sigmoid(y). len(y) == len(x); y must not overlap the others.
func CausalConv(y, x, past, w []float32, bias float32, silu bool) {
	k := len(w)
	if len(y) != len(x) || len(past) != k-1 {
		panic("attention.CausalConv: bad lengths")
	}
	for t := range y {
		s := bias
		if t >= k-1 {
			for j, v := range x[t-k+1 : t+1] {
				s += w[j] * v
			}
		} else {
			p := past[t:]
			for j, v := range p {
				s += w[j] * v
			}
			for j, v := range x[:t+1] {
				s += w[len(p)+j] * v
			}
		}
		y[t] = s
	}
	if silu {
		vec.Swish(y, y, 1)
	}
}
