package contrib

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		plainOp("Trilu", standard("Trilu", 14, 0)),
		plainOp("GatherND", standard("GatherND", 13, 0)),
		plainOp("Pad", standard("Pad", 13, 0)),
		plainOp("QuantizeLinear", quantizer("QuantizeLinear", 0)),
		plainOp("DequantizeLinear", quantizer("DequantizeLinear", 1)),
		plainOp("Unique", newUnique),
		plainOp("ExpandDims", simple(inferExpandDims, expandDims)),
		plainOp("Range", standard("Range", 11, 0)),
	)
}

// standard builds the operator of ai.onnx that has the same signature and meaning. outputs share the element type of
// input like.
func standard(name string, opset, like int) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) { return buildStandard(name, opset, like, a) }
}

func buildStandard(name string, opset, like int, a *ops.Attrs) (ops.Op, error) {
	def, ok := ops.Lookup("", name, opset)
	if !ok {
		return nil, fmt.Errorf("operator %s is not registered: %w", name, ops.ErrUnsupported)
	}
	o, err := def.New(a)
	if err == nil && def.Widen {
		o = ops.Widened(o, func(int) []int { return []int{like} })
	}
	return o, err
}

// quantizer is QuantizeLinear or DequantizeLinear, where a missing axis means one scale for the whole tensor.
func quantizer(name string, like int) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) { return buildStandard(name, 21, like, a) }
}

// newUnique is Unique in the order of first occurrence; its outputs are the values, the indices of x's elements among
// them, and the counts.
func newUnique(a *ops.Attrs) (ops.Op, error) {
	if err := a.Done(); err != nil {
		return nil, err
	}
	inner, err := buildStandard("Unique", 11, 0, ops.NewAttrs(11, 4, map[string]any{"sorted": int64(0)}))
	if err != nil {
		return nil, err
	}
	infer := func(c *ops.Infer) error {
		n := tensor.Dim{}
		c.SetOut(0, c.DType(0), n)
		c.SetOut(1, tensor.Int64, n)
		c.SetOut(2, tensor.Int64, n)
		return nil
	}
	return op{infer, func(c *ops.Ctx) error {
		out, err := runInner(c, inner, c.In, 4)
		if err != nil {
			return err
		}
		c.SetOut(0, out[0])
		c.SetOut(1, out[2])
		c.SetOut(2, out[3])
		return nil
	}}, nil
}

// runInner runs another operator on the given inputs and returns its outputs.
func runInner(c *ops.Ctx, o ops.Op, in []tensor.Value, outputs int) ([]tensor.Value, error) {
	sub := &ops.Ctx{Context: c.Context, In: in, Out: make([]tensor.Value, outputs), Wanted: make([]bool, outputs), Mem: c.Mem, Pool: c.Pool}
	for i := range sub.Wanted {
		sub.Wanted[i] = true
	}
	defer sub.ReleaseScratch()
	err := o.Run(sub)
	return sub.Out, err
}

func inferExpandDims(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	dims, ok := c.Dims(0)
	axis, known := c.ConstInts(1)
	if !ok || !known || len(axis) != 1 {
		return nil
	}
	a, err := ops.NormAxis(axis[0], len(dims)+1)
	if err != nil {
		return err
	}
	out := append(append(append([]tensor.Dim{}, dims[:a]...), tensor.Int(1)), dims[a:]...)
	c.SetOut(0, c.DType(0), out...)
	return nil
}

// expandDims inserts an axis of extent 1.
func expandDims(c *ops.Ctx) error {
	axis, err := intScalar(c, 1, "axis", 0)
	if err != nil {
		return err
	}
	s := c.Tensor(0).Shape()
	a, err := ops.NormAxis(axis, len(s)+1)
	if err != nil {
		return err
	}
	out := append(append(s[:a].Clone(), 1), s[a:]...)
	c.SetOut(0, c.Tensor(0).Reshaped(out))
	return nil
}
