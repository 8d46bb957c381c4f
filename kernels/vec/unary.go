package vec

import "math"

// Exp sets dst[i] = e^x[i].
func Exp(dst, x []float32) {
	check(len(dst), len(x))
	if len(x) > 0 && expVec(dst, x) {
		return
	}
	for i, v := range x {
		dst[i] = exp(v)
	}
}

// Log sets dst[i] = ln x[i].
func Log(dst, x []float32) {
	check(len(dst), len(x))
	if len(x) > 0 && logVec(dst, x) {
		return
	}
	for i, v := range x {
		dst[i] = log(v)
	}
}

// Tanh sets dst[i] = tanh x[i].
func Tanh(dst, x []float32) {
	check(len(dst), len(x))
	if len(x) > 0 && tanhVec(dst, x) {
		return
	}
	for i, v := range x {
		dst[i] = tanh(v)
	}
}

// Sigmoid sets dst[i] = 1/(1+e^-x[i]).
func Sigmoid(dst, x []float32) {
	check(len(dst), len(x))
	if len(x) > 0 && sigmoidVec(dst, x) {
		return
	}
	for i, v := range x {
		dst[i] = sigmoid(v)
	}
}

// Erf sets dst[i] = erf x[i].
func Erf(dst, x []float32) {
	check(len(dst), len(x))
	if len(x) > 0 && erfVec(dst, x) {
		return
	}
	for i, v := range x {
		dst[i] = erf(v)
	}
}

// Gelu sets dst[i] = x[i]/2·(1 + erf(x[i]/√2)).
func Gelu(dst, x []float32) {
	check(len(dst), len(x))
	if len(x) > 0 && geluVec(dst, x) {
		return
	}
	for i, v := range x {
		dst[i] = gelu(v)
	}
}

// GeluTanh sets dst[i] = x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))) = x·sigmoid(2·√(2/π)·(x + 0.044715·x³)).
func GeluTanh(dst, x []float32) {
	check(len(dst), len(x))
	if len(x) > 0 && geluTanhVec(dst, x) {
		return
	}
	const k = float32(2 * 0.7978845608028654)
	for i, v := range x {
		dst[i] = v * sigmoid(k*(v+0.044715*v*v*v))
	}
}

// Swish sets dst[i] = x[i]·sigmoid(alpha·x[i]).
func Swish(dst, x []float32, alpha float32) {
	check(len(dst), len(x))
	if len(x) > 0 && swishVec(dst, x, alpha) {
		return
	}
	for i, v := range x {
		dst[i] = v * sigmoid(alpha*v)
	}
}

// SwiGLU sets dst[i] = a[i]·sigmoid(alpha·a[i])·b[i].
func SwiGLU(dst, a, b []float32, alpha float32) {
	check(len(dst), len(a))
	check(len(dst), len(b))
	if len(a) > 0 && swiGLUVec(dst, a, b, alpha) {
		return
	}
	for i, v := range a {
		dst[i] = v * sigmoid(alpha*v) * b[i]
	}
}

// Mish sets dst[i] = x·tanh(ln(1+e^x)), as x·(e²+2e)/(e²+2e+2) with e = e^x.
func Mish(dst, x []float32) {
	check(len(dst), len(x))
	for i, v := range x {
		if v > 20 { // the quotient rounds to 1
			dst[i] = v
			continue
		}
		e := exp(v)
		e = e * (e + 2)
		dst[i] = v * (e / (e + 2))
	}
}

// Softplus sets dst[i] = ln(1+e^x[i]).
func Softplus(dst, x []float32) {
	check(len(dst), len(x))
	for i, v := range x {
		e := exp(-abs(v))
		l := float32(math.Log1p(float64(e)))
		if v > 0 {
			l += v
		}
		dst[i] = l
	}
}

// Elu sets dst[i] = gamma·x for x > 0, else gamma·alpha·(e^(x·beta)-1). It is Elu (gamma, beta = 1), Selu (beta = 1)
// and Celu (gamma = 1, beta = 1/alpha).
func Elu(dst, x []float32, alpha, beta, gamma float32) {
	check(len(dst), len(x))
	ga := gamma * alpha
	for i, v := range x {
		if v > 0 {
			dst[i] = gamma * v
		} else {
			dst[i] = ga * expm1(v*beta)
		}
	}
}

