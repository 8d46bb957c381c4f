package nn

import (
	"fmt"
	"math/rand/v2"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	for _, v := range []int{1, 6, 7, 10, 12, 13, 22} {
		ops.Register(ops.Def{Name: "Dropout", Since: v, New: newDropout(v), Widen: true})
	}
}

// dropout is https://onnx.ai/onnx/operators/onnx__Dropout.html. Inputs: data and from version 12 ratio and training_mode.
// Outputs: output and mask, which has the input's type before version 10 and is bool since.
type dropout struct {
	ratio    float32
	training bool
	inputs   bool // ratio and training_mode are inputs
	boolMask bool
	seeded   bool
	seed     int
}

func newDropout(version int) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		op := dropout{ratio: 0.5, inputs: version >= 12, boolMask: version >= 10}
		if version < 12 {
			op.ratio = a.Float("ratio", 0.5)
		}
		if version < 7 {
			op.training = !a.Bool("is_test", false)
			a.Ignore("consumed_inputs")
		}
		if version >= 12 {
			op.seeded, op.seed = a.Has("seed"), a.Int("seed", 0)
		}
		if err := checkRatio(float64(op.ratio)); err != nil {
			a.Errorf("%v", err)
		}
		return op, a.Done()
	}
}

func checkRatio(r float64) error {
	if !(r >= 0 && r < 1) {
		return fmt.Errorf("ratio is %v, not in [0, 1)", r)
	}
	return nil
}

// Infer implements ops.Op.
func (op dropout) Infer(c *ops.Infer) error {
	c.SetLike(0, 0)
	d := c.DType(0)
	if op.boolMask {
		d = tensor.Bool
	}
	c.SetDType(1, d)
	c.SetShapeLike(1, 0, d)
	return nil
}

// Run implements ops.Op.
func (op dropout) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	ratio, training := float64(op.ratio), op.training
	if t := c.Tensor(1); op.inputs && t != nil {
		v, err := t.Floats()
		if err != nil || len(v) != 1 {
			return fmt.Errorf("ratio is %v, not one number", t)
		}
		if err := checkRatio(v[0]); err != nil {
			return err
		}
		ratio = v[0]
	}
	if t := c.Tensor(2); op.inputs && t != nil {
		if t.DType() != tensor.Bool || t.Len() != 1 {
			return fmt.Errorf("training_mode is %v, not one bool", t)
		}
		training = t.Bool()[0]
	}
	if !training || ratio == 0 {
		c.SetOut(0, x)
		return op.idleMask(c)
	}
	return op.drop(c, ratio)
}

// idleMask writes the mask of a Dropout that drops nothing: all true since version 12. Before, the standard leaves it open
// ("not filled" in version 1) and ONNX Runtime gives zeros.
func (op dropout) idleMask(c *ops.Ctx) error {
	if !c.Wants(1) {
		return nil
	}
	keep := make([]bool, c.Tensor(0).Len())
	for i := range keep {
		keep[i] = op.inputs
	}
	return op.writeMask(c, keep)
}

func (op dropout) writeMask(c *ops.Ctx, keep []bool) error {
	x := c.Tensor(0)
	d := x.DType()
	if op.boolMask {
		d = tensor.Bool
	}
	m, err := c.New(1, d, x.Shape())
	if err != nil {
		return err
	}
	switch d {
	case tensor.Bool:
		copy(m.Bool(), keep)
	case tensor.Float64:
		ones(m.Float64(), keep)
	default:
		ones(m.Float32(), keep)
	}
	return nil
}

func ones[T ops.Float](dst []T, keep []bool) {
	for i, k := range keep {
		if dst[i] = 0; k {
			dst[i] = 1
		}
	}
}

// drop keeps each element with probability 1-ratio and scales it by 1/(1-ratio). With a seed, the choice is that of the standard's
// reference: uniform numbers of a Mersenne Twister in the order of the elements.
func (op dropout) drop(c *ops.Ctx, ratio float64) error {
	x := c.Tensor(0)
	uniform := rand.Float64
	if op.seeded {
		uniform = newTwister(uint32(op.seed)).float64
	}
	keep := make([]bool, x.Len())
	for i := range keep {
		keep[i] = uniform() >= ratio
	}
	y, err := c.NewOver(0, x.DType(), x.Shape(), 0)
	if err != nil {
		return err
	}
	if x.DType() == tensor.Float64 {
		scaleKept(y.Float64(), x.Float64(), keep, 1/(1-ratio))
	} else {
		scaleKept(y.Float32(), x.Float32(), keep, float32(1/(1-ratio)))
	}
	if c.Wants(1) {
		return op.writeMask(c, keep)
	}
	return nil
}

func scaleKept[T ops.Float](y, x []T, keep []bool, scale T) {
	for i, v := range x {
		if y[i] = 0; keep[i] {
			y[i] = v * scale
		}
	}
}
