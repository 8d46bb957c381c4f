package fused

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/norm"
	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Domain: ops.Internal, Name: "SkipLayerNorm", Since: 1, New: newSkipNorm})
}

// skipNorm is LayerNormalization over the last axis, or RMSNormalization if rms is set, of the sum of two tensors that
// broadcast to each other. Inputs: A, B, Scale, and the optional Bias, vectors. Outputs: the normalized sum, and the sum.
type skipNorm struct {
	eps float32
	rms bool
}

func newSkipNorm(a *ops.Attrs) (ops.Op, error) {
	return skipNorm{a.Float("epsilon", 1e-5), a.Bool("rms", false)}, a.Done()
}

// Infer implements ops.Op.
func (op skipNorm) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	c.SetDType(1, c.DType(0))
	a, aok := c.Dims(0)
	b, bok := c.Dims(1)
	if !aok || !bok {
		return nil
	}
	dims, err := ops.BroadcastDims(a, b)
	if err != nil {
		return err
	}
	if len(dims) == 0 {
		return fmt.Errorf("no axis to normalize over")
	}
	c.SetOut(0, c.DType(0), dims...)
	c.SetOut(1, c.DType(0), dims...)
	return nil
}

// addend is an operand of the sum: row i of the result takes the n or 1 elements at the position that at tells.
type addend struct {
	data  []float32
	same  bool // the rows are those of the result
	batch tensor.Shape
	steps []int
	n     int
}

func newAddend(t *tensor.Tensor, to tensor.Shape) addend {
	s := t.Shape()
	if s.Equal(to) {
		return addend{data: t.Float32(), same: true, n: to[len(to)-1]}
	}
	batch := to[:len(to)-1]
	a := addend{data: t.Float32(), batch: batch, steps: make([]int, len(batch)), n: 1}
	if len(s) > 0 {
		a.n = s[len(s)-1]
	}
	strides := s.Strides()
	for i := 0; i < len(s)-1; i++ {
		if s[i] != 1 {
			a.steps[len(to)-len(s)+i] = strides[i]
		}
	}
	return a
}

func (a addend) row(i int) []float32 {
	if a.same {
		return a.data[i*a.n:][:a.n]
	}
	return a.data[offset(i, a.batch, a.steps):][:a.n]
}

// Run implements ops.Op.
func (op skipNorm) Run(c *ops.Ctx) error {
	x, skip := c.Tensor(0), c.Tensor(1)
	for i := range c.In {
		if t := c.Tensor(i); t != nil && t.DType() != tensor.Float32 {
			return fmt.Errorf("input %d is of type %v: %w", i, t.DType(), ops.ErrUnsupported)
		}
	}
	shape, err := x.Shape().Broadcast(skip.Shape())
	if err != nil {
		return err
	}
	if len(shape) == 0 {
		return fmt.Errorf("no axis to normalize over")
	}
	n := shape[len(shape)-1]
	scale, bias := c.Tensor(2), c.Tensor(3)
	if scale.Len() != n || bias != nil && bias.Len() != n {
		return fmt.Errorf("scale %v and bias %v for rows of %d", scale, bias, n)
	}
	a, b := newAddend(x, shape), newAddend(skip, shape)
	sum, err := op.sum(c, shape)
	if err != nil {
		return err
	}
	y, err := c.New(0, tensor.Float32, shape)
	if err != nil {
		return err
	}
	g, dst := scale.Float32(), y.Float32()
	var shift []float32
	if bias != nil {
		shift = bias.Float32()
	}
	c.Parallel(shape[:len(shape)-1].Size(), ops.Grain(6*n), func(lo, hi int) {
		for i := lo; i < hi && n > 0; i++ {
			row := dst[i*n : (i+1)*n]
			s := row
			if sum != nil {
				s = sum[i*n : (i+1)*n]
			}
			add(s, a.row(i), b.row(i))
			if op.rms {
				norm.RMS(row, s, g, op.eps)
			} else {
				norm.Skip(row, s, g, shift, op.eps)
			}
		}
	})
	return nil
}

// sum returns the memory of output 1, nil if nobody wants it.
func (op skipNorm) sum(c *ops.Ctx, shape tensor.Shape) ([]float32, error) {
	if !c.Wants(1) {
		return nil, nil
	}
	t, err := c.NewOver(1, tensor.Float32, shape, 0, 1)
	if err != nil {
		return nil, err
	}
	return t.Float32(), nil
}

// add sets y = a + b, where one of a and b may be a single element.
func add(y, a, b []float32) {
	switch {
	case len(a) < len(y):
		vec.AddScalar(y, b, a[0])
	case len(b) < len(y):
		vec.AddScalar(y, a, b[0])
	default:
		vec.Add(y, a, b)
	}
}
