package elementwise

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	for _, name := range []string{"Equal", "Greater", "Less"} {
		ops.Register(
			ops.Def{Name: name, Since: 1, New: newCompare(name, true)},
			ops.Def{Name: name, Since: 7, New: newCompare(name, false)},
		)
	}
	for _, name := range []string{"GreaterOrEqual", "LessOrEqual"} {
		ops.Register(ops.Def{Name: name, Since: 12, New: newCompare(name, false)})
	}
	for name, f := range map[string]func(dst, a, b []uint8){"And": and, "Or": or, "Xor": xor} {
		ops.Register(
			ops.Def{Name: name, Since: 1, New: newLogic(f, true)},
			ops.Def{Name: name, Since: 7, New: newLogic(f, false)},
		)
	}
}

// compare is a comparison of two operands of one type. NaN is unequal to, and neither less nor greater than, anything.
type compare struct {
	alignment
	name string
}

func newCompare(name string, old bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) { return compare{newAlignment(a, old), name}, a.Done() }
}

// Infer implements ops.Op.
func (op compare) Infer(c *ops.Infer) error {
	if err := op.infer(c, tensor.Bool); err != nil {
		return err
	}
	if d := c.DType(0); op.name == "Equal" && (d == tensor.Int64 || d == tensor.Int32) {
		followInts(c, func(args []tensor.Dim) tensor.Dim { return equalDims(args[0], args[1]) })
	}
	return nil
}

// Run implements ops.Op.
func (op compare) Run(c *ops.Ctx) error {
	a, b := c.Tensor(0), c.Tensor(1)
	if a.DType() != b.DType() {
		return fmt.Errorf("operands are %v and %v", a.DType(), b.DType())
	}
	p, err := op.plan(a.Shape(), b.Shape())
	if err != nil {
		return err
	}
	out, err := c.NewOver(0, tensor.Bool, p.shape, 0, 1)
	if err != nil {
		return err
	}
	switch a.DType() {
	case tensor.Float32:
		return run2(c, p, 1, compareLoop[float32](op.name), out, a, b)
	case tensor.Float64:
		return run2(c, p, 1, compareLoop[float64](op.name), out, a, b)
	case tensor.Float16, tensor.BFloat16:
		return runHalfTest(c, p, compareLoop[float32](op.name), out, a, b)
	case tensor.Int8:
		return run2(c, p, 1, compareLoop[int8](op.name), out, a, b)
	case tensor.Int16:
		return run2(c, p, 1, compareLoop[int16](op.name), out, a, b)
	case tensor.Int32:
		return run2(c, p, 1, compareLoop[int32](op.name), out, a, b)
	case tensor.Int64:
		return run2(c, p, 1, compareLoop[int64](op.name), out, a, b)
	case tensor.Uint8, tensor.Bool:
		return run2(c, p, 1, compareLoop[uint8](op.name), out, a, b)
	case tensor.Uint16:
		return run2(c, p, 1, compareLoop[uint16](op.name), out, a, b)
	case tensor.Uint32:
		return run2(c, p, 1, compareLoop[uint32](op.name), out, a, b)
	case tensor.Uint64:
		return run2(c, p, 1, compareLoop[uint64](op.name), out, a, b)
	case tensor.String:
		if op.name == "Equal" {
			l := loop[string, string, bool]{vv: equalLoop[string]}
			dst, x, y := out.Bool(), a.Strs(), b.Strs()
			c.Parallel(p.n, ops.Grain(4), func(lo, hi int) { l.over(p, dst, x, y, lo, hi) })
			return c.Err()
		}
	}
	return unsupported(op.name, a)
}

func compareLoop[T vec.Number](name string) loop[T, T, bool] {
	type l = loop[T, T, bool]
	switch name {
	case "Equal":
		return l{vv: equalLoop[T]}
	case "Greater":
		return l{vv: greaterLoop[T]}
	case "Less":
		return l{vv: func(dst []bool, a, b []T) { greaterLoop(dst, b, a) }}
	case "GreaterOrEqual":
		return l{vv: greaterOrEqualLoop[T]}
	}
	return l{vv: func(dst []bool, a, b []T) { greaterOrEqualLoop(dst, b, a) }}
}

func equalLoop[T comparable](dst []bool, a, b []T) {
	for i, v := range a {
		dst[i] = v == b[i]
	}
}

func greaterLoop[T vec.Number](dst []bool, a, b []T) {
	for i, v := range a {
		dst[i] = v > b[i]
	}
}

func greaterOrEqualLoop[T vec.Number](dst []bool, a, b []T) {
	for i, v := range a {
		dst[i] = v >= b[i]
	}
}

// logic is And, Or and Xor on bools, which are bytes of 0 and 1.
type logic struct {
	alignment
	f func(dst, a, b []uint8)
}

func newLogic(f func(dst, a, b []uint8), old bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) { return logic{newAlignment(a, old), f}, a.Done() }
}

func and(dst, a, b []uint8) { andLoop(dst, a, b) }
func or(dst, a, b []uint8)  { orLoop(dst, a, b) }
func xor(dst, a, b []uint8) { xorLoop(dst, a, b) }

// Infer implements ops.Op.
func (op logic) Infer(c *ops.Infer) error { return op.infer(c, tensor.Bool) }

// Run implements ops.Op.
func (op logic) Run(c *ops.Ctx) error {
	a, b := c.Tensor(0), c.Tensor(1)
	if a.DType() != tensor.Bool || b.DType() != tensor.Bool {
		return fmt.Errorf("operands are %v and %v, not bool", a.DType(), b.DType())
	}
	p, err := op.plan(a.Shape(), b.Shape())
	if err != nil {
		return err
	}
	out, err := c.NewOver(0, tensor.Bool, p.shape, 0, 1)
	if err != nil {
		return err
	}
	return run2(c, p, 1, loop[uint8, uint8, uint8]{vv: op.f}, out, a, b)
}
