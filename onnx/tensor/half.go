package tensor

import "math"

// The low-precision floating-point formats, one Go type each. Conversions round to nearest, ties to even.
type (
	F16        uint16 // IEEE 754 binary16
	BF16       uint16 // bfloat16
	F8E4M3FN   uint8  // 4 exponent bits, no infinities, NaN is 0x7F and 0xFF
	F8E4M3FNUZ uint8  // 4 exponent bits, bias 8, one zero, NaN is 0x80
	F8E5M2     uint8  // 5 exponent bits, IEEE-like with infinities
	F8E5M2FNUZ uint8  // 5 exponent bits, bias 16, one zero, NaN is 0x80
	F8E8M0     uint8  // power-of-two scale 2^(v-127), NaN is 0xFF
)

// Float32 converts exactly. The multiplication moves the exponent and normalizes subnormal numbers.
func (h F16) Float32() float32 {
	f := math.Float32frombits(uint32(h&0x7FFF)<<13) * 0x1p112
	b := math.Float32bits(f) | uint32(h&0x8000)<<16
	if h&0x7C00 == 0x7C00 {
		b |= 0x7F800000
	}
	return math.Float32frombits(b)
}

// ToF16 rounds f to the nearest binary16, ties to even; values out of range become infinities.
func ToF16(f float32) F16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7FFFFFFF
	switch {
	case b > 0x7F800000: // NaN, kept quiet
		return F16(sign | 0x7E00 | uint16(b>>13)&0x3FF)
	case b >= 0x477FF000: // rounds to 65536 or more
		return F16(sign | 0x7C00)
	case b < 0x38800000: // subnormal result: adding 0.5 aligns the mantissa and rounds in hardware
		v := math.Float32frombits(b) + 0.5
		return F16(sign | uint16(math.Float32bits(v)-0x3F000000))
	}
	b += 0xFFF + b>>13&1 - 112<<23
	return F16(sign | uint16(b>>13))
}

// ToF16From64 rounds a float64 to the nearest binary16 without rounding twice.
func ToF16From64(f float64) F16 { return ToF16(roundOdd(f)) }

// Float32 converts exactly.
func (h BF16) Float32() float32 { return math.Float32frombits(uint32(h) << 16) }

// ToBF16 rounds f to the nearest bfloat16, ties to even.
func ToBF16(f float32) BF16 {
	b := math.Float32bits(f)
	if b&0x7FFFFFFF > 0x7F800000 {
		return BF16(b>>16 | 0x40)
	}
	return BF16((b + 0x7FFF + b>>16&1) >> 16)
}

// ToBF16From64 rounds a float64 to the nearest bfloat16 without rounding twice.
func ToBF16From64(f float64) BF16 { return ToBF16(roundOdd(f)) }

// roundOdd narrows f to float32 so that rounding the result again to at most 22 mantissa bits is correct: an inexact
// result gets an odd last bit.
func roundOdd(f float64) float32 {
	g := float32(f)
	if float64(g) == f || f != f || math.IsInf(float64(g), 0) && math.Abs(f) > math.MaxFloat32*(1+0x1p-25) {
		return g
	}
	b := math.Float32bits(g)
	if math.Abs(float64(g)) > math.Abs(f) {
		b-- // truncate towards zero first
	}
	return math.Float32frombits(b | 1)
}

// float8 describes an 8-bit (or narrower) format for the table-driven codec.
type float8 struct {
	expBits, manBits, bias int
	inf, fnuz              bool // has infinities; one zero and NaN = 0x80
	width                  int
}

var (
	e4m3fn   = float8{4, 3, 7, false, false, 8}
	e4m3fnuz = float8{4, 3, 8, false, true, 8}
	e5m2     = float8{5, 2, 15, true, false, 8}
	e5m2fnuz = float8{5, 2, 16, false, true, 8}
	e2m1     = float8{2, 1, 1, false, false, 4}

	e4m3fnTab, e4m3fnuzTab, e5m2Tab, e5m2fnuzTab, e2m1Tab = e4m3fn.table(), e4m3fnuz.table(), e5m2.table(), e5m2fnuz.table(), e2m1.table()
)

func (f float8) table() (t [256]float32) {
	for i := range 1 << f.width {
		t[i] = f.decode(uint8(i))
	}
	return t
}

func (f float8) decode(v uint8) float32 {
	sign := float32(1)
	if v>>(f.width-1) != 0 {
		sign = -1
	}
	mag := int(v) & (1<<(f.width-1) - 1)
	exp, man := mag>>f.manBits, mag&(1<<f.manBits-1)
	switch {
	case f.fnuz && v == 0x80:
		return float32(math.NaN())
	case f.inf && exp == 1<<f.expBits-1:
		if man == 0 {
			return float32(math.Inf(int(sign)))
		}
		return float32(math.NaN())
	case f.width == 8 && !f.fnuz && !f.inf && mag == 0x7F:
		return float32(math.NaN())
	case exp == 0:
		if man == 0 && sign < 0 {
			return float32(math.Copysign(0, -1))
		}
		return sign * float32(math.Ldexp(float64(man), 1-f.bias-f.manBits))
	}
	return sign * float32(math.Ldexp(float64(man|1<<f.manBits), exp-f.bias-f.manBits))
}

// maxMag is the code of the largest finite magnitude.
func (f float8) maxMag() int {
	switch {
	case f.inf:
		return (1<<f.expBits-1)<<f.manBits - 1
	case f.width == 8 && !f.fnuz:
		return 0x7E
	}
	return 1<<(f.width-1) - 1
}

