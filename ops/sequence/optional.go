package sequence

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "Optional", Since: 15, New: newOptional},
		ops.Def{Name: "OptionalGetElement", Since: 15, New: newGetElement},
		ops.Def{Name: "OptionalHasElement", Since: 15, New: newHasElement},
	)
}

// optional is https://onnx.ai/onnx/operators/onnx__Optional.html.
type optional struct{ elem tensor.Type }

func newOptional(a *ops.Attrs) (ops.Op, error) { return optional{a.Type("type")}, a.Done() }

func (op optional) Infer(c *ops.Infer) error {
	switch {
	case c.Has(0):
		c.SetType(0, tensor.OptionalType(c.In[0].Type))
	case op.elem.Kind != tensor.KindUnknown:
		c.SetType(0, tensor.OptionalType(op.elem))
	default:
		return fmt.Errorf("neither an input nor the attribute type tells the element's type")
	}
	return nil
}

func (op optional) Run(c *ops.Ctx) error {
	if !c.Has(0) {
		c.SetOut(0, &tensor.Optional{Elem: op.elem})
		return nil
	}
	c.SetOut(0, &tensor.Optional{Elem: c.In[0].Type(), Value: c.In[0]})
	return nil
}

// getElement is https://onnx.ai/onnx/operators/onnx__OptionalGetElement.html. From opset 18 on a tensor or sequence
// passes as it is.
type getElement struct{}

func newGetElement(a *ops.Attrs) (ops.Op, error) { return getElement{}, a.Done() }

func (getElement) Infer(c *ops.Infer) error {
	t := c.In[0].Type
	if t.Kind == tensor.KindOptional {
		t = t.Element()
	}
	if t.Kind != tensor.KindUnknown {
		c.SetType(0, t)
	}
	return nil
}

func (getElement) Run(c *ops.Ctx) error {
	v := c.In[0]
	if o, ok := v.(*tensor.Optional); ok {
		v = o.Value
	}
	if v == nil {
		return fmt.Errorf("the optional is empty")
	}
	c.SetOut(0, v)
	return nil
}

// hasElement is https://onnx.ai/onnx/operators/onnx__OptionalHasElement.html. From opset 18 on the input may be absent,
// a tensor or a sequence.
type hasElement struct{}

func newHasElement(a *ops.Attrs) (ops.Op, error) { return hasElement{}, a.Done() }

func (hasElement) Infer(c *ops.Infer) error {
	c.SetOut(0, tensor.Bool)
	return nil
}

func (hasElement) Run(c *ops.Ctx) error {
	t, err := c.New(0, tensor.Bool, tensor.Shape{})
	if err != nil {
		return err
	}
	has := c.Has(0)
	if has {
		if o, ok := c.In[0].(*tensor.Optional); ok {
			has = o.Value != nil
		}
	}
	t.Bool()[0] = has
	return nil
}
