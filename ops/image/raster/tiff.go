package raster

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
)

// tiff is the first image of a file: fields by tag.
type tiff struct {
	data   []byte
	order  binary.ByteOrder
	fields map[uint16][]int
}

// The tags that matter.
const (
	tagWidth, tagHeight, tagBits, tagCompression, tagPhotometric = 256, 257, 258, 259, 262
	tagStripOffsets, tagSamples, tagRowsPerStrip, tagStripCounts = 273, 277, 278, 279
	tagPlanar, tagPredictor, tagColorMap                         = 284, 317, 320
	tagTileWidth, tagTileHeight, tagTileOffsets, tagTileCounts   = 322, 323, 324, 325
)

// DecodeTIFF decodes the first image of a file of bilevel, gray, palette, RGB or CMYK samples of 1, 2, 4, 8 or 16 bits, in
// strips or tiles, plain or compressed with PackBits, LZW or Deflate.
func DecodeTIFF(data []byte) ([]byte, int, int, error) {
	t := &tiff{data: data, order: binary.LittleEndian, fields: map[uint16][]int{}}
	if data[0] == 'M' {
		t.order = binary.BigEndian
	}
	if err := t.directory(); err != nil {
		return nil, 0, 0, err
	}
	w, h := t.one(tagWidth, 0), t.one(tagHeight, 0)
	rgb, err := newRGB(w, h, 8*1032, len(data))
	if err != nil {
		return nil, 0, 0, err
	}
	return rgb, w, h, t.blocks(rgb, w, h)
}

func (t *tiff) directory() error {
	if len(t.data) < 8 {
		return errShort
	}
	at := int(t.order.Uint32(t.data[4:]))
	if at+2 > len(t.data) {
		return errShort
	}
	n := int(t.order.Uint16(t.data[at:]))
	if at+2+12*n > len(t.data) {
		return errShort
	}
	for i := range n {
		e := t.data[at+2+12*i:]
		size := map[uint16]int{1: 1, 3: 2, 4: 4}[t.order.Uint16(e[2:])]
		count := int(t.order.Uint32(e[4:]))
		if size == 0 {
			continue
		}
		v := e[8:12]
		if count*size > 4 {
			off := int(t.order.Uint32(v))
			if off+count*size > len(t.data) {
				return errShort
			}
			v = t.data[off:]
		}
		list := make([]int, count)
		for k := range list {
			switch size {
			case 1:
				list[k] = int(v[k])
			case 2:
				list[k] = int(t.order.Uint16(v[2*k:]))
			default:
				list[k] = int(t.order.Uint32(v[4*k:]))
			}
		}
		t.fields[t.order.Uint16(e)] = list
	}
	return nil
}

func (t *tiff) one(tag uint16, def int) int {
	if v := t.fields[tag]; len(v) > 0 {
		return v[0]
	}
	return def
}

// blocks decodes the strips or tiles and stores their pixels.
func (t *tiff) blocks(rgb []byte, w, h int) error {
	bw, bh := w, min(t.one(tagRowsPerStrip, h), h)
	offsets, counts := t.fields[tagStripOffsets], t.fields[tagStripCounts]
	if tiles := t.fields[tagTileOffsets]; len(tiles) > 0 {
		offsets, counts = tiles, t.fields[tagTileCounts]
		bw, bh = t.one(tagTileWidth, 0), t.one(tagTileHeight, 0)
	}
	bits, samples := t.one(tagBits, 1), t.one(tagSamples, 1)
	switch bits {
	case 1, 2, 4, 8, 16:
	default:
		return fmt.Errorf("tiff: %d bits", bits)
	}
	if bw < 1 || bh < 1 || bw > 1<<20 || bh > 1<<20 || samples < 1 || samples > 64 {
		return fmt.Errorf("tiff: blocks of %d×%d with %d samples", bw, bh, samples)
	}
	planes := 1
	if t.one(tagPlanar, 1) == 2 {
		planes = samples
	}
	across, down := (w+bw-1)/bw, (h+bh-1)/bh
	if len(offsets) < across*down*planes || len(counts) < across*down*planes {
		return errShort
	}
	per := samples / planes // samples in one block's pixel
	stride := (bw*per*bits + 7) / 8
	px, err := newPixels(t, samples, bits)
	if err != nil {
		return err
	}
	for i := range across * down {
		x0, y0 := i%across*bw, i/across*bh
		rows := min(bh, h-y0)
		var parts [][]byte
		for p := range planes {
			b, err := t.unpack(offsets[p*across*down+i], counts[p*across*down+i], stride, rows)
			if err != nil {
				return err
			}
			if err := t.unpredict(b, stride, rows, bw, per, bits); err != nil {
				return err
			}
			parts = append(parts, b)
		}
		s := make([]int, samples)
		for y := range rows {
			for x := range min(bw, w-x0) {
				for k := range s {
					row, at := parts[0][y*stride:], x*samples+k
					if planes > 1 {
						row, at = parts[k][y*stride:], x
					}
					s[k] = t.sample(row, at, bits)
				}
				px.put(rgb[3*((y0+y)*w+x0+x):][:3], s)
			}
		}
	}
	return nil
}

func (t *tiff) sample(row []byte, i, bits int) int {
	switch bits {
	case 8:
		return int(row[i])
	case 16:
		return int(t.order.Uint16(row[2*i:]))
	}
	per := 8 / bits
	return int(row[i/per]) >> (8 - bits*(1+i%per)) & (1<<bits - 1)
}

