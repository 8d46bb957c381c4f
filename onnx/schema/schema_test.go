package schema

import (
	"encoding/csv"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

func TestLookup(t *testing.T) {
	tests := []struct {
		domain, name string
		opset        int
		since        int // 0: no such operator
	}{
		{"", "Softmax", 1, 1},
		{"", "Softmax", 10, 1},
		{"", "Softmax", 11, 11},
		{"", "Softmax", 12, 11},
		{"ai.onnx", "Softmax", 28, 13},
		{"", "Softmax", 99, 13},
		{"", "Softmax", 0, 0},
		{"", "Gelu", 19, 0},
		{"", "Gelu", 20, 20},
		{"", "softmax", 13, 0},
		{"ai.onnx.ml", "Softmax", 3, 0},
		{"ai.onnx.ml", "Scaler", 3, 1},
		{"com.example", "Scaler", 3, 0},
		{"ai.onnx.preview.training", "Adam", 1, 1},
		{"com.microsoft", "Gelu", 1, 1},
		{"", "LayerNormalization", 16, 1},
		{"", "LayerNormalization", 17, 17},
		{"", "SimplifiedLayerNormalization", 14, 1},
	}
	for _, tt := range tests {
		op, ok := Lookup(tt.domain, tt.name, tt.opset)
		if since := 0; ok != (tt.since != 0) {
			t.Errorf("Lookup(%q, %q, %d) = %v, %v", tt.domain, tt.name, tt.opset, op, ok)
		} else if ok {
			if since = op.Since; since != tt.since || op.Name != tt.name {
				t.Errorf("Lookup(%q, %q, %d) = %s-%d, want %d", tt.domain, tt.name, tt.opset, op.Name, since, tt.since)
			}
		}
	}
}

func TestNewest(t *testing.T) {
	for domain, want := range map[string]int{"": 28, "ai.onnx": 28, "ai.onnx.ml": 5, "ai.onnx.preview": 1,
		"ai.onnx.preview.training": 1, "com.microsoft": 1, "org.example": 0} {
		if got := Newest(domain); got != want {
			t.Errorf("Newest(%q) = %d, want %d", domain, got, want)
		}
	}
	want := []string{"", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training", "com.microsoft"}
	if got := Domains(); !reflect.DeepEqual(got, want) {
		t.Errorf("Domains() = %q", got)
	}
}

func lookup(t *testing.T, domain, name string, opset int) *Op {
	t.Helper()
	op, ok := Lookup(domain, name, opset)
	if !ok {
		t.Fatalf("no %s %s at opset %d", domain, name, opset)
	}
	return op
}

func TestArity(t *testing.T) {
	tests := []struct {
		domain, name                 string
		opset                        int
		minIn, maxIn, minOut, maxOut int
	}{
		{"", "Add", 14, 2, 2, 1, 1},
		{"", "Clip", 13, 1, 3, 1, 1},
		{"", "Constant", 13, 0, 0, 1, 1},
		{"", "Concat", 13, 1, Unbounded, 1, 1},
		{"", "Loop", 1, 3, Unbounded, 1, Unbounded},
		{"", "Loop", 11, 2, Unbounded, 1, Unbounded},
		{"", "Scan", 8, 2, Unbounded, 1, Unbounded},
		{"", "LSTM", 14, 3, 8, 0, 3},
		{"", "Split", 1, 1, 2, 1, Unbounded},
		{"", "Resize", 11, 3, 4, 1, 1},
		{"", "SequenceEmpty", 11, 0, 0, 1, 1},
		{"", "Optional", 15, 0, 1, 1, 1},
		{"", "BatchNormalization", 14, 5, 5, 1, 3},
		{"", "Upsample", 10, 2, 2, 1, 1},
		{"", "GroupNormalization", 18, 3, 3, 1, 1},
		{"", "Scatter", 11, 3, 3, 1, 1},
	}
	for _, tt := range tests {
		op := lookup(t, tt.domain, tt.name, tt.opset)
		got := [4]int{op.MinIn, op.MaxIn, op.MinOut, op.MaxOut}
		if want := [4]int{tt.minIn, tt.maxIn, tt.minOut, tt.maxOut}; got != want {
			t.Errorf("%s-%d: arity %v, want %v", tt.name, op.Since, got, want)
		}
	}
	if op := lookup(t, "", "BatchNormalization", 7); !reflect.DeepEqual(op.OutCounts, []int{1, 5}) {
		t.Errorf("BatchNormalization-7: output counts %v", op.OutCounts)
	}
}

func TestAttributes(t *testing.T) {
	tests := []struct {
		domain, name string
		opset        int
		want         Attr
	}{
		{"", "Softmax", 11, Attr{"axis", AttrInt, false, int64(1)}},
		{"", "Softmax", 13, Attr{"axis", AttrInt, false, int64(-1)}},
		{"", "Concat", 4, Attr{"axis", AttrInt, true, nil}},
		{"", "Conv", 22, Attr{"auto_pad", AttrString, false, "NOTSET"}},
		{"", "Conv", 22, Attr{"dilations", AttrInts, false, nil}},
		{"", "Selu", 6, Attr{"alpha", AttrFloat, false, float32(1.67326319217681884765625)}},
		{"", "Selu", 22, Attr{"gamma", AttrFloat, false, float32(1.05070102214813232421875)}},
		{"", "Selu", 1, Attr{"alpha", AttrFloat, false, float32(1.6732)}},
		{"", "Clip", 6, Attr{"min", AttrFloat, false, float32(-3.40282346638528859811704183484516925440e+38)}},
		{"", "BatchNormalization", 15, Attr{"epsilon", AttrFloat, false, float32(1e-5)}},
		{"", "MeanVarianceNormalization", 13, Attr{"axes", AttrInts, false, []int64{0, 2, 3}}},
		{"", "Scan", 9, Attr{"body", AttrGraph, true, nil}},
		{"", "Constant", 13, Attr{"sparse_value", AttrSparseTensor, false, nil}},
		{"", "Optional", 15, Attr{"type", AttrTypeProto, false, nil}},
		{"", "GroupNormalization", 18, Attr{"num_groups", AttrInt, true, nil}},
		{"", "DeformConv", 19, Attr{"offset_group", AttrInt, false, int64(1)}},
		{"ai.onnx.ml", "SVMClassifier", 1, Attr{"post_transform", AttrString, false, "NONE"}},
		{"ai.onnx.preview.training", "Adam", 1, Attr{"epsilon", AttrFloat, false, float32(1e-6)}},
		{"ai.onnx.preview.training", "Adam", 1, Attr{"alpha", AttrFloat, false, float32(0.9)}},
	}
	for _, tt := range tests {
		op := lookup(t, tt.domain, tt.name, tt.opset)
		if a := op.Attr(tt.want.Name); a == nil || !reflect.DeepEqual(*a, tt.want) {
			t.Errorf("%s-%d: attribute %+v, want %+v", tt.name, op.Since, a, tt.want)
		}
	}
	if a := lookup(t, "", "Relu", 14).Attr("axis"); a != nil {
		t.Errorf("Relu has attribute %v", a)
	}
}

func TestTypes(t *testing.T) {
	concat := lookup(t, "", "Concat", 4)
	if p := concat.Input(7); p == nil || p.Kind != Variadic || p.Heterogeneous || p.Type != "T" {
		t.Errorf("Concat: input 7 is %+v", p)
	}
	if p := concat.Input(-1); p != nil {
		t.Errorf("Concat: input -1 is %+v", p)
	}
	if p := lookup(t, "", "Add", 14).Input(2); p != nil {
		t.Errorf("Add: input 2 is %+v", p)
	}
	topk := lookup(t, "", "TopK", 10)
	if p := topk.Input(1); p.Type != "tensor(int64)" || p.Types != Tensors(tensor.Int64) {
		t.Errorf("TopK: input 1 is %+v", p)
	}
	if got := lookup(t, "", "Relu", 1).InputTypes(0).String(); got != "tensor(float), tensor(float16), tensor(double)" {
		t.Errorf("Relu-1 takes %s", got)
	}
	dict := lookup(t, "ai.onnx.ml", "DictVectorizer", 1).InputTypes(0)
	if got := dict.String(); !strings.Contains(got, "map(string,tensor(float))") || dict.Len() != 6 {
		t.Errorf("DictVectorizer takes %s", got)
	}
	if got := lookup(t, "ai.onnx.ml", "ZipMap", 1).OutputTypes(0).String(); got != "seq(map(int64,tensor(float))), seq(map(string,tensor(float)))" {
		t.Errorf("ZipMap returns %s", got)
	}
	if n := lookup(t, "", "If", 16).OutputTypes(3).Len(); n != 16+16+32 {
		t.Errorf("If-16 returns %d types", n)
	}
	if types := lookup(t, "", "Constant", 13).InputTypes(0); !types.Empty() {
		t.Errorf("Constant takes %s", types)
	}
}

func TestAllows(t *testing.T) {
	f32, i64 := tensor.UnrankedType(tensor.Float32), tensor.UnrankedType(tensor.Int64)
	str := tensor.UnrankedType(tensor.String)
	dict := tensor.Type{Kind: tensor.KindMap, DType: tensor.Int64, Elem: &f32}
	var set TypeSet
	for _, name := range []string{"float", "seq(float)", "optional(seq(float))", "map(int64,float)"} {
		if err := set.add(name); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		typ  tensor.Type
		want bool
	}{
		{f32, true}, {i64, false}, {tensor.TensorType(tensor.Float32, tensor.Dims(2, 3)...), true},
		{tensor.UnrankedType(tensor.Undefined), true},
		{tensor.Type{}, true},
		{tensor.SequenceType(f32), true}, {tensor.SequenceType(str), false}, {tensor.SequenceType(tensor.Type{}), true},
		{tensor.SequenceType(tensor.SequenceType(f32)), false}, {tensor.SequenceType(dict), false},
		{tensor.OptionalType(f32), false}, {tensor.OptionalType(tensor.SequenceType(f32)), true},
		{tensor.OptionalType(tensor.SequenceType(i64)), false}, {tensor.OptionalType(tensor.Type{}), true},
		{dict, true}, {tensor.Type{Kind: tensor.KindMap, DType: tensor.String, Elem: &f32}, false},
		{tensor.Type{Kind: tensor.KindSparse, DType: tensor.Float32}, false},
	}
	for _, tt := range tests {
		if got := set.Allows(tt.typ); got != tt.want {
			t.Errorf("Allows(%s) = %v", TypeString(tt.typ), got)
		}
	}
	if (TypeSet{}).Allows(tensor.Type{}) {
		t.Error("the empty set allows an unknown type")
	}
}

func TestResultType(t *testing.T) {
	f32, i64 := tensor.TensorType(tensor.Float32, tensor.Dims(2)...), tensor.UnrankedType(tensor.Int64)
	tests := []struct {
		name string
		out  int
		in   []tensor.Type
		want string
	}{
		{"Add", 0, []tensor.Type{{}, f32}, "tensor(float)"},
		{"Add", 0, nil, "unknown"},
		{"Shape", 0, nil, "tensor(int64)"},
		{"Equal", 0, []tensor.Type{f32, f32}, "tensor(bool)"},
		{"TopK", 1, []tensor.Type{f32, i64}, "tensor(int64)"},
		{"TopK", 2, []tensor.Type{f32, i64}, "unknown"},
		{"Cast", 0, []tensor.Type{f32}, "unknown"},
		{"If", 0, []tensor.Type{f32}, "unknown"},
		{"SequenceInsert", 0, []tensor.Type{tensor.SequenceType(f32), f32}, "seq(tensor(float))"},
		{"Split", 5, []tensor.Type{f32}, "tensor(float)"},
	}
	for _, tt := range tests {
		if got := TypeString(lookup(t, "", tt.name, 18).ResultType(tt.out, tt.in)); got != tt.want {
			t.Errorf("%s: output %d is %s, want %s", tt.name, tt.out, got, tt.want)
		}
	}
}

// TestTable checks what every row must satisfy.
func TestTable(t *testing.T) {
	for op := range Ops() {
		name := op.Domain + " " + op.Name + "-" + strconv.Itoa(op.Since)
		if op.Since < 1 || op.Since > Newest(op.Domain) || op.MinIn > op.MaxIn && op.MaxIn != Unbounded || op.MinOut < 0 {
			t.Errorf("%s: %+v", name, op)
		}
		if len(op.Outputs) == 0 {
			t.Errorf("%s has no outputs", name)
		}
		used := map[string]bool{}
		for _, p := range append(op.Inputs[:len(op.Inputs):len(op.Inputs)], op.Outputs...) {
			used[p.Type] = true
			if p.Types.Empty() || strings.ContainsAny(p.Name, "?*~ ") {
				t.Errorf("%s: parameter %+v", name, p)
			}
		}
		for _, c := range op.Constraints {
			if c.Types.Empty() {
				t.Errorf("%s: constraint %s is empty", name, c.Name)
			}
		}
		for _, a := range op.Attrs {
			if a.Type == AttrUndefined || a.Required && a.Default != nil {
				t.Errorf("%s: attribute %+v", name, a)
			}
		}
	}
}

// TestStandard compares the table with a list of all operators and versions of the standard.
func TestStandard(t *testing.T) {
	f, err := os.Open("../../../shared/conformance/operators.csv")
	if err != nil {
		t.Skip("the list of operators is not here: ", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	left := map[[2]string]bool{}
	for op := range Ops() {
		left[[2]string{op.Domain, op.Name}] = op.Domain != "com.microsoft" && !op.Extension
	}
	for _, row := range rows[1:] {
		name, domain := row[0], Domain(row[1])
		var versions, deprecated []string
		function := false
		for _, op := range Versions(domain, name) {
			if op.Extension {
				continue
			}
			since := strconv.Itoa(op.Since)
			versions = append(versions, since)
			if op.Deprecated {
				deprecated = append(deprecated, since)
			}
			function = function || op.Function
		}
		if got := strings.Join(versions, " "); got != row[2] {
			t.Errorf("%s %s: versions %s, want %s", domain, name, got, row[2])
		}
		if got := strings.Join(deprecated, " "); got != row[4] {
			t.Errorf("%s %s: deprecated at %q, want %q", domain, name, got, row[4])
		}
		if row[5] != "" && !function {
			t.Errorf("%s %s is a function at %s", domain, name, row[5])
		}
		delete(left, [2]string{domain, name})
	}
	for k, standard := range left {
		if standard {
			t.Errorf("%s %s is not in the standard", k[0], k[1])
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, line := range []string{
		"Add 1|A:T|B:T|", "Add x|A:T|B:T||T=float", "Add 1 odd|A:T|B:T||T=float", "Add 1|A|B:T||T=float",
		"Add 1|A*1:T B:T|B:T||T=float", "Add 1|A:T|B:T|a:q|T=float", "Add 1|A:T|B:T|a:i=x|T=float",
		"Add 1|A:T|B:T||T=float31", "Add 1|A:U|B:T||T=float", "Add 1|A:T|B:T||T=float\nAdd 1|A:T|B:T||T=float",
		"Add 1|A:T|B:T||T=map(int32,float)", "Add 1|A:T|B:T|a:t=x|T=float", "Add 1 outputs=x|A:T|B:T||T=float",
	} {
		if _, err := parse(line); err == nil {
			t.Errorf("%q parses", line)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := parse(onnxTable, microsoftTable); err != nil {
			b.Fatal(err)
		}
	}
}

// TestContrib checks that every com.microsoft operator that the design names is there, with the arity of its last document.
func TestContrib(t *testing.T) {
	arity := map[string][4]int{
		"Attention": {2, 7, 1, 2}, "MultiHeadAttention": {1, 10, 1, 4}, "DecoderMaskedSelfAttention": {7, 9, 2, 2},
		"DecoderMaskedMultiHeadAttention": {1, 11, 1, 4}, "GroupQueryAttention": {7, 16, 1, 4}, "SparseAttention": {9, 11, 3, 3},
		"RotaryEmbedding": {4, 4, 1, 1}, "RelativePositionBias": {3, 3, 1, 1}, "EmbedLayerNormalization": {7, 9, 1, 3},
		"SkipLayerNormalization": {3, 5, 1, 4}, "SkipSimplifiedLayerNormalization": {3, 4, 1, 4}, "BiasGelu": {2, 2, 1, 1},
		"FastGelu": {1, 2, 1, 1}, "Gelu": {1, 1, 1, 1}, "QuickGelu": {1, 1, 1, 1}, "BiasSplitGelu": {2, 2, 1, 1},
		"BiasSoftmax": {2, 2, 1, 1}, "FusedMatMul": {2, 2, 1, 1}, "FusedGemm": {2, 3, 1, 1}, "FusedConv": {2, 4, 1, 1},
		"LinearAttention": {3, 6, 2, 2}, "CausalConvWithState": {2, 4, 2, 2}, "MoE": {5, 8, 1, 1}, "QAttention": {5, 9, 1, 2},
		"DynamicQuantizeMatMul": {3, 5, 1, 1}, "MatMulIntegerToFloat": {4, 7, 1, 1}, "DynamicQuantizeLSTM": {12, 12, 0, 3},
		"QEmbedLayerNormalization": {18, 18, 2, 2}, "QGemm": {6, 9, 1, 1}, "QLinearAdd": {7, 8, 1, 1}, "QLinearMul": {7, 8, 1, 1},
		"QLinearSigmoid": {4, 5, 1, 1}, "QLinearLeakyRelu": {4, 5, 1, 1}, "QLinearSoftmax": {5, 5, 1, 1},
		"QLinearConcat": {3, Unbounded, 1, 1}, "QLinearWhere": {9, 9, 1, 1}, "QLinearReduceMean": {4, 5, 1, 1},
		"QLinearAveragePool": {4, 5, 1, 1}, "QLinearGlobalAveragePool": {5, 5, 1, 1}, "QuantizeLinear": {2, 3, 1, 1},
		"DequantizeLinear": {2, 3, 1, 1}, "NhwcMaxPool": {1, 1, 1, 1}, "MatMulNBits": {3, 6, 1, 1}, "MatMulBnb4": {3, 3, 1, 1},
		"GatherBlockQuantized": {3, 4, 1, 1}, "QMoE": {6, 21, 1, 1}, "BeamSearch": {5, 12, 1, 3}, "GreedySearch": {2, 7, 1, 1},
		"Sampling": {2, 9, 1, 2}, "Inverse": {1, 1, 1, 1}, "Trilu": {1, 2, 1, 1}, "ExpandDims": {2, 2, 1, 1},
		"Unique": {1, 1, 3, 3}, "GatherND": {2, 2, 1, 1}, "Pad": {2, 3, 1, 1}, "NGramRepeatBlock": {2, 2, 1, 1},
		"QLinearConv": {8, 9, 1, 1}, "BiasDropout": {2, 5, 1, 2}, "DecoderAttention": {12, 12, 1, 3},
	}
	for name, want := range arity {
		op, ok := Lookup("com.microsoft", name, 1)
		if !ok {
			t.Errorf("no %s", name)
		} else if got := [4]int{op.MinIn, op.MaxIn, op.MinOut, op.MaxOut}; got != want {
			t.Errorf("%s: arity %v, want %v", name, got, want)
		}
	}
}
