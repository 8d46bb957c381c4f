package control

import (
	"context"
	"errors"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

type values = []tensor.Value

func graph(in, out int) *ops.GraphAttr {
	return &ops.GraphAttr{Inputs: make([]string, in), Outputs: make([]string, out)}
}

// sums is a loop body: the carried sum grows by x, and each partial sum is collected.
func sums(x int64, stop int64) func(string, values) (values, error) {
	return func(_ string, in values) (values, error) {
		s := in[2].(*tensor.Tensor).Int64()[0] + x
		return values{tensor.Scalar(s < stop), tensor.Vector(s), tensor.Vector(s, -s)}, nil
	}
}

func sumsInfer(_ string, in []ops.Info) ([]ops.Info, error) {
	return []ops.Info{{Type: tensor.TensorType(tensor.Bool)}, in[2], {Type: tensor.TensorType(tensor.Int64, tensor.Int(2))}}, nil
}

func TestLoop(t *testing.T) {
	m := func(n int64) tensor.Value { return tensor.Scalar(n) }
	for _, c := range []struct {
		name      string
		m, cond   tensor.Value
		stop      int64
		last      int64
		collected []int64
	}{
		{"trip count", m(3), nil, 100, 6, []int64{2, -2, 4, -4, 6, -6}},
		{"condition", nil, nil, 3, 4, []int64{2, -2, 4, -4}},
		{"both", m(5), tensor.Vector(true), 3, 4, []int64{2, -2, 4, -4}},
		{"never", m(5), tensor.Scalar(false), 3, 0, []int64{}},
		{"no iterations", m(0), nil, 3, 0, []int64{}},
		{"negative", m(-7), nil, 3, 0, []int64{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			call := opstest.Call{Name: "Loop", Outputs: 2, Attrs: opstest.Attrs{"body": graph(3, 3)}, Graph: sums(2, c.stop), InferGraph: sumsInfer}
			out, err := opstest.Run(t, call, c.m, c.cond, tensor.Vector[int64](0))
			if err != nil {
				t.Fatal(err)
			}
			opstest.Equal(t, out[0].(*tensor.Tensor), tensor.Vector(c.last), 0, 0)
			opstest.Equal(t, out[1].(*tensor.Tensor), tensor.Of(tensor.Shape{len(c.collected) / 2, 2}, c.collected), 0, 0)
		})
	}
}

func TestLoopStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	body := func(_ string, in values) (values, error) {
		if n++; n == 1000 {
			cancel()
		}
		return values{tensor.Scalar(true), in[2]}, nil
	}
	call := opstest.Call{Name: "Loop", Attrs: opstest.Attrs{"body": graph(3, 2)}, Graph: body, Context: ctx}
	if _, err := opstest.Run(t, call, nil, nil, tensor.Scalar[int64](1)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestLoopErrors(t *testing.T) {
	grow := func(_ string, in values) (values, error) {
		n := in[0].(*tensor.Tensor).Int64()[0]
		return values{tensor.Scalar(true), tensor.New(tensor.Float32, int(n))}, nil
	}
	call := opstest.Call{Name: "Loop", Attrs: opstest.Attrs{"body": graph(2, 2)}, Graph: grow}
	if _, err := opstest.Run(t, call, tensor.Scalar[int64](2)); err == nil {
		t.Error("a scan output that changes its shape is accepted")
	}
	if _, err := opstest.Run(t, call, tensor.Vector[int64](1, 2)); err == nil {
		t.Error("two trip counts are accepted")
	}
	if _, err := opstest.New(opstest.Call{Name: "Loop", Attrs: opstest.Attrs{"body": graph(5, 2)}}); err == nil {
		t.Error("a body without its carried outputs is accepted")
	}
}

func TestLoopInfersGrowth(t *testing.T) {
	op, err := opstest.New(opstest.Call{Name: "Loop", Attrs: opstest.Attrs{"body": graph(3, 3)}, Outputs: 2})
	if err != nil {
		t.Fatal(err)
	}
	c := &ops.Infer{In: make([]ops.Info, 3), Out: make([]ops.Info, 2), Absent: []bool{true, true, false}}
	c.In[2].Type = tensor.TensorType(tensor.Float32, tensor.Int(0), tensor.Sym("n"))
	c.Graph = func(_ string, in []ops.Info) ([]ops.Info, error) {
		grown := in[2].Type.WithDims(in[2].Type.Dims[0].AddInt(1), in[2].Type.Dims[1])
		return []ops.Info{{Type: tensor.TensorType(tensor.Bool)}, {Type: grown}, {Type: in[2].Type}}, nil
	}
	if err := op.Infer(c); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"float[?,n]", "float[?,?,n]"} {
		if got := c.Out[i].Type.String(); got != want {
			t.Errorf("output %d is %s, want %s", i, got, want)
		}
	}
}

func TestStack(t *testing.T) {
	for _, d := range []tensor.DType{tensor.Int4, tensor.Uint2, tensor.String, tensor.Float32} {
		s := stack{mem: ops.HeapMemory{}, limit: -1}
		for i := range 9 {
			row := tensor.New(d, 3)
			if d == tensor.Int4 {
				row.SetPacked(1, int8(i-4))
			}
			if err := s.add(row); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.take(tensor.Type{})
		if err != nil || !got.Shape().Equal(tensor.Shape{9, 3}) {
			t.Fatal(got, err)
		}
		if d == tensor.Int4 && got.PackedAt(3*8+1) != 4 {
			t.Errorf("packed element is %d", got.PackedAt(25))
		}
	}
}

// double returns the state plus the slice, and the slice doubled.
func double(_ string, in values) (values, error) {
	s, x := in[0].(*tensor.Tensor).Float32(), in[1].(*tensor.Tensor).Float32()
	sum, twice := make([]float32, len(x)), make([]float32, len(x))
	for i := range x {
		sum[i], twice[i] = s[i]+x[i], 2*x[i]
	}
	shape := in[1].(*tensor.Tensor).Shape()
	return values{tensor.Of(shape, sum), tensor.Of(shape, twice)}, nil
}

func doubleInfer(_ string, in []ops.Info) ([]ops.Info, error) { return in, nil }

func TestScan(t *testing.T) {
	x := tensor.Of(tensor.Shape{2, 3}, []float32{1, 2, 3, 4, 5, 6})
	zero := func(n int) *tensor.Tensor { return tensor.New(tensor.Float32, n) }
	for _, c := range []struct {
		name  string
		attrs opstest.Attrs
		init  *tensor.Tensor
		state []float32
		out   *tensor.Tensor
	}{
		{"plain", opstest.Attrs{}, zero(3), []float32{5, 7, 9}, tensor.Of(tensor.Shape{2, 3}, []float32{2, 4, 6, 8, 10, 12})},
		{"input axis", opstest.Attrs{"scan_input_axes": []int{-1}}, zero(2), []float32{6, 15}, tensor.Of(tensor.Shape{3, 2}, []float32{2, 8, 4, 10, 6, 12})},
		{"both axes", opstest.Attrs{"scan_input_axes": []int{1}, "scan_output_axes": []int{-1}}, zero(2), []float32{6, 15}, tensor.Of(tensor.Shape{2, 3}, []float32{2, 4, 6, 8, 10, 12})},
		{"reverse input", opstest.Attrs{"scan_input_directions": []int{1}}, zero(3), []float32{5, 7, 9}, tensor.Of(tensor.Shape{2, 3}, []float32{8, 10, 12, 2, 4, 6})},
		{"reverse output", opstest.Attrs{"scan_output_directions": []int{1}}, zero(3), []float32{5, 7, 9}, tensor.Of(tensor.Shape{2, 3}, []float32{8, 10, 12, 2, 4, 6})},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.attrs["body"], c.attrs["num_scan_inputs"] = graph(2, 2), 1
			out, err := opstest.Run(t, opstest.Call{Name: "Scan", Attrs: c.attrs, Outputs: 2, Graph: double, InferGraph: doubleInfer}, c.init, x)
			if err != nil {
				t.Fatal(err)
			}
			opstest.Equal(t, out[0].(*tensor.Tensor), tensor.Vector(c.state...), 0, 0)
			opstest.Equal(t, out[1].(*tensor.Tensor), c.out, 0, 0)
		})
	}
}

