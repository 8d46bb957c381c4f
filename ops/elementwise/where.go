package elementwise

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Name: "Where", Since: 9, New: func(a *ops.Attrs) (ops.Op, error) { return where{}, a.Done() }})
}

// where is https://onnx.ai/onnx/operators/onnx__Where.html, for elements of any type.
type where struct{}

// Infer implements ops.Op.
func (where) Infer(c *ops.Infer) error {
	d := c.DType(1)
	c.SetDType(0, d)
	var shapes [3][]tensor.Dim
	for i := range shapes {
		var ok bool
		if shapes[i], ok = c.Dims(i); !ok {
			return nil
		}
	}
	dims, err := ops.BroadcastDims(shapes[:]...)
	if err != nil {
		return err
	}
	c.SetOut(0, d, dims...)
	if d == tensor.Int64 || d == tensor.Int32 {
		followInts(c, func(args []tensor.Dim) tensor.Dim {
			switch n, ok := args[0].Int(); {
			case ok && n != 0, args[1].Equal(args[2]):
				return args[1]
			case ok:
				return args[2]
			}
			return tensor.Dim{}
		})
	}
	return nil
}

// Run implements ops.Op.
func (where) Run(c *ops.Ctx) error {
	cond, x, y := c.Tensor(0), c.Tensor(1), c.Tensor(2)
	if cond.DType() != tensor.Bool || x.DType() != y.DType() {
		return fmt.Errorf("operands are %v, %v and %v", cond.DType(), x.DType(), y.DType())
	}
	p, err := newPlan(cond.Shape(), x.Shape(), y.Shape())
	if err != nil {
		return err
	}
	out, err := c.NewOver(0, x.DType(), p.shape, 1, 2)
	if err != nil {
		return err
	}
	b := tensor.Slice[uint8](cond)
	switch d := x.DType(); d.Bits() {
	case 8:
		return choose(c, p, b, tensor.Slice[uint8](out), tensor.Slice[uint8](x), tensor.Slice[uint8](y))
	case 16:
		return choose(c, p, b, tensor.Slice[uint16](out), tensor.Slice[uint16](x), tensor.Slice[uint16](y))
	case 32:
		return choose(c, p, b, as[uint32](out), as[uint32](x), as[uint32](y))
	case 64:
		return choose(c, p, b, as[uint64](out), as[uint64](x), as[uint64](y))
	case 128:
		return choose(c, p, b, tensor.Slice[complex128](out), tensor.Slice[complex128](x), tensor.Slice[complex128](y))
	case 0:
		return choose(c, p, b, out.Strs(), x.Strs(), y.Strs())
	default:
		return chooseFew(c, p, b, out, x, y)
	}
}

// as views the elements of a type of T's width as T.
func as[T uint32 | uint64](t *tensor.Tensor) []T {
	return tensor.Slice[T](t.Retyped(tensor.DTypeOf[T](), t.Shape()))
}

// choose sets dst to x where the condition holds, else to y.
func choose[T any](c *ops.Ctx, p *plan, cond []uint8, dst, x, y []T) error {
	c.Parallel(p.n, ops.Grain(2), func(lo, hi int) {
		if p.row() < shortRow && len(p.dims) > 1 {
			bufC, bufX, bufY := make([]uint8, piece), make([]T, piece), make([]T, piece)
			for ; lo < hi; lo += piece {
				n := min(piece, hi-lo)
				u, v := take(p, 1, x, bufX, lo, n), take(p, 2, y, bufY, lo, n)
				chooseRow(dst[lo:lo+n], take(p, 0, cond, bufC, lo, n), u, 1, v, 1)
			}
			return
		}
		p.rows(lo, hi, func(at, n int, off *[maxOperands]int) {
			d, u, v := dst[at:at+n], x[off[1]:], y[off[2]:]
			if p.inner(0) == 1 {
				chooseRow(d, cond[off[0]:off[0]+n], u, p.inner(1), v, p.inner(2))
				return
			}
			if cond[off[0]] == 0 {
				u = v
			}
			if p.inner(1) == 1 && cond[off[0]] != 0 || p.inner(2) == 1 && cond[off[0]] == 0 {
				copy(d, u)
				return
			}
			w := u[0]
			for i := range d {
				d[i] = w
			}
		})
	})
	return c.Err()
}

// chooseRow sets dst[i] to x[i·sx] or y[i·sy]; the steps are 0 or 1.
func chooseRow[T any](dst []T, cond []uint8, x []T, sx int, y []T, sy int) {
	for i, b := range cond {
		if b != 0 {
			dst[i] = x[i*sx]
		} else {
			dst[i] = y[i*sy]
		}
	}
}

// chooseFew is choose for types of less than a byte.
func chooseFew(c *ops.Ctx, p *plan, cond []uint8, out, x, y *tensor.Tensor) error {
	p.rows(0, p.n, func(at, n int, off *[maxOperands]int) {
		for i := range n {
			if cond[off[0]+i*p.inner(0)] != 0 {
				out.SetPacked(at+i, x.PackedAt(off[1]+i*p.inner(1)))
			} else {
				out.SetPacked(at+i, y.PackedAt(off[2]+i*p.inner(2)))
			}
		}
	})
	return c.Err()
}
