// Package fft computes discrete Fourier transforms of any length: mixed radices for lengths of small prime factors, and
// Bluestein's algorithm for all others.
package fft

import (
	"math"
	"math/bits"
	"math/cmplx"
)

// Plan holds the tables for one length. It may be used from many goroutines, each with its own Work.
type Plan struct {
	n       int
	factors []int
	w       []complex128 // exp(-2πik/n)
	// Bluestein's algorithm: a convolution of length pad.n with the chirp.
	pad      *Plan
	chirp    []complex128 // exp(-πik²/n)
	spectrum []complex128 // transform of the conjugate chirp, wrapped around
}

// Work is the scratch memory of a transform.
type Work struct{ a, b []complex128 }

// maxFactor is the largest prime factor that is transformed directly.
const maxFactor = 13

// NewPlan returns a plan for n ≥ 1.
func NewPlan(n int) *Plan {
	p := &Plan{n: n}
	rest := n
	for _, f := range []int{4, 2, 3, 5, 7, 11, maxFactor} {
		for rest%f == 0 {
			p.factors = append(p.factors, f)
			rest /= f
		}
	}
	if rest > 1 {
		p.bluestein()
		return p
	}
	p.w = make([]complex128, n)
	for k := range p.w {
		p.w[k] = root(k, n)
	}
	return p
}

// root is exp(-2πik/n).
func root(k, n int) complex128 {
	s, c := math.Sincos(-2 * math.Pi * float64(k) / float64(n))
	return complex(c, s)
}

func (p *Plan) bluestein() {
	m := 1 << bits.Len(uint(2*p.n-2))
	p.pad = NewPlan(m)
	p.chirp = make([]complex128, p.n)
	b := make([]complex128, m)
	at := 0 // k² mod 2n
	for k := range p.chirp {
		p.chirp[k] = root(at, 2*p.n)
		b[k] = cmplx.Conj(p.chirp[k])
		b[(m-k)%m] = b[k]
		at = (at + 2*k + 1) % (2 * p.n)
	}
	p.spectrum = make([]complex128, m)
	p.pad.Transform(p.spectrum, b, &Work{})
}

// Transform sets dst[k] to the sum over j of src[j]·exp(-2πijk/n). Both have length n and must not overlap.
func (p *Plan) Transform(dst, src []complex128, work *Work) {
	if len(dst) != p.n || len(src) != p.n {
		panic("fft: wrong length")
	}
	if p.pad == nil {
		p.recurse(dst, src, p.n, 1, p.factors)
		return
	}
	m := p.pad.n
	if len(work.a) < m {
		work.a, work.b = make([]complex128, m), make([]complex128, m)
	}
	a, b := work.a[:m], work.b[:m]
	clear(a[p.n:])
	for k, v := range src {
		a[k] = v * p.chirp[k]
	}
	p.pad.Transform(b, a, nil)
	for k, v := range b {
		b[k] = cmplx.Conj(v * p.spectrum[k])
	}
	p.pad.Transform(a, b, nil)
	scale := complex(1/float64(m), 0)
	for k := range dst {
		dst[k] = cmplx.Conj(a[k]) * scale * p.chirp[k]
	}
}

// recurse transforms the n elements src[0], src[stride], … into dst by decimation in time.
func (p *Plan) recurse(dst, src []complex128, n, stride int, factors []int) {
	if n == 1 {
		dst[0] = src[0]
		return
	}
	r := factors[0]
	m := n / r
	for k := range r {
		p.recurse(dst[k*m:(k+1)*m], src[k*stride:], m, stride*r, factors[1:])
	}
	switch r {
	case 2:
		p.radix2(dst, m, stride)
	case 4:
		p.radix4(dst, m, stride)
	default:
		p.radix(dst, r, m, stride)
	}
}

func (p *Plan) radix2(x []complex128, m, stride int) {
	for j := range m {
		a, b := x[j], x[m+j]*p.w[j*stride]
		x[j], x[m+j] = a+b, a-b
	}
}

func (p *Plan) radix4(x []complex128, m, stride int) {
	for j := range m {
		a := x[j]
		b := x[m+j] * p.w[j*stride]
		c := x[2*m+j] * p.w[2*j*stride]
		d := x[3*m+j] * p.w[3*j*stride]
		s, t := a+c, a-c
		u, v := b+d, b-d
		v = complex(imag(v), -real(v)) // -i·v
		x[j], x[m+j], x[2*m+j], x[3*m+j] = s+u, t+v, s-u, t-v
	}
}

func (p *Plan) radix(x []complex128, r, m, stride int) {
	var t [maxFactor]complex128
	for j := range m {
		for k := range r {
			t[k] = x[k*m+j] * p.w[k*j*stride]
		}
		for q := range r {
			s := t[0]
			for k := 1; k < r; k++ {
				s += t[k] * p.w[k*q%r*m*stride]
			}
			x[q*m+j] = s
		}
	}
}
