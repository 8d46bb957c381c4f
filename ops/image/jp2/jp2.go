// Package jp2 decodes JPEG 2000 images (ISO/IEC 15444-1): JP2 files and bare codestreams, with the reversible and the
// irreversible wavelet, all progression orders, tiles, layers and precincts. Changes of the progression order, packed packet
// headers, regions of interest, palettes, and the coding styles that bypass the arithmetic coder or end it early are
// refused.
package jp2

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var errShort = errors.New("jp2: unexpected end of data")

// component is how one component is sampled.
type component struct {
	bits   int
	signed bool
	dx, dy int
}

// coding is how one component of a tile is coded (COD and COC).
type coding struct {
	levels, cbw, cbh, style int
	reversible              bool
	precincts               []byte // width and height exponents by resolution; nil for the largest
}

// quantizing is how its coefficients are quantized (QCD and QCC).
type quantizing struct {
	style, guard int
	steps        []int // exponent<<11 | mantissa
}

// params are the parameters of the image or of one tile.
type params struct {
	order, layers int
	mct, sop, eph bool
	coding        []coding
	quant         []quantizing
	own           [2][]bool // components with a COC or QCC of their own
}

type decoder struct {
	x0, y0, x1, y1     int
	tx, ty, tx0, ty0   int
	comps              []component
	main               params
	tiles              map[int]*tile
	planes             [][]int32
	planeW, planeH     []int
	tilesWide, numTile int
}

// Images may have maxRatio pixels for each byte of data, and minPixels whatever their data.
const (
	maxRatio  = 256
	minPixels = 1 << 22
)

// Decode returns the pixels as interleaved RGB rows.
func Decode(data []byte) (rgb []byte, width, height int, err error) {
	stream, err := codestream(data)
	if err != nil {
		return nil, 0, 0, err
	}
	d := &decoder{tiles: map[int]*tile{}}
	if err := d.read(stream, len(data)); err != nil {
		return nil, 0, 0, err
	}
	for i, t := range d.tiles {
		if err := d.decodeTile(i, t); err != nil {
			return nil, 0, 0, err
		}
	}
	return d.pixels(), d.x1 - d.x0, d.y1 - d.y0, nil
}

// codestream finds the codestream in a file of boxes.
func codestream(data []byte) ([]byte, error) {
	if len(data) > 4 && data[0] == 0xFF && data[1] == 0x4F {
		return data, nil
	}
	for len(data) >= 8 {
		n, kind, head := int(binary.BigEndian.Uint32(data)), string(data[4:8]), 8
		if n == 1 && len(data) >= 16 {
			n, head = int(binary.BigEndian.Uint64(data[8:])&(1<<40-1)), 16
		}
		if n == 0 || n > len(data) {
			n = len(data)
		}
		if n < head {
			return nil, errShort
		}
		switch kind {
		case "jp2c":
			return data[head:n], nil
		case "jp2h":
			if hasBox(data[head:n], "pclr") {
				return nil, errors.New("jp2: palettes are not supported")
			}
		}
		data = data[n:]
	}
	return nil, errShort
}

func hasBox(data []byte, kind string) bool {
	for len(data) >= 8 {
		n := int(binary.BigEndian.Uint32(data))
		if string(data[4:8]) == kind {
			return true
		}
		if n < 8 || n > len(data) {
			return false
		}
		data = data[n:]
	}
	return false
}

// tile collects the parts of one tile.
type tile struct {
	params
	data []byte
}

