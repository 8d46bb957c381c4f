package jp2

// The flags of a coefficient.
const (
	significant = 1 << iota
	negative
	visited // in the significance pass of this bit plane
	refined
)

// bitplanes decodes the coefficients of one code block. Values have one fractional bit, which holds the middle of the
// interval that the decoded planes leave.
type bitplanes struct {
	*mq
	w, h   int
	stride int
	flags  []uint8 // with a border of one
	val    []int32
	band   int
	causal bool
}

// Coding styles of code blocks.
const (
	styleReset   = 2
	styleCausal  = 8
	styleSymbols = 32
	styleKnown   = styleReset | styleCausal | 16 | styleSymbols
)

// decodeBlock runs the passes of a block whose first bit plane is the one above planes-1.
func decodeBlock(w, h, band, planes, passes, style int, data []byte) []int32 {
	b := &bitplanes{mq: newMQ(data), w: w, h: h, stride: w + 2, flags: make([]uint8, (w+2)*(h+2)), val: make([]int32, w*h), band: band, causal: style&styleCausal != 0}
	plane := planes - 1
	for p, kind := 0, 2; p < passes && plane >= 0; p++ {
		switch kind {
		case 0:
			b.significance(plane)
		case 1:
			b.refinement(plane)
		default:
			b.cleanup(plane)
			if style&styleSymbols != 0 {
				for range 4 {
					b.bit(ctxUniform)
				}
			}
		}
		if style&styleReset != 0 {
			b.reset()
		}
		if kind++; kind == 3 {
			kind = 0
			plane--
		}
	}
	return b.val
}

// stripes calls body for each coefficient, in columns of four rows.
func (b *bitplanes) stripes(body func(x, y int)) {
	for y0 := 0; y0 < b.h; y0 += 4 {
		for x := range b.w {
			for y := y0; y < min(y0+4, b.h); y++ {
				body(x, y)
			}
		}
	}
}

// neighbours counts significant coefficients beside, above and below, and diagonally.
func (b *bitplanes) neighbours(x, y int) (h, v, d int) {
	i := (y+1)*b.stride + x + 1
	f := func(j int) int { return int(b.flags[j] & significant) }
	h = f(i-1) + f(i+1)
	v = f(i - b.stride)
	d = f(i-b.stride-1) + f(i-b.stride+1)
	if !b.causal || y%4 != 3 {
		v += f(i + b.stride)
		d += f(i+b.stride-1) + f(i+b.stride+1)
	}
	return h, v, d
}

// context is the significance context (table D.1).
func (b *bitplanes) context(x, y int) int {
	h, v, d := b.neighbours(x, y)
	switch b.band {
	case bandHL:
		h, v = v, h
	case bandHH:
		switch hv := min(h+v, 2); {
		case d >= 3:
			return 8
		case d == 2:
			return 6 + min(hv, 1)
		case d == 1:
			return 3 + hv
		default:
			return hv
		}
	}
	switch {
	case h == 2:
		return 8
	case h == 1 && v >= 1:
		return 7
	case h == 1:
		return 5 + min(d, 1)
	case v > 0:
		return 2 + v
	}
	return min(d, 2)
}

// become makes a coefficient significant and decodes its sign (table D.3).
func (b *bitplanes) become(x, y, plane int) {
	i := (y+1)*b.stride + x + 1
	sign := func(j int) int {
		switch b.flags[j] & (significant | negative) {
		case significant:
			return 1
		case significant | negative:
			return -1
		}
		return 0
	}
	h := sign(i-1) + sign(i+1)
	v := sign(i - b.stride)
	if !b.causal || y%4 != 3 {
		v += sign(i + b.stride)
	}
	h, v = min(max(h, -1), 1), min(max(v, -1), 1)
	flip := 0
	if h < 0 || h == 0 && v < 0 {
		h, v, flip = -h, -v, 1
	}
	ctx := ctxSign
	switch {
	case h == 1:
		ctx += 3 + v
	case v == 1:
		ctx++
	}
	b.flags[i] |= significant
	val := int32(3) << plane
	if b.bit(ctx)^flip == 1 {
		b.flags[i] |= negative
		val = -val
	}
	b.val[y*b.w+x] = val
}

func (b *bitplanes) significance(plane int) {
	b.stripes(func(x, y int) {
		i := (y+1)*b.stride + x + 1
		if b.flags[i]&significant != 0 {
			return
		}
		ctx := b.context(x, y)
		if ctx == 0 {
			return
		}
		b.flags[i] |= visited
		if b.bit(ctx) == 1 {
			b.become(x, y, plane)
		}
	})
}

func (b *bitplanes) refinement(plane int) {
	b.stripes(func(x, y int) {
		i := (y+1)*b.stride + x + 1
		if b.flags[i]&(significant|visited) != significant {
			return
		}
		ctx := ctxRefine + 2
		if b.flags[i]&refined == 0 {
			ctx = ctxRefine
			if h, v, d := b.neighbours(x, y); h+v+d > 0 {
				ctx++
			}
		}
		b.flags[i] |= refined
		half := int32(1) << plane
		if b.bit(ctx) == 0 {
			half = -half
		}
		if b.flags[i]&negative != 0 {
			half = -half
		}
		b.val[y*b.w+x] += half
	})
}

func (b *bitplanes) cleanup(plane int) {
	for y0 := 0; y0 < b.h; y0 += 4 {
		for x := range b.w {
			y := y0
			if y0+4 <= b.h && b.quiet(x, y0) {
				if b.bit(ctxRun) == 0 {
					continue
				}
				y += b.bit(ctxUniform) << 1
				y += b.bit(ctxUniform)
				b.become(x, y, plane)
				y++
			}
			for ; y < min(y0+4, b.h); y++ {
				i := (y+1)*b.stride + x + 1
				if b.flags[i]&(significant|visited) == 0 && b.bit(b.context(x, y)) == 1 {
					b.become(x, y, plane)
				}
			}
		}
	}
	for i := range b.flags {
		b.flags[i] &^= visited
	}
}

// quiet reports a column of four that nothing significant touches.
func (b *bitplanes) quiet(x, y0 int) bool {
	for y := y0; y < y0+4; y++ {
		if b.flags[(y+1)*b.stride+x+1]&(significant|visited) != 0 || b.context(x, y) != 0 {
			return false
		}
	}
	return true
}
