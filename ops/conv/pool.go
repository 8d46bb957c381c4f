package conv

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/pool"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "AveragePool", Since: 1, Widen: true, New: newAveragePool},
		ops.Def{Name: "MaxPool", Since: 1, Widen: true, New: newMaxPool},
		ops.Def{Name: "LpPool", Since: 1, Widen: true, New: newLpPool(floatP)},
		ops.Def{Name: "LpPool", Since: 2, Widen: true, New: newLpPool(intP)},
	)
}

// pooling is what the operators that reduce windows of one input have in common.
type pooling struct{ window }

func newPooling(a *ops.Attrs) pooling {
	w := newWindow(a)
	if w.kernel == nil {
		a.Errorf("kernel_shape is missing")
	}
	return pooling{w}
}

// Infer implements ops.Op.
func (op pooling) Infer(c *ops.Infer) error {
	if len(c.Out) > 1 {
		c.SetDType(1, tensor.Int64)
	}
	x, ok := c.Dims(0)
	if !ok {
		c.SetDType(0, c.DType(0))
		return nil
	}
	if len(x) < 3 {
		return fmt.Errorf("input of rank %d; at least 3 are needed", len(x))
	}
	out, err := op.infer(x[2:], nil)
	if err != nil {
		return err
	}
	dims := append([]tensor.Dim{x[0], x[1]}, out...)
	c.SetOut(0, c.DType(0), dims...)
	c.SetOut(1, tensor.Int64, dims...)
	return nil
}

// geometry returns the windows on an image and the output's shape.
func (op pooling) geometry(x tensor.Shape) (*pool.Geometry, tensor.Shape, error) {
	if len(x) < 3 {
		return nil, nil, fmt.Errorf("input of shape %v; at least 3 axes are needed", x)
	}
	p, err := op.place(x[2:], nil)
	if err != nil {
		return nil, nil, err
	}
	shape := append(tensor.Shape{x[0], x[1]}, p.out...)
	if _, err := shape.CheckSize(); err != nil {
		return nil, nil, err
	}
	return &pool.Geometry{Planes: x[0] * x[1], In: p.in, Out: p.out, Kernel: p.kernel, Stride: p.strides, Dilate: p.dilations,
		Before: p.before, After: p.after}, shape, nil
}

// averagePool is https://onnx.ai/onnx/operators/onnx__AveragePool.html.
type averagePool struct {
	pooling
	padded bool
}

func newAveragePool(a *ops.Attrs) (ops.Op, error) {
	op := averagePool{newPooling(a), a.Bool("count_include_pad", false)}
	return op, a.Done()
}

// Run implements ops.Op.
func (op averagePool) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	g, shape, err := op.geometry(x.Shape())
	if err != nil {
		return err
	}
	y, err := c.New(0, x.DType(), shape)
	if err != nil {
		return err
	}
	switch x.DType() {
	case tensor.Float32:
		pool.Average(c.Pool, g, y.Float32(), x.Float32(), op.padded)
	case tensor.Float64:
		pool.Average(c.Pool, g, y.Float64(), x.Float64(), op.padded)
	default:
		return unsupported("AveragePool", x.DType())
	}
	return c.Err()
}

// lpPool is https://onnx.ai/onnx/operators/onnx__LpPool.html. In opset 1, p is a float.
type lpPool struct {
	pooling
	p float64
}

func floatP(a *ops.Attrs) float64 { return float64(a.Float("p", 2)) }

func intP(a *ops.Attrs) float64 { return float64(a.Int("p", 2)) }

func newLpPool(p func(*ops.Attrs) float64) func(a *ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		op := lpPool{newPooling(a), p(a)}
		checkP(a, op.p)
		return op, a.Done()
	}
}

func checkP(a *ops.Attrs, p float64) {
	if !(p > 0) {
		a.Errorf("p is %v", p)
	}
}

// Run implements ops.Op.
func (op lpPool) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	g, shape, err := op.geometry(x.Shape())
	if err != nil {
		return err
	}
	y, err := c.New(0, x.DType(), shape)
	if err != nil {
		return err
	}
	switch x.DType() {
	case tensor.Float32:
		pool.Norm(c.Pool, g, y.Float32(), x.Float32(), op.p)
	case tensor.Float64:
		pool.Norm(c.Pool, g, y.Float64(), x.Float64(), op.p)
	default:
		return unsupported("LpPool", x.DType())
	}
	return c.Err()
}

// maxPool is https://onnx.ai/onnx/operators/onnx__MaxPool.html.
type maxPool struct {
	pooling
	columnMajor bool
}

func newMaxPool(a *ops.Attrs) (ops.Op, error) {
	op := maxPool{newPooling(a), a.Bool("storage_order", false)}
	return op, a.Done()
}

// Run implements ops.Op.
func (op maxPool) Run(c *ops.Ctx) error {
	switch d := c.Tensor(0).DType(); d {
	case tensor.Float32:
		return runMaxPool(c, op, float32(math.Inf(-1)))
	case tensor.Float64:
		return runMaxPool(c, op, math.Inf(-1))
	case tensor.Int8:
		return runMaxPool[int8](c, op, math.MinInt8)
	case tensor.Uint8:
		return runMaxPool[uint8](c, op, 0)
	default:
		return unsupported("MaxPool", d)
	}
}

func runMaxPool[T float32 | float64 | int8 | uint8](c *ops.Ctx, op maxPool, least T) error {
	x := c.Tensor(0)
	g, shape, err := op.geometry(x.Shape())
	if err != nil {
		return err
	}
	y, err := c.New(0, x.DType(), shape)
	if err != nil {
		return err
	}
	var index []int64
	if c.Wants(1) {
		t, err := c.New(1, tensor.Int64, shape)
		if err != nil {
			return err
		}
		index = t.Int64()
	}
	pool.Max(c.Pool, g, tensor.Slice[T](y), tensor.Slice[T](x), index, least)
	if op.columnMajor {
		toColumnMajor(index, x.Shape()[2:])
	}
	return c.Err()
}

// toColumnMajor rewrites row-major places in planes of the given size to column-major ones.
func toColumnMajor(index []int64, size []int) {
	plane := tensor.Shape(size).Size()
	for i, place := range index {
		if place < 0 {
			continue
		}
		rest, out, scale := int(place)%plane, 0, plane
		for d := len(size) - 1; d >= 0; d-- {
			scale /= size[d]
			out += rest % size[d] * scale
			rest /= size[d]
		}
		index[i] = place - place%int64(plane) + int64(out)
	}
}
