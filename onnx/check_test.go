package onnx

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
)

// checkBase is a correct model, x → Relu → h → Add(h, w) → y, that the cases change.
const checkBase = `
ir_version: 8
opset_import { version: 17 }
graph {
  name: "g"
  node { name: "relu" op_type: "Relu" input: "x" output: "h" }
  node { name: "add" op_type: "Add" input: "h" input: "w" output: "y" }
  initializer { name: "w" data_type: 1 dims: 2 float_data: [1, 2] }
  input { name: "x" type { tensor_type { elem_type: 1 shape { dim { dim_value: 2 } } } } }
  output { name: "y" type { tensor_type { elem_type: 1 shape { dim { dim_value: 2 } } } } }
}`

func parseText[M proto.Message](t testing.TB, m M, text string) M {
	t.Helper()
	if err := prototext.Unmarshal([]byte(text), m); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return m
}

func baseModel(t testing.TB) *onnxpb.ModelProto {
	t.Helper()
	return parseText(t, new(onnxpb.ModelProto), checkBase)
}

// A checkCase changes the correct model and says what Check has to report: one violation a line, nothing if empty.
type checkCase struct {
	name   string
	change func(t testing.TB, m *onnxpb.ModelProto)
	want   string
}

// nodes replaces the nodes of the model.
func nodes(text string) func(testing.TB, *onnxpb.ModelProto) {
	return func(t testing.TB, m *onnxpb.ModelProto) {
		m.Graph.Node = parseText(t, new(onnxpb.GraphProto), text).Node
	}
}

// merge adds to the model.
func merge(text string) func(testing.TB, *onnxpb.ModelProto) {
	return func(t testing.TB, m *onnxpb.ModelProto) { proto.Merge(m, parseText(t, new(onnxpb.ModelProto), text)) }
}

// weight replaces the model's weight.
func weight(text string) func(testing.TB, *onnxpb.ModelProto) {
	return func(t testing.TB, m *onnxpb.ModelProto) {
		m.Graph.Initializer = []*onnxpb.TensorProto{parseText(t, new(onnxpb.TensorProto), `name: "w" `+text)}
	}
}

func edit(f func(m *onnxpb.ModelProto)) func(testing.TB, *onnxpb.ModelProto) {
	return func(_ testing.TB, m *onnxpb.ModelProto) { f(m) }
}

const relu = `node { name: "relu" op_type: "Relu" input: "x" output: "h" } `