// Relu sets dst[i] = max(x[i], 0); NaN stays NaN.
func Relu[T Number](dst, x []T) {
	check(len(dst), len(x))
	if d, ok := any(dst).([]float32); ok && len(d) > 0 && reluVec(d, any(x).([]float32)) {
		return
	}
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		dst[i] = v
	}
}

// LeakyRelu sets dst[i] = x[i], times alpha where it is negative.
func LeakyRelu[T float32 | float64](dst, x []T, alpha T) {
	check(len(dst), len(x))
	if d, ok := any(dst).([]float32); ok && len(d) > 0 && leakyReluVec(d, any(x).([]float32), float32(alpha)) {
		return
	}
	for i, v := range x {
		if v < 0 {
			v *= alpha
		}
		dst[i] = v
	}
}

// PRelu sets dst[i] = x[i], times slope[i] where it is negative.
func PRelu[T Number](dst, x, slope []T) {
	check(len(dst), len(x))
	check(len(dst), len(slope))
	for i, v := range x {
		if v < 0 {
			v *= slope[i]
		}
		dst[i] = v
	}
}

// HardSigmoid sets dst[i] = max(0, min(1, alpha·x[i] + beta)); NaN stays NaN.
func HardSigmoid[T float32 | float64](dst, x []T, alpha, beta T) {
	check(len(dst), len(x))
	for i, v := range x {
		v = alpha*v + beta
		if v < 0 {
			v = 0
		}
		if v > 1 {
			v = 1
		}
		dst[i] = v
	}
}

// HardSwish sets dst[i] = x[i]·max(0, min(1, x[i]/6 + ½)).
func HardSwish[T float32 | float64](dst, x []T) {
	check(len(dst), len(x))
	for i, v := range x {
		g := v/6 + 0.5
		if g < 0 {
			g = 0
		}
		if g > 1 {
			g = 1
		}
		dst[i] = v * g
	}
}

// Softsign sets dst[i] = x[i]/(1+|x[i]|).
func Softsign[T float32 | float64](dst, x []T) {
	check(len(dst), len(x))
	for i, v := range x {
		if v < 0 {
			dst[i] = v / (1 - v)
		} else {
			dst[i] = v / (1 + v)
		}
	}
}

// Sqrt sets dst[i] = √x[i].
func Sqrt(dst, x []float32) {
	check(len(dst), len(x))
	if len(x) > 0 && sqrtVec(dst, x) {
		return
	}
	for i, v := range x {
		dst[i] = float32(math.Sqrt(float64(v)))
	}
}

// Abs sets dst[i] = |x[i]|; the most negative integer stays what it is.
func Abs[T Number](dst, x []T) {
	check(len(dst), len(x))
	if d, ok := any(dst).([]float32); ok && len(d) > 0 && absVec(d, any(x).([]float32)) {
		return
	}
	for i, v := range x {
		if v <= 0 {
			v = 0 - v // and not -v, which makes -0 of 0
		}
		dst[i] = v
	}
}

// Neg sets dst[i] = -x[i].
func Neg[T Number](dst, x []T) {
	check(len(dst), len(x))
	for i, v := range x {
		dst[i] = -v
	}
}

// Floor sets dst[i] to the largest integer not above x[i].
func Floor(dst, x []float32) { Map(dst, x, math.Floor) }

// Ceil sets dst[i] to the smallest integer not below x[i].
func Ceil(dst, x []float32) { Map(dst, x, math.Ceil) }

// Round sets dst[i] to the integer nearest to x[i], ties to even.
func Round(dst, x []float32) {
	check(len(dst), len(x))
	for i, v := range x {
		if a := abs(v); a < 1<<23 {
			v = copysign(float32(a+1<<23)-1<<23, v)
		}
		dst[i] = v
	}
}

// Map sets dst[i] = f(x[i]), computed in double precision.
func Map[T float32 | float64](dst, x []T, f func(float64) float64) {
	check(len(dst), len(x))
	for i, v := range x {
		dst[i] = T(f(float64(v)))
	}
}
