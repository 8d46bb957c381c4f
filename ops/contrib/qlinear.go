package contrib

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/vec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		plainOp("QLinearAdd", simple(inferBinary, qlinearBinary(vec.Add[float32]))),
		plainOp("QLinearMul", simple(inferBinary, qlinearBinary(vec.Mul[float32]))),
		plainOp("QLinearSigmoid", simple(same, qlinearUnary(func(v float32) float32 {
			return float32(1 / (1 + math.Exp(-float64(v))))
		}))),
		plainOp("QLinearLeakyRelu", func(a *ops.Attrs) (ops.Op, error) {
			alpha := a.Float("alpha", 0.01)
			return op{same, qlinearUnary(func(v float32) float32 { return pick(v >= 0, v, alpha*v) })}, a.Done()
		}),
		plainOp("QLinearSoftmax", newQLinearSoftmax),
		plainOp("QLinearConcat", newQLinearConcat),
		plainOp("QLinearWhere", simple(inferQLinearWhere, qlinearWhere)),
	)
}

// affine is how 8-bit integers stand for real numbers: (q - zero)·scale.
type affine struct {
	scale float32
	zero  int32
	dtype tensor.DType
}

// affineAt reads a scale at input i and a zero point of type d at input i+1, which may be absent.
func affineAt(c *ops.Ctx, i int, d tensor.DType) (affine, error) {
	s, err := scalar(c, i, "scale", 1)
	if err != nil {
		return affine{}, err
	}
	z, err := intScalar(c, i+1, "zero point", 0)
	if err != nil {
		return affine{}, err
	}
	if d != tensor.Int8 && d != tensor.Uint8 {
		return affine{}, fmt.Errorf("element type %v: %w", d, ops.ErrUnsupported)
	}
	if !(s > 0) {
		return affine{}, fmt.Errorf("scale is %v", s)
	}
	return affine{s, int32(z), d}, nil
}

// decode returns the values of all 256 bytes.
func (q affine) decode() *[256]float32 {
	var t [256]float32
	for i := range t {
		v := int32(i)
		if q.dtype == tensor.Int8 {
			v = int32(int8(i))
		}
		t[i] = float32(v-q.zero) * q.scale
	}
	return &t
}

// encode returns v as a byte.
func (q affine) encode(v float32) uint8 {
	lo, hi := range8(q.dtype)
	return uint8(saturate(v/q.scale, q.zero, lo, hi))
}

// encodeRow sets q to x as bytes.
func (q affine) encodeRow(dst []uint8, x []float32) {
	quantizeRow(dst, x, q.scale, q.zero, q.dtype == tensor.Int8)
}

// recode returns, for each byte of q, the byte of r that stands for f of its value.
func recode(q, r affine, f func(float32) float32) *[256]uint8 {
	var t [256]uint8
	for i, v := range q.decode() {
		t[i] = r.encode(f(v))
	}
	return &t
}

// qlinearUnary applies f by a table: inputs X, X_scale, X_zero_point?, Y_scale, Y_zero_point?.
func qlinearUnary(f func(float32) float32) func(*ops.Ctx) error {
	return func(c *ops.Ctx) error {
		x := c.Tensor(0)
		qx, err := affineAt(c, 1, x.DType())
		if err != nil {
			return err
		}
		qy, err := affineAt(c, 3, x.DType())
		if err != nil {
			return err
		}
		out, err := c.NewOver(0, x.DType(), x.Shape(), 0)
		if err != nil {
			return err
		}
		mapBytes(c, tensor.Slice[uint8](out), tensor.Slice[uint8](x), recode(qx, qy, f))
		return nil
	}
}

// mapBytes sets dst[i] = t[src[i]].
func mapBytes(c *ops.Ctx, dst, src []uint8, t *[256]uint8) {
	c.Parallel(len(src), ops.Grain(2), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			dst[i] = t[src[i]]
		}
	})
}

func inferBinary(c *ops.Infer) error {
	c.SetDType(0, c.DType(0))
	a, ok1 := c.Dims(0)
	b, ok2 := c.Dims(3)
	if !ok1 || !ok2 {
		return nil
	}
	out, err := ops.BroadcastDims(a, b)
	if err == nil {
		c.SetOut(0, c.DType(0), out...)
	}
	return err
}

