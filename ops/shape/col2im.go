package shape

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Name: "Col2Im", Since: 18, New: newCol2Im, Widen: true})
}

// col2Im is https://onnx.ai/onnx/operators/onnx__Col2Im.html: it adds up overlapping blocks.
type col2Im struct{ dilations, pads, strides []int }

func newCol2Im(a *ops.Attrs) (ops.Op, error) {
	op := col2Im{a.Ints("dilations"), a.Ints("pads"), a.Ints("strides")}
	for _, v := range append(append([]int{}, op.dilations...), op.strides...) {
		if v < 1 || v > 1<<31 {
			a.Errorf("dilation or stride %d", v)
		}
	}
	for _, v := range op.pads {
		if v < 0 || v > 1<<31 {
			a.Errorf("pad %d", v)
		}
	}
	return op, a.Done()
}

func (op col2Im) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	image, ok := c.Ints(1)
	if !ok {
		return nil
	}
	out := append(unknown(2), image...)
	if dims, ok := c.Dims(0); ok {
		if len(dims) != 3 {
			return fmt.Errorf("input has rank %d, not 3", len(dims))
		}
		out[0] = dims[0]
		if block, ok := c.Ints(2); ok {
			out[1] = dims[1].Div(product(block))
		}
	}
	c.SetOut(0, c.DType(0), out...)
	return nil
}

// fold is the geometry of one call.
type fold struct {
	image, block, cols          tensor.Shape
	dilations, strides, padding []int // padding: at the beginning of each axis
	channels, batch             int
}

func (op col2Im) geometry(c *ops.Ctx) (fold, error) {
	s := c.Tensor(0).Shape()
	image, err := intList(c, 1, "image_shape")
	if err != nil {
		return fold{}, err
	}
	block, err := intList(c, 2, "block_shape")
	if err != nil {
		return fold{}, err
	}
	r := len(image)
	f := fold{image: image, block: block, dilations: op.dilations, strides: op.strides, padding: op.pads}
	if r == 0 || len(block) != r || len(s) != 3 {
		return f, fmt.Errorf("input of shape %v, image %v and block %v", s, f.image, f.block)
	}
	ones := make([]int, r)
	for i := range ones {
		ones[i] = 1
	}
	if f.dilations == nil {
		f.dilations = ones
	}
	if f.strides == nil {
		f.strides = ones
	}
	if f.padding == nil {
		f.padding = make([]int, 2*r)
	}
	if len(f.dilations) != r || len(f.strides) != r || len(f.padding) != 2*r {
		return f, fmt.Errorf("dilations, strides or pads don't fit image %v", f.image)
	}
	n, err := f.block.CheckSize()
	if err != nil {
		return f, err
	}
	if n == 0 || s[1]%n != 0 {
		return f, fmt.Errorf("dimension 1 of shape %v is no multiple of the block %v", s, f.block)
	}
	f.batch, f.channels = s[0], s[1]/n
	for a := range r {
		k := f.image[a] + f.padding[a] + f.padding[r+a] - f.dilations[a]*(f.block[a]-1) - 1
		if k < 0 {
			return f, fmt.Errorf("block %v does not fit image %v", f.block, f.image)
		}
		f.cols = append(f.cols, k/f.strides[a]+1)
	}
	if l, err := f.cols.CheckSize(); err != nil || l != s[2] {
		return f, fmt.Errorf("%d blocks, but image %v has %v", s[2], f.image, f.cols)
	}
	return f, nil
}

func (op col2Im) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	f, err := op.geometry(c)
	if err != nil {
		return err
	}
	shape := append(tensor.Shape{f.batch, f.channels}, f.image...)
	if _, err := shape.CheckSize(); err != nil {
		return err
	}
	y, err := c.New(0, x.DType(), shape)
	if err != nil {
		return err
	}
	ops.Zero(y)
	offs, err := ops.Scratch[int64](c, x.Dim(1)/max(f.channels, 1)*x.Dim(2))
	if err != nil {
		return err
	}
	f.offsets(offs)
	switch x.DType() {
	case tensor.Float32:
		foldAll[float32](c, offs, y, x)
	case tensor.Float64:
		foldAll[float64](c, offs, y, x)
	case tensor.Int8:
		foldAll[int8](c, offs, y, x)
	case tensor.Int16:
		foldAll[int16](c, offs, y, x)
	case tensor.Int32:
		foldAll[int32](c, offs, y, x)
	case tensor.Int64:
		foldAll[int64](c, offs, y, x)
	case tensor.Uint8:
		foldAll[uint8](c, offs, y, x)
	case tensor.Uint16:
		foldAll[uint16](c, offs, y, x)
	case tensor.Uint32:
		foldAll[uint32](c, offs, y, x)
	case tensor.Uint64:
		foldAll[uint64](c, offs, y, x)
	case tensor.Complex64:
		foldAll[complex64](c, offs, y, x)
	case tensor.Complex128:
		foldAll[complex128](c, offs, y, x)
	case tensor.Bool:
		foldEach(c, offs, y.Bool(), x.Bool(), func(dst, src []bool) {
			for i, o := range offs {
				if o >= 0 {
					dst[o] = dst[o] || src[i]
				}
			}
		})
	default:
		return fmt.Errorf("%w: sums of element type %v", ops.ErrUnsupported, x.DType())
	}
	return nil
}

// foldAll adds the columns of each channel to its image.
func foldAll[T number | complex64 | complex128](c *ops.Ctx, offs []int64, y, x *tensor.Tensor) {
	foldEach(c, offs, tensor.Slice[T](y), tensor.Slice[T](x), func(dst, src []T) {
		for i, o := range offs {
			if o >= 0 {
				dst[o] += src[i]
			}
		}
	})
}

// foldEach calls add with the image and the columns of each channel.
func foldEach[T any](c *ops.Ctx, offs []int64, dst, src []T, add func(dst, src []T)) {
	if len(offs) == 0 || len(dst) == 0 {
		return
	}
	channels := len(src) / len(offs)
	image := len(dst) / max(channels, 1)
	c.Parallel(channels, ops.Grain(len(offs)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			add(dst[i*image:(i+1)*image], src[i*len(offs):(i+1)*len(offs)])
		}
	})
}

// offsets tells where in the image each element of a channel's columns, of shape (block…, cols…), belongs; -1 is outside.
func (f fold) offsets(out []int64) {
	r := len(f.image)
	stride := f.image.Strides()
	at, col := make([]int, r), make([]int, r)
	for i := range out {
		off, inside := 0, true
		for a := range r {
			p := col[a]*f.strides[a] + at[a]*f.dilations[a] - f.padding[a]
			inside = inside && p >= 0 && p < f.image[a]
			off += p * stride[a]
		}
		if out[i] = -1; inside {
			out[i] = int64(off)
		}
		if !step(col, f.cols) {
			step(at, f.block)
		}
	}
}

// step advances an index in row-major order; it returns false when it wraps around.
func step(idx []int, shape tensor.Shape) bool {
	for a := len(idx) - 1; a >= 0; a-- {
		if idx[a]++; idx[a] < shape[a] {
			return true
		}
		idx[a] = 0
	}
	return false
}
