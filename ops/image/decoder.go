package image

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"sync"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/image/jp2"
	"github.com/sardonyx-ml/sardonyx/ops/image/jpeg"
	"github.com/sardonyx-ml/sardonyx/ops/image/raster"
)

func init() {
	ops.Register(ops.Def{Name: "ImageDecoder", Since: 20, New: newImageDecoder})
	RegisterDecoder("png", "\x89PNG\r\n\x1a\n", decodePNG)
	RegisterDecoder("jpeg", "\xff\xd8", jpeg.Decode)
	RegisterDecoder("bmp", "BM", raster.DecodeBMP)
	RegisterDecoder("tiff", "II*\x00", raster.DecodeTIFF)
	RegisterDecoder("tiff", "MM\x00*", raster.DecodeTIFF)
	RegisterDecoder("jpeg2000", "\x00\x00\x00\x0cjP  \r\n\x87\n", jp2.Decode)
	RegisterDecoder("jpeg2000", "\xff\x4f\xff\x51", jp2.Decode)
	for _, magic := range []string{"P1", "P2", "P3", "P4", "P5", "P6"} {
		RegisterDecoder("pnm", magic, raster.DecodePNM)
	}
}

// Decoder turns an encoded image into interleaved RGB rows.
type Decoder func(data []byte) (rgb []byte, width, height int, err error)

type format struct {
	name, magic string
	decode      Decoder
}

var (
	formatsMu sync.RWMutex
	formats   []format
)

// RegisterDecoder adds a format to ImageDecoder. Data belong to it that begin with magic, in which '?' stands for any
// byte. It is meant to be called from init functions.
func RegisterDecoder(name, magic string, decode Decoder) {
	formatsMu.Lock()
	defer formatsMu.Unlock()
	formats = append(formats, format{name, magic, decode})
}

func (f format) matches(data []byte) bool {
	if len(data) < len(f.magic) {
		return false
	}
	for i, c := range []byte(f.magic) {
		if c != '?' && c != data[i] {
			return false
		}
	}
	return true
}

func decode(data []byte) ([]byte, int, int, error) {
	formatsMu.RLock()
	defer formatsMu.RUnlock()
	for _, f := range formats {
		if f.matches(data) {
			return f.decode(data)
		}
	}
	return nil, 0, 0, fmt.Errorf("image format is not known")
}

// imageDecoder is https://onnx.ai/onnx/operators/onnx__ImageDecoder.html. What cannot be decoded gives an empty image.
type imageDecoder struct{ pixels string }

func newImageDecoder(a *ops.Attrs) (ops.Op, error) {
	return imageDecoder{a.Enum("pixel_format", "RGB", "BGR", "Grayscale")}, a.Done()
}

func (op imageDecoder) channels() int {
	if op.pixels == "Grayscale" {
		return 1
	}
	return 3
}

// Infer implements ops.Op.
func (op imageDecoder) Infer(c *ops.Infer) error {
	c.SetOut(0, tensor.Uint8, tensor.Dim{}, tensor.Dim{}, tensor.Int(op.channels()))
	return nil
}

// Run implements ops.Op.
func (op imageDecoder) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	if x.DType() != tensor.Uint8 || x.Rank() != 1 {
		return fmt.Errorf("encoded stream is %v, not a vector of bytes", x)
	}
	rgb, w, h, err := decode(x.Bytes())
	if err != nil {
		rgb, w, h = nil, 0, 0
	}
	y, err := c.New(0, tensor.Uint8, tensor.Shape{h, w, op.channels()})
	if err != nil {
		return err
	}
	out := y.Bytes()
	switch op.pixels {
	case "Grayscale": // the luma of ITU-R BT.601 with 16 fractional bits
		for i := range out {
			p := rgb[3*i : 3*i+3]
			out[i] = uint8((19595*uint32(p[0]) + 38470*uint32(p[1]) + 7471*uint32(p[2]) + 1<<15) >> 16)
		}
	case "BGR":
		for i := 0; i < len(out); i += 3 {
			out[i], out[i+1], out[i+2] = rgb[i+2], rgb[i+1], rgb[i]
		}
	default:
		copy(out, rgb)
	}
	return nil
}

// maxDeflate is the largest ratio of compression that deflate reaches.
const maxDeflate = 1032

func decodePNG(data []byte) ([]byte, int, int, error) {
	cfg, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, 0, 0, err
	}
	if n, err := (tensor.Shape{cfg.Width, cfg.Height}).CheckSize(); err != nil || n/8 > maxDeflate*len(data) {
		return nil, 0, 0, fmt.Errorf("png: %d×%d pixels in %d bytes", cfg.Width, cfg.Height, len(data))
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, 0, 0, err
	}
	rgb := RGB(img)
	return rgb, img.Bounds().Dx(), img.Bounds().Dy(), nil
}

// RGB returns an image's interleaved colours without regard to their opacity.
func RGB(img image.Image) []byte {
	b := img.Bounds()
	rgb := make([]byte, 0, 3*b.Dx()*b.Dy())
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			switch c := img.At(x, y).(type) {
			case color.NRGBA64:
				rgb = append(rgb, uint8(c.R>>8), uint8(c.G>>8), uint8(c.B>>8))
			case color.Gray:
				rgb = append(rgb, c.Y, c.Y, c.Y)
			default:
				n := color.NRGBAModel.Convert(c).(color.NRGBA)
				rgb = append(rgb, n.R, n.G, n.B)
			}
		}
	}
	return rgb
}