var modelCases = []checkCase{
	{"correct", edit(func(*onnxpb.ModelProto) {}), ""},
	{"no IR version", edit(func(m *onnxpb.ModelProto) { m.IrVersion = nil }),
		"the model has no IR version"},
	{"future IR version", edit(func(m *onnxpb.ModelProto) { m.IrVersion = proto.Int64(99) }),
		"IR version 99 is newer than 14, the newest known"},
	{"no imports", edit(func(m *onnxpb.ModelProto) { m.OpsetImport = nil }),
		"the model imports no opset\n" +
			"node \"relu\" (Relu): domain ai.onnx is not imported\n" +
			"node \"add\" (Add): domain ai.onnx is not imported"},
	{"imports before IR 3", edit(func(m *onnxpb.ModelProto) { m.IrVersion = proto.Int64(2) }),
		"a model of IR version 2 cannot import opsets\n" +
			"initializer \"w\": before IR version 4 an initializer must be an input of the graph, too"},
	{"future opset", edit(func(m *onnxpb.ModelProto) { m.OpsetImport[0].Version = proto.Int64(99) }),
		"opset 99 of domain ai.onnx is newer than 28, the newest known"},
	{"opset 0", merge(`opset_import { domain: "ai.onnx.ml" version: 0 }`), "opset 0 of domain ai.onnx.ml is no version"},
	{"conflicting imports", merge(`opset_import { domain: "ai.onnx" version: 16 }`),
		"domain ai.onnx is imported twice, as opset 17 and 16"},
	{"repeated import", merge(`opset_import { domain: "ai.onnx" version: 17 }`), ""},
	{"metadata", merge(`metadata_props { key: "a" } metadata_props { key: "a" }`), `metadata key "a" occurs twice`},
	{"no graph", edit(func(m *onnxpb.ModelProto) { m.Graph = nil }), "the model has no graph"},
	{"no graph name", edit(func(m *onnxpb.ModelProto) { m.Graph.Name = nil }), "the graph has no name"},
	{"IR 3 initializer", edit(func(m *onnxpb.ModelProto) { m.IrVersion = proto.Int64(3) }),
		`initializer "w": before IR version 4 an initializer must be an input of the graph, too`},
	{"input without type", edit(func(m *onnxpb.ModelProto) { m.Graph.Input[0].Type = nil }), `input "x": it has no type`},
	{"input without name", edit(func(m *onnxpb.ModelProto) { m.Graph.Input[0].Name = nil }),
		"input 0: it has no name\n" + `node "relu" (Relu-14): input 0, "x", is not defined`},
	{"input twice", merge(`graph { input { name: "x" type { tensor_type { elem_type: 1 shape { } } } } }`),
		`input "x": the name occurs twice among the inputs`},
	{"output without shape", edit(func(m *onnxpb.ModelProto) { m.Graph.Output[0].Type.GetTensorType().Shape = nil }),
		`output "y": its type has no shape; the main graph's inputs and outputs need a rank`},
	{"bad element type", edit(func(m *onnxpb.ModelProto) { m.Graph.Input[0].Type.GetTensorType().ElemType = proto.Int32(77) }),
		`input "x": unknown element type 77`},
	{"no element type", edit(func(m *onnxpb.ModelProto) { m.Graph.Input[0].Type.GetTensorType().ElemType = nil }),
		`input "x": its type has no element type`},
	{"sequence of nothing", merge(`graph { input { name: "s" type { sequence_type { } } } }`), `input "s": its type has no element type`},
	{"output of another type", edit(func(m *onnxpb.ModelProto) { m.Graph.Output[0].Type.GetTensorType().ElemType = proto.Int32(7) }),
		`output "y": it is declared as tensor(int64) but is tensor(float)`},
	{"missing output", merge(`graph { output { name: "z" type { tensor_type { elem_type: 1 shape { } } } } }`),
		`output "z": nothing in the graph computes it`},
	{"value_info contradicts", merge(`graph { value_info { name: "h" type { tensor_type { elem_type: 7 } } } }`),
		`node "relu" (Relu-14): output "h" is tensor(float), but value_info says tensor(int64)`},
	{"two devices", merge(`configuration { name: "a" num_devices: 2 device: "d" } configuration { }`),
		"configuration 0: it names 1 devices, not 2\nconfiguration 1: it has no name\nconfiguration 1: num_devices is missing"},
	{"training", merge(`training_info { algorithm { name: "step" input { name: "d" } output { name: "n" }
		node { name: "sub" op_type: "Sub" input: "w" input: "d" output: "n" } }
		update_binding { key: "w" value: "n" } }`), ""},
	{"bindings", merge(`training_info { initialization { name: "init" } initialization_binding { key: "q" value: "v" } }`),
		"training_info 0: initialization_binding: \"q\" is no initializer of the model or the algorithm\n" +
			"training_info 0: initialization_binding: \"v\" is no output of the graph"},
}

