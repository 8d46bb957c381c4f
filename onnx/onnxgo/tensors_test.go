package onnxgo

import (
	"testing"

	gorgonia "gorgonia.org/tensor"

	"github.com/sardonyx-ml/sardonyx/onnx/conformance"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

func dense23() *gorgonia.Dense {
	return gorgonia.New(gorgonia.WithShape(2, 3), gorgonia.WithBacking([]float32{1, 2, 3, 4, 5, 6}))
}

func sliced(t *testing.T, s ...gorgonia.Slice) gorgonia.Tensor {
	t.Helper()
	v, err := dense23().Slice(s...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func transposed(t *testing.T, d *gorgonia.Dense) gorgonia.Tensor {
	t.Helper()
	if err := d.T(); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFromGorgonia(t *testing.T) {
	columns := gorgonia.New(gorgonia.WithShape(2, 3), gorgonia.AsFortran([]float32{1, 2, 3, 4, 5, 6}))
	for name, c := range map[string]struct {
		in   gorgonia.Tensor
		want *tensor.Tensor
	}{
		"row-major":      {dense23(), tensor.Of(tensor.Shape{2, 3}, []float32{1, 2, 3, 4, 5, 6})},
		"column-major":   {columns, tensor.Of(tensor.Shape{2, 3}, []float32{1, 2, 3, 4, 5, 6})},
		"transposed":     {transposed(t, dense23()), tensor.Of(tensor.Shape{3, 2}, []float32{1, 4, 2, 5, 3, 6})},
		"column":         {sliced(t, nil, gorgonia.S(1)), tensor.Vector[float32](2, 5)},
		"columns":        {sliced(t, nil, gorgonia.S(1, 3)), tensor.Of(tensor.Shape{2, 2}, []float32{2, 3, 5, 6})},
		"row":            {sliced(t, gorgonia.S(1)), tensor.Vector[float32](4, 5, 6)},
		"element":        {sliced(t, gorgonia.S(1), gorgonia.S(2)), tensor.Scalar[float32](6)},
		"scalar":         {gorgonia.New(gorgonia.FromScalar(int64(7))), tensor.Scalar[int64](7)},
		"int":            {gorgonia.New(gorgonia.WithBacking([]int{-1, 2})), tensor.Vector[int64](-1, 2)},
		"uint":           {gorgonia.New(gorgonia.WithBacking([]uint{1, 2})), tensor.Vector[uint64](1, 2)},
		"no element":     {gorgonia.New(gorgonia.WithShape(2, 0), gorgonia.Of(gorgonia.Int64)), tensor.New(tensor.Int64, 2, 0)},
		"no string":      {gorgonia.New(gorgonia.WithShape(0), gorgonia.WithBacking([]string{})), tensor.New(tensor.String, 0)},
		"without values": {gorgonia.New(gorgonia.WithShape(2), gorgonia.Of(gorgonia.Bool)), tensor.New(tensor.Bool, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := fromGorgonia(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if err := conformance.Compare(got, c.want, 0, 0); err != nil {
				t.Error(err)
			}
		})
	}
	masked := gorgonia.New(gorgonia.WithBacking([]float32{1, 2}, []bool{true, false}))
	if _, err := fromGorgonia(masked); err == nil {
		t.Error("a masked tensor is taken")
	}
	if _, err := fromGorgonia(gorgonia.New(gorgonia.WithBacking([]uintptr{1}))); err == nil {
		t.Error("a tensor of pointers is taken")
	}
}

func TestRoundTrip(t *testing.T) {
	for _, want := range []*tensor.Tensor{
		tensor.Vector[float32](1, 2), tensor.Vector(1.5, 2), tensor.Vector[int8](-1, 2), tensor.Vector[int16](-1, 2),
		tensor.Vector[int32](-1, 2), tensor.Vector[int64](-1, 2), tensor.Vector[uint8](1, 2), tensor.Vector[uint16](1, 2),
		tensor.Vector[uint32](1, 2), tensor.Vector[uint64](1, 2), tensor.Vector(true, false), tensor.Vector[complex64](1i, 2),
		tensor.Vector(1i, 2), tensor.Strings(tensor.Shape{1, 2}, []string{"a", ""}), tensor.Scalar(true),
		tensor.New(tensor.Float32, 0, 3), tensor.Strings(tensor.Shape{}, []string{"a"}),
	} {
		g, err := toGorgonia(want)
		if err != nil {
			t.Errorf("%v: %v", want, err)
			continue
		}
		got, err := fromGorgonia(g)
		if err != nil {
			t.Errorf("%v: %v", want, err)
			continue
		}
		if err := conformance.Compare(got, want, 0, 0); err != nil {
			t.Errorf("%v: %v", want, err)
		}
	}
	for _, v := range []tensor.Value{tensor.New(tensor.Float16, 2), &tensor.Sequence{Elem: tensor.UnrankedType(tensor.Float32)}} {
		if _, err := toGorgonia(v); err == nil {
			t.Errorf("%v has a counterpart", v.Type())
		}
	}
}

func TestExact(t *testing.T) {
	got, err := exact(tensor.Vector[float32](-3, 7), tensor.Int64)
	if err != nil {
		t.Fatal(err)
	}
	if err := conformance.Compare(got, tensor.Vector[int64](-3, 7), 0, 0); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		in *tensor.Tensor
		to tensor.DType
	}{
		"fraction":      {tensor.Vector[float32](0.5), tensor.Int64},
		"sign":          {tensor.Vector[int64](-1), tensor.Uint8},
		"range":         {tensor.Vector[int64](300), tensor.Uint8},
		"precision":     {tensor.Vector(0.1), tensor.Float32},
		"large integer": {tensor.Vector[int64](1<<53 + 1), tensor.Float64},
		"string":        {tensor.Strings(tensor.Shape{1}, []string{"1"}), tensor.Int64},
		"to string":     {tensor.Vector[int64](1), tensor.String},
	} {
		if got, err := exact(c.in, c.to); err == nil {
			t.Errorf("%s: %v is taken as %v", name, c.in, got)
		}
	}
}
