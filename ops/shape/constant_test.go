package shape

import (
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func TestConstant(t *testing.T) {
	runCases(t, []opCase{
		{"value", "Constant", 1, attrs{"value": f32(sh{2})}, nil, outs(f32(sh{2})), ""},
		{"sparse", "Constant", 11, attrs{"sparse_value": f32(sh{2})}, nil, outs(f32(sh{2})), ""},
		{"float", "Constant", 12, attrs{"value_float": 1.5}, nil, outs(f32(sh{}, 1.5)), ""},
		{"floats", "Constant", 12, attrs{"value_floats": []float64{1, 2}}, nil, outs(f32(sh{2}, 1, 2)), ""},
		{"int", "Constant", 12, attrs{"value_int": 3}, nil, outs(tensor.Scalar(int64(3))), ""},
		{"ints", "Constant", 12, attrs{"value_ints": []int{3, 4}}, nil, outs(i64(3, 4)), ""},
		{"string", "Constant", 12, attrs{"value_string": "a"}, nil, outs(tensor.Strings(nil, []string{"a"})), ""},
		{"strings", "Constant", 12, attrs{"value_strings": []string{"a", "b"}}, nil, outs(tensor.Strings(sh{2}, []string{"a", "b"})), ""},
		{"none", "Constant", 12, nil, nil, nil, "0 attributes with a value"},
		{"two", "Constant", 12, attrs{"value_int": 3, "value_float": 1.0}, nil, nil, "2 attributes with a value"},
		{"default value", "ConstantOfShape", 9, nil, vals(i64(2, 2)), outs(f32(sh{2, 2}, 0, 0, 0, 0)), ""},
		{"ones", "ConstantOfShape", 9, attrs{"value": i64(1)}, vals(i64(3)), outs(i64(1, 1, 1)), ""},
		{"scalar", "ConstantOfShape", 9, nil, vals(i64()), outs(f32(sh{}, 0)), ""},
		{"empty", "ConstantOfShape", 9, nil, vals(i64(0)), outs(f32(sh{0})), ""},
		{"value's size", "ConstantOfShape", 9, attrs{"value": i64(1, 2)}, vals(i64(3)), nil, "2 elements, not 1"},
		{"default", "EyeLike", 9, nil, vals(f32(sh{2, 3})), outs(f32(sh{2, 3}, 1, 0, 0, 0, 1, 0)), ""},
		{"above", "EyeLike", 9, attrs{"k": 2}, vals(f32(sh{2, 3})), outs(f32(sh{2, 3}, 0, 0, 1, 0, 0, 0)), ""},
		{"below", "EyeLike", 22, attrs{"k": -1, "dtype": tensor.Int64}, vals(f32(sh{3, 2})), outs(i64s(sh{3, 2}, 0, 0, 1, 0, 0, 1)), ""},
		{"outside", "EyeLike", 9, attrs{"k": -1 << 62}, vals(f32(sh{1, 1})), outs(f32(sh{1, 1}, 0)), ""},
		{"rank", "EyeLike", 9, nil, vals(f32(sh{2})), nil, "rank 1, not 2"},
		{"start", "Shape", 15, attrs{"start": -1}, vals(f32(sh{2, 3})), outs(i64(3)), ""},
		{"end", "Shape", 15, attrs{"start": -9, "end": 1}, vals(f32(sh{2, 3})), outs(i64(2)), ""},
		{"start after end", "Shape", 15, attrs{"start": 2, "end": 1}, vals(f32(sh{2, 3})), outs(i64()), ""},
		{"scalar", "Shape", 1, nil, vals(f32(sh{})), outs(i64()), ""},
		{"scalar", "Size", 13, nil, vals(f32(sh{})), outs(tensor.Scalar(int64(1))), ""},
	})
	if _, err := opstest.Run(t, opstest.Call{Name: "ConstantOfShape"}, i64(-1)); err == nil {
		t.Error("a negative dimension is accepted")
	}
}

func TestRange(t *testing.T) {
	f := func(v float32) *tensor.Tensor { return tensor.Scalar(v) }
	i := func(v int64) *tensor.Tensor { return tensor.Scalar(v) }
	h := func(v float32) *tensor.Tensor { return tensor.Scalar(tensor.ToF16(v)) }
	runCases(t, []opCase{
		{"up", "Range", 11, nil, vals(i(3), i(9), i(3)), outs(i64(3, 6)), ""},
		{"down", "Range", 11, nil, vals(i(10), i(4), i(-2)), outs(i64(10, 8, 6)), ""},
		{"nothing", "Range", 11, nil, vals(i(4), i(4), i(1)), outs(i64()), ""},
		{"wrong way", "Range", 11, nil, vals(i(4), i(9), i(-1)), outs(i64()), ""},
		{"part of a step", "Range", 11, nil, vals(f(0), f(1), f(0.4)), outs(f32(sh{3}, 0, 0.4, 0.8)), ""},
		{"int16", "Range", 11, nil, vals(tensor.Scalar(int16(1)), tensor.Scalar(int16(3)), tensor.Scalar(int16(1))), outs(tensor.Vector(int16(1), int16(2))), ""},
		{"float16", "Range", 27, nil, vals(h(0), h(1), h(0.5)), outs(tensor.Vector(tensor.ToF16(0), tensor.ToF16(0.5))), ""},
		{"stash in double", "Range", 27, attrs{"stash_type": 11}, vals(h(0), h(1), h(0.5)), outs(tensor.Vector(tensor.ToF16(0), tensor.ToF16(0.5))), ""},
		{"delta 0", "Range", 11, nil, vals(i(0), i(9), i(0)), nil, "delta is 0"},
		{"delta 0.0", "Range", 11, nil, vals(f(0), f(9), f(0)), nil, "range of +Inf elements"},
		{"too long", "Range", 11, nil, vals(i(-1<<63), i(1<<63-1), i(1)), nil, "elements"},
	})
	got := inferCall(t, opstest.Call{Name: "Range"}, scalarOf(tensor.Int(0)), scalarOf(tensor.Sym("s")), scalarOf(tensor.Int(1)))
	if s := got[0].Type.String(); s != "int64[s]" {
		t.Errorf("Range infers %s", s)
	}
	got = inferCall(t, opstest.Call{Name: "Range"}, scalarOf(tensor.Sym("past")), scalarOf(tensor.Sym("past").AddInt(2)), scalarOf(tensor.Int(1)))
	if s := intsString(got[0].Ints); s != "[past,past + 1]" {
		t.Errorf("Range infers the elements %s", s)
	}
}

func scalarOf(d tensor.Dim) ops.Info {
	return ops.Info{Type: tensor.TensorType(tensor.Int64), Ints: []tensor.Dim{d}}
}
