package linear

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Name: "Det", Since: 11, Widen: true, New: func(a *ops.Attrs) (ops.Op, error) { return det{}, a.Done() }})
}

// det is https://onnx.ai/onnx/operators/onnx__Det.html, by elimination with partial pivoting in double precision.
type det struct{}

// Infer implements ops.Op.
func (det) Infer(c *ops.Infer) error {
	x, ok := c.Dims(0)
	if !ok {
		c.SetDType(0, c.DType(0))
		return nil
	}
	if len(x) < 2 {
		return fmt.Errorf("input of rank %d; at least 2 are needed", len(x))
	}
	c.SetOut(0, c.DType(0), x[:len(x)-2]...)
	return nil
}

// Run implements ops.Op.
func (det) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	r := x.Rank() - 2
	if r < 0 || x.Dim(r) != x.Dim(r+1) {
		return fmt.Errorf("input of shape %v is no batch of square matrices", x.Shape())
	}
	y, err := c.New(0, x.DType(), x.Shape()[:r])
	if err != nil {
		return err
	}
	switch x.DType() {
	case tensor.Float32:
		dets(c, y.Float32(), x.Float32(), x.Dim(r))
	case tensor.Float64:
		dets(c, y.Float64(), x.Float64(), x.Dim(r))
	default:
		return unsupported("Det", x.DType())
	}
	return c.Err()
}

func dets[T float32 | float64](c *ops.Ctx, y, x []T, n int) {
	c.Parallel(len(y), ops.Grain(n*n*n), func(lo, hi int) {
		m := make([]float64, n*n)
		for i := lo; i < hi; i++ {
			for k := range m {
				m[k] = float64(x[i*n*n+k])
			}
			y[i] = T(determinant(m, n))
		}
	})
}

// determinant overwrites the n×n matrix m.
func determinant(m []float64, n int) float64 {
	d := 1.0
	for k := range n {
		p := k
		for i := k + 1; i < n; i++ {
			if v := math.Abs(m[i*n+k]); v > math.Abs(m[p*n+k]) || v != v {
				p = i
			}
		}
		if p != k {
			d = -d
			for j := k; j < n; j++ {
				m[k*n+j], m[p*n+j] = m[p*n+j], m[k*n+j]
			}
		}
		pivot := m[k*n+k]
		d *= pivot
		if pivot == 0 {
			return d
		}
		for i := k + 1; i < n; i++ {
			f := m[i*n+k] / pivot
			for j := k + 1; j < n; j++ {
				m[i*n+j] -= f * m[k*n+j]
			}
		}
	}
	return d
}