// qlinearBinary: inputs A, A_scale, A_zero_point?, B, B_scale, B_zero_point?, C_scale, C_zero_point?.
func qlinearBinary(f func(y, a, b []float32)) func(*ops.Ctx) error {
	return func(c *ops.Ctx) error {
		a, b := c.Tensor(0), c.Tensor(3)
		d := a.DType()
		if b.DType() != d {
			return fmt.Errorf("operands are %v and %v", d, b.DType())
		}
		var q [3]affine
		for i, at := range []int{1, 4, 6} {
			var err error
			if q[i], err = affineAt(c, at, d); err != nil {
				return err
			}
		}
		shape, err := a.Shape().Broadcast(b.Shape())
		if err != nil {
			return err
		}
		out, err := c.New(0, d, shape)
		if err != nil {
			return err
		}
		y, ta, tb := tensor.Slice[uint8](out), q[0].decode(), q[1].decode()
		x, w := tensor.Slice[uint8](a), tensor.Slice[uint8](b)
		ia, ib := newWalk(a.Shape(), shape), newWalk(b.Shape(), shape)
		rows, n := len(y)/max(ia.n, 1), ia.n
		c.Parallel(rows, ops.Grain(4*n), func(lo, hi int) {
			buf := make([]float32, 2*n)
			for r := lo; r < hi; r++ {
				pa, pb := ia.row(r), ib.row(r)
				for i := range n {
					buf[i], buf[n+i] = ta[x[pa+i*ia.step]], tb[w[pb+i*ib.step]]
				}
				f(buf[:n], buf[:n], buf[n:])
				q[2].encodeRow(y[r*n:(r+1)*n], buf[:n])
			}
		})
		return nil
	}
}

// walk finds the elements of a broadcast operand: rows along the last axis of the result.
type walk struct {
	n, step int // extent of the last axis; 1, or 0 if the operand repeats along it
	outer   tensor.Shape
	strides []int
}

func newWalk(s, out tensor.Shape) walk {
	if len(out) == 0 {
		return walk{n: 1}
	}
	st := make([]int, len(out))
	own := s.Strides()
	for i := range s {
		if s[i] != 1 {
			st[i+len(out)-len(s)] = own[i]
		}
	}
	last := len(out) - 1
	return walk{out[last], st[last], out[:last], st[:last]}
}

// row returns the offset of the first element of row r.
func (w walk) row(r int) int {
	off := 0
	for k := len(w.outer) - 1; k >= 0; k-- {
		off += r % w.outer[k] * w.strides[k]
		r /= w.outer[k]
	}
	return off
}

// qlinearSoftmax computes softmax in float and stores it with y's scale. In opset 13 and later it runs along one axis,
// before over all axes from axis on.
type qlinearSoftmax struct {
	axis int
	flat bool
}

func newQLinearSoftmax(a *ops.Attrs) (ops.Op, error) {
	opset := a.Int("opset", 13)
	o := qlinearSoftmax{a.Int("axis", -1), opset < 13}
	return op{same, o.run}, a.Done()
}

func (o qlinearSoftmax) run(c *ops.Ctx) error {
	x := c.Tensor(0)
	qx, err := affineAt(c, 1, x.DType())
	if err != nil {
		return err
	}
	qy, err := affineAt(c, 3, x.DType())
	if err != nil {
		return err
	}
	axis, err := x.Shape().Axis(o.axis)
	if err != nil {
		return err
	}
	outer, n, inner := x.Shape()[:axis].Size(), x.Dim(axis), x.Shape()[axis+1:].Size()
	if o.flat {
		n, inner = n*inner, 1
	}
	out, err := c.New(0, x.DType(), x.Shape())
	if err != nil {
		return err
	}
	src, dst, table := tensor.Slice[uint8](x), tensor.Slice[uint8](out), qx.decode()
	c.Parallel(outer*inner, ops.Grain(20*n), func(lo, hi int) {
		row, q := make([]float32, n), make([]uint8, n)
		for r := lo; r < hi; r++ {
			at := r/inner*n*inner + r%inner
			for i := range row {
				row[i] = table[src[at+i*inner]]
			}
			softmaxRow(row)
			qy.encodeRow(q, row)
			for i, v := range q {
				dst[at+i*inner] = v
			}
		}
	})
	return nil
}

// qlinearConcat joins tensors of different scales: inputs Y_scale, Y_zero_point, then (X, X_scale, X_zero_point)…
type qlinearConcat struct{ axis int }

func newQLinearConcat(a *ops.Attrs) (ops.Op, error) {
	return qlinearConcat{a.Int("axis", 0)}, a.Done()
}

// Infer implements ops.Op.
func (o qlinearConcat) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(1))
	var out []tensor.Dim
	for i := 2; i < len(c.In); i += 3 {
		dims, ok := c.Dims(i)
		if !ok || len(dims) == 0 || out != nil && len(dims) != len(out) {
			return nil
		}
		axis, err := ops.NormAxis(o.axis, len(dims))
		if err != nil {
			return err
		}
		if out == nil {
			out = append([]tensor.Dim{}, dims...)
			continue
		}
		out[axis] = out[axis].Add(dims[axis])
	}
	c.SetOut(0, c.DType(1), out...)
	return nil
}