var nodeCases = []checkCase{
	{"unsorted", edit(func(m *onnxpb.ModelProto) { n := m.Graph.Node; n[0], n[1] = n[1], n[0] }),
		`node "add" (Add-14): input 0, "h", is computed by a later node: the nodes are not in topological order`},
	{"cycle", nodes(relu + `node { name: "a" op_type: "Add" input: "h" input: "b" output: "y" }
		node { op_type: "Relu" input: "y" output: "b" }`),
		"node \"a\" (Add-14): input 1, \"b\", is computed by a later node: the nodes are not in topological order\n" +
			"node \"a\" (Add): it depends on itself: node \"a\" (Add) needs node 2 (Relu) needs node \"a\" (Add)"},
	{"undefined input", nodes(relu + `node { name: "add" op_type: "Add" input: "h" input: "v" output: "y" }`),
		`node "add" (Add-14): input 1, "v", is not defined`},
	{"assigned twice", nodes(relu + relu + `node { name: "add" op_type: "Add" input: "h" input: "w" output: "y" }`),
		`node "relu" (Relu-14): output "h" is defined already`},
	{"assigned input", nodes(relu + `node { op_type: "Relu" input: "h" output: "x" } node { op_type: "Relu" input: "h" output: "y" }`),
		`node 1 (Relu-14): output "x" is defined already`},
	{"no op_type", nodes(relu + `node { name: "n" input: "h" output: "y" }`), `node "n" (): it has no op_type`},
	{"empty node", nodes(relu + `node { name: "n" op_type: "Foo" } node { op_type: "Relu" input: "h" output: "y" }`),
		"node \"n\" (Foo): it has neither inputs nor outputs\nnode \"n\" (Foo): domain ai.onnx has no such operator"},
	{"unknown operator", nodes(`node { name: "n" op_type: "ImageScaler" input: "x" output: "y" }`),
		`node "n" (ImageScaler): domain ai.onnx has no such operator`},
	{"operator of a later opset", nodes(`node { name: "n" op_type: "Gelu" input: "x" output: "y" }`),
		`node "n" (Gelu): opset 17 of ai.onnx does not have the operator; it came with opset 20`},
	{"deprecated operator", nodes(`node { name: "n" op_type: "Upsample" input: "x" input: "w" output: "y" }`),
		`node "n" (Upsample-10): the operator is deprecated since opset 10`},
	{"domain not imported", nodes(`node { name: "n" domain: "com.microsoft" op_type: "Gelu" input: "x" output: "y" }`),
		`node "n" (com.microsoft.Gelu): domain com.microsoft is not imported`},
	{"contrib operator", func(t testing.TB, m *onnxpb.ModelProto) {
		nodes(`node { domain: "com.microsoft" op_type: "Gelu" input: "x" output: "y" }`)(t, m)
		merge(`opset_import { domain: "com.microsoft" version: 1 }`)(t, m)
	}, ""},
	{"unknown domain", func(t testing.TB, m *onnxpb.ModelProto) {
		nodes(`node { name: "n" domain: "org.a" op_type: "B" input: "x" output: "z" } node { domain: "org.a" op_type: "C" input: "z" output: "y" }`)(t, m)
		merge(`opset_import { domain: "org.a" version: 1 }`)(t, m)
	}, `node "n" (org.a.B): domain org.a is unknown: neither the standard nor a function of the model has its operators`},
	{"too few inputs", nodes(`node { name: "n" op_type: "Add" input: "x" output: "y" }`), `node "n" (Add-14): it has 1 inputs, not 2`},
	{"too many inputs", nodes(`node { name: "n" op_type: "Clip" input: "x" input: "" input: "" input: "w" output: "y" }`),
		`node "n" (Clip-13): it has 4 inputs, not 1 to 3`},
	{"too few variadic", nodes(`node { name: "n" op_type: "Concat" output: "y" attribute { name: "axis" type: INT i: 0 } }`),
		`node "n" (Concat-13): it has 0 inputs, not 1 or more`},
	{"too many outputs", nodes(`node { name: "n" op_type: "Relu" input: "x" output: "y" output: "z" }`),
		`node "n" (Relu-14): it has 2 outputs, not 1`},
	{"input left out", nodes(`node { name: "n" op_type: "Add" input: "x" input: "" output: "y" }`),
		`node "n" (Add-14): input 1, B, is left out but is not optional`},
	{"output left out", nodes(relu + `node { name: "n" op_type: "Relu" input: "x" output: "" } node { op_type: "Relu" input: "h" output: "y" }`),
		`node "n" (Relu-14): output 0, Y, is left out but is not optional`},
	{"element type", nodes(`node { name: "n" op_type: "And" input: "x" input: "w" output: "b" } node { op_type: "Relu" input: "x" output: "y" }`),
		"node \"n\" (And-7): input 0, A, is tensor(float); allowed are tensor(bool)\n" +
			"node \"n\" (And-7): input 1, B, is tensor(float); allowed are tensor(bool)"},
	{"two types for one variable", nodes(`node { op_type: "Cast" input: "x" output: "i" attribute { name: "to" type: INT i: 7 } }
		node { name: "n" op_type: "Add" input: "x" input: "i" output: "y" }`),
		`node "n" (Add-14): input 1, B, is tensor(int64), but another input of the type T is tensor(float)`},
	{"variadic of two types", nodes(`node { op_type: "Shape" input: "x" output: "i" }
		node { name: "n" op_type: "Concat" input: "x" input: "i" output: "y" attribute { name: "axis" type: INT i: 0 } }`),
		`node "n" (Concat-13): input 1, inputs, is tensor(int64), but another input of the type T is tensor(float)`},
	{"bfloat16 before its time", func(t testing.TB, m *onnxpb.ModelProto) {
		m.OpsetImport[0].Version = proto.Int64(12)
		weight(`data_type: 16 int32_data: 0`)(t, m)
		nodes(`node { name: "n" op_type: "Exp" input: "w" output: "e" } node { op_type: "Relu" input: "x" output: "y" }`)(t, m)
	}, `node "n" (Exp-6): input 0, input, is tensor(bfloat16); allowed are tensor(float), tensor(float16), tensor(double)`},
	{"result of a type that is not allowed", nodes(`node { name: "n" op_type: "ConstantOfShape" input: "i" output: "c"
		attribute { name: "value" type: TENSOR t { data_type: 14 dims: 1 float_data: [1, 2] } } }
		node { op_type: "Relu" input: "x" output: "y" }`),
		"node \"n\" (ConstantOfShape-9): input 0, \"i\", is not defined\n" +
			"node \"n\" (ConstantOfShape-9): output 0, output, would be tensor(complex64); allowed are tensor(float), tensor(uint8), " +
			"tensor(int8), tensor(uint16), tensor(int16), tensor(int32), tensor(int64), tensor(bool), tensor(float16), tensor(double), " +
			"tensor(uint32), tensor(uint64)"},
	{"device configuration", nodes(`node { name: "n" op_type: "Relu" input: "x" output: "y" device_configurations { configuration_id: "c" } }`),
		`node "n" (Relu-14): the model has no device configuration "c"`},
}

