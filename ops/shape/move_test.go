package shape

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

// gatherRef checks that element i of got is element from(index of i) of x, for any element type.
func gatherRef(t *testing.T, got, x *tensor.Tensor, shape sh, from func(at []int) int) {
	t.Helper()
	if got.DType() != x.DType() || !got.Shape().Equal(shape) {
		t.Fatalf("got %v, want %v%v", got, x.DType(), shape)
	}
	at := make([]int, len(shape))
	for i := range got.Len() {
		o := i
		for a := len(shape) - 1; a >= 0; a-- {
			at[a] = o % shape[a]
			o /= shape[a]
		}
		if cell(got, i) != cell(x, from(at)) {
			t.Fatalf("%v: element %v is wrong", x.DType(), at)
		}
	}
	if d := got.DType(); d.Packed() && got.Len()*d.Bits()%8 != 0 {
		if last := got.Bytes()[len(got.Bytes())-1]; last>>(got.Len()*d.Bits()%8) != 0 {
			t.Errorf("%v: padding bits of the last byte are set", d)
		}
	}
}

// TestEveryType moves every element type through each way of moving.
func TestEveryType(t *testing.T) {
	for _, d := range tensor.DTypes() {
		x := anyTensor(d, 3, 5, 7)
		off := func(i, j, k int) int { return (i*5+j)*7 + k }
		one := func(name string, a attrs, in ...tensor.Value) *tensor.Tensor {
			t.Helper()
			return opstest.Run1(t, opstest.Call{Name: name, Attrs: a}, in...)
		}
		gatherRef(t, one("Transpose", attrs{"perm": []int{2, 0, 1}}, x), x, sh{7, 3, 5}, func(at []int) int { return off(at[1], at[2], at[0]) })
		gatherRef(t, one("Slice", nil, x, i64(-1, 1), i64(-9, 4), i64(2, 1), i64(-2, 1)), x, sh{3, 3, 4}, func(at []int) int { return off(at[0], at[1]+1, 6-2*at[2]) })
		gatherRef(t, one("Concat", attrs{"axis": 1}, x, x), x, sh{3, 10, 7}, func(at []int) int { return off(at[0], at[1]%5, at[2]) })
		gatherRef(t, one("Gather", attrs{"axis": 1}, x, i64(4, -5, 0)), x, sh{3, 3, 7}, func(at []int) int { return off(at[0], []int{4, 0, 0}[at[1]], at[2]) })
		gatherRef(t, one("Expand", nil, x, i64(2, 1, 5, 1)), x, sh{2, 3, 5, 7}, func(at []int) int { return off(at[1], at[2], at[3]) })
		gatherRef(t, one("Tile", nil, x, i64(1, 2, 3)), x, sh{3, 10, 21}, func(at []int) int { return off(at[0], at[1]%5, at[2]%7) })
		gatherRef(t, one("Pad", attrs{"mode": "edge"}, x, i64(0, 1, 0, 0, 0, 2)), x, sh{3, 6, 9}, func(at []int) int { return off(at[0], max(at[1]-1, 0), min(at[2], 6)) })
		gatherRef(t, one("GatherND", nil, x, i64s(sh{2, 2}, 2, -1, 0, 3)), x, sh{2, 7}, func(at []int) int { return off(2-2*at[0], 4-at[0], at[1]) })
		ge := i64s(sh{1, 5, 2}, 6, 0, 1, -7, -1, 2, 3, 3, 4, 5)
		gatherRef(t, one("GatherElements", attrs{"axis": 2}, x, ge), x, sh{1, 5, 2}, func(at []int) int {
			return off(at[0], at[1], int(ge.Int64()[at[1]*2+at[2]]+7)%7)
		})
		upd := one("Slice", nil, x, i64(0), i64(1))
		gatherRef(t, one("ScatterND", nil, x, i64s(sh{1, 1}, 2), upd), x, sh{3, 5, 7}, func(at []int) int { return off(at[0]%2, at[1], at[2]) })
		same := i64s(sh{1, 5, 7}, make([]int64, 35)...)
		for i := range same.Int64() {
			same.Int64()[i] = 2
		}
		gatherRef(t, one("ScatterElements", nil, x, same, upd), x, sh{3, 5, 7}, func(at []int) int { return off(at[0]%2, at[1], at[2]) })
		gatherRef(t, one("Compress", attrs{"axis": 2}, x, tensor.Of(sh{3}, []bool{true, false, true})), x, sh{3, 5, 2}, func(at []int) int { return off(at[0], at[1], 2*at[2]) })
		parts, err := opstest.Run(t, opstest.Call{Name: "Split", Attrs: attrs{"axis": 2}, Outputs: 2}, x, i64(3, 4))
		if err != nil {
			t.Fatal(err)
		}
		gatherRef(t, parts[1].(*tensor.Tensor), x, sh{3, 5, 4}, func(at []int) int { return off(at[0], at[1], 3+at[2]) })
		rows, _ := opstest.Run(t, opstest.Call{Name: "Split", Outputs: 3}, x)
		gatherRef(t, rows[2].(*tensor.Tensor), x, sh{1, 5, 7}, func(at []int) int { return off(2, at[1], at[2]) })
		gatherRef(t, one("ReverseSequence", nil, x, i64(3, 1, 2, 0, 1)), x, sh{3, 5, 7}, func(at []int) int {
			if n := []int{3, 1, 2, 0, 1}[at[1]]; at[0] < n {
				return off(n-1-at[0], at[1], at[2])
			}
			return off(at[0], at[1], at[2])
		})
		gatherRef(t, one("TensorScatter", attrs{"mode": "circular", "axis": 1}, x, one("Slice", nil, x, i64(0), i64(2), i64(1)), i64(4, 0, -2)), x, sh{3, 5, 7}, func(at []int) int {
			if k := (at[1] - []int{4, 0, 3}[at[0]] + 5) % 5; k < 2 {
				return off(at[0], k, at[2])
			}
			return off(at[0], at[1], at[2])
		})
		if u := one("Trilu", nil, x, tensor.Scalar(int64(1))); cell(u, off(1, 2, 3)) != cell(x, off(1, 2, 3)) || cell(u, off(1, 2, 2)) != cell(tensor.New(d, 1), 0) {
			t.Errorf("%v: Trilu", d)
		}
		gatherRef(t, one("CenterCropPad", attrs{"axes": []int{1, -1}}, x, i64(2, 4)), x, sh{3, 2, 4}, func(at []int) int { return off(at[0], at[1]+1, at[2]+1) })
		gatherRef(t, one("ConstantOfShape", attrs{"value": anyTensor(d, 1)}, i64(2, 3)), anyTensor(d, 1), sh{2, 3}, func([]int) int { return 0 })
		gatherRef(t, one("OneHot", nil, i64(1, 0), i64(2), anyTensor(d, 2)), anyTensor(d, 2), sh{2, 2}, func(at []int) int { return (at[0] + at[1]) % 2 })
	}
}

