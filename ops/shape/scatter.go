package shape

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/move"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	plain, sums := []string{}, []string{"add", "mul"}
	all := []string{"add", "mul", "max", "min"}
	ops.Register(
		ops.Def{Name: "Scatter", Since: 9, New: newScatterElements(plain)},
		ops.Def{Name: "ScatterElements", Since: 11, New: newScatterElements(plain)},
		ops.Def{Name: "ScatterElements", Since: 16, New: newScatterElements(sums)},
		ops.Def{Name: "ScatterElements", Since: 18, New: newScatterElements(all)},
		ops.Def{Name: "ScatterND", Since: 11, New: newScatterND(plain)},
		ops.Def{Name: "ScatterND", Since: 16, New: newScatterND(sums)},
		ops.Def{Name: "ScatterND", Since: 18, New: newScatterND(all)},
		ops.Def{Name: "TensorScatter", Since: 24, New: newTensorScatter},
	)
}

// reductionAttr reads the attribute of the versions that have it.
func reductionAttr(a *ops.Attrs, allowed []string) string {
	if len(allowed) == 0 {
		return "none"
	}
	return a.Enum("reduction", "none", allowed...)
}

// scatterElements is https://onnx.ai/onnx/operators/onnx__ScatterElements.html, and Scatter before opset 11.
type scatterElements struct {
	axis      int
	reduction string
}

func newScatterElements(allowed []string) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		return scatterElements{a.Int("axis", 0), reductionAttr(a, allowed)}, a.Done()
	}
}

func (op scatterElements) Infer(c *ops.Infer) error {
	if dims, ok := c.Dims(0); ok {
		if _, err := ops.NormAxis(op.axis, len(dims)); err != nil {
			return err
		}
	}
	c.SetLike(0, 0)
	return nil
}

func (op scatterElements) Run(c *ops.Ctx) error {
	x, ind, upd := c.Tensor(0), c.Tensor(1), c.Tensor(2)
	if !upd.Shape().Equal(ind.Shape()) {
		return fmt.Errorf("updates of shape %v for indices of shape %v", upd.Shape(), ind.Shape())
	}
	offs, err := elementOffsets(c, x.Shape(), ind, op.axis)
	if err != nil {
		return err
	}
	return scatter(c, x, upd, offs, 1, op.reduction)
}

// scatterND is https://onnx.ai/onnx/operators/onnx__ScatterND.html.
type scatterND struct{ reduction string }

func newScatterND(allowed []string) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) { return scatterND{reductionAttr(a, allowed)}, a.Done() }
}

func (op scatterND) Infer(c *ops.Infer) error {
	c.SetLike(0, 0)
	return nil
}

func (op scatterND) Run(c *ops.Ctx) error {
	x, ind, upd := c.Tensor(0), c.Tensor(1), c.Tensor(2)
	s, is := x.Shape(), ind.Shape()
	if len(is) == 0 || is[len(is)-1] > len(s) {
		return fmt.Errorf("indices of shape %v for data of shape %v", is, s)
	}
	k := is[len(is)-1]
	want := append(is[:len(is)-1].Clone(), s[k:]...)
	if !upd.Shape().Equal(want) {
		return fmt.Errorf("updates of shape %v, not %v", upd.Shape(), want)
	}
	offs, err := tupleOffsets(c, s[:k], ind, 0)
	if err != nil {
		return err
	}
	return scatter(c, x, upd, offs, s[k:].Size(), op.reduction)
}

// scatter writes output 0: x, with run r of upd (inner cells) put or combined at run offs[r].
func scatter(c *ops.Ctx, x, upd *tensor.Tensor, offs []int64, inner int, reduction string) error {
	if x.DType() != upd.DType() {
		return fmt.Errorf("data is %v, updates are %v", x.DType(), upd.DType())
	}
	dst, err := outputCopy(c, x)
	if err != nil {
		return err
	}
	if reduction != "none" {
		if err := reduceInto(dst.t, upd, offs, inner, reduction); err != nil {
			return err
		}
		return nil
	}
	src, err := cellsOf(c, upd)
	if err != nil {
		return err
	}
	if inner == 1 {
		move.Put(dst.Mem, src, offs)
	} else {
		for r, o := range offs {
			dst.Copy(int(o)*inner, src, r*inner, inner)
		}
	}
	dst.close()
	return nil
}

