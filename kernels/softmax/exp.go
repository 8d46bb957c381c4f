package softmax

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/cpu"
	"github.com/sardonyx-ml/sardonyx/kernels/vec"
)

// ExpSub sets y[i] = exp(x[i]-m) and returns the sum of y. y may be x; the lengths must be equal. Float32 results are
// within 2 ULP; NaN stays NaN.
func ExpSub[T Float](y, x []T, m T) T {
	if len(y) != len(x) {
		panic("softmax.ExpSub: lengths differ")
	}
	switch x := any(x).(type) {
	case []float32:
		return T(expSub32(any(y).([]float32), x, float32(m)))
	case []float64:
		return T(expSub64(any(y).([]float64), x, float64(m)))
	}
	panic("softmax.ExpSub: element type")
}

func expSub32(y, x []float32, m float32) float32 {
	if cpu.AVX2 {
		return vec.ExpSub(y, x, m)
	}
	y = y[:len(x)]
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a, b, c, d := exp32(x[i]-m), exp32(x[i+1]-m), exp32(x[i+2]-m), exp32(x[i+3]-m)
		y[i], y[i+1], y[i+2], y[i+3] = a, b, c, d
		s0, s1, s2, s3 = s0+a, s1+b, s2+c, s3+d
	}
	for ; i < len(x); i++ {
		y[i] = exp32(x[i] - m)
		s0 += y[i]
	}
	return (s0 + s1) + (s2 + s3)
}

func expSub64(y, x []float64, m float64) float64 {
	y = y[:len(x)]
	var s float64
	for i, v := range x {
		y[i] = math.Exp(v - m)
		s += y[i]
	}
	return s
}

// Exp returns e**x within 2 ULP for float32.
func Exp[T Float](x T) T {
	if v, ok := any(x).(float32); ok {
		return T(exp32(v))
	}
	return T(math.Exp(float64(x)))
}

// exp32 reduces x to r = x - k·ln2 with |r| ≤ ln2/2 and takes a polynomial of degree 6 in r, which is then scaled by 2^k in two
// steps, so that subnormal results round once and large ones become infinite.
func exp32(x float32) float32 {
	const (
		log2e = 1.44269504088896341
		ln2hi = 0.693359375
		ln2lo = -2.12194440e-4
	)
	switch {
	case x != x:
		return x
	case x > 88.8:
		return float32(math.Inf(1))
	case x < -104:
		return 0
	}
	k := x*log2e + 0x1.8p23 // rounds to the nearest integer in the low bits
	n := int32(math.Float32bits(k)) - 0x4B400000
	k -= 0x1.8p23
	r := x - k*ln2hi - k*ln2lo
	p := float32(1.9875691500e-4)
	p = p*r + 1.3981999507e-3
	p = p*r + 8.3334519073e-3
	p = p*r + 4.1665795894e-2
	p = p*r + 1.6666665459e-1
	p = p*r + 5.0000001201e-1
	p = p*r*r + r + 1
	h := n >> 1
	return p * math.Float32frombits(uint32(h+127)<<23) * math.Float32frombits(uint32(n-h+127)<<23)
}