func TestTranspose(t *testing.T) {
	rng := rand.New(rand.NewSource(3))
	for range 60 {
		rank := rng.Intn(6)
		s := make(sh, rank)
		for i := range s {
			s[i] = []int{1, 2, 3, 4, 9, 33}[rng.Intn(6)]
		}
		if s.Size() > 1<<16 {
			continue
		}
		x, perm := anyTensor([]tensor.DType{tensor.Uint8, tensor.Float16, tensor.Float32, tensor.Int64, tensor.Complex128}[rng.Intn(5)], s...), rng.Perm(rank)
		want, st := make(sh, rank), s.Strides()
		for i, p := range perm {
			want[i] = s[p]
		}
		got := opstest.Run1(t, opstest.Call{Name: "Transpose", Attrs: attrs{"perm": perm}}, x)
		gatherRef(t, got, x, want, func(at []int) int {
			o := 0
			for i, p := range perm {
				o += at[i] * st[p]
			}
			return o
		})
	}
	runCases(t, []opCase{
		{"default", "Transpose", 1, nil, vals(f32(sh{2, 3})), outs(f32(sh{3, 2}, 0, 3, 1, 4, 2, 5)), ""},
		{"scalar", "Transpose", 13, nil, vals(f32(sh{})), outs(f32(sh{})), ""},
		{"empty", "Transpose", 13, nil, vals(f32(sh{2, 0, 3})), outs(f32(sh{3, 0, 2})), ""},
		{"repeated", "Transpose", 13, attrs{"perm": []int{0, 0}}, vals(f32(sh{2, 3})), nil, "axis 0 is repeated"},
		{"wrong rank", "Transpose", 13, attrs{"perm": []int{0}}, vals(f32(sh{2, 3})), nil, "perm [0] does not fit rank 2"},
		{"crd", "DepthToSpace", 13, attrs{"blocksize": 2, "mode": "CRD"}, vals(f32(sh{1, 4, 1, 2})), outs(f32(sh{1, 1, 2, 4}, 0, 2, 1, 3, 4, 6, 5, 7)), ""},
		{"dcr", "DepthToSpace", 1, attrs{"blocksize": 2}, vals(f32(sh{1, 8, 1, 1})), outs(f32(sh{1, 2, 2, 2}, 0, 2, 4, 6, 1, 3, 5, 7)), ""},
		{"indivisible", "DepthToSpace", 13, attrs{"blocksize": 3}, vals(f32(sh{1, 4, 1, 2})), nil, "no multiple"},
		{"no block", "DepthToSpace", 13, nil, vals(f32(sh{1, 4, 1, 2})), nil, "blocksize is 0"},
		{"example", "SpaceToDepth", 13, attrs{"blocksize": 2}, vals(f32(sh{1, 1, 2, 4})), outs(f32(sh{1, 4, 1, 2}, 0, 2, 1, 3, 4, 6, 5, 7)), ""},
		{"rank", "SpaceToDepth", 13, attrs{"blocksize": 2}, vals(f32(sh{2, 4})), nil, "rank 2, not 4"},
	})
}

