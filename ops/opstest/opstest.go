// Package opstest runs single operators in tests, without a graph.
package opstest

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// Attrs are attribute values as ops.NewAttrs takes them; plain int, []int and float64 are converted.
type Attrs map[string]any

// Call names an operator and how it is called.
type Call struct {
	Domain, Name string
	Opset        int // 0: the newest row
	Attrs        Attrs
	Outputs      int // 0 means 1
	Graph        func(name string, in []tensor.Value) ([]tensor.Value, error)
	// InferGraph infers subgraphs. Without it, an operator that has a Graph is not inferred.
	InferGraph func(name string, in []ops.Info) ([]ops.Info, error)
	Context    context.Context // nil: never cancelled
}

// New looks the operator up and builds it.
func New(call Call) (ops.Op, error) {
	opset := call.Opset
	if opset == 0 {
		opset = 1 << 20
	}
	def, ok := ops.Lookup(call.Domain, call.Name, opset)
	if !ok {
		return nil, fmt.Errorf("no operator %s %s in opset %d", call.Domain, call.Name, opset)
	}
	vals := map[string]any{}
	for k, v := range call.Attrs {
		vals[k] = attr(v)
	}
	return def.New(ops.NewAttrs(opset, max(call.Outputs, 1), vals))
}

func attr(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case float64:
		return float32(v)
	case []int:
		out := make([]int64, len(v))
		for i, x := range v {
			out[i] = int64(x)
		}
		return out
	case []float64:
		out := make([]float32, len(v))
		for i, x := range v {
			out[i] = float32(x)
		}
		return out
	case tensor.DType:
		return int64(v)
	}
	return v
}

// Run infers and runs the operator and returns its outputs. It fails the test when inference contradicts the result.
// Memory is filled with garbage first, so that an operator that leaves elements unwritten is found out.
func Run(tb testing.TB, call Call, in ...tensor.Value) ([]tensor.Value, error) {
	tb.Helper()
	return runOn(tb, call, parallel.NewPool(2), in)
}

func runOn(tb testing.TB, call Call, pool *parallel.Pool, in []tensor.Value) ([]tensor.Value, error) {
	tb.Helper()
	op, err := New(call)
	if err != nil {
		return nil, err
	}
	n := max(call.Outputs, 1)
	ic := &ops.Infer{In: make([]ops.Info, len(in)), Out: make([]ops.Info, n), Absent: make([]bool, len(in)), Graph: call.InferGraph}
	for i, v := range in {
		if v == nil {
			ic.Absent[i] = true
			continue
		}
		ic.In[i] = ops.Info{Type: v.Type(), Const: v}
	}
	if call.Graph == nil || call.InferGraph != nil {
		if err := op.Infer(ic); err != nil {
			return nil, err
		}
	}
	c := &ops.Ctx{Context: context.Background(), In: in, Out: make([]tensor.Value, n), Wanted: make([]bool, n), Mem: dirty{}, Pool: pool, RunGraph: call.Graph}
	if call.Context != nil {
		c.Context = call.Context
	}
	c.OutTypes = make([]tensor.Type, n)
	for i := range c.Wanted {
		c.Wanted[i], c.OutTypes[i] = true, ic.Out[i].Type
	}
	defer c.ReleaseScratch()
	if err := op.Run(c); err != nil {
		return nil, err
	}
	for i, v := range c.Out {
		if v == nil {
			continue
		}
		if _, err := ic.Out[i].Type.Merge(v.Type()); err != nil {
			tb.Errorf("%s: inferred output %d contradicts the result: %v", call.Name, i, err)
		}
	}
	checkPacked(tb, call, op, c)
	return c.Out, nil
}

// checkPacked compares the results with those of the operator after packing every input but the first.
func checkPacked(tb testing.TB, call Call, op ops.Op, plain *ops.Ctx) {
	tb.Helper()
	p, ok := op.(ops.Prepacker)
	if !ok {
		return
	}
	consts, in := make([]*tensor.Tensor, len(plain.In)), append([]tensor.Value{}, plain.In...)
	for i := 1; i < len(in); i++ {
		consts[i] = plain.Tensor(i)
	}
	op, dropped := p.Prepack(consts)
	for _, i := range dropped {
		in[i] = nil
	}
	c := &ops.Ctx{Context: plain.Context, In: in, Out: make([]tensor.Value, len(plain.Out)), Wanted: plain.Wanted, OutTypes: plain.OutTypes, Mem: dirty{}, Pool: plain.Pool, RunGraph: plain.RunGraph}
	defer c.ReleaseScratch()
	if err := op.Run(c); err != nil {
		tb.Errorf("%s: after packing: %v", call.Name, err)
		return
	}
	for i, v := range plain.Out {
		want, ok := v.(*tensor.Tensor)
		if !ok {
			continue
		}
		got, _ := c.Out[i].(*tensor.Tensor)
		Equal(tb, got, want, 1e-3, 1e-5)
	}
}

// Run1 is Run for operators with one output, which must succeed and be a tensor.
func Run1(tb testing.TB, call Call, in ...tensor.Value) *tensor.Tensor {
	tb.Helper()
	out, err := Run(tb, call, in...)
	if err != nil {
		tb.Fatalf("%s: %v", call.Name, err)
	}
	t, ok := out[0].(*tensor.Tensor)
	if !ok {
		tb.Fatalf("%s: output is %T", call.Name, out[0])
	}
	return t
}

// Equal fails the test unless got has want's type, shape and elements, floats within atol + rtol·|want|.
func Equal(tb testing.TB, got, want *tensor.Tensor, rtol, atol float64) {
	tb.Helper()
	if got == nil || got.DType() != want.DType() || !got.Shape().Equal(want.Shape()) {
		tb.Errorf("got %v, want %v%v", got, want.DType(), want.Shape())
		return
	}
	if want.DType() == tensor.String {
		for i, s := range want.Strs() {
			if got.Strs()[i] != s {
				tb.Errorf("element %d is %q, want %q", i, got.Strs()[i], s)
			}
		}
		return
	}
	g, err := got.Floats()
	if err != nil {
		if string(got.Bytes()) != string(want.Bytes()) {
			tb.Errorf("got %v, want %v", got.Bytes(), want.Bytes())
		}
		return
	}
	w, _ := want.Floats()
	for i := range w {
		if g[i] == w[i] || math.IsNaN(g[i]) && math.IsNaN(w[i]) {
			continue
		}
		if !(math.Abs(g[i]-w[i]) <= atol+rtol*math.Abs(w[i])) {
			tb.Errorf("element %d is %v, want %v", i, g[i], w[i])
			return
		}
	}
}

// dirty allocates memory that holds no zeros.
type dirty struct{}

// Alloc implements ops.Memory.
func (dirty) Alloc(d tensor.DType, shape tensor.Shape) (*tensor.Tensor, error) {
	t, err := ops.HeapMemory{}.Alloc(d, shape)
	if err != nil {
		return nil, err
	}
	if d != tensor.Bool {
		for i := range t.Bytes() {
			t.Bytes()[i] = 0xCD
		}
	}
	return t, nil
}

// Free implements ops.Memory.
func (dirty) Free(*tensor.Tensor) {}
