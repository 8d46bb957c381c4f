// Package sequence holds the operators on sequences and optional values. Sequences are never changed in place: an
// operator makes a new list that shares the items.
package sequence

import (
	"fmt"
	"slices"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "SequenceConstruct", Since: 11, New: newConstruct},
		ops.Def{Name: "SequenceEmpty", Since: 11, New: newEmpty},
		ops.Def{Name: "SequenceInsert", Since: 11, New: newInsert},
		ops.Def{Name: "SequenceErase", Since: 11, New: newErase},
		ops.Def{Name: "SequenceAt", Since: 11, New: newAt},
		ops.Def{Name: "SequenceLength", Since: 11, New: newLength},
	)
}

// construct is https://onnx.ai/onnx/operators/onnx__SequenceConstruct.html.
type construct struct{}

func newConstruct(a *ops.Attrs) (ops.Op, error) { return construct{}, a.Done() }

func (construct) Infer(c *ops.Infer) error {
	if len(c.In) == 0 {
		return nil
	}
	elem := c.In[0].Type
	for _, in := range c.In[1:] {
		elem = elem.Unify(in.Type)
	}
	c.SetType(0, tensor.SequenceType(elem))
	return nil
}

func (construct) Run(c *ops.Ctx) error {
	if len(c.In) == 0 {
		return fmt.Errorf("a sequence of no inputs has no element type")
	}
	seq := &tensor.Sequence{Items: slices.Clone(c.In)}
	for i, v := range c.In {
		t, ok := v.(*tensor.Tensor)
		if !ok {
			return fmt.Errorf("input %d is not a tensor", i)
		}
		if i == 0 {
			seq.Elem = t.Type()
			continue
		}
		if t.DType() != seq.Elem.DType {
			return fmt.Errorf("inputs 0 and %d have element types %v and %v", i, seq.Elem.DType, t.DType())
		}
		seq.Elem = seq.Elem.Unify(t.Type())
	}
	c.SetOut(0, seq)
	return nil
}

// empty is https://onnx.ai/onnx/operators/onnx__SequenceEmpty.html.
type empty struct{ dtype tensor.DType }

func newEmpty(a *ops.Attrs) (ops.Op, error) { return empty{a.DType("dtype", tensor.Float32)}, a.Done() }

func (op empty) Infer(c *ops.Infer) error {
	c.SetType(0, tensor.SequenceType(tensor.UnrankedType(op.dtype)))
	return nil
}

func (op empty) Run(c *ops.Ctx) error {
	c.SetOut(0, &tensor.Sequence{Elem: tensor.UnrankedType(op.dtype)})
	return nil
}

// position is the scalar at input i as an index into a list of n, where last is the largest one allowed.
func position(c *ops.Ctx, i, n, last int) (int, error) {
	t := c.Tensor(i)
	if t == nil || t.Len() != 1 {
		return 0, fmt.Errorf("the position must be one integer")
	}
	v, err := t.Ints()
	if err != nil {
		return 0, err
	}
	p := v[0]
	if p < 0 {
		p += n
	}
	if p < 0 || p > last {
		return 0, fmt.Errorf("position %d out of range for a sequence of %d", v[0], n)
	}
	return p, nil
}

// insert is https://onnx.ai/onnx/operators/onnx__SequenceInsert.html.
type insert struct{}

func newInsert(a *ops.Attrs) (ops.Op, error) { return insert{}, a.Done() }

func (insert) Infer(c *ops.Infer) error {
	c.SetType(0, tensor.SequenceType(c.In[0].Type.Element().Unify(c.In[1].Type)))
	return nil
}

func (insert) Run(c *ops.Ctx) error {
	seq, err := c.Sequence(0)
	if err != nil {
		return err
	}
	t := c.Tensor(1)
	if t == nil {
		return fmt.Errorf("input 1 is not a tensor")
	}
	elem := t.Type()
	if d := seq.Elem.DType; d != tensor.Undefined && d != elem.DType {
		return fmt.Errorf("a tensor of element type %v for a sequence of %v", elem.DType, d)
	}
	if len(seq.Items) > 0 {
		elem = seq.Elem.Unify(elem)
	}
	at := len(seq.Items)
	if c.Has(2) {
		if at, err = position(c, 2, at, at); err != nil {
			return err
		}
	}
	items := make([]tensor.Value, 0, len(seq.Items)+1)
	items = append(append(append(items, seq.Items[:at]...), t), seq.Items[at:]...)
	c.SetOut(0, &tensor.Sequence{Elem: elem, Items: items})
	return nil
}

// erase is https://onnx.ai/onnx/operators/onnx__SequenceErase.html.
type erase struct{}

func newErase(a *ops.Attrs) (ops.Op, error) { return erase{}, a.Done() }

func (erase) Infer(c *ops.Infer) error {
	c.SetLike(0, 0)
	return nil
}

func (erase) Run(c *ops.Ctx) error {
	seq, err := c.Sequence(0)
	if err != nil {
		return err
	}
	at := len(seq.Items) - 1
	if c.Has(1) {
		if at, err = position(c, 1, len(seq.Items), at); err != nil {
			return err
		}
	}
	if at < 0 {
		return fmt.Errorf("nothing to erase from an empty sequence")
	}
	items := slices.Delete(slices.Clone(seq.Items), at, at+1)
	c.SetOut(0, &tensor.Sequence{Elem: seq.Elem, Items: items})
	return nil
}

// at is https://onnx.ai/onnx/operators/onnx__SequenceAt.html.
type at struct{}

func newAt(a *ops.Attrs) (ops.Op, error) { return at{}, a.Done() }

func (at) Infer(c *ops.Infer) error {
	if e := c.In[0].Type.Element(); e.Kind != tensor.KindUnknown {
		c.SetType(0, e)
	}
	return nil
}

func (at) Run(c *ops.Ctx) error {
	seq, err := c.Sequence(0)
	if err != nil {
		return err
	}
	p, err := position(c, 1, len(seq.Items), len(seq.Items)-1)
	if err != nil {
		return err
	}
	c.SetOut(0, seq.Items[p])
	return nil
}

// length is https://onnx.ai/onnx/operators/onnx__SequenceLength.html.
type length struct{}

func newLength(a *ops.Attrs) (ops.Op, error) { return length{}, a.Done() }

func (length) Infer(c *ops.Infer) error {
	c.SetOut(0, tensor.Int64)
	return nil
}

func (length) Run(c *ops.Ctx) error {
	seq, err := c.Sequence(0)
	if err != nil {
		return err
	}
	t, err := c.New(0, tensor.Int64, tensor.Shape{})
	if err == nil {
		t.Int64()[0] = int64(len(seq.Items))
	}
	return err
}
