package shape

import (
	"cmp"
	"math"
	"math/rand"
	"slices"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func TestPad(t *testing.T) {
	x := f32(sh{3, 2}, 1, 1.2, 2.3, 3.4, 4.5, 5.7)
	v := f32(sh{3})
	runCases(t, []opCase{
		{"opset 1", "Pad", 1, attrs{"paddings": []int{0, 2, 0, 0}, "value": 7.0}, vals(x), outs(f32(sh{3, 4}, 7, 7, 1, 1.2, 7, 7, 2.3, 3.4, 7, 7, 4.5, 5.7)), ""},
		{"opset 2 reflect", "Pad", 2, attrs{"pads": []int{0, 1, 0, 0}, "mode": "reflect"}, vals(x), outs(f32(sh{3, 3}, 1.2, 1, 1.2, 3.4, 2.3, 3.4, 5.7, 4.5, 5.7)), ""},
		{"edge", "Pad", 11, attrs{"mode": "edge"}, vals(x, i64(0, 2, 0, 0)), outs(f32(sh{3, 4}, 1, 1, 1, 1.2, 2.3, 2.3, 2.3, 3.4, 4.5, 4.5, 4.5, 5.7)), ""},
		{"wrap", "Pad", 19, attrs{"mode": "wrap"}, vals(x, i64(2, 1, 1, 1)), outs(f32(sh{6, 4}, 3.4, 2.3, 3.4, 2.3, 5.7, 4.5, 5.7, 4.5, 1.2, 1, 1.2, 1, 3.4, 2.3, 3.4, 2.3, 5.7, 4.5, 5.7, 4.5, 1.2, 1, 1.2, 1)), ""},
		{"no wrap before 19", "Pad", 18, attrs{"mode": "wrap"}, vals(x, i64(2, 1, 1, 1)), nil, "not one of"},
		{"crop", "Pad", 13, nil, vals(x, i64(-1, 0, 0, -1)), outs(f32(sh{2, 1}, 2.3, 4.5)), ""},
		{"crop and pad", "Pad", 13, nil, vals(v, i64(-1, 2), f32(sh{}, 9)), outs(f32(sh{4}, 1, 2, 9, 9)), ""},
		{"crop and reflect", "Pad", 13, attrs{"mode": "reflect"}, vals(v, i64(-1, 1)), outs(f32(sh{3}, 1, 2, 1)), ""},
		{"reflect twice", "Pad", 13, attrs{"mode": "reflect"}, vals(v, i64(0, 4)), outs(f32(sh{7}, 0, 1, 2, 1, 0, 1, 2)), ""},
		{"axes", "Pad", 18, nil, vals(x, tensor.Vector[int64](0, 1), nil, tensor.Vector[int32](-1)), outs(f32(sh{3, 3}, 1, 1.2, 0, 2.3, 3.4, 0, 4.5, 5.7, 0)), ""},
		{"scalar", "Pad", 13, nil, vals(f32(sh{}, 3), i64()), outs(f32(sh{}, 3)), ""},
		{"from empty", "Pad", 13, nil, vals(f32(sh{0}), i64(1, 1), f32(sh{}, 4)), outs(f32(sh{2}, 4, 4)), ""},
		{"edge of nothing", "Pad", 13, attrs{"mode": "edge"}, vals(f32(sh{0}), i64(1, 1)), nil, "nothing to edge"},
		{"strings", "Pad", 13, nil, vals(tensor.Strings(sh{1}, []string{"a"}), i64(1, 0), tensor.Strings(sh{}, []string{"b"})), outs(tensor.Strings(sh{2}, []string{"b", "a"})), ""},
		{"count", "Pad", 13, nil, vals(x, i64(1, 1)), nil, "2 pads for 2 axes"},
		{"cropped away", "Pad", 13, nil, vals(v, i64(-2, -2)), nil, "pads -2 and -2"},
		{"value's type", "Pad", 13, nil, vals(v, i64(0, 1), tensor.Scalar(int64(1))), nil, "constant_value"},
		{"overflow", "Pad", 13, nil, vals(v, i64(math.MaxInt64, 1)), nil, "pads"},
		{"lens", "ReverseSequence", 10, nil, vals(f32(sh{2, 1}), i64(3)), nil, "sequence length 3 out of range"},
		{"crop odd", "CenterCropPad", 18, nil, vals(f32(sh{5}), i64(2)), outs(f32(sh{2}, 1, 2)), ""},
		{"pad odd", "CenterCropPad", 18, nil, vals(f32(sh{2}, 1, 2), i64(5)), outs(f32(sh{5}, 0, 1, 2, 0, 0)), ""},
	})
	got := inferCall(t, opstest.Call{Name: "Pad"}, typ(tensor.Float32, "n", "h"), elems(0, 1, "k", 2))
	if s := got[0].Type.String(); s != "float[k + n,h + 3]" {
		t.Errorf("Pad infers %s", s)
	}
}

func TestUnique(t *testing.T) {
	nan := float32(math.NaN())
	runCases(t, []opCase{
		{"first occurrence", "Unique", 11, attrs{"sorted": 0}, vals(f32(sh{6}, 2, 1, 1, 3, 4, 3)), outs(f32(sh{4}, 2, 1, 3, 4), i64(0, 1, 3, 4), i64(0, 1, 1, 2, 3, 2), i64(1, 2, 2, 1)), ""},
		{"sorted matrix", "Unique", 11, nil, vals(f32(sh{2, 2}, 1, 3, 2, 3)), outs(f32(sh{3}, 1, 2, 3), i64(0, 2, 1), i64(0, 2, 1, 2), i64(1, 1, 2)), ""},
		{"rows", "Unique", 11, attrs{"axis": 0}, vals(f32(sh{3, 3}, 1, 0, 0, 1, 0, 0, 2, 3, 4)), outs(f32(sh{2, 3}, 1, 0, 0, 2, 3, 4), i64(0, 2), i64(0, 0, 1), i64(2, 1)), ""},
		{"middle axis", "Unique", 11, attrs{"axis": 1}, vals(f32(sh{2, 4, 2}, 1, 1, 0, 1, 2, 1, 0, 1, 1, 1, 0, 1, 2, 1, 0, 1)), outs(f32(sh{2, 3, 2}, 0, 1, 1, 1, 2, 1, 0, 1, 1, 1, 2, 1), i64(1, 0, 2), i64(1, 0, 2, 0), i64(2, 1, 1)), ""},
		{"unsorted along an axis", "Unique", 11, attrs{"axis": -1, "sorted": 0}, vals(f32(sh{1, 3}, 5, 4, 5)), outs(f32(sh{1, 2}, 5, 4), i64(0, 1), i64(0, 1, 0), i64(2, 1)), ""},
		{"nan", "Unique", 11, nil, vals(f32(sh{4}, nan, 1, nan, -1)), outs(f32(sh{3}, -1, 1, nan), i64(3, 1, 0), i64(2, 1, 2, 0), i64(1, 1, 2)), ""},
		{"strings", "Unique", 11, nil, vals(tensor.Strings(sh{3}, []string{"b", "a", "b"})), outs(tensor.Strings(sh{2}, []string{"a", "b"})), ""},
		{"empty", "Unique", 11, nil, vals(f32(sh{0})), outs(f32(sh{0}), i64(), i64(), i64()), ""},
		{"axis", "Unique", 11, attrs{"axis": 1}, vals(f32(sh{2})), nil, "axis 1 out of range"},
	})
}

func TestTopK(t *testing.T) {
	x := f32(sh{2, 4}, 3, 1, 3, 2, 0, 9, 8, 9)
	nan := float32(math.NaN())
	runCases(t, []opCase{
		{"opset 1", "TopK", 1, attrs{"k": 2}, vals(x), outs(f32(sh{2, 2}, 3, 3, 9, 9), i64s(sh{2, 2}, 0, 2, 1, 3)), ""},
		{"opset 10", "TopK", 10, attrs{"axis": 0}, vals(x, i64(1)), outs(f32(sh{1, 4}, 3, 9, 8, 9), i64s(sh{1, 4}, 0, 1, 1, 1)), ""},
		{"smallest", "TopK", 11, attrs{"largest": 0, "sorted": 0}, vals(x, i64(2)), outs(f32(sh{2, 2}, 1, 2, 0, 8), i64s(sh{2, 2}, 1, 3, 0, 2)), ""},
		{"none", "TopK", 24, nil, vals(x, i64(0)), outs(f32(sh{2, 0}, []float32{}...), i64s(sh{2, 0})), ""},
		{"nan", "TopK", 24, nil, vals(f32(sh{8}, 1, nan, 2, 3, nan, 0, 0, 0), i64(2)), outs(f32(sh{2}, nan, nan), i64(1, 4)), ""},
		{"smallest with nan", "TopK", 24, attrs{"largest": 0}, vals(f32(sh{8}, nan, nan, 2, 3, nan, 1, 5, 4), i64(2)), outs(f32(sh{2}, 1, 2), i64(5, 2)), ""},
		{"too many", "TopK", 24, nil, vals(f32(sh{2}), i64(3)), nil, "k is 3 for axis 0 of length 2"},
	})
}

// TestTopKRandom compares with sorting, for heaps and full sorts and every kind of type.
func TestTopKRandom(t *testing.T) {
	rng := rand.New(rand.NewSource(4))
	for _, d := range []tensor.DType{tensor.Float32, tensor.Float64, tensor.Int64, tensor.Int32, tensor.Uint8, tensor.Int16, tensor.Uint64, tensor.Float16, tensor.BFloat16} {
		const n, inner = 50, 3
		v := make([]float64, n*inner)
		x := tensor.New(d, n, inner)
		for i := range v {
			v[i] = float64(rng.Intn(30))
			switch w := d.Bits() / 8; {
			case d == tensor.Float64:
				x.Float64()[i] = v[i]
			case d.IsInt():
				x.Bytes()[i*w] = byte(v[i])
			}
		}
		if d.IsFloat() && d != tensor.Float64 {
			tensor.EncodeFloat32(x, toF32(v))
		}
		for _, k := range []int{1, 5, 12, 13, 50} {
			for _, largest := range []int{0, 1} {
				out, err := opstest.Run(t, opstest.Call{Name: "TopK", Attrs: attrs{"axis": 0, "largest": largest}, Outputs: 2}, x, i64(int64(k)))
				if err != nil {
					t.Fatal(err)
				}
				idx := out[1].(*tensor.Tensor).Int64()
				for c := range inner {
					want := make([]int, n)
					for i := range want {
						want[i] = i
					}
					slices.SortStableFunc(want, func(a, b int) int { return (1 - 2*largest) * cmp.Compare(v[a*inner+c], v[b*inner+c]) })
					for j := range k {
						if idx[j*inner+c] != int64(want[j]) {
							t.Fatalf("%v k %d largest %d: entry %d is %d, want %d", d, k, largest, j, idx[j*inner+c], want[j])
						}
					}
				}
			}
		}
	}
}

func toF32(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, f := range v {
		out[i] = float32(f)
	}
	return out
}

func TestCol2Im(t *testing.T) {
	cols := f32(sh{1, 4, 4}, 1, 2, 3, 4, 1, 1, 1, 1, 0, 0, 0, 0, 5, 5, 5, 5)
	runCases(t, []opCase{
		// 2x2 blocks at the 4 positions of a 3x3 image
		{"overlap", "Col2Im", 18, nil, vals(cols, i64(3, 3), i64(2, 2)), outs(f32(sh{1, 1, 3, 3}, 1, 3, 1, 3, 10, 6, 0, 5, 5)), ""},
		{"one axis", "Col2Im", 18, attrs{"strides": []int{2}}, vals(f32(sh{1, 2, 2}), i64(4), i64(2)), outs(f32(sh{1, 1, 4}, 0, 2, 1, 3)), ""},
		{"integers", "Col2Im", 18, nil, vals(i64s(sh{1, 2, 2}, 1, 2, 3, 4), i64(3), i64(2)), outs(i64s(sh{1, 1, 3}, 1, 5, 4)), ""},
		{"bools", "Col2Im", 18, nil, vals(tensor.Of(sh{1, 2, 2}, []bool{true, false, true, false}), i64(3), i64(2)), outs(tensor.Of(sh{1, 1, 3}, []bool{true, true, false})), ""},
		{"padded, dilated", "Col2Im", 18, attrs{"pads": []int{1, 0}, "dilations": []int{2}}, vals(f32(sh{1, 2, 2}, 1, 2, 3, 4), i64(3), i64(2)), outs(f32(sh{1, 1, 3}, 2, 3, 4)), ""},
		{"no channels", "Col2Im", 18, nil, vals(f32(sh{2, 0, 2}), i64(3), i64(2)), outs(f32(sh{2, 0, 3})), ""},
		{"blocks", "Col2Im", 18, nil, vals(f32(sh{1, 4, 3}), i64(3, 3), i64(2, 2)), nil, "3 blocks, but image [3 3] has [2 2]"},
		{"channels", "Col2Im", 18, nil, vals(f32(sh{1, 3, 4}), i64(3, 3), i64(2, 2)), nil, "no multiple of the block"},
	})
}
