package linear_test

import (
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	. "github.com/sardonyx-ml/sardonyx/ops/opstest"

	_ "github.com/sardonyx-ml/sardonyx/ops/linear"
)

// of returns a tensor of the elements v.
func of[T tensor.Elem](shape tensor.Shape, v ...T) *tensor.Tensor { return tensor.Of(shape, v) }

// count returns a tensor of 0, 1, 2, …
func count[T float32 | float64 | int32 | int64 | uint32 | uint64](shape ...int) *tensor.Tensor {
	s := make([]T, tensor.Shape(shape).Size())
	for i := range s {
		s[i] = T(i)
	}
	return tensor.Of(shape, s)
}

func TestMatMul(t *testing.T) {
	for name, c := range map[string]struct{ a, b, want *tensor.Tensor }{
		"matrices":   {count[float32](2, 3), count[float32](3, 2), of[float32](tensor.Shape{2, 2}, 10, 13, 28, 40)},
		"int64":      {count[int64](2, 3), count[int64](3, 2), of[int64](tensor.Shape{2, 2}, 10, 13, 28, 40)},
		"uint32":     {count[uint32](1, 2), count[uint32](2, 1), of[uint32](tensor.Shape{1, 1}, 1)},
		"double":     {count[float64](2), count[float64](2), of[float64](tensor.Shape{}, 1)},
		"vector":     {count[float32](3), count[float32](2, 3, 2), of[float32](tensor.Shape{2, 2}, 10, 13, 28, 31)},
		"to vector":  {count[float32](2, 2, 3), count[float32](3), of[float32](tensor.Shape{2, 2}, 5, 14, 23, 32)},
		"broadcast":  {count[float32](2, 1, 1, 2), count[float32](3, 2, 1), of[float32](tensor.Shape{2, 3, 1, 1}, 1, 3, 5, 3, 13, 23)},
		"one left":   {count[float32](1, 1, 2), count[float32](2, 2, 1), of[float32](tensor.Shape{2, 1, 1}, 1, 3)},
		"empty k":    {count[float32](2, 0), count[float32](0, 1), of[float32](tensor.Shape{2, 1}, 0, 0)},
		"empty m":    {count[float32](0, 2), count[float32](2, 1), of[float32](tensor.Shape{0, 1})},
		"no batch":   {count[float32](0, 2, 2), count[float32](2, 1), of[float32](tensor.Shape{0, 2, 1})},
		"no batches": {count[float32](0, 2, 2), count[float32](0, 2, 1), of[float32](tensor.Shape{0, 2, 1})},
	} {
		t.Run(name, func(t *testing.T) { Equal(t, Run1(t, Call{Name: "MatMul"}, c.a, c.b), c.want, 0, 0) })
	}
	for name, in := range map[string][]tensor.Value{
		"inner":   {count[float32](2, 3), count[float32](2, 3)},
		"scalar":  {count[float32](), count[float32](2, 3)},
		"batches": {count[float32](2, 1, 1), count[float32](3, 1, 1)},
	} {
		if _, err := Run(t, Call{Name: "MatMul"}, in...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestGemm(t *testing.T) {
	a, b := of[float32](tensor.Shape{2, 2}, 1, 2, 3, 4), of[float32](tensor.Shape{2, 2}, 5, 6, 7, 8)
	m := tensor.Shape{2, 2}
	for name, c := range map[string]struct {
		opset int
		attrs Attrs
		in    []tensor.Value
		want  *tensor.Tensor
	}{
		"plain":     {13, nil, []tensor.Value{a, b}, of[float32](m, 19, 22, 43, 50)},
		"transA":    {13, Attrs{"transA": 1}, []tensor.Value{a, b}, of[float32](m, 26, 30, 38, 44)},
		"transB":    {13, Attrs{"transB": 1}, []tensor.Value{a, b}, of[float32](m, 17, 23, 39, 53)},
		"row":       {7, Attrs{"alpha": 2.0, "beta": -1.0}, []tensor.Value{a, b, of[float32](tensor.Shape{2}, 1, 2)}, of[float32](m, 37, 42, 85, 98)},
		"column":    {9, nil, []tensor.Value{a, b, of[float32](tensor.Shape{2, 1}, 1, 2)}, of[float32](m, 20, 23, 45, 52)},
		"scalar":    {11, nil, []tensor.Value{a, b, of[float32](tensor.Shape{}, 1)}, of[float32](m, 20, 23, 44, 51)},
		"full":      {1, nil, []tensor.Value{a, b, a}, of[float32](m, 20, 24, 46, 54)},
		"broadcast": {6, Attrs{"broadcast": 1}, []tensor.Value{a, b, of[float32](tensor.Shape{2}, 1, 2)}, of[float32](m, 20, 24, 44, 52)},
		"zero":      {13, Attrs{"alpha": 0.0}, []tensor.Value{a, b, a}, a},
		"integers": {13, Attrs{"alpha": 0.5, "beta": 2.0}, []tensor.Value{of[int32](tensor.Shape{1, 1}, 3), of[int32](tensor.Shape{1, 1}, 5), of[int32](tensor.Shape{1}, 1)},
			of[int32](tensor.Shape{1, 1}, 9)},
		"empty": {13, nil, []tensor.Value{count[float32](2, 0), count[float32](0, 2), of[float32](tensor.Shape{2}, 1, 2)}, of[float32](m, 1, 2, 1, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			Equal(t, Run1(t, Call{Name: "Gemm", Opset: c.opset, Attrs: c.attrs}, c.in...), c.want, 0, 0)
		})
	}
	for name, c := range map[string]struct {
		opset int
		in    []tensor.Value
	}{
		"inner":        {13, []tensor.Value{a, count[float32](3, 2)}},
		"rank":         {13, []tensor.Value{a, count[float32](2)}},
		"bias":         {13, []tensor.Value{a, b, count[float32](3)}},
		"no broadcast": {6, []tensor.Value{a, b, count[float32](2)}},
	} {
		if _, err := Run(t, Call{Name: "Gemm", Opset: c.opset}, c.in...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
