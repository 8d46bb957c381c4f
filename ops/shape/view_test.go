package shape

import (
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func TestViews(t *testing.T) {
	x := f32(sh{2, 3, 4})
	runCases(t, []opCase{
		{"minus one", "Reshape", 14, nil, vals(x, i64(4, -1)), outs(f32(sh{4, 6})), ""},
		{"copy and minus one", "Reshape", 14, nil, vals(x, i64(0, -1)), outs(f32(sh{2, 12})), ""},
		{"attribute", "Reshape", 1, attrs{"shape": []int{-1, 2}}, vals(x), outs(f32(sh{12, 2})), ""},
		{"to scalar", "Reshape", 14, nil, vals(f32(sh{1}), i64()), outs(f32(sh{})), ""},
		{"empty copy", "Reshape", 14, nil, vals(f32(sh{0, 3}), i64(0, -1)), outs(f32(sh{0, 3})), ""},
		{"allowzero", "Reshape", 14, attrs{"allowzero": 1}, vals(f32(sh{0, 3}), i64(3, 0)), outs(f32(sh{3, 0})), ""},
		{"allowzero with open", "Reshape", 14, attrs{"allowzero": 1}, vals(f32(sh{0, 3}), i64(-1, 0)), nil, "can't be reshaped"},
		{"two open", "Reshape", 14, nil, vals(x, i64(-1, -1)), nil, "more than one -1"},
		{"wrong size", "Reshape", 14, nil, vals(x, i64(5, 5)), nil, "shape [2 3 4] can't be reshaped to [5 5]"},
		{"indivisible", "Reshape", 14, nil, vals(x, i64(5, -1)), nil, "can't be reshaped"},
		{"negative", "Reshape", 14, nil, vals(x, i64(-2, 3)), nil, "negative dimension"},
		{"copy beyond rank", "Reshape", 14, nil, vals(x, i64(2, 3, 4, 0)), nil, "copies dimension 3"},
		{"overflow", "Reshape", 14, nil, vals(x, i64(1<<40, 1<<40)), nil, "can't be reshaped"},
		{"default", "Flatten", 13, nil, vals(x), outs(f32(sh{2, 12})), ""},
		{"axis 0", "Flatten", 13, attrs{"axis": 0}, vals(x), outs(f32(sh{1, 24})), ""},
		{"axis rank", "Flatten", 13, attrs{"axis": 3}, vals(x), outs(f32(sh{24, 1})), ""},
		{"negative", "Flatten", 13, attrs{"axis": -1}, vals(x), outs(f32(sh{6, 4})), ""},
		{"out of range", "Flatten", 13, attrs{"axis": 4}, vals(x), nil, "axis 4 out of range"},
		{"all", "Squeeze", 13, nil, vals(f32(sh{1, 3, 1})), outs(f32(sh{3})), ""},
		{"negative axis", "Squeeze", 13, nil, vals(f32(sh{1, 3, 1}), i64(-1)), outs(f32(sh{1, 3})), ""},
		{"attribute", "Squeeze", 1, attrs{"axes": []int{0}}, vals(f32(sh{1, 3, 1})), outs(f32(sh{3, 1})), ""},
		{"not one", "Squeeze", 13, nil, vals(f32(sh{1, 3}), i64(1)), nil, "axis 1 has length 3, not 1"},
		{"bad axis", "Squeeze", 13, nil, vals(f32(sh{1, 3}), i64(2)), nil, "axis 2 out of range"},
		{"unsorted", "Unsqueeze", 13, nil, vals(f32(sh{2, 3}), i64(4, 0, -2)), outs(f32(sh{1, 2, 3, 1, 1})), ""},
		{"unsorted axes", "Unsqueeze", 13, nil, vals(f32(sh{2, 3}), i64(4, 0, 2)), outs(f32(sh{1, 2, 1, 3, 1})), ""},
		{"attribute", "Unsqueeze", 11, attrs{"axes": []int{-1}}, vals(f32(sh{2, 3})), outs(f32(sh{2, 3, 1})), ""},
		{"scalar", "Unsqueeze", 13, nil, vals(f32(sh{}), i64(0)), outs(f32(sh{1})), ""},
		{"repeated", "Unsqueeze", 13, nil, vals(f32(sh{2}), i64(0, 0)), nil, "axis 0 is repeated"},
	})
}

func TestIdentityPassesValues(t *testing.T) {
	seq := &tensor.Sequence{Elem: tensor.UnrankedType(tensor.Int64), Items: []tensor.Value{i64(1)}}
	got, err := opstest.Run(t, opstest.Call{Name: "Identity"}, seq)
	if err != nil || got[0] != tensor.Value(seq) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestReshapeInfer(t *testing.T) {
	n, s := tensor.Sym("n"), tensor.Sym("s")
	for _, c := range []struct {
		name string
		in   ops.Info
		to   ops.Info
		want string
	}{
		{"heads", typ(tensor.Float32, "n", "s", 768), elems("n", "s", 12, 64), "float[n,s,12,64]"},
		{"open head", typ(tensor.Float32, "n", "s", 768), elems(0, 0, 12, -1), "float[n,s,12,64]"},
		{"merge", typ(tensor.Float32, "n", "s", 12, 64), elems(0, 0, -1), "float[n,s,768]"},
		{"flatten", typ(tensor.Float32, "n", "s", 768), elems(-1, 768), "float[n*s,768]"},
		{"unflatten", typ(tensor.Float32, n.Mul(s), 768), elems("n", -1, 768), "float[n,s,768]"},
		{"unknown dim copied", typ(tensor.Float32, "?", 4, 6), elems(0, -1), "float[?,24]"},
		{"unknown element", typ(tensor.Float32, "n", 6), elems("?", 3), "float[2*n,3]"},
		{"two unknown elements", typ(tensor.Float32, "n", 6), elems("?", "?"), "float[?,?]"},
		{"unknown rank", ops.Info{Type: tensor.UnrankedType(tensor.Float32)}, elems(0, 3, -1), "float[?,3,?]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := inferCall(t, opstest.Call{Name: "Reshape"}, c.in, c.to)[0].Type.String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestShapeArithmetic follows Shape → Gather → Unsqueeze → Concat → Slice → Squeeze.
func TestShapeArithmetic(t *testing.T) {
	call := func(name string, attrs attrs, in ...ops.Info) ops.Info {
		t.Helper()
		return inferCall(t, opstest.Call{Name: name, Attrs: attrs}, in...)[0]
	}
	konst := func(x *tensor.Tensor) ops.Info { return ops.Info{Type: x.Type(), Const: x} }
	shape := call("Shape", nil, typ(tensor.Float32, "n", 3, "h", "w"))
	h := call("Gather", nil, shape, konst(tensor.Scalar(int64(-2))))
	if intsString(h.Ints) != "[h]" || h.Type.String() != "int64[]" {
		t.Fatalf("Gather: %v %v", h.Type, intsString(h.Ints))
	}
	h1 := call("Unsqueeze", nil, h, konst(i64(0)))
	all := call("Concat", attrs{"axis": 0}, shape, h1, konst(i64(7)))
	if intsString(all.Ints) != "[n,3,h,w,h,7]" {
		t.Fatalf("Concat: %v", intsString(all.Ints))
	}
	back := call("Slice", nil, all, konst(i64(-1)), konst(i64(-1<<62)), konst(i64(0)), konst(i64(-2)))
	if intsString(back.Ints) != "[7,w,3]" {
		t.Fatalf("Slice: %v", intsString(back.Ints))
	}
	if got := call("Squeeze", nil, h1); intsString(got.Ints) != "[h]" {
		t.Fatalf("Squeeze: %v", intsString(got.Ints))
	}
	if got := call("ConstantOfShape", nil, all).Type.String(); got != "float[n,3,h,w,h,7]" {
		t.Errorf("ConstantOfShape: %v", got)
	}
	if got := call("Size", nil, typ(tensor.Float32, "n", 3, "h")); intsString(got.Ints) != "[3*h*n]" {
		t.Errorf("Size: %v", intsString(got.Ints))
	}
	parts := inferCall(t, opstest.Call{Name: "Split", Outputs: 2}, all, konst(i64(2, 4)))
	if intsString(parts[1].Ints) != "[h,w,h,7]" {
		t.Errorf("Split: %v", intsString(parts[1].Ints))
	}
}
