package sequence

import (
	"strings"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

type attrs = opstest.Attrs

func vec(v ...float32) *tensor.Tensor { return tensor.Of(tensor.Shape{len(v)}, v) }

func num(n int64) *tensor.Tensor { return tensor.Scalar(n) }

func seqOf(items ...tensor.Value) *tensor.Sequence {
	e := tensor.UnrankedType(tensor.Float32)
	return &tensor.Sequence{Elem: e, Items: items}
}

func TestSequences(t *testing.T) {
	a, b, c := vec(1), vec(2, 3), vec()
	m := tensor.Of(tensor.Shape{2, 3}, []float32{0, 1, 2, 3, 4, 5})
	for _, tc := range []struct {
		name, op string
		attrs    attrs
		in       []tensor.Value
		want     []*tensor.Tensor
		err      string
	}{
		{"three", "SequenceConstruct", nil, []tensor.Value{a, b, c}, []*tensor.Tensor{a, b, c}, ""},
		{"mixed types", "SequenceConstruct", nil, []tensor.Value{a, num(1)}, nil, "element types float and int64"},
		{"empty", "SequenceEmpty", nil, nil, nil, ""},
		{"back", "SequenceInsert", nil, []tensor.Value{seqOf(a), b}, []*tensor.Tensor{a, b}, ""},
		{"front", "SequenceInsert", nil, []tensor.Value{seqOf(a, c), b, num(-2)}, []*tensor.Tensor{b, a, c}, ""},
		{"into empty", "SequenceInsert", nil, []tensor.Value{seqOf(), b, num(0)}, []*tensor.Tensor{b}, ""},
		{"beyond", "SequenceInsert", nil, []tensor.Value{seqOf(a), b, num(2)}, nil, "position 2 out of range for a sequence of 1"},
		{"other type", "SequenceInsert", nil, []tensor.Value{seqOf(a), num(1)}, nil, "int64 for a sequence of float"},
		{"last", "SequenceErase", nil, []tensor.Value{seqOf(a, b)}, []*tensor.Tensor{a}, ""},
		{"first", "SequenceErase", nil, []tensor.Value{seqOf(a, b), num(-2)}, []*tensor.Tensor{b}, ""},
		{"nothing", "SequenceErase", nil, []tensor.Value{seqOf()}, nil, "empty sequence"},
		{"beyond", "SequenceErase", nil, []tensor.Value{seqOf(a), num(1)}, nil, "position 1 out of range"},
		{"ones", "SplitToSequence", attrs{"axis": 1}, []tensor.Value{m}, []*tensor.Tensor{col(0, 3), col(1, 4), col(2, 5)}, ""},
		{"no keepdims", "SplitToSequence", attrs{"keepdims": 0}, []tensor.Value{m}, []*tensor.Tensor{vec(0, 1, 2), vec(3, 4, 5)}, ""},
		{"scalar", "SplitToSequence", attrs{"axis": -1, "keepdims": 0}, []tensor.Value{m, num(2)}, []*tensor.Tensor{tensor.Of(tensor.Shape{2, 2}, []float32{0, 1, 3, 4}), col(2, 5)}, ""},
		{"sizes", "SplitToSequence", nil, []tensor.Value{m, tensor.Vector[int32](0, 2)}, []*tensor.Tensor{tensor.Of(tensor.Shape{0, 3}, []float32{}), m}, ""},
		{"sum", "SplitToSequence", nil, []tensor.Value{m, tensor.Vector[int32](1)}, nil, "don't split length 2"},
		{"zero", "SplitToSequence", nil, []tensor.Value{m, num(0)}, nil, "split is 0"},
		{"large", "SplitToSequence", nil, []tensor.Value{m, num(1<<63 - 1)}, []*tensor.Tensor{m}, ""},
	} {
		t.Run(tc.op+" "+tc.name, func(t *testing.T) {
			got, err := opstest.Run(t, opstest.Call{Name: tc.op, Attrs: tc.attrs}, tc.in...)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("got error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s := got[0].(*tensor.Sequence)
			if len(s.Items) != len(tc.want) {
				t.Fatalf("%d items, want %d", len(s.Items), len(tc.want))
			}
			for i, w := range tc.want {
				opstest.Equal(t, s.Items[i].(*tensor.Tensor), w, 0, 0)
				if _, err := s.Elem.Merge(s.Items[i].Type()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func col(v ...float32) *tensor.Tensor { return tensor.Of(tensor.Shape{len(v), 1}, v) }

func TestSequenceToTensor(t *testing.T) {
	s := seqOf(vec(1), vec(2, 3))
	opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "SequenceAt"}, s, num(-1)), vec(2, 3), 0, 0)
	opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "SequenceLength"}, s), num(2), 0, 0)
	opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "ConcatFromSequence", Attrs: attrs{"axis": 0}}, s), vec(1, 2, 3), 0, 0)
	stack := opstest.Run1(t, opstest.Call{Name: "ConcatFromSequence", Attrs: attrs{"axis": -1, "new_axis": 1}}, seqOf(vec(1, 2), vec(3, 4)))
	opstest.Equal(t, stack, tensor.Of(tensor.Shape{2, 2}, []float32{1, 3, 2, 4}), 0, 0)
	for _, tc := range []struct {
		op    string
		attrs attrs
		in    []tensor.Value
	}{
		{"SequenceAt", nil, []tensor.Value{s, num(2)}},
		{"SequenceAt", nil, []tensor.Value{seqOf(), num(0)}},
		{"ConcatFromSequence", attrs{"axis": 0}, []tensor.Value{seqOf()}},
		{"ConcatFromSequence", attrs{"axis": 1}, []tensor.Value{s}},
		{"ConcatFromSequence", attrs{"axis": 0, "new_axis": 1}, []tensor.Value{s}},
		{"ConcatFromSequence", nil, []tensor.Value{s}},
	} {
		if _, err := opstest.Run(t, opstest.Call{Name: tc.op, Attrs: tc.attrs}, tc.in...); err == nil {
			t.Errorf("%s %v accepts %v", tc.op, tc.attrs, tc.in)
		}
	}
}

func TestOptional(t *testing.T) {
	x := vec(1)
	full, err := opstest.Run(t, opstest.Call{Name: "Optional"}, x)
	if err != nil {
		t.Fatal(err)
	}
	none, err := opstest.Run(t, opstest.Call{Name: "Optional", Attrs: attrs{"type": tensor.UnrankedType(tensor.Int64)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		in   tensor.Value
		want bool
	}{{full[0], true}, {none[0], false}, {x, true}, {seqOf(), true}, {nil, false}} {
		opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "OptionalHasElement"}, c.in), tensor.Scalar(c.want), 0, 0)
	}
	opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "OptionalGetElement"}, full[0]), x, 0, 0)
	opstest.Equal(t, opstest.Run1(t, opstest.Call{Name: "OptionalGetElement", Opset: 18}, x), x, 0, 0)
	if _, err := opstest.Run(t, opstest.Call{Name: "OptionalGetElement"}, none[0]); err == nil {
		t.Error("an empty optional has no element to get")
	}
	if _, err := opstest.Run(t, opstest.Call{Name: "Optional"}); err == nil {
		t.Error("an optional of no type is accepted")
	}
}