// encode rounds x to the format, ties to even. With saturate, magnitudes beyond the largest finite value (infinities
// included) become that value; without, they become infinity or NaN as the format has it
// (https://onnx.ai/onnx/technical/float8.html).
func (f float8) encode(x float32, saturate bool) uint8 {
	b := math.Float32bits(x)
	signBit := uint8(b >> 31 << (f.width - 1))
	b &= 0x7FFFFFFF
	switch {
	case x != x:
		switch {
		case f.fnuz:
			return 0x80
		case f.width == 8:
			return signBit | 0x7F
		}
		return 1 << (f.width - 1) // float4e2m1 has no NaN; the standard's cases for Cast expect -0
	case b == 0x7F800000:
		return f.overflow(signBit, saturate)
	}
	var mag int
	if shift := 23 - f.manBits; b < uint32(128-f.bias)<<23 { // subnormal: the sum's last bit is the format's smallest number
		align := uint32(128-f.bias+shift) << 23
		mag = int(math.Float32bits(math.Float32frombits(b)+math.Float32frombits(align)) - align)
	} else { // a carry out of the mantissa moves into the exponent by itself
		mag = int((b+1<<(shift-1)-1+b>>shift&1)>>shift) - (127-f.bias)<<f.manBits
	}
	if mag > f.maxMag() {
		return f.overflow(signBit, saturate)
	}
	if mag == 0 && f.fnuz {
		return 0
	}
	return signBit | uint8(mag)
}

func (f float8) overflow(signBit uint8, saturate bool) uint8 {
	switch {
	case saturate || f.width < 8:
		return signBit | uint8(f.maxMag())
	case f.fnuz:
		return 0x80
	case f.inf:
		return signBit | 0x7C
	}
	return signBit | 0x7F
}

// Float32 converts exactly.
func (v F8E4M3FN) Float32() float32 { return e4m3fnTab[v] }

// Float32 converts exactly.
func (v F8E4M3FNUZ) Float32() float32 { return e4m3fnuzTab[v] }

// Float32 converts exactly.
func (v F8E5M2) Float32() float32 { return e5m2Tab[v] }

// Float32 converts exactly.
func (v F8E5M2FNUZ) Float32() float32 { return e5m2fnuzTab[v] }

// Float32 converts exactly: 2^(v-127), NaN for 0xFF.
func (v F8E8M0) Float32() float32 {
	if v == 0xFF {
		return float32(math.NaN())
	}
	return float32(math.Ldexp(1, int(v)-127))
}

// ToF8E4M3FN rounds f; see DType.EncodeFloat8 for saturate.
func ToF8E4M3FN(f float32, saturate bool) F8E4M3FN { return F8E4M3FN(e4m3fn.encode(f, saturate)) }

// ToF8E4M3FNUZ rounds f; see DType.EncodeFloat8 for saturate.
func ToF8E4M3FNUZ(f float32, saturate bool) F8E4M3FNUZ {
	return F8E4M3FNUZ(e4m3fnuz.encode(f, saturate))
}

// ToF8E5M2 rounds f; see DType.EncodeFloat8 for saturate.
func ToF8E5M2(f float32, saturate bool) F8E5M2 { return F8E5M2(e5m2.encode(f, saturate)) }

// ToF8E5M2FNUZ rounds f; see DType.EncodeFloat8 for saturate.
func ToF8E5M2FNUZ(f float32, saturate bool) F8E5M2FNUZ {
	return F8E5M2FNUZ(e5m2fnuz.encode(f, saturate))
}

// RoundMode is how a Float8E8M0 conversion rounds between two powers of two.
type RoundMode uint8

// The round modes of Cast.
const (
	RoundUp RoundMode = iota
	RoundDown
	RoundNearest
)

// ToF8E8M0 rounds |f| to a power of two. With saturate, results out of range, zero among them, are clamped to the
// smallest (2^-127) or largest power; without, they become NaN.
func ToF8E8M0(f float32, mode RoundMode, saturate bool) F8E8M0 {
	if f != f {
		return 0xFF
	}
	a := math.Abs(float64(f))
	if math.IsInf(a, 0) {
		if saturate {
			return 0xFE
		}
		return 0xFF
	}
	if a == 0 {
		return e8m0Underflow(saturate)
	}
	m, e := math.Frexp(a) // a = m·2^e, m in [0.5, 1): a lies in [2^(e-1), 2^e)
	p := e - 1
	switch mode {
	case RoundUp:
		if m > 0.5 {
			p++
		}
	case RoundNearest:
		if m >= 0.75 {
			p++
		}
	}
	switch {
	case p > 127 && saturate:
		return 0xFE
	case p > 127:
		return 0xFF
	case p < -127 && mode == RoundUp:
		return 0
	case p < -127:
		return e8m0Underflow(saturate)
	}
	return F8E8M0(p + 127)
}

func e8m0Underflow(saturate bool) F8E8M0 {
	if saturate {
		return 0
	}
	return 0xFF
}

// Float4ToFloat32 decodes a float4e2m1 code (0–15).
func Float4ToFloat32(code uint8) float32 { return e2m1Tab[code&0xF] }

// ToFloat4 rounds f to a float4e2m1 code (0–15), saturating at ±6.
func ToFloat4(f float32) uint8 { return e2m1.encode(f, true) }
