package reduce

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

// naive reduces element by element in float64.
func naive(name string, x *tensor.Tensor, axes []int, keep bool) ([]float64, tensor.Shape) {
	in, _ := x.Floats()
	s := x.Shape()
	reduced := make([]bool, len(s))
	for _, a := range axes {
		reduced[(a+len(s))%len(s)] = true
	}
	var out tensor.Shape
	for i, n := range s {
		if !reduced[i] {
			out = append(out, n)
		} else if keep {
			out = append(out, 1)
		}
	}
	groups := make([][]float64, out.Size())
	st := s.Strides()
	for i, v := range in {
		g := 0
		for k := range s {
			if !reduced[k] {
				g = g*s[k] + i/st[k]%s[k]
			}
		}
		groups[g] = append(groups[g], v)
	}
	res := make([]float64, len(groups))
	for g, vs := range groups {
		res[g] = naiveGroup(name, vs)
	}
	return res, out
}

func naiveGroup(name string, vs []float64) float64 {
	sum, abs, sq, prod, exp := 0.0, 0.0, 0.0, 1.0, 0.0
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range vs {
		sum, abs, sq, prod, exp = sum+v, abs+math.Abs(v), sq+v*v, prod*v, exp+math.Exp(v)
		lo, hi = min(lo, v), max(hi, v)
	}
	return map[string]float64{
		"ReduceSum": sum, "ReduceMean": sum / float64(len(vs)), "ReduceMax": hi, "ReduceMin": lo, "ReduceProd": prod, "ReduceL1": abs,
		"ReduceL2": math.Sqrt(sq), "ReduceSumSquare": sq, "ReduceLogSum": math.Log(sum), "ReduceLogSumExp": math.Log(exp),
	}[name]
}

var names = []string{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"}

func TestReduce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		shape tensor.Shape
		axes  []int
	}{
		{tensor.Shape{3, 4, 5}, []int{1}}, {tensor.Shape{3, 4, 5}, []int{-1}}, {tensor.Shape{3, 4, 5}, []int{0, 2}}, {tensor.Shape{3, 4, 5}, []int{0, 1, 2}},
		{tensor.Shape{2, 3, 4, 5, 2}, []int{1, 3}}, {tensor.Shape{2, 3, 4, 5, 2}, []int{0, 2, 4}}, {tensor.Shape{2, 1, 3}, []int{1}},
		{tensor.Shape{700}, []int{0}}, {tensor.Shape{300, 3}, []int{0}}, {tensor.Shape{2, 2, 1500}, []int{0}}, {tensor.Shape{70000}, []int{0}},
		{tensor.Shape{2, 66000, 1}, []int{1}}, {tensor.Shape{0, 3}, []int{0}}, {tensor.Shape{3, 0}, []int{0}}, {tensor.Shape{0, 1200}, []int{0}},
	} {
		x := tensor.New(tensor.Float32, c.shape...)
		for i := range x.Float32() {
			x.Float32()[i] = 0.5 + rng.Float32()
		}
		axes := make([]int64, len(c.axes))
		for i, a := range c.axes {
			axes[i] = int64(a)
		}
		for _, name := range names {
			for _, keep := range []bool{true, false} {
				want, shape := naive(name, x, c.axes, keep)
				t.Run(fmt.Sprint(name, c.shape, c.axes, keep), func(t *testing.T) {
					w := tensor.New(tensor.Float64, shape...)
					copy(w.Float64(), want)
					got := opstest.Run1(t, opstest.Call{Name: name, Attrs: opstest.Attrs{"keepdims": keep}}, x, tensor.Vector(axes...))
					g := tensor.New(tensor.Float64, got.Shape()...)
					for i, v := range got.Float32() {
						g.Float64()[i] = float64(v)
						if math.IsInf(float64(v), 0) != math.IsInf(want[i], 0) && math.Abs(want[i]) > 1e30 {
							g.Float64()[i] = want[i] // a product beyond float32
						}
					}
					opstest.Equal(t, g, w, 1e-5, 1e-38)
					old := opstest.Run1(t, opstest.Call{Name: name, Opset: 11, Attrs: opstest.Attrs{"keepdims": keep, "axes": c.axes}}, x)
					opstest.Equal(t, old, got, 0, 0)
				})
			}
		}
	}
}

