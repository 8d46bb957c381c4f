package shape

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "Constant", Since: 1, New: newConstant},
		ops.Def{Name: "ConstantOfShape", Since: 9, New: newConstantOfShape},
		ops.Def{Name: "EyeLike", Since: 9, New: newEyeLike},
		ops.Def{Name: "Range", Since: 11, New: newRange(false)},
		ops.Def{Name: "Range", Since: 27, New: newRange(true)},
	)
}

// constant is https://onnx.ai/onnx/operators/onnx__Constant.html. The value of sparse_value comes as a dense tensor.
type constant struct{ value *tensor.Tensor }

func newConstant(a *ops.Attrs) (ops.Op, error) {
	names := []string{"value", "sparse_value", "value_float", "value_floats", "value_int", "value_ints", "value_string", "value_strings"}
	var op constant
	count := 0
	for _, n := range names {
		if a.Has(n) {
			op.value = constantValue(a, n)
			count++
		}
	}
	if count != 1 {
		a.Errorf("%d attributes with a value, not one", count)
	}
	if err := a.Done(); err != nil {
		return nil, err
	}
	if op.value == nil {
		return nil, fmt.Errorf("the value is empty")
	}
	return op, nil
}

func constantValue(a *ops.Attrs, name string) *tensor.Tensor {
	switch name {
	case "value_float":
		return tensor.Scalar(a.Float(name, 0))
	case "value_floats":
		return tensor.Vector(a.Floats(name)...)
	case "value_int":
		return tensor.Scalar(int64(a.Int(name, 0)))
	case "value_ints":
		return tensor.Vector(a.Int64s(name)...)
	case "value_string":
		return tensor.Strings(nil, []string{a.String(name, "")})
	case "value_strings":
		s := a.Strings(name)
		return tensor.Strings(tensor.Shape{len(s)}, s)
	}
	return a.Tensor(name)
}

func (op constant) Infer(c *ops.Infer) error {
	if len(c.Out) > 0 {
		c.Out[0] = ops.Info{Type: op.value.Type(), Const: op.value}
	}
	return nil
}

func (op constant) Run(c *ops.Ctx) error {
	c.SetOut(0, op.value)
	return nil
}

// constantOfShape is https://onnx.ai/onnx/operators/onnx__ConstantOfShape.html.
type constantOfShape struct{ value *tensor.Tensor }

func newConstantOfShape(a *ops.Attrs) (ops.Op, error) {
	v := a.Tensor("value")
	if v == nil {
		v = tensor.Scalar(float32(0))
	}
	if v.Len() != 1 {
		a.Errorf("attribute value has %d elements, not 1", v.Len())
	}
	return constantOfShape{v}, a.Done()
}

func (op constantOfShape) Infer(c *ops.Infer) error {
	d := op.value.DType()
	dims, ok := c.Ints(0)
	if !ok {
		c.SetDType(0, d)
		return nil
	}
	c.SetOut(0, d, dims...)
	if v, err := op.value.Ints(); err == nil && len(dims) <= 1 {
		repeatInts(c, tensor.Dims(v[0]), dims)
	}
	return nil
}

func (op constantOfShape) Run(c *ops.Ctx) error {
	shape, err := intList(c, 0, "shape")
	if err != nil {
		return err
	}
	return fillOutput(c, 0, shape, op.value)
}

// fillOutput sets output i to a tensor of equal elements.
func fillOutput(c *ops.Ctx, i int, shape tensor.Shape, value *tensor.Tensor) error {
	if _, err := shape.CheckSize(); err != nil {
		return err
	}
	v, err := cellsOf(c, value)
	if err != nil {
		return err
	}
	out, err := output(c, i, value.DType(), shape)
	if err != nil {
		return err
	}
	c.Parallel(out.t.Len(), 1<<16, func(lo, hi int) { out.Fill(lo, hi, v) })
	out.close()
	return nil
}

