package image

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Name: "NonMaxSuppression", Since: 10, New: newNMS})
}

// nms is https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html: boxes are (B,N,4) and scores (B,C,N); the output
// lists batch, class and box of what is selected, the best of each class first.
type nms struct{ centered bool }

func newNMS(a *ops.Attrs) (ops.Op, error) { return nms{a.Bool("center_point_box", false)}, a.Done() }

// Infer implements ops.Op.
func (nms) Infer(c *ops.Infer) error {
	c.SetOut(0, tensor.Int64, tensor.Dim{}, tensor.Int(3))
	return nil
}

// Run implements ops.Op.
func (op nms) Run(c *ops.Ctx) error {
	boxes, scores := c.Tensor(0), c.Tensor(1)
	bs, ss := boxes.Shape(), scores.Shape()
	if len(bs) != 3 || len(ss) != 3 || bs[2] != 4 || bs[0] != ss[0] || bs[1] != ss[2] || boxes.DType() != tensor.Float32 || scores.DType() != tensor.Float32 {
		return fmt.Errorf("boxes %v with scores %v", boxes, scores)
	}
	limit, err := scalarInt(c, 2)
	if err != nil {
		return err
	}
	iou, _, err := scalarFloat(c, 3)
	if err != nil {
		return err
	}
	if iou < 0 || iou > 1 {
		return fmt.Errorf("iou_threshold %v is not in [0, 1]", iou)
	}
	least, filter, err := scalarFloat(c, 4)
	if err != nil {
		return err
	}
	n, classes := bs[1], ss[1]
	selected := make([][]int, bs[0]*classes)
	rects := op.rects(boxes.Float32())
	c.Parallel(len(selected), ops.Grain(64*n), func(lo, hi int) {
		for k := lo; k < hi; k++ {
			if c.Err() == nil {
				selected[k] = suppress(rects[k/classes*n:][:n], scores.Float32()[k*n:][:n], max(limit, 0), iou, least, filter)
			}
		}
	})
	var flat []int64
	for k, sel := range selected {
		for _, i := range sel {
			flat = append(flat, int64(k/classes), int64(k%classes), int64(i))
		}
	}
	y, err := c.New(0, tensor.Int64, tensor.Shape{len(flat) / 3, 3})
	if err != nil {
		return err
	}
	copy(y.Int64(), flat)
	return c.Err()
}

func scalarInt(c *ops.Ctx, i int) (int, error) {
	t := c.Tensor(i)
	if t == nil || t.Len() == 0 {
		return 0, nil
	}
	v, err := t.Ints()
	if err != nil || len(v) != 1 {
		return 0, fmt.Errorf("input %d is %v, not one integer", i, t)
	}
	return v[0], nil
}

func scalarFloat(c *ops.Ctx, i int) (v float32, present bool, err error) {
	t := c.Tensor(i)
	if t == nil || t.Len() == 0 {
		return 0, false, nil
	}
	if t.DType() != tensor.Float32 || t.Len() != 1 {
		return 0, false, fmt.Errorf("input %d is %v, not one float", i, t)
	}
	return t.Float32()[0], true, nil
}

type rect struct{ x0, y0, x1, y1, area float32 }

// rects brings all boxes into one form, their corners in order.
func (op nms) rects(b []float32) []rect {
	out := make([]rect, len(b)/4)
	for i := range out {
		v := b[4*i : 4*i+4]
		var r rect
		if op.centered {
			r = rect{x0: v[0] - v[2]/2, y0: v[1] - v[3]/2, x1: v[0] + v[2]/2, y1: v[1] + v[3]/2}
		} else {
			r = rect{x0: min(v[1], v[3]), y0: min(v[0], v[2]), x1: max(v[1], v[3]), y1: max(v[0], v[2])}
		}
		r.area = (r.x1 - r.x0) * (r.y1 - r.y0)
		out[i] = r
	}
	return out
}

// overlaps reports whether intersection over union exceeds the threshold.
func (r rect) overlaps(s rect, threshold float32) bool {
	w := min(r.x1, s.x1) - max(r.x0, s.x0)
	h := min(r.y1, s.y1) - max(r.y0, s.y0)
	if !(w > 0) || !(h > 0) || r.area <= 0 || s.area <= 0 {
		return false
	}
	inter := w * h
	union := r.area + s.area - inter
	return union > 0 && inter/union > threshold
}

// suppress selects at most limit boxes by falling score, dropping those that overlap a selected one.
func suppress(rects []rect, scores []float32, limit int, iou, least float32, filter bool) []int {
	var order []int
	for i, s := range scores {
		if !filter || s > least {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	var sel []int
	for _, i := range order {
		if len(sel) >= limit {
			break
		}
		if !slices.ContainsFunc(sel, func(j int) bool { return rects[i].overlaps(rects[j], iou) }) {
			sel = append(sel, i)
		}
	}
	return sel
}