func TestScan8(t *testing.T) {
	x := tensor.Of(tensor.Shape{2, 3, 1}, []float32{1, 2, 3, 4, 5, 6})
	call := opstest.Call{Name: "Scan", Opset: 8, Attrs: opstest.Attrs{"body": graph(2, 2), "num_scan_inputs": 1}, Outputs: 2, Graph: double, InferGraph: doubleInfer}
	out, err := opstest.Run(t, call, tensor.Vector[int64](3, 2), tensor.New(tensor.Float32, 2, 1), x)
	if err != nil {
		t.Fatal(err)
	}
	opstest.Equal(t, out[0].(*tensor.Tensor), tensor.Of(tensor.Shape{2, 1}, []float32{6, 9}), 0, 0)
	opstest.Equal(t, out[1].(*tensor.Tensor), tensor.Of(tensor.Shape{2, 3, 1}, []float32{2, 4, 6, 8, 10, 0}), 0, 0)
	if _, err := opstest.Run(t, call, tensor.Vector[int64](3, 4), tensor.New(tensor.Float32, 2, 1), x); err == nil {
		t.Error("a sequence length beyond the tensor is accepted")
	}
}

func TestIf(t *testing.T) {
	run := func(name string, _ values) (values, error) {
		return values{tensor.Vector[int64](int64(len(name)))}, nil
	}
	infer := func(name string, _ []ops.Info) ([]ops.Info, error) {
		return []ops.Info{{Type: tensor.TensorType(tensor.Int64, tensor.Int(1))}}, nil
	}
	call := opstest.Call{Name: "If", Attrs: opstest.Attrs{"then_branch": graph(0, 1), "else_branch": graph(0, 1)}, Graph: run, InferGraph: infer}
	for i, cond := range []bool{false, true} {
		got := opstest.Run1(t, call, tensor.Vector(cond))
		opstest.Equal(t, got, tensor.Vector(int64(len(branches[i]))), 0, 0)
	}
	if _, err := opstest.Run(t, call, tensor.Vector(true, false)); err == nil {
		t.Error("two conditions are accepted")
	}
}

func TestSequenceMap(t *testing.T) {
	seq := &tensor.Sequence{Elem: tensor.UnrankedType(tensor.Float32), Items: values{tensor.Vector[float32](1, 2), tensor.Vector[float32](3)}}
	body := func(_ string, in values) (values, error) { return values{in[1], in[0]}, nil }
	infer := func(_ string, in []ops.Info) ([]ops.Info, error) { return []ops.Info{in[1], in[0]}, nil }
	call := opstest.Call{Name: "SequenceMap", Outputs: 2, Attrs: opstest.Attrs{"body": graph(2, 2)}, Graph: body, InferGraph: infer}
	out, err := opstest.Run(t, call, seq, tensor.Scalar[int64](7))
	if err != nil {
		t.Fatal(err)
	}
	if s := out[1].(*tensor.Sequence); len(s.Items) != 2 || s.Items[1] != seq.Items[1] {
		t.Errorf("got %v", s)
	}
	out, err = opstest.Run(t, call, &tensor.Sequence{Elem: seq.Elem}, tensor.Scalar[int64](7))
	if err != nil || out[0].Type().String() != "seq(int64[])" {
		t.Errorf("empty: %v, %v", out, err)
	}
}
