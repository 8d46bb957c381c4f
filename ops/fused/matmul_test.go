package fused

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func random(r *rand.Rand, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.Float32() {
		t.Float32()[i] = r.Float32()*2 - 1
	}
	return t
}

// transposed moves the data of t, element by element.
func transposed(t *tensor.Tensor, perm []int) *tensor.Tensor {
	if perm == nil {
		return t
	}
	shape, _ := permuted(t.Shape(), perm)
	strides, _ := permuted(t.Shape().Strides(), perm)
	out := tensor.New(tensor.Float32, shape...)
	for i := range out.Float32() {
		out.Float32()[i] = t.Float32()[offset(i, shape, strides)]
	}
	return out
}

// reference is the definition of FusedMatMul in float64.
func reference(a, b, bias *tensor.Tensor, permA, permB, permY []int, alpha float64, act func(float64) float64) *tensor.Tensor {
	a, b = transposed(a, permA), transposed(b, permB)
	ra, rb := a.Rank(), b.Rank()
	m, k, n := a.Dim(ra-2), a.Dim(ra-1), b.Dim(rb-1)
	batch, _ := a.Shape()[:ra-2].Broadcast(b.Shape()[:rb-2])
	y := tensor.New(tensor.Float32, append(batch.Clone(), m, n)...)
	va, _ := newView(a, nil)
	vb, _ := newView(b, nil)
	for i := range y.Float32() {
		at := i / (m * n)
		row, col := i/n%m, i%n
		x, z := va.data[offset(at, batch, va.steps(batch)):], vb.data[offset(at, batch, vb.steps(batch)):]
		sum := 0.0
		for p := range k {
			sum += float64(x[row*k+p]) * float64(z[p*n+col])
		}
		sum *= alpha
		if bias != nil {
			sum += float64(bias.Float32()[col])
		}
		y.Float32()[i] = float32(act(sum))
	}
	return transposed(y, permY)
}

func TestMatMul(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct {
		a, b                []int
		permA, permB, permY []int
	}{
		{a: []int{3, 4}, b: []int{4, 5}},
		{a: []int{1, 4}, b: []int{4, 5}},
		{a: []int{2, 7, 40}, b: []int{40, 33}},
		{a: []int{2, 3, 7, 4}, b: []int{4, 5}},
		{a: []int{4, 7}, b: []int{4, 5}, permA: []int{1, 0}},
		{a: []int{7, 4}, b: []int{5, 4}, permB: []int{1, 0}},
		{a: []int{2, 7, 3, 4}, b: []int{2, 6, 3, 4}, permA: []int{0, 2, 1, 3}, permB: []int{0, 2, 3, 1}},
		{a: []int{2, 3, 7, 6}, b: []int{2, 6, 3, 4}, permB: []int{0, 2, 1, 3}, permY: []int{0, 2, 1, 3}},
		{a: []int{2, 7, 3, 4}, b: []int{4, 5}, permA: []int{0, 2, 1, 3}},
		{a: []int{2, 7, 3, 4}, b: []int{4, 5}, permA: []int{0, 2, 1, 3}, permY: []int{0, 2, 1, 3}},
		{a: []int{2, 1, 7, 4}, b: []int{3, 4, 5}},
		{a: []int{7, 4}, b: []int{2, 3, 4, 5}},
		{a: []int{2, 3, 4}, b: []int{1, 4, 5}, permY: []int{1, 0, 2}},
		{a: []int{0, 3, 4}, b: []int{4, 5}},
		{a: []int{2, 3, 0}, b: []int{0, 5}},
		{a: []int{2, 3, 4}, b: []int{4, 1}},
	} {
		for _, alpha := range []float32{1, 0.25} {
			for _, biased := range []bool{false, true} {
				a, b := random(r, c.a...), random(r, c.b...)
				columns := transposed(b, c.permB)
				var bias *tensor.Tensor
				in := []tensor.Value{a, b}
				if biased {
					bias = random(r, columns.Dim(columns.Rank()-1))
					in = append(in, bias)
				}
				attrs := opstest.Attrs{"alpha": alpha, "activation": "LeakyRelu", "activation_alpha": float32(0.1)}
				for name, p := range map[string][]int{"perm_a": c.permA, "perm_b": c.permB, "perm_y": c.permY} {
					if p != nil {
						attrs[name] = p
					}
				}
				want := reference(a, b, bias, c.permA, c.permB, c.permY, float64(alpha), func(v float64) float64 { return max(v, 0.1*v) })
				name := fmt.Sprintf("%v %v", c, alpha)
				out, err := opstest.Run(t, opstest.Call{Domain: ops.Internal, Name: "FusedMatMul", Attrs: attrs}, in...)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				near(t, name, out[0], want)
				near(t, name+" packed", packedRun(t, attrs, in), want)
			}
		}
	}
}

