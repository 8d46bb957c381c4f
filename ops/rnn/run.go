package rnn

import (
	"fmt"

	kernel "github.com/sardonyx-ml/sardonyx/kernels/rnn"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// Run implements ops.Op.
func (op layer) Run(c *ops.Ctx) error {
	if c.Tensor(0).DType() == tensor.Float64 {
		return run(c, op, &kernel.Args[float64]{Act: op.act64})
	}
	a := &kernel.Args[float32]{Act: op.act32}
	if op.packed != nil {
		a.Weights = op.packed.weights
	}
	return run(c, op, a)
}

func run[T kernel.Float](c *ops.Ctx, op layer, a *kernel.Args[T]) error {
	if err := sizes(c, op, a); err != nil {
		return err
	}
	if err := operands(c, op, a); err != nil {
		return err
	}
	if err := outputs(c, op, a); err != nil {
		return err
	}
	work, err := ops.Scratch[T](c, a.WorkLen())
	if err != nil {
		return err
	}
	kernel.Run(c.Pool, a, work, func() bool { return c.Err() != nil })
	return c.Err()
}

// sizes sets the sizes and checks X and the weights.
func sizes[T kernel.Float](c *ops.Ctx, op layer, a *kernel.Args[T]) error {
	x := c.Tensor(0).Shape()
	var w, r tensor.Shape
	if op.packed != nil {
		w, r = op.packed.w, op.packed.r
	} else {
		w, r = c.Tensor(1).Shape(), c.Tensor(2).Shape()
	}
	input, hidden, err := op.weightSizes(w, r)
	if err != nil {
		return err
	}
	if len(x) != 3 || x[2] != input {
		return fmt.Errorf("input of shape %v does not fit weights of shape %v", x, w)
	}
	a.Kind, a.Directions, a.Reverse, a.BatchFirst = op.kind, op.directions, op.reverse, op.batchFirst
	a.LinearBeforeReset, a.Coupled, a.Clip = op.linearFirst, op.coupled, T(op.clip)
	a.Steps, a.Batch, a.Input, a.Hidden = x[0], x[1], input, hidden
	if op.batchFirst {
		a.Steps, a.Batch = x[1], x[0]
	}
	// All work memory, and each part of it, is smaller than this.
	_, err = tensor.Shape{a.Directions, a.Steps + 6, a.Batch + 1, 4, a.Hidden + 1}.CheckSize()
	return err
}

// operands sets the inputs and checks their shapes.
func operands[T kernel.Float](c *ops.Ctx, op layer, a *kernel.Args[T]) error {
	state := op.stateShape(a.Batch, a.Hidden)
	gn := a.Kind.Gates() * a.Hidden
	for _, in := range []struct {
		i     int
		name  string
		dst   *[]T
		shape tensor.Shape
	}{
		{0, "X", &a.X, nil},
		{1, "W", &a.W, nil},
		{2, "R", &a.R, nil},
		{3, "B", &a.B, tensor.Shape{a.Directions, 2 * gn}},
		{5, "initial_h", &a.H0, state},
		{6, "initial_c", &a.C0, state},
		{7, "P", &a.P, tensor.Shape{a.Directions, 3 * a.Hidden}},
	} {
		t := c.Tensor(in.i)
		if t == nil {
			continue
		}
		if t.DType() != tensor.DTypeOf[T]() {
			return fmt.Errorf("%s is %v, X is %v", in.name, t.DType(), tensor.DTypeOf[T]())
		}
		if in.shape != nil && !t.Shape().Equal(in.shape) {
			return fmt.Errorf("%s has shape %v, not %v", in.name, t.Shape(), in.shape)
		}
		*in.dst = tensor.Slice[T](t)
	}
	return lengths(c, a)
}

func lengths[T kernel.Float](c *ops.Ctx, a *kernel.Args[T]) error {
	t := c.Tensor(4)
	if t == nil {
		return nil
	}
	lens, err := t.Ints()
	if err != nil || t.Rank() != 1 || len(lens) != a.Batch {
		return fmt.Errorf("sequence_lens is %v, not int32[%d]", t, a.Batch)
	}
	for _, n := range lens {
		if n < 0 || n > a.Steps {
			return fmt.Errorf("sequence of %d steps in an input of %d", n, a.Steps)
		}
	}
	a.Lens = lens
	return nil
}

func (op layer) stateShape(batch, hidden int) tensor.Shape {
	if op.batchFirst {
		return tensor.Shape{batch, op.directions, hidden}
	}
	return tensor.Shape{op.directions, batch, hidden}
}

// outputs allocates what is wanted.
func outputs[T kernel.Float](c *ops.Ctx, op layer, a *kernel.Args[T]) error {
	y := tensor.Shape{a.Steps, a.Directions, a.Batch, a.Hidden}
	if op.batchFirst {
		y = tensor.Shape{a.Batch, a.Steps, a.Directions, a.Hidden}
	}
	state := op.stateShape(a.Batch, a.Hidden)
	for i, dst := range []*[]T{&a.Y, &a.YH, &a.YC} {
		if !c.Wants(i) {
			continue
		}
		shape := state
		if i == 0 {
			shape = y
		}
		t, err := c.New(i, tensor.DTypeOf[T](), shape)
		if err != nil {
			return err
		}
		*dst = tensor.Slice[T](t)
	}
	return nil
}
