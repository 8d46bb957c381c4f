package raster

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// bmp is the header of a bitmap.
type bmp struct {
	w, h        int
	depth       int
	compression uint32
	palette     []byte // blue, green, red and perhaps a fourth byte for each entry
	entry       int
	masks       [3]uint32
	pixels      []byte
	topDown     bool
}

// DecodeBMP decodes bitmaps of 1, 4, 8, 16, 24 and 32 bits, plain, with bit fields or run-length coded.
func DecodeBMP(data []byte) ([]byte, int, int, error) {
	b, err := readBMP(data)
	if err != nil {
		return nil, 0, 0, err
	}
	ratio := 8
	if b.compression == 1 || b.compression == 2 {
		ratio = 256
	}
	rgb, err := newRGB(b.w, b.h, ratio, len(data))
	if err != nil {
		return nil, 0, 0, err
	}
	if b.compression == 1 || b.compression == 2 {
		return rgb, b.w, b.h, b.runs(rgb)
	}
	stride := (b.w*b.depth + 31) / 32 * 4
	if len(b.pixels) < stride*b.h {
		return nil, 0, 0, errShort
	}
	for y := range b.h {
		row := b.pixels[y*stride:]
		for x := range b.w {
			b.put(rgb, x, y, b.value(row, x))
		}
	}
	return rgb, b.w, b.h, nil
}

func readBMP(data []byte) (*bmp, error) {
	if len(data) < 26 {
		return nil, errShort
	}
	le := binary.LittleEndian
	start, size := int(le.Uint32(data[10:])), int(le.Uint32(data[14:]))
	b := &bmp{entry: 4}
	colors := 0
	switch {
	case size == 12:
		b.w, b.h, b.depth, b.entry = int(le.Uint16(data[18:])), int(le.Uint16(data[20:])), int(le.Uint16(data[24:])), 3
	case size >= 40 && len(data) >= 54:
		b.w, b.h = int(int32(le.Uint32(data[18:]))), int(int32(le.Uint32(data[22:])))
		b.depth, b.compression, colors = int(le.Uint16(data[28:])), le.Uint32(data[30:]), int(le.Uint32(data[46:]))
	default:
		return nil, fmt.Errorf("bmp: header of %d bytes", size)
	}
	if b.h < 0 {
		b.h, b.topDown = -b.h, true
	}
	at := 14 + size
	b.masks = [3]uint32{0xFF0000, 0xFF00, 0xFF}
	if b.depth == 16 {
		b.masks = [3]uint32{0x7C00, 0x3E0, 0x1F}
	}
	if b.compression == 3 || b.compression == 6 {
		if len(data) < 66 {
			return nil, errShort
		}
		for i := range b.masks {
			b.masks[i] = le.Uint32(data[54+4*i:])
		}
		if size == 40 {
			at += 12
		}
	}
	if b.depth <= 8 {
		if colors == 0 || colors > 1<<b.depth {
			colors = 1 << b.depth
		}
		if at+colors*b.entry > len(data) {
			return nil, errShort
		}
		b.palette = data[at : at+colors*b.entry]
	}
	if start > len(data) {
		return nil, errShort
	}
	b.pixels = data[start:]
	return b, b.check()
}

func (b *bmp) check() error {
	switch {
	case b.compression == 0 || b.compression == 1 && b.depth == 8 || b.compression == 2 && b.depth == 4:
	case (b.compression == 3 || b.compression == 6) && (b.depth == 16 || b.depth == 32):
	default:
		return fmt.Errorf("bmp: compression %d of %d bits", b.compression, b.depth)
	}
	switch b.depth {
	case 1, 4, 8, 16, 24, 32:
		return nil
	}
	return fmt.Errorf("bmp: %d bits", b.depth)
}

// value returns the index or colour of pixel x.
func (b *bmp) value(row []byte, x int) uint32 {
	switch b.depth {
	case 16:
		return uint32(binary.LittleEndian.Uint16(row[2*x:]))
	case 24:
		return uint32(row[3*x]) | uint32(row[3*x+1])<<8 | uint32(row[3*x+2])<<16
	case 32:
		return binary.LittleEndian.Uint32(row[4*x:])
	}
	per := 8 / b.depth
	return uint32(row[x/per]) >> (8 - b.depth*(1+x%per)) & (1<<b.depth - 1)
}

// put stores a pixel, y counted in the file's order.
func (b *bmp) put(rgb []byte, x, y int, v uint32) {
	if !b.topDown {
		y = b.h - 1 - y
	}
	p := rgb[3*(y*b.w+x):][:3]
	if b.depth <= 8 {
		if at := int(v) * b.entry; at+3 <= len(b.palette) {
			p[0], p[1], p[2] = b.palette[at+2], b.palette[at+1], b.palette[at]
		}
		return
	}
	for i, m := range b.masks {
		if m != 0 {
			low := bits.TrailingZeros32(m)
			p[i] = uint8(uint64(v&m>>low) * 255 / uint64(m>>low))
		}
	}
}

// runs decodes run-length coded rows.
func (b *bmp) runs(rgb []byte) error {
	in := b.pixels
	x, y := 0, 0
	set := func(v uint32) {
		if x < b.w && y < b.h {
			b.put(rgb, x, y, v)
		}
		x++
	}
	for i := range b.w * b.h { // pixels that no run covers have index 0
		b.put(rgb, i%b.w, i/b.w, 0)
	}
	for len(in) >= 2 {
		n, v := int(in[0]), in[1]
		in = in[2:]
		switch {
		case n > 0:
			for k := range n {
				set(b.nibble(v, k))
			}
		case v == 0:
			x, y = 0, y+1
		case v == 1:
			return nil
		case v == 2:
			if len(in) < 2 {
				return errShort
			}
			x, y = x+int(in[0]), y+int(in[1])
			in = in[2:]
		default:
			size := int(v)
			if b.depth == 4 {
				size = (size + 1) / 2
			}
			padded := (size + 1) / 2 * 2
			if len(in) < padded {
				return errShort
			}
			for k := range int(v) {
				at := k
				if b.depth == 4 {
					at = k / 2
				}
				set(b.nibble(in[at], k))
			}
			in = in[padded:]
		}
	}
	return nil
}

// nibble is value k of a run's byte.
func (b *bmp) nibble(v byte, k int) uint32 {
	if b.depth == 8 {
		return uint32(v)
	}
	if k%2 == 0 {
		return uint32(v >> 4)
	}
	return uint32(v & 15)
}
