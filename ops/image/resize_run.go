package image

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/resample"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// Run implements ops.Op. Resizing is separable: one axis after the other.
func (op *resize) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	p, err := op.plan(c, x.Shape())
	if err != nil {
		return err
	}
	out := make(tensor.Shape, len(p))
	same := true
	for i, a := range p {
		out[i], same = a.out, same && a.identity()
		if a.in == 0 && a.out > 0 {
			return fmt.Errorf("dimension %d of %v is enlarged from nothing", i, x.Shape())
		}
	}
	if same {
		c.SetOut(0, x.Reshaped(x.Shape()))
		return nil
	}
	n, err := out.CheckSize()
	if err != nil {
		return err
	}
	if n == 0 {
		_, err := c.New(0, x.DType(), out)
		return err
	}
	if op.mode == "nearest" {
		return op.runNearest(c, x, out, p)
	}
	return op.runWeighted(c, x, out, p)
}

// runNearest gathers; it works on elements of any type. Axes that shrink come first.
func (op *resize) runNearest(c *ops.Ctx, x *tensor.Tensor, out tensor.Shape, p []along) error {
	src, order := x, passes(p)
	fill, err := op.fillValue(x.DType())
	if err != nil {
		return err
	}
	for i, axis := range order {
		shape := src.Shape().Clone()
		shape[axis] = p[axis].out
		var dst *tensor.Tensor
		var err error
		if i == len(order)-1 {
			dst, err = c.New(0, x.DType(), out)
		} else {
			dst, err = c.Mem.Alloc(x.DType(), shape)
		}
		if err != nil {
			return err
		}
		gather(c, dst, src, axis, op.nearestTaps(p[axis]), fill)
		if src != x {
			c.Mem.Free(src)
		}
		src = dst
	}
	return c.Err()
}

// passes lists the axes that change, those that shrink first.
func passes(p []along) []int {
	var order []int
	for _, shrink := range []bool{true, false} {
		for i, a := range p {
			if !a.identity() && (a.out < a.in) == shrink {
				order = append(order, i)
			}
		}
	}
	return order
}

// fillValue is the extrapolation value as a tensor of one element.
func (op *resize) fillValue(d tensor.DType) (*tensor.Tensor, error) {
	t := tensor.New(d, 1)
	if op.extrapolation == 0 || op.coord != "tf_crop_and_resize" {
		return t, nil
	}
	return t, storeFloats(t, []float64{op.extrapolation})
}

// gather copies slices of src along axis; index -1 takes fill.
func gather(c *ops.Ctx, dst, src *tensor.Tensor, axis int, idx []int, fill *tensor.Tensor) {
	s := src.Shape()
	n, inner := s[axis], s[axis+1:].Size()
	outer := s[:axis].Size()
	work := func(lo, hi int) {
		for r := lo; r < hi; r++ {
			o, j := r/len(idx), r%len(idx)
			if idx[j] >= 0 {
				copyElems(dst, r*inner, src, (o*n+idx[j])*inner, inner)
				continue
			}
			for i := range inner {
				copyElems(dst, r*inner+i, fill, 0, 1)
			}
		}
	}
	switch {
	case src.DType().Packed(): // neighbours share bytes
		work(0, outer*len(idx))
	case inner == 1 && src.DType().Bits() == 32:
		gatherLines[float32](c, dst, src, n, idx, fill)
	case inner == 1 && src.DType().Bits() == 8:
		gatherLines[uint8](c, dst, src, n, idx, fill)
	default:
		c.Parallel(outer*len(idx), ops.Grain(inner+8), work)
	}
}

