package elementwise

import (
	"fmt"
	"math"
	"slices"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	for _, name := range []string{"Add", "Sub", "Mul", "Div"} {
		ops.Register(
			ops.Def{Name: name, Since: 1, New: newArith(name, true)},
			ops.Def{Name: name, Since: 7, New: newArith(name, false)},
		)
	}
	for _, name := range []string{"BitwiseAnd", "BitwiseOr", "BitwiseXor"} {
		ops.Register(ops.Def{Name: name, Since: 18, New: newArith(name, false)})
	}
	ops.Register(
		ops.Def{Name: "Mod", Since: 10, New: newMod},
		ops.Def{Name: "BitShift", Since: 11, New: newBitShift},
		ops.Def{Name: "PRelu", Since: 1, New: newPRelu(true)},
		ops.Def{Name: "PRelu", Since: 7, New: newPRelu(false)},
	)
}

// arith is a binary operator on numbers of one type, known by the name of its loops (numLoop, intLoop, floatLoop).
type arith struct {
	alignment
	name string
}

func newArith(name string, old bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) { return arith{newAlignment(a, old), name}, a.Done() }
}

func newMod(a *ops.Attrs) (ops.Op, error) {
	if a.Bool("fmod", false) {
		return arith{name: "Fmod"}, a.Done()
	}
	return arith{name: "Mod"}, a.Done()
}

func newBitShift(a *ops.Attrs) (ops.Op, error) {
	if a.Enum("direction", "", "LEFT", "RIGHT") == "LEFT" {
		return arith{name: "ShiftLeft"}, a.Done()
	}
	if !a.Has("direction") {
		a.Errorf("attribute direction is missing")
	}
	return arith{name: "ShiftRight"}, a.Done()
}

// Infer implements ops.Op.
func (op arith) Infer(c *ops.Infer) error {
	d := c.DType(0)
	if err := op.infer(c, d); err != nil {
		return err
	}
	if f := dimArith(op.name); f != nil && (d == tensor.Int64 || d == tensor.Int32) {
		followInts(c, func(args []tensor.Dim) tensor.Dim { return f(args[0], args[1]) })
	}
	return nil
}

// Run implements ops.Op.
func (op arith) Run(c *ops.Ctx) error {
	a, b := c.Tensor(0), c.Tensor(1)
	p, err := op.plan(a.Shape(), b.Shape())
	if err != nil {
		return err
	}
	out, err := c.NewOver(0, a.DType(), p.shape, 0, 1)
	if err != nil {
		return err
	}
	return runArith(c, p, op.name, out, a, b)
}

// runArith computes out = a ∘ b by the loops of the given name. All three have the same element type.
func runArith(c *ops.Ctx, p *plan, name string, out, a, b *tensor.Tensor) error {
	if a.DType() != b.DType() {
		return fmt.Errorf("operands are %v and %v", a.DType(), b.DType())
	}
	switch a.DType() {
	case tensor.Float32:
		return runFloats[float32](c, p, name, out, a, b)
	case tensor.Float64:
		return runFloats[float64](c, p, name, out, a, b)
	case tensor.Float16, tensor.BFloat16:
		l, ok := floatLoop[float32](name)
		if !ok {
			return unsupported(name, a)
		}
		return runHalf2(c, p, 1, l, out, a, b)
	case tensor.Int8:
		return runInts[int8](c, p, name, out, a, b)
	case tensor.Int16:
		return runInts[int16](c, p, name, out, a, b)
	case tensor.Int32:
		return runInts[int32](c, p, name, out, a, b)
	case tensor.Int64:
		return runInts[int64](c, p, name, out, a, b)
	case tensor.Uint8:
		return runInts[uint8](c, p, name, out, a, b)
	case tensor.Uint16:
		return runInts[uint16](c, p, name, out, a, b)
	case tensor.Uint32:
		return runInts[uint32](c, p, name, out, a, b)
	case tensor.Uint64:
		return runInts[uint64](c, p, name, out, a, b)
	}
	return unsupported(name, a)
}

func unsupported(name string, t *tensor.Tensor) error {
	if name == "Mod" {
		return fmt.Errorf("%v needs the attribute fmod=1", t.DType())
	}
	return fmt.Errorf("%w: %s of %v", ops.ErrUnsupported, name, t.DType())
}

type float interface{ float32 | float64 }

type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

func runFloats[T float](c *ops.Ctx, p *plan, name string, out, a, b *tensor.Tensor) error {
	l, ok := floatLoop[T](name)
	if !ok {
		return unsupported(name, a)
	}
	return run2(c, p, 1, l, out, a, b)
}

func runInts[T integer](c *ops.Ctx, p *plan, name string, out, a, b *tensor.Tensor) error {
	l, ok := intLoop[T](name)
	if !ok {
		return unsupported(name, a)
	}
	switch name {
	case "Div", "Mod", "Fmod":
		if p.n > 0 && slices.Contains(tensor.Slice[T](b), 0) {
			return fmt.Errorf("integer division by zero")
		}
	}
	return run2(c, p, 1, l, out, a, b)
}