func TestReduceTypes(t *testing.T) {
	i32 := tensor.Of(tensor.Shape{2, 3}, []int32{1, -2, 3, 4, 5, -7})
	for _, c := range []struct {
		name  string
		x     *tensor.Tensor
		attrs opstest.Attrs
		axes  tensor.Value
		want  *tensor.Tensor
	}{
		{"ReduceSum", i32, nil, tensor.Vector[int64](1), tensor.Of(tensor.Shape{2, 1}, []int32{2, 2})},
		{"ReduceMean", tensor.Vector[int64](-1, -2, -4), nil, nil, tensor.Vector[int64](-2)},
		{"ReduceMax", tensor.Vector[uint8](3, 250), opstest.Attrs{"keepdims": 0}, nil, tensor.Scalar[uint8](250)},
		{"ReduceMin", tensor.Of(tensor.Shape{2, 2}, []bool{true, false, true, true}), nil, tensor.Vector[int64](1), tensor.Of(tensor.Shape{2, 1}, []bool{false, true})},
		{"ReduceMin", tensor.New(tensor.Bool, 0, 2), nil, tensor.Vector[int64](0), tensor.Of(tensor.Shape{1, 2}, []bool{true, true})},
		{"ReduceMax", tensor.New(tensor.Int32, 0, 2), nil, tensor.Vector[int64](0), tensor.Of(tensor.Shape{1, 2}, []int32{math.MinInt32, math.MinInt32})},
		{"ReduceMax", tensor.Vector(float32(math.NaN()), 1, 2), nil, nil, tensor.Vector(float32(math.NaN()))},
		{"ReduceLogSumExp", tensor.Vector[float64](1000, 1000), nil, nil, tensor.Vector(1000 + math.Ln2)},
		{"ReduceLogSumExp", tensor.Vector(math.Inf(-1), math.Inf(-1)), nil, nil, tensor.Vector(math.Inf(-1))},
		{"ReduceLogSumExp", tensor.Vector[int32](10, 10), nil, nil, tensor.Vector[int32](10)},
		{"ReduceL2", tensor.Vector[int32](3, -4), nil, nil, tensor.Vector[int32](5)},
		{"ReduceL1", tensor.Vector[float32](3, -4), opstest.Attrs{"noop_with_empty_axes": 1}, nil, tensor.Vector[float32](3, 4)},
		{"ReduceSum", tensor.Vector[float32](3, -4), opstest.Attrs{"noop_with_empty_axes": 1}, tensor.Vector[int64](), tensor.Vector[float32](3, -4)},
		{"ReduceSum", tensor.Vector[float32](3, -4), nil, tensor.Vector[int64](), tensor.Vector[float32](-1)},
		{"ReduceSum", tensor.Scalar[float32](3), nil, nil, tensor.Scalar[float32](3)},
	} {
		got := opstest.Run1(t, opstest.Call{Name: c.name, Attrs: c.attrs}, c.x, c.axes)
		opstest.Equal(t, got, c.want, 1e-12, 0)
	}
	if _, err := opstest.Run(t, opstest.Call{Name: "ReduceSum"}, i32, tensor.Vector[int64](2)); err == nil {
		t.Error("an axis out of range is accepted")
	}
}

