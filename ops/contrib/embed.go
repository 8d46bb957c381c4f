package contrib

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		floatOp("EmbedLayerNormalization", newEmbed(false)),
		plainOp("QEmbedLayerNormalization", newEmbed(true)),
	)
}

// embed is EmbedLayerNormalization: the sum of word, position and segment embeddings, normalized; and the number of
// ones in each row of the mask. In the quantized form each table and gamma and beta have a scale and a zero point.
type embed struct {
	eps       float64
	quantized bool
}

func newEmbed(quantized bool) func(*ops.Attrs) (ops.Op, error) {
	return func(a *ops.Attrs) (ops.Op, error) {
		o := embed{eps: float64(a.Float("epsilon", 1e-12)), quantized: quantized}
		if !quantized {
			a.Ignore("mask_index_type")
		}
		return o, a.Done()
	}
}

// Infer implements ops.Op.
func (o embed) Infer(c *ops.Infer) error {
	d := tensor.Float32
	if !o.quantized {
		d = c.DType(2)
	}
	ids, ok := c.Dims(0)
	if !ok || len(ids) != 2 {
		return nil
	}
	hidden := tensor.Dim{}
	if w, ok := c.Dims(2); ok && len(w) == 2 {
		hidden = w[1]
	}
	c.SetOut(0, d, ids[0], ids[1], hidden)
	c.SetOut(1, tensor.Int32, ids[0])
	c.SetOut(2, d, ids[0], ids[1], hidden)
	return nil
}

// table is an embedding table, or gamma or beta as a table of one row.
type table struct {
	rows, cols int
	f          []float32
	q          *tensor.Tensor
	scale      float32
	zero       int
}

// row adds row i to y.
func (t table) add(y []float32, i int) {
	if t.f != nil {
		for k, v := range t.f[i*t.cols : (i+1)*t.cols] {
			y[k] += v
		}
		return
	}
	if t.q.DType() == tensor.Int8 {
		addDequantized(y, tensor.Slice[int8](t.q)[i*t.cols:], t.scale, t.zero)
	} else {
		addDequantized(y, tensor.Slice[uint8](t.q)[i*t.cols:], t.scale, t.zero)
	}
}

func addDequantized[T int8 | uint8](y []float32, q []T, scale float32, zero int) {
	for k := range y {
		y[k] += float32(int(q[k])-zero) * scale
	}
}

// table reads input i; in the quantized form its scale and zero point are scaleAt and scaleAt+5.
func (o embed) table(c *ops.Ctx, i, scaleAt int) (t table, err error) {
	x := c.Tensor(i)
	if x == nil {
		return table{}, nil
	}
	switch x.Rank() {
	case 1:
		t.rows, t.cols = 1, x.Dim(0)
	case 2:
		t.rows, t.cols = x.Dim(0), x.Dim(1)
	default:
		return t, fmt.Errorf("embedding table has shape %v", x.Shape())
	}
	if !o.quantized {
		t.f, err = floatInput(c, i)
		return t, err
	}
	if x.DType() != tensor.Int8 && x.DType() != tensor.Uint8 {
		return t, fmt.Errorf("quantized table is %v", x.DType())
	}
	t.q = x
	if t.scale, err = scalar(c, scaleAt, "scale", 0); err != nil {
		return t, err
	}
	t.zero, err = intScalar(c, scaleAt+5, "zero point", 0)
	return t, err
}

// dense returns the only row of t.
func (t table) dense() []float32 {
	if t.f != nil {
		return t.f
	}
	y := make([]float32, t.cols)
	t.add(y, 0)
	return y
}

