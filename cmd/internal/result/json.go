package result

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// writeJSON writes an object from output names to nested lists. NaN and infinities, which JSON lacks, are strings; complex
// numbers are pairs, maps are lists of pairs, empty optionals null.
func writeJSON(w io.Writer, outs []Output) error {
	j := &jsonWriter{w: bufio.NewWriter(w)}
	j.w.WriteByte('{')
	for i, o := range outs {
		if i > 0 {
			j.w.WriteByte(',')
		}
		fmt.Fprintf(j.w, "\n  %s: ", quote(o.Name))
		if err := j.value(o.Value); err != nil {
			return fmt.Errorf("output %q: %w", o.Name, err)
		}
	}
	j.w.WriteString("\n}\n")
	return j.w.Flush()
}

type jsonWriter struct{ w *bufio.Writer }

func quote(s string) string {
	b, _ := json.Marshal(s) // strings always marshal
	return string(b)
}

func (j *jsonWriter) value(v tensor.Value) error {
	switch v := v.(type) {
	case nil:
		j.w.WriteString("null")
	case *tensor.Tensor:
		print, err := printer(v)
		if err != nil {
			return err
		}
		j.nested(v.Shape(), 0, print)
	case *tensor.Sequence:
		return j.list(len(v.Items), func(i int) error { return j.value(v.Items[i]) })
	case *tensor.Optional:
		return j.value(v.Value)
	case *tensor.Map:
		print, err := printer(v.Values)
		if err != nil {
			return err
		}
		return j.list(max(len(v.Ints), len(v.Strs)), func(i int) error {
			key := ""
			if v.Strs != nil {
				key = quote(v.Strs[i])
			} else {
				key = strconv.FormatInt(v.Ints[i], 10)
			}
			fmt.Fprintf(j.w, "[%s,%s]", key, print(i))
			return nil
		})
	}
	return nil
}

func (j *jsonWriter) list(n int, element func(int) error) error {
	j.w.WriteByte('[')
	for i := range n {
		if i > 0 {
			j.w.WriteByte(',')
		}
		if err := element(i); err != nil {
			return err
		}
	}
	j.w.WriteByte(']')
	return nil
}

// nested writes the part of a tensor that begins at element at.
func (j *jsonWriter) nested(shape tensor.Shape, at int, print func(int) string) {
	if len(shape) == 0 {
		j.w.WriteString(print(at))
		return
	}
	step := tensor.Shape(shape[1:]).Size()
	_ = j.list(shape[0], func(i int) error {
		j.nested(shape[1:], at+i*step, print)
		return nil
	})
}

// printer returns a function that prints element i of t as JSON, in full precision.
func printer(t *tensor.Tensor) (func(i int) string, error) {
	switch t.DType() {
	case tensor.String:
		return func(i int) string { return quote(t.Strs()[i]) }, nil
	case tensor.Bool:
		return func(i int) string { return strconv.FormatBool(t.Bool()[i]) }, nil
	case tensor.Int64:
		return func(i int) string { return strconv.FormatInt(t.Int64()[i], 10) }, nil
	case tensor.Uint64:
		return func(i int) string { return strconv.FormatUint(tensor.Slice[uint64](t)[i], 10) }, nil
	case tensor.Complex64:
		return func(i int) string { c := tensor.Slice[complex64](t)[i]; return pair(complex128(c), 32) }, nil
	case tensor.Complex128:
		return func(i int) string { return pair(tensor.Slice[complex128](t)[i], 64) }, nil
	}
	vals, err := t.Floats()
	if err != nil {
		return nil, err
	}
	bits := 32
	if t.DType() == tensor.Float64 || t.DType().IsInt() {
		bits = 64
	}
	return func(i int) string { return jsonNumber(vals[i], bits) }, nil
}

func pair(c complex128, bits int) string {
	return "[" + jsonNumber(real(c), bits) + "," + jsonNumber(imag(c), bits) + "]"
}

func jsonNumber(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return `"NaN"`
	case math.IsInf(f, 1):
		return `"Infinity"`
	case math.IsInf(f, -1):
		return `"-Infinity"`
	}
	return strconv.FormatFloat(f, 'g', -1, bits)
}
