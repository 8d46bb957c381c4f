package conv_test

import (
	"math"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	. "github.com/sardonyx-ml/sardonyx/ops/opstest"

	_ "github.com/sardonyx-ml/sardonyx/ops/conv"
)

type shape = tensor.Shape

// of returns a tensor of the elements v.
func of[T tensor.Elem](s shape, v ...T) *tensor.Tensor { return tensor.Of(s, v) }

// f32 returns a float tensor of the elements v.
func f32(s shape, v ...float32) *tensor.Tensor { return tensor.Of(s, v) }

// count returns a tensor of 0, 1, 2, …
func count[T float32 | float64 | int8 | uint8 | int64](s ...int) *tensor.Tensor {
	v := make([]T, shape(s).Size())
	for i := range v {
		v[i] = T(i)
	}
	return tensor.Of(s, v)
}

// filled returns a float tensor of equal elements.
func filled(v float32, s ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, s...)
	for i := range t.Float32() {
		t.Float32()[i] = v
	}
	return t
}

func strided(x ...int) Attrs { return Attrs{"strides": x} }

func TestConv(t *testing.T) {
	line, pair := f32(shape{1, 1, 5}, 1, 2, 3, 4, 5), f32(shape{1, 1, 2}, 1, 10)
	for name, c := range map[string]struct {
		attrs Attrs
		in    []*tensor.Tensor
		want  *tensor.Tensor
	}{
		"plain":        {nil, []*tensor.Tensor{line, pair}, f32(shape{1, 1, 4}, 21, 32, 43, 54)},
		"bias":         {Attrs{"kernel_shape": []int{2}}, []*tensor.Tensor{line, pair, f32(shape{1}, 0.5)}, f32(shape{1, 1, 4}, 21.5, 32.5, 43.5, 54.5)},
		"pads":         {Attrs{"pads": []int{1, 1}}, []*tensor.Tensor{line, pair}, f32(shape{1, 1, 6}, 10, 21, 32, 43, 54, 5)},
		"stride":       {strided(3), []*tensor.Tensor{line, pair}, f32(shape{1, 1, 2}, 21, 54)},
		"dilation":     {Attrs{"dilations": []int{3}}, []*tensor.Tensor{line, pair}, f32(shape{1, 1, 2}, 41, 52)},
		"same upper":   {Attrs{"auto_pad": "SAME_UPPER"}, []*tensor.Tensor{line, pair}, f32(shape{1, 1, 5}, 21, 32, 43, 54, 5)},
		"same lower":   {Attrs{"auto_pad": "SAME_LOWER"}, []*tensor.Tensor{line, pair}, f32(shape{1, 1, 5}, 10, 21, 32, 43, 54)},
		"valid":        {Attrs{"auto_pad": "VALID", "strides": []int{2}}, []*tensor.Tensor{line, pair}, f32(shape{1, 1, 2}, 21, 43)},
		"same strided": {Attrs{"auto_pad": "SAME_UPPER", "strides": []int{2}}, []*tensor.Tensor{line, pair}, f32(shape{1, 1, 3}, 21, 43, 5)},
		"double":       {nil, []*tensor.Tensor{count[float64](1, 1, 3), of[float64](shape{1, 1, 2}, 1, 2)}, of[float64](shape{1, 1, 2}, 2, 5)},
		"2-D":          {nil, []*tensor.Tensor{count[float32](1, 1, 3, 3), filled(1, 1, 1, 2, 2)}, f32(shape{1, 1, 2, 2}, 8, 12, 20, 24)},
		"groups":       {Attrs{"group": 2}, []*tensor.Tensor{count[float32](1, 2, 2), f32(shape{2, 1, 1}, 1, 10)}, f32(shape{1, 2, 2}, 0, 1, 20, 30)},
		"no images":    {nil, []*tensor.Tensor{count[float32](0, 1, 3), pair}, f32(shape{0, 1, 2})},
		"no channels":  {nil, []*tensor.Tensor{count[float32](1, 0, 3), count[float32](2, 0, 2), f32(shape{2}, 1, 2)}, f32(shape{1, 2, 2}, 1, 1, 2, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			Equal(t, Run1(t, Call{Name: "Conv", Attrs: c.attrs}, values(c.in)...), c.want, 0, 0)
		})
	}
	for name, c := range map[string]struct {
		attrs Attrs
		in    []*tensor.Tensor
	}{
		"channels":  {nil, []*tensor.Tensor{line, count[float32](1, 2, 2)}},
		"groups":    {Attrs{"group": 2}, []*tensor.Tensor{count[float32](1, 2, 3), count[float32](3, 1, 1)}},
		"no group":  {Attrs{"group": 0}, []*tensor.Tensor{line, pair}},
		"kernel":    {Attrs{"kernel_shape": []int{3}}, []*tensor.Tensor{line, pair}},
		"rank":      {nil, []*tensor.Tensor{count[float32](1, 5), count[float32](1, 1)}},
		"ranks":     {nil, []*tensor.Tensor{line, count[float32](1, 1, 1, 1)}},
		"strides":   {strided(1, 1), []*tensor.Tensor{line, pair}},
		"stride":    {strided(0), []*tensor.Tensor{line, pair}},
		"pads":      {Attrs{"pads": []int{-1, 0}}, []*tensor.Tensor{line, pair}},
		"too small": {Attrs{"dilations": []int{5}}, []*tensor.Tensor{line, pair}},
		"overflow":  {Attrs{"dilations": []int{math.MaxInt}}, []*tensor.Tensor{line, pair}},
		"auto_pad":  {Attrs{"auto_pad": "SOME"}, []*tensor.Tensor{line, pair}},
		"bias":      {nil, []*tensor.Tensor{line, pair, count[float32](2)}},
		"type":      {nil, []*tensor.Tensor{count[int64](1, 1, 5), count[int64](1, 1, 2)}},
		"no kernel": {nil, []*tensor.Tensor{line, count[float32](1, 1, 0)}},
		"weights":   {Attrs{"group": 3}, []*tensor.Tensor{line, pair}},
	} {
		if _, err := Run(t, Call{Name: "Conv", Attrs: c.attrs}, values(c.in)...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func values(in []*tensor.Tensor) []tensor.Value {
	out := make([]tensor.Value, len(in))
	for i, v := range in {
		if v != nil {
			out[i] = v
		}
	}
	return out
}

func TestConvTranspose(t *testing.T) {
	x, w := f32(shape{1, 1, 2}, 1, 2), f32(shape{1, 1, 3}, 1, 10, 100)
	for name, c := range map[string]struct {
		attrs Attrs
		x, w  *tensor.Tensor
		want  []float32
	}{
		"plain":            {nil, x, w, []float32{1, 12, 120, 200}},
		"stride":           {strided(2), x, w, []float32{1, 10, 102, 20, 200}},
		"dilation":         {Attrs{"dilations": []int{2}}, x, w, []float32{1, 2, 10, 20, 100, 200}},
		"pads":             {Attrs{"strides": []int{2}, "pads": []int{1, 2}}, x, w, []float32{10, 102}},
		"output padding":   {Attrs{"strides": []int{2}, "output_padding": []int{1}}, x, w, []float32{1, 10, 102, 20, 200, 0}},
		"output shape":     {Attrs{"strides": []int{2}, "output_shape": []int{6}}, x, w, []float32{1, 10, 102, 20, 200, 0}},
		"shape upper":      {Attrs{"strides": []int{2}, "output_shape": []int{4}, "auto_pad": "SAME_UPPER"}, x, w, []float32{1, 10, 102, 20}},
		"shape lower":      {Attrs{"strides": []int{2}, "output_shape": []int{4}, "auto_pad": "SAME_LOWER"}, x, w, []float32{10, 102, 20, 200}},
		"shape explicit":   {Attrs{"strides": []int{2}, "output_shape": []int{4}}, x, w, []float32{10, 102, 20, 200}},
		"same":             {Attrs{"strides": []int{2}, "auto_pad": "SAME_UPPER"}, x, w, []float32{1, 10, 102, 20}},
		"same, wide steps": {Attrs{"strides": []int{4}, "auto_pad": "SAME_UPPER"}, x, w, []float32{1, 10, 100, 0, 2, 20, 200, 0}},
		"valid":            {Attrs{"auto_pad": "VALID"}, x, w, []float32{1, 12, 120, 200}},
	} {
		t.Run(name, func(t *testing.T) {
			Equal(t, Run1(t, Call{Name: "ConvTranspose", Attrs: c.attrs}, c.x, c.w), f32(shape{1, 1, len(c.want)}, c.want...), 0, 0)
		})
	}
	got := Run1(t, Call{Name: "ConvTranspose", Attrs: Attrs{"group": 2}}, f32(shape{1, 2, 1}, 1, 2), f32(shape{2, 2, 1}, 1, 2, 3, 4), f32(shape{4}, 0, 1, 0, 1))
	Equal(t, got, f32(shape{1, 4, 1}, 1, 3, 6, 9), 0, 0)
	Equal(t, Run1(t, Call{Name: "ConvTranspose"}, f32(shape{0, 1, 2}), w), f32(shape{0, 1, 4}), 0, 0)
	for name, c := range map[string]struct {
		attrs Attrs
		x, w  *tensor.Tensor
	}{
		"channels":       {nil, count[float32](1, 2, 2), w},
		"groups":         {Attrs{"group": 2}, x, w},
		"negative":       {Attrs{"pads": []int{3, 3}}, x, w},
		"output shape":   {Attrs{"output_shape": []int{1, 1}}, x, w},
		"output padding": {Attrs{"output_padding": []int{1, 1}}, x, w},
		"rank":           {nil, count[float32](1, 1), count[float32](1, 1)},
	} {
		if _, err := Run(t, Call{Name: "ConvTranspose", Attrs: c.attrs}, c.x, c.w); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestDeformConv(t *testing.T) {
	x, w := f32(shape{1, 1, 4}, 0, 1, 2, 3), f32(shape{1, 1, 2}, 1, 1)
	half := filled(0.5, 1, 2, 3)
	for name, c := range map[string]struct {
		in   []tensor.Value
		want *tensor.Tensor
	}{
		"on the grid": {[]tensor.Value{x, w, filled(0, 1, 2, 3)}, f32(shape{1, 1, 3}, 1, 3, 5)},
		"between":     {[]tensor.Value{x, w, half}, f32(shape{1, 1, 3}, 2, 4, 4)},
		"bias":        {[]tensor.Value{x, w, half, f32(shape{1}, 1)}, f32(shape{1, 1, 3}, 3, 5, 5)},
		"mask":        {[]tensor.Value{x, w, half, nil, f32(shape{1, 2, 3}, 0, 1, 0, 1, 0, 2)}, f32(shape{1, 1, 3}, 1.5, 1.5, 3)},
		"outside":     {[]tensor.Value{x, w, filled(-9, 1, 2, 3)}, f32(shape{1, 1, 3}, 0, 0, 0)},
		"NaN":         {[]tensor.Value{x, w, filled(float32(math.NaN()), 1, 2, 3)}, f32(shape{1, 1, 3}, 0, 0, 0)},
	} {
		t.Run(name, func(t *testing.T) { Equal(t, Run1(t, Call{Name: "DeformConv"}, c.in...), c.want, 0, 0) })
	}
	// Two offset groups: the second channel moves a pixel down and a column to the right.
	two := f32(shape{1, 4, 1, 1}, 0, 0, 1, 1)
	got := Run1(t, Call{Name: "DeformConv", Attrs: Attrs{"offset_group": 2, "strides": []int{9, 9}}}, count[float32](1, 2, 2, 2), f32(shape{1, 2, 1, 1}, 1, 10), two)
	Equal(t, got, f32(shape{1, 1, 1, 1}, 70), 0, 0)
	for name, in := range map[string][]tensor.Value{
		"offsets": {x, w, filled(0, 1, 1, 3)}, "mask": {x, w, half, nil, filled(0, 1, 2, 2)}, "bias": {x, w, half, filled(0, 2)},
	} {
		if _, err := Run(t, Call{Name: "DeformConv"}, in...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Run(t, Call{Name: "DeformConv", Attrs: Attrs{"offset_group": 2}}, x, w, half); err == nil {
		t.Error("offset_group: no error")
	}
}

func TestIntegerConv(t *testing.T) {
	x, w := of[uint8](shape{1, 1, 3}, 2, 3, 4), of[int8](shape{2, 1, 2}, 1, -1, 2, 0)
	Equal(t, Run1(t, Call{Name: "ConvInteger", Attrs: Attrs{"pads": []int{1, 0}}}, x, w, of[uint8](shape{}, 1)),
		of[int32](shape{1, 2, 3}, -1, -1, -1, 0, 2, 4), 0, 0)
	Equal(t, Run1(t, Call{Name: "ConvInteger"}, x, w, nil, of[int8](shape{2}, 1, 2)), of[int32](shape{1, 2, 2}, -6, -8, -6, -8), 0, 0)
	for name, in := range map[string][]tensor.Value{
		"zero points": {x, w, nil, of[int8](shape{3}, 1, 2, 3)}, "zero type": {x, w, of[int8](shape{}, 1)}, "types": {count[float32](1, 1, 3), w},
	} {
		if _, err := Run(t, Call{Name: "ConvInteger"}, in...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	s := func(v ...float32) *tensor.Tensor { return f32(shape{len(v)}, v...) }
	zero, wz := of[uint8](shape{}, 1), of[int8](shape{1}, 0)
	// The sums are {-1, -1} and {2, 4}.
	in := []tensor.Value{x, s(0.5), zero, w, s(1, 4), wz, s(0.25), of[int8](shape{}, 10)}
	Equal(t, Run1(t, Call{Name: "QLinearConv"}, in...), of[int8](shape{1, 2, 2}, 8, 8, 26, 42), 0, 0)
	in = append(in, of[int32](shape{2}, 100, -100))
	Equal(t, Run1(t, Call{Name: "QLinearConv"}, in...), of[int8](shape{1, 2, 2}, 127, 127, -128, -128), 0, 0)
	in[7] = of[uint8](shape{}, 10)
	Equal(t, Run1(t, Call{Name: "QLinearConv"}, in...), of[uint8](shape{1, 2, 2}, 208, 208, 0, 0), 0, 0)
	in[4] = s(1, 2, 3)
	if _, err := Run(t, Call{Name: "QLinearConv"}, in...); err == nil {
		t.Error("scales: no error")
	}
}
