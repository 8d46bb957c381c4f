package ml

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	register("SVMRegressor", 1, newSVMRegressor)
	register("SVMClassifier", 1, newSVMClassifier)
}

// svm is what both machines share: support vectors (n × features) and a kernel between them and a row.
type svm struct {
	vectors, coefficients, rho []float32
	n                          int // support vectors; 0 for a linear model, whose coefficients are its vectors
	kernel                     string
	gamma, coef0, degree       float64
	post                       post
}

func readSVM(a *ops.Attrs) svm {
	s := svm{vectors: a.Floats("support_vectors"), coefficients: a.Floats("coefficients"), rho: a.Floats("rho"), post: readPost(a),
		kernel: a.Enum("kernel_type", "LINEAR", "POLY", "RBF", "SIGMOID")}
	if p := a.Floats("kernel_params"); len(p) >= 3 {
		s.gamma, s.coef0, s.degree = float64(p[0]), float64(p[1]), float64(p[2])
	} else if len(p) > 0 {
		a.Errorf("kernel_params has %d values, not 3", len(p))
	}
	if len(s.rho) == 0 || len(s.coefficients) == 0 {
		a.Errorf("rho or coefficients are missing")
	}
	return s
}

// dot is the kernel of two vectors.
func (s svm) dot(kernel string, x, v []float32) float64 {
	sum := 0.0
	if kernel == "RBF" {
		for i, a := range x {
			d := float64(a) - float64(v[i])
			sum += d * d
		}
		return math.Exp(-s.gamma * sum)
	}
	for i, a := range x {
		sum += float64(a) * float64(v[i])
	}
	switch kernel {
	case "POLY":
		return math.Pow(s.gamma*sum+s.coef0, s.degree)
	case "SIGMOID":
		return math.Tanh(s.gamma*sum + s.coef0)
	}
	return sum
}

// kernels fills k with the kernel of x and each support vector.
func (s svm) kernels(k []float64, x []float32) {
	for j := range k {
		k[j] = s.dot(s.kernel, x, s.vectors[j*len(x):])
	}
}

// input returns the rows of input 0; vectors, n of them, must be as long as a row.
func (s svm) input(c *ops.Ctx, vectors []float32, n int) (x []float32, rows, cols int, err error) {
	if rows, cols, err = matrix(c.Tensor(0)); err != nil {
		return nil, 0, 0, err
	}
	if n*cols != len(vectors) {
		return nil, 0, 0, fmt.Errorf("%d values for %d vectors of %d features", len(vectors), n, cols)
	}
	x, err = floats(c.Tensor(0))
	return x, rows, cols, err
}

// svmRegressor is SVMRegressor. Like ONNX Runtime's, it does not transform its only score.
type svmRegressor struct {
	svm
	oneClass bool
}

func newSVMRegressor(a *ops.Attrs) (ops.Op, error) {
	op := svmRegressor{readSVM(a), a.Bool("one_class", false)}
	op.n = a.Int("n_supports", 0)
	if op.n < 0 || op.n > len(op.coefficients) || op.n > 0 && len(op.vectors)%op.n != 0 {
		a.Errorf("%d support vectors with %d coefficients", op.n, len(op.coefficients))
	}
	return op, a.Done()
}

// Infer implements ops.Op.
func (op svmRegressor) Infer(c *ops.Infer) error {
	c.SetOut(0, tensor.Float32, inferRows(c), tensor.Int(1))
	return nil
}

// Run implements ops.Op.
func (op svmRegressor) Run(c *ops.Ctx) error {
	vectors, n := op.vectors, op.n
	if n == 0 {
		vectors, n = op.coefficients, 1
	}
	x, rows, cols, err := op.input(c, vectors, n)
	if err != nil {
		return err
	}
	t, err := c.New(0, tensor.Float32, tensor.Shape{rows, 1})
	if err != nil {
		return err
	}
	y := t.Float32()
	return each(c, rows, len(vectors), func(r int) {
		row := x[r*cols : (r+1)*cols]
		s := []float64{float64(op.rho[0])}
		if op.n == 0 {
			s[0] += op.dot("LINEAR", row, op.coefficients)
		}
		for j := range op.n {
			s[0] += float64(op.coefficients[j]) * op.dot(op.kernel, row, op.vectors[j*cols:])
		}
		if op.oneClass {
			y[r] = -1
			if s[0] > 0 {
				y[r] = 1
			}
			return
		}
		y[r] = float32(s[0])
	})
}

