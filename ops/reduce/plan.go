// Package reduce holds the reductions over axes: the Reduce family, ArgMax and ArgMin, CumSum and CumProd.
package reduce

import (
	"slices"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// plan is a reduction of a contiguous tensor with neighbouring axes of the same kind joined. An input element is found by
// the indices of the outer kept axes, of the outer reduced axes and of the innermost axes, which are either kept (a matrix
// of rows reduced rows and inner kept columns) or reduced (a row of inner elements; rows is 1).
type plan struct {
	keep, red   []axis // outermost first
	rows, inner int
	lastReduced bool
	out         tensor.Shape
	outer       int // kept positions: product of keep
	repeat      int // reduced positions outside of rows and inner: product of red
	reduced     int // elements that go into one output element
}

type axis struct{ n, stride int }

// newPlan joins axes; reduce[i] tells whether axis i of shape is reduced.
func newPlan(shape tensor.Shape, reduce []bool, keepdims bool) plan {
	p := plan{rows: 1, inner: 1, reduced: 1}
	type run struct {
		n       int
		reduced bool
	}
	var runs []run
	for i, n := range shape {
		switch {
		case !reduce[i]:
			p.out = append(p.out, n)
		case keepdims:
			p.out = append(p.out, 1)
		}
		if reduce[i] {
			p.reduced *= n
		}
		if n == 1 {
			continue
		}
		if k := len(runs) - 1; k >= 0 && runs[k].reduced == reduce[i] {
			runs[k].n *= n
		} else {
			runs = append(runs, run{n, reduce[i]})
		}
	}
	stride := 1
	if k := len(runs) - 1; k >= 0 {
		p.inner, p.lastReduced = runs[k].n, runs[k].reduced
		stride, runs = runs[k].n, runs[:k]
		if k--; k >= 0 && !p.lastReduced {
			p.rows = runs[k].n
			stride, runs = stride*p.rows, runs[:k]
		}
	}
	for _, r := range slices.Backward(runs) {
		a := axis{r.n, stride}
		if r.reduced {
			p.red = append(p.red, a)
		} else {
			p.keep = append(p.keep, a)
		}
		stride *= r.n
	}
	slices.Reverse(p.keep)
	slices.Reverse(p.red)
	p.outer, p.repeat = count(p.keep), count(p.red)
	return p
}

func count(as []axis) int {
	n := 1
	for _, a := range as {
		n *= a.n
	}
	return n
}

// offset is where position i of the axes, counted in row-major order, begins.
func offset(as []axis, i int) int {
	off := 0
	for _, a := range slices.Backward(as) {
		off += i % a.n * a.stride
		i /= a.n
	}
	return off
}
