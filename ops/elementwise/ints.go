package elementwise

import (
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// This file follows the arithmetic that models do on shapes through inference.

// knownInts returns the elements of input i, an integer or bool tensor of rank 0 or 1, if at least one of them is known.
func knownInts(c *ops.Infer, i int) ([]tensor.Dim, bool) {
	if t := c.Const(i); t != nil && t.DType() == tensor.Bool && t.Rank() <= 1 && t.Len() <= 1024 {
		out := make([]tensor.Dim, t.Len())
		for k, v := range tensor.Slice[uint8](t) {
			out[k] = tensor.Int(int(v))
		}
		return out, true
	}
	elems, ok := c.Ints(i)
	return elems, ok && anyKnown(elems)
}

func anyKnown(elems []tensor.Dim) bool {
	for _, e := range elems {
		if e.Known() {
			return true
		}
	}
	return false
}

// followInts sets output 0's elements to f of the inputs' broadcast elements, as far as they are known.
func followInts(c *ops.Infer, f func(args []tensor.Dim) tensor.Dim) {
	if len(c.Out) == 0 || !c.Out[0].Type.Ranked || len(c.Out[0].Type.Dims) > 1 {
		return
	}
	n, any := 1, false
	in := make([][]tensor.Dim, len(c.In))
	for i := range c.In {
		elems, ok := knownInts(c, i)
		if !ok {
			if elems, ok = c.Ints(i); !ok {
				return
			}
		} else {
			any = true
		}
		in[i] = elems
		if len(elems) != 1 {
			n = len(elems)
		}
	}
	if !any {
		return
	}
	out, args := make([]tensor.Dim, n), make([]tensor.Dim, len(in))
	for k := range out {
		for i, elems := range in {
			switch len(elems) {
			case 1:
				args[i] = elems[0]
			case n:
				args[i] = elems[k]
			default:
				return
			}
		}
		out[k] = f(args)
	}
	if anyKnown(out) {
		c.SetInts(0, out)
	}
}

// notNegative reports whether d is certain not to be negative: a number, or an expression that subtracts nothing.
// Symbols are dimensions, which are not.
func notNegative(d tensor.Dim) bool {
	return d.Known() && !strings.Contains(d.String(), "-")
}

// dimArith returns the symbolic form of an arithmetic operator on integers, or nil.
func dimArith(name string) func(a, b tensor.Dim) tensor.Dim {
	switch name {
	case "Add", "Sum":
		return tensor.Dim.Add
	case "Sub":
		return tensor.Dim.Sub
	case "Mul":
		return tensor.Dim.Mul
	case "Div":
		return divDims
	case "Mod":
		return modDims
	case "Max":
		return tensor.Dim.Max
	case "Min":
		return tensor.Dim.Min
	}
	return nil
}

// divDims truncates towards zero like the operator, where Dim.Div goes down.
func divDims(a, b tensor.Dim) tensor.Dim {
	if b.Is(0) {
		return tensor.Dim{}
	}
	x, xok := a.Int()
	y, yok := b.Int()
	if xok && yok {
		return tensor.Int(x / y)
	}
	q := a.Div(b)
	if q.Mul(b).Equal(a) || notNegative(a) && notNegative(b) {
		return q
	}
	return tensor.Dim{}
}

func modDims(a, b tensor.Dim) tensor.Dim {
	if b.Is(0) {
		return tensor.Dim{}
	}
	return a.Mod(b)
}

// equalDims is 1 or 0 where it is known whether a equals b, else unknown.
func equalDims(a, b tensor.Dim) tensor.Dim {
	if a.Equal(b) {
		return tensor.Int(1)
	}
	if n, ok := a.Sub(b).Int(); ok && n != 0 {
		return tensor.Int(0)
	}
	if n, ok := b.Int(); ok && n < 0 && notNegative(a) {
		return tensor.Int(0)
	}
	if n, ok := a.Int(); ok && n < 0 && notNegative(b) {
		return tensor.Int(0)
	}
	return tensor.Dim{}
}