func attribute(text string) func(testing.TB, *onnxpb.ModelProto) {
	return nodes(`node { name: "n" op_type: "Flatten" input: "x" output: "y" ` + text + `}`)
}

var attributeCases = []checkCase{
	{"unknown", attribute(`attribute { name: "size" type: INT i: 1 }`), `node "n" (Flatten-13): it has no attribute size`},
	{"internal", attribute(`attribute { name: "__size" type: INT i: 1 }`), ""},
	{"nameless", attribute(`attribute { type: INT i: 1 }`), `node "n" (Flatten-13): an attribute has no name`},
	{"twice", attribute(`attribute { name: "axis" type: INT i: 1 } attribute { name: "axis" type: INT i: 1 }`),
		`node "n" (Flatten-13): attribute axis occurs twice`},
	{"another type", attribute(`attribute { name: "axis" type: FLOAT f: 1 }`), `node "n" (Flatten-13): attribute axis is of type float, not int`},
	{"type and value", attribute(`attribute { name: "axis" type: INT f: 1 }`),
		`node "n" (Flatten-13): attribute axis is of type int but has a value of type float`},
	{"two values", attribute(`attribute { name: "axis" type: INT i: 1 f: 1 }`),
		`node "n" (Flatten-13): attribute axis has values of the types float and int`},
	{"no type", attribute(`attribute { name: "axis" i: 1 }`), `node "n" (Flatten-13): attribute axis has no type`},
	{"default value not stored", attribute(`attribute { name: "axis" type: INT }`), ""},
	{"reference outside of functions", attribute(`attribute { name: "axis" type: INT ref_attr_name: "a" }`),
		`node "n" (Flatten-13): attribute axis refers to a, but only functions have attributes to refer to`},
	{"required", nodes(`node { name: "n" op_type: "Cast" input: "x" output: "y" }`), `node "n" (Cast-13): attribute to, of type int, is missing`},
	{"tensor without value", nodes(`node { name: "n" op_type: "Constant" output: "c" attribute { name: "value" type: TENSOR } } ` + relu +
		`node { op_type: "Relu" input: "h" output: "y" }`), `node "n" (Constant-13): attribute value has no value`},
	{"bad tensor", nodes(`node { name: "n" op_type: "Constant" output: "y" attribute { name: "value" type: TENSOR t { data_type: 1 dims: 3 float_data: 1 } } }`),
		`node "n" (Constant-13): attribute value: float_data has 1 values, not 3`},
}

