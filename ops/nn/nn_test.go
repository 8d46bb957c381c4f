package nn

import (
	"math"
	"strings"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

type f32 = []float32

func mat(rows, cols int, v ...float32) *tensor.Tensor { return tensor.Of(tensor.Shape{rows, cols}, v) }

func of(s tensor.Shape, v ...float32) *tensor.Tensor { return tensor.Of(s, v) }

// half returns x as float16 or bfloat16.
func half(d tensor.DType, x *tensor.Tensor) *tensor.Tensor {
	h := tensor.New(d, x.Shape()...)
	tensor.EncodeFloat32(h, x.Float32())
	return h
}

func double(x *tensor.Tensor) *tensor.Tensor {
	y := tensor.New(tensor.Float64, x.Shape()...)
	for i, v := range x.Float32() {
		y.Float64()[i] = float64(v)
	}
	return y
}

// eachType runs a one-output operator on float and double inputs and compares with the float result wanted.
func eachType(t *testing.T, call opstest.Call, want *tensor.Tensor, in ...*tensor.Tensor) {
	t.Helper()
	for _, conv := range []func(*tensor.Tensor) *tensor.Tensor{func(x *tensor.Tensor) *tensor.Tensor { return x }, double} {
		args := make([]tensor.Value, len(in))
		for i, x := range in {
			switch {
			case x == nil:
			case x.DType() == tensor.Float32:
				args[i] = conv(x)
			default:
				args[i] = x
			}
		}
		opstest.Equal(t, opstest.Run1(t, call, args...), conv(want), 1e-5, 1e-5)
	}
}

func TestSoftmaxFamily(t *testing.T) {
	x := of(tensor.Shape{1, 2, 2}, 0, float32(math.Log(3)), 0, 0)
	for _, c := range []struct {
		name  string
		opset int
		axis  any
		want  f32
	}{
		{"Softmax", 13, nil, f32{0.25, 0.75, 0.5, 0.5}},
		{"Softmax", 13, 1, f32{0.5, 0.75, 0.5, 0.25}},
		{"Softmax", 13, -3, f32{1, 1, 1, 1}},
		{"Softmax", 1, nil, f32{1. / 6, 0.5, 1. / 6, 1. / 6}}, // axis 1: one row of 4
		{"Softmax", 11, 2, f32{0.25, 0.75, 0.5, 0.5}},
		{"Softmax", 11, 3, f32{1, 1, 1, 1}},
		{"LogSoftmax", 13, nil, f32{float32(math.Log(0.25)), float32(math.Log(0.75)), float32(math.Log(0.5)), float32(math.Log(0.5))}},
		{"LogSoftmax", 1, nil, f32{-1.7917595, -0.6931472, -1.7917595, -1.7917595}},
		{"Hardmax", 13, nil, f32{0, 1, 1, 0}},
		{"Hardmax", 13, 1, f32{1, 1, 0, 0}},
		{"Hardmax", 11, nil, f32{0, 1, 0, 0}},
	} {
		attrs := opstest.Attrs{}
		if c.axis != nil {
			attrs["axis"] = c.axis
		}
		eachType(t, opstest.Call{Name: c.name, Opset: c.opset, Attrs: attrs}, of(x.Shape(), c.want...), x)
	}
	eachType(t, opstest.Call{Name: "Softmax"}, tensor.Scalar(float32(1)), tensor.Scalar(float32(7)))
	eachType(t, opstest.Call{Name: "Softmax"}, mat(2, 0), mat(2, 0))
	if _, err := opstest.Run(t, opstest.Call{Name: "Softmax", Attrs: opstest.Attrs{"axis": 3}}, x); err == nil || !strings.Contains(err.Error(), "axis 3") {
		t.Errorf("axis out of range: %v", err)
	}
}

func TestBatchNormalization(t *testing.T) {
	x := of(tensor.Shape{2, 2, 2}, 1, 3, 0, 4, 5, 7, 8, 4)
	scale, bias := tensor.Vector[float32](1, 2), tensor.Vector[float32](0, 1)
	mean, variance := tensor.Vector[float32](1, 2), tensor.Vector[float32](4, 16)
	test := opstest.Attrs{"epsilon": 0.0}
	want := of(x.Shape(), 0, 1, 0, 2, 2, 3, 4, 2)
	for _, opset := range []int{7, 9, 14, 15} {
		eachType(t, opstest.Call{Name: "BatchNormalization", Opset: opset, Attrs: test}, want, x, scale, bias, mean, variance)
	}
	old := opstest.Attrs{"epsilon": 0.0, "is_test": 1, "spatial": 1, "consumed_inputs": []int{0, 0, 0, 1, 1}}
	eachType(t, opstest.Call{Name: "BatchNormalization", Opset: 1, Attrs: old}, want, x, scale, bias, mean, variance)
	// Not spatial: one parameter for each of the 4 features.
	p := func(v ...float32) *tensor.Tensor { return mat(2, 2, v...) }
	eachType(t, opstest.Call{Name: "BatchNormalization", Opset: 7, Attrs: opstest.Attrs{"epsilon": 0.0, "spatial": 0}},
		of(x.Shape(), 1, 2, 0, 3, 5, 6, 8, 3), x, p(1, 1, 1, 1), p(0, 0, 0, 0), p(0, 1, 0, 1), p(1, 1, 1, 1))

	// Channel 0 holds 1 3 5 7: mean 4, variance 5; channel 1 holds 0 4 8 4: mean 4, variance 8.
	y := of(x.Shape(), -3, -1, -4*2, 0, 1, 3, 4*2, 0)
	for i := range y.Float32() {
		if i/2%2 == 0 {
			y.Float32()[i] /= float32(math.Sqrt(5))
		} else {
			y.Float32()[i] = y.Float32()[i]/float32(math.Sqrt(8)) + 1
		}
	}
	rm, rv := tensor.Vector[float32](1.75, 2.5), tensor.Vector[float32](4.25, 14)
	for opset, outs := range map[int]int{15: 3, 9: 5} {
		attrs := opstest.Attrs{"epsilon": 0.0, "momentum": 0.75}
		if opset == 15 {
			attrs["training_mode"] = 1
		}
		out, err := opstest.Run(t, opstest.Call{Name: "BatchNormalization", Opset: opset, Outputs: outs, Attrs: attrs}, x, scale, bias, mean, variance)
		if err != nil {
			t.Fatal(err)
		}
		all := []*tensor.Tensor{y, rm, rv, tensor.Vector[float32](4, 4), tensor.Vector[float32](5, 8)}
		for i, v := range out {
			opstest.Equal(t, v.(*tensor.Tensor), all[i], 1e-5, 1e-6)
		}
	}
	// Statistics of another type than the input.
	out, err := opstest.Run(t, opstest.Call{Name: "BatchNormalization", Outputs: 3, Attrs: opstest.Attrs{"training_mode": 1, "epsilon": 0.0, "momentum": 0.75}},
		x, scale, bias, double(mean), double(variance))
	if err != nil {
		t.Fatal(err)
	}
	opstest.Equal(t, out[0].(*tensor.Tensor), y, 1e-5, 1e-6)
	opstest.Equal(t, out[1].(*tensor.Tensor), double(rm), 1e-6, 0)
	if _, err := opstest.Run(t, opstest.Call{Name: "BatchNormalization"}, x, tensor.Vector[float32](1), bias, mean, variance); err == nil {
		t.Error("a scale of the wrong length is accepted")
	}
}

func TestGroupNormalizations(t *testing.T) {
	x := of(tensor.Shape{1, 4, 1}, 1, 3, 2, 8) // groups (1 3): mean 2, variance 1; (2 8): mean 5, variance 9
	attrs := opstest.Attrs{"epsilon": 0.0, "num_groups": 2}
	eachType(t, opstest.Call{Name: "GroupNormalization", Opset: 18, Attrs: attrs}, of(x.Shape(), -1, 1, -2, 4), x, tensor.Vector[float32](1, 3), tensor.Vector[float32](0, 1))
	eachType(t, opstest.Call{Name: "GroupNormalization", Opset: 21, Attrs: attrs}, of(x.Shape(), -1, 2, 2, 5), x, tensor.Vector[float32](1, 2, 3, 4), tensor.Vector[float32](0, 0, 5, 1))
	if _, err := opstest.Run(t, opstest.Call{Name: "GroupNormalization", Attrs: opstest.Attrs{"num_groups": 3}}, x, x, x); err == nil {
		t.Error("3 groups of 4 channels are accepted")
	}
	i := of(tensor.Shape{1, 2, 2}, 1, 3, 2, 8)
	for _, opset := range []int{1, 6, 22} {
		eachType(t, opstest.Call{Name: "InstanceNormalization", Opset: opset, Attrs: opstest.Attrs{"epsilon": 0.0}},
			of(i.Shape(), -1, 1, -2, 4), i, tensor.Vector[float32](1, 3), tensor.Vector[float32](0, 1))
	}
}

func TestLayerNormalization(t *testing.T) {
	x := mat(2, 2, 1, 3, 2, 8)
	scale, bias := tensor.Vector[float32](1, 2), tensor.Vector[float32](0, 1)
	attrs := opstest.Attrs{"epsilon": 0.0}
	eachType(t, opstest.Call{Name: "LayerNormalization", Attrs: attrs}, mat(2, 2, -1, 3, -1, 3), x, scale, bias)
	eachType(t, opstest.Call{Name: "LayerNormalization", Attrs: attrs}, mat(2, 2, -1, 2, -1, 2), x, scale)
	// A scale that differs by row broadcasts over the axes before the normalized ones.
	eachType(t, opstest.Call{Name: "LayerNormalization", Attrs: attrs}, mat(2, 2, -1, 1, -3, 3), x, mat(2, 1, 1, 3))
	eachType(t, opstest.Call{Name: "LayerNormalization", Attrs: attrs}, mat(2, 2, -2, 2, -2, 2), x, tensor.Scalar[float32](2))
	out, err := opstest.Run(t, opstest.Call{Name: "LayerNormalization", Outputs: 3, Attrs: attrs}, x, scale, bias)
	if err != nil {
		t.Fatal(err)
	}
	opstest.Equal(t, out[1].(*tensor.Tensor), mat(2, 1, 2, 5), 1e-6, 0)
	opstest.Equal(t, out[2].(*tensor.Tensor), mat(2, 1, 1, 1./3), 1e-6, 0)
	attrs["stash_type"] = tensor.BFloat16
	attrs["axis"] = 0
	out, err = opstest.Run(t, opstest.Call{Name: "LayerNormalization", Outputs: 2, Attrs: attrs}, x, scale)
	if err != nil {
		t.Fatal(err)
	}
	opstest.Equal(t, out[1].(*tensor.Tensor), half(tensor.BFloat16, mat(1, 1, 3.5)), 0, 0)
	if _, err := opstest.Run(t, opstest.Call{Name: "LayerNormalization"}, x, tensor.Vector[float32](1, 2, 3)); err == nil {
		t.Error("a scale that does not broadcast is accepted")
	}

	r := mat(2, 2, 3, 4, 0, 2)
	s2 := float32(math.Sqrt2)
	eachType(t, opstest.Call{Name: "RMSNormalization", Attrs: opstest.Attrs{"epsilon": 0.0}}, mat(2, 2, 3*s2/5, 8*s2/5, 0, 2*s2), r, scale)
	y := opstest.Run1(t, opstest.Call{Name: "RMSNormalization", Attrs: opstest.Attrs{"epsilon": 0.0}}, r, double(scale))
	opstest.Equal(t, y, double(mat(2, 2, 3*s2/5, 8*s2/5, 0, 2*s2)), 1e-6, 0)
}

func TestLRNLpAndMeanVariance(t *testing.T) {
	x := of(tensor.Shape{1, 4, 1, 1}, 1, 2, 3, 4)
	eachType(t, opstest.Call{Name: "LRN", Attrs: opstest.Attrs{"size": 3, "alpha": 3.0, "beta": 1.0, "bias": 0.0}}, of(x.Shape(), 1./5, 2./14, 3./29, 4./25), x)
	// An even window reaches one further up than down.
	eachType(t, opstest.Call{Name: "LRN", Opset: 1, Attrs: opstest.Attrs{"size": 2, "alpha": 2.0, "beta": 1.0, "bias": 0.0}}, of(x.Shape(), 1./5, 2./13, 3./25, 4./16), x)
	l := mat(2, 2, 3, -4, 0, 0)
	eachType(t, opstest.Call{Name: "LpNormalization"}, mat(2, 2, 0.6, -0.8, 0, 0), l)
	eachType(t, opstest.Call{Name: "LpNormalization", Attrs: opstest.Attrs{"p": 1}}, mat(2, 2, 3./7, -4./7, 0, 0), l)
	eachType(t, opstest.Call{Name: "LpNormalization", Attrs: opstest.Attrs{"axis": 0}}, mat(2, 2, 1, -1, 0, 0), l)
	m := of(tensor.Shape{2, 2, 1, 2}, 1, 3, 2, 8, 1, 3, 8, 2)
	eachType(t, opstest.Call{Name: "MeanVarianceNormalization"}, of(m.Shape(), -1, 1, -1, 1, -1, 1, 1, -1), m)
	eachType(t, opstest.Call{Name: "MeanVarianceNormalization", Attrs: opstest.Attrs{"axes": []int{-1}}}, mat(2, 2, -1, 1, 1, -1), mat(2, 2, 0, 2, 9, 5))
}

func TestDropout(t *testing.T) {
	x := tensor.Vector[float32](1, 2, 3, 4)
	for _, opset := range []int{1, 6, 7, 10, 12, 13, 22} {
		attrs := opstest.Attrs{}
		if opset < 7 {
			attrs["is_test"] = 1
		}
		out, err := opstest.Run(t, opstest.Call{Name: "Dropout", Opset: opset, Outputs: 2, Attrs: attrs}, x)
		if err != nil {
			t.Fatal(err)
		}
		opstest.Equal(t, out[0].(*tensor.Tensor), x, 0, 0)
		mask := tensor.Vector(true, true, true, true)
		switch {
		case opset < 10:
			mask = tensor.New(tensor.Float32, 4)
		case opset < 12:
			mask = tensor.New(tensor.Bool, 4)
		}
		opstest.Equal(t, out[1].(*tensor.Tensor), mask, 0, 0)
	}
	// RandomState(0).uniform: 0.5488 0.7152 0.6028 0.5449
	out, err := opstest.Run(t, opstest.Call{Name: "Dropout", Outputs: 2, Attrs: opstest.Attrs{"seed": 0}}, x, tensor.Scalar[float32](0.6), tensor.Scalar(true))
	if err != nil {
		t.Fatal(err)
	}
	opstest.Equal(t, out[0].(*tensor.Tensor), tensor.Vector[float32](0, 5, 7.5, 0), 1e-6, 0)
	opstest.Equal(t, out[1].(*tensor.Tensor), tensor.Vector(false, true, true, false), 0, 0)
	big := tensor.New(tensor.Float64, 10000)
	for i := range big.Float64() {
		big.Float64()[i] = 1
	}
	kept := 0
	for _, v := range opstest.Run1(t, opstest.Call{Name: "Dropout", Opset: 6, Attrs: opstest.Attrs{"ratio": 0.25}}, big).Float64() {
		if v != 0 {
			kept++
		}
	}
	if kept < 7200 || kept > 7800 {
		t.Errorf("%d of 10000 kept at ratio 0.25", kept)
	}
	if _, err := opstest.Run(t, opstest.Call{Name: "Dropout"}, x, tensor.Scalar[float32](1), tensor.Scalar(true)); err == nil {
		t.Error("ratio 1 is accepted")
	}
}

func TestTwister(t *testing.T) {
	g := newTwister(5489)
	if v := g.uint32(); v != 3499211612 {
		t.Errorf("first number %d", v)
	}
	for range 9998 {
		g.uint32()
	}
	if v := g.uint32(); v != 4123659995 { // the 10000th, as the C++ standard gives it
		t.Errorf("10000th number %d", v)
	}
}

func TestLosses(t *testing.T) {
	ln := func(p float64) float32 { return float32(math.Log(p)) }
	x := mat(2, 2, ln(0.25), ln(0.75), ln(0.5), ln(0.5))
	target, a, b := tensor.Vector[int64](0, 1), ln(4), ln(2)
	scalar := func(v float32) *tensor.Tensor { return tensor.Scalar(v) }
	for _, c := range []struct {
		attrs  opstest.Attrs
		weight *tensor.Tensor
		target *tensor.Tensor
		want   *tensor.Tensor
	}{
		{opstest.Attrs{"reduction": "none"}, nil, target, tensor.Vector(a, b)},
		{opstest.Attrs{"reduction": "sum"}, nil, target, scalar(a + b)},
		{nil, nil, target, scalar((a + b) / 2)},
		{nil, tensor.Vector[float32](1, 3), target, scalar((a + 3*b) / 4)},
		{opstest.Attrs{"ignore_index": 1}, nil, target, scalar(a)},
		{opstest.Attrs{"ignore_index": -5, "reduction": "none"}, tensor.Vector[float32](1, 3), tensor.Vector[int32](-5, 1), tensor.Vector(0, 3*b)},
		{opstest.Attrs{"ignore_index": 0}, nil, tensor.Vector[int64](0, 0), scalar(float32(math.NaN()))},
	} {
		for _, name := range []string{"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"} {
			eachType(t, opstest.Call{Name: name, Attrs: c.attrs}, c.want, x, c.target, c.weight)
		}
	}
	// Three axes: classes are axis 1.
	x3 := of(tensor.Shape{1, 2, 2}, ln(0.25), ln(0.5), ln(0.75), ln(0.5))
	t3 := tensor.Of(tensor.Shape{1, 2}, []int64{1, 0})
	out, err := opstest.Run(t, opstest.Call{Name: "SoftmaxCrossEntropyLoss", Outputs: 2, Attrs: opstest.Attrs{"reduction": "none"}}, x3, t3)
	if err != nil {
		t.Fatal(err)
	}
	opstest.Equal(t, out[0].(*tensor.Tensor), mat(1, 2, -ln(0.75), b), 1e-5, 0)
	opstest.Equal(t, out[1].(*tensor.Tensor), x3, 1e-5, 1e-6)
	for _, bad := range []tensor.Value{tensor.Vector[int64](0, 2), tensor.Vector[int64](-1, 0), tensor.Vector[int64](0)} {
		if _, err := opstest.Run(t, opstest.Call{Name: "NegativeLogLikelihoodLoss"}, x, bad); err == nil {
			t.Errorf("target %v is accepted", bad)
		}
	}
}
