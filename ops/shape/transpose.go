package shape

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "Transpose", Since: 1, New: newTranspose},
		ops.Def{Name: "SpaceToDepth", Since: 1, New: newSpaceToDepth},
		ops.Def{Name: "DepthToSpace", Since: 1, New: newDepthToSpace(false)},
		ops.Def{Name: "DepthToSpace", Since: 11, New: newDepthToSpace(true)},
	)
}

// transpose is https://onnx.ai/onnx/operators/onnx__Transpose.html.
type transpose struct{ perm []int }

func newTranspose(a *ops.Attrs) (ops.Op, error) { return transpose{a.Ints("perm")}, a.Done() }

// order is the permutation for a rank; without the attribute it reverses the axes.
func (op transpose) order(rank int) ([]int, error) {
	if op.perm == nil {
		perm := make([]int, rank)
		for i := range perm {
			perm[i] = rank - 1 - i
		}
		return perm, nil
	}
	if len(op.perm) != rank {
		return nil, fmt.Errorf("perm %v does not fit rank %d", op.perm, rank)
	}
	return normAxes(op.perm, rank)
}

func (op transpose) Infer(c *ops.Infer) error {
	dims, ok := c.Dims(0)
	if !ok {
		if op.perm != nil {
			c.SetOut(0, c.DType(0), unknown(len(op.perm))...)
		} else {
			c.SetDType(0, c.DType(0))
		}
		return nil
	}
	perm, err := op.order(len(dims))
	if err != nil {
		return err
	}
	out := make([]tensor.Dim, len(dims))
	for i, p := range perm {
		out[i] = dims[p]
	}
	c.SetOut(0, c.DType(0), out...)
	if len(dims) <= 1 {
		passInts(c, 0, 0)
	}
	return nil
}

func (op transpose) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	perm, err := op.order(x.Rank())
	if err != nil {
		return err
	}
	return permute(c, x, x.Shape(), perm, nil)
}

// permute writes output 0: x, seen in the shape view, with its axes permuted, in the shape out (nil: the permuted
// view). Where only axes of length 1 move the output is a view of x.
func permute(c *ops.Ctx, x *tensor.Tensor, view tensor.Shape, perm []int, out tensor.Shape) error {
	shape, stride := make(tensor.Shape, len(perm)), make([]int, len(perm))
	from := view.Strides()
	last, moved := -1, false
	for i, p := range perm {
		shape[i], stride[i] = view[p], from[p]
		if view[p] != 1 {
			moved = moved || p < last
			last = p
		}
	}
	if out == nil {
		out = shape
	}
	if !moved || x.Len() == 0 {
		c.SetOut(0, x.Reshaped(out))
		return nil
	}
	return restride(c, x, out, shape, stride, 0)
}

// spaceToDepth is https://onnx.ai/onnx/operators/onnx__SpaceToDepth.html.
type spaceToDepth struct{ block int }

func newSpaceToDepth(a *ops.Attrs) (ops.Op, error) {
	return spaceToDepth{blockSize(a)}, a.Done()
}

func blockSize(a *ops.Attrs) int {
	b := a.Int("blocksize", 0)
	if b < 1 || b > 1<<15 {
		a.Errorf("attribute blocksize is %d", b)
	}
	return b
}

func (op spaceToDepth) Infer(c *ops.Infer) error {
	dims, ok := c.Dims(0)
	if !ok {
		c.SetOut(0, c.DType(0), unknown(4)...)
		return nil
	}
	if len(dims) != 4 {
		return fmt.Errorf("input has rank %d, not 4", len(dims))
	}
	b := tensor.Int(op.block)
	c.SetOut(0, c.DType(0), dims[0], dims[1].Mul(b).Mul(b), dims[2].Div(b), dims[3].Div(b))
	return nil
}

func (op spaceToDepth) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	s, b := x.Shape(), op.block
	if len(s) != 4 {
		return fmt.Errorf("input has rank %d, not 4", len(s))
	}
	if s[2]%b != 0 || s[3]%b != 0 {
		return fmt.Errorf("height and width of shape %v are no multiples of the block size %d", s, b)
	}
	h, w := s[2]/b, s[3]/b
	return permute(c, x, tensor.Shape{s[0], s[1], h, b, w, b}, []int{0, 3, 5, 1, 2, 4}, tensor.Shape{s[0], s[1] * b * b, h, w})
}

// depthToSpace is https://onnx.ai/onnx/operators/onnx__DepthToSpace.html.
type depthToSpace struct {
	block int
	crd   bool // depth is the outermost part of the channels
}

func newDepthToSpace(hasMode bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		op := depthToSpace{block: blockSize(a)}
		if hasMode {
			op.crd = a.Enum("mode", "DCR", "CRD") == "CRD"
		}
		return op, a.Done()
	}
}

func (op depthToSpace) Infer(c *ops.Infer) error {
	dims, ok := c.Dims(0)
	if !ok {
		c.SetOut(0, c.DType(0), unknown(4)...)
		return nil
	}
	if len(dims) != 4 {
		return fmt.Errorf("input has rank %d, not 4", len(dims))
	}
	b := tensor.Int(op.block)
	c.SetOut(0, c.DType(0), dims[0], dims[1].Div(tensor.Int(op.block*op.block)), dims[2].Mul(b), dims[3].Mul(b))
	return nil
}

func (op depthToSpace) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	s, b := x.Shape(), op.block
	if len(s) != 4 {
		return fmt.Errorf("input has rank %d, not 4", len(s))
	}
	if s[1]%(b*b) != 0 {
		return fmt.Errorf("the channels of shape %v are no multiple of the squared block size %d", s, b)
	}
	depth, out := s[1]/(b*b), tensor.Shape{s[0], s[1] / (b * b), s[2] * b, s[3] * b}
	if op.crd {
		return permute(c, x, tensor.Shape{s[0], depth, b, b, s[2], s[3]}, []int{0, 1, 4, 2, 5, 3}, out)
	}
	return permute(c, x, tensor.Shape{s[0], b, b, depth, s[2], s[3]}, []int{0, 3, 4, 1, 5, 2}, out)
}
