package image

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "RoiAlign", Since: 10, New: newRoiAlign(false), Widen: true},
		ops.Def{Name: "RoiAlign", Since: 16, New: newRoiAlign(true), Widen: true},
	)
}

// roiAlign is https://onnx.ai/onnx/operators/onnx__RoiAlign.html: x is (N,C,H,W), the regions (R,4) as x1, y1, x2, y2,
// the batch indices (R), and the output (R,C,height,width). Before opset 16 coordinates were not shifted by half a pixel.
type roiAlign struct {
	height, width, ratio int
	scale                float64
	halfPixel, maximum   bool
}

func newRoiAlign(halfPixel bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		op := roiAlign{height: a.Int("output_height", 1), width: a.Int("output_width", 1), ratio: a.Int("sampling_ratio", 0),
			scale: float64(a.Float("spatial_scale", 1)), maximum: a.Enum("mode", "avg", "max") == "max"}
		if halfPixel {
			op.halfPixel = a.Enum("coordinate_transformation_mode", "half_pixel", "output_half_pixel") == "half_pixel"
		}
		if op.height < 1 || op.width < 1 || op.height > maxExtent || op.width > maxExtent || op.ratio < 0 {
			a.Errorf("output size %d by %d with sampling ratio %d", op.height, op.width, op.ratio)
		}
		return op, a.Done()
	}
}

// Infer implements ops.Op.
func (op roiAlign) Infer(c *ops.Infer) error {
	var regions, channels tensor.Dim
	if d, ok := c.Dims(0); ok && len(d) == 4 {
		channels = d[1]
	}
	if d, ok := c.Dims(1); ok && len(d) == 2 {
		regions = d[0]
	}
	c.SetOut(0, c.DType(0), regions, channels, tensor.Int(op.height), tensor.Int(op.width))
	return nil
}

// Run implements ops.Op.
func (op roiAlign) Run(c *ops.Ctx) error {
	x, rois := c.Tensor(0), c.Tensor(1)
	batch, err := c.Tensor(2).Ints()
	if err != nil {
		return err
	}
	if x.Rank() != 4 || rois.Rank() != 2 || rois.Dim(1) != 4 || len(batch) != rois.Dim(0) || rois.DType() != x.DType() {
		return fmt.Errorf("input %v with regions %v and batch indices %v", x, rois, c.Tensor(2))
	}
	for _, b := range batch {
		if b < 0 || b >= x.Dim(0) {
			return fmt.Errorf("batch index %d out of range for shape %v", b, x.Shape())
		}
	}
	y, err := c.New(0, x.DType(), tensor.Shape{len(batch), x.Dim(1), op.height, op.width})
	if err != nil || y.Len() == 0 {
		return err
	}
	if x.Dim(2) == 0 || x.Dim(3) == 0 {
		return fmt.Errorf("regions of an empty image %v", x.Shape())
	}
	switch x.DType() {
	case tensor.Float32:
		return align(c, op, y.Float32(), x.Float32(), rois.Float32(), batch, x.Shape())
	case tensor.Float64:
		return align(c, op, y.Float64(), x.Float64(), rois.Float64(), batch, x.Shape())
	}
	return fmt.Errorf("%v: %w", x.DType(), ops.ErrUnsupported)
}

// tap is a sampled point: four neighbours and their weights.
type tap struct {
	at [4]int
	w  [4]float64
}

// maxSamples bounds the sampled points of one region.
const maxSamples = 1 << 24

func align[T float32 | float64](c *ops.Ctx, op roiAlign, y, x, rois []T, batch []int, xs tensor.Shape) error {
	channels, size, bins := xs[1], xs[2]*xs[3], op.height*op.width
	for r, b := range batch {
		if err := c.Err(); err != nil {
			return err
		}
		roi := rois[4*r : 4*r+4]
		taps, perBin, err := op.taps(float64(roi[0]), float64(roi[1]), float64(roi[2]), float64(roi[3]), xs[2], xs[3])
		if err != nil {
			return err
		}
		c.Parallel(channels, ops.Grain(4*len(taps)+bins), func(lo, hi int) {
			for ch := lo; ch < hi; ch++ {
				in, out := x[(b*channels+ch)*size:][:size], y[(r*channels+ch)*bins:][:bins]
				for i := range out {
					out[i] = T(op.pool(taps[i*perBin:(i+1)*perBin], func(k int) float64 { return float64(in[k]) }))
				}
			}
		})
	}
	return nil
}

// pool averages the interpolated points of one bin, or takes the largest weighted neighbour of any.
func (op roiAlign) pool(taps []tap, at func(int) float64) float64 {
	sum, best := 0.0, math.Inf(-1)
	for _, t := range taps {
		for k, w := range t.w {
			v := w * at(t.at[k])
			sum, best = sum+v, max(best, v)
		}
	}
	switch {
	case len(taps) == 0:
		return 0
	case op.maximum:
		return best
	}
	return sum / float64(len(taps))
}

// taps lists the sampled points of a region, bin by bin.
func (op roiAlign) taps(x1, y1, x2, y2 float64, h, w int) (taps []tap, perBin int, err error) {
	shift := 0.0
	if op.halfPixel {
		shift = 0.5
	}
	x1, y1, x2, y2 = x1*op.scale-shift, y1*op.scale-shift, x2*op.scale-shift, y2*op.scale-shift
	rw, rh := x2-x1, y2-y1
	if !op.halfPixel {
		rw, rh = max(rw, 1), max(rh, 1)
	}
	bw, bh := rw/float64(op.width), rh/float64(op.height)
	gw, gh := op.ratio, op.ratio
	if op.ratio == 0 {
		if !(math.Abs(bw) < maxSamples) || !(math.Abs(bh) < maxSamples) {
			return nil, 0, fmt.Errorf("a region of %v by %v", rw, rh)
		}
		gw, gh = max(int(math.Ceil(bw)), 0), max(int(math.Ceil(bh)), 0)
	}
	n, err := tensor.Shape{gw, gh, op.width, op.height}.CheckSize()
	if err != nil || n > maxSamples {
		return nil, 0, fmt.Errorf("a region of %v by %v is sampled too finely", rw, rh)
	}
	taps = make([]tap, 0, n)
	for ph := range op.height {
		for pw := range op.width {
			for iy := range gh {
				y := y1 + float64(ph)*bh + (float64(iy)+0.5)*bh/float64(gh)
				for ix := range gw {
					taps = append(taps, bilinear(x1+float64(pw)*bw+(float64(ix)+0.5)*bw/float64(gw), y, h, w))
				}
			}
		}
	}
	return taps, gw * gh, nil
}

// bilinear returns the neighbours of a point; what is more than a pixel outside weighs nothing.
func bilinear(x, y float64, h, w int) tap {
	if !(y >= -1 && y <= float64(h) && x >= -1 && x <= float64(w)) {
		return tap{}
	}
	x0, x1, lx := neighbours(x, w)
	y0, y1, ly := neighbours(y, h)
	return tap{[4]int{y0*w + x0, y0*w + x1, y1*w + x0, y1*w + x1}, [4]float64{(1 - ly) * (1 - lx), (1 - ly) * lx, ly * (1 - lx), ly * lx}}
}

func neighbours(v float64, n int) (lo, hi int, frac float64) {
	v = max(v, 0)
	lo = int(v)
	if lo >= n-1 {
		return n - 1, n - 1, 0
	}
	return lo, lo + 1, v - float64(lo)
}
