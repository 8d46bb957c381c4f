package contrib

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(floatOp("GatherBlockQuantized", newGatherBlock))
}

// gatherBlock is Gather from a table that is quantized in blocks along an axis: whole rows are picked and dequantized.
// Indices out of range give zeros. Inputs: data, indices, scales, zero_points?.
type gatherBlock struct{ bits, block, gatherAxis, quantAxis int }

func newGatherBlock(a *ops.Attrs) (ops.Op, error) {
	o := gatherBlock{a.Int("bits", 4), a.Int("block_size", 128), a.Int("gather_axis", 0), a.Int("quantize_axis", 1)}
	if o.bits != 2 && o.bits != 4 && o.bits != 8 || o.block < 0 || o.block != 0 && (o.block < 16 || o.block&(o.block-1) != 0) {
		a.Errorf("bits %d, block_size %d", o.bits, o.block)
	}
	return o, a.Done()
}

// per is how many elements of the table one element of data holds.
func (o gatherBlock) per(d tensor.DType) int {
	if d == tensor.Uint8 {
		return 8 / o.bits
	}
	return 1
}

// Infer implements ops.Op.
func (o gatherBlock) Infer(c *ops.Infer) error {
	c.SetDType(0, c.DType(2))
	data, ok1 := c.Dims(0)
	idx, ok2 := c.Dims(1)
	if !ok1 || !ok2 || len(data) == 0 {
		return nil
	}
	g, err := ops.NormAxis(o.gatherAxis, len(data))
	if err != nil {
		return err
	}
	full := append([]tensor.Dim{}, data...)
	if per := o.per(c.DType(0)); per > 1 {
		n, ok := full[len(full)-1].Int()
		full[len(full)-1] = tensor.Dim{}
		if ok {
			full[len(full)-1] = tensor.Int(n * per)
		}
	}
	c.SetOut(0, c.DType(2), append(append(append([]tensor.Dim{}, full[:g]...), idx...), full[g+1:]...)...)
	return nil
}

// Run implements ops.Op.
func (o gatherBlock) Run(c *ops.Ctx) error {
	data, idx := c.Tensor(0), c.Tensor(1)
	full := data.Shape().Clone()
	g, err := full.Axis(o.gatherAxis)
	if err != nil {
		return err
	}
	q, err := full.Axis(o.quantAxis)
	if err != nil {
		return err
	}
	if per := o.per(data.DType()); per > 1 {
		if q != len(full)-1 || g == q {
			return fmt.Errorf("packed data of shape %v needs its last axis quantized, and another one gathered", data.Shape())
		}
		full[q] *= per
	}
	t, err := o.table(c, full, q)
	if err != nil {
		return err
	}
	ids, err := idx.Ints()
	if err != nil {
		return err
	}
	shape := append(append(full[:g].Clone(), idx.Shape()...), full[g+1:]...)
	if _, err := shape.CheckSize(); err != nil {
		return err
	}
	out, err := c.New(0, tensor.Float32, shape)
	if err != nil {
		return err
	}
	y, outer, inner, extent := out.Float32(), full[:g].Size(), full[g+1:].Size(), full[g]
	c.Parallel(outer*len(ids), ops.Grain(4*inner), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			dst := y[r*inner : (r+1)*inner]
			i := ids[r%len(ids)]
			if i < 0 {
				i += extent
			}
			if i < 0 || i >= extent {
				clear(dst)
				continue
			}
			t.read(dst, (r/len(ids)*extent+i)*inner)
		}
	})
	return nil
}

// quantTable reads elements of a block-quantized tensor by their position.
type quantTable struct {
	code          func(i int) float32
	zero          func(n int) float32 // of scale n; nil: 0
	scales        []float32
	shape         tensor.Shape
	axis, block   int
	strides, from []int // of shape, and of scales (0 where it repeats)
}

