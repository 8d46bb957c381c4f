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
		ops.Def{Name: "MaxUnpool", Since: 9, Widen: true, New: newMaxUnpool},
		ops.Def{Name: "MaxRoiPool", Since: 1, Widen: true, New: newMaxRoiPool},
	)
}

// maxUnpool is https://onnx.ai/onnx/operators/onnx__MaxUnpool.html. The indices count in the tensor that the attributes
// say was pooled; output_shape then only appends zeros to its axes.
type maxUnpool struct{ window }

func newMaxUnpool(a *ops.Attrs) (ops.Op, error) {
	op := maxUnpool{newWindow(a)}
	if op.kernel == nil {
		a.Errorf("kernel_shape is missing")
	}
	return op, a.Done()
}

// pooledFrom is the size of the axis that was pooled to size n.
func (w window) pooledFrom(n tensor.Dim, i, axes int) tensor.Dim {
	return n.AddInt(-1).Mul(tensor.Int(w.strides[i])).AddInt(w.kernel[i] - w.pads[i] - w.pads[axes+i])
}

// Infer implements ops.Op.
func (op maxUnpool) Infer(c *ops.Infer) error {
	if want, ok := c.Ints(2); ok {
		c.SetOut(0, c.DType(0), want...)
		return nil
	}
	x, ok := c.Dims(0)
	if !ok || c.Has(2) {
		c.SetDType(0, c.DType(0))
		return nil
	}
	if len(x) < 3 {
		return fmt.Errorf("input of rank %d; at least 3 are needed", len(x))
	}
	w, err := op.ranked(len(x)-2, nil)
	if err != nil {
		return err
	}
	dims := append([]tensor.Dim{}, x...)
	for i := range dims[2:] {
		dims[2+i] = w.pooledFrom(x[2+i], i, len(x)-2)
	}
	c.SetOut(0, c.DType(0), dims...)
	return nil
}

// shapes returns the shape that the indices count in and that of the output.
func (op maxUnpool) shapes(c *ops.Ctx, x tensor.Shape) (from, out tensor.Shape, err error) {
	if len(x) < 3 {
		return nil, nil, fmt.Errorf("input of shape %v; at least 3 axes are needed", x)
	}
	w, err := op.ranked(len(x)-2, nil)
	if err != nil {
		return nil, nil, err
	}
	from = x.Clone()
	for i, n := range x[2:] {
		if n > maxExtent {
			return nil, nil, fmt.Errorf("spatial axis of size %d: %w", n, ops.ErrUnsupported)
		}
		from[2+i], _ = w.pooledFrom(tensor.Int(n), i, len(x)-2).Int()
	}
	if _, err := from.CheckSize(); err != nil {
		return nil, nil, err
	}
	out = from
	if t := c.Tensor(2); t != nil {
		s, err := t.Ints()
		if err != nil {
			return nil, nil, err
		}
		if out = s; len(out) != len(from) {
			return nil, nil, fmt.Errorf("output_shape %v for an input of shape %v", out, x)
		}
	}
	for i := range out {
		if out[i] < from[i] {
			return nil, nil, fmt.Errorf("output_shape %v is smaller than %v", out, from)
		}
	}
	_, err = out.CheckSize()
	return from, out, err
}

// Run implements ops.Op.
func (op maxUnpool) Run(c *ops.Ctx) error {
	x, index := c.Tensor(0), c.Tensor(1)
	from, out, err := op.shapes(c, x.Shape())
	if err != nil {
		return err
	}
	if !index.Shape().Equal(x.Shape()) || index.DType() != tensor.Int64 {
		return fmt.Errorf("indices %v for the input %v", index, x)
	}
	y, err := c.New(0, x.DType(), out)
	if err != nil {
		return err
	}
	ops.Zero(y)
	switch x.DType() {
	case tensor.Float32:
		return scatter(y.Float32(), x.Float32(), index.Int64(), from, out)
	case tensor.Float64:
		return scatter(y.Float64(), x.Float64(), index.Int64(), from, out)
	default:
		return unsupported("MaxUnpool", x.DType())
	}
}

