package elementwise

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// alignment says how the second operand of a binary operator meets the first: the numpy way from opset 7 on; before,
// both shapes are equal, or with broadcast=1 the second is a part of the first's that begins at axis, at the end if
// there is no axis.
type alignment struct {
	old, broadcast bool
	axis           int
	hasAxis        bool
}

// newAlignment reads the attributes of the versions before opset 7.
func newAlignment(a *ops.Attrs, old bool) alignment {
	if !old {
		return alignment{}
	}
	a.Ignore("consumed_inputs")
	return alignment{old: true, broadcast: a.Bool("broadcast", false), axis: a.Int("axis", 0), hasAxis: a.Has("axis")}
}

// insertOnes puts b's extents in the place where numpy's rule finds them, given the rank of the first operand and b's own.
func insertOnes[T any](al alignment, rank int, b []T, one T) ([]T, error) {
	if !al.old || !al.hasAxis {
		if al.old && len(b) > rank {
			return nil, fmt.Errorf("the second operand has more axes (%d) than the first (%d)", len(b), rank)
		}
		return b, nil
	}
	axis := al.axis
	if axis < 0 {
		axis += rank
	}
	if axis < 0 || axis+len(b) > rank {
		return nil, fmt.Errorf("axis %d out of range for operands of rank %d and %d", al.axis, rank, len(b))
	}
	out := append([]T{}, b...)
	for len(out) < rank-axis {
		out = append(out, one)
	}
	return out, nil
}

// plan checks and aligns the shapes of two operands.
func (al alignment) plan(a, b tensor.Shape) (*plan, error) {
	if !al.old {
		return newPlan(a, b)
	}
	if !al.broadcast {
		if !a.Equal(b) {
			return nil, fmt.Errorf("shapes %v and %v differ, and the attribute broadcast is not set", a, b)
		}
		return newPlan(a, b)
	}
	if n, err := b.CheckSize(); err == nil && n == 1 {
		return newPlan(a, nil)
	}
	ext, err := insertOnes(al, len(a), b, 1)
	if err != nil {
		return nil, err
	}
	p, err := newPlan(a, ext)
	if err == nil && !p.shape.Equal(a) {
		err = fmt.Errorf("shape %v does not broadcast to %v", b, a)
	}
	return p, err
}

// infer sets output 0's type from inputs 0 and 1.
func (al alignment) infer(c *ops.Infer, d tensor.DType) error {
	c.SetDType(0, d)
	a, aok := c.Dims(0)
	b, bok := c.Dims(1)
	if al.old {
		if aok {
			c.SetOut(0, d, a...)
		}
		return nil
	}
	if !aok || !bok {
		return nil
	}
	dims, err := ops.BroadcastDims(a, b)
	if err != nil {
		return err
	}
	c.SetOut(0, d, dims...)
	return nil
}