type number interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// reduceInto combines the runs of upd into dst, in order.
func reduceInto(dst, upd *tensor.Tensor, offs []int64, inner int, reduction string) error {
	switch dst.DType() {
	case tensor.Float32:
		reduceRuns(dst.Float32(), upd.Float32(), offs, inner, reduction)
	case tensor.Float64:
		reduceRuns(dst.Float64(), upd.Float64(), offs, inner, reduction)
	case tensor.Int8:
		reduceRuns(tensor.Slice[int8](dst), tensor.Slice[int8](upd), offs, inner, reduction)
	case tensor.Int16:
		reduceRuns(tensor.Slice[int16](dst), tensor.Slice[int16](upd), offs, inner, reduction)
	case tensor.Int32:
		reduceRuns(dst.Int32(), upd.Int32(), offs, inner, reduction)
	case tensor.Int64:
		reduceRuns(dst.Int64(), upd.Int64(), offs, inner, reduction)
	case tensor.Uint8:
		reduceRuns(tensor.Slice[uint8](dst), tensor.Slice[uint8](upd), offs, inner, reduction)
	case tensor.Uint16:
		reduceRuns(tensor.Slice[uint16](dst), tensor.Slice[uint16](upd), offs, inner, reduction)
	case tensor.Uint32:
		reduceRuns(tensor.Slice[uint32](dst), tensor.Slice[uint32](upd), offs, inner, reduction)
	case tensor.Uint64:
		reduceRuns(tensor.Slice[uint64](dst), tensor.Slice[uint64](upd), offs, inner, reduction)
	case tensor.Bool:
		reduceBools(dst.Bool(), upd.Bool(), offs, inner, reduction)
	case tensor.Complex64:
		return reduceComplex(tensor.Slice[complex64](dst), tensor.Slice[complex64](upd), offs, inner, reduction)
	case tensor.Complex128:
		return reduceComplex(tensor.Slice[complex128](dst), tensor.Slice[complex128](upd), offs, inner, reduction)
	case tensor.Float16, tensor.BFloat16:
		return reduceHalf(dst, upd, offs, inner, reduction)
	default:
		return fmt.Errorf("%w: reduction %s of %v", ops.ErrUnsupported, reduction, dst.DType())
	}
	return nil
}

func reduceRuns[T number](dst, upd []T, offs []int64, inner int, reduction string) {
	for r, o := range offs {
		d, u := dst[int(o)*inner:][:inner], upd[r*inner:][:inner]
		switch reduction {
		case "add":
			for i, v := range u {
				d[i] += v
			}
		case "mul":
			for i, v := range u {
				d[i] *= v
			}
		case "max":
			for i, v := range u {
				d[i] = max(d[i], v)
			}
		case "min":
			for i, v := range u {
				d[i] = min(d[i], v)
			}
		}
	}
}

// reduceBools takes add and max as or, mul and min as and.
func reduceBools(dst, upd []bool, offs []int64, inner int, reduction string) {
	or := reduction == "add" || reduction == "max"
	for r, o := range offs {
		d, u := dst[int(o)*inner:][:inner], upd[r*inner:][:inner]
		for i, v := range u {
			if or {
				d[i] = d[i] || v
			} else {
				d[i] = d[i] && v
			}
		}
	}
}

