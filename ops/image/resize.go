// Package image holds the operators on images: Resize and Upsample, GridSample and AffineGrid, RoiAlign,
// NonMaxSuppression and ImageDecoder.
package image

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "Upsample", Since: 1, New: newUpsample(1), Widen: true},
		ops.Def{Name: "Upsample", Since: 7, New: newUpsample(7), Widen: true},
		ops.Def{Name: "Upsample", Since: 9, New: newUpsample(9), Widen: true},
		ops.Def{Name: "Resize", Since: 10, New: newUpsample(10), Widen: true},
		ops.Def{Name: "Resize", Since: 11, New: newResize, Widen: true},
	)
}

// resize is https://onnx.ai/onnx/operators/onnx__Resize.html, and Upsample. The positions of the inputs roi, scales and
// sizes are -1 in versions that lack them.
type resize struct {
	mode, coord, nearest, policy string
	antialias, excludeOutside    bool
	cubicA, extrapolation        float64
	axes                         []int // nil: all
	roi, scalesAt, sizesAt       int
	scales                       []float32 // an attribute in Upsample-1 and -7
}

// newUpsample reads the forms before opset 11, in which output x stands at x/scale in the input.
func newUpsample(version int) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		op := &resize{coord: "asymmetric", nearest: "simple", policy: "stretch", cubicA: -0.75, roi: -1, scalesAt: 1, sizesAt: -1}
		op.mode = a.Enum("mode", "nearest", "linear", "bilinear")
		if op.mode == "bilinear" {
			op.mode = "linear"
		}
		switch version {
		case 1:
			op.scalesAt, op.scales = -1, []float32{1, 1, a.Float("height_scale", 1), a.Float("width_scale", 1)}
		case 7:
			op.scalesAt, op.scales = -1, a.Floats("scales")
		}
		return op, a.Done()
	}
}

func newResize(a *ops.Attrs) (ops.Op, error) {
	op := &resize{roi: 1, scalesAt: 2, sizesAt: 3}
	op.mode = a.Enum("mode", "nearest", "linear", "cubic")
	op.coord = a.Enum("coordinate_transformation_mode", "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize", "tf_half_pixel_for_nn")
	op.nearest = a.Enum("nearest_mode", "round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
	op.policy = a.Enum("keep_aspect_ratio_policy", "stretch", "not_larger", "not_smaller")
	op.antialias = a.Bool("antialias", false) && op.mode != "nearest"
	op.excludeOutside = a.Bool("exclude_outside", false)
	op.cubicA = float64(a.Float("cubic_coeff_a", -0.75))
	op.extrapolation = float64(a.Float("extrapolation_value", 0))
	op.axes = a.Ints("axes")
	return op, a.Done()
}

// resized returns the axes that roi, scales and sizes speak of.
func (op *resize) resized(rank int) ([]int, error) {
	if op.axes == nil {
		out := make([]int, rank)
		for i := range out {
			out[i] = i
		}
		return out, nil
	}
	out, seen := make([]int, len(op.axes)), make([]bool, rank)
	for i, a := range op.axes {
		var err error
		if out[i], err = ops.NormAxis(a, rank); err != nil {
			return nil, err
		}
		if seen[out[i]] {
			return nil, fmt.Errorf("axis %d is listed twice", a)
		}
		seen[out[i]] = true
	}
	return out, nil
}

// Infer implements ops.Op.
func (op *resize) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	dims, ok := c.Dims(0)
	if !ok {
		return nil
	}
	axes, err := op.resized(len(dims))
	if err != nil {
		return err
	}
	out := append([]tensor.Dim{}, dims...)
	for _, a := range axes {
		out[a] = tensor.Dim{}
	}
	if sizes := op.knownSizes(c); len(sizes) > 0 {
		if len(sizes) == len(axes) {
			op.inferSizes(out, dims, axes, sizes)
		}
	} else if scales, ok := op.constScales(c); ok {
		if len(scales) != len(axes) {
			return fmt.Errorf("%d scales for %d axes", len(scales), len(axes))
		}
		for i, a := range axes {
			out[a] = scaledDim(dims[a], scales[i])
		}
	}
	c.SetOut(0, c.DType(0), out...)
	return nil
}

func (op *resize) knownSizes(c *ops.Infer) []tensor.Dim {
	if op.sizesAt < 0 {
		return nil
	}
	sizes, _ := c.Ints(op.sizesAt)
	return sizes
}

func (op *resize) constScales(c *ops.Infer) ([]float32, bool) {
	if op.scalesAt < 0 {
		return op.scales, true
	}
	if t := c.Const(op.scalesAt); t != nil && t.DType() == tensor.Float32 && t.Len() > 0 {
		return t.Float32(), true
	}
	return nil, false
}

func (op *resize) inferSizes(out, dims []tensor.Dim, axes []int, sizes []tensor.Dim) {
	if op.policy == "stretch" {
		for i, a := range axes {
			out[a] = sizes[i]
		}
		return
	}
	in, want := make([]int, len(axes)), make([]int, len(axes))
	for i, a := range axes {
		n, ok := dims[a].Int()
		m, ok2 := sizes[i].Int()
		if !ok || !ok2 {
			return
		}
		in[i], want[i] = n, m
	}
	_, fitted := fit(op.policy, in, want)
	for i, a := range axes {
		out[a] = tensor.Int(fitted[i])
	}
}

