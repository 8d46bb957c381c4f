package elementwise

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// converter writes converted elements to its output.
type converter struct {
	*ops.Ctx
	out      *tensor.Tensor
	saturate bool
	mode     tensor.RoundMode
}

// castGrain is a multiple of piece, so that pieces of packed types start at byte boundaries.
const castGrain = 16 * piece

// castFrom converts src to the output.
func castFrom[S vec.Number](cv *converter, src []S) error {
	return castPieces(cv, func(_ []S, lo, n int) []S { return src[lo : lo+n] })
}

// castRead converts elements that read delivers in pieces, from element lo on.
func castRead[S vec.Number](cv *converter, read func(dst []S, lo int)) error {
	return castPieces(cv, func(buf []S, lo, n int) []S {
		if buf == nil {
			return nil
		}
		read(buf[:n], lo)
		return buf[:n]
	})
}

// source returns n elements from lo on, in buf or elsewhere; with a nil buf, nil if it needs one.
type source[S vec.Number] func(buf []S, lo, n int) []S

func castPieces[S vec.Number](cv *converter, src source[S]) error {
	switch cv.out.DType() {
	case tensor.Float32:
		return castInto(cv, src, cv.out.Float32())
	case tensor.Float64:
		return castInto(cv, src, cv.out.Float64())
	case tensor.Int8:
		return castInto(cv, src, tensor.Slice[int8](cv.out))
	case tensor.Int16:
		return castInto(cv, src, tensor.Slice[int16](cv.out))
	case tensor.Int32:
		return castInto(cv, src, cv.out.Int32())
	case tensor.Int64:
		return castInto(cv, src, cv.out.Int64())
	case tensor.Uint8:
		return castInto(cv, src, tensor.Slice[uint8](cv.out))
	case tensor.Uint16:
		return castInto(cv, src, tensor.Slice[uint16](cv.out))
	case tensor.Uint32:
		return castInto(cv, src, tensor.Slice[uint32](cv.out))
	case tensor.Uint64:
		return castInto(cv, src, tensor.Slice[uint64](cv.out))
	case tensor.Bool:
		dst := tensor.Slice[uint8](cv.out)
		return eachPiece(cv, src, func(s []S, lo int) { truth(dst[lo:lo+len(s)], s) })
	case tensor.String:
		dst := cv.out.Strs()
		format := formatter[S]()
		return eachPiece(cv, src, func(s []S, lo int) {
			for i, v := range s {
				dst[lo+i] = format(v)
			}
		})
	case tensor.Int4, tensor.Uint4, tensor.Int2, tensor.Uint2:
		conv := conversion[int8, S]()
		return eachPiece(cv, src, func(s []S, lo int) {
			var buf [piece]int8
			conv(buf[:len(s)], s)
			for i, v := range buf[:len(s)] {
				cv.out.SetPacked(lo+i, v)
			}
		})
	}
	return eachPiece(cv, src, func(s []S, lo int) {
		if f, ok := any(s).([]float32); ok {
			cv.write(lo, f)
			return
		}
		bufs := floatBufs.Get().(*[3][piece]float32)
		defer floatBufs.Put(bufs)
		f := bufs[0][:len(s)]
		toOdd(f, s)
		cv.write(lo, f)
	})
}

// write rounds f into the elements of the output, a low-precision float tensor, from lo on.
func (cv *converter) write(lo int, f []float32) {
	if isHalf(cv.out.DType()) {
		narrow(cv.out, f, lo)
		return
	}
	tensor.WriteFloat32(cv.out, lo, f, cv.saturate, cv.mode)
}

// castInto converts to native numbers.
func castInto[D, S vec.Number](cv *converter, src source[S], dst []D) error {
	conv := conversion[D, S]()
	return eachPiece(cv, src, func(s []S, lo int) { conv(dst[lo:lo+len(s)], s) })
}

// eachPiece calls f with pieces of the source and the place of their first element.
func eachPiece[S vec.Number](cv *converter, src source[S], f func(s []S, lo int)) error {
	n := cv.out.Len()
	cv.Parallel(n, castGrain, func(lo, hi int) {
		var buf []S
		if src(nil, lo, 1) == nil {
			buf = make([]S, piece)
		}
		for ; lo < hi; lo += piece {
			f(src(buf, lo, min(piece, hi-lo)), lo)
		}
	})
	return cv.Err()
}

// conversion returns the loop that converts S to D: integers wrap around, floats are cut off towards zero.
func conversion[D, S vec.Number]() func(dst []D, src []S) {
	if isFloatType[S]() && !isFloatType[D]() {
		var d D
		switch any(d).(type) {
		case int64, uint32:
			return func(dst []D, src []S) {
				for i, v := range src {
					dst[i] = D(floatToInt64(float64(v)))
				}
			}
		case uint64:
			return func(dst []D, src []S) {
				for i, v := range src {
					dst[i] = D(floatToUint64(float64(v)))
				}
			}
		}
		return func(dst []D, src []S) {
			for i, v := range src {
				dst[i] = D(floatToInt32(float64(v)))
			}
		}
	}
	return func(dst []D, src []S) {
		for i, v := range src {
			dst[i] = D(v)
		}
	}
}

// isFloatType reports whether T is a float: only then does a half survive.
func isFloatType[T vec.Number]() bool {
	one := T(1)
	return one/2 != 0
}

func floatToInt32(f float64) int32 {
	if f > math.MinInt32-1 && f < math.MaxInt32+1 {
		return int32(f)
	}
	return math.MinInt32
}

func floatToInt64(f float64) int64 {
	if f >= math.MinInt64 && f < math.MaxInt64 { // the constants are -2^63 and 2^63 as float64
		return int64(f)
	}
	return math.MinInt64
}

func floatToUint64(f float64) uint64 {
	if f >= 1<<63 {
		return uint64(floatToInt64(f-1<<63)) ^ 1<<63
	}
	return uint64(floatToInt64(f))
}

// toOdd converts to float32 such that a further rounding to at most 22 bits is correct: inexact results get an odd
// last bit (rounding to odd).
func toOdd[S vec.Number](dst []float32, src []S) {
	var s S
	switch any(s).(type) {
	case float64:
		for i, v := range src {
			dst[i] = oddFloat32(float64(v))
		}
	case int32, uint32:
		for i, v := range src {
			dst[i] = oddFloat32(float64(v))
		}
	case int64:
		for i, v := range src {
			if v < 0 {
				dst[i] = -oddFloat32(oddFloat64(-uint64(v)))
			} else {
				dst[i] = oddFloat32(oddFloat64(uint64(v)))
			}
		}
	case uint64:
		for i, v := range src {
			dst[i] = oddFloat32(oddFloat64(uint64(v)))
		}
	default: // at most 16 bits: exact
		for i, v := range src {
			dst[i] = float32(v)
		}
	}
}

func oddFloat64(v uint64) float64 {
	if v < 1<<53 {
		return float64(v)
	}
	m := v >> 11
	if v&(1<<11-1) != 0 {
		m |= 1
	}
	return float64(m) * (1 << 11)
}

func oddFloat32(f float64) float32 {
	g := float32(f)
	w := float64(g)
	if w == f || f != f {
		return g
	}
	if math.IsInf(w, 0) { // beyond the largest float32, which is odd
		return float32(math.Copysign(math.MaxFloat32, f))
	}
	b := math.Float32bits(g)
	if math.Abs(w) > math.Abs(f) {
		b--
	}
	return math.Float32frombits(b | 1)
}