// scatter writes x to the places in y that the indices into a tensor of shape from have in one of shape out.
func scatter[T any](y, x []T, index []int64, from, out tensor.Shape) error {
	same, n, strides := from.Equal(out), from.Size(), out.Strides()
	for i, v := range x {
		at := int(index[i])
		if at < 0 || at >= n {
			return fmt.Errorf("index %d out of range for shape %v", index[i], from)
		}
		if !same {
			rest := at
			at = 0
			for d := len(from) - 1; d >= 0; d-- {
				at += rest % from[d] * strides[d]
				rest /= from[d]
			}
		}
		y[at] = v
	}
	return nil
}

// maxRoiPool is https://onnx.ai/onnx/operators/onnx__MaxRoiPool.html. As in Fast R-CNN, corners are rounded to pixels and
// inclusive, and a region has at least one pixel.
type maxRoiPool struct {
	bins  [2]int
	scale float64
}

func newMaxRoiPool(a *ops.Attrs) (ops.Op, error) {
	op := maxRoiPool{scale: float64(a.Float("spatial_scale", 1))}
	if n := copy(op.bins[:], a.Ints("pooled_shape")); n != 2 || len(a.Ints("pooled_shape")) != 2 || op.bins[0] < 1 || op.bins[1] < 1 || max(op.bins[0], op.bins[1]) > maxExtent {
		a.Errorf("pooled_shape is %v", a.Ints("pooled_shape"))
	}
	return op, a.Done()
}

// Infer implements ops.Op.
func (op maxRoiPool) Infer(c *ops.Infer) error {
	x, xok := c.Dims(0)
	rois, rok := c.Dims(1)
	if xok && len(x) != 4 || rok && len(rois) != 2 {
		return fmt.Errorf("input of rank %d and regions of rank %d, not 4 and 2", len(x), len(rois))
	}
	dims := []tensor.Dim{{}, {}, tensor.Int(op.bins[0]), tensor.Int(op.bins[1])}
	if rok {
		dims[0] = rois[0]
	}
	if xok {
		dims[1] = x[1]
	}
	c.SetOut(0, c.DType(0), dims...)
	return nil
}

// Run implements ops.Op.
func (op maxRoiPool) Run(c *ops.Ctx) error {
	switch d := c.Tensor(0).DType(); d {
	case tensor.Float32:
		return runRoi[float32](c, op)
	case tensor.Float64:
		return runRoi[float64](c, op)
	default:
		return unsupported("MaxRoiPool", d)
	}
}

func runRoi[T float32 | float64](c *ops.Ctx, op maxRoiPool) error {
	x, rois := c.Tensor(0), c.Tensor(1)
	if x.Rank() != 4 || rois.Rank() != 2 || rois.Dim(1) != 5 || rois.DType() != x.DType() {
		return fmt.Errorf("input %v and regions %v; 4 axes and rows of 5 of the same type are needed", x, rois)
	}
	channels, h, w := x.Dim(1), x.Dim(2), x.Dim(3)
	y, err := c.New(0, x.DType(), tensor.Shape{rois.Dim(0), channels, op.bins[0], op.bins[1]})
	if err != nil {
		return err
	}
	src, dst, regions := tensor.Slice[T](x), tensor.Slice[T](y), tensor.Slice[T](rois)
	for i := range rois.Dim(0) {
		if n := float64(regions[i*5]); !(n >= 0 && n < float64(x.Dim(0))) {
			return fmt.Errorf("region %d is of image %v of %d", i, n, x.Dim(0))
		}
	}
	size := op.bins[0] * op.bins[1]
	c.Parallel(rois.Dim(0)*channels, ops.Grain(h*w), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			r := regions[i/channels*5:][:5]
			plane := src[(int(r[0])*channels+i%channels)*h*w:][:h*w]
			pool.RoiMax(dst[i*size:][:size], plane, h, w, op.corner(float64(r[1])), op.corner(float64(r[2])), op.corner(float64(r[3])), op.corner(float64(r[4])), op.bins)
		}
	})
	return c.Err()
}

// corner is the pixel of a coordinate. What is far outside stays outside.
func (op maxRoiPool) corner(v float64) int {
	v = math.Round(v * op.scale)
	if v != v {
		return 0
	}
	return int(min(max(v, -maxExtent), maxExtent))
}
