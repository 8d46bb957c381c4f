package signal

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func noise(shape ...int) *tensor.Tensor {
	rng := rand.New(rand.NewPCG(5, 6))
	x := tensor.New(tensor.Float32, shape...)
	for i := range x.Float32() {
		x.Float32()[i] = rng.Float32() - 0.5
	}
	return x
}

func TestDFT(t *testing.T) {
	for _, n := range []int{1, 5, 6, 8, 17} {
		for _, parts := range []int{1, 2} {
			x := noise(2, n, 3, parts)
			y := opstest.Run1(t, opstest.Call{Name: "DFT"}, x, nil, tensor.Scalar[int64](1))
			want := tensor.New(tensor.Float32, 2, n, 3, 2)
			for o := range 2 {
				for i := range 3 {
					for k := range n {
						var s complex128
						for j := range n {
							at := ((o*n+j)*3 + i) * parts
							v := complex(float64(x.Float32()[at]), 0)
							if parts == 2 {
								v += complex(0, float64(x.Float32()[at+1]))
							}
							s += v * cmplx.Exp(complex(0, -2*math.Pi*float64(j*k)/float64(n)))
						}
						at := ((o*n+k)*3 + i) * 2
						want.Float32()[at], want.Float32()[at+1] = float32(real(s)), float32(imag(s))
					}
				}
			}
			opstest.Equal(t, y, want, 1e-5, 1e-5)
			back := opstest.Run1(t, opstest.Call{Name: "DFT", Attrs: opstest.Attrs{"inverse": 1}}, y, nil, tensor.Scalar[int64](-3))
			for i, v := range x.Float32() {
				at := i
				if parts == 1 {
					at = 2 * i
				}
				if math.Abs(float64(back.Float32()[at]-v)) > 1e-6 {
					t.Fatalf("n=%d: inverse element %d is %v, want %v", n, i, back.Float32()[at], v)
				}
			}
		}
	}
}

func TestDFTOnesided(t *testing.T) {
	for _, n := range []int64{6, 7} {
		x := noise(2, int(n), 1)
		half := opstest.Run1(t, opstest.Call{Name: "DFT", Opset: 17, Attrs: opstest.Attrs{"onesided": 1}}, x)
		full := opstest.Run1(t, opstest.Call{Name: "DFT", Opset: 17}, x)
		if !half.Shape().Equal(tensor.Shape{2, int(n)/2 + 1, 2}) {
			t.Fatalf("shape %v", half.Shape())
		}
		for i := range int(n)/2 + 1 {
			if half.Float32()[2*i+1] != full.Float32()[2*i+1] {
				t.Errorf("element %d differs", i)
			}
		}
		back := opstest.Run1(t, opstest.Call{Name: "DFT", Attrs: opstest.Attrs{"onesided": 1, "inverse": 1}}, half, tensor.Scalar(n))
		opstest.Equal(t, back, x, 0, 1e-6)
	}
	padded := opstest.Run1(t, opstest.Call{Name: "DFT"}, tensor.Of(tensor.Shape{1, 2, 1}, []float64{1, 2}), tensor.Scalar[int32](4))
	opstest.Equal(t, padded, tensor.Of(tensor.Shape{1, 4, 2}, []float64{3, 0, 1, -2, -1, 0, 1, 2}), 0, 1e-12)
	for _, bad := range [][]tensor.Value{{noise(2, 3, 1), nil, tensor.Scalar[int64](2)}, {noise(2, 3, 1), tensor.Scalar[int64](0)}, {noise(2, 3, 4)}} {
		if _, err := opstest.Run(t, opstest.Call{Name: "DFT"}, bad...); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}

func TestSTFT(t *testing.T) {
	x, w := noise(2, 10, 1), tensor.Vector[float32](0.5, 1, 1, 0.5)
	y := opstest.Run1(t, opstest.Call{Name: "STFT"}, x, tensor.Scalar[int64](3), w)
	if !y.Shape().Equal(tensor.Shape{2, 3, 3, 2}) {
		t.Fatalf("shape %v", y.Shape())
	}
	for b := range 2 {
		for f := range 3 {
			frame := tensor.New(tensor.Float32, 1, 4, 1)
			for i := range 4 {
				frame.Float32()[i] = x.Float32()[b*10+f*3+i] * w.Float32()[i]
			}
			want := opstest.Run1(t, opstest.Call{Name: "DFT", Attrs: opstest.Attrs{"onesided": 1}}, frame)
			got := tensor.Of(want.Shape(), y.Float32()[(b*3+f)*6:][:6])
			opstest.Equal(t, got, want, 1e-6, 1e-6)
		}
	}
	short := opstest.Run1(t, opstest.Call{Name: "STFT", Attrs: opstest.Attrs{"onesided": 0}}, noise(1, 3, 2), tensor.Scalar[int64](1), nil, tensor.Scalar[int64](8))
	if !short.Shape().Equal(tensor.Shape{1, 0, 8, 2}) {
		t.Errorf("shape %v", short.Shape())
	}
	if _, err := opstest.Run(t, opstest.Call{Name: "STFT"}, x, tensor.Scalar[int64](0), w); err == nil {
		t.Error("step 0 is accepted")
	}
}

func TestWindows(t *testing.T) {
	for _, c := range []struct {
		name     string
		periodic int
		want     []float32
	}{
		{"HannWindow", 0, []float32{0, 0.5, 1, 0.5, 0}},
		{"HannWindow", 1, []float32{0, 0.3454915, 0.9045085, 0.9045085, 0.3454915}},
		{"HammingWindow", 0, []float32{0.0869565, 0.5434783, 1, 0.5434783, 0.0869565}},
		{"BlackmanWindow", 0, []float32{0, 0.34, 1, 0.34, 0}},
	} {
		got := opstest.Run1(t, opstest.Call{Name: c.name, Attrs: opstest.Attrs{"periodic": c.periodic}}, tensor.Scalar[int32](5))
		opstest.Equal(t, got, tensor.Vector(c.want...), 1e-6, 1e-7)
	}
	got := opstest.Run1(t, opstest.Call{Name: "HannWindow", Attrs: opstest.Attrs{"output_datatype": tensor.Int8}}, tensor.Scalar[int64](4))
	opstest.Equal(t, got, tensor.Vector[int8](0, 0, 1, 0), 0, 0)
	if _, err := opstest.Run(t, opstest.Call{Name: "HannWindow"}, tensor.Scalar[int64](-1)); err == nil {
		t.Error("a negative length is accepted")
	}
}

func TestMelWeightMatrix(t *testing.T) {
	in := []tensor.Value{tensor.Scalar[int64](8), tensor.Scalar[int64](16), tensor.Scalar[int64](8192), tensor.Scalar[float32](0), tensor.Scalar[float32](4096)}
	got := opstest.Run1(t, opstest.Call{Name: "MelWeightMatrix"}, in...)
	// The standard's example.
	want := tensor.Of(tensor.Shape{9, 8}, []float32{
		1, 1, 0, 0, 0, 0, 0, 0,
		0, 0, 1, 1, 0, 0, 0, 0,
		0, 0, 0, 0, 1, 0, 0, 0,
		0, 0, 0, 0, 0, 1, 0, 0,
		0, 0, 0, 0, 0, 0, 1, 0,
		0, 0, 0, 0, 0, 0, 0, 1,
		0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0})
	opstest.Equal(t, got, want, 0, 0)
	in[4] = tensor.Scalar[float32](1e6)
	if _, err := opstest.Run(t, opstest.Call{Name: "MelWeightMatrix"}, in...); err == nil {
		t.Error("frequencies beyond the spectrum are accepted")
	}
}
