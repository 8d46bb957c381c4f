// Command vec writes the vector kernels of package vec.
package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func main() {
	ConstraintExpr("!purego")
	x := []arg{{"x", false}}
	xs := []arg{{"x", false}, {"s", true}}
	xy := []arg{{"x", false}, {"y", false}}
	xys := []arg{{"x", false}, {"y", false}, {"s", true}}

	elementwise("add", "sets dst[i] = x[i] + y[i].", 4, xy, func(s isa, in []V) V { return s.add(in[1], in[0]) })
	elementwise("sub", "sets dst[i] = x[i] - y[i].", 4, xy, func(s isa, in []V) V { return s.sub(in[1], in[0]) })
	elementwise("mul", "sets dst[i] = x[i] · y[i].", 4, xy, func(s isa, in []V) V { return s.mul(in[1], in[0]) })
	elementwise("div", "sets dst[i] = x[i] / y[i].", 4, xy, func(s isa, in []V) V { return s.div(in[1], in[0]) })
	elementwise("addScalar", "sets dst[i] = x[i] + s.", 4, xs, func(s isa, in []V) V { return s.add(in[1], in[0]) })
	elementwise("mulScalar", "sets dst[i] = x[i] · s.", 4, xs, func(s isa, in []V) V { return s.mul(in[1], in[0]) })
	elementwise("scalarSub", "sets dst[i] = s - x[i].", 4, xs, func(s isa, in []V) V { return s.sub(in[0], in[1]) })
	elementwise("divScalar", "sets dst[i] = x[i] / s.", 4, xs, func(s isa, in []V) V { return s.div(in[1], in[0]) })
	elementwise("scalarDiv", "sets dst[i] = s / x[i].", 4, xs, func(s isa, in []V) V { return s.div(in[0], in[1]) })
	elementwise("axpy", "sets dst[i] = x[i] + s · y[i].", 4, xys, func(s isa, in []V) V { return s.fma(in[0], in[2], in[1]) })
	elementwise("maximum", "sets dst[i] to the larger of x[i] and y[i], NaN if one is NaN.", 4, xy, func(s isa, in []V) V {
		return s.ifNaN(in[0], in[0], s.max(in[1], in[0]))
	})
	elementwise("minimum", "sets dst[i] to the smaller of x[i] and y[i], NaN if one is NaN.", 4, xy, func(s isa, in []V) V {
		return s.ifNaN(in[0], in[0], s.min(in[1], in[0]))
	})
	elementwise("relu", "sets dst[i] = max(x[i], 0); NaN stays NaN.", 4, x, func(s isa, in []V) V {
		return s.max(in[0], s.load(f(0)))
	})
	elementwise("clip", "sets dst[i] = min(max(x[i], lo), hi); NaN stays NaN.", 4, []arg{{"x", false}, {"lo", true}, {"hi", true}}, func(s isa, in []V) V {
		return s.min(s.max(in[0], in[1]), in[2])
	})
	elementwise("leakyRelu", "sets dst[i] = x[i], times s where x[i] is negative.", 4, xs, func(s isa, in []V) V {
		return s.ifNegative(in[0], s.mul(in[0], in[1]), in[0])
	})
	elementwise("sqrt", "sets dst[i] = √x[i].", 2, x, func(s isa, in []V) V { r := s.v(); VSQRTPS(in[0], r); return r })
	elementwise("abs", "sets dst[i] = |x[i]|.", 4, x, func(s isa, in []V) V { return s.abs(in[0]) })

	elementwise("exp", "sets dst[i] = e^x[i].", 1, x, func(s isa, in []V) V { return s.exp(in[0]) })
	elementwise("log", "sets dst[i] = ln x[i].", 1, x, func(s isa, in []V) V { return s.log(in[0]) })
	elementwise("tanh", "sets dst[i] = tanh x[i].", 1, x, func(s isa, in []V) V { return s.tanh(in[0]) })
	elementwise("sigmoid", "sets dst[i] = 1/(1+e^-x[i]).", 1, x, func(s isa, in []V) V { return s.sigmoid(in[0]) })
	elementwise("erf", "sets dst[i] = erf x[i].", 1, x, func(s isa, in []V) V { return s.erf(in[0]) })
	elementwise("gelu", "sets dst[i] = x[i]/2·(1 + erf(x[i]/√2)).", 1, x, func(s isa, in []V) V { return s.gelu(in[0]) })
	elementwise("geluTanh", "sets dst[i] = x·sigmoid(2·√(2/π)·(x + 0.044715·x³)).", 1, x, func(s isa, in []V) V {
		x := in[0]
		cube := s.mul(s.mul(x, x), x)
		VFMADD132PS(f(0.044715), x, cube)
		return s.mul(x, s.sigmoid(s.mul(f(2*0.7978845608028654), cube)))
	})
	elementwise("swish", "sets dst[i] = x[i]·sigmoid(s·x[i]).", 1, xs, func(s isa, in []V) V {
		return s.mul(in[0], s.sigmoid(s.mul(in[1], in[0])))
	})
	elementwise("swiGLU", "sets dst[i] = x[i]·sigmoid(s·x[i])·y[i].", 1, xys, func(s isa, in []V) V {
		return s.mul(in[1], s.mul(in[0], s.sigmoid(s.mul(in[2], in[0]))))
	})
	elementwise("layer", "sets dst[i] = (x[i]-m)·a·scale[i] + bias[i].", 2, []arg{{"x", false}, {"scale", false}, {"bias", false}, {"m", true}, {"a", true}}, func(s isa, in []V) V {
		return s.fma(in[2], in[1], s.mul(in[4], s.sub(in[3], in[0])))
	})
	elementwise("rms", "sets dst[i] = x[i]·a·scale[i].", 2, []arg{{"x", false}, {"scale", false}, {"a", true}}, func(s isa, in []V) V {
		return s.mul(in[1], s.mul(in[2], in[0]))
	})
	reductions()
	dispatch()
	Generate()
}