// read goes through the marker segments.
func (d *decoder) read(s []byte, size int) error {
	pos := 2
	var cur *tile
	var end int // of the current tile part
	for pos+4 <= len(s) {
		m := int(binary.BigEndian.Uint16(s[pos:]))
		if m == 0xFFD9 {
			break
		}
		if m == 0xFF93 { // start of data
			if cur == nil {
				return errShort
			}
			if end == 0 || end > len(s) {
				end = len(s)
			}
			if end < pos+2 {
				return errShort
			}
			cur.data = append(cur.data, s[pos+2:end]...)
			pos, cur = end, nil
			continue
		}
		n := int(binary.BigEndian.Uint16(s[pos+2:]))
		if n < 2 || pos+2+n > len(s) {
			return errShort
		}
		seg := s[pos+4 : pos+2+n]
		if m == 0xFF90 {
			if len(seg) < 8 || len(d.comps) == 0 {
				return errShort
			}
			i, part := int(binary.BigEndian.Uint16(seg)), int(binary.BigEndian.Uint32(seg[2:]))
			if i >= d.numTile {
				return fmt.Errorf("jp2: tile %d of %d", i, d.numTile)
			}
			if end = 0; part > 0 {
				end = pos + part
			}
			if cur = d.tiles[i]; cur == nil {
				cur = &tile{params: d.main.clone()}
				d.tiles[i] = cur
			}
		} else if err := d.segment(m, seg, cur, size); err != nil {
			return err
		}
		pos += 2 + n
	}
	if len(d.comps) == 0 || len(d.tiles) != d.numTile {
		return errShort
	}
	return nil
}

func (p params) clone() params {
	c := p
	c.coding = append([]coding{}, p.coding...)
	c.quant = append([]quantizing{}, p.quant...)
	for i := range c.own {
		c.own[i] = make([]bool, len(p.own[i]))
	}
	return c
}

func (d *decoder) segment(m int, seg []byte, cur *tile, size int) error {
	p := &d.main
	if cur != nil {
		p = &cur.params
	}
	switch m {
	case 0xFF51:
		return d.size(seg, size)
	case 0xFF52, 0xFF53:
		return p.readCoding(seg, m == 0xFF53)
	case 0xFF5C, 0xFF5D:
		return p.readQuant(seg, m == 0xFF5D)
	case 0xFF5E, 0xFF5F, 0xFF60, 0xFF61:
		return fmt.Errorf("jp2: marker segment %#x is not supported", m)
	}
	return nil
}

func (d *decoder) size(seg []byte, size int) error {
	if len(seg) < 36 || len(d.comps) > 0 {
		return errShort
	}
	var v [8]int
	for i := range v {
		v[i] = int(binary.BigEndian.Uint32(seg[2+4*i:]))
	}
	d.x1, d.y1, d.x0, d.y0, d.tx, d.ty, d.tx0, d.ty0 = v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
	n := int(binary.BigEndian.Uint16(seg[34:]))
	w, h := d.x1-d.x0, d.y1-d.y0
	if n < 1 || n > 4 || len(seg) < 36+3*n || w < 1 || h < 1 || w > 1<<24 || h > 1<<24 || w*h > max(minPixels, maxRatio*size) || d.tx < 1 || d.ty < 1 ||
		d.tx0 > d.x0 || d.ty0 > d.y0 || d.tx0+d.tx <= d.x0 || d.ty0+d.ty <= d.y0 {
		return fmt.Errorf("jp2: %d×%d pixels of %d components in %d bytes", w, h, n, size)
	}
	for i := range n {
		s := seg[36+3*i:]
		c := component{int(s[0]&0x7F) + 1, s[0]&0x80 != 0, int(s[1]), int(s[2])}
		if c.bits > 24 || c.dx < 1 || c.dy < 1 {
			return fmt.Errorf("jp2: component of %d bits, sampled by %d×%d", c.bits, c.dx, c.dy)
		}
		d.comps = append(d.comps, c)
		pw, ph := ceil(d.x1, c.dx)-ceil(d.x0, c.dx), ceil(d.y1, c.dy)-ceil(d.y0, c.dy)
		d.planeW, d.planeH = append(d.planeW, pw), append(d.planeH, ph)
		d.planes = append(d.planes, make([]int32, pw*ph))
	}
	d.main.coding, d.main.quant = make([]coding, n), make([]quantizing, n)
	d.main.own = [2][]bool{make([]bool, n), make([]bool, n)}
	d.tilesWide = ceil(d.x1-d.tx0, d.tx)
	d.numTile = d.tilesWide * ceil(d.y1-d.ty0, d.ty)
	if d.numTile > 1<<16 {
		return fmt.Errorf("jp2: %d tiles", d.numTile)
	}
	return nil
}

