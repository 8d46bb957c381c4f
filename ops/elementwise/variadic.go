package elementwise

import (
	"fmt"
	"slices"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	for _, name := range []string{"Max", "Min", "Sum", "Mean"} {
		ops.Register(
			ops.Def{Name: name, Since: 1, New: newVariadic(name, true)},
			ops.Def{Name: name, Since: 8, New: newVariadic(name, false)},
		)
	}
}

// variadic is Max, Min, Sum and Mean over any number of inputs. Before opset 8 all shapes must be equal. NaN in any
// input gives NaN.
type variadic struct {
	name string
	old  bool
}

func newVariadic(name string, old bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		if old {
			a.Ignore("consumed_inputs")
		}
		return variadic{name, old}, a.Done()
	}
}

// Infer implements ops.Op.
func (op variadic) Infer(c *ops.Infer) error {
	d := c.DType(0)
	c.SetDType(0, d)
	shapes := make([][]tensor.Dim, len(c.In))
	for i := range shapes {
		var ok bool
		if shapes[i], ok = c.Dims(i); !ok {
			return nil
		}
	}
	dims, err := ops.BroadcastDims(shapes...)
	if err != nil {
		return err
	}
	c.SetOut(0, d, dims...)
	if f := dimArith(op.name); f != nil && (d == tensor.Int64 || d == tensor.Int32) {
		followInts(c, func(args []tensor.Dim) tensor.Dim {
			acc := args[0]
			for _, v := range args[1:] {
				acc = f(acc, v)
			}
			return acc
		})
	}
	return nil
}

// Run implements ops.Op.
func (op variadic) Run(c *ops.Ctx) error {
	in := make([]*tensor.Tensor, len(c.In))
	var shape tensor.Shape
	for i := range in {
		if in[i] = c.Tensor(i); in[i] == nil {
			return fmt.Errorf("input %d is missing", i)
		}
		s := in[i].Shape()
		if i > 0 && op.old && !s.Equal(shape) {
			return fmt.Errorf("shapes %v and %v differ", shape, s)
		}
		var err error
		if shape, err = shape.Broadcast(s); err != nil {
			return err
		}
	}
	if len(in) == 0 {
		return fmt.Errorf("no inputs")
	}
	if len(in) == 1 {
		c.SetOut(0, in[0])
		return nil
	}
	out, err := c.NewOver(0, in[0].DType(), shape, overwritable(in)...)
	if err != nil {
		return err
	}
	if isHalf(out.DType()) && len(in) > 2 || op.name == "Mean" && isHalf(out.DType()) {
		return op.runWide(c, out, in)
	}
	if err := op.fold(c, out, in); err != nil {
		return err
	}
	if op.name != "Mean" {
		return nil
	}
	if out.DType() == tensor.Float64 {
		return scale(c, out.Float64(), len(in))
	}
	return scale(c, out.Float32(), len(in))
}

// overwritable lists those of the first two inputs that the running result may overwrite: later inputs are read after.
func overwritable(in []*tensor.Tensor) (candidates []int) {
	for k, t := range in[:2] {
		if !slices.ContainsFunc(in[2:], t.Overlaps) {
			candidates = append(candidates, k)
		}
	}
	return candidates
}

// fold computes acc = in[0] ∘ in[1] ∘ …; acc may share memory with one of the first two.
func (op variadic) fold(c *ops.Ctx, acc *tensor.Tensor, in []*tensor.Tensor) error {
	name := op.name
	if name == "Mean" {
		name = "Sum"
		if !acc.DType().IsFloat() {
			return unsupported(op.name, acc)
		}
	}
	left := in[0]
	for _, right := range in[1:] {
		p, err := fitted(acc.Shape(), left, right)
		if err != nil {
			return err
		}
		if err := runArith(c, p, name, acc, left, right); err != nil {
			return err
		}
		left = acc
	}
	return nil
}

// fitted is a plan of two operands over a given shape that they broadcast to, maybe only together with others.
func fitted(shape tensor.Shape, a, b *tensor.Tensor) (*plan, error) {
	return newPlan(a.Shape(), b.Shape(), shape)
}

// runWide folds half-precision inputs in float32 and rounds once.
func (op variadic) runWide(c *ops.Ctx, out *tensor.Tensor, in []*tensor.Tensor) error {
	wide := make([]*tensor.Tensor, len(in))
	for i, t := range in {
		if t.DType() != out.DType() {
			return fmt.Errorf("operands are %v and %v", out.DType(), t.DType())
		}
		s, err := ops.Scratch[float32](c, t.Len())
		if err != nil {
			return err
		}
		c.Parallel(len(s), castGrain, func(lo, hi int) { widen(s[lo:hi], t, lo) })
		wide[i] = tensor.Of(t.Shape(), s)
	}
	s, err := ops.Scratch[float32](c, out.Len())
	if err != nil {
		return err
	}
	if err := op.fold(c, tensor.Of(out.Shape(), s), wide); err != nil {
		return err
	}
	if op.name == "Mean" {
		if err := scale(c, s, len(in)); err != nil {
			return err
		}
	}
	c.Parallel(len(s), castGrain, func(lo, hi int) { narrow(out, s[lo:hi], lo) })
	return c.Err()
}

// scale divides by the number of inputs.
func scale[T float](c *ops.Ctx, x []T, n int) error {
	c.Parallel(len(x), ops.Grain(1), func(lo, hi int) { vec.DivScalar(x[lo:hi], x[lo:hi], T(n)) })
	return c.Err()
}