// exp is e^x: 2^n·e^r with |r| ≤ ln 2 / 2, and 2^n in two factors, as it may be no normal number itself.
func (s isa) exp(x V) V {
	x = s.min(x, s.load(f(88.8))) // NaN stays: the second source wins
	x = s.max(x, s.load(f(-104)))
	n := s.load(f(math.Log2E))
	n = s.fma(f(3<<22), x, n)
	n = s.sub(f(3<<22), n)
	r := s.copy(x)
	VFNMADD231PS(f(0.693359375), n, r)
	VFNMADD231PS(f(math.Ln2-0.693359375), n, r)
	p := s.poly(r, 0.001392625083, 0.008363232884, 0.04166655421, 0.1666657667, 0.5)
	p = s.fma(r, s.mul(r, r), p)
	p = s.add(f(1), p)
	i, h := s.v(), s.v()
	VCVTPS2DQ(n, i)
	VPSRAD(U8(1), i, h)
	VPSUBD(h, i, i)
	for _, e := range []V{h, i} {
		if s.wide() {
			VPADDD(bits(127), e, e)
		} else {
			VPADDD(bits(127), e, e)
		}
		VPSLLD(U8(23), e, e)
		p = s.mul(e, p)
	}
	return p
}

// log is ln x: n·ln 2 + ln(1+f) with 1+f in [√½, √2).
func (s isa) log(x V) V {
	tiny := s.v() // subnormal numbers are scaled up first
	VMULPS(f(0x1p23), x, tiny)
	y := s.ifLess(x, f(0x1p-126), tiny, x)
	zero, scale := s.load(f(0)), s.load(f(-23))
	n0 := s.ifLess(x, f(0x1p-126), scale, zero)
	b := s.v()
	VPADDD(bits(0x3F800000-0x3F3504F3), y, b)
	e := s.v()
	VPSRLD(U8(23), b, e)
	VPSUBD(bits(127), e, e)
	VCVTDQ2PS(e, e)
	e = s.add(n0, e)
	m := s.and(bits(0x007FFFFF), b)
	VPADDD(bits(0x3F3504F3), m, m)
	g := s.sub(f(1), m)
	p := s.poly(g, 0.06971611471, -0.1147973385, 0.1168541992, -0.1242568733, 0.1424905765, -0.1666780232, 0.2000071575, -0.2499999696, 0.3333333118)
	q := s.mul(g, g)
	p = s.mul(s.mul(q, g), p)
	VFMADD231PS(f(math.Ln2-0.693359375), e, p)
	VFNMADD231PS(f(0.5), q, p)
	p = s.add(g, p)
	VFMADD231PS(f(0.693359375), e, p)
	// x = 0: -Inf; x < 0 or NaN: NaN; x = Inf: Inf.
	p = s.ifLess(x, f(math.Inf(1)), p, x)
	bad := s.load(bits(0x7FC00000))
	p = s.ifLess(x, f(0), bad, p)
	return s.ifZero(x, s.load(f(math.Inf(-1))), p)
}