var tensorCases = []checkCase{
	{"raw", weight(`data_type: 1 dims: 2 raw_data: "12345678"`), ""},
	{"raw too short", weight(`data_type: 1 dims: 2 raw_data: "1234567"`),
		`initializer "w": raw_data has 7 bytes, not the 8 of 2 elements of type float`},
	{"no type", weight(`dims: 2 float_data: [1, 2]`), `initializer "w": unknown element type 0`},
	{"no data", weight(`data_type: 1 dims: 2`), `initializer "w": it has no data for its 2 elements`},
	{"no elements", weight(`data_type: 1 dims: 0`), ""},
	{"empty with data", weight(`data_type: 1 dims: 0 float_data: 1`), `initializer "w": float_data has 1 values, not 0`},
	{"two fields", weight(`data_type: 1 dims: 1 float_data: 1 raw_data: "1234"`), `initializer "w": it has data in both raw_data and float_data`},
	{"wrong field", weight(`data_type: 1 dims: 1 int32_data: 1`),
		`initializer "w": elements of type float cannot be in int32_data, only in float_data or raw_data`},
	{"too many values", weight(`data_type: 1 dims: 1 float_data: [1, 2]`), `initializer "w": float_data has 2 values, not 1`},
	{"negative dimension", weight(`data_type: 1 dims: -1 float_data: 1`), `initializer "w": negative dimension in shape [-1]`},
	{"overflow", weight(`data_type: 1 dims: 4611686018427387904 dims: 4611686018427387904 float_data: 1`),
		`initializer "w": shape [4611686018427387904 4611686018427387904] has too many elements`},
	{"another type than the input", merge(`graph { input { name: "w" type { tensor_type { elem_type: 7 shape { dim { dim_value: 2 } } } } } }`),
		"initializer \"w\": it is tensor(float), but the input of that name is tensor(int64)\n" +
			"node \"add\" (Add-14): input 1, B, is tensor(int64), but another input of the type T is tensor(float)"},
	{"twice", merge(`graph { initializer { name: "w" data_type: 1 dims: 1 float_data: 1 } }`),
		`initializer "w": the name occurs twice among the initializers`},
	{"nameless", merge(`graph { initializer { data_type: 1 float_data: 1 } }`), `initializer 1: it has no name`},
	{"external", weight(`data_type: 1 dims: 2 data_location: EXTERNAL external_data { key: "location" value: "a/w.bin" }`), ""},
	{"external nowhere", weight(`data_type: 1 dims: 2 data_location: EXTERNAL`), `initializer "w": it is external but has no location`},
	{"external outside", weight(`data_type: 1 dims: 2 data_location: EXTERNAL external_data { key: "location" value: "a/../../w" }`),
		`initializer "w": the location "a/../../w" of its external data is outside of the model's folder`},
	{"external absolute", weight(`data_type: 1 dims: 2 data_location: EXTERNAL external_data { key: "location" value: "/w" }`),
		`initializer "w": the location "/w" of its external data is not relative`},
	{"external with data", weight(`data_type: 1 dims: 1 float_data: 1 data_location: EXTERNAL
		external_data { key: "location" value: "w" } external_data { key: "offset" value: "-4" }`),
		"initializer \"w\": it is external and has data in float_data, too\n" +
			"initializer \"w\": the external offset \"-4\" is no length in bytes"},
	{"sparse", merge(sparse(`dims: [2, 3] indices { data_type: 7 dims: 2 int64_data: [1, 5] }`)), ""},
	{"sparse by coordinates", merge(sparse(`dims: [2, 3] indices { data_type: 7 dims: 2 dims: 2 int64_data: [0, 1, 1, 2] }`)), ""},
	{"sparse unsorted", merge(sparse(`dims: [2, 3] indices { data_type: 7 dims: 2 int64_data: [5, 1] }`)),
		`sparse initializer "s": the index of value 1 is not in ascending order`},
	{"sparse out of range", merge(sparse(`dims: [2, 3] indices { data_type: 7 dims: 2 dims: 2 int64_data: [0, 1, 1, 3] }`)),
		`sparse initializer "s": index 3 of value 1 is out of range for dimension 3`},
	{"sparse indices", merge(sparse(`dims: [2, 3] indices { data_type: 7 dims: 3 int64_data: [0, 1, 2] }`)),
		`sparse initializer "s": there are 3 indices for 2 values`},
	{"sparse index type", merge(sparse(`dims: 3 indices { data_type: 6 dims: 2 int32_data: [0, 1] }`)),
		`sparse initializer "s": the indices of a sparse tensor are int64, not int32`},
	{"sparse scalar", merge(sparse(``)),
		"sparse initializer \"s\": a sparse tensor cannot be a scalar\nsparse initializer \"s\": the sparse tensor has no indices"},
}