// scaledDim is floor(d · scale), also for symbolic dimensions where the scale or its inverse is a whole number.
func scaledDim(d tensor.Dim, scale float32) tensor.Dim {
	if n, ok := d.Int(); ok {
		if m, err := scaledSize(n, scale); err == nil {
			return tensor.Int(m)
		}
		return tensor.Dim{}
	}
	if s := int(scale); float32(s) == scale && s > 0 && s < 1<<20 {
		return d.Mul(tensor.Int(s))
	}
	if inv := 1 / scale; inv == float32(int(inv)) && inv >= 1 && inv < 1<<20 && 1/inv == scale && int(inv)&(int(inv)-1) == 0 {
		return d.Div(tensor.Int(int(inv)))
	}
	return tensor.Dim{}
}

// maxExtent is the largest extent that a scale may produce.
const maxExtent = 1 << 31

// scaledSize is floor(n · scale) in float, as the standard's shape inference computes it.
func scaledSize(n int, scale float32) (int, error) {
	m := math.Floor(float64(float32(n) * scale))
	if !(scale > 0) || !(m < maxExtent) {
		return 0, fmt.Errorf("scale %v of dimension %d", scale, n)
	}
	return int(m), nil
}

// fit returns the scale that keeps the aspect ratio and the sizes that follow from it.
func fit(policy string, in, want []int) (float64, []int) {
	scale := math.NaN()
	for i, n := range in {
		s := float64(want[i]) / float64(n)
		if policy == "not_larger" && s > scale || policy == "not_smaller" && s < scale {
			continue
		}
		scale = s
	}
	out := make([]int, len(in))
	for i, n := range in {
		out[i] = int(min(scale*float64(n)+0.5, maxExtent))
	}
	return scale, out
}

// along is the resizing of one axis.
type along struct {
	in, out    int
	scale      float64
	start, end float64 // of the region of interest, normalized
}

func (op *resize) plan(c *ops.Ctx, shape tensor.Shape) ([]along, error) {
	axes, err := op.resized(len(shape))
	if err != nil {
		return nil, err
	}
	p := make([]along, len(shape))
	for i, n := range shape {
		p[i] = along{n, n, 1, 0, 1}
	}
	if op.sizesAt > 0 && c.Has(op.sizesAt) && c.Tensor(op.sizesAt).Len() > 0 {
		err = op.planSizes(c.Tensor(op.sizesAt), axes, p)
	} else {
		err = op.planScales(c, axes, p)
	}
	if err != nil || op.coord != "tf_crop_and_resize" {
		return p, err
	}
	return p, op.planRoi(c, axes, p)
}

func (op *resize) planSizes(t *tensor.Tensor, axes []int, p []along) error {
	sizes, err := t.Ints()
	if err != nil || len(sizes) != len(axes) {
		return fmt.Errorf("sizes is %v for %d axes", t, len(axes))
	}
	in := make([]int, len(axes))
	for i, a := range axes {
		in[i] = p[a].in
		if sizes[i] < 0 || sizes[i] >= maxExtent || in[i] == 0 && sizes[i] > 0 {
			return fmt.Errorf("size %d for dimension %d", sizes[i], in[i])
		}
	}
	if op.policy != "stretch" {
		scale, fitted := fit(op.policy, in, sizes)
		for i, a := range axes {
			p[a].out, p[a].scale = fitted[i], scale
		}
		return nil
	}
	for i, a := range axes {
		p[a].out = sizes[i]
		if in[i] > 0 {
			p[a].scale = float64(sizes[i]) / float64(in[i])
		}
	}
	return nil
}

func (op *resize) planScales(c *ops.Ctx, axes []int, p []along) error {
	scales := op.scales
	if op.scalesAt > 0 {
		t := c.Tensor(op.scalesAt)
		if t == nil || t.DType() != tensor.Float32 {
			return fmt.Errorf("neither scales nor sizes are given")
		}
		scales = t.Float32()
	}
	if len(scales) != len(axes) {
		return fmt.Errorf("%d scales for %d axes", len(scales), len(axes))
	}
	for i, a := range axes {
		n, err := scaledSize(p[a].in, scales[i])
		if err != nil {
			return err
		}
		p[a].out, p[a].scale = n, float64(scales[i])
	}
	return nil
}

func (op *resize) planRoi(c *ops.Ctx, axes []int, p []along) error {
	t := c.Tensor(op.roi)
	if t == nil {
		return fmt.Errorf("tf_crop_and_resize needs roi")
	}
	roi, err := t.Floats()
	if err != nil || len(roi) != 2*len(axes) {
		return fmt.Errorf("roi is %v for %d axes", t, len(axes))
	}
	for i, a := range axes {
		p[a].start, p[a].end = roi[i], roi[len(axes)+i]
	}
	return nil
}

// identity reports an axis that stays as it is.
func (a along) identity() bool {
	return a.in == a.out && math.Abs(a.scale-1) <= 1e-9 && a.start == 0 && a.end == 1
}
