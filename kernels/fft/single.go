package fft

import "math"

// Single is a complex transform that computes in single precision by the Stockham passes of radix 2, 3, 4 and 5 that FFTPACK
// (P. N. Swarztrauber, 1982) and its successors use. NumPy transforms float32 data so; where the exact result is zero, what
// rounding leaves depends on this order of operations.
type Single struct {
	n      int
	passes []pass
}

type pass struct {
	radix int
	w     []complex64 // twiddles, (radix-1) rows of ido-1
}

// NewSingle returns a transform of length n, or nil if n has a prime factor above 5 or a factor of 8, which these passes do
// not cover in the customary order.
func NewSingle(n int) *Single {
	var factors []int
	rest := n
	for rest%4 == 0 {
		factors = append(factors, 4)
		rest /= 4
	}
	if rest%2 == 0 {
		factors = append(factors, 2)
		rest /= 2
		last := len(factors) - 1
		factors[0], factors[last] = factors[last], factors[0]
	}
	for _, f := range []int{3, 5} {
		for rest%f == 0 {
			factors = append(factors, f)
			rest /= f
		}
	}
	if rest != 1 || n%8 == 0 || n < 2 {
		return nil
	}
	s := &Single{n: n}
	l1 := 1
	for _, f := range factors {
		ido := n / (l1 * f)
		p := pass{radix: f, w: make([]complex64, (f-1)*(ido-1))}
		for j := 1; j < f; j++ {
			for i := 1; i < ido; i++ {
				sin, cos := math.Sincos(2 * math.Pi * float64(j*l1*i%n) / float64(n))
				p.w[(j-1)*(ido-1)+i-1] = complex(float32(cos), float32(sin))
			}
		}
		s.passes = append(s.passes, p)
		l1 *= f
	}
	return s
}

// Transform replaces x by its discrete Fourier transform, or by the inverse times scale. work is as long as x.
func (s *Single) Transform(x, work []complex64, inverse bool, scale float32) {
	sign := float32(-1)
	if inverse {
		sign = 1
	}
	cc, ch := x[:s.n], work[:s.n]
	l1 := 1
	for _, p := range s.passes {
		p.run(ch, cc, l1, s.n/(l1*p.radix), sign)
		cc, ch = ch, cc
		l1 *= p.radix
	}
	if scale != 1 {
		for i, v := range cc {
			cc[i] = complex(real(v)*scale, imag(v)*scale)
		}
	}
	copy(x, cc)
}

// run is one pass over l1 groups: cc is (l1, radix, ido), ch is (radix, l1, ido).
func (p *pass) run(ch, cc []complex64, l1, ido int, sign float32) {
	var in, out [5]complex64
	for k := range l1 {
		for i := range ido {
			for j := range p.radix {
				in[j] = cc[i+ido*(j+p.radix*k)]
			}
			butterfly(&out, &in, p.radix, sign)
			for j := range p.radix {
				v := out[j]
				if i > 0 && j > 0 {
					v = twiddle(v, p.w[(j-1)*(ido-1)+i-1], sign)
				}
				ch[i+ido*(k+l1*j)] = v
			}
		}
	}
}

// twiddle is v·w for the inverse transform, v·conj(w) for the forward one, without fused operations.
func twiddle(v, w complex64, sign float32) complex64 {
	vr, vi, wr, wi := real(v), imag(v), real(w), imag(w)
	if sign < 0 {
		return complex(float32(vr*wr)+float32(vi*wi), float32(vi*wr)-float32(vr*wi))
	}
	return complex(float32(vr*wr)-float32(vi*wi), float32(vr*wi)+float32(vi*wr))
}

// rotated is v·i·sign.
func rotated(v complex64, sign float32) complex64 {
	if sign < 0 {
		return complex(imag(v), -real(v))
	}
	return complex(-imag(v), real(v))
}

func butterfly(out, in *[5]complex64, radix int, sign float32) {
	switch radix {
	case 2:
		out[0], out[1] = in[0]+in[1], in[0]-in[1]
	case 3:
		sum, diff := in[1]+in[2], in[1]-in[2]
		out[0] = in[0] + sum
		a := in[0] + scaled(sum, -0.5)
		b := rotated(scaled(diff, float32(0.86602540378443864676)), sign)
		out[1], out[2] = a+b, a-b
	case 4:
		t2, t1 := in[0]+in[2], in[0]-in[2]
		t3, t4 := in[1]+in[3], rotated(in[1]-in[3], sign)
		out[0], out[2] = t2+t3, t2-t3
		out[1], out[3] = t1+t4, t1-t4
	case 5:
		butterfly5(out, in, sign)
	}
}

func scaled(v complex64, f float32) complex64 { return complex(real(v)*f, imag(v)*f) }

func butterfly5(out, in *[5]complex64, sign float32) {
	const (
		r1, i1 = float32(0.3090169943749474241), float32(0.95105651629515357212)
		r2, i2 = float32(-0.8090169943749474241), float32(0.58778525229247312917)
	)
	t1, t4 := in[1]+in[4], in[1]-in[4]
	t2, t3 := in[2]+in[3], in[2]-in[3]
	out[0] = complex(real(in[0])+real(t1)+real(t2), imag(in[0])+imag(t1)+imag(t2))
	step := func(u, v int, ar, br, ai, bi float32) {
		a := complex(real(in[0])+float32(ar*real(t1))+float32(br*real(t2)), imag(in[0])+float32(ar*imag(t1))+float32(br*imag(t2)))
		b := complex(-(float32(ai*imag(t4)) + float32(bi*imag(t3))), float32(ai*real(t4))+float32(bi*real(t3)))
		out[u], out[v] = a+b, a-b
	}
	step(1, 4, r1, r2, sign*i1, sign*i2)
	step(2, 3, r2, r1, sign*i2, -sign*i1)
}
