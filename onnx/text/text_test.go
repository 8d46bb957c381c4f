package text

import (
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

const example = `
# A model that has a bit of everything.
<
  ir_version: 10,
  opset_import: [ "" : 21, "local.ops" : 1 ],
  producer_name: "by \"hand\"", producer_version: "1", domain: "d", model_version: 3,
  doc_string: "two
lines", metadata_props: ["author": "x", "k": "\\"]
>
agraph (float[N, 128] x, float[?, "a b", 3] "1/in:0", seq(int64[]) s = , float[2] d = {1, -2.5e-3}) => (float[N,10] y, optional(seq(float)) o, z)
`

func parsed[T proto.Message](t *testing.T, f func(string) (T, error), src string) T {
	t.Helper()
	m, err := f(src)
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return m
}

func TestParseModel(t *testing.T) {
	src := strings.Replace(example, "s = ,", "s,", 1) + `
<int64[3] shape = {1, 2, 3}, float[N] inner, float[4] w = ["location": "w.bin", "offset": "4096"], float scalar = {7}>
{
   [first] a, , "b c" = local.ops.Pair:v2 <alpha = 1.5, n: float = 3, mode: string = "linear", axes: ints = []> (x, "1/in:0",)
   y = If (a) <then_branch = g1 () => (float[2] t) { t = Constant <value = float[2] {1, 2}>() },
               else_branch: graph = "g 2" () => (t) <float[1] k = {0}> { t = Identity(k) }>
   = Sink <t: type_proto = float[2,N], u = sparse_tensor(float[5]), big = [1.0, 2.0], w: ints = @outer, "odd name" = -inf> ("")
}
<domain: "local.ops", overload: "v2", opset_import: ["": 21], doc_string: "f">
Pair <alpha, n: int = 4> (p, float[N] q) => (r) <float[N] m> { m = Add(p, q) r = Neg(m) }
plain () => () {}
`
	m := parsed(t, Parse, src)
	if m.GetIrVersion() != 10 || m.GetProducerName() != `by "hand"` || m.GetDocString() != "two\nlines" || m.MetadataProps[1].GetValue() != `\` || m.OpsetImport[1].GetDomain() != "local.ops" {
		t.Errorf("header: %v", m)
	}
	g := m.Graph
	if g.Input[1].GetName() != "1/in:0" || g.Input[1].Type.GetTensorType().Shape.Dim[1].GetDimParam() != "a b" || g.Input[2].Type.GetSequenceType() == nil || g.Output[2].Type != nil {
		t.Errorf("inputs and outputs: %v %v", g.Input, g.Output)
	}
	if len(g.Initializer) != 4 || !slices.Equal(g.Initializer[0].FloatData, []float32{1, -2.5e-3}) || !slices.Equal(g.Initializer[1].Int64Data, []int64{1, 2, 3}) ||
		g.Initializer[2].ExternalData[1].GetValue() != "4096" || len(g.Initializer[3].Dims) != 0 || len(g.ValueInfo) != 1 {
		t.Errorf("initializers: %v", g.Initializer)
	}
	first, choice, sink := g.Node[0], g.Node[1], g.Node[2]
	if first.GetName() != "first" || first.GetDomain() != "local.ops" || first.GetOpType() != "Pair" || first.GetOverload() != "v2" ||
		!slices.Equal(first.Output, []string{"a", "", "b c"}) || !slices.Equal(first.Input, []string{"x", "1/in:0"}) {
		t.Errorf("node: %v", first)
	}
	if a := first.Attribute; a[0].GetF() != 1.5 || a[1].GetF() != 3 || string(a[2].S) != "linear" || a[3].GetType() != onnxpb.AttributeProto_INTS {
		t.Errorf("attributes: %v", a)
	}
	if a := choice.Attribute; a[0].G.Node[0].Attribute[0].T == nil || a[1].G.GetName() != "g 2" || len(a[1].G.Initializer) != 1 {
		t.Errorf("graphs: %v", a)
	}
	if a := sink.Attribute; a[0].Tp.GetTensorType() == nil || a[1].Tp.GetSparseTensorType() == nil || len(a[2].Floats) != 2 || a[3].GetRefAttrName() != "outer" ||
		a[3].GetType() != onnxpb.AttributeProto_INTS || !math.IsInf(float64(a[4].GetF()), -1) || len(sink.Output) != 0 || !slices.Equal(sink.Input, []string{""}) {
		t.Errorf("sink: %v", sink)
	}
	f := m.Functions[0]
	if f.GetName() != "Pair" || !slices.Equal(f.Attribute, []string{"alpha"}) || f.AttributeProto[0].GetI() != 4 || !slices.Equal(f.Input, []string{"p", "q"}) || len(f.ValueInfo) != 2 || len(f.Node) != 2 {
		t.Errorf("function: %v", f)
	}
	stable(t, m)
}

func TestParseNodes(t *testing.T) {
	nodes, err := ParseNodes("a = Exp (x)\n[last] b, c = ai.onnx.ml.Op <k = 1> (a) # end")
	if err != nil || len(nodes) != 2 || nodes[1].GetDomain() != "ai.onnx.ml" || nodes[1].GetName() != "last" {
		t.Errorf("%v, %v", nodes, err)
	}
	if _, err := ParseNodes("a = Exp (x) }"); err == nil || !strings.Contains(err.Error(), "1:13: expected '='") {
		t.Errorf("error %v", err)
	}
}

// stable checks that m survives printing and parsing.
func stable(t *testing.T, m *onnxpb.ModelProto) {
	t.Helper()
	src, err := Format(m)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(src)
	if err != nil {
		t.Fatalf("%v in\n%s", err, src)
	}
	if second, _ := Format(again); second != src {
		t.Errorf("printed as\n%s\nand then as\n%s", src, second)
	}
	if !proto.Equal(m, again) {
		t.Errorf("%s\nbecame\n%s\nby\n%s", prototext.Format(m), prototext.Format(again), src)
	}
}

func TestNamesThatNeedQuotes(t *testing.T) {
	for _, name := range []string{"", "float", "seq", "nan", "Inf", "a-b", "ä", "1", `"`, `\`, "a\nb", "\xff", "opaque", "_ok9"} {
		n := &onnxpb.NodeProto{
			Name: &name, OpType: &name, Input: []string{name, name}, Output: []string{name},
			Attribute: []*onnxpb.AttributeProto{{Name: &name, G: &onnxpb.GraphProto{Name: &name}, Type: onnxpb.AttributeProto_GRAPH.Enum()}},
		}
		v := &onnxpb.ValueInfoProto{Name: &name, Type: onnx.TypeProto(tensor.TensorType(tensor.Float32, tensor.Int(1)))}
		f := &onnxpb.FunctionProto{Name: &name, Input: []string{name}, Output: []string{name}, Attribute: []string{name}}
		if name != "" {
			n.Domain, n.Overload = proto.String(name+".x"), &name
			n.Attribute[0].RefAttrName, n.Attribute[0].G = &name, nil
		}
		stable(t, &onnxpb.ModelProto{Graph: &onnxpb.GraphProto{Name: &name, Input: []*onnxpb.ValueInfoProto{v}, Node: []*onnxpb.NodeProto{n}}, Functions: []*onnxpb.FunctionProto{f}})
	}
}