// gatherLines is gather along the last axis, for element types of T's width.
func gatherLines[T float32 | uint8](c *ops.Ctx, dst, src *tensor.Tensor, n int, idx []int, fill *tensor.Tensor) {
	as := func(t *tensor.Tensor) []T { return tensor.Slice[T](t.Retyped(tensor.DTypeOf[T](), t.Shape())) }
	y, x, f := as(dst), as(src), as(fill)[0]
	c.Parallel(len(y)/len(idx), ops.Grain(len(idx)), func(lo, hi int) {
		for o := lo; o < hi; o++ {
			row, line := y[o*len(idx):][:len(idx)], x[o*n:][:n]
			for j, at := range idx {
				if at < 0 {
					row[j] = f
				} else {
					row[j] = line[at]
				}
			}
		}
	})
}

// runWeighted interpolates: float in float, everything else in double.
func (op *resize) runWeighted(c *ops.Ctx, x *tensor.Tensor, out tensor.Shape, p []along) error {
	switch x.DType() {
	case tensor.Float32, tensor.Float64:
		y, err := c.New(0, x.DType(), out)
		if err != nil {
			return err
		}
		if x.DType() == tensor.Float32 {
			return weighted(c, op, y.Float32(), x.Float32(), p)
		}
		return weighted(c, op, y.Float64(), x.Float64(), p)
	case tensor.Complex64, tensor.Complex128:
		y, err := c.New(0, x.DType(), out)
		if err != nil {
			return err
		}
		p = append(p[:len(p):len(p)], along{2, 2, 1, 0, 1})
		if x.DType() == tensor.Complex64 {
			return weighted(c, op, parts[float32](y), parts[float32](x), p)
		}
		return weighted(c, op, parts[float64](y), parts[float64](x), p)
	}
	in, err := x.Floats()
	if err != nil {
		return fmt.Errorf("%s interpolation of %v: %w", op.mode, x.DType(), ops.ErrUnsupported)
	}
	vals, err := ops.Scratch[float64](c, out.Size())
	if err != nil {
		return err
	}
	if err := weighted(c, op, vals, in, p); err != nil {
		return err
	}
	y, err := c.New(0, x.DType(), out)
	if err != nil {
		return err
	}
	return storeFloats(y, vals)
}

// parts views a complex tensor as pairs of real and imaginary parts.
func parts[T float32 | float64](t *tensor.Tensor) []T {
	return tensor.Slice[T](t.Retyped(tensor.DTypeOf[T](), append(t.Shape().Clone(), 2)))
}

func weighted[T resample.Float](c *ops.Ctx, op *resize, y, x []T, p []along) error {
	shape := make([]int, len(p))
	for i, a := range p {
		shape[i] = a.in
	}
	order := passes(p)
	for i, axis := range order {
		dst := y
		a := p[axis]
		outer, inner := tensor.Shape(shape[:axis]).Size(), tensor.Shape(shape[axis+1:]).Size()
		if i < len(order)-1 {
			var err error
			n, err := tensor.Shape{outer, a.out, inner}.CheckSize()
			if err != nil {
				return err
			}
			if dst, err = ops.Scratch[T](c, n); err != nil {
				return err
			}
		}
		pass(c, interpolation[T](op, a), dst, x, a, outer, inner, T(op.extrapolation))
		shape[axis] = a.out
		x = dst
		if err := c.Err(); err != nil {
			return err
		}
	}
	return nil
}

// pass resizes the middle axis of x, which is outer × a.in × inner.
func pass[T resample.Float](c *ops.Ctx, t resample.Taps[T], y, x []T, a along, outer, inner int, constant T) {
	if inner == 1 {
		c.Parallel(outer, ops.Grain(a.out*t.N), func(lo, hi int) {
			for o := lo; o < hi; o++ {
				t.Line(y[o*a.out:(o+1)*a.out], x[o*a.in:(o+1)*a.in], constant)
			}
		})
		return
	}
	c.Parallel(outer*a.out, ops.Grain(inner*t.N), func(lo, hi int) {
		for r := lo; r < hi; {
			o, j := r/a.out, r%a.out
			end := min(a.out, j+hi-r)
			t.Rows(y[r*inner:(r+end-j)*inner], x[o*a.in*inner:(o+1)*a.in*inner], inner, j, end, constant)
			r += end - j
		}
	})
}
