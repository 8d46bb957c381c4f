package nn

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/softmax"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	for _, v := range []int{12, 13, 22} {
		ops.Register(ops.Def{Name: "NegativeLogLikelihoodLoss", Since: v, New: newLoss(false), Widen: true})
	}
	for _, v := range []int{12, 13} {
		ops.Register(ops.Def{Name: "SoftmaxCrossEntropyLoss", Since: v, New: newLoss(true), Widen: true})
	}
}

// loss is https://onnx.ai/onnx/operators/onnx__NegativeLogLikelihoodLoss.html or, with softmax, SoftmaxCrossEntropyLoss. Inputs:
// input (N, C, …), target (N, …) and weight (C). Outputs: loss and, with softmax, log_prob like input.
type loss struct {
	softmax   bool
	reduction string
	ignore    int
	ignores   bool
}

func newLoss(soft bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		return loss{soft, a.Enum("reduction", "mean", "none", "sum", "mean"), a.Int("ignore_index", 0), a.Has("ignore_index")}, a.Done()
	}
}

// Infer implements ops.Op.
func (op loss) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	c.SetLike(1, 0)
	if op.reduction != "none" {
		c.SetOut(0, c.DType(0))
		return nil
	}
	c.SetShapeLike(0, 1, c.DType(0))
	return nil
}

// Run implements ops.Op.
func (op loss) Run(c *ops.Ctx) error {
	if c.Tensor(0).DType() == tensor.Float64 {
		return runLoss[float64](c, op)
	}
	return runLoss[float32](c, op)
}

func runLoss[T ops.Float](c *ops.Ctx, op loss) error {
	x, target := c.Tensor(0), c.Tensor(1)
	if x.Rank() < 2 || !(append(tensor.Shape{x.Dim(0)}, x.Shape()[2:]...)).Equal(target.Shape()) {
		return fmt.Errorf("input %v and target %v do not match", x.Shape(), target.Shape())
	}
	batch, classes, inner := split(x.Shape(), 1)
	labels, err := op.labels(target, classes)
	if err != nil {
		return err
	}
	logp := tensor.Slice[T](x)
	if op.softmax {
		if logp, err = logProbs(c, logp, batch, classes, inner); err != nil {
			return err
		}
	}
	var weight []T
	if w := c.Tensor(2); w != nil {
		if weight, err = ops.Floats[T](c, w); err != nil {
			return err
		}
		if len(weight) != classes {
			return fmt.Errorf("weight has shape %v, not [%d]", w.Shape(), classes)
		}
	}
	return reduceLoss(c, op, logp, weight, labels, classes, inner)
}

// labels returns the classes of the targets, -1 where they are ignored.
func (op loss) labels(target *tensor.Tensor, classes int) ([]int, error) {
	labels, err := target.Ints()
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	for i, l := range labels {
		switch {
		case op.ignores && l == op.ignore:
			labels[i] = -1
		case l < 0 || l >= classes:
			return nil, fmt.Errorf("target %d out of range for %d classes", l, classes)
		}
	}
	return labels, nil
}

// logProbs is the LogSoftmax over the classes, in output 1 if that is wanted.
func logProbs[T ops.Float](c *ops.Ctx, x []T, batch, classes, inner int) (y []T, err error) {
	if c.Wants(1) {
		t, err := c.New(1, tensor.DTypeOf[T](), c.Tensor(0).Shape())
		if err != nil {
			return nil, err
		}
		y = tensor.Slice[T](t)
	} else if y, err = ops.Scratch[T](c, len(x)); err != nil {
		return nil, err
	}
	if len(x) > 0 {
		rows(c, y, x, batch, classes, inner, softmax.LogSoftmax[T])
	}
	return y, nil
}

// reduceLoss writes output 0 from the logarithms of the probabilities. The mean divides by the sum of the weights that took part.
func reduceLoss[T ops.Float](c *ops.Ctx, op loss, logp, weight []T, labels []int, classes, inner int) error {
	shape := tensor.Shape{}
	if op.reduction == "none" {
		shape = c.Tensor(1).Shape()
	}
	t, err := c.New(0, tensor.DTypeOf[T](), shape)
	if err != nil {
		return err
	}
	out := tensor.Slice[T](t)
	var sum, total float64
	for i, l := range labels {
		w, v := T(0), T(0)
		if l >= 0 {
			if w = 1; weight != nil {
				w = weight[l]
			}
			v = -logp[(i/inner*classes+l)*inner+i%inner] * w
		}
		if op.reduction == "none" {
			out[i] = v
		}
		sum += float64(v)
		total += float64(w)
	}
	switch op.reduction {
	case "sum":
		out[0] = T(sum)
	case "mean":
		out[0] = T(sum / total)
	}
	return nil
}