func TestTensorLiterals(t *testing.T) {
	for _, src := range []string{
		"float[3] {1.5, -inf, nan}", "double x {1e-300}", "float16[2] {15360, 48128}", "bfloat16[1] {16256}", "float8e4m3fn[1] {56}",
		"int8[2] {-128, 127}", "uint8[0] {}", "int16[1] {-32768}", "uint16[1] {65535}", "int32 {-2147483648}", "uint32[1] {4294967295}",
		"int64[2] {-9223372036854775808, 9223372036854775807}", "uint64[1] {18446744073709551615}", "bool[2] {0, 1}",
		`string[2] {"a\"b", "\\"}`, "complex64[1] {1, -2}", "complex128[1] {0.5, 0.25}",
		"int4[3] {-8, 7, -1}", "uint4[3] {15, 0, 9}", "float4e2m1[2] {7, 15}", "int2[5] {-2, 1, 0, -1, 1}", "uint2[2] {3, 2}", "float8e8m0[1] {127}",
	} {
		p := parsed(t, ParseTensor, src)
		if got, err := (Printer{}).print(func(w *writer) { w.tensor(p, false) }); err != nil || got != src {
			t.Errorf("%s printed as %s, %v", src, got, err)
		}
	}
	p := parsed(t, ParseTensor, "int4[3] {-8, 7, -1}")
	if v, err := onnx.Tensor(p); err != nil || !slices.Equal(v.Bytes(), []byte{0x78, 0x0f}) {
		t.Errorf("int4: %v, %v", v, err)
	}
	short, err := Printer{MaxElements: 2}.print(func(w *writer) { w.tensor(parsed(t, ParseTensor, "int64[3] {1,2,3}"), true) })
	if err != nil || short != `int64[3] "" = {1, 2, …}` {
		t.Errorf("shortened: %s, %v", short, err)
	}
}

