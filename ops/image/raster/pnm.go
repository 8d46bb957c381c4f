// Package raster decodes simple image formats: PNM, BMP and TIFF.
package raster

import (
	"errors"
	"fmt"
)

// newRGB allocates an image after checking its size against the data it comes from: a byte may hold at most ratio pixels.
func newRGB(w, h, ratio, data int) ([]byte, error) {
	if w <= 0 || h <= 0 || w > 1<<24 || h > 1<<24 || w*h > ratio*data {
		return nil, fmt.Errorf("%d×%d pixels in %d bytes", w, h, data)
	}
	return make([]byte, 3*w*h), nil
}

var errShort = errors.New("unexpected end of image data")

// pnm reads the header fields and the samples of plain formats.
type pnm struct {
	data []byte
	pos  int
}

// number reads a decimal number after white space and comments.
func (p *pnm) number() (int, error) {
	for p.pos < len(p.data) {
		switch c := p.data[p.pos]; {
		case c == '#':
			for p.pos < len(p.data) && p.data[p.pos] != '\n' {
				p.pos++
			}
		case c == ' ' || c >= '\t' && c <= '\r':
			p.pos++
		case c < '0' || c > '9':
			return 0, fmt.Errorf("pnm: %q is no digit", c)
		default:
			n := 0
			for p.pos < len(p.data) && p.data[p.pos] >= '0' && p.data[p.pos] <= '9' && n < 1<<30 {
				n = 10*n + int(p.data[p.pos]-'0')
				p.pos++
			}
			return n, nil
		}
	}
	return 0, errShort
}

// bit reads a digit of a plain bitmap, which need not be separated from the next.
func (p *pnm) bit() (int, error) {
	for p.pos < len(p.data) && p.data[p.pos] != '0' && p.data[p.pos] != '1' {
		p.pos++
	}
	if p.pos >= len(p.data) {
		return 0, errShort
	}
	p.pos++
	return int(p.data[p.pos-1] - '0'), nil
}

// DecodePNM decodes the formats P1 to P6 (PBM, PGM, PPM).
func DecodePNM(data []byte) (rgb []byte, w, h int, err error) {
	p := &pnm{data, 2}
	kind := data[1] - '0'
	top := 1
	if w, err = p.number(); err != nil {
		return nil, 0, 0, err
	}
	if h, err = p.number(); err != nil {
		return nil, 0, 0, err
	}
	if kind%3 != 1 {
		if top, err = p.number(); err != nil {
			return nil, 0, 0, err
		}
	}
	if top < 1 || top > 65535 {
		return nil, 0, 0, fmt.Errorf("pnm: largest value %d", top)
	}
	p.pos++ // one byte of white space
	if rgb, err = newRGB(w, h, 8, len(data)); err != nil {
		return nil, 0, 0, err
	}
	channels := 1
	if kind%3 == 0 {
		channels = 3
	}
	for y := range h {
		for x := range w * channels {
			v, err := p.sample(kind, x, y, w*channels, top)
			if err != nil {
				return nil, 0, 0, err
			}
			s := uint8(min((v*255+top/2)/top, 255))
			if channels == 3 {
				rgb[3*w*y+x] = s
			} else {
				i := 3 * (w*y + x)
				rgb[i], rgb[i+1], rgb[i+2] = s, s, s
			}
		}
	}
	return rgb, w, h, nil
}

// sample reads sample x of row y.
func (p *pnm) sample(kind byte, x, y, width, top int) (int, error) {
	at := 0
	switch kind {
	case 1:
		v, err := p.bit()
		return 1 - v, err
	case 2, 3:
		return p.number()
	case 4:
		if at = p.pos + y*((width+7)/8) + x/8; at < len(p.data) {
			return int(^p.data[at] >> (7 - x%8) & 1), nil
		}
	default:
		if top > 255 {
			if at = p.pos + 2*(y*width+x); at+1 < len(p.data) {
				return int(p.data[at])<<8 | int(p.data[at+1]), nil
			}
		} else if at = p.pos + y*width + x; at < len(p.data) {
			return int(p.data[at]), nil
		}
	}
	return 0, errShort
}