func TestConcatSplit(t *testing.T) {
	x := f32(sh{2, 5})
	runCases(t, []opCase{
		{"opset 1 default axis", "Concat", 1, nil, vals(f32(sh{1, 2}), f32(sh{1, 1}, 9)), outs(f32(sh{1, 3}, 0, 1, 9)), ""},
		{"axis required", "Concat", 4, nil, vals(x), nil, "axis is missing"},
		{"empty part", "Concat", 13, attrs{"axis": -1}, vals(x, f32(sh{2, 0})), outs(x), ""},
		{"other dims differ", "Concat", 13, attrs{"axis": 1}, vals(x, f32(sh{3, 5})), nil, "along axis 0"},
		{"ranks differ", "Concat", 13, attrs{"axis": 1}, vals(x, f32(sh{5})), nil, "ranks 2 and 1"},
		{"scalars", "Concat", 13, attrs{"axis": 0}, vals(f32(sh{}), f32(sh{})), nil, "out of range"},
		{"uneven", "Split", 18, attrs{"axis": 1, "num_outputs": 2}, vals(x), outs(f32(sh{2, 3}, 0, 1, 2, 5, 6, 7), f32(sh{2, 2}, 3, 4, 8, 9)), ""},
		{"uneven leaves nothing", "Split", 18, attrs{"num_outputs": 4}, vals(f32(sh{5})), outs(f32(sh{2}, 0, 1), f32(sh{2}, 2, 3), f32(sh{1}, 4), f32(sh{0}, []float32{}...)), ""},
		{"attribute", "Split", 2, attrs{"axis": -1, "split": []int{4, 1}}, vals(x), outs(f32(sh{2, 4}, 0, 1, 2, 3, 5, 6, 7, 8), f32(sh{2, 1}, 4, 9)), ""},
		{"input of the data's type", "Split", 1, attrs{"axis": 1}, vals(x, f32(sh{2}, 5, 0)), outs(x, f32(sh{2, 0}, []float32{}...)), ""},
		{"equal must divide", "Split", 13, attrs{"axis": 1}, vals(x), outs(x, x), "length 5 is not divisible by 2 outputs"},
		{"sum", "Split", 13, attrs{"axis": 1}, vals(x, i64(1, 2)), outs(x, x), "sizes [1 2] don't split length 5"},
		{"negative size", "Split", 13, attrs{"axis": 1}, vals(x, i64(7, -2)), outs(x, x), "don't split"},
		{"number of sizes", "Split", 13, attrs{"axis": 1}, vals(x, i64(5)), outs(x, x), "1 sizes for 2 outputs"},
		{"number of outputs", "Split", 18, attrs{"num_outputs": 3}, vals(x), outs(x, x), "num_outputs is 3 for 2 outputs"},
	})
	got := inferCall(t, opstest.Call{Name: "Split", Attrs: attrs{"axis": -1}, Outputs: 3}, typ(tensor.Float32, "n", tensor.Sym("h").Mul(tensor.Int(3))))
	if s := got[2].Type.String(); s != "float[n,h]" {
		t.Errorf("Split infers %s", s)
	}
}

