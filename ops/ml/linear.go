package ml

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	register("LinearRegressor", 1, newLinearRegressor)
	register("LinearClassifier", 1, newLinearClassifier)
}

// linear is a matrix of coefficients, one row for each score, with intercepts.
type linear struct {
	coefficients, intercepts []float32
	scores                   int
	post                     post
}

func readLinear(a *ops.Attrs, scores int) linear {
	l := linear{a.Floats("coefficients"), a.Floats("intercepts"), scores, readPost(a)}
	if l.scores < 1 || len(l.coefficients)%l.scores != 0 || len(l.intercepts) != 0 && len(l.intercepts) != l.scores {
		a.Errorf("%d coefficients and %d intercepts for %d scores", len(l.coefficients), len(l.intercepts), l.scores)
	}
	return l
}

// compute fills s with the scores of a row.
func (l linear) compute(s []float64, x []float32) {
	for k := range l.scores {
		v := 0.0
		for i, w := range l.coefficients[k*len(x) : (k+1)*len(x)] {
			v += float64(w) * float64(x[i])
		}
		if len(l.intercepts) > 0 {
			v += float64(l.intercepts[k])
		}
		s[k] = v
	}
}

// input returns the rows of input 0 after checking their length.
func (l linear) input(c *ops.Ctx) (x []float32, rows, cols int, err error) {
	if rows, cols, err = matrix(c.Tensor(0)); err != nil {
		return nil, 0, 0, err
	}
	if cols*l.scores != len(l.coefficients) {
		return nil, 0, 0, fmt.Errorf("%d coefficients for %d scores of %d features", len(l.coefficients), l.scores, cols)
	}
	x, err = floats(c.Tensor(0))
	return x, rows, cols, err
}

type linearRegressor struct{ linear }

func newLinearRegressor(a *ops.Attrs) (ops.Op, error) {
	op := linearRegressor{readLinear(a, a.Int("targets", 1))}
	return op, a.Done()
}

// Infer implements ops.Op.
func (op linearRegressor) Infer(c *ops.Infer) error {
	c.SetOut(0, tensor.Float32, inferRows(c), tensor.Int(op.scores))
	return nil
}

// Run implements ops.Op.
func (op linearRegressor) Run(c *ops.Ctx) error {
	x, rows, cols, err := op.input(c)
	if err != nil {
		return err
	}
	n := op.scores
	t, err := c.New(0, tensor.Float32, tensor.Shape{rows, n})
	if err != nil {
		return err
	}
	y := t.Float32()
	return each(c, rows, len(op.coefficients), func(r int) {
		s := make([]float64, n)
		op.compute(s, x[r*cols:(r+1)*cols])
		if n == 1 {
			op.post.single(s)
		} else {
			op.post.apply(s)
		}
		for k, v := range s {
			y[r*n+k] = float32(v)
		}
	})
}

type linearClassifier struct {
	linear
	labels labels
}

func newLinearClassifier(a *ops.Attrs) (ops.Op, error) {
	op := linearClassifier{labels: readLabels(a, "classlabels_ints", "classlabels_strings")}
	a.Ignore("multi_class")
	scores := len(a.Floats("intercepts"))
	if scores == 0 {
		scores = max(op.labels.len(), 1)
	}
	op.linear = readLinear(a, scores)
	if n := op.labels.len(); n > 0 && n != scores && !(scores == 1 && n == 2) {
		a.Errorf("%d class labels for %d scores", n, scores)
	}
	return op, a.Done()
}

// width is the number of scores in the output: a single score of two classes becomes two.
func (op linearClassifier) width() int {
	if op.scores == 1 && op.labels.len() == 2 {
		return 2
	}
	return op.scores
}

// Infer implements ops.Op.
func (op linearClassifier) Infer(c *ops.Infer) error {
	n := inferRows(c)
	c.SetOut(0, op.labels.dtype(), n)
	c.SetOut(1, tensor.Float32, n, tensor.Int(op.width()))
	return nil
}

// Run implements ops.Op.
func (op linearClassifier) Run(c *ops.Ctx) error {
	x, rows, cols, err := op.input(c)
	if err != nil {
		return err
	}
	n := op.width()
	label, err := c.New(0, op.labels.dtype(), tensor.Shape{rows})
	if err != nil {
		return err
	}
	t, err := c.New(1, tensor.Float32, tensor.Shape{rows, n})
	if err != nil {
		return err
	}
	z := t.Float32()
	return each(c, rows, len(op.coefficients), func(r int) {
		s := make([]float64, n)
		op.compute(s, x[r*cols:(r+1)*cols])
		op.finish(label, r, s)
		for k, v := range s {
			z[r*n+k] = float32(v)
		}
	})
}

// finish sets the label and transforms the scores of a row.
func (op linearClassifier) finish(label *tensor.Tensor, r int, s []float64) {
	if op.scores > 1 {
		best := 0
		for k, v := range s {
			if v > s[best] {
				best = k
			}
		}
		op.labels.set(label, r, best)
		op.post.apply(s)
		return
	}
	positive := s[0] > 0
	if op.labels.len() == 2 {
		best := 0
		if positive {
			best = 1
		}
		op.labels.set(label, r, best)
		op.post.two(s, true)
		return
	}
	switch {
	case label.DType() == tensor.String && positive:
		label.Strs()[r] = op.labels.strs[0]
	case label.DType() == tensor.String:
		label.Strs()[r] = ""
	case positive && len(op.labels.ints) > 0:
		label.Int64()[r] = op.labels.ints[0]
	case positive:
		label.Int64()[r] = 1
	default:
		label.Int64()[r] = 0
	}
	op.post.single(s)
}
