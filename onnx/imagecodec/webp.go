// Package imagecodec adds image formats to the operator ImageDecoder whose decoders are outside of the standard library:
// WebP. Import it for its side effect.
package imagecodec

import (
	"bytes"
	"fmt"
	"image"

	"golang.org/x/image/webp"

	ops "github.com/sardonyx-ml/sardonyx/ops/image"
)

func init() { ops.RegisterDecoder("webp", "RIFF????WEBP", decodeWebP) }

// maxRatio bounds the pixels that a byte of data can stand for: a lossy macroblock of 256 pixels takes a fraction of a byte.
const maxRatio = 1 << 14

func decodeWebP(data []byte) ([]byte, int, int, error) {
	cfg, err := webp.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, 0, 0, err
	}
	if cfg.Width*cfg.Height > maxRatio*len(data) {
		return nil, 0, 0, fmt.Errorf("webp: %d×%d pixels in %d bytes", cfg.Width, cfg.Height, len(data))
	}
	img, err := webp.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, 0, 0, err
	}
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	switch img := img.(type) {
	case *image.YCbCr:
		return fromYCbCr(img, w, h), w, h, nil
	case *image.NYCbCrA:
		return fromYCbCr(&img.YCbCr, w, h), w, h, nil
	}
	return ops.RGB(img), w, h, nil
}

// fromYCbCr converts as libwebp does: chroma is interpolated with weights 9, 3, 3, 1 in two roundings, then converted
// with 14 fractional bits.
func fromYCbCr(img *image.YCbCr, w, h int) []byte {
	rgb := make([]byte, 3*w*h)
	cb, cr := make([]uint8, w), make([]uint8, w)
	rows := (h + 1) / 2
	for y := range h {
		near := y / 2
		far := near - 1 + 2*(y%2)
		far = min(max(far, 0), rows-1)
		upsample(cb, img.Cb[near*img.CStride:], img.Cb[far*img.CStride:])
		upsample(cr, img.Cr[near*img.CStride:], img.Cr[far*img.CStride:])
		for x := range w {
			toRGB(rgb[3*(y*w+x):][:3], int(img.Y[y*img.YStride+x]), int(cb[x]), int(cr[x]))
		}
	}
	return rgb
}

// upsample fills a row of chroma from the nearer and the further row of half the width.
func upsample(dst, near, far []uint8) {
	for x := range dst {
		i := x / 2
		j := i - 1 + 2*(x%2) // the further column
		if j < 0 || 2*j >= len(dst) {
			dst[x] = uint8((3*int(near[i]) + int(far[i]) + 2) >> 2)
			continue
		}
		a, b, c, d := int(near[i]), int(near[j]), int(far[i]), int(far[j])
		diagonal := (a + b + c + d + 8 + 2*(b+c)) >> 3
		dst[x] = uint8((diagonal + a) >> 1)
	}
}

func toRGB(p []byte, y, u, v int) {
	y = y * 19077 >> 8
	p[0] = clip(y + v*26149>>8 - 14234)
	p[1] = clip(y - u*6419>>8 - v*13320>>8 + 8708)
	p[2] = clip(y + u*33050>>8 - 17685)
}

// clip drops the 6 fractional bits that are left.
func clip(v int) uint8 { return uint8(min(max(v>>6, 0), 255)) }