// numLoop returns the loop of an operator on any numbers.
func numLoop[T vec.Number](name string) (loop[T, T, T], bool) {
	type l = loop[T, T, T]
	switch name {
	case "Add", "Sum":
		return l{vec.Add[T], vec.AddScalar[T], func(d []T, a T, b []T) { vec.AddScalar(d, b, a) }}, true
	case "Sub":
		return l{vec.Sub[T], vec.SubScalar[T], vec.ScalarSub[T]}, true
	case "Mul":
		return l{vec.Mul[T], vec.MulScalar[T], func(d []T, a T, b []T) { vec.MulScalar(d, b, a) }}, true
	case "Div":
		return l{vec.Div[T], vec.DivScalar[T], vec.ScalarDiv[T]}, true
	case "Max":
		return l{vv: vec.Max[T]}, true
	case "Min":
		return l{vv: vec.Min[T]}, true
	case "PRelu":
		return l{vv: vec.PRelu[T]}, true
	}
	return l{}, false
}

func floatLoop[T float](name string) (loop[T, T, T], bool) {
	if name == "Fmod" {
		return loop[T, T, T]{vv: func(dst, a, b []T) {
			for i, v := range a {
				dst[i] = T(math.Mod(float64(v), float64(b[i])))
			}
		}}, true
	}
	return numLoop[T](name)
}

func intLoop[T integer](name string) (loop[T, T, T], bool) {
	type l = loop[T, T, T]
	switch name {
	case "Mod":
		return l{vv: modLoop[T]}, true
	case "Fmod":
		return l{vv: remLoop[T]}, true
	case "BitwiseAnd":
		return l{vv: andLoop[T]}, true
	case "BitwiseOr":
		return l{vv: orLoop[T]}, true
	case "BitwiseXor":
		return l{vv: xorLoop[T]}, true
	case "ShiftLeft":
		return l{vv: shiftLeftLoop[T]}, true
	case "ShiftRight":
		return l{vv: shiftRightLoop[T]}, true
	}
	return numLoop[T](name)
}

// modLoop is the remainder with the sign of the divisor.
func modLoop[T integer](dst, a, b []T) {
	for i, v := range a {
		r := v % b[i]
		if r != 0 && (r < 0) != (b[i] < 0) {
			r += b[i]
		}
		dst[i] = r
	}
}

// remLoop is the remainder with the sign of the dividend.
func remLoop[T integer](dst, a, b []T) {
	for i, v := range a {
		dst[i] = v % b[i]
	}
}

func andLoop[T integer](dst, a, b []T) {
	for i, v := range a {
		dst[i] = v & b[i]
	}
}

func orLoop[T integer](dst, a, b []T) {
	for i, v := range a {
		dst[i] = v | b[i]
	}
}

func xorLoop[T integer](dst, a, b []T) {
	for i, v := range a {
		dst[i] = v ^ b[i]
	}
}

func shiftLeftLoop[T integer](dst, a, b []T) {
	for i, v := range a {
		dst[i] = v << uint64(b[i])
	}
}

func shiftRightLoop[T integer](dst, a, b []T) {
	for i, v := range a {
		dst[i] = v >> uint64(b[i])
	}
}

// prelu is https://onnx.ai/onnx/operators/onnx__PRelu.html. The slope broadcasts to x alone. Before opset 7 it has one
// element, or one per channel (axis 1).
type prelu struct{ old bool }

func newPRelu(old bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		if old {
			a.Ignore("consumed_inputs")
		}
		return prelu{old}, a.Done()
	}
}

// Infer implements ops.Op.
func (op prelu) Infer(c *ops.Infer) error {
	c.SetShapeLike(0, 0, c.DType(0))
	return nil
}

func (op prelu) plan(x, slope tensor.Shape) (*plan, error) {
	if op.old && len(slope) == 1 && slope[0] != 1 && len(x) > 1 {
		return alignment{old: true, broadcast: true, axis: 1, hasAxis: true}.plan(x, slope)
	}
	p, err := newPlan(x, slope)
	if err == nil && !p.shape.Equal(x) {
		err = fmt.Errorf("slope of shape %v does not broadcast to %v", slope, x)
	}
	return p, err
}

// Run implements ops.Op.
func (op prelu) Run(c *ops.Ctx) error {
	x, slope := c.Tensor(0), c.Tensor(1)
	p, err := op.plan(x.Shape(), slope.Shape())
	if err != nil {
		return err
	}
	out, err := c.NewOver(0, x.DType(), p.shape, 0)
	if err != nil {
		return err
	}
	return runArith(c, p, "PRelu", out, x, slope)
}