func sparse(text string) string {
	return `graph { sparse_initializer { values { name: "s" data_type: 1 dims: 2 float_data: [1, 2] } ` + text + `} }`
}

// branches is an If whose branches have the given nodes and compute z, and its condition.
func branches(then, els string) func(testing.TB, *onnxpb.ModelProto) {
	out := ` output { name: "z" } } }`
	return nodes(`node { op_type: "Constant" output: "c" attribute { name: "value" type: TENSOR t { data_type: 9 int32_data: 1 } } }
		node { name: "if" op_type: "If" input: "c" output: "y"
			attribute { name: "then_branch" type: GRAPH g { name: "t" ` + then + out + `
			attribute { name: "else_branch" type: GRAPH g { name: "e" ` + els + strings.ReplaceAll(out, `"z"`, `"q"`) + `}`)
}

const elseOK = `node { name: "r" op_type: "Relu" input: "x" output: "q" }`

var subgraphCases = []checkCase{
	{"outer values", branches(`node { name: "a" op_type: "Add" input: "x" input: "w" output: "z" }`, elseOK), ""},
	{"hides an outer value", branches(`node { name: "a" op_type: "Relu" input: "x" output: "w" } node { op_type: "Relu" input: "w" output: "z" }`, elseOK),
		`node "if" (If-16): then_branch: node "a" (Relu-14): output "w" hides a value of an outer graph`},
	{"undefined in a branch", branches(`node { name: "a" op_type: "Relu" input: "v" output: "z" }`, elseOK),
		`node "if" (If-16): then_branch: node "a" (Relu-14): input 0, "v", is not defined`},
	{"value of the other branch", branches(`node { name: "a" op_type: "Relu" input: "q" output: "z" }`, elseOK),
		`node "if" (If-16): then_branch: node "a" (Relu-14): input 0, "q", is not defined`},
	{"no output", branches(``, elseOK), `node "if" (If-16): then_branch: output "z": nothing in the graph computes it`},
	{"branch with inputs", branches(`input { name: "i" } node { op_type: "Relu" input: "x" output: "z" }`, elseOK),
		`node "if" (If-16): then_branch: a branch of If has no inputs, but the graph has 1`},
	{"another number of outputs", branches(`node { op_type: "Relu" input: "x" output: "z" } output { name: "z" }`, elseOK),
		`node "if" (If-16): then_branch: the graph has 2 outputs, the node 1`},
	{"type of the branches", func(t testing.TB, m *onnxpb.ModelProto) {
		branches(`node { op_type: "Shape" input: "x" output: "z" }`, `node { op_type: "Shape" input: "x" output: "q" }`)(t, m)
	}, `output "y": it is declared as tensor(float) but is tensor(int64)`},
	{"loop", nodes(`node { name: "l" op_type: "Loop" input: "" input: "" input: "x" output: "y" attribute { name: "body" type: GRAPH g { name: "b"
		input { name: "i" } input { name: "c" } input { name: "s" type { tensor_type { elem_type: 7 } } }
		node { op_type: "Identity" input: "c" output: "d" } output { name: "d" } output { name: "s" } } } }`),
		"node \"l\" (Loop-16): body: input \"s\": it is declared as tensor(int64) but receives tensor(float)\n" +
			`output "y": it is declared as tensor(float) but is tensor(int64)`},
	{"loop body", nodes(`node { name: "l" op_type: "Loop" input: "" input: "" input: "x" output: "y" attribute { name: "body" type: GRAPH g { name: "b"
		input { name: "i" } input { name: "c" } node { op_type: "Identity" input: "c" output: "d" } output { name: "d" } } } }`),
		"node \"l\" (Loop-16): body: the body has 2 inputs, not 3: iteration, condition and 1 loop-carried values\n" +
			"node \"l\" (Loop-16): body: the body has 1 outputs, not one more than the node's 1"},
}

