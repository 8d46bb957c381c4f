package shape

import (
	"math"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func TestGather(t *testing.T) {
	x := f32(sh{2, 3})
	runCases(t, []opCase{
		{"scalar index", "Gather", 13, attrs{"axis": 1}, vals(x, tensor.Scalar(int64(-1))), outs(f32(sh{2}, 2, 5)), ""},
		{"int32", "Gather", 1, nil, vals(x, tensor.Of(sh{1, 2}, []int32{1, 0})), outs(f32(sh{1, 2, 3}, 3, 4, 5, 0, 1, 2)), ""},
		{"no indices", "Gather", 13, nil, vals(x, i64()), outs(f32(sh{0, 3})), ""},
		{"too large", "Gather", 13, attrs{"axis": 1}, vals(x, i64(0, 3)), nil, "index 3 out of range for axis 1 of length 3"},
		{"too small", "Gather", 13, nil, vals(x, i64(-3)), nil, "index -3 out of range for axis 0 of length 2"},
		{"from nothing", "Gather", 13, nil, vals(f32(sh{0, 3}), i64(0)), nil, "index 0 out of range"},
		{"float indices", "Gather", 13, nil, vals(x, f32(sh{1})), nil, "int32 or int64, not float"},
		{"axis", "Gather", 13, attrs{"axis": 2}, vals(x, i64(0)), nil, "axis 2 out of range"},
		{"example", "GatherElements", 13, attrs{"axis": 1}, vals(f32(sh{2, 2}, 1, 2, 3, 4), i64s(sh{2, 2}, 0, 0, 1, 0)), outs(f32(sh{2, 2}, 1, 1, 4, 3)), ""},
		{"fewer columns", "GatherElements", 13, nil, vals(x, i64s(sh{3, 1}, 1, -1, 0)), outs(f32(sh{3, 1}, 3, 3, 0)), ""},
		{"empty", "GatherElements", 13, nil, vals(x, i64s(sh{0, 3})), outs(f32(sh{0, 3})), ""},
		{"index", "GatherElements", 13, nil, vals(x, i64s(sh{1, 2}, 0, 2)), nil, "index 2 out of range for axis 0 of length 2"},
		{"too wide", "GatherElements", 13, nil, vals(x, i64s(sh{1, 4}, 0, 0, 0, 0)), nil, "exceed data"},
		{"rank", "GatherElements", 13, nil, vals(x, i64(0)), nil, "the ranks differ"},
		{"elements", "GatherND", 11, nil, vals(f32(sh{2, 2}), i64s(sh{2, 2}, 0, 0, 1, 1)), outs(f32(sh{2}, 0, 3)), ""},
		{"one tuple", "GatherND", 13, nil, vals(x, i64(1, -2)), outs(f32(sh{}, 4)), ""},
		{"batch", "GatherND", 12, attrs{"batch_dims": 1}, vals(f32(sh{2, 2, 2}), i64s(sh{2, 1}, 1, 0)), outs(f32(sh{2, 2}, 2, 3, 4, 5)), ""},
		{"batch of matrices", "GatherND", 12, attrs{"batch_dims": 1}, vals(f32(sh{2, 2, 2}), i64s(sh{2, 2, 1}, 1, 0, 0, 0)), outs(f32(sh{2, 2, 2}, 2, 3, 0, 1, 4, 5, 4, 5)), ""},
		{"no tuples", "GatherND", 13, nil, vals(x, i64s(sh{0, 1})), outs(f32(sh{0, 3})), ""},
		{"range", "GatherND", 13, nil, vals(x, i64s(sh{1, 2}, 0, 3)), nil, "index 3 out of range for axis 1 of length 3"},
		{"too long tuples", "GatherND", 13, nil, vals(x, i64s(sh{1, 3}, 0, 0, 0)), nil, "for rank 2"},
		{"batch of another size", "GatherND", 12, attrs{"batch_dims": 1}, vals(x, i64s(sh{3, 1}, 0, 0, 0)), nil, "batch_dims 1 for"},
		{"flat", "Compress", 11, nil, vals(x, tensor.Vector(false, true, false, false, true)), outs(f32(sh{2}, 1, 4)), ""},
		{"axis", "Compress", 9, attrs{"axis": 0}, vals(x, tensor.Vector(false, true)), outs(f32(sh{1, 3}, 3, 4, 5)), ""},
		{"none", "Compress", 11, attrs{"axis": -1}, vals(x, tensor.Vector(false)), outs(f32(sh{2, 0}, []float32{}...)), ""},
		{"beyond", "Compress", 11, attrs{"axis": 0}, vals(x, tensor.Vector(false, false, true)), nil, "index 2 out of range for axis 0"},
	})
}

func TestScatter(t *testing.T) {
	x, z := f32(sh{1, 5}, 1, 2, 3, 4, 5), f32(sh{3, 3}, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	ind := i64s(sh{1, 3}, 1, -2, 1)
	add := func(op string) attrs { return attrs{"axis": 1, "reduction": op} }
	upd := f32(sh{1, 3}, 2, 10, 3)
	runCases(t, []opCase{
		{"example", "Scatter", 9, nil, vals(z, i64s(sh{2, 3}, 1, 0, 2, 0, 2, 1), f32(sh{2, 3}, 1, 1.1, 1.2, 2, 2.1, 2.2)), outs(f32(sh{3, 3}, 2, 1.1, 0, 1, 0, 2.2, 0, 2.1, 1.2)), ""},
		{"last wins", "ScatterElements", 11, attrs{"axis": 1}, vals(x, ind, upd), outs(f32(sh{1, 5}, 1, 3, 3, 10, 5)), ""},
		{"add", "ScatterElements", 16, add("add"), vals(x, ind, upd), outs(f32(sh{1, 5}, 1, 7, 3, 14, 5)), ""},
		{"mul", "ScatterElements", 16, add("mul"), vals(x, ind, upd), outs(f32(sh{1, 5}, 1, 12, 3, 40, 5)), ""},
		{"max", "ScatterElements", 18, add("max"), vals(x, ind, upd), outs(f32(sh{1, 5}, 1, 3, 3, 10, 5)), ""},
		{"min", "ScatterElements", 18, add("min"), vals(x, ind, upd), outs(f32(sh{1, 5}, 1, 2, 3, 4, 5)), ""},
		{"max is later", "ScatterElements", 16, add("max"), vals(x, ind, upd), nil, "not one of"},
		{"range", "ScatterElements", 18, attrs{"axis": 1}, vals(x, i64s(sh{1, 1}, 5), f32(sh{1, 1})), nil, "index 5 out of range for axis 1 of length 5"},
		{"updates' shape", "ScatterElements", 18, attrs{"axis": 1}, vals(x, ind, f32(sh{1, 2})), nil, "updates of shape [1 2]"},
		{"strings", "ScatterElements", 18, nil, vals(tensor.Strings(sh{2}, []string{"a", "b"}), i64(1), tensor.Strings(sh{1}, []string{"c"})), outs(tensor.Strings(sh{2}, []string{"a", "c"})), ""},
		{"no sum of strings", "ScatterElements", 18, attrs{"reduction": "add"}, vals(tensor.Strings(sh{1}, []string{"a"}), i64(0), tensor.Strings(sh{1}, []string{"c"})), nil, "unsupported"},
		{"elements", "ScatterND", 11, nil, vals(f32(sh{4}), i64s(sh{2, 1}, 3, 0), f32(sh{2}, 8, 9)), outs(f32(sh{4}, 9, 1, 2, 8)), ""},
		{"rows twice", "ScatterND", 18, attrs{"reduction": "add"}, vals(f32(sh{2, 2}), i64s(sh{2, 1}, 1, -1), f32(sh{2, 2}, 1, 1, 10, 10)), outs(f32(sh{2, 2}, 0, 1, 13, 14)), ""},
		{"whole tensor", "ScatterND", 18, nil, vals(f32(sh{2}), i64s(sh{1, 0}), f32(sh{1, 2}, 5, 6)), outs(f32(sh{2}, 5, 6)), ""},
		{"nothing", "ScatterND", 18, nil, vals(f32(sh{2}), i64s(sh{0, 1}), f32(sh{0})), outs(f32(sh{2})), ""},
		{"range", "ScatterND", 18, nil, vals(f32(sh{2}), i64s(sh{1, 1}, 2), f32(sh{1})), nil, "index 2 out of range for axis 0 of length 2"},
		{"updates' shape", "ScatterND", 18, nil, vals(f32(sh{2, 2}), i64s(sh{1, 1}, 0), f32(sh{1})), nil, "updates of shape [1], not [1 2]"},
		{"bools", "ScatterND", 18, attrs{"reduction": "max"}, vals(tensor.Vector(false, true), i64s(sh{2, 1}, 0, 1), tensor.Vector(true, false)), outs(tensor.Vector(true, true)), ""},
		{"linear overflow", "TensorScatter", 24, attrs{"axis": 1}, vals(f32(sh{1, 3}), f32(sh{1, 2}), i64(2)), nil, "write index 2 with 2 rows"},
		{"batch axis", "TensorScatter", 24, attrs{"axis": 0}, vals(f32(sh{1, 3}), f32(sh{1, 2})), nil, "axis 0"},
		{"no indices", "TensorScatter", 24, attrs{"axis": 1}, vals(f32(sh{1, 3}), f32(sh{1, 2}, 7, 8)), outs(f32(sh{1, 3}, 7, 8, 2)), ""},
		{"indices per sample", "TensorScatter", 24, attrs{"axis": 1}, vals(f32(sh{2, 3}), f32(sh{2, 1}, 7, 8), i64(0)), nil, "1 write indices for a batch of 2"},
	})
	half := tensor.Of(sh{2}, []tensor.F16{tensor.ToF16(1), tensor.ToF16(2)})
	got := opstest.Run1(t, opstest.Call{Name: "ScatterND", Attrs: attrs{"reduction": "add"}}, half, i64s(sh{1, 1}, 1), tensor.Of(sh{1}, []tensor.F16{tensor.ToF16(0.5)}))
	opstest.Equal(t, got, tensor.Of(sh{2}, []tensor.F16{tensor.ToF16(1), tensor.ToF16(2.5)}), 0, 0)
}

func TestOneHotNonZero(t *testing.T) {
	onOff := f32(sh{2}, 0, 1)
	nan := float32(math.NaN())
	runCases(t, []opCase{
		{"out of range", "OneHot", 11, nil, vals(i64(0, 3, -1, -4), tensor.Scalar(int64(3)), onOff), outs(f32(sh{4, 3}, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0)), ""},
		{"negative in opset 9", "OneHot", 9, nil, vals(i64(1, -1), i64(2), onOff), outs(f32(sh{2, 2}, 0, 1, 0, 0)), ""},
		{"axis 0, float indices and depth", "OneHot", 11, attrs{"axis": 0}, vals(f32(sh{2}, 1.5, 0), f32(sh{}, 2), onOff), outs(f32(sh{2, 2}, 0, 1, 1, 0)), ""},
		{"axis between", "OneHot", 11, attrs{"axis": 1}, vals(i64s(sh{1, 2}, 1, 0), i64(2), onOff), outs(f32(sh{1, 2, 2}, 0, 1, 1, 0)), ""},
		{"negative depth", "OneHot", 11, nil, vals(i64(0), i64(-1), onOff), nil, "depth is [-1]"},
		{"axis", "OneHot", 11, attrs{"axis": 2}, vals(i64(0), i64(1), onOff), nil, "axis 2 out of range"},
		{"floats", "NonZero", 13, nil, vals(f32(sh{2, 2}, 1, 0, nan, float32(math.Copysign(0, -1)))), outs(i64s(sh{2, 2}, 0, 1, 0, 0)), ""},
		{"scalar", "NonZero", 13, nil, vals(tensor.Scalar(true)), outs(i64s(sh{0, 1})), ""},
		{"none", "NonZero", 9, nil, vals(tensor.Vector(false)), outs(i64s(sh{1, 0})), ""},
		{"strings", "NonZero", 13, nil, vals(tensor.Strings(sh{3}, []string{"", "a", ""})), outs(i64s(sh{1, 1}, 1)), ""},
		{"negative zero of 16 bits", "NonZero", 13, nil, vals(tensor.Of(sh{2}, []tensor.F16{0x8000, 0x8001})), outs(i64s(sh{1, 1}, 1)), ""},
		{"rank", "Trilu", 14, nil, vals(f32(sh{3})), nil, "rank 1, less than 2"},
		{"lower", "Trilu", 14, attrs{"upper": 0}, vals(f32(sh{2, 2, 2}, 1, 2, 3, 4, 5, 6, 7, 8)), outs(f32(sh{2, 2, 2}, 1, 0, 3, 4, 5, 0, 7, 8)), ""},
		{"beyond", "Trilu", 14, nil, vals(f32(sh{2, 2}, 1, 2, 3, 4), tensor.Scalar(int64(math.MaxInt64))), outs(f32(sh{2, 2}, 0, 0, 0, 0)), ""},
		{"below", "Trilu", 14, nil, vals(f32(sh{2, 2}, 1, 2, 3, 4), tensor.Scalar(int64(math.MinInt64))), outs(f32(sh{2, 2}, 1, 2, 3, 4)), ""},
	})
}
