// Package jpeg decodes baseline and progressive JPEG images with the results of libjpeg: its accurate integer inverse
// cosine transform, its smooth ("fancy") upsampling of chroma and its conversion to RGB. The standard library's decoder
// differs in all three.
package jpeg

import (
	"errors"
	"fmt"
)

var errShort = errors.New("jpeg: unexpected end of data")

// component is one colour plane.
type component struct {
	id, h, v, tq  int
	wide, high    int // blocks, padded to whole MCUs
	width, height int // samples that count
	coef          []int16
	plane         []uint8 // wide·8 samples a row
	dc, ac        int     // tables of the current scan
	pred          int
}

type decoder struct {
	data        []byte
	pos         int
	acc         uint32 // bit buffer, most significant bits first
	bits        int
	width       int
	height      int
	comps       []*component
	maxH, maxV  int
	quant       [4][64]int32
	huff        [2][4]*table
	interval    int // MCUs between restart markers
	progressive bool
	adobe       int // transform of an Adobe marker, or -1
	jfif        bool
	eobRun      int
	ss, se      int  // of the current scan: spectral selection
	ah, al      uint // and successive approximation
}

// maxRatio bounds the pixels that a byte of data can stand for.
const maxRatio = 512

// Decode returns the pixels as interleaved RGB rows.
func Decode(data []byte) (rgb []byte, width, height int, err error) {
	d := &decoder{data: data, adobe: -1}
	if err := d.read(); err != nil {
		return nil, 0, 0, err
	}
	if len(d.comps) == 0 {
		return nil, 0, 0, errors.New("jpeg: no image")
	}
	for _, c := range d.comps {
		c.transform(&d.quant[c.tq])
	}
	rgb, err = d.convert()
	return rgb, d.width, d.height, err
}

func (d *decoder) u16() (int, error) {
	if d.pos+2 > len(d.data) {
		return 0, errShort
	}
	v := int(d.data[d.pos])<<8 | int(d.data[d.pos+1])
	d.pos += 2
	return v, nil
}

// marker finds the next marker.
func (d *decoder) marker() (byte, error) {
	for d.pos+1 < len(d.data) {
		if d.data[d.pos] == 0xFF && d.data[d.pos+1] != 0 && d.data[d.pos+1] != 0xFF {
			d.pos += 2
			return d.data[d.pos-1], nil
		}
		d.pos++
	}
	return 0, errShort
}

func (d *decoder) read() error {
	if len(d.data) < 4 || d.data[0] != 0xFF || d.data[1] != 0xD8 {
		return errors.New("jpeg: no start of image")
	}
	d.pos = 2
	for {
		m, err := d.marker()
		if err != nil {
			return err
		}
		switch {
		case m == 0xD9:
			return nil
		case m == 0x01 || m >= 0xD0 && m <= 0xD8:
			continue
		}
		n, err := d.u16()
		if err != nil {
			return err
		}
		if n < 2 || d.pos+n-2 > len(d.data) {
			return errShort
		}
		seg := d.data[d.pos : d.pos+n-2]
		d.pos += n - 2
		if err := d.segment(m, seg); err != nil {
			return err
		}
	}
}

func (d *decoder) segment(m byte, seg []byte) error {
	switch m {
	case 0xC0, 0xC1, 0xC2:
		d.progressive = m == 0xC2
		return d.frame(seg)
	case 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF:
		return fmt.Errorf("jpeg: coding process %#x is not supported", m)
	case 0xC4:
		return d.tables(seg)
	case 0xDB:
		return d.quantizers(seg)
	case 0xDD:
		if len(seg) < 2 {
			return errShort
		}
		d.interval = int(seg[0])<<8 | int(seg[1])
	case 0xE0:
		d.jfif = d.jfif || len(seg) >= 5 && string(seg[:5]) == "JFIF\x00"
	case 0xEE:
		if len(seg) >= 12 && string(seg[:5]) == "Adobe" {
			d.adobe = int(seg[11])
		}
	case 0xDA:
		return d.scan(seg)
	}
	return nil
}

func (d *decoder) quantizers(seg []byte) error {
	for len(seg) > 0 {
		wide, id := int(seg[0]>>4), seg[0]&15
		n := 64 * (1 + wide)
		if id > 3 || wide > 1 || len(seg) < 1+n {
			return errors.New("jpeg: bad quantization table")
		}
		for k := range 64 {
			v := int32(seg[1+k])
			if wide == 1 {
				v = int32(seg[1+2*k])<<8 | int32(seg[2+2*k])
			}
			d.quant[id][zigzag[k]] = v
		}
		seg = seg[1+n:]
	}
	return nil
}

func (d *decoder) frame(seg []byte) error {
	if len(d.comps) > 0 || len(seg) < 6 || seg[0] != 8 {
		return errors.New("jpeg: more than one frame, or samples that do not have 8 bits")
	}
	d.height, d.width = int(seg[1])<<8|int(seg[2]), int(seg[3])<<8|int(seg[4])
	n := int(seg[5])
	if d.width == 0 || d.height == 0 || len(seg) < 6+3*n || n != 1 && n != 3 && n != 4 {
		return fmt.Errorf("jpeg: %d×%d pixels of %d components", d.width, d.height, n)
	}
	if d.width*d.height > maxRatio*len(d.data)+1<<16 {
		return fmt.Errorf("jpeg: %d×%d pixels in %d bytes", d.width, d.height, len(d.data))
	}
	for i := range n {
		s := seg[6+3*i:]
		c := &component{id: int(s[0]), h: int(s[1] >> 4), v: int(s[1] & 15), tq: int(s[2])}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.tq > 3 {
			return errors.New("jpeg: bad sampling factors or table")
		}
		d.maxH, d.maxV = max(d.maxH, c.h), max(d.maxV, c.v)
		d.comps = append(d.comps, c)
	}
	for _, c := range d.comps {
		c.width, c.height = ceil(d.width*c.h, d.maxH), ceil(d.height*c.v, d.maxV)
		c.wide, c.high = ceil(d.width, 8*d.maxH)*c.h, ceil(d.height, 8*d.maxV)*c.v
		c.coef = make([]int16, c.wide*c.high*64)
	}
	return nil
}

func ceil(a, b int) int { return (a + b - 1) / b }

// zigzag is the place of coefficient k in a block.
var zigzag = [64]int{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}