// function makes the model call f, a function with the given content.
func function(call, content string) func(testing.TB, *onnxpb.ModelProto) {
	return func(t testing.TB, m *onnxpb.ModelProto) {
		nodes(`node { name: "call" domain: "f" op_type: "F" `+call+`}`)(t, m)
		merge(`opset_import { domain: "f" version: 1 } functions { name: "F" domain: "f" opset_import { version: 17 }
			opset_import { domain: "f" version: 1 } `+content+`}`)(t, m)
	}
}

const callOK = `input: "x" output: "y"`

var functionCases = []checkCase{
	{"call", function(callOK+`attribute { name: "to" type: INT i: 1 }`, `input: "a" output: "b" attribute: "to"
		node { op_type: "Cast" input: "a" output: "b" attribute { name: "to" type: INT ref_attr_name: "to" } }`), ""},
	{"unknown reference", function(callOK, `input: "a" output: "b"
		node { name: "n" op_type: "Cast" input: "a" output: "b" attribute { name: "to" type: INT ref_attr_name: "to" } }`),
		`function f.F: node "n" (Cast-13): attribute to refers to to, which is no attribute of the function`},
	{"too many arguments", function(`input: "x" input: "x" output: "y" output: "z"`, `input: "a" output: "b" node { op_type: "Relu" input: "a" output: "b" }`),
		"node \"call\" (f.F): it has 2 inputs, the function 1\nnode \"call\" (f.F): it has 2 outputs, the function 1"},
	{"unknown attribute", function(callOK+`attribute { name: "k" type: INT i: 1 }`, `input: "a" output: "b" node { op_type: "Relu" input: "a" output: "b" }`),
		`node "call" (f.F): the function has no attribute k`},
	{"recursion", function(callOK, `input: "a" output: "b" node { domain: "f" op_type: "F" input: "a" output: "b" }`),
		`function f.F: it calls itself: f.F → f.F`},
	{"indirect recursion", func(t testing.TB, m *onnxpb.ModelProto) {
		function(callOK, `input: "a" output: "b" node { domain: "f" op_type: "G" input: "a" output: "b" }`)(t, m)
		merge(`functions { name: "G" domain: "f" opset_import { domain: "f" version: 1 } input: "a" output: "b"
			node { domain: "f" op_type: "F" input: "a" output: "b" } }`)(t, m)
	}, `function f.F: it calls itself: f.F → f.G → f.F`},
	{"no outer values", function(callOK, `input: "a" output: "b" node { name: "n" op_type: "Add" input: "a" input: "w" output: "b" }`),
		`function f.F: node "n" (Add-14): input 1, "w", is not defined`},
	{"missing output", function(callOK, `input: "a" output: "b"`), `function f.F: nothing computes the output "b"`},
	{"repeated names", function(callOK, `input: "a" input: "a" output: "b" output: "b" attribute: "k" attribute: "k" node { op_type: "Relu" input: "a" output: "b" }`),
		"function f.F: attribute k occurs twice\nfunction f.F: input \"a\" occurs twice\nfunction f.F: output \"b\" occurs twice"},
	{"two of a name", func(t testing.TB, m *onnxpb.ModelProto) {
		f := `input: "a" output: "b" node { op_type: "Relu" input: "a" output: "b" }`
		function(callOK, f)(t, m)
		merge(`functions { name: "F" domain: "f" opset_import { version: 17 } `+f+`}`)(t, m)
	}, `function f.F: there are two of that name`},
	{"another meaning", function(callOK, `input: "a" output: "b" node { name: "n" op_type: "Relu" input: "a" output: "b" } opset_import { version: 13 }`),
		`function f.F: domain ai.onnx is imported twice, as opset 17 and 13`},
	{"older opset", func(t testing.TB, m *onnxpb.ModelProto) {
		function(callOK, `input: "a" output: "b" node { name: "n" op_type: "Relu" input: "a" output: "b" }`)(t, m)
		m.Functions[0].OpsetImport[0].Version = proto.Int64(13)
	}, `function f.F: node "n" (Relu-13): the operator differs between opset 13 of the function and 17 of the model`},
	{"old IR version", func(t testing.TB, m *onnxpb.ModelProto) {
		function(callOK, `input: "a" output: "b" node { op_type: "Relu" input: "a" output: "b" }`)(t, m)
		m.IrVersion = proto.Int64(7)
	}, `functions need IR version 8, not 7`},
	{"default", func(t testing.TB, m *onnxpb.ModelProto) {
		function(callOK, `input: "a" output: "b" attribute_proto { name: "to" type: INT i: 1 }
			node { op_type: "Cast" input: "a" output: "b" attribute { name: "to" type: INT ref_attr_name: "to" } }`)(t, m)
		m.IrVersion = proto.Int64(9)
	}, ""},
}

