package result

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// Show prints outputs for reading: type, first values, range, and the top largest values of rows of floats.
func Show(w io.Writer, outs []Output, top int) {
	for _, o := range outs {
		if o.Value == nil {
			fmt.Fprintf(w, "%s: nothing\n", o.Name)
			continue
		}
		fmt.Fprintf(w, "%s: %v\n", o.Name, o.Value.Type())
		show(w, "  ", o.Value, top)
	}
}

const (
	firstValues = 8  // of a tensor
	firstItems  = 5  // of a sequence or map
	topRows     = 4  // rows of a matrix that get their top values
	minTop      = 3  // shorter rows are shown in full anyway
	longString  = 60 // characters
)

func show(w io.Writer, indent string, v tensor.Value, top int) {
	switch v := v.(type) {
	case *tensor.Tensor:
		showTensor(w, indent, v, top)
	case *tensor.Sequence:
		for i, e := range v.Items[:min(len(v.Items), firstItems)] {
			fmt.Fprintf(w, "%s[%d] %v\n", indent, i, e.Type())
			show(w, indent+"  ", e, top)
		}
		more(w, indent, len(v.Items)-firstItems)
	case *tensor.Optional:
		if v.Value == nil {
			fmt.Fprintf(w, "%sempty\n", indent)
			return
		}
		show(w, indent, v.Value, top)
	case *tensor.Map:
		text := texts(v.Values)
		n := max(len(v.Ints), len(v.Strs))
		for i := range min(n, firstItems) {
			if v.Strs != nil {
				fmt.Fprintf(w, "%s%q: %s\n", indent, v.Strs[i], text(i))
			} else {
				fmt.Fprintf(w, "%s%d: %s\n", indent, v.Ints[i], text(i))
			}
		}
		more(w, indent, n-firstItems)
	}
}

func more(w io.Writer, indent string, n int) {
	if n > 0 {
		fmt.Fprintf(w, "%s… %d more\n", indent, n)
	}
}

func showTensor(w io.Writer, indent string, t *tensor.Tensor, top int) {
	n := t.Len()
	if n == 0 {
		fmt.Fprintf(w, "%sno elements\n", indent)
		return
	}
	text := texts(t)
	var first []string
	for i := range min(n, firstValues) {
		first = append(first, text(i))
	}
	if n > firstValues {
		first = append(first, "…")
	}
	fmt.Fprintf(w, "%s%s\n", indent, strings.Join(first, " "))
	if !t.DType().IsFloat() {
		return
	}
	vals, err := t.Floats()
	if err != nil {
		return
	}
	if n > firstValues {
		showRange(w, indent, vals)
	}
	showTop(w, indent, t, vals, top)
}

func showRange(w io.Writer, indent string, vals []float64) {
	lo, hi, sum, strange := math.Inf(1), math.Inf(-1), 0.0, 0
	for _, v := range vals {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			strange++
			continue
		}
		lo, hi, sum = min(lo, v), max(hi, v), sum+v
	}
	if n := len(vals) - strange; n > 0 {
		fmt.Fprintf(w, "%smin %.6g, mean %.6g, max %.6g\n", indent, lo, sum/float64(n), hi)
	}
	if strange > 0 {
		fmt.Fprintf(w, "%s%d of %d are NaN or infinite\n", indent, strange, len(vals))
	}
}

// showTop prints the indices of the largest values of a vector, or of each row of a matrix.
func showTop(w io.Writer, indent string, t *tensor.Tensor, vals []float64, top int) {
	if t.Rank() < 1 || t.Rank() > 2 || top < 1 {
		return
	}
	n := t.Dim(t.Rank() - 1)
	if n < minTop {
		return
	}
	rows := len(vals) / n
	for r := range min(rows, topRows) {
		row := vals[r*n : (r+1)*n]
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(row[b], row[a]) })
		label := ""
		if rows > 1 {
			label = fmt.Sprintf(" of row %d", r)
		}
		var parts []string
		for _, i := range order[:min(top, n)] {
			parts = append(parts, fmt.Sprintf("[%d] %.6g", i, row[i]))
		}
		fmt.Fprintf(w, "%stop %d%s: %s\n", indent, len(parts), label, strings.Join(parts, ", "))
	}
	more(w, indent, rows-topRows)
}

// texts returns a function that prints element i of t for reading.
func texts(t *tensor.Tensor) func(i int) string {
	switch {
	case t.DType() == tensor.String:
		return func(i int) string {
			s := t.Strs()[i]
			if r := []rune(s); len(r) > longString {
				s = string(r[:longString]) + "…"
			}
			return strconv.Quote(s)
		}
	case t.DType().IsFloat():
		if vals, err := t.Floats(); err == nil {
			return func(i int) string { return strconv.FormatFloat(vals[i], 'g', 6, 64) }
		}
	}
	print, err := printer(t)
	if err != nil {
		return func(int) string { return "?" }
	}
	return print
}
