package control

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// sequenceMap is https://onnx.ai/onnx/operators/onnx__SequenceMap.html: the body runs on each item of the first
// sequence, with the same item of further sequences and with further tensors as they are.
type sequenceMap struct{}

func newSequenceMap(a *ops.Attrs) (ops.Op, error) {
	if g := a.Graph("body"); g == nil {
		a.Errorf("attribute body is missing")
	} else if a.Outputs > len(g.Outputs) {
		a.Errorf("%d outputs of a body that has %d", a.Outputs, len(g.Outputs))
	}
	return sequenceMap{}, a.Done()
}

// Infer implements ops.Op.
func (sequenceMap) Infer(c *ops.Infer) error {
	in := make([]ops.Info, len(c.In))
	for i, v := range c.In {
		in[i].Type = v.Type
		if v.Type.Kind == tensor.KindSequence {
			in[i].Type = v.Type.Element()
		} else if i == 0 {
			in[i].Type = tensor.Type{}
		}
	}
	out, err := c.Graph("body", in)
	if err != nil {
		return err
	}
	for i := range c.Out {
		if i < len(out) {
			c.SetType(i, tensor.SequenceType(out[i].Type))
		}
	}
	return nil
}

// Run implements ops.Op.
func (sequenceMap) Run(c *ops.Ctx) error {
	first, err := c.Sequence(0)
	if err != nil {
		return err
	}
	outs := make([]*tensor.Sequence, len(c.Out))
	for i := range outs {
		outs[i] = &tensor.Sequence{Elem: c.OutType(i).Element()}
	}
	for k := range first.Items {
		if err := c.Err(); err != nil {
			return err
		}
		in := make([]tensor.Value, len(c.In))
		for i, v := range c.In {
			in[i] = v
			if s, ok := v.(*tensor.Sequence); ok {
				if len(s.Items) != len(first.Items) {
					return fmt.Errorf("input %d has %d items, the first input %d", i, len(s.Items), len(first.Items))
				}
				in[i] = s.Items[k]
			}
		}
		res, err := c.RunGraph("body", in)
		if err != nil {
			return fmt.Errorf("item %d: %w", k, err)
		}
		for i, s := range outs {
			if i >= len(res) || res[i] == nil {
				continue
			}
			if s.Elem.Kind == tensor.KindUnknown {
				s.Elem = elemType(res[i])
			}
			s.Items = append(s.Items, res[i])
		}
	}
	for i, s := range outs {
		c.SetOut(i, s)
	}
	return nil
}

// elemType is a value's type without its dimensions, which may differ between the items of a sequence.
func elemType(v tensor.Value) tensor.Type {
	t := v.Type()
	t.Ranked, t.Dims = false, nil
	return t
}