// Run implements ops.Op.
func (o embed) Run(c *ops.Ctx) error {
	ids, segments := c.Tensor(0), c.Tensor(1)
	if ids.Rank() != 2 {
		return fmt.Errorf("input_ids has shape %v, not rank 2", ids.Shape())
	}
	batch, seq := ids.Dim(0), ids.Dim(1)
	var tabs [5]table // word, position, segment, gamma, beta
	for k, i := range []int{2, 3, 4, 5, 6} {
		var err error
		if tabs[k], err = o.table(c, i, 8+k); err != nil {
			return err
		}
	}
	n := tabs[0].cols
	if tabs[1].cols != n || tabs[3].rows*tabs[3].cols != n || tabs[4].rows*tabs[4].cols != n || segments != nil && tabs[2].cols != n {
		return fmt.Errorf("embedding tables disagree on the hidden size %d", n)
	}
	rows, err := o.lookups(c, batch, seq, tabs)
	if err != nil {
		return err
	}
	if err := maskIndex(c, batch, seq); err != nil {
		return err
	}
	return o.sum(c, rows, tabs, tensor.Shape{batch, seq, n})
}

// lookups returns, for each position, the rows of word, position and segment table (-1: none), all checked.
func (o embed) lookups(c *ops.Ctx, batch, seq int, tabs [5]table) ([3][]int, error) {
	var rows [3][]int
	var err error
	total := batch * seq
	if rows[0], err = c.Tensor(0).Ints(); err != nil {
		return rows, err
	}
	if pos := c.Tensor(8); pos != nil && !o.quantized {
		p, err := pos.Ints()
		if err != nil {
			return rows, err
		}
		if len(p) != total && len(p) != seq {
			return rows, fmt.Errorf("position_ids has shape %v for input of shape [%d %d]", pos.Shape(), batch, seq)
		}
		rows[1] = make([]int, total)
		for i := range rows[1] {
			rows[1][i] = p[i%len(p)]
		}
	} else {
		rows[1] = make([]int, total)
		for i := range rows[1] {
			rows[1][i] = i % seq
		}
	}
	if s := c.Tensor(1); s != nil {
		if rows[2], err = s.Ints(); err != nil {
			return rows, err
		}
		if len(rows[2]) != total || tabs[2].cols == 0 {
			return rows, fmt.Errorf("segment_ids of shape %v needs a table and the shape of input_ids", s.Shape())
		}
	}
	for k, name := range []string{"word", "position", "segment"} {
		for _, r := range rows[k] {
			if r < 0 || r >= tabs[k].rows {
				return rows, fmt.Errorf("%s id %d out of range for a table of %d rows", name, r, tabs[k].rows)
			}
		}
	}
	return rows, nil
}

func (o embed) sum(c *ops.Ctx, rows [3][]int, tabs [5]table, shape tensor.Shape) error {
	out, err := c.New(0, tensor.Float32, shape)
	if err != nil {
		return err
	}
	var sum []float32
	if c.Wants(2) {
		t, err := c.New(2, tensor.Float32, shape)
		if err != nil {
			return err
		}
		sum = t.Float32()
	}
	gamma, beta := tabs[3].dense(), tabs[4].dense()
	n, y := shape[2], out.Float32()
	c.Parallel(len(rows[0]), ops.Grain(8*n), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := y[i*n : (i+1)*n]
			clear(row)
			for k, r := range rows {
				if r != nil {
					tabs[k].add(row, r[i])
				}
			}
			if sum != nil {
				copy(sum[i*n:], row)
			}
			normRow(row, row, gamma, beta, o.eps, false)
		}
	})
	return nil
}

// maskIndex writes output 1: the number of ones in each row of the mask in input 7, zeros without a mask.
func maskIndex(c *ops.Ctx, batch, seq int) error {
	if len(c.Out) < 2 {
		return nil
	}
	t, err := c.New(1, tensor.Int32, tensor.Shape{batch})
	if err != nil {
		return err
	}
	ops.Zero(t)
	mask := c.Tensor(7)
	if mask == nil {
		return nil
	}
	m, err := mask.Ints()
	if err != nil {
		return err
	}
	if len(m) != batch*seq {
		return fmt.Errorf("mask has shape %v for input of shape [%d %d]", mask.Shape(), batch, seq)
	}
	out := t.Int32()
	for i, v := range m {
		if v == 1 {
			out[i/seq]++
		}
	}
	return nil
}