// Run implements ops.Op.
func (o qlinearConcat) Run(c *ops.Ctx) error {
	if len(c.In) < 5 || (len(c.In)-2)%3 != 0 {
		return fmt.Errorf("%d inputs are not two and a number of triples", len(c.In))
	}
	d := c.Tensor(1).DType()
	qy, err := affineAt(c, 0, d)
	if err != nil {
		return err
	}
	shape := c.Tensor(2).Shape().Clone()
	axis, err := shape.Axis(o.axis)
	if err != nil {
		return err
	}
	for i := 5; i < len(c.In); i += 3 {
		s := c.Tensor(i).Shape()
		if len(s) != len(shape) || !s[:axis].Equal(shape[:axis]) || !s[axis+1:].Equal(shape[axis+1:]) {
			return fmt.Errorf("shapes %v and %v do not join along axis %d", c.Tensor(2).Shape(), s, axis)
		}
		shape[axis] += s[axis]
	}
	out, err := c.New(0, d, shape)
	if err != nil {
		return err
	}
	y, outer, at := tensor.Slice[uint8](out), shape[:axis].Size(), 0
	step := shape[axis:].Size()
	for i := 2; i < len(c.In); i += 3 {
		n := c.Tensor(i).Shape()[axis:].Size()
		f, err := recoder(c, i, qy)
		if err != nil {
			return err
		}
		for r := range outer {
			f(y[r*step+at:r*step+at+n], r*n)
		}
		at += n
	}
	return nil
}

// recoder returns a function that stores elements of input i, from an offset on, with qy; the input is quantized by the
// two inputs that follow it, or float.
func recoder(c *ops.Ctx, i int, qy affine) (func(dst []uint8, at int), error) {
	x := c.Tensor(i)
	if x.DType() == tensor.Float32 {
		v := x.Float32()
		return func(dst []uint8, at int) {
			qy.encodeRow(dst, v[at:at+len(dst)])
		}, nil
	}
	q, err := affineAt(c, i+1, x.DType())
	if err != nil {
		return nil, err
	}
	v := tensor.Slice[uint8](x)
	if q == qy {
		return func(dst []uint8, at int) { copy(dst, v[at:]) }, nil
	}
	t := recode(q, qy, func(v float32) float32 { return v })
	return func(dst []uint8, at int) {
		for k := range dst {
			dst[k] = t[v[at+k]]
		}
	}, nil
}

func inferQLinearWhere(c *ops.Infer) error {
	c.SetDType(0, c.DType(1))
	a, ok1 := c.Dims(0)
	b, ok2 := c.Dims(1)
	d, ok3 := c.Dims(4)
	if !ok1 || !ok2 || !ok3 {
		return nil
	}
	out, err := ops.BroadcastDims(a, b, d)
	if err == nil {
		c.SetOut(0, c.DType(1), out...)
	}
	return err
}

// qlinearWhere: inputs condition, X, x_scale, x_zero_point, Y, y_scale, y_zero_point, z_scale, z_zero_point.
func qlinearWhere(c *ops.Ctx) error {
	cond, x, y := c.Tensor(0), c.Tensor(1), c.Tensor(4)
	d := x.DType()
	if y.DType() != d {
		return fmt.Errorf("operands are %v and %v", d, y.DType())
	}
	var q [3]affine
	for i, at := range []int{2, 5, 7} {
		var err error
		if q[i], err = affineAt(c, at, d); err != nil {
			return err
		}
	}
	shape, err := cond.Shape().Broadcast(x.Shape())
	if err == nil {
		shape, err = shape.Broadcast(y.Shape())
	}
	if err != nil {
		return err
	}
	out, err := c.New(0, d, shape)
	if err != nil {
		return err
	}
	id := func(v float32) float32 { return v }
	tx, ty := recode(q[0], q[2], id), recode(q[1], q[2], id)
	z, cs, xs, ys := tensor.Slice[uint8](out), cond.Bool(), tensor.Slice[uint8](x), tensor.Slice[uint8](y)
	ic, ix, iy := newWalk(cond.Shape(), shape), newWalk(x.Shape(), shape), newWalk(y.Shape(), shape)
	n := ic.n
	c.Parallel(len(z)/max(n, 1), ops.Grain(4*n), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			pc, px, py := ic.row(r), ix.row(r), iy.row(r)
			for i := range n {
				if cs[pc+i*ic.step] {
					z[r*n+i] = tx[xs[px+i*ix.step]]
				} else {
					z[r*n+i] = ty[ys[py+i*iy.step]]
				}
			}
		}
	})
	return nil
}
