package feed

import (
	"fmt"
	"image"
	_ "image/jpeg" // decoders
	_ "image/png"
	"os"

	"golang.org/x/image/draw"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// ImageOptions say how pixels become numbers: (pixel·Scale − Mean)/Std, with pixels from 0 to 255.
type ImageOptions struct {
	Mean, Std []float64 // per channel, or one for all; empty: 0 and 1
	Scale     float64   // 0: 1/255 for floats, 1 for integers
	Layout    string    // NCHW or NHWC; "": as the model's shape says
}

// maxPixels bounds what an image may claim.
const maxPixels = 1 << 28

// readImage reads an image as a tensor of the declared type, resized to the height and width that this says.
func readImage(path string, t tensor.Type, o ImageOptions) (tensor.Value, error) {
	img, err := decode(path)
	if err != nil {
		return nil, err
	}
	f, err := newFrame(t, o, img.Bounds().Dx(), img.Bounds().Dy())
	if err != nil {
		return nil, err
	}
	rgba := image.NewRGBA(image.Rect(0, 0, f.w, f.h))
	draw.Draw(rgba, rgba.Bounds(), image.White, image.Point{}, draw.Src) // behind transparent pixels
	draw.BiLinear.Scale(rgba, rgba.Bounds(), img, img.Bounds(), draw.Over, nil)
	out := tensor.New(f.dtype, f.shape...)
	return out, out.SetFloats(f.values(rgba, o))
}

func decode(path string) (image.Image, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	c, _, err := image.DecodeConfig(file)
	if err != nil {
		return nil, err
	}
	if c.Width <= 0 || c.Height <= 0 || c.Width > maxPixels/c.Height {
		return nil, fmt.Errorf("image of %d×%d pixels", c.Width, c.Height)
	}
	if _, err := file.Seek(0, 0); err != nil {
		return nil, err
	}
	img, _, err := image.Decode(file)
	return img, err
}

// frame is the place of an image in a tensor.
type frame struct {
	dtype   tensor.DType
	shape   tensor.Shape
	c, h, w int
	last    bool // channels last
}

// newFrame reads channels, height and width from the declared type; what that leaves open is the image's own.
func newFrame(t tensor.Type, o ImageOptions, width, height int) (*frame, error) {
	f := &frame{dtype: t.DType, c: 3, h: height, w: width}
	if f.dtype == tensor.Undefined {
		f.dtype = tensor.Float32
	}
	if !f.dtype.IsFloat() && !f.dtype.IsInt() {
		return nil, fmt.Errorf("an image cannot be %v", f.dtype)
	}
	dims := t.Dims
	switch {
	case !t.Ranked:
		dims = make([]tensor.Dim, 4)
	case len(dims) == 2: // a matrix of gray pixels
		dims = append([]tensor.Dim{tensor.Int(1), tensor.Int(1)}, dims...)
	case len(dims) == 3 || len(dims) == 4:
		dims = append(make([]tensor.Dim, 4-len(dims)), dims...)
	default:
		return nil, fmt.Errorf("an image cannot be fed to an input of type %v", t)
	}
	last, err := channelsLast(dims, o.Layout)
	if err != nil {
		return nil, err
	}
	f.last = last
	order := [3]int{1, 2, 3} // of c, h, w
	if last {
		order = [3]int{3, 1, 2}
	}
	for k, p := range []*int{&f.c, &f.h, &f.w} {
		if n, ok := dims[order[k]].Int(); ok {
			*p = n
		}
	}
	if f.c != 1 && f.c != 3 || f.h <= 0 || f.w <= 0 || f.h > maxPixels/f.w {
		return nil, fmt.Errorf("an image of %d channels and %d×%d pixels cannot be made; the input is %v", f.c, f.w, f.h, t)
	}
	f.shape = tensor.Shape{1, f.c, f.h, f.w}
	if last {
		f.shape = tensor.Shape{1, f.h, f.w, f.c}
	}
	if t.Ranked {
		f.shape = f.shape[4-len(t.Dims):]
	}
	return f, nil
}

func channelsLast(dims []tensor.Dim, layout string) (bool, error) {
	switch layout {
	case "NHWC", "HWC":
		return true, nil
	case "NCHW", "CHW":
		return false, nil
	case "":
		channels := func(d tensor.Dim) bool { return d.Is(1) || d.Is(3) }
		return channels(dims[3]) && !channels(dims[1]), nil
	}
	return false, usagef("--layout %s: NCHW or NHWC", layout)
}

// values are the frame's elements in the tensor's order.
func (f *frame) values(img *image.RGBA, o ImageOptions) []float64 {
	scale := o.Scale
	if scale == 0 {
		scale = 1
		if f.dtype.IsFloat() {
			scale = 1.0 / 255
		}
	}
	out := make([]float64, f.c*f.h*f.w)
	for c := range f.c {
		mean, std := channel(o.Mean, c, 0), channel(o.Std, c, 1)
		for y := range f.h {
			for x := range f.w {
				p := img.Pix[y*img.Stride+4*x:]
				v := float64(p[c])
				if f.c == 1 {
					v = 0.299*float64(p[0]) + 0.587*float64(p[1]) + 0.114*float64(p[2])
				}
				at := (c*f.h+y)*f.w + x
				if f.last {
					at = (y*f.w+x)*f.c + c
				}
				out[at] = (v*scale - mean) / std
			}
		}
	}
	return out
}

func channel(list []float64, c int, def float64) float64 {
	switch {
	case len(list) == 0:
		return def
	case c < len(list):
		return list[c]
	}
	return list[len(list)-1]
}