// oneOf returns a tensor with the element 1 of a numeric type or bool.
func oneOf(d tensor.DType) (*tensor.Tensor, error) {
	t := tensor.New(d, 1)
	switch {
	case d == tensor.Bool:
		t.Bool()[0] = true
	case d == tensor.Float64:
		t.Float64()[0] = 1
	case d.Packed() && d.IsInt():
		t.SetPacked(0, 1)
	case d.IsInt():
		t.Bytes()[0] = 1
	case !tensor.EncodeFloat32(t, []float32{1}):
		return nil, fmt.Errorf("%w: ones of element type %v", ops.ErrUnsupported, d)
	}
	return t, nil
}

// eyeLike is https://onnx.ai/onnx/operators/onnx__EyeLike.html.
type eyeLike struct {
	dtype tensor.DType // Undefined: the input's
	k     int
}

func newEyeLike(a *ops.Attrs) (ops.Op, error) {
	return eyeLike{a.DType("dtype", tensor.Undefined), a.Int("k", 0)}, a.Done()
}

func (op eyeLike) Infer(c *ops.Infer) error {
	d := op.dtype
	if d == tensor.Undefined {
		d = c.DType(0)
	}
	if dims, ok := c.Dims(0); ok && len(dims) != 2 {
		return fmt.Errorf("input has rank %d, not 2", len(dims))
	}
	c.SetShapeLike(0, 0, d)
	return nil
}

func (op eyeLike) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	d := op.dtype
	if d == tensor.Undefined {
		d = x.DType()
	}
	if x.Rank() != 2 {
		return fmt.Errorf("input has rank %d, not 2", x.Rank())
	}
	one, err := oneOf(d)
	if err != nil {
		return err
	}
	v, err := cellsOf(c, one)
	if err != nil {
		return err
	}
	out, err := output(c, 0, d, x.Shape())
	if err != nil {
		return err
	}
	clear(out.Bytes)
	rows, cols := x.Dim(0), x.Dim(1)
	for i := max(0, -max(op.k, -rows)); i < rows; i++ {
		if op.k >= cols-i {
			break
		}
		out.Copy(i*cols+i+op.k, v, 0, 1)
	}
	out.close()
	return nil
}

// rangeOp is https://onnx.ai/onnx/operators/onnx__Range.html. 16-bit floats are computed in float32, or in double when
// stash_type says so.
type rangeOp struct{ stash tensor.DType }

func newRange(hasStash bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		op := rangeOp{tensor.Float32}
		if hasStash {
			op.stash = a.DType("stash_type", tensor.Float32)
			if op.stash != tensor.Float32 && op.stash != tensor.Float64 {
				a.Errorf("attribute stash_type is %v", op.stash)
			}
		}
		return op, a.Done()
	}
}

func (op rangeOp) Infer(c *ops.Infer) error {
	d := c.DType(0)
	c.SetOut(0, d, tensor.Dim{})
	s, l, t := c.Const(0), c.Const(1), c.Const(2)
	if s != nil && l != nil && t != nil {
		n, err := rangeLen(s, l, t)
		if err != nil {
			return err
		}
		c.SetOut(0, d, tensor.Int(n))
	}
	if !d.IsInt() {
		return nil
	}
	start, ok1 := c.Ints(0)
	limit, ok2 := c.Ints(1)
	delta, ok3 := c.Ints(2)
	if !ok1 || !ok2 || !ok3 || len(start) != 1 || len(limit) != 1 || len(delta) != 1 {
		return nil
	}
	step, ok := delta[0].Int()
	if !ok || step == 0 {
		return nil
	}
	n := limit[0].Sub(start[0])
	if step < 0 {
		n = n.Mul(tensor.Int(-1))
	}
	n = atLeast0(n).CeilDiv(max(step, -step))
	c.SetOut(0, d, n)
	if count, ok := n.Int(); ok && count <= 1024 {
		elems := make([]tensor.Dim, count)
		for i := range elems {
			elems[i] = start[0].AddInt(i * step)
		}
		c.SetInts(0, elems)
	}
	return nil
}

