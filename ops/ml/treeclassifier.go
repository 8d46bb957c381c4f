package ml

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() { register("TreeEnsembleClassifier", 1, newTreeClassifier) }

// treeClassifier is TreeEnsembleClassifier: the label and the scores of each row.
type treeClassifier struct {
	*forest
	labels   labels
	base     []float64
	post     post
	positive bool // no weight is negative
}

func newTreeClassifier(a *ops.Attrs) (ops.Op, error) {
	l := readLists(a, "class")
	op := treeClassifier{labels: readLabels(a, "classlabels_int64s", "classlabels_strings"), base: numbers(a, "base_values"), post: readPost(a), positive: true}
	if err := a.Done(); err != nil {
		return nil, err
	}
	n := op.labels.len()
	if n == 0 || len(op.base) > 0 && len(op.base) != n && !(n == 2 && len(op.base) == 1) {
		return nil, fmt.Errorf("%d class labels with %d base values", n, len(op.base))
	}
	for _, w := range l.leafWeights {
		op.positive = op.positive && w >= 0
	}
	var err error
	op.forest, err = l.forest(n)
	return op, err
}

// Infer implements ops.Op.
func (op treeClassifier) Infer(c *ops.Infer) error {
	n := inferRows(c)
	c.SetOut(0, op.labels.dtype(), n)
	c.SetOut(1, tensor.Float32, n, tensor.Int(op.labels.len()))
	return nil
}

// Run implements ops.Op.
func (op treeClassifier) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	rows, cols, err := matrix(x)
	if err != nil {
		return err
	}
	if op.features > cols {
		return fmt.Errorf("the trees test feature %d of %d", op.features-1, cols)
	}
	n := op.labels.len()
	label, err := c.New(0, op.labels.dtype(), tensor.Shape{rows})
	if err != nil {
		return err
	}
	scores, err := c.New(1, tensor.Float32, tensor.Shape{rows, n})
	if err != nil {
		return err
	}
	row := func(r int, s []float64, seen []bool) { score(op.forest, sum, x.Float64()[r*cols:(r+1)*cols], s, seen) }
	if x.DType() != tensor.Float64 {
		f, err := floats(x)
		if err != nil {
			return err
		}
		row = func(r int, s []float64, seen []bool) { score(op.forest, sum, f[r*cols:(r+1)*cols], s, seen) }
	}
	z := scores.Float32()
	c.Parallel(rows, ops.Grain(32*len(op.roots)+n), func(lo, hi int) {
		s, seen := make([]float64, n), make([]bool, n)
		for r := lo; r < hi && c.Err() == nil; r++ {
			row(r, s, seen)
			op.labels.set(label, r, op.decide(s, seen))
			for k, v := range s {
				z[r*n+k] = float32(v)
			}
		}
	})
	return c.Err()
}

// decide returns the winning class and finishes the scores. Where only the first of two classes has weights, its score
// stands for the second class. Scores of one class whose weights are all positive are probabilities.
func (op treeClassifier) decide(s []float64, seen []bool) int {
	if len(s) != 2 {
		for k, b := range op.base {
			s[k] += b
			seen[k] = true
		}
		best := argmaxSeen(s, seen)
		if len(s) == 1 {
			op.post.single(s)
		} else {
			op.post.apply(s)
		}
		return best
	}
	switch len(op.base) {
	case 2:
		if seen[1] {
			s[1] = op.base[1] + s[0]
			s[0] = -s[1]
		} else {
			s[0] += op.base[0]
		}
	case 1:
		s[0] += op.base[0]
	}
	if !seen[0] {
		s[0] = 0
	}
	decisive, least := s[0], 0.0
	if seen[1] {
		decisive = s[1]
	}
	if op.positive && seen[0] != seen[1] {
		least = 0.5
	}
	if seen[1] || len(op.base) == 2 {
		op.post.apply(s)
	} else {
		op.post.two(s, op.positive)
	}
	if decisive > least {
		return 1
	}
	return 0
}

// argmaxSeen returns the first largest among the scores that are set.
func argmaxSeen(s []float64, seen []bool) int {
	best := -1
	for k, v := range s {
		if seen[k] && (best < 0 || v > s[best]) {
			best = k
		}
	}
	return max(best, 0)
}