type svmClassifier struct {
	svm
	labels       labels
	classes      int
	perClass     []int
	start        []int // first support vector of each class
	probA, probB []float32
}

func newSVMClassifier(a *ops.Attrs) (ops.Op, error) {
	op := svmClassifier{svm: readSVM(a), labels: readLabels(a, "classlabels_ints", "classlabels_strings"), perClass: a.Ints("vectors_per_class"),
		probA: a.Floats("prob_a"), probB: a.Floats("prob_b")}
	op.classes = max(op.labels.len(), 1)
	for _, n := range op.perClass {
		if n < 0 || n > len(op.vectors) {
			a.Errorf("a class has %d support vectors", n)
			break
		}
		op.start = append(op.start, op.n)
		op.n += n
	}
	if err := a.Done(); err != nil {
		return nil, err
	}
	return op, op.check()
}

func (op svmClassifier) check() error {
	pairs := op.pairs()
	switch {
	case op.n == 0 && len(op.coefficients)%op.classes != 0:
		return fmt.Errorf("%d coefficients for %d classes", len(op.coefficients), op.classes)
	case op.n == 0:
		return nil
	case len(op.perClass) != op.classes || op.classes < 2:
		return fmt.Errorf("%d counts of support vectors for %d classes", len(op.perClass), op.classes)
	case len(op.rho) < pairs || len(op.coefficients) != (op.classes-1)*op.n || len(op.vectors)%op.n != 0:
		return fmt.Errorf("%d values of rho and %d coefficients for %d classes with %d support vectors", len(op.rho), len(op.coefficients), op.classes, op.n)
	case len(op.probA) > 0 && (len(op.probA) < pairs || len(op.probB) < pairs):
		return fmt.Errorf("%d and %d probability parameters for %d pairs of classes", len(op.probA), len(op.probB), pairs)
	}
	return nil
}

func (op svmClassifier) pairs() int { return op.classes * (op.classes - 1) / 2 }

func (op svmClassifier) proba() bool { return op.n > 0 && len(op.probA) > 0 }

// width is the number of scores in the output.
func (op svmClassifier) width() int {
	n := op.classes
	if op.n > 0 && !op.proba() {
		n = op.pairs()
	}
	if n == 1 && op.classes == 2 {
		return 2 // the second class's score is added
	}
	return n
}

// Infer implements ops.Op.
func (op svmClassifier) Infer(c *ops.Infer) error {
	n := inferRows(c)
	c.SetOut(0, op.labels.dtype(), n)
	c.SetOut(1, tensor.Float32, n, tensor.Int(op.width()))
	return nil
}

// Run implements ops.Op.
func (op svmClassifier) Run(c *ops.Ctx) error {
	vectors, n := op.vectors, op.n
	if n == 0 {
		vectors, n = op.coefficients, op.classes
	}
	x, rows, cols, err := op.input(c, vectors, n)
	if err != nil {
		return err
	}
	label, err := c.New(0, op.labels.dtype(), tensor.Shape{rows})
	if err != nil {
		return err
	}
	w := op.width()
	t, err := c.New(1, tensor.Float32, tensor.Shape{rows, w})
	if err != nil {
		return err
	}
	z := t.Float32()
	return each(c, rows, len(vectors), func(r int) {
		s := op.row(label, r, x[r*cols:(r+1)*cols])
		for k := range w {
			z[r*w+k] = float32(s[k])
		}
	})
}