func TestArg(t *testing.T) {
	nan := float32(math.NaN())
	x := tensor.Of(tensor.Shape{2, 3}, []float32{2, 9, 9, 2, 1, 3})
	for _, c := range []struct {
		name  string
		x     *tensor.Tensor
		attrs opstest.Attrs
		want  *tensor.Tensor
	}{
		{"ArgMax", x, nil, tensor.Of(tensor.Shape{1, 3}, []int64{0, 0, 0})},
		{"ArgMax", x, opstest.Attrs{"axis": 1}, tensor.Of(tensor.Shape{2, 1}, []int64{1, 2})},
		{"ArgMax", x, opstest.Attrs{"axis": -1, "select_last_index": 1, "keepdims": 0}, tensor.Vector[int64](2, 2)},
		{"ArgMin", x, opstest.Attrs{"axis": 0, "select_last_index": 1}, tensor.Of(tensor.Shape{1, 3}, []int64{1, 1, 1})},
		{"ArgMin", x, opstest.Attrs{"axis": 1, "keepdims": 0}, tensor.Vector[int64](0, 1)},
		{"ArgMin", tensor.Vector(3, nan, 1, nan), nil, tensor.Vector[int64](1)},
		{"ArgMax", tensor.Vector(3, nan, 1, nan), opstest.Attrs{"select_last_index": 1}, tensor.Vector[int64](3)},
		{"ArgMax", tensor.Vector[uint8](3, 200), nil, tensor.Vector[int64](1)},
		{"ArgMax", tensor.New(tensor.Int8, 2, 0), nil, tensor.New(tensor.Int64, 1, 0)},
	} {
		opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: c.name, Attrs: c.attrs}, c.x), c.want, 0, 0)
	}
	if _, err := opstest.Run(t, opstest.Call{Name: "ArgMax"}, tensor.New(tensor.Float32, 0, 2)); err == nil {
		t.Error("no error without elements")
	}
}

func TestCumulate(t *testing.T) {
	x := tensor.Of(tensor.Shape{2, 3}, []float64{1, 2, 3, 4, 5, 6})
	for _, c := range []struct {
		name               string
		axis               int64
		exclusive, reverse bool
		want               []float64
	}{
		{"CumSum", 0, false, false, []float64{1, 2, 3, 5, 7, 9}},
		{"CumSum", 1, false, false, []float64{1, 3, 6, 4, 9, 15}},
		{"CumSum", -1, true, false, []float64{0, 1, 3, 0, 4, 9}},
		{"CumSum", 1, false, true, []float64{6, 5, 3, 15, 11, 6}},
		{"CumSum", 1, true, true, []float64{5, 3, 0, 11, 6, 0}},
		{"CumProd", 1, false, false, []float64{1, 2, 6, 4, 20, 120}},
		{"CumProd", 0, true, true, []float64{4, 5, 6, 1, 1, 1}},
	} {
		call := opstest.Call{Name: c.name, Attrs: opstest.Attrs{"exclusive": c.exclusive, "reverse": c.reverse}}
		opstest.Equal(t, opstest.Run1(t, call, x, tensor.Scalar(c.axis)), tensor.Of(x.Shape(), c.want), 0, 0)
	}
	got := opstest.Run1(t, opstest.Call{Name: "CumSum"}, tensor.New(tensor.Int32, 0), tensor.Vector[int32](0))
	opstest.Equal(t, got, tensor.New(tensor.Int32, 0), 0, 0)
	if _, err := opstest.Run(t, opstest.Call{Name: "CumSum"}, x, tensor.Scalar[int64](2)); err == nil {
		t.Error("an axis out of range is accepted")
	}
}

func BenchmarkReduceSum(b *testing.B) {
	for _, c := range []struct {
		shape tensor.Shape
		axis  int64
	}{{tensor.Shape{1024, 1024}, 1}, {tensor.Shape{1024, 1024}, 0}, {tensor.Shape{1 << 20}, 0}} {
		b.Run(fmt.Sprint(c.shape, c.axis), func(b *testing.B) {
			x := tensor.New(tensor.Float32, c.shape...)
			b.SetBytes(int64(len(x.Bytes())))
			for b.Loop() {
				opstest.Run1(b, opstest.Call{Name: "ReduceSum"}, x, tensor.Vector(c.axis))
			}
		})
	}
}
