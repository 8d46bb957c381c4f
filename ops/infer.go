package ops

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// Info is what is known statically of a value.
type Info struct {
	Type  tensor.Type
	Const tensor.Value // the value itself when it is constant, else nil
	// Ints are the elements of an integer tensor of rank 0 or 1, each a number, an expression or unknown; nil if
	// nothing is known. It is how the arithmetic on shapes is followed (Shape → Gather → Concat → Reshape).
	Ints []tensor.Dim
}

// Tensor returns the constant tensor, or nil.
func (i Info) Tensor() *tensor.Tensor {
	t, _ := i.Const.(*tensor.Tensor)
	return t
}

// Infer is the context of type and shape inference for one node.
type Infer struct {
	In  []Info // absent inputs have Kind unknown and Absent[i] set
	Out []Info // to be filled in; element types that follow from the schema's type variables are set already

	Absent []bool
	// Graph infers the outputs of the subgraph in the named attribute from its inputs' types.
	Graph func(name string, in []Info) ([]Info, error)
}

// Has reports whether input i is there.
func (c *Infer) Has(i int) bool { return i < len(c.In) && !c.Absent[i] }

// DType is the element type of input i, or Undefined.
func (c *Infer) DType(i int) tensor.DType {
	if !c.Has(i) {
		return tensor.Undefined
	}
	return c.In[i].Type.DType
}

// Dims returns the dimensions of input i if it is a tensor of known rank.
func (c *Infer) Dims(i int) ([]tensor.Dim, bool) {
	if !c.Has(i) || c.In[i].Type.Kind != tensor.KindTensor || !c.In[i].Type.Ranked {
		return nil, false
	}
	return c.In[i].Type.Dims, true
}

// Const returns the constant tensor at input i, or nil.
func (c *Infer) Const(i int) *tensor.Tensor {
	if !c.Has(i) {
		return nil
	}
	return c.In[i].Tensor()
}

// Ints returns the elements of the integer tensor at input i as far as they are known: from a constant, or followed
// symbolically. ok is false if not even their number is known.
func (c *Infer) Ints(i int) (elems []tensor.Dim, ok bool) {
	if !c.Has(i) {
		return nil, false
	}
	return c.In[i].IntElems()
}

// maxFollowed is the largest number of elements of a tensor whose values are followed in inference.
const maxFollowed = 1024

// IntElems returns the elements of an integer tensor of rank 0 or 1 as far as they are known.
func (i Info) IntElems() (elems []tensor.Dim, ok bool) {
	if i.Ints != nil {
		return i.Ints, true
	}
	if t := i.Tensor(); t != nil && t.Rank() <= 1 && t.Len() <= maxFollowed {
		v, err := t.Ints()
		if err != nil {
			return nil, false
		}
		return tensor.Dims(v...), true
	}
	if i.Type.Kind == tensor.KindTensor && i.Type.Ranked && len(i.Type.Dims) == 1 {
		if n, ok := i.Type.Dims[0].Int(); ok && n <= maxFollowed && n >= 0 {
			return make([]tensor.Dim, n), true
		}
	}
	return nil, false
}

// ConstInts returns the elements of the integer tensor at input i if all of them are known numbers.
func (c *Infer) ConstInts(i int) ([]int, bool) {
	elems, ok := c.Ints(i)
	if !ok {
		return nil, false
	}
	out := make([]int, len(elems))
	for k, e := range elems {
		if out[k], ok = e.Int(); !ok {
			return nil, false
		}
	}
	return out, true
}

// SetOut sets output i to a tensor type of known rank. Undefined keeps the element type that is there.
func (c *Infer) SetOut(i int, d tensor.DType, dims ...tensor.Dim) {
	if i >= len(c.Out) {
		return
	}
	if d == tensor.Undefined {
		d = c.Out[i].Type.DType
	}
	c.Out[i].Type = tensor.TensorType(d, dims...)
}

// SetDType sets output i's element type and leaves its shape alone.
func (c *Infer) SetDType(i int, d tensor.DType) {
	if i < len(c.Out) {
		c.Out[i].Type.Kind, c.Out[i].Type.DType = tensor.KindTensor, d
	}
}

// SetType sets output i's whole type.
func (c *Infer) SetType(i int, t tensor.Type) {
	if i < len(c.Out) {
		c.Out[i].Type = t
	}
}

// SetInts sets what is known of the elements of output i, an integer tensor of rank 0 or 1.
func (c *Infer) SetInts(i int, elems []tensor.Dim) {
	if i < len(c.Out) && len(elems) <= maxFollowed {
		c.Out[i].Ints = elems
	}
}

// SetLike gives output o the type of input i.
func (c *Infer) SetLike(o, i int) {
	if o < len(c.Out) && c.Has(i) {
		c.Out[o].Type = c.In[i].Type
	}
}

// SetShapeLike gives output o the shape of input i and the element type d (Undefined keeps the one there).
func (c *Infer) SetShapeLike(o, i int, d tensor.DType) {
	if dims, ok := c.Dims(i); ok {
		c.SetOut(o, d, dims...)
	} else if d != tensor.Undefined {
		c.SetDType(o, d)
	}
}

// NormAxis turns a possibly negative axis into an index below rank, or returns an error.
func NormAxis(axis, rank int) (int, error) {
	a := axis
	if a < 0 {
		a += rank
	}
	if a < 0 || a >= rank {
		return 0, fmt.Errorf("axis %d out of range for rank %d", axis, rank)
	}
	return a, nil
}

// BroadcastDims returns the dimensions that shapes broadcast to. A symbolic dimension against a number other than 1
// gives the number. Of two expressions, the one that is never smaller is taken; they are unknown together if neither is. (A
// dimension of 0, which would not broadcast to anything but 1 and itself, is not reckoned with.)
func BroadcastDims(shapes ...[]tensor.Dim) ([]tensor.Dim, error) {
	rank := 0
	for _, s := range shapes {
		rank = max(rank, len(s))
	}
	out := make([]tensor.Dim, rank)
	for i := range out {
		d := tensor.Int(1)
		for _, s := range shapes {
			j := i - (rank - len(s))
			if j < 0 {
				continue
			}
			var err error
			if d, err = broadcastDim(d, s[j]); err != nil {
				return nil, err
			}
		}
		out[i] = d
	}
	return out, nil
}

func broadcastDim(d, e tensor.Dim) (tensor.Dim, error) {
	a, aok := d.Int()
	b, bok := e.Int()
	switch {
	case aok && a == 1, d.Equal(e):
		return e, nil
	case bok && b == 1:
		return d, nil
	case aok && bok:
		return d, fmt.Errorf("dimensions %d and %d do not broadcast", a, b)
	case aok:
		return d, nil
	case bok:
		return e, nil
	case d.AtLeast(e):
		return d, nil
	case e.AtLeast(d):
		return e, nil
	}
	return tensor.Dim{}, nil
}
