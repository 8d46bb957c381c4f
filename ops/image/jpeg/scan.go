package jpeg

import "errors"

// table is a Huffman table: codes of up to 8 bits are looked up, longer ones searched by length.
type table struct {
	fast    [256]uint16 // length<<8 | value; 0 for longer codes
	maxCode [18]int32
	offset  [17]int32
	values  []byte
}

var errCode = errors.New("jpeg: bad Huffman code")

func (d *decoder) tables(seg []byte) error {
	for len(seg) > 0 {
		if len(seg) < 17 || seg[0]>>4 > 1 || seg[0]&15 > 3 {
			return errCode
		}
		n := 0
		for _, c := range seg[1:17] {
			n += int(c)
		}
		if n > 256 || len(seg) < 17+n {
			return errCode
		}
		t := &table{values: seg[17 : 17+n]}
		code, k := int32(0), 0
		for l := 1; l <= 16; l++ {
			t.offset[l] = int32(k) - code
			for range seg[l] {
				if code >= 1<<l {
					return errCode
				}
				if l <= 8 {
					first := int(code) << (8 - l)
					for i := range 1 << (8 - l) {
						t.fast[first+i] = uint16(l)<<8 | uint16(t.values[k])
					}
				}
				code++
				k++
			}
			t.maxCode[l] = code - 1
			if seg[l] == 0 {
				t.maxCode[l] = -1
			}
			code <<= 1
		}
		d.huff[seg[0]>>4][seg[0]&15] = t
		seg = seg[17+n:]
	}
	return nil
}

// fill makes at least n ≤ 16 bits available. Behind a marker there are zeros.
func (d *decoder) fill(n int) {
	for d.bits < n {
		var b byte
		if d.pos < len(d.data) {
			b = d.data[d.pos]
			if b != 0xFF {
				d.pos++
			} else if d.pos+1 < len(d.data) && d.data[d.pos+1] == 0 {
				d.pos += 2
			} else {
				b = 0
			}
		}
		d.acc |= uint32(b) << (24 - d.bits)
		d.bits += 8
	}
}

func (d *decoder) get(n int) int {
	if n == 0 {
		return 0
	}
	d.fill(n)
	v := int(d.acc >> (32 - n))
	d.acc <<= n
	d.bits -= n
	return v
}

// signed reads n bits of a coefficient's value.
func (d *decoder) signed(n int) int {
	v := d.get(n)
	if n > 0 && v < 1<<(n-1) {
		v += -1<<n + 1
	}
	return v
}

func (d *decoder) symbol(t *table) (int, error) {
	if t == nil {
		return 0, errCode
	}
	d.fill(16)
	if f := t.fast[d.acc>>24]; f != 0 {
		d.acc <<= f >> 8
		d.bits -= int(f >> 8)
		return int(f & 0xFF), nil
	}
	for l := 9; l <= 16; l++ {
		code := int32(d.acc >> (32 - l))
		if code <= t.maxCode[l] {
			d.acc <<= l
			d.bits -= l
			return int(t.values[t.offset[l]+code]), nil
		}
	}
	return 0, errCode
}

func (d *decoder) scan(seg []byte) error {
	if len(seg) < 1 || len(seg) < 4+2*int(seg[0]) || len(d.comps) == 0 {
		return errShort
	}
	n := int(seg[0])
	var comps []*component
	for i := range n {
		for _, c := range d.comps {
			if c.id == int(seg[1+2*i]) {
				c.dc, c.ac = int(seg[2+2*i]>>4), int(seg[2+2*i]&15)
				if c.dc > 3 || c.ac > 3 {
					return errCode
				}
				comps = append(comps, c)
				break
			}
		}
	}
	if len(comps) != n || n == 0 {
		return errors.New("jpeg: scan of unknown components")
	}
	rest := seg[1+2*n:]
	d.ss, d.se, d.ah, d.al = int(rest[0]), int(rest[1]), uint(rest[2]>>4), uint(rest[2]&15)
	if !d.progressive {
		d.ss, d.se, d.ah, d.al = 0, 63, 0, 0
	}
	if d.ss > d.se || d.se > 63 || d.al > 13 || d.progressive && (d.ss == 0) != (d.se == 0) || d.ss > 0 && n > 1 {
		return errors.New("jpeg: bad scan parameters")
	}
	return d.mcus(comps)
}

