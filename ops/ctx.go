package ops

import (
	"context"
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// Memory hands out the memory of outputs and scratch space. It fails when the session's limit is reached.
type Memory interface {
	// Alloc returns a tensor whose contents are undefined (strings are empty).
	Alloc(d tensor.DType, shape tensor.Shape) (*tensor.Tensor, error)
	// Free gives a tensor that Alloc returned, and that nobody else holds, back at once.
	Free(t *tensor.Tensor)
}

// Ctx is the context of one execution of a node.
type Ctx struct {
	context.Context
	In  []tensor.Value // nil where absent
	Out []tensor.Value // to be set through Out, SetOut, Alias
	// Wanted[i] is false when nobody reads output i: it may be left unset.
	Wanted []bool
	// Reusable[i] is set when input i is used here for the last time and its memory may be overwritten by an output.
	Reusable []bool
	// OutTypes[i] is the inferred type of output i, for values that do not show their type (an empty sequence, what a
	// loop that never ran has collected). It may be nil.
	OutTypes []tensor.Type
	Mem      Memory
	Pool     *parallel.Pool
	// RunGraph runs the subgraph in the named attribute and returns its outputs.
	RunGraph func(name string, in []tensor.Value) ([]tensor.Value, error)

	scratch []*tensor.Tensor
}

// Has reports whether input i is there.
func (c *Ctx) Has(i int) bool { return i < len(c.In) && c.In[i] != nil }

// Tensor returns the tensor at input i, or nil if the input is absent or no tensor.
func (c *Ctx) Tensor(i int) *tensor.Tensor {
	if i >= len(c.In) {
		return nil
	}
	t, _ := c.In[i].(*tensor.Tensor)
	return t
}

// Sequence returns the sequence at input i.
func (c *Ctx) Sequence(i int) (*tensor.Sequence, error) {
	if i < len(c.In) {
		if s, ok := c.In[i].(*tensor.Sequence); ok {
			return s, nil
		}
	}
	return nil, fmt.Errorf("input %d is not a sequence", i)
}

// Wants reports whether output i is listed and read by somebody.
func (c *Ctx) Wants(i int) bool { return i < len(c.Wanted) && c.Wanted[i] }

// OutType is the inferred type of output i, or the unknown type.
func (c *Ctx) OutType(i int) tensor.Type {
	if i < len(c.OutTypes) {
		return c.OutTypes[i]
	}
	return tensor.Type{}
}

// New allocates output i. Its contents are undefined: write every element (Zero clears). Tensors of outputs that
// nobody wants are allocated all the same.
func (c *Ctx) New(i int, d tensor.DType, shape tensor.Shape) (*tensor.Tensor, error) {
	t, err := c.Mem.Alloc(d, shape)
	if err != nil {
		return nil, err
	}
	c.SetOut(i, t)
	return t, nil
}

// NewOver is New, but takes over the memory of the first of the candidate inputs that has the same element width and
// shape and is not needed any more. Use it where element k of the output depends on nothing but elements k of the
// candidates and of inputs that are no candidates.
func (c *Ctx) NewOver(i int, d tensor.DType, shape tensor.Shape, candidates ...int) (*tensor.Tensor, error) {
	for _, k := range candidates {
		if k >= len(c.Reusable) || !c.Reusable[k] {
			continue
		}
		if x := c.Tensor(k); x != nil && d != tensor.String && x.DType() != tensor.String && x.DType().Bits() == d.Bits() && x.Shape().Equal(shape) {
			t := x.Retyped(d, shape)
			c.SetOut(i, t)
			return t, nil
		}
	}
	return c.New(i, d, shape)
}

// SetOut sets output i to a value. A tensor may share memory with an input (a view); it is then not copied.
func (c *Ctx) SetOut(i int, v tensor.Value) {
	if i < len(c.Out) {
		c.Out[i] = v
	}
}

// Zero clears a tensor that New returned.
func Zero(t *tensor.Tensor) {
	clear(t.Bytes())
	clear(t.Strs())
}

// Scratch returns a slice of n elements with undefined contents that lives until Run returns.
func Scratch[T tensor.Elem](c *Ctx, n int) ([]T, error) {
	t, err := c.Mem.Alloc(tensor.DTypeOf[T](), tensor.Shape{n})
	if err != nil {
		return nil, err
	}
	c.scratch = append(c.scratch, t)
	return tensor.Slice[T](t), nil
}

// ReleaseScratch gives scratch memory back; the executor calls it after Run.
func (c *Ctx) ReleaseScratch() {
	for _, t := range c.scratch {
		c.Mem.Free(t)
	}
	c.scratch = c.scratch[:0]
}

// Parallel runs body over ranges of [0, n) on the session's threads; see parallel.Pool.For.
func (c *Ctx) Parallel(n, grain int, body func(lo, hi int)) { c.Pool.For(n, grain, body) }

// Grain returns how many items of the given cost (about one per multiply-add or element moved) make a chunk that is
// worth a thread's while.
func Grain(cost int) int { return max(1, (1<<15)/max(cost, 1)) }

// HeapMemory is Memory without a pool: every tensor is garbage-collected.
type HeapMemory struct{}

// Alloc implements Memory.
func (HeapMemory) Alloc(d tensor.DType, shape tensor.Shape) (*tensor.Tensor, error) {
	if _, err := shape.CheckSize(); err != nil {
		return nil, err
	}
	return tensor.New(d, shape...), nil
}

// Free implements Memory.
func (HeapMemory) Free(*tensor.Tensor) {}