// row sets the label of a row and returns its scores.
func (op svmClassifier) row(label *tensor.Tensor, r int, x []float32) []float64 {
	var s, votes []float64
	if op.n == 0 {
		s = make([]float64, op.classes)
		for j := range s {
			s[j] = float64(op.rho[0]) + op.dot("LINEAR", x, op.coefficients[j*len(x):])
		}
	} else {
		s, votes = op.duels(x)
		if op.proba() {
			s = op.probabilities(s)
		}
	}
	ranked := s
	if votes != nil {
		ranked = votes
	}
	best := 0
	for k, v := range ranked {
		if v > ranked[best] {
			best = k
		}
	}
	if len(op.rho) == 1 && op.classes != 2 { // one class against nothing
		op.setSingle(label, r, ranked[best] > 0)
	} else {
		op.labels.set(label, r, best)
	}
	switch {
	case len(s) > 1:
		op.post.apply(s)
	case op.width() == 2:
		s = append(s, 0)
		op.post.two(s, op.post != "NONE")
	default:
		op.post.single(s)
	}
	return s
}

func (op svmClassifier) setSingle(label *tensor.Tensor, r int, positive bool) {
	if label.DType() == tensor.String {
		label.Strs()[r] = "0"
		if positive {
			label.Strs()[r] = op.labels.strs[0]
		}
		return
	}
	label.Int64()[r] = 0
	if positive {
		label.Int64()[r] = 1
	}
}

// duels decides between each pair of classes; every win is a vote.
func (op svmClassifier) duels(x []float32) (scores, votes []float64) {
	k := make([]float64, op.n)
	op.kernels(k, x)
	votes = make([]float64, op.classes)
	for i := range op.classes {
		for j := i + 1; j < op.classes; j++ {
			s := float64(op.rho[len(scores)])
			for m := op.start[i]; m < op.start[i]+op.perClass[i]; m++ {
				s += float64(op.coefficients[(j-1)*op.n+m]) * k[m]
			}
			for m := op.start[j]; m < op.start[j]+op.perClass[j]; m++ {
				s += float64(op.coefficients[i*op.n+m]) * k[m]
			}
			scores = append(scores, s)
			if s > 0 {
				votes[i]++
			} else {
				votes[j]++
			}
		}
	}
	return scores, votes
}

// probabilities couples the pairs' probabilities into one for each class, by the second method of Wu, Lin and Weng
// (Probability Estimates for Multi-class Classification by Pairwise Coupling, 2004).
func (op svmClassifier) probabilities(scores []float64) []float64 {
	k := op.classes
	r := make([]float64, k*k)
	at := 0
	for i := range k {
		for j := i + 1; j < k; j++ {
			p := 1 - logistic(scores[at]*float64(op.probA[at])+float64(op.probB[at]))
			p = min(max(p, 1e-7), 1-1e-7)
			r[i*k+j], r[j*k+i] = p, 1-p
			at++
		}
	}
	q := make([]float64, k*k)
	for t := range k {
		for j := range k {
			if j != t {
				q[t*k+t] += r[j*k+t] * r[j*k+t]
				q[t*k+j] = -r[j*k+t] * r[t*k+j]
			}
		}
	}
	return couple(q, k)
}

// couple minimizes pᵀQp over probabilities p.
func couple(q []float64, k int) []float64 {
	p, qp := make([]float64, k), make([]float64, k)
	for t := range p {
		p[t] = 1 / float64(k)
	}
	for range max(100, k) {
		pqp, worst := 0.0, 0.0
		for t := range k {
			qp[t] = 0
			for j := range k {
				qp[t] += q[t*k+j] * p[j]
			}
			pqp += p[t] * qp[t]
		}
		for t := range k {
			worst = max(worst, math.Abs(qp[t]-pqp))
		}
		if worst < 0.005/float64(k) {
			break
		}
		for t := range k {
			d := (pqp - qp[t]) / q[t*k+t]
			p[t] += d
			pqp = (pqp + d*(d*q[t*k+t]+2*qp[t])) / ((1 + d) * (1 + d))
			for j := range k {
				qp[j] = (qp[j] + d*q[t*k+j]) / (1 + d)
				p[j] /= 1 + d
			}
		}
	}
	return p
}
