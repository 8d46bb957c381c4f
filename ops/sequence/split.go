package sequence

import (
	"fmt"
	"slices"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/shape"
)

func init() {
	ops.Register(
		ops.Def{Name: "SplitToSequence", Since: 11, New: newSplitToSequence},
		ops.Def{Name: "ConcatFromSequence", Since: 11, New: newConcatFromSequence},
	)
}

// splitToSequence is https://onnx.ai/onnx/operators/onnx__SplitToSequence.html. keepdims counts without a split only.
type splitToSequence struct {
	axis     int
	keepDims bool
}

func newSplitToSequence(a *ops.Attrs) (ops.Op, error) {
	return splitToSequence{a.Int("axis", 0), a.Bool("keepdims", true)}, a.Done()
}

func (op splitToSequence) Infer(c *ops.Infer) error {
	elem := tensor.UnrankedType(c.DType(0))
	if dims, ok := c.Dims(0); ok {
		axis, err := ops.NormAxis(op.axis, len(dims))
		if err != nil {
			return err
		}
		out := slices.Clone(dims)
		switch {
		case !c.Has(1) && !op.keepDims:
			out = slices.Delete(out, axis, axis+1)
		case !c.Has(1):
			out[axis] = tensor.Int(1)
		default:
			out[axis] = tensor.Dim{}
		}
		elem = elem.WithDims(out...)
	}
	c.SetType(0, tensor.SequenceType(elem))
	return nil
}

// sizes are the lengths of the parts of an axis of length n.
func (op splitToSequence) sizes(c *ops.Ctx, n int) ([]int, error) {
	size := 1
	if c.Has(1) {
		t := c.Tensor(1)
		v, err := t.Ints()
		if err != nil {
			return nil, fmt.Errorf("split: %w", err)
		}
		if t.Rank() > 1 {
			return nil, fmt.Errorf("split has shape %v, not one dimension", t.Shape())
		}
		if t.Rank() == 1 {
			return v, nil
		}
		if size = v[0]; size < 1 {
			return nil, fmt.Errorf("split is %d", size)
		}
	}
	var out []int
	for at := 0; at < n; at += size {
		out = append(out, min(size, n-at))
		if size >= n {
			break
		}
	}
	return out, nil
}

func (op splitToSequence) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	axis, err := x.Shape().Axis(op.axis)
	if err != nil {
		return err
	}
	sizes, err := op.sizes(c, x.Dim(axis))
	if err != nil {
		return err
	}
	parts, err := shape.Cut(c, x, axis, sizes)
	if err != nil {
		return err
	}
	seq := &tensor.Sequence{Elem: x.Type(), Items: make([]tensor.Value, len(parts))}
	seq.Elem.Dims[axis] = tensor.Dim{}
	if !c.Has(1) && !op.keepDims {
		seq.Elem.Dims = slices.Delete(seq.Elem.Dims, axis, axis+1)
	}
	for i, p := range parts {
		if !c.Has(1) && !op.keepDims {
			p = p.Reshaped(slices.Delete(p.Shape().Clone(), axis, axis+1))
		}
		seq.Items[i] = p
	}
	c.SetOut(0, seq)
	return nil
}

// concatFromSequence is https://onnx.ai/onnx/operators/onnx__ConcatFromSequence.html.
type concatFromSequence struct {
	axis    int
	newAxis bool
}

func newConcatFromSequence(a *ops.Attrs) (ops.Op, error) {
	if !a.Has("axis") {
		a.Errorf("attribute axis is missing")
	}
	return concatFromSequence{a.Int("axis", 0), a.Bool("new_axis", false)}, a.Done()
}

func (op concatFromSequence) Infer(c *ops.Infer) error {
	elem := c.In[0].Type.Element()
	if elem.Kind != tensor.KindTensor {
		return nil
	}
	c.SetDType(0, elem.DType)
	if !elem.Ranked {
		return nil
	}
	out := slices.Clone(elem.Dims)
	rank := len(out)
	if op.newAxis {
		rank++
	}
	axis, err := ops.NormAxis(op.axis, rank)
	if err != nil {
		return err
	}
	if op.newAxis {
		out = slices.Insert(out, axis, tensor.Dim{})
	} else {
		out[axis] = tensor.Dim{}
	}
	c.SetOut(0, elem.DType, out...)
	return nil
}

func (op concatFromSequence) Run(c *ops.Ctx) error {
	seq, err := c.Sequence(0)
	if err != nil {
		return err
	}
	if len(seq.Items) == 0 {
		return fmt.Errorf("nothing to concatenate in an empty sequence")
	}
	xs := make([]*tensor.Tensor, len(seq.Items))
	for i, v := range seq.Items {
		t, ok := v.(*tensor.Tensor)
		if !ok {
			return fmt.Errorf("item %d of the sequence is not a tensor", i)
		}
		if op.newAxis {
			axis, err := ops.NormAxis(op.axis, t.Rank()+1)
			if err != nil {
				return err
			}
			t = t.Reshaped(slices.Insert(t.Shape().Clone(), axis, 1))
		}
		xs[i] = t
	}
	y, err := shape.Join(c, xs, op.axis)
	if err != nil {
		return err
	}
	c.SetOut(0, y)
	return nil
}
