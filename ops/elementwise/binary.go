package elementwise

import (
	"sync"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// loop is the kernel of a binary operation: dst[i] = a[i] ∘ b[i]. The variants with a scalar are
// optional; without one, the scalar is repeated into a slice.
type loop[A, B, R any] struct {
	vv func(dst []R, a []A, b []B)
	vs func(dst []R, a []A, b B)
	sv func(dst []R, a A, b []B)
}

// over computes the output range [lo, hi).
func (l loop[A, B, R]) over(p *plan, dst []R, a []A, b []B, lo, hi int) {
	if p.row() < shortRow && len(p.dims) > 1 {
		bufA, bufB := make([]A, piece), make([]B, piece)
		for ; lo < hi; lo += piece {
			n := min(piece, hi-lo)
			l.vv(dst[lo:lo+n], take(p, 0, a, bufA, lo, n), take(p, 1, b, bufB, lo, n))
		}
		return
	}
	var bufA []A
	var bufB []B
	p.rows(lo, hi, func(at, n int, off *[maxOperands]int) {
		d := dst[at : at+n]
		i, j := off[0], off[1]
		switch {
		case p.inner(0) == 1 && p.inner(1) == 1:
			l.vv(d, a[i:i+n], b[j:j+n])
		case p.inner(0) == 0 && p.inner(1) == 0: // both broadcast to a shape that others make
			bufA, bufB = repeat(bufA, a[i], n), repeat(bufB, b[j], n)
			inPieces(n, func(lo, hi int) { l.vv(d[lo:hi], bufA[:hi-lo], bufB[:hi-lo]) })
		case p.inner(1) == 0 && l.vs != nil:
			l.vs(d, a[i:i+n], b[j])
		case p.inner(0) == 0 && l.sv != nil:
			l.sv(d, a[i], b[j:j+n])
		case p.inner(1) == 0:
			bufB = repeat(bufB, b[j], n)
			inPieces(n, func(lo, hi int) { l.vv(d[lo:hi], a[i+lo:i+hi], bufB[:hi-lo]) })
		default:
			bufA = repeat(bufA, a[i], n)
			inPieces(n, func(lo, hi int) { l.vv(d[lo:hi], bufA[:hi-lo], b[j+lo:j+hi]) })
		}
	})
}

// repeat fills buf, or a new slice if it is nil, with min(n, piece) copies of v.
func repeat[T any](buf []T, v T, n int) []T {
	if buf == nil {
		buf = make([]T, piece)
	}
	for i := range min(n, piece) {
		buf[i] = v
	}
	return buf
}

func inPieces(n int, f func(lo, hi int)) {
	for lo := 0; lo < n; lo += piece {
		f(lo, min(lo+piece, n))
	}
}

// run2 computes out from a and b, tensors of element type T.
func run2[T, R tensor.Elem](c *ops.Ctx, p *plan, cost int, l loop[T, T, R], out, a, b *tensor.Tensor) error {
	dst, x, y := tensor.Slice[R](out), tensor.Slice[T](a), tensor.Slice[T](b)
	c.Parallel(p.n, ops.Grain(cost), func(lo, hi int) { l.over(p, dst, x, y, lo, hi) })
	return c.Err()
}

// floatBufs are pieces of float32 that half-precision operands are converted into.
var floatBufs = sync.Pool{New: func() any { return new([3][piece]float32) }}

// half is an operand of a half-precision operation: it yields float32 pieces.
type half struct {
	t    *tensor.Tensor // read piece by piece
	wide []float32      // or converted beforehand, where the operand is broadcast
}

func newHalf(c *ops.Ctx, p *plan, k int, t *tensor.Tensor) (half, error) {
	if p.full(k) {
		return half{t: t}, nil
	}
	wide, err := ops.Scratch[float32](c, t.Len())
	if err != nil {
		return half{}, err
	}
	widen(wide, t, 0)
	return half{wide: wide}, nil
}

func (h half) take(p *plan, k int, buf []float32, lo, n int) []float32 {
	if h.t == nil {
		return take(p, k, h.wide, buf, lo, n)
	}
	widen(buf[:n], h.t, lo)
	return buf[:n]
}

// runHalf2 is run2 for float16 and bfloat16 operands and outputs of the same type.
func runHalf2(c *ops.Ctx, p *plan, cost int, l loop[float32, float32, float32], out, a, b *tensor.Tensor) error {
	return halfPieces(c, p, cost, a, b, func(buf, x, y []float32, lo int) {
		l.vv(buf, x, y)
		narrow(out, buf, lo)
	})
}

// runHalfTest is run2 for float16 and bfloat16 operands and a bool output.
func runHalfTest(c *ops.Ctx, p *plan, l loop[float32, float32, bool], out, a, b *tensor.Tensor) error {
	dst := out.Bool()
	return halfPieces(c, p, 2, a, b, func(_, x, y []float32, lo int) { l.vv(dst[lo:lo+len(x)], x, y) })
}

// halfPieces calls f with pieces of both operands and a buffer for the result, for the outputs from lo on.
func halfPieces(c *ops.Ctx, p *plan, cost int, a, b *tensor.Tensor, f func(buf, x, y []float32, lo int)) error {
	ha, err := newHalf(c, p, 0, a)
	if err != nil {
		return err
	}
	hb, err := newHalf(c, p, 1, b)
	if err != nil {
		return err
	}
	c.Parallel(p.n, ops.Grain(cost+2), func(lo, hi int) {
		bufs := floatBufs.Get().(*[3][piece]float32)
		defer floatBufs.Put(bufs)
		for ; lo < hi; lo += piece {
			n := min(piece, hi-lo)
			f(bufs[2][:n], ha.take(p, 0, bufs[0][:], lo, n), hb.take(p, 1, bufs[1][:], lo, n), lo)
		}
	})
	return c.Err()
}

// widen converts elements of a float16 or bfloat16 tensor, from lo on, into dst.
func widen(dst []float32, t *tensor.Tensor, lo int) {
	if t.DType() == tensor.Float16 {
		vec.FromF16(dst, tensor.Slice[tensor.F16](t)[lo:lo+len(dst)])
	} else {
		vec.FromBF16(dst, tensor.Slice[tensor.BF16](t)[lo:lo+len(dst)])
	}
}

// narrow rounds src into the elements of a float16 or bfloat16 tensor from lo on.
func narrow(t *tensor.Tensor, src []float32, lo int) {
	if t.DType() == tensor.Float16 {
		vec.ToF16(tensor.Slice[tensor.F16](t)[lo:lo+len(src)], src)
	} else {
		vec.ToBF16(tensor.Slice[tensor.BF16](t)[lo:lo+len(src)], src)
	}
}

func isHalf(d tensor.DType) bool { return d == tensor.Float16 || d == tensor.BFloat16 }
