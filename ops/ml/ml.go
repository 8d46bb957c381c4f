// Package ml holds the operators of the domain ai.onnx.ml: encoders, scalers, linear models, support vector machines and
// tree ensembles. Where the standard is silent (labels and scores of two classes, post transforms of one score) they do
// what ONNX Runtime does.
package ml

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// register adds rows for one operator of the domain.
func register(name string, since int, create func(*ops.Attrs) (ops.Op, error)) {
	ops.Register(ops.Def{Domain: ops.ML, Name: name, Since: since, New: create})
}

// matrix is how these operators see their input: a vector is one row.
func matrix(t *tensor.Tensor) (rows, cols int, err error) {
	switch s := t.Shape(); len(s) {
	case 1:
		return 1, s[0], nil
	case 2:
		return s[0], s[1], nil
	default:
		return 0, 0, fmt.Errorf("input of shape %v is neither a vector nor a matrix", s)
	}
}

// flat is matrix for operators that also take tensors of more axes, as rows of everything after the first.
func flat(t *tensor.Tensor) (rows, cols int, err error) {
	if s := t.Shape(); len(s) > 2 {
		return s[0], s[1:].Size(), nil
	}
	return matrix(t)
}

// inferRows returns the number of rows of input 0 as matrix sees it.
func inferRows(c *ops.Infer) tensor.Dim {
	dims, ok := c.Dims(0)
	switch {
	case ok && len(dims) == 1:
		return tensor.Int(1)
	case ok && len(dims) >= 2:
		return dims[0]
	}
	return tensor.Dim{}
}

// floats returns the elements of a float, double, int64 or int32 tensor as float, which is what most of these operators
// compute in.
func floats(t *tensor.Tensor) ([]float32, error) {
	if t.DType() == tensor.Float32 {
		return t.Float32(), nil
	}
	f, err := t.Floats()
	out := make([]float32, len(f))
	for i, v := range f {
		out[i] = float32(v)
	}
	return out, err
}

// labels are class labels, all integers or all strings.
type labels struct {
	ints []int64
	strs []string
}

func readLabels(a *ops.Attrs, ints, strs string) labels {
	l := labels{a.Int64s(ints), a.Strings(strs)}
	if len(l.ints) > 0 && len(l.strs) > 0 {
		a.Errorf("%s and %s are both given", ints, strs)
	}
	return l
}

func (l labels) len() int { return max(len(l.ints), len(l.strs)) }

func (l labels) dtype() tensor.DType {
	if len(l.strs) > 0 {
		return tensor.String
	}
	return tensor.Int64
}

// set stores label k as element i; without labels, k itself.
func (l labels) set(t *tensor.Tensor, i, k int) {
	switch {
	case len(l.strs) > 0:
		t.Strs()[i] = l.strs[k]
	case len(l.ints) > 0:
		t.Int64()[i] = l.ints[k]
	default:
		t.Int64()[i] = int64(k)
	}
}

// each runs body for ranges of rows in parallel.
func each(c *ops.Ctx, rows, cost int, body func(row int)) error {
	c.Parallel(rows, ops.Grain(cost), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			if r%1024 == 0 && c.Err() != nil {
				return
			}
			body(r)
		}
	})
	return c.Err()
}
