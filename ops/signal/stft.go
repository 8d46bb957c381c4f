package signal

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/fft"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Name: "STFT", Since: 17, New: newSTFT, Widen: true})
}

// stft is https://onnx.ai/onnx/operators/onnx__STFT.html: the signal is (B,L,1) or (B,L,2), the result (B,F,K,2) for F
// frames and K frequencies.
type stft struct{ onesided bool }

func newSTFT(a *ops.Attrs) (ops.Op, error) { return stft{a.Bool("onesided", true)}, a.Done() }

// Infer implements ops.Op.
func (op stft) Infer(c *ops.Infer) error {
	var batch, frames, bins tensor.Dim
	dims, ok := c.Dims(0)
	ok = ok && len(dims) == 3
	if ok {
		batch = dims[0]
	}
	if length, known := op.inferLength(c); known {
		bins = length
		if op.onesided {
			bins = length.Div(tensor.Int(2)).AddInt(1)
		}
		if step, known := c.ConstInts(1); known && len(step) == 1 && step[0] > 0 && ok {
			frames = dims[1].Sub(length).Div(tensor.Int(step[0])).AddInt(1)
			if n, known := frames.Int(); known {
				frames = tensor.Int(max(n, 0))
			}
		}
	}
	c.SetOut(0, c.DType(0), batch, frames, bins, tensor.Int(2))
	return nil
}

func (op stft) inferLength(c *ops.Infer) (tensor.Dim, bool) {
	if c.Has(3) {
		if v, ok := c.Ints(3); ok && len(v) == 1 {
			return v[0], true
		}
		return tensor.Dim{}, false
	}
	if w, ok := c.Dims(2); ok && len(w) == 1 {
		return w[0], true
	}
	if x, ok := c.Dims(0); ok && len(x) == 3 && !c.Has(2) {
		return x[1], true
	}
	return tensor.Dim{}, false
}

// Run implements ops.Op.
func (op stft) Run(c *ops.Ctx) error {
	x, window := c.Tensor(0), c.Tensor(2)
	s := x.Shape()
	if len(s) != 3 || s[2] != 1 && s[2] != 2 {
		return fmt.Errorf("signal of shape %v", s)
	}
	step, err := scalarInt(c, 1, 0)
	if err != nil {
		return err
	}
	length := s[1]
	if window != nil {
		length = window.Len()
	}
	if length, err = scalarInt(c, 3, length); err != nil {
		return err
	}
	if step < 1 || length < 1 || length > maxLength || window != nil && (window.Rank() != 1 || window.Len() > length) {
		return fmt.Errorf("frames of length %d at step %d with window %v", length, step, window)
	}
	frames, bins := 0, length
	if s[1] >= length {
		frames = 1 + (s[1]-length)/step
	}
	if op.onesided {
		bins = length/2 + 1
	}
	y, err := c.New(0, x.DType(), tensor.Shape{s[0], frames, bins, 2})
	if err != nil || y.Len() == 0 {
		return err
	}
	switch x.DType() {
	case tensor.Float32:
		return runSTFT(c, y.Float32(), x.Float32(), window, s, step, length, frames, bins)
	case tensor.Float64:
		return runSTFT(c, y.Float64(), x.Float64(), window, s, step, length, frames, bins)
	}
	return fmt.Errorf("%v: %w", x.DType(), ops.ErrUnsupported)
}

func runSTFT[T float32 | float64](c *ops.Ctx, y, x []T, window *tensor.Tensor, s tensor.Shape, step, length, frames, bins int) error {
	weight := make([]float64, length)
	for i := range weight {
		weight[i] = 1
	}
	if window != nil {
		w, err := window.Floats()
		if err != nil {
			return err
		}
		clear(weight)
		copy(weight, w)
	}
	plan, parts := fft.NewPlan(length), s[2]
	c.Parallel(s[0]*frames, ops.Grain(64*length), func(lo, hi int) {
		src, dst, work := make([]complex128, length), make([]complex128, length), &fft.Work{}
		for i := lo; i < hi; i++ {
			if c.Err() != nil {
				return
			}
			frame := x[(i/frames*s[1]+i%frames*step)*parts:]
			for j, w := range weight {
				re, im := float64(frame[j*parts]), 0.0
				if parts == 2 {
					im = float64(frame[2*j+1])
				}
				src[j] = complex(w*re, w*im)
			}
			plan.Transform(dst, src, work)
			for k, v := range dst[:bins] {
				y[2*(i*bins+k)], y[2*(i*bins+k)+1] = T(real(v)), T(imag(v))
			}
		}
	})
	return c.Err()
}