// ifZero picks a where x is ±0, else b.
func (s isa) ifZero(x, a, b V) V {
	r := s.v()
	if s.wide() {
		k := K()
		VCMPPS(U8(0), f(0), x, k)
		VBLENDMPS(a, b, k, r)
		return r
	}
	c := s.v()
	VCMPPS(U8(0), f(0), x, c)
	VBLENDVPS(c, a, b, r)
	return r
}

func (s isa) tanh(x V) V {
	t, sign := s.abs(x), s.sign(x)
	e := s.add(f(1), s.exp(s.add(t, t)))
	big := s.sub(s.div(e, s.load(f(2))), s.load(f(1)))
	big = s.or(sign, big)
	q := s.mul(x, x)
	p := s.poly(q, -0.006096714166, 0.020997179, -0.05385090958, 0.1333276974, -0.3333332894)
	p = s.fma(x, s.mul(q, x), p)
	return s.ifLess(t, f(0.625), p, big)
}

// sigmoid is 1/(1+e^-x), from e^-|x|, which cannot overflow.
func (s isa) sigmoid(x V) V {
	e := s.exp(s.or(bits(0x80000000), x))
	one := s.load(f(1))
	num := s.ifNegative(x, e, one)
	return s.div(s.add(one, e), num)
}

// erfc is the complementary error function for t ≥ 0.9, given hi + lo = t².
func (s isa) erfc(t, hi, lo V) V {
	u := s.div(s.add(f(2), t), s.load(f(2)))
	p := s.poly(u, 0.06650230191, -0.1382166393, -0.03982159241, 0.1552420724, 0.1347903962, 0.2596765127, 0.2798217699, 0.2823117425, -8.659744774e-6)
	VFNMADD231PS(lo, p, p) // p·(1 - lo)
	neg := s.v()
	VXORPS(bits(0x80000000), hi, neg)
	return s.mul(p, s.exp(neg))
}

// erfSmall is the error function for |x| ≤ 0.95.
func (s isa) erfSmall(x V) V {
	q := s.mul(x, x)
	p := s.poly(q, -0.0005876505632, 0.004970797457, -0.02675150035, 0.112814073, -0.3761245598, 0.1283791442)
	return s.fma(x, x, p)
}

// square returns t² as a rounded product and its rest.
func (s isa) square(a, b V) (hi, lo V) {
	hi = s.mul(a, b)
	lo = s.copy(a)
	VFMSUB213PS(hi, b, lo)
	return hi, lo
}

func (s isa) erf(x V) V {
	t := s.abs(x)
	t = s.min(t, s.load(f(10)))
	hi, lo := s.square(t, t)
	big := s.sub(s.erfc(t, hi, lo), s.load(f(1)))
	big = s.or(s.sign(x), big)
	small := s.erfSmall(x)
	return s.ifLess(t, f(0.92), small, big)
}

// gelu is x/2·erfc(-x/√2); for negative x that loses no digits to cancellation.
func (s isa) gelu(x V) V {
	half := s.mul(f(0.5), s.max(x, s.load(f(-15)))) // -Inf · 0 is no number
	c := s.max(s.min(x, s.load(f(15))), s.load(f(-15)))
	t := s.mul(f(1/math.Sqrt2), c)
	a := s.abs(t)
	hi, lo := s.square(s.mul(f(0.5), c), c)
	e := s.erfc(a, hi, lo)
	pos := s.sub(e, s.load(f(2)))
	e = s.ifNegative(x, e, pos)
	small := s.add(f(1), s.erfSmall(t))
	e = s.ifLess(a, f(0.92), small, e)
	return s.mul(half, e)
}
