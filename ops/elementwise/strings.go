package elementwise

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// formatter returns the function that writes a number as Cast to string does: the shortest decimal number that reads
// back as the same value, without an exponent unless it is very large or small.
func formatter[S vec.Number]() func(S) string {
	if isFloatType[S]() {
		bits := 64
		var s S
		if _, ok := any(s).(float32); ok {
			bits = 32
		}
		return func(v S) string { return formatFloat(float64(v), bits) }
	}
	return func(v S) string {
		if v < 0 {
			return strconv.FormatInt(int64(v), 10)
		}
		return strconv.FormatUint(uint64(v), 10)
	}
}

func formatFloat(f float64, bits int) string {
	switch a := math.Abs(f); {
	case f != f:
		return "NaN"
	case math.IsInf(f, 1):
		return "INF"
	case math.IsInf(f, -1):
		return "-INF"
	case a != 0 && (a < 1e-4 || a >= 1e16):
		return strconv.FormatFloat(f, 'e', -1, bits)
	}
	return strconv.FormatFloat(f, 'f', -1, bits)
}

// fromStrings parses strings into the output.
func (cv *converter) fromStrings(src []string) error {
	switch d := cv.out.DType(); {
	case d == tensor.Uint64:
		return parseAll(cv, src, parseUint)
	case d.IsInt():
		return parseAll(cv, src, parseInt)
	case d == tensor.Bool:
		return parseAll(cv, src, parseBool)
	case d == tensor.Float32:
		return parseAll(cv, src, func(s string) (float32, error) {
			f, err := parseFloat(s, 32)
			return float32(f), err
		})
	}
	return parseAll(cv, src, func(s string) (float64, error) { return parseFloat(s, 64) })
}

func parseAll[S vec.Number](cv *converter, src []string, parse func(string) (S, error)) error {
	vals := make([]S, len(src))
	for i, s := range src {
		var err error
		if vals[i], err = parse(strings.TrimSpace(s)); err != nil {
			return fmt.Errorf("element %d: %q is no %v", i, s, cv.out.DType())
		}
	}
	return castFrom(cv, vals)
}

// parseFloat reads a decimal number, or inf or nan in any case; numbers out of range become infinite.
func parseFloat(s string, bits int) (float64, error) {
	f, err := strconv.ParseFloat(s, bits)
	if err != nil && math.IsInf(f, 0) && errorIsRange(err) {
		err = nil
	}
	return f, err
}

func errorIsRange(err error) bool {
	e, ok := err.(*strconv.NumError)
	return ok && e.Err == strconv.ErrRange
}

// parseInt reads an integer, or cuts off the fraction of a decimal number.
func parseInt(s string) (int64, error) {
	v, err := strconv.ParseInt(s, 10, 64)
	if err == nil {
		return v, nil
	}
	f, err := parseFloat(s, 64)
	return floatToInt64(f), err
}

func parseUint(s string) (uint64, error) {
	v, err := strconv.ParseUint(s, 10, 64)
	if err == nil {
		return v, nil
	}
	f, err := parseFloat(s, 64)
	return floatToUint64(f), err
}

// parseBool reads a number, of which zero is false, or the words true and false in any case.
func parseBool(s string) (uint8, error) {
	switch strings.ToLower(s) {
	case "true":
		return 1, nil
	case "false":
		return 0, nil
	}
	f, err := parseFloat(s, 64)
	if f != 0 {
		return 1, err
	}
	return 0, err
}