func (o gatherBlock) table(c *ops.Ctx, full tensor.Shape, axis int) (*quantTable, error) {
	data, s, z := c.Tensor(0), c.Tensor(2), c.Tensor(3)
	t := &quantTable{shape: full, axis: axis, block: o.block, strides: full.Strides()}
	var err error
	if t.scales, err = floatInput(c, 2); err != nil {
		return nil, err
	}
	float := data.DType().IsFloat()
	if t.block == 0 {
		t.block = max(full[axis], 1)
	}
	blocks := (full[axis] + t.block - 1) / t.block
	if s.Rank() != len(full) || o.block == 0 && !float || z != nil && float {
		return nil, fmt.Errorf("scales %v, block_size %d and zero points %v for data %v", s, o.block, z, data)
	}
	t.from = s.Shape().Strides()
	for i, n := range s.Shape() {
		want := full[i]
		if i == axis {
			want = blocks
		}
		switch {
		case n == want:
		case n == 1 && float:
			t.from[i] = 0
		default:
			return nil, fmt.Errorf("scales have shape %v for data of shape %v", s.Shape(), full)
		}
	}
	t.code = o.codes(data)
	if t.code == nil {
		return nil, fmt.Errorf("data of %v: %w", data.DType(), ops.ErrUnsupported)
	}
	return t, o.zeroPoints(t, data, z, s.Shape())
}

// codes returns the function that reads element i of a table in t.
func (o gatherBlock) codes(t *tensor.Tensor) func(i int) float32 {
	switch d := t.DType(); {
	case d == tensor.Uint8:
		b, bits, per := tensor.Slice[uint8](t), o.bits, 8/o.bits
		mask := uint8(1<<bits - 1)
		return func(i int) float32 { return float32(b[i/per] >> (i % per * bits) & mask) }
	case d == tensor.Int4 || d == tensor.Uint4:
		return func(i int) float32 { return float32(t.PackedAt(i)) }
	case d == tensor.Float4E2M1:
		return func(i int) float32 { return tensor.Float4ToFloat32(uint8(t.PackedAt(i))) }
	}
	f, err := t.AsFloat32()
	if err != nil {
		return nil
	}
	v := f.Float32()
	return func(i int) float32 { return v[i] }
}

// zeroPoints sets t.zero. Those of packed bytes have rows of their own number of bytes.
func (o gatherBlock) zeroPoints(t *quantTable, data, z *tensor.Tensor, scales tensor.Shape) error {
	packed := data.DType() == tensor.Uint8
	if z == nil {
		if packed {
			mid := float32(int(1) << (o.bits - 1))
			t.zero = func(int) float32 { return mid }
		}
		return nil
	}
	if z.DType() != data.DType() {
		return fmt.Errorf("zero points are %v, data %v", z.DType(), data.DType())
	}
	code := o.codes(z)
	if !packed {
		if !z.Shape().Equal(scales) {
			return fmt.Errorf("zero points have shape %v, scales %v", z.Shape(), scales)
		}
		t.zero = code
		return nil
	}
	per, n := 8/o.bits, scales[len(scales)-1]
	row := (n + per - 1) / per * per
	if z.Len()*per != scales[:len(scales)-1].Size()*row {
		return fmt.Errorf("zero points have shape %v, scales %v", z.Shape(), scales)
	}
	t.zero = func(i int) float32 { return code(i/n*row + i%n) }
	return nil
}

// read dequantizes the elements from position at on.
func (t *quantTable) read(dst []float32, at int) {
	for k := range dst {
		i, n := at+k, 0
		for a, rest := 0, i; a < len(t.shape); a++ {
			p := rest / t.strides[a]
			rest %= t.strides[a]
			if a == t.axis {
				p /= t.block
			}
			n += p * t.from[a]
		}
		v := t.code(i)
		if t.zero != nil {
			v -= t.zero(n)
		}
		dst[k] = v * t.scales[n]
	}
}