// maxRange bounds what a Range may ask for, below what a slice can hold.
const maxRange = math.MaxInt32 * 8

// rangeLen is max(ceil((limit - start) / delta), 0).
func rangeLen(start, limit, delta *tensor.Tensor) (int, error) {
	if start.Len() != 1 || limit.Len() != 1 || delta.Len() != 1 {
		return 0, fmt.Errorf("start, limit and delta must have one element each")
	}
	if d := start.DType(); d != limit.DType() || d != delta.DType() {
		return 0, fmt.Errorf("start, limit and delta have element types %v, %v and %v", d, limit.DType(), delta.DType())
	}
	var n float64
	if start.DType().IsInt() {
		s, _ := start.Ints()
		l, _ := limit.Ints()
		t, _ := delta.Ints()
		if t[0] == 0 {
			return 0, fmt.Errorf("delta is 0")
		}
		d := l[0] - s[0]
		n = float64(l[0]) - float64(s[0])
		if n == float64(d) {
			if d == 0 || d > 0 != (t[0] > 0) {
				return 0, nil
			}
			q := d / t[0]
			if d%t[0] != 0 {
				q++
			}
			if q <= maxRange {
				return q, nil
			}
		}
		n /= float64(t[0])
	} else {
		s, err := start.Floats()
		if err != nil {
			return 0, err
		}
		l, _ := limit.Floats()
		t, _ := delta.Floats()
		n = math.Ceil((l[0] - s[0]) / t[0])
	}
	if math.IsNaN(n) || n > maxRange {
		return 0, fmt.Errorf("a range of %v elements", n)
	}
	return int(max(n, 0)), nil
}

func (op rangeOp) Run(c *ops.Ctx) error {
	start, delta := c.Tensor(0), c.Tensor(2)
	n, err := rangeLen(start, c.Tensor(1), delta)
	if err != nil {
		return err
	}
	out, err := c.New(0, start.DType(), tensor.Shape{n})
	if err != nil {
		return err
	}
	switch start.DType() {
	case tensor.Float32:
		progression[float32](out, start, delta)
	case tensor.Float64:
		progression[float64](out, start, delta)
	case tensor.Int16:
		progression[int16](out, start, delta)
	case tensor.Int32:
		progression[int32](out, start, delta)
	case tensor.Int64:
		progression[int64](out, start, delta)
	case tensor.Float16, tensor.BFloat16:
		return op.half(out, start, delta)
	default:
		return fmt.Errorf("%w: ranges of element type %v", ops.ErrUnsupported, start.DType())
	}
	return nil
}

func progression[T float32 | float64 | int16 | int32 | int64](out, start, delta *tensor.Tensor) {
	s, d := tensor.Slice[T](start)[0], tensor.Slice[T](delta)[0]
	dst := tensor.Slice[T](out)
	for i := range dst {
		dst[i] = s + T(T(i)*d)
	}
}

// half computes in the stash type and rounds once.
func (op rangeOp) half(out, start, delta *tensor.Tensor) error {
	s, _ := start.Floats()
	d, _ := delta.Floats()
	if op.stash == tensor.Float32 {
		f := make([]float32, out.Len())
		for i := range f {
			f[i] = float32(s[0]) + float32(float32(i)*float32(d[0]))
		}
		tensor.EncodeFloat32(out, f)
		return nil
	}
	for i := range out.Len() {
		v := s[0] + float64(i)*d[0]
		if out.DType() == tensor.Float16 {
			tensor.Slice[tensor.F16](out)[i] = tensor.ToF16From64(v)
		} else {
			tensor.Slice[tensor.BF16](out)[i] = tensor.ToBF16From64(v)
		}
	}
	return nil
}
