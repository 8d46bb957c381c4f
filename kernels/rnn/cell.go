package rnn

import "github.com/sardonyx-ml/sardonyx/kernels/vec"

// The cells below advance one sequence of the batch by one step. Their slices hold gates of the same length one after the other;
// gates are pre-activation sums and are overwritten.

// clamp limits x to ±c in place; 0 means no limit.
func clamp[T Float](x []T, c T) {
	if c == 0 {
		return
	}
	for i, v := range x {
		x[i] = min(max(v, -c), c)
	}
}

// LSTMCell takes gates i, o, f, c (4·n) and the state c (n), which it updates, and writes the new hidden state to h (n). p holds the
// peepholes of i, o and f (3·n) or is nil. coupled makes the forget gate 1 - i.
func LSTMCell[T Float](h, c, gates, p []T, act *[3]Func[T], clip T, coupled bool) {
	n := len(c)
	gi, out, gf, gc := gates[:n], gates[n:2*n], gates[2*n:3*n], gates[3*n:4*n]
	if p != nil {
		for k, v := range c {
			gi[k] += p[k] * v
			gf[k] += p[2*n+k] * v
		}
	}
	clamp(gates[:n], clip)
	clamp(gates[2*n:], clip)
	act[1](gc)
	if p == nil && !coupled {
		clamp(out, clip)
		act[0](gates[:3*n])
	} else {
		act[0](gi)
		if coupled {
			vec.ScalarSub(gf, 1, gi)
		} else {
			act[0](gf)
		}
	}
	vec.Mul(c, gf, c)
	vec.Mul(gi, gi, gc)
	vec.Add(c, c, gi)
	if p != nil || coupled {
		if p != nil {
			for k, v := range c {
				out[k] += p[n+k] * v
			}
		}
		clamp(out, clip)
		act[0](out)
	}
	copy(h, c)
	clamp(h, clip)
	act[2](h)
	vec.Mul(h, h, out)
}

// RNNCell takes the gate (n) and writes the new hidden state to h.
func RNNCell[T Float](h, gate []T, f Func[T], clip T) {
	copy(h, gate)
	clamp(h, clip)
	f(h)
}

// GRUReset takes the gates z and r (2·n), makes them z and r, and sets rh = r·h.
func GRUReset[T Float](rh, gates, h []T, f Func[T], clip T) {
	n := len(h)
	g := gates[:2*n]
	clamp(g, clip)
	f(g)
	vec.Mul(rh, g[n:], h)
}

// GRUUpdate sets h = (1-z)·g(gate) + z·h. z and gate are as long as h.
func GRUUpdate[T Float](h, z, gate []T, g Func[T], clip T) {
	clamp(gate, clip)
	g(gate)
	for k, v := range z {
		h[k] = (1-v)*gate[k] + v*h[k]
	}
}