func TestSlice(t *testing.T) {
	x := f32(sh{2, 4})
	lo, hi := int64(-1<<63), int64(1<<63-1)
	runCases(t, []opCase{
		{"attributes", "Slice", 1, attrs{"starts": []int{0, 1}, "ends": []int{-1, 1000}}, vals(x), outs(f32(sh{1, 3}, 1, 2, 3)), ""},
		{"attribute axes", "Slice", 1, attrs{"starts": []int{-2}, "ends": []int{9}, "axes": []int{1}}, vals(x), outs(f32(sh{2, 2}, 2, 3, 6, 7)), ""},
		{"steps", "Slice", 13, nil, vals(x, i64(1, 0), i64(2, 3), i64(0, 1), i64(1, 2)), outs(f32(sh{1, 2}, 4, 6)), ""},
		{"reversed", "Slice", 13, nil, vals(x, i64(-1), i64(lo), i64(1), i64(-1)), outs(f32(sh{2, 4}, 3, 2, 1, 0, 7, 6, 5, 4)), ""},
		{"extreme steps", "Slice", 13, nil, vals(x, i64(hi, 0), i64(lo, hi), i64(1, 0), i64(lo, hi)), outs(f32(sh{1, 1}, 3)), ""},
		{"int32", "Slice", 13, nil, vals(x, tensor.Vector(int32(1)), tensor.Vector(int32(2)), tensor.Vector(int32(-2))), outs(f32(sh{1, 4}, 4, 5, 6, 7)), ""},
		{"nothing", "Slice", 13, nil, vals(x, i64(3), i64(1), i64(1)), outs(f32(sh{2, 0}, []float32{}...)), ""},
		{"backward from an empty axis", "Slice", 13, nil, vals(f32(sh{0, 2}), i64(-1), i64(lo), i64(0), i64(-1)), outs(f32(sh{0, 2})), ""},
		{"step 0", "Slice", 13, nil, vals(x, i64(0), i64(1), i64(0), i64(0)), nil, "step 0"},
		{"bad axis", "Slice", 13, nil, vals(x, i64(0), i64(1), i64(2)), nil, "axis 2 out of range"},
		{"too many", "Slice", 13, nil, vals(x, i64(0, 0, 0), i64(1, 1, 1)), nil, "3 starts for rank 2"},
		{"counts differ", "Slice", 10, nil, vals(x, i64(0), i64(1), i64(0, 1)), nil, "2 axes for 1 starts"},
	})
	for _, c := range []struct {
		start, end, step any
		want             string
	}{
		{0, 1 << 40, 1, "float[s]"},
		{0, "s", 1, "float[s]"},
		{1, 1 << 40, 1, "float[max(s - 1, 0)]"},
		{0, -1, 1, "float[max(s - 1, 0)]"},
		{0, 1 << 40, 2, "float[floor((s + 1)/(2))]"},
		{0, "t", 1, "float[min(s, t)]"},
		{-3, 1 << 40, 1, "float[min(s, 3)]"},
		{2, 1, 1, "float[max(min(s, 1) - min(s, 2), 0)]"},
		{-1, -(1 << 40), -1, "float[s]"},
		{0, "?", 1, "float[?]"},
		{0, 3, "?", "float[?]"},
	} {
		got := inferCall(t, opstest.Call{Name: "Slice"}, typ(tensor.Float32, "s"), elems(c.start), elems(c.end), ops.Info{Type: tensor.TensorType(tensor.Int64, tensor.Int(1)), Const: i64(0)}, elems(c.step))
		if s := got[0].Type.String(); s != c.want {
			t.Errorf("[%v:%v:%v] infers %s, want %s", c.start, c.end, c.step, s, c.want)
		}
	}
}

func TestExpandTile(t *testing.T) {
	x := f32(sh{2, 1}, 5, 7)
	runCases(t, []opCase{
		{"both ways", "Expand", 13, nil, vals(x, i64(3, 1, 2)), outs(f32(sh{3, 2, 2}, 5, 5, 7, 7, 5, 5, 7, 7, 5, 5, 7, 7)), ""},
		{"view", "Expand", 8, nil, vals(x, i64(1, 2, 1)), outs(f32(sh{1, 2, 1}, 5, 7)), ""},
		{"to nothing", "Expand", 13, nil, vals(x, i64(2, 0)), outs(f32(sh{2, 0}, []float32{}...)), ""},
		{"scalar", "Expand", 13, nil, vals(f32(sh{}, 4), i64()), outs(f32(sh{}, 4)), ""},
		{"mismatch", "Expand", 13, nil, vals(x, i64(3, 1)), nil, "broadcast"},
	})
	runCases(t, []opCase{
		{"opset 1", "Tile", 1, nil, vals(x, f32(sh{1}, 2), f32(sh{1}, 1)), outs(f32(sh{2, 2}, 5, 5, 7, 7)), ""},
		{"none", "Tile", 13, nil, vals(x, i64(0, 2)), outs(f32(sh{0, 2}, []float32{}...)), ""},
		{"count", "Tile", 13, nil, vals(x, i64(2)), nil, "1 repeats for rank 2"},
		{"negative", "Tile", 13, nil, vals(x, i64(1, -1)), nil, "negative repeat"},
	})
	for _, in := range [][]tensor.Value{{x, i64(1<<62, 1<<62)}, {x, i64(1<<31, 1<<40)}} {
		if _, err := opstest.Run(t, opstest.Call{Name: "Tile"}, in...); err == nil {
			t.Errorf("%v is accepted", in[1])
		}
	}
	if _, err := opstest.Run(t, opstest.Call{Name: "Expand"}, x, i64(2, -1)); err == nil {
		t.Error("a negative dimension is accepted")
	}
	got := inferCall(t, opstest.Call{Name: "Expand"}, typ(tensor.Float32, 1, "s"), elems("n", 1))
	if s := fmt.Sprint(got[0].Type); s != "float[n,s]" {
		t.Errorf("Expand infers %s", s)
	}
}
