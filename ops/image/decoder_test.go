package image

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func TestImageDecoder(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	img.Set(0, 0, color.NRGBA{10, 20, 30, 255})
	img.Set(1, 0, color.NRGBA{200, 100, 0, 128})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	for format, want := range map[string]*tensor.Tensor{
		"RGB":       tensor.Of(tensor.Shape{1, 2, 3}, []uint8{10, 20, 30, 200, 100, 0}),
		"BGR":       tensor.Of(tensor.Shape{1, 2, 3}, []uint8{30, 20, 10, 0, 100, 200}),
		"Grayscale": tensor.Of(tensor.Shape{1, 2, 1}, []uint8{18, 118}),
	} {
		call := opstest.Call{Name: "ImageDecoder", Attrs: opstest.Attrs{"pixel_format": format}}
		opstest.Equal(t, opstest.Run1(t, call, tensor.Vector(b.Bytes()...)), want, 0, 0)
	}
	call := opstest.Call{Name: "ImageDecoder"}
	for _, bad := range [][]byte{nil, []byte("nothing known"), b.Bytes()[:40]} {
		opstest.Equal(t, opstest.Run1(t, call, tensor.Vector(bad...)), tensor.New(tensor.Uint8, 0, 0, 3), 0, 0)
	}
}