// packedRun runs the operator with a constant B.
func packedRun(t *testing.T, attrs opstest.Attrs, in []tensor.Value) tensor.Value {
	t.Helper()
	op, err := opstest.New(opstest.Call{Domain: ops.Internal, Name: "FusedMatMul", Attrs: attrs})
	if err != nil {
		t.Fatal(err)
	}
	consts := make([]*tensor.Tensor, len(in))
	consts[1] = in[1].(*tensor.Tensor)
	op, dropped := op.(ops.Prepacker).Prepack(consts)
	in = slices.Clone(in)
	for _, i := range dropped {
		in[i] = nil
	}
	c := &ops.Ctx{Context: t.Context(), In: in, Out: make([]tensor.Value, 1), Wanted: []bool{true}, Mem: ops.HeapMemory{}, Pool: parallel.NewPool(2)}
	if err := op.Run(c); err != nil {
		t.Fatal(err)
	}
	return c.Out[0]
}

func near(t *testing.T, name string, got tensor.Value, want *tensor.Tensor) {
	t.Helper()
	g := got.(*tensor.Tensor)
	if !g.Shape().Equal(want.Shape()) {
		t.Errorf("%s: shape %v, want %v", name, g.Shape(), want.Shape())
		return
	}
	for i, w := range want.Float32() {
		if d := g.Float32()[i] - w; !(d < 1e-4 && d > -1e-4) {
			t.Errorf("%s: element %d is %g, want %g", name, i, g.Float32()[i], w)
			return
		}
	}
}

func TestMatMulErrors(t *testing.T) {
	f := func(shape ...int) *tensor.Tensor { return tensor.New(tensor.Float32, shape...) }
	for _, c := range []struct {
		attrs opstest.Attrs
		in    []tensor.Value
		want  string
	}{
		{nil, []tensor.Value{f(2, 3), f(4, 5)}, "do not multiply"},
		{nil, []tensor.Value{f(3), f(3, 5)}, "rank"},
		{nil, []tensor.Value{f(2, 3), f(3, 5), f(4)}, "bias"},
		{nil, []tensor.Value{f(2, 2, 3), f(3, 3, 5)}, "broadcast"},
		{opstest.Attrs{"perm_a": []int{0, 0}}, []tensor.Value{f(2, 3), f(3, 5)}, "permutation"},
		{opstest.Attrs{"perm_a": []int{0, 2, 1}}, []tensor.Value{f(2, 3), f(3, 5)}, "permutation"},
		{opstest.Attrs{"perm_y": []int{1, 0}}, []tensor.Value{f(2, 3), f(3, 5)}, "columns"},
		{opstest.Attrs{"alpha": 0.0}, []tensor.Value{f(2, 3), f(3, 5)}, "alpha"},
		{opstest.Attrs{"activation": "Sine"}, []tensor.Value{f(2, 3), f(3, 5)}, "Sine"},
		{nil, []tensor.Value{tensor.New(tensor.Float64, 2, 3), f(3, 5)}, "unsupported"},
	} {
		_, err := opstest.Run(t, opstest.Call{Domain: ops.Internal, Name: "FusedMatMul", Attrs: c.attrs}, c.in...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one with %q", c.attrs, err, c.want)
		}
	}
}

func TestActivations(t *testing.T) {
	x := []float32{-30, -2, -0.5, 0, 0.5, 2, 30}
	for name, want := range map[string][]float32{
		"Relu": {0, 0, 0, 0, 0.5, 2, 30}, "LeakyRelu": {-7.5, -0.5, -0.125, 0, 0.5, 2, 30}, "Clip": {0.25, 0.25, 0.25, 0.25, 0.5, 0.75, 0.75},
		"HardSigmoid": {0, 0.25, 0.625, 0.75, 0.875, 1, 1}, "HardSwish": {0, -0.33333334, -0.20833333, 0, 0.29166666, 1.6666666, 30},
		"Sigmoid": {9.3576e-14, 0.11920292, 0.37754068, 0.5, 0.62245935, 0.8807971, 1}, "Tanh": {-1, -0.9640276, -0.46211717, 0, 0.46211717, 0.9640276, 1},
		"Gelu": {0, -0.04550026, -0.15426877, 0, 0.34573123, 1.9544997, 30}, "GeluTanh": {0, -0.0454023, -0.154286, 0, 0.345714, 1.9545977, 30},
		"Swish": {-0.016587, -0.7550813, -0.2343953, 0, 0.2656047, 1.2449187, 29.983413}, "Mish": {-2.8e-12, -0.25250748, -0.22074378, 0, 0.37524, 1.943959, 30},
		"Elu": {-0.25, -0.21616618, -0.09836734, 0, 0.5, 2, 30}, "Softplus": {9.3576e-14, 0.126928, 0.474077, 0.6931472, 0.974077, 2.126928, 30},
	} {
		f, err := Activation{name, 0.25, 0.75}.Func()
		if err != nil {
			t.Fatal(err)
		}
		y := slices.Clone(x)
		f(y)
		for i, w := range want {
			if d := y[i] - w; !(d < 1e-5 && d > -1e-5) {
				t.Errorf("%s(%g) = %g, want %g", name, x[i], y[i], w)
			}
		}
	}
}