// mcus decodes the blocks of a scan. A scan of one component has its blocks one by one; of several, interleaved.
func (d *decoder) mcus(comps []*component) error {
	d.reset(comps)
	wide, high := ceil(d.width, 8*d.maxH), ceil(d.height, 8*d.maxV)
	if len(comps) == 1 {
		wide, high = ceil(comps[0].width, 8), ceil(comps[0].height, 8)
	}
	for m := range wide * high {
		if d.interval > 0 && m > 0 && m%d.interval == 0 {
			if err := d.restart(comps); err != nil {
				return err
			}
		}
		x, y := m%wide, m/wide
		if len(comps) == 1 {
			if err := d.block(comps[0], y*comps[0].wide+x); err != nil {
				return err
			}
			continue
		}
		for _, c := range comps {
			for k := range c.h * c.v {
				if err := d.block(c, (y*c.v+k/c.h)*c.wide+x*c.h+k%c.h); err != nil {
					return err
				}
			}
		}
	}
	if d.pos >= len(d.data) {
		return errShort
	}
	return nil
}

func (d *decoder) reset(comps []*component) {
	d.acc, d.bits, d.eobRun = 0, 0, 0
	for _, c := range comps {
		c.pred = 0
	}
}

func (d *decoder) restart(comps []*component) error {
	m, err := d.marker()
	if err != nil {
		return err
	}
	if m < 0xD0 || m > 0xD7 {
		return errors.New("jpeg: no restart marker")
	}
	d.reset(comps)
	return nil
}

func (d *decoder) block(c *component, i int) error {
	b := (*[64]int16)(c.coef[64*i:])
	switch {
	case !d.progressive:
		if err := d.first(c, b); err != nil {
			return err
		}
		return d.acFirst(c, b, 1)
	case d.ss == 0 && d.ah == 0:
		return d.first(c, b)
	case d.ss == 0:
		b[0] |= int16(d.get(1)) << d.al
		return nil
	case d.ah == 0:
		return d.acFirst(c, b, d.ss)
	}
	return d.acRefine(c, b)
}

// first reads the constant coefficient.
func (d *decoder) first(c *component, b *[64]int16) error {
	n, err := d.symbol(d.huff[0][c.dc])
	if err != nil || n > 16 {
		return errCode
	}
	c.pred += d.signed(min(n, 15))
	b[0] = int16(c.pred << d.al)
	return nil
}

// acFirst reads the other coefficients from k on, or their upper bits.
func (d *decoder) acFirst(c *component, b *[64]int16, k int) error {
	if d.eobRun > 0 {
		d.eobRun--
		return nil
	}
	t := d.huff[1][c.ac]
	for ; k <= d.se; k++ {
		s, err := d.symbol(t)
		if err != nil {
			return err
		}
		run, n := s>>4, s&15
		if n == 0 && run != 15 {
			if d.progressive {
				d.eobRun = 1<<run - 1 + d.get(run)
			}
			return nil
		}
		k += run
		if k > d.se {
			return errCode
		}
		if n > 0 {
			b[zigzag[k]] = int16(d.signed(n) << d.al)
		}
	}
	return nil
}

// acRefine adds a bit to coefficients that are there and places new ones.
func (d *decoder) acRefine(c *component, b *[64]int16) error {
	bit := int16(1) << d.al
	k := d.ss
	if d.eobRun == 0 {
		t := d.huff[1][c.ac]
		for ; k <= d.se; k++ {
			s, err := d.symbol(t)
			if err != nil {
				return err
			}
			run, n := s>>4, s&15
			var v int16
			switch {
			case n == 1:
				v = -bit
				if d.get(1) == 1 {
					v = bit
				}
			case n != 0:
				return errCode
			case run != 15:
				d.eobRun = 1<<run + d.get(run)
			}
			if d.eobRun > 0 {
				break
			}
			for ; k <= d.se; k++ {
				at := &b[zigzag[k]]
				if *at != 0 {
					d.refine(at, bit)
				} else if run == 0 {
					*at = v
					break
				} else {
					run--
				}
			}
		}
	}
	if d.eobRun > 0 {
		for ; k <= d.se; k++ {
			if at := &b[zigzag[k]]; *at != 0 {
				d.refine(at, bit)
			}
		}
		d.eobRun--
	}
	return nil
}

func (d *decoder) refine(at *int16, bit int16) {
	if d.get(1) == 0 || *at&bit != 0 && *at > 0 || *at < 0 && -*at&bit != 0 {
		return
	}
	if *at > 0 {
		*at += bit
	} else {
		*at -= bit
	}
}
