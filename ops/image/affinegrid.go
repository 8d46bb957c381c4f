package image

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Name: "AffineGrid", Since: 20, New: newAffineGrid, Widen: true})
}

// affineGrid is https://onnx.ai/onnx/operators/onnx__AffineGrid.html: theta is (N,r,r+1) and size (N,C,D1…Dr) for r = 2
// or 3; the grid is (N,D1…Dr,r).
type affineGrid struct{ aligned bool }

func newAffineGrid(a *ops.Attrs) (ops.Op, error) {
	return affineGrid{a.Bool("align_corners", false)}, a.Done()
}

// Infer implements ops.Op.
func (affineGrid) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	size, ok := c.Ints(1)
	if !ok {
		return nil
	}
	if len(size) != 4 && len(size) != 5 {
		return fmt.Errorf("size has %d elements, not 4 or 5", len(size))
	}
	dims := append([]tensor.Dim{size[0]}, size[2:]...)
	c.SetOut(0, c.DType(0), append(dims, tensor.Int(len(size)-2))...)
	return nil
}

// Run implements ops.Op.
func (op affineGrid) Run(c *ops.Ctx) error {
	theta := c.Tensor(0)
	size, err := c.Tensor(1).Ints()
	if err != nil || len(size) != 4 && len(size) != 5 {
		return fmt.Errorf("size is %v, not 4 or 5 integers", c.Tensor(1))
	}
	r := len(size) - 2
	if !theta.Shape().Equal(tensor.Shape{size[0], r, r + 1}) {
		return fmt.Errorf("theta of shape %v for size %v", theta.Shape(), size)
	}
	shape := append(append(tensor.Shape{size[0]}, size[2:]...), r)
	if _, err := shape.CheckSize(); err != nil {
		return err
	}
	y, err := c.New(0, theta.DType(), shape)
	if err != nil || y.Len() == 0 {
		return err
	}
	th, err := theta.Floats()
	if err != nil {
		return err
	}
	coords := make([][]float64, r)
	for d := range coords {
		coords[d] = op.line(size[2+d])
	}
	switch y.DType() {
	case tensor.Float32:
		affine(c, y.Float32(), th, coords)
	case tensor.Float64:
		affine(c, y.Float64(), th, coords)
	default:
		return fmt.Errorf("%v: %w", y.DType(), ops.ErrUnsupported)
	}
	return c.Err()
}

// line returns the normalized coordinates of n positions along an axis.
func (op affineGrid) line(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		switch {
		case !op.aligned:
			x[i] = (2*float64(i)+1)/float64(n) - 1
		case n == 1:
			x[i] = -1
		default:
			x[i] = 2*float64(i)/float64(n-1) - 1
		}
	}
	return x
}

// affine computes theta · (x, y, …, 1) for each point; coordinates are innermost axis first.
func affine[T float32 | float64](c *ops.Ctx, y []T, theta []float64, coords [][]float64) {
	r := len(coords)
	size := 1
	for _, x := range coords {
		size *= len(x)
	}
	c.Parallel(len(y)/r, ops.Grain(r*(r+1)), func(lo, hi int) {
		var at [3]float64
		for i := lo; i < hi; i++ {
			rest := i % size
			for d := r - 1; d >= 0; d-- {
				at[r-1-d] = coords[d][rest%len(coords[d])]
				rest /= len(coords[d])
			}
			m := theta[i/size*r*(r+1):]
			for k := range r {
				v := m[k*(r+1)+r]
				for d := range r {
					v += m[k*(r+1)+d] * at[d]
				}
				y[i*r+k] = T(v)
			}
		}
	})
}