func reduceComplex[T complex64 | complex128](dst, upd []T, offs []int64, inner int, reduction string) error {
	if reduction != "add" && reduction != "mul" {
		return fmt.Errorf("reduction %s of complex numbers", reduction)
	}
	for r, o := range offs {
		d, u := dst[int(o)*inner:][:inner], upd[r*inner:][:inner]
		for i, v := range u {
			if reduction == "add" {
				d[i] += v
			} else {
				d[i] *= v
			}
		}
	}
	return nil
}

// reduceHalf combines 16-bit floats in float32 and rounds once at the end.
func reduceHalf(dst, upd *tensor.Tensor, offs []int64, inner int, reduction string) error {
	d, err := dst.AsFloat32()
	if err != nil {
		return err
	}
	u, err := upd.AsFloat32()
	if err != nil {
		return err
	}
	reduceRuns(d.Float32(), u.Float32(), offs, inner, reduction)
	tensor.EncodeFloat32(dst, d.Float32())
	return nil
}

// tensorScatter is https://onnx.ai/onnx/operators/onnx__TensorScatter.html: it writes a stretch of rows into a cache.
type tensorScatter struct {
	axis     int
	circular bool
}

func newTensorScatter(a *ops.Attrs) (ops.Op, error) {
	op := tensorScatter{a.Int("axis", -2), a.Enum("mode", "linear", "circular") == "circular"}
	return op, a.Done()
}

func (op tensorScatter) Infer(c *ops.Infer) error {
	if dims, ok := c.Dims(0); ok {
		if a, err := ops.NormAxis(op.axis, len(dims)); err != nil || a == 0 {
			return fmt.Errorf("axis %d out of range for rank %d", op.axis, len(dims))
		}
	}
	c.SetLike(0, 0)
	return nil
}

func (op tensorScatter) Run(c *ops.Ctx) error {
	x, upd := c.Tensor(0), c.Tensor(1)
	s, us := x.Shape(), upd.Shape()
	axis, err := s.Axis(op.axis)
	if err != nil {
		return err
	}
	if axis == 0 {
		return fmt.Errorf("axis 0 is the batch")
	}
	if len(us) != len(s) || !us[:axis].Equal(s[:axis]) || !us[axis+1:].Equal(s[axis+1:]) || us[axis] > s[axis] {
		return fmt.Errorf("update of shape %v for a cache of shape %v along axis %d", us, s, axis)
	}
	if x.DType() != upd.DType() {
		return fmt.Errorf("cache is %v, update is %v", x.DType(), upd.DType())
	}
	starts, err := op.starts(c, s, us[axis], axis)
	if err != nil {
		return err
	}
	src, err := cellsOf(c, upd)
	if err != nil {
		return err
	}
	dst, err := outputCopy(c, x)
	if err != nil {
		return err
	}
	inner, n, m := s[axis+1:].Size(), s[axis], us[axis]
	perBatch := s[1:axis].Size()
	for r := range s[:axis].Size() {
		at := int(starts[r/perBatch])
		head := min(m, n-at)
		dst.Copy((r*n+at)*inner, src, r*m*inner, head*inner)
		dst.Copy(r*n*inner, src, (r*m+head)*inner, (m-head)*inner)
	}
	dst.close()
	return nil
}

// starts are the first rows to write, one per sample.
func (op tensorScatter) starts(c *ops.Ctx, s tensor.Shape, m, axis int) ([]int64, error) {
	out := make([]int64, s[0])
	if !c.Has(2) {
		return out, nil
	}
	w, err := int64s(c, c.Tensor(2))
	if err != nil {
		return nil, err
	}
	if len(w) != s[0] {
		return nil, fmt.Errorf("%d write indices for a batch of %d", len(w), s[0])
	}
	n := int64(s[axis])
	for i, v := range w {
		if op.circular && n > 0 {
			if v %= n; v < 0 {
				v += n
			}
		} else if v < 0 || v > n-int64(m) {
			return nil, fmt.Errorf("write index %d with %d rows out of range for axis %d of length %d", v, m, axis, n)
		}
		out[i] = v
	}
	return out, nil
}