// unpack decompresses a block of at least rows·stride bytes.
func (t *tiff) unpack(off, n, stride, rows int) ([]byte, error) {
	if off < 0 || n < 0 || off > len(t.data) || n > len(t.data)-off {
		return nil, errShort
	}
	in, want := t.data[off:off+n], stride*rows
	if want > 8*1032*len(t.data) {
		return nil, fmt.Errorf("tiff: a block of %d bytes", want)
	}
	var out []byte
	var err error
	switch c := t.one(tagCompression, 1); c {
	case 1:
		out = append(out, in...)
	case 5:
		out, err = unLZW(in, want)
	case 8, 32946:
		var z io.ReadCloser
		if z, err = zlib.NewReader(bytes.NewReader(in)); err == nil {
			out, err = io.ReadAll(io.LimitReader(z, int64(want)))
		}
	case 32773:
		out = unPackBits(in, want)
	default:
		return nil, fmt.Errorf("tiff: compression %d is not supported", c)
	}
	if err == nil && len(out) < want {
		err = errShort
	}
	return out, err
}

// unpredict undoes horizontal differencing.
func (t *tiff) unpredict(b []byte, stride, rows, width, per, bits int) error {
	switch p := t.one(tagPredictor, 1); {
	case p == 1:
		return nil
	case p != 2 || bits < 8:
		return fmt.Errorf("tiff: predictor %d of %d bits is not supported", p, bits)
	}
	for y := range rows {
		row := b[y*stride : (y+1)*stride]
		for i := per; i < width*per; i++ {
			if bits == 8 {
				row[i] += row[i-per]
			} else {
				t.order.PutUint16(row[2*i:], t.order.Uint16(row[2*i:])+t.order.Uint16(row[2*(i-per):]))
			}
		}
	}
	return nil
}

// unPackBits decodes runs of bytes.
func unPackBits(in []byte, want int) []byte {
	var out []byte
	for len(in) > 1 && len(out) < want {
		n := int(int8(in[0]))
		switch {
		case n >= 0:
			m := min(n+1, len(in)-1)
			out = append(out, in[1:1+m]...)
			in = in[1+m:]
		case n == -128:
			in = in[1:]
		default:
			out = append(out, bytes.Repeat(in[1:2], 1-n)...)
			in = in[2:]
		}
	}
	return out
}

// unLZW decodes TIFF's variant, whose codes grow one entry earlier than GIF's and begin with the most significant bit.
func unLZW(in []byte, want int) ([]byte, error) {
	const clearCode, end = 256, 257
	var prefix [4096]uint16
	var suffix [4096]byte
	var length [4096]uint16
	var out []byte
	for i := range 256 {
		suffix[i], length[i] = byte(i), 1
	}
	next, width, prev := 258, 9, -1
	acc, bits := uint32(0), 0
	for len(out) < want {
		for bits < width {
			if len(in) == 0 {
				return out, nil
			}
			acc, bits, in = acc<<8|uint32(in[0]), bits+8, in[1:]
		}
		code := int(acc >> (bits - width) & (1<<width - 1))
		bits -= width
		switch {
		case code == end:
			return out, nil
		case code == clearCode:
			next, width, prev = 258, 9, -1
			continue
		case code > next || code == next && prev < 0 || code >= 258 && prev < 0:
			return nil, fmt.Errorf("tiff: bad LZW code %d", code)
		}
		src := code
		if code == next { // the previous string with its own first byte
			src = prev
		}
		start := len(out)
		out = append(out, make([]byte, length[src])...)
		for i, c := len(out)-1, src; i >= start; i, c = i-1, int(prefix[c]) {
			out[i] = suffix[c]
		}
		first := out[start]
		if code == next {
			out = append(out, first)
		}
		if prev >= 0 && next < 4096 {
			prefix[next], suffix[next], length[next] = uint16(prev), first, length[prev]+1
			next++
			if next == 1<<width-1 && width < 12 {
				width++
			}
		}
		prev = code
	}
	return out, nil
}

// pixels turns samples into colours.
type pixels struct {
	kind, top int
	palette   []int
}

func newPixels(t *tiff, samples, bits int) (*pixels, error) {
	p := &pixels{kind: t.one(tagPhotometric, 1), top: 1<<bits - 1, palette: t.fields[tagColorMap]}
	need := map[int]int{0: 1, 1: 1, 2: 3, 3: 1, 5: 4}[p.kind]
	if need == 0 || samples < need || p.kind == 3 && len(p.palette) < 3<<bits {
		return nil, fmt.Errorf("tiff: photometric interpretation %d of %d samples is not supported", p.kind, samples)
	}
	return p, nil
}

func (p *pixels) put(rgb []byte, s []int) {
	scale := func(v int) uint8 {
		if p.top == 65535 {
			return uint8(v >> 8)
		}
		return uint8(v * 255 / p.top)
	}
	switch p.kind {
	case 0, 1:
		v := scale(s[0])
		if p.kind == 0 {
			v = 255 - v
		}
		rgb[0], rgb[1], rgb[2] = v, v, v
	case 2:
		rgb[0], rgb[1], rgb[2] = scale(s[0]), scale(s[1]), scale(s[2])
	case 3:
		n := p.top + 1
		rgb[0], rgb[1], rgb[2] = uint8(p.palette[s[0]]>>8), uint8(p.palette[n+s[0]]>>8), uint8(p.palette[2*n+s[0]]>>8)
	case 5:
		k := 255 - int(scale(s[3]))
		for i := range 3 {
			rgb[i] = uint8((255 - int(scale(s[i]))) * k / 255)
		}
	}
}
