package exec_test

import (
	"context"
	"testing"

	"github.com/sardonyx-ml/sardonyx/graph/exec"
	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/onnx/text"
)

// TestShapesFollowInputs runs shape arithmetic on changing shapes and changes the outputs in between: what a run keeps must
// be neither stale nor shared with the caller.
func TestShapesFollowInputs(t *testing.T) {
	p, err := text.Parse(`<ir_version: 8, opset_import: ["" : 17]>
g (float[N,M] x) => (int64[2] s, int64[2] same, float[K] y) {
	s = Shape (x)
	same = Identity (s)
	two = Constant <value = int64[1] {2}> ()
	d = Mul (s, two)
	n = ReduceProd <keepdims = 1> (s)
	y = Reshape (x, n)
	unused = Reshape (x, d)
}`)
	if err != nil {
		t.Fatal(err)
	}
	s, err := exec.New(&onnx.Model{Proto: p})
	if err != nil {
		t.Fatal(err)
	}
	for round := range 6 {
		n, m := int64(2+round/2), int64(3)
		out, err := s.Run(context.Background(), map[string]tensor.Value{"x": tensor.New(tensor.Float32, int(n), int(m))})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"s", "same"} {
			got := out[name].(*tensor.Tensor).Int64()
			if got[0] != n || got[1] != m {
				t.Fatalf("round %d: %s = %v, want [%d %d]", round, name, got, n, m)
			}
			got[0] = -1
		}
		if y := out["y"].(*tensor.Tensor); y.Dim(0) != int(n*m) {
			t.Fatalf("round %d: y has shape %v", round, y.Shape())
		}
	}
}

// TestShapesFollowData does so where the shape depends on data.
func TestShapesFollowData(t *testing.T) {
	p, err := text.Parse(`<ir_version: 8, opset_import: ["" : 17]>
g (float[N] x) => (int64[1] n, int64[1] twice) {
	i = NonZero (x)
	s = Shape <start = 1> (i)
	n = Identity (s)
	two = Constant <value = int64[1] {2}> ()
	twice = Mul (s, two)
}`)
	if err != nil {
		t.Fatal(err)
	}
	s, err := exec.New(&onnx.Model{Proto: p})
	if err != nil {
		t.Fatal(err)
	}
	for _, ones := range []int64{3, 3, 1, 0, 3} {
		x := tensor.New(tensor.Float32, 5)
		for i := range ones {
			x.Float32()[i] = 1
		}
		out, err := s.Run(context.Background(), map[string]tensor.Value{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		if n, twice := out["n"].(*tensor.Tensor).Int64()[0], out["twice"].(*tensor.Tensor).Int64()[0]; n != ones || twice != 2*ones {
			t.Fatalf("%d ones: %d, %d", ones, n, twice)
		}
	}
}

// TestRecycle runs a model on recycled outputs: the results stay right, and no new memory is needed.
func TestRecycle(t *testing.T) {
	p, err := text.Parse(`<ir_version: 8, opset_import: ["" : 17]>
g (float[N] x) => (float[N] y, float[N] z) { y = Add (x, x)
	z = Identity (y) }`)
	if err != nil {
		t.Fatal(err)
	}
	s, err := exec.New(&onnx.Model{Proto: p}, exec.MemoryLimit(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	x := tensor.New(tensor.Float32, 50_000)
	for i := range 100 { // 40 MB of outputs in all
		x.Float32()[7] = float32(i)
		out, err := s.Run(context.Background(), map[string]tensor.Value{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"y", "z"} {
			if got := out[name].(*tensor.Tensor).Float32()[7]; got != float32(2*i) {
				t.Fatalf("run %d: %s is %v", i, name, got)
			}
		}
		s.Recycle(out)
	}
	if allocs := testing.AllocsPerRun(20, func() {
		out, _ := s.Run(context.Background(), map[string]tensor.Value{"x": x})
		s.Recycle(out)
	}); allocs > 40 {
		t.Errorf("%v allocations a run", allocs)
	}
}