func TestTypes(t *testing.T) {
	for _, src := range []string{
		"float", "float[]", "float[N, 3, ?]", `int4["a b"]`, "seq(map(string, float[]))", "optional(seq(int64[2]))", "sparse_tensor(double[3])",
		"opaque()", "opaque(a.b)", "opaque(a.b, c)", "map(int64, string)",
	} {
		p := parsed(t, ParseType, src)
		if got, err := (Printer{}).print(func(w *writer) { w.typ(p) }); err != nil || got != src {
			t.Errorf("%s printed as %s, %v", src, got, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"", `1:1: expected a name, found the end of the text`},
		{"g (float[N] x) => (y) {\n  y = Neg(x\n}", `3:1: expected ')', found '}'`},
		{"g () => () {} <", "1:16: expected a name, found the end"},
		{"<ir_version: x> g () => () {}", `1:14: expected a number, found "x"`},
		{"<foo: 1> g () => () {}", `1:2: unknown field "foo"`},
		{"g () = > () {}", `1:7: expected "=>"`},
		{"g () => () { y = A <a: inst = 1> () }", `1:24: "inst" is not a type of attributes`},
		{"g () => () { y = A <a: ints = 1> () }", `attribute "a" is ints, and its value int`},
		{"g () => () { y = A <a = []> () }", "an empty list needs a type"},
		{`g () => () { y = A <a = [1, "x"]> () }`, "1:29: a value of another type in a list of ints"},
		{"g () => () { y = A <a = 99999999999999999999> () }", "1:25: 99999999999999999999 is not an int64"},
		{"g () => () { y = A <a = 1e99> () }", "1:25: 1e99 is not a float of 32 bits"},
		{"g () => () { y = A <a = \"x> () }", "1:25: the quoted string does not end"},
		{"g () => () { y = A <a = float[2] {1}> () }", "1 values for float[2], which has 2"},
		{"g () => () { y = A <a = float[1] {1, 2}> () }", "more than the 1 values of float[1]"},
		{"g () => () { y = A <a = int8[1] {128}> () }", "1:34: 128 is no int8"},
		{"g () => () { y = A <a = uint32[1] {-1}> () }", "1:36: -1 is not a uint32"},
		{"g () => () { y = A <a = float[N] {1}> () }", "dimension 0 of a tensor with values is not a number"},
		{"g () => () { y = A <a = float[] {1}> () }", "no tensor of known rank"},
		{"g () => () { y = A <a = float[1099511627776, 1099511627776] {1}> () }", "too many elements"},
		{"g () => () { y = A <a = int64[99999999999] {1}> () }", "1 values for int64[99999999999]"},
		{"g (map(float, x[1]) y) => () {}", `1:15: "x" is not a type`},
		{"g (" + strings.Repeat("seq(", 1000) + ") => () {}", "nested deeper than 60 levels"},
		{"g () => () { y = A <a = é> () }", `1:25: expected a number, found 'é'`},
	} {
		_, err := Parse(c.src)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.src, err, c.want)
		}
	}
}

func TestFormatRefuses(t *testing.T) {
	sparse := &onnxpb.GraphProto{SparseInitializer: []*onnxpb.SparseTensorProto{{}}}
	if _, err := FormatGraph(sparse); err == nil || !strings.Contains(err.Error(), "no sparse initializers") {
		t.Errorf("sparse initializer: error %v", err)
	}
	short := &onnxpb.GraphProto{Initializer: []*onnxpb.TensorProto{{Name: proto.String("w"), DataType: proto.Int32(1), Dims: []int64{1 << 40}}}}
	if _, err := FormatGraph(short); err == nil || !strings.Contains(err.Error(), `tensor "w"`) {
		t.Errorf("tensor without data: error %v", err)
	}
	if _, err := Format(nil); err != nil {
		t.Errorf("no model: %v", err)
	}
}

func FuzzParseText(f *testing.F) {
	f.Add(`<ir_version: 7, opset_import: ["" : 10]> g (float[N] x = {}, seq(int64[]) s) => (y) <int4[3] w = {1,-2,3}> { [n] y = d.A:o <a: ints = [1,2]> (x, "") }`)
	f.Add(`g () => () { = If () <then = "h" () => () {}, t = float[1] {nan}, u: type_proto = map(string, float)> } f <a, b: float = 1> () => () {}`)
	f.Add(`# comment
g (opaque(a.b, c) "q\"") => (z) <float w = ["location": "f"]> {}`)
	f.Fuzz(func(t *testing.T, src string) {
		m, err := Parse(src)
		if err != nil {
			return
		}
		out, err := Format(m)
		if err != nil {
			t.Skip(err)
		}
		again, err := Parse(out)
		if err != nil {
			t.Fatalf("%v in\n%s", err, out)
		}
		if second, err := Format(again); err != nil || second != out {
			t.Fatalf("printed as\n%s\nand then as\n%s (%v)", out, second, err)
		}
	})
}
