package contrib

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		floatOp("Gelu", simple(same, activate(gelu[float32], gelu[float64]))),
		floatOp("BiasGelu", simple(same, activate(gelu[float32], gelu[float64]))),
		floatOp("FastGelu", simple(same, activate(fastGelu[float32], fastGelu[float64]))),
		floatOp("QuickGelu", func(a *ops.Attrs) (ops.Op, error) {
			alpha := a.Float("alpha", 1.702)
			return op{same, activate(swishBy(alpha), swishBy(float64(alpha)))}, a.Done()
		}),
		floatOp("BiasSplitGelu", simple(inferHalved, biasSplitGelu)),
		floatOp("BiasAdd", simple(same, biasAdd)),
	)
}

// gelu sets y = x/2·(1 + erf(x/√2)); y may be x.
func gelu[T real](y, x []T) {
	if f, ok := any(x).([]float32); ok {
		vec.Gelu(any(y).([]float32), f)
		return
	}
	for i, v := range x {
		y[i] = T(0.5 * float64(v) * (1 + math.Erf(float64(v)/math.Sqrt2)))
	}
}

// fastGelu sets y = x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))); y may be x.
func fastGelu[T real](y, x []T) {
	if f, ok := any(x).([]float32); ok {
		vec.GeluTanh(any(y).([]float32), f)
		return
	}
	const b, c = 0.7978845608028654, 0.044715 * 0.7978845608028654
	for i, v := range x {
		f := float64(v)
		y[i] = T(0.5 * f * (1 + math.Tanh(f*(c*f*f+b))))
	}
}

// swishBy returns the function y = x·sigmoid(alpha·x).
func swishBy[T real](alpha T) func(y, x []T) {
	return func(y, x []T) {
		if f, ok := any(x).([]float32); ok {
			vec.Swish(any(y).([]float32), f, float32(alpha))
			return
		}
		for i, v := range x {
			y[i] = v * T(1/(1+math.Exp(-float64(alpha*v))))
		}
	}
}

// activate applies an element-wise function to input 0 plus, if there is one, the bias in input 1 along the last axis.
func activate(f32 func(y, x []float32), f64 func(y, x []float64)) func(*ops.Ctx) error {
	return typed(func(c *ops.Ctx) error { return activateRows(c, f32) }, func(c *ops.Ctx) error { return activateRows(c, f64) })
}

func activateRows[T float32 | float64](c *ops.Ctx, f func(y, x []T)) error {
	x := c.Tensor(0)
	src := tensor.Slice[T](x)
	var bias []T
	if c.Has(1) {
		if bias = tensor.Slice[T](c.Tensor(1)); x.Rank() == 0 || len(bias) != x.Dim(x.Rank()-1) {
			return fmt.Errorf("bias of shape %v for input of shape %v", c.Tensor(1).Shape(), x.Shape())
		}
	}
	y, err := c.NewOver(0, x.DType(), x.Shape(), 0)
	if err != nil {
		return err
	}
	dst := tensor.Slice[T](y)
	if len(bias) == 0 {
		c.Parallel(len(src), ops.Grain(16), func(lo, hi int) { f(dst[lo:hi], src[lo:hi]) })
		return nil
	}
	n := len(bias)
	c.Parallel(len(src)/n, ops.Grain(16*n), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			row := dst[r*n : (r+1)*n]
			vec.Add(row, src[r*n:(r+1)*n], bias)
			f(row, row)
		}
	})
	return nil
}

func inferHalved(c *ops.Infer) error {
	dims, ok := c.Dims(0)
	if !ok || len(dims) == 0 {
		return nil
	}
	out := append([]tensor.Dim{}, dims...)
	out[len(out)-1] = tensor.Dim{}
	if n, ok := dims[len(dims)-1].Int(); ok {
		out[len(out)-1] = tensor.Int(n / 2)
	}
	c.SetOut(0, c.DType(0), out...)
	return nil
}

// biasSplitGelu is (x+b)[…, :n/2] · gelu((x+b)[…, n/2:]).
func biasSplitGelu(c *ops.Ctx) error {
	rows, n, err := splitLast(c.Tensor(0).Shape())
	if err != nil {
		return err
	}
	x, err := floatInput(c, 0)
	if err != nil {
		return err
	}
	bias, err := vectorOf(c, 1, n, "bias")
	if err != nil {
		return err
	}
	if n%2 != 0 {
		return fmt.Errorf("last axis of %v is odd", c.Tensor(0).Shape())
	}
	h := n / 2
	shape := c.Tensor(0).Shape().Clone()
	shape[len(shape)-1] = h
	out, err := c.New(0, tensor.Float32, shape)
	if err != nil {
		return err
	}
	y := out.Float32()
	c.Parallel(rows, ops.Grain(16*n), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			src, dst := x[r*n:(r+1)*n], y[r*h:(r+1)*h]
			vec.Add(dst, src[h:], bias[h:])
			gelu(dst, dst)
			for i := range dst {
				dst[i] *= src[i] + bias[i]
			}
		}
	})
	return nil
}

// biasAdd is X[n, s, c] + bias[c] + skip.
func biasAdd(c *ops.Ctx) error {
	x, err := floatInput(c, 0)
	if err != nil {
		return err
	}
	s := c.Tensor(0).Shape()
	rows, n, err := splitLast(s)
	if err != nil {
		return err
	}
	bias, err := vectorOf(c, 1, n, "bias")
	if err != nil {
		return err
	}
	skip, err := vectorOf(c, 2, len(x), "skip")
	if err != nil {
		return err
	}
	out, err := c.NewOver(0, tensor.Float32, s, 0, 2)
	if err != nil {
		return err
	}
	y := out.Float32()
	c.Parallel(rows, ops.Grain(n), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			row := y[r*n : (r+1)*n]
			vec.Add(row, x[r*n:(r+1)*n], skip[r*n:(r+1)*n])
			vec.Add(row, row, bias)
		}
	})
	return nil
}