func ceil(a, b int) int { return (a + b - 1) / b }

func ceilShift(a, n int) int { return (a + 1<<n - 1) >> n }

func (p *params) readCoding(seg []byte, own bool) error {
	if len(p.coding) == 0 {
		return errShort
	}
	comp := -1
	if own {
		if len(seg) < 7 || int(seg[0]) >= len(p.coding) {
			return errShort
		}
		comp = int(seg[0])
		seg = append([]byte{seg[1], 0, 0, 0, 0}, seg[2:]...)
	}
	if len(seg) < 10 {
		return errShort
	}
	c := coding{levels: int(seg[5]), cbw: int(seg[6]) + 2, cbh: int(seg[7]) + 2, style: int(seg[8]), reversible: seg[9] == 1}
	if c.levels > 32 || c.cbw > 10 || c.cbh > 10 || c.cbw+c.cbh > 12 || c.style&^styleKnown != 0 {
		return fmt.Errorf("jp2: %d levels with blocks of 2^%d×2^%d in style %d", c.levels, c.cbw, c.cbh, c.style)
	}
	if seg[0]&1 != 0 {
		if len(seg) < 11+c.levels {
			return errShort
		}
		c.precincts = seg[10 : 11+c.levels]
	}
	if own {
		p.coding[comp], p.own[0][comp] = c, true
		return nil
	}
	p.sop, p.eph = seg[0]&2 != 0, seg[0]&4 != 0
	p.order, p.layers, p.mct = int(seg[1]), int(binary.BigEndian.Uint16(seg[2:])), seg[4] != 0
	for i := range p.coding {
		if !p.own[0][i] {
			p.coding[i] = c
		}
	}
	return nil
}

func (p *params) readQuant(seg []byte, own bool) error {
	comp := -1
	if own && len(seg) > 0 {
		comp = int(seg[0])
		seg = seg[1:]
	}
	if len(seg) < 1 || len(p.quant) == 0 || comp >= len(p.quant) {
		return errShort
	}
	q := quantizing{style: int(seg[0] & 31), guard: int(seg[0] >> 5)}
	seg = seg[1:]
	if q.style == 0 {
		for _, v := range seg {
			q.steps = append(q.steps, int(v>>3)<<11)
		}
	} else {
		for ; len(seg) >= 2; seg = seg[2:] {
			q.steps = append(q.steps, int(binary.BigEndian.Uint16(seg)))
		}
	}
	if own {
		p.quant[comp], p.own[1][comp] = q, true
		return nil
	}
	for i := range p.quant {
		if !p.own[1][i] {
			p.quant[i] = q
		}
	}
	return nil
}

// pixels turns the components into RGB of 8 bits.
func (d *decoder) pixels() []byte {
	w, h := d.x1-d.x0, d.y1-d.y0
	rgb := make([]byte, 3*w*h)
	for k := range 3 {
		c := k
		if len(d.comps) < 3 {
			c = 0
		}
		comp, plane := d.comps[c], d.planes[c]
		for y := range h {
			row := min((d.y0+y)/comp.dy-ceil(d.y0, comp.dy), d.planeH[c]-1)
			for x := range w {
				col := min((d.x0+x)/comp.dx-ceil(d.x0, comp.dx), d.planeW[c]-1)
				v := int(plane[max(row, 0)*d.planeW[c]+max(col, 0)])
				if comp.signed {
					v += 1 << (comp.bits - 1)
				}
				v = min(max(v, 0), 1<<comp.bits-1)
				if comp.bits > 8 {
					v >>= comp.bits - 8
				} else if comp.bits < 8 {
					v = v * 255 / (1<<comp.bits - 1)
				}
				rgb[3*(y*w+x)+k] = uint8(v)
			}
		}
	}
	return rgb
}
