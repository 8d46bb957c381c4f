package shape

import (
	"strings"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

type (
	sh    = tensor.Shape
	attrs = opstest.Attrs
)

// f32 returns a float tensor; without values it counts from 0.
func f32(s sh, v ...float32) *tensor.Tensor {
	if v == nil {
		v = make([]float32, s.Size())
		for i := range v {
			v[i] = float32(i)
		}
	}
	return tensor.Of(s, v)
}

func i64(v ...int64) *tensor.Tensor { return tensor.Of(sh{len(v)}, v) }

func i64s(s sh, v ...int64) *tensor.Tensor { return tensor.Of(s, v) }

// opCase is a call with literal inputs and either the outputs or a part of the error's text.
type opCase struct {
	name  string
	op    string
	opset int
	attrs attrs
	in    []tensor.Value
	want  []*tensor.Tensor
	err   string
}

func vals(t ...tensor.Value) []tensor.Value { return t }

func outs(t ...*tensor.Tensor) []*tensor.Tensor { return t }

func runCases(t *testing.T, cases []opCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.op+" "+c.name, func(t *testing.T) {
			call := opstest.Call{Name: c.op, Opset: c.opset, Attrs: c.attrs, Outputs: len(c.want)}
			got, err := opstest.Run(t, call, c.in...)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got error %v, want %q", err, c.err)
				}
				runOnly(t, call, c)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range c.want {
				g, _ := got[i].(*tensor.Tensor)
				opstest.Equal(t, g, w, 0, 0)
			}
		})
	}
}

// runOnly checks that Run refuses by itself what inference refused, without a panic.
func runOnly(t *testing.T, call opstest.Call, c opCase) {
	t.Helper()
	op, err := opstest.New(call)
	if err != nil {
		return
	}
	ctx := &ops.Ctx{Context: t.Context(), In: c.in, Out: make([]tensor.Value, 4), Mem: ops.HeapMemory{}}
	if err := op.Run(ctx); err == nil {
		t.Error("Run accepts what is wrong")
	}
}

// inferCall runs inference alone and returns the outputs.
func inferCall(t *testing.T, call opstest.Call, in ...ops.Info) []ops.Info {
	t.Helper()
	op, err := opstest.New(call)
	if err != nil {
		t.Fatal(err)
	}
	c := &ops.Infer{In: in, Out: make([]ops.Info, max(call.Outputs, 1)), Absent: make([]bool, len(in))}
	if err := op.Infer(c); err != nil {
		t.Fatal(err)
	}
	return c.Out
}

// typ is the static information of a tensor with dimensions that are ints, symbols or "?".
func typ(d tensor.DType, dims ...any) ops.Info {
	return ops.Info{Type: tensor.TensorType(d, dimList(dims...)...)}
}

// elems is the static information of an int64 vector with these elements.
func elems(e ...any) ops.Info {
	return ops.Info{Type: tensor.TensorType(tensor.Int64, tensor.Int(len(e))), Ints: dimList(e...)}
}

func dimList(dims ...any) []tensor.Dim {
	out := make([]tensor.Dim, len(dims))
	for i, d := range dims {
		switch d := d.(type) {
		case int:
			out[i] = tensor.Int(d)
		case string:
			if d != "?" {
				out[i] = tensor.Sym(d)
			}
		case tensor.Dim:
			out[i] = d
		}
	}
	return out
}

func intsString(e []tensor.Dim) string {
	s := make([]string, len(e))
	for i, d := range e {
		s[i] = d.String()
	}
	return "[" + strings.Join(s, ",") + "]"
}

// anyTensor fills a tensor of any element type with distinct bytes or strings.
func anyTensor(d tensor.DType, s ...int) *tensor.Tensor {
	t := tensor.New(d, s...)
	for i := range t.Bytes() {
		t.Bytes()[i] = byte(i*37 + 11)
	}
	if d == tensor.Bool {
		for i := range t.Bool() {
			t.Bytes()[i] = byte(i*5/3) & 1
		}
	}
	if n := t.Len() % 8; d.Packed() && n*d.Bits()%8 != 0 {
		t.Bytes()[len(t.Bytes())-1] &= 1<<(t.Len()*d.Bits()%8) - 1
	}
	for i := range t.Strs() {
		t.Strs()[i] = strings.Repeat("é", i%5) + string(rune('a'+i%26))
	}
	return t
}

// cell reads element i of a tensor of any type as text.
func cell(t *tensor.Tensor, i int) string {
	d := t.DType()
	switch {
	case d == tensor.String:
		return t.Strs()[i]
	case d.Packed():
		b := d.Bits()
		return string(rune('0' + t.Bytes()[i*b/8]>>(i*b%8)&(1<<b-1)))
	}
	w := d.Bits() / 8
	return string(t.Bytes()[i*w : (i+1)*w])
}
