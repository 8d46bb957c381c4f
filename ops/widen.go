package ops

import (
	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// widened runs an operator that knows float32 on float16 and bfloat16 tensors.
type widened struct {
	Op
	// outFrom[i] lists the inputs whose element type output i shares.
	outFrom func(out int) []int
}

// Widened wraps op; outFrom tells, for an output, the inputs that have the same type variable in the schema.
func Widened(op Op, outFrom func(out int) []int) Op { return widened{op, outFrom} }

func isHalf(d tensor.DType) bool { return d == tensor.Float16 || d == tensor.BFloat16 }

// Run implements Op.
func (w widened) Run(c *Ctx) error {
	any := false
	for i := range c.In {
		if t := c.Tensor(i); t != nil && isHalf(t.DType()) {
			any = true
		}
	}
	if !any {
		return w.Op.Run(c)
	}
	orig := c.In
	in := make([]tensor.Value, len(orig))
	copy(in, orig)
	reusable := c.Reusable
	c.Reusable = nil
	defer func() { c.In, c.Reusable = orig, reusable }()
	for i, v := range orig {
		t, ok := v.(*tensor.Tensor)
		if !ok || !isHalf(t.DType()) {
			continue
		}
		f, err := c.Mem.Alloc(tensor.Float32, t.Shape())
		if err != nil {
			return err
		}
		c.scratch = append(c.scratch, f)
		c.Parallel(t.Len(), 1<<15, func(lo, hi int) { decodeRange(f, t, lo, hi) })
		in[i] = f
	}
	c.In = in
	if err := w.Op.Run(c); err != nil {
		return err
	}
	return w.narrow(c, orig)
}

// narrow rounds the float32 outputs that share their type with a half-precision input.
func (w widened) narrow(c *Ctx, orig []tensor.Value) error {
	for o, v := range c.Out {
		t, ok := v.(*tensor.Tensor)
		if !ok || t.DType() != tensor.Float32 {
			continue
		}
		for _, i := range w.outFrom(o) {
			if i >= len(orig) {
				continue
			}
			x, ok := orig[i].(*tensor.Tensor)
			if !ok || !isHalf(x.DType()) {
				continue
			}
			h, err := c.Mem.Alloc(x.DType(), t.Shape())
			if err != nil {
				return err
			}
			c.Parallel(t.Len(), 1<<15, func(lo, hi int) { encodeRange(h, t, lo, hi) })
			c.Out[o] = h
			c.addScratch(t)
			break
		}
	}
	return nil
}

func decodeRange(f, half *tensor.Tensor, lo, hi int) {
	if dst := f.Float32()[lo:hi]; half.DType() == tensor.Float16 {
		vec.FromF16(dst, tensor.Slice[tensor.F16](half)[lo:hi])
	} else {
		vec.FromBF16(dst, tensor.Slice[tensor.BF16](half)[lo:hi])
	}
}

func encodeRange(half, f *tensor.Tensor, lo, hi int) {
	if src := f.Float32()[lo:hi]; half.DType() == tensor.Float16 {
		vec.ToF16(tensor.Slice[tensor.F16](half)[lo:hi], src)
	} else {
		vec.ToBF16(tensor.Slice[tensor.BF16](half)[lo:hi], src)
	}
}

// addScratch gives t back after Run, unless its memory is given back already.
func (c *Ctx) addScratch(t *tensor.Tensor) {
	for _, s := range c.scratch {
		if s.Overlaps(t) {
			return
		}
	}
	c.scratch = append(c.scratch, t)
}
