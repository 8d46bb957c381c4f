package vec

import "math"

// The polynomials here are near-minimax Chebyshev fits on the intervals their comments name.

const (
	log2e   = float32(math.Log2E)
	ln2High = float32(0.693359375) // 9 bits, so that n·ln2High is exact
	ln2Low  = float32(math.Ln2 - 0.693359375)
	// magic added to and taken from a float below 2^22 rounds it to an integer, ties to even.
	magic = float32(3 << 22)

	expMax = float32(88.72284)   // the largest x with finite e^x
	expMin = float32(-103.97208) // below it e^x rounds to zero
)

// expCore returns e^r·2^n for the reduced argument: p ≈ e^r with |r| ≤ ln 2 / 2, and n.
func expCore(x float32) (p float32, n int32) {
	f := float32(x*log2e+magic) - magic
	r := float32(x-f*ln2High) - f*ln2Low
	p = 0.001392625083*r + 0.008363232884
	p = p*r + 0.04166655421
	p = p*r + 0.1666657667
	p = p*r + 0.5
	p = p*r*r + r + 1
	return p, int32(f)
}

// exp is e^x within 1.1 ULP, gradual underflow included.
func exp(x float32) float32 {
	if !(x <= expMax) {
		if x != x {
			return x
		}
		return float32(math.Inf(1))
	}
	if x < expMin {
		return 0
	}
	p, n := expCore(x)
	h := n >> 1 // two factors, as 2^n itself may be no normal number
	return p * pow2(h) * pow2(n-h)
}

// pow2 is 2^n for -126 ≤ n ≤ 127.
func pow2(n int32) float32 { return math.Float32frombits(uint32(n+127) << 23) }

// expm1 is e^x - 1 within 2 ULP.
func expm1(x float32) float32 {
	if x > -0.5 && x < 0.5 {
		p := 0.0001994487444*x + 0.001398218605
		p = p*x + 0.008333236134
		p = p*x + 0.04166579123
		p = p*x + 0.166666668
		p = p*x + 0.5000000122
		return p*x*x + x
	}
	return exp(x) - 1
}

// log is the natural logarithm within 1 ULP: log of zero is -Inf, of a negative number NaN.
func log(x float32) float32 {
	switch {
	case !(x > 0):
		if x == 0 {
			return float32(math.Inf(-1))
		}
		return float32(math.NaN())
	case x > math.MaxFloat32:
		return x
	}
	n := int32(0)
	if x < 0x1p-126 {
		x *= 0x1p23
		n = -23
	}
	// x = (1+f)·2^n with 1+f in [√½, √2)
	b := math.Float32bits(x) + (0x3F800000 - 0x3F3504F3)
	n += int32(b>>23) - 127
	f := math.Float32frombits(b&0x007FFFFF+0x3F3504F3) - 1
	p := 0.06971611471*f - 0.1147973385
	p = p*f + 0.1168541992
	p = p*f - 0.1242568733
	p = p*f + 0.1424905765
	p = p*f - 0.1666780232
	p = p*f + 0.2000071575
	p = p*f - 0.2499999696
	p = p*f + 0.3333333118
	s := f * f
	e := float32(n)
	return p*s*f + e*ln2Low - 0.5*s + f + e*ln2High
}

// tanh is the hyperbolic tangent within 3 ULP.
func tanh(x float32) float32 {
	t := abs(x)
	if t < 0.625 {
		s := x * x
		p := -0.006096714166*s + 0.020997179
		p = p*s - 0.05385090958
		p = p*s + 0.1333276974
		p = p*s - 0.3333332894
		return p*s*x + x
	}
	if t > 9.1 {
		return copysign(1, x)
	}
	return copysign(1-2/(exp(2*t)+1), x) // NaN included
}

// sigmoid is 1/(1+e^-x) within 3 ULP.
func sigmoid(x float32) float32 {
	e := exp(-abs(x))
	if x < 0 {
		return e / (1 + e)
	}
	return 1 / (1 + e)
}

// erfc is the complementary error function for t ≥ 0.9 within a few ULP. sq is t² in double precision: e^-t² is
// sensitive to it.
func erfc(t float32, sq float64) float32 {
	u := 2 / (2 + t)
	p := 0.06650230191*u - 0.1382166393
	p = p*u - 0.03982159241
	p = p*u + 0.1552420724
	p = p*u + 0.1347903962
	p = p*u + 0.2596765127
	p = p*u + 0.2798217699
	p = p*u + 0.2823117425
	p = p*u - 8.659744774e-6
	hi := float32(sq)
	lo := float32(sq - float64(hi))
	return exp(-hi) * (1 - lo) * p
}

// erf is the error function within 2 ULP.
func erf(x float32) float32 {
	t := abs(x)
	if t < 0.92 {
		return erfSmall(x)
	}
	if t > 4 {
		return copysign(1, x)
	}
	return copysign(1-erfc(t, float64(t)*float64(t)), x) // NaN included
}

// erfSmall is the error function for |x| ≤ 0.95.
func erfSmall(x float32) float32 {
	s := x * x
	p := -0.0005876505632*s + 0.004970797457
	p = p*s - 0.02675150035
	p = p*s + 0.112814073
	p = p*s - 0.3761245598
	p = p*s + 0.1283791442
	return p*x + x
}

// gelu is x·Φ(x) = x/2·(1 + erf(x/√2)); negative x lose no digits to cancellation.
func gelu(x float32) float32 {
	t := x * float32(1/math.Sqrt2)
	sq := float64(x) * float64(x) / 2
	switch a := abs(t); {
	case a < 0.92:
		return 0.5 * x * (1 + erfSmall(t))
	case a > 10:
		if x > 0 {
			return x
		}
		return 0
	case x < 0:
		return 0.5 * x * erfc(a, sq)
	default:
		return 0.5 * x * (2 - erfc(a, sq)) // NaN included
	}
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// copysign returns x, which is not negative, with the sign of y.
func copysign(x, y float32) float32 {
	return math.Float32frombits(math.Float32bits(x) | math.Float32bits(y)&(1<<31))
}