var checkCases = map[string][]checkCase{"model": modelCases, "node": nodeCases, "attribute": attributeCases, "tensor": tensorCases,
	"subgraph": subgraphCases, "function": functionCases}

func TestCheck(t *testing.T) {
	for group, cases := range checkCases {
		for _, tt := range cases {
			t.Run(group+"/"+tt.name, func(t *testing.T) {
				m := baseModel(t)
				tt.change(t, m)
				got := ""
				if err := Check(&Model{Proto: m}); err != nil {
					got = err.Error()
				}
				if got != tt.want {
					t.Errorf("got\n%s\nwant\n%s", got, tt.want)
				}
			})
		}
	}
}

func TestCheckLimit(t *testing.T) {
	m := baseModel(t)
	for range 300 {
		m.Graph.Node = append(m.Graph.Node, &onnxpb.NodeProto{OpType: proto.String("Relu"), Input: []string{"no"}, Output: []string{""}})
	}
	v := Violations(&Model{Proto: m})
	if len(v) != maxViolations+1 || v[maxViolations].String() != "and 500 more" {
		t.Errorf("%d violations, the last %v", len(v), v[len(v)-1])
	}
	if v := Violations(&Model{}); len(v) != 1 {
		t.Errorf("a model without content: %v", v)
	}
}
