package elementwise

import (
	"context"
	"fmt"
	"math/rand"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

// run executes an operator on copies of its inputs, all of which it may overwrite if reusable is set.
func run(t *testing.T, call opstest.Call, reusable bool, in []*tensor.Tensor) *tensor.Tensor {
	t.Helper()
	op, err := opstest.New(call)
	if err != nil {
		t.Fatal(err)
	}
	c := &ops.Ctx{Context: context.Background(), Out: make([]tensor.Value, 1), Wanted: []bool{true}, Mem: ops.HeapMemory{}, Pool: parallel.NewPool(2)}
	copies := map[*tensor.Tensor]*tensor.Tensor{}
	for _, x := range in {
		if copies[x] == nil {
			copies[x] = x.Clone()
		}
		c.In = append(c.In, copies[x])
		c.Reusable = append(c.Reusable, reusable)
	}
	if err := op.Run(c); err != nil {
		t.Fatal(call.Name, err)
	}
	return c.Out[0].(*tensor.Tensor)
}

func TestInPlace(t *testing.T) {
	rng := rand.New(rand.NewSource(2))
	big, row, col := tensor.Shape{1200, 40}, tensor.Shape{40}, tensor.Shape{1200, 1}
	thin, narrow := tensor.Shape{9000, 3}, tensor.Shape{3}
	a, b, r, k := random(rng, big), random(rng, big), random(rng, row), random(rng, col)
	u, v := random(rng, thin), random(rng, narrow)
	cond := castOf(t, random(rng, big), tensor.Bool, nil)
	half := func(x *tensor.Tensor) *tensor.Tensor { return as16(x, tensor.Float16) }
	ints := func(x *tensor.Tensor, d tensor.DType) *tensor.Tensor { return castOf(t, x, d, nil) }
	to := func(d tensor.DType) opstest.Attrs { return opstest.Attrs{"to": d} }
	for i, c := range []struct {
		call opstest.Call
		in   []*tensor.Tensor
	}{
		{opstest.Call{Name: "Sub"}, []*tensor.Tensor{a, b}}, {opstest.Call{Name: "Sub"}, []*tensor.Tensor{a, a}},
		{opstest.Call{Name: "Sub"}, []*tensor.Tensor{a, r}}, {opstest.Call{Name: "Sub"}, []*tensor.Tensor{r, a}},
		{opstest.Call{Name: "Sub"}, []*tensor.Tensor{k, a}}, {opstest.Call{Name: "Sub"}, []*tensor.Tensor{v, u}},
		{opstest.Call{Name: "Sub"}, []*tensor.Tensor{half(u), half(v)}}, {opstest.Call{Name: "Sub"}, []*tensor.Tensor{half(k), half(a)}},
		{opstest.Call{Name: "Max"}, []*tensor.Tensor{r, a, b}}, {opstest.Call{Name: "Max"}, []*tensor.Tensor{a, b, a}},
		{opstest.Call{Name: "Mean"}, []*tensor.Tensor{half(a), half(b), half(r)}}, {opstest.Call{Name: "Sum"}, []*tensor.Tensor{b, a, a, b}},
		{opstest.Call{Name: "Less"}, []*tensor.Tensor{ints(a, tensor.Int8), ints(b, tensor.Int8)}},
		{opstest.Call{Name: "Xor"}, []*tensor.Tensor{cond, cond}}, {opstest.Call{Name: "Pow"}, []*tensor.Tensor{ints(a, tensor.Int32), ints(b, tensor.Int32)}},
		{opstest.Call{Name: "Where"}, []*tensor.Tensor{cond, a, b}}, {opstest.Call{Name: "Where"}, []*tensor.Tensor{cond, r, b}},
		{opstest.Call{Name: "Where"}, []*tensor.Tensor{cond, a, k}}, {opstest.Call{Name: "Gelu"}, []*tensor.Tensor{half(a)}},
		{opstest.Call{Name: "Clip"}, []*tensor.Tensor{a, tensor.Scalar[float32](-1), tensor.Scalar[float32](3)}},
		{opstest.Call{Name: "SwiGLU"}, []*tensor.Tensor{a, b}}, {opstest.Call{Name: "PRelu"}, []*tensor.Tensor{u, v}},
		{opstest.Call{Name: "Cast", Attrs: to(tensor.Int32)}, []*tensor.Tensor{a}},
		{opstest.Call{Name: "Cast", Attrs: to(tensor.BFloat16)}, []*tensor.Tensor{half(a)}},
		{opstest.Call{Name: "Cast", Attrs: to(tensor.Float8E4M3FN)}, []*tensor.Tensor{ints(a, tensor.Int8)}},
		{opstest.Call{Name: "Cast", Attrs: to(tensor.Int4)}, []*tensor.Tensor{ints(a, tensor.Float4E2M1)}},
		{opstest.Call{Name: "IsNaN"}, []*tensor.Tensor{ints(a, tensor.Float8E5M2)}},
	} {
		t.Run(fmt.Sprint(i, c.call.Name), func(t *testing.T) {
			opstest.Equal(t, run(t, c.call, true, c.in), run(t, c.call, false, c.in), 0, 0)
		})
	}
}
