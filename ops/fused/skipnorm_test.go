package fused

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

// normalized is the definition in float64.
func normalized(a, b, scale, bias *tensor.Tensor, eps float64, rms bool) (y, sum *tensor.Tensor) {
	shape, _ := a.Shape().Broadcast(b.Shape())
	y, sum = tensor.New(tensor.Float32, shape...), tensor.New(tensor.Float32, shape...)
	at := func(t *tensor.Tensor, i int) float64 {
		steps := make([]int, len(shape))
		for d, s := range t.Shape().Strides() {
			if t.Dim(d) != 1 {
				steps[len(shape)-t.Rank()+d] = s
			}
		}
		return float64(t.Float32()[offset(i, shape, steps)])
	}
	n := shape[len(shape)-1]
	for r := 0; r < shape.Size(); r += n {
		mean, square := 0.0, 0.0
		for i := r; i < r+n; i++ {
			s := at(a, i) + at(b, i)
			sum.Float32()[i] = float32(s)
			mean += s / float64(n)
		}
		if rms {
			mean = 0
		}
		for i := r; i < r+n; i++ {
			d := float64(sum.Float32()[i]) - mean
			square += d * d / float64(n)
		}
		for i := r; i < r+n; i++ {
			v := (float64(sum.Float32()[i]) - mean) / math.Sqrt(square+eps) * float64(scale.Float32()[i-r])
			if bias != nil {
				v += float64(bias.Float32()[i-r])
			}
			y.Float32()[i] = float32(v)
		}
	}
	return y, sum
}

func TestSkipNorm(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, c := range []struct{ a, b []int }{
		{[]int{2, 3, 20}, []int{2, 3, 20}},
		{[]int{2, 3, 20}, []int{3, 20}},
		{[]int{3, 20}, []int{2, 1, 20}},
		{[]int{2, 3, 20}, []int{2, 3, 1}},
		{[]int{1}, []int{2, 20}},
		{[]int{20}, []int{20}},
		{[]int{}, []int{2, 20}},
		{[]int{0, 20}, []int{20}},
	} {
		for _, rms := range []bool{false, true} {
			a, b, scale := random(r, c.a...), random(r, c.b...), random(r, 20)
			in := []tensor.Value{a, b, scale}
			var bias *tensor.Tensor
			if !rms {
				bias = random(r, 20)
				in = append(in, bias)
			}
			y, sum := normalized(a, b, scale, bias, 0.01, rms)
			for _, outputs := range []int{1, 2} {
				out, err := opstest.Run(t, opstest.Call{Domain: ops.Internal, Name: "SkipLayerNorm", Attrs: opstest.Attrs{"epsilon": 0.01, "rms": rms}, Outputs: outputs}, in...)
				if err != nil {
					t.Fatalf("%v: %v", c, err)
				}
				near(t, "normalized", out[0], y)
				if outputs > 1 {
					near(t, "sum", out[1], sum)
				}
			}
		}
	}
}

func TestSkipNormErrors(t *testing.T) {
	f := func(shape ...int) *tensor.Tensor { return tensor.New(tensor.Float32, shape...) }
	for _, c := range []struct {
		in   []tensor.Value
		want string
	}{
		{[]tensor.Value{f(2, 3), f(2, 4), f(3)}, "broadcast"},
		{[]tensor.Value{f(2, 3), f(2, 3), f(4)}, "scale"},
		{[]tensor.Value{f(2, 3), f(2, 3), f(3), f(2)}, "bias"},
		{[]tensor.Value{f(), f(), f(1)}, "axis"},
		{[]tensor.Value{tensor.New(tensor.Float64, 2, 3), tensor.New(tensor.Float64, 2, 3), f(3)}, "unsupported"},
	} {
		_, err := opstest.Run(t, opstest.Call{Domain: ops.Internal, Name: "SkipLayerNorm", Outputs: 2}, c.in...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one with %q", c.in, err, c.want)
		}
	}
}
