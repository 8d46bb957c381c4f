package jpeg

// transform computes the component's samples. It is libjpeg's "islow" inverse cosine transform after Loeffler, Ligtenberg
// and Moschytz: 13 fractional bits for the constants, 2 more bits between the passes.
func (c *component) transform(q *[64]int32) {
	stride := c.wide * 8
	c.plane = make([]uint8, stride*c.high*8)
	var ws [64]int32
	for i := range c.wide * c.high {
		b := c.coef[64*i : 64*i+64]
		for x := range 8 {
			var in [8]int32
			for y := range in {
				in[y] = int32(b[8*y+x]) * q[8*y+x]
			}
			out := idct(&in, 11)
			for y, v := range out {
				ws[8*y+x] = v
			}
		}
		at := (i/c.wide*stride + i%c.wide) * 8
		for y := range 8 {
			out := idct((*[8]int32)(ws[8*y:]), 18)
			for x, v := range out {
				c.plane[at+y*stride+x] = clamp(v + 128)
			}
		}
	}
	c.coef = nil
}

func clamp(v int32) uint8 { return uint8(min(max(v, 0), 255)) }

// idct transforms eight coefficients and shifts the results right, rounded.
func idct(in *[8]int32, shift uint) (out [8]int32) {
	z1 := (in[2] + in[6]) * 4433
	t2, t3 := z1-in[6]*15137, z1+in[2]*6270
	t0, t1 := (in[0]+in[4])<<13, (in[0]-in[4])<<13
	a, d, b, c := t0+t3, t0-t3, t1+t2, t1-t2
	o0, o1, o2, o3 := in[7], in[5], in[3], in[1]
	y1, y2, y3, y4 := o0+o3, o1+o2, o0+o2, o1+o3
	z5 := (y3 + y4) * 9633
	y1, y2, y3, y4 = -y1*7373, -y2*20995, z5-y3*16069, z5-y4*3196
	o0, o1, o2, o3 = o0*2446+y1+y3, o1*16819+y2+y4, o2*25172+y2+y3, o3*12299+y1+y4
	r := int32(1) << (shift - 1)
	out[0], out[7] = (a+o3+r)>>shift, (a-o3+r)>>shift
	out[1], out[6] = (b+o2+r)>>shift, (b-o2+r)>>shift
	out[2], out[5] = (c+o1+r)>>shift, (c-o1+r)>>shift
	out[3], out[4] = (d+o0+r)>>shift, (d-o0+r)>>shift
	return out
}

// row returns sample row y, clamped to those that count.
func (c *component) row(y int) []uint8 {
	y = min(max(y, 0), c.height-1)
	return c.plane[y*c.wide*8:][:c.wide*8]
}

// upsample fills dst with row y of the full image.
func (d *decoder) upsample(dst []uint8, c *component, y int, sums []int32) {
	fh, fv := d.maxH/c.h, d.maxV/c.v
	exact := d.maxH%c.h == 0 && d.maxV%c.v == 0
	switch {
	case exact && fh == 1 && fv == 1:
		copy(dst, c.row(y))
	case exact && fh == 2 && fv == 1 && c.width > 2:
		across(dst, c.row(y)[:c.width])
	case exact && fh == 1 && fv == 2:
		down(dst, c, y)
	case exact && fh == 2 && fv == 2 && c.width > 2:
		both(dst, c, y, sums)
	default:
		src := c.row(y * c.v / d.maxV)
		for x := range dst {
			dst[x] = src[x*c.h/d.maxH]
		}
	}
}

// across doubles the width: 3/4 of the nearer and 1/4 of the further sample, rounded down and up in turn.
func across(dst, src []uint8) {
	n := len(src)
	for x := range dst {
		i := x / 2
		near := 3 * int(src[i])
		switch {
		case x == 0 || x == 2*n-1:
			dst[x] = src[i]
		case x%2 == 0:
			dst[x] = uint8((near + int(src[i-1]) + 1) >> 2)
		default:
			dst[x] = uint8((near + int(src[i+1]) + 2) >> 2)
		}
	}
}

// neighbours returns the nearer and the further row of a doubled height.
func neighbours(c *component, y int) (near, far []uint8) {
	if y%2 == 0 {
		return c.row(y / 2), c.row(y/2 - 1)
	}
	return c.row(y / 2), c.row(y/2 + 1)
}

func down(dst []uint8, c *component, y int) {
	near, far := neighbours(c, y)
	bias := 1 + y%2
	for x := range dst {
		dst[x] = uint8((3*int(near[x]) + int(far[x]) + bias) >> 2)
	}
}

func both(dst []uint8, c *component, y int, sums []int32) {
	near, far := neighbours(c, y)
	n := c.width
	for i := range n {
		sums[i] = 3*int32(near[i]) + int32(far[i])
	}
	for x := range dst {
		i := x / 2
		switch {
		case x == 0:
			dst[x] = uint8((4*sums[0] + 8) >> 4)
		case x == 2*n-1:
			dst[x] = uint8((4*sums[i] + 7) >> 4)
		case x%2 == 0:
			dst[x] = uint8((3*sums[i] + sums[i-1] + 8) >> 4)
		default:
			dst[x] = uint8((3*sums[i] + sums[i+1] + 7) >> 4)
		}
	}
}

// convert upsamples all components and turns them into RGB.
func (d *decoder) convert() ([]byte, error) {
	rgb := make([]byte, 3*d.width*d.height)
	rows := make([][]uint8, len(d.comps))
	for i := range rows {
		rows[i] = make([]uint8, d.width)
	}
	sums := make([]int32, d.comps[0].wide*8+8)
	for _, c := range d.comps {
		if len(sums) < c.wide*8 {
			sums = make([]int32, c.wide*8)
		}
	}
	ycc := d.isYCC()
	for y := range d.height {
		for i, c := range d.comps {
			d.upsample(rows[i], c, y, sums)
		}
		out := rgb[3*y*d.width:][:3*d.width]
		for x := range d.width {
			p := out[3*x : 3*x+3]
			switch {
			case len(rows) == 1:
				p[0], p[1], p[2] = rows[0][x], rows[0][x], rows[0][x]
			default:
				p[0], p[1], p[2] = rows[0][x], rows[1][x], rows[2][x]
				if ycc {
					toRGB(p)
				}
			}
			if len(rows) == 4 { // Adobe stores inverted ink
				k := int(rows[3][x])
				for j := range p {
					v := int(p[j])
					if ycc {
						v = 255 - v
					}
					p[j] = uint8((v*k + 127) / 255)
				}
			}
		}
	}
	return rgb, nil
}

// isYCC guesses the colour space as libjpeg does.
func (d *decoder) isYCC() bool {
	switch {
	case len(d.comps) == 4:
		return d.adobe == 2
	case d.jfif:
		return true
	case d.adobe >= 0:
		return d.adobe != 0
	}
	return d.comps[0].id != 'R' || d.comps[1].id != 'G' || d.comps[2].id != 'B'
}

// toRGB converts with 16 fractional bits.
func toRGB(p []byte) {
	y, cb, cr := int32(p[0]), int32(p[1])-128, int32(p[2])-128
	const half = 1 << 15
	p[0] = clamp(y + (91881*cr+half)>>16)
	p[1] = clamp(y + (-22554*cb-46802*cr+half)>>16)
	p[2] = clamp(y + (116130*cb+half)>>16)
}
