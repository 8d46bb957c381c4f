package jp2

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
)

// The bands of a resolution.
const (
	bandLL = iota
	bandHL
	bandLH
	bandHH
)

// block is a code block.
type block struct {
	x0, y0, x1, y1         int // in its band
	included               bool
	zeros, lblock, passes  int
	data                   []byte
	newPasses, newDataSize int
}

// cell is what one precinct has of one band: a grid of blocks with its tag trees.
type cell struct {
	wide, high         int
	blocks             []block
	inclusion, missing *tagTree
}

// band is a subband of a resolution.
type band struct {
	kind           int
	x0, y0, x1, y1 int
	planes         int
	step           float64
	coef           []int32 // with one fractional bit
}

// resolution is one level of one component.
type resolution struct {
	x0, y0, x1, y1     int
	ppx, ppy           int
	bands              []band
	wide, high, px, py int      // precincts, and the first one's place
	cells              [][]cell // by precinct and band
}

// packet is a packet's place in the progression.
type packet struct{ layer, res, comp, precinct, x, y int }

// tagTree codes a grid of minima.
type tagTree struct {
	w, h  []int
	value [][]int
	low   [][]int // what is known: value ≥ low
}

func newTagTree(w, h int) *tagTree {
	t := &tagTree{}
	for {
		t.w, t.h = append(t.w, w), append(t.h, h)
		t.value = append(t.value, make([]int, w*h))
		t.low = append(t.low, make([]int, w*h))
		for i := range w * h {
			t.value[len(t.value)-1][i] = 1 << 30
		}
		if w*h <= 1 {
			return t
		}
		w, h = (w+1)/2, (h+1)/2
	}
}

// below reports whether the value at (x, y) is less than limit, reading as many bits as that takes.
func (t *tagTree) below(r *headerBits, x, y, limit int) bool {
	low := 0
	for l := len(t.w) - 1; l >= 0; l-- {
		i := (y>>l)*t.w[l] + x>>l
		low = max(low, t.low[l][i])
		for low < limit && low < t.value[l][i] {
			if r.bit() == 1 {
				t.value[l][i] = low
			} else {
				low++
			}
		}
		t.low[l][i] = low
	}
	return t.value[0][y*t.w[0]+x] < limit
}

// headerBits reads packet headers: after a byte of ones comes a byte of seven bits.
type headerBits struct {
	data  []byte
	pos   int
	cur   byte
	left  int
	short bool
}

func (r *headerBits) bit() int {
	if r.left == 0 {
		r.left = 8
		if r.cur == 0xFF {
			r.left = 7
		}
		if r.pos >= len(r.data) {
			r.short = true
			r.cur = 0
			return 1 // ends every loop
		}
		r.cur = r.data[r.pos]
		r.pos++
	}
	r.left--
	return int(r.cur>>r.left) & 1
}

func (r *headerBits) bits(n int) int {
	v := 0
	for range n {
		v = v<<1 | r.bit()
	}
	return v
}

// align skips to the byte behind the header.
func (r *headerBits) align() {
	if r.cur == 0xFF && r.left < 8 {
		r.pos++
	}
	r.left, r.cur = 0, 0
}

// passes reads the number of coding passes.
func (r *headerBits) passes() int {
	switch {
	case r.bit() == 0:
		return 1
	case r.bit() == 0:
		return 2
	}
	if n := r.bits(2); n < 3 {
		return 3 + n
	}
	if n := r.bits(5); n < 31 {
		return 6 + n
	}
	return 37 + r.bits(7)
}

// layout builds the resolutions of one component of a tile with the corners given.
func layout(c coding, q quantizing, bitDepth, x0, y0, x1, y1, budget int) ([]resolution, error) {
	res := make([]resolution, c.levels+1)
	for r := range res {
		n := c.levels - r
		v := &res[r]
		v.x0, v.y0, v.x1, v.y1 = ceilShift(x0, n), ceilShift(y0, n), ceilShift(x1, n), ceilShift(y1, n)
		v.ppx, v.ppy = 15, 15
		if c.precincts != nil {
			v.ppx, v.ppy = int(c.precincts[r]&15), int(c.precincts[r]>>4)
		}
		if r > 0 && (v.ppx == 0 || v.ppy == 0) {
			return nil, fmt.Errorf("jp2: precincts of 2^%d×2^%d", v.ppx, v.ppy)
		}
		v.px, v.py = v.x0>>v.ppx, v.y0>>v.ppy
		if v.x1 > v.x0 && v.y1 > v.y0 {
			v.wide, v.high = ceilShift(v.x1, v.ppx)-v.px, ceilShift(v.y1, v.ppy)-v.py
		}
		if v.wide*v.high > budget {
			return nil, fmt.Errorf("jp2: %d precincts", v.wide*v.high)
		}
		kinds := []int{bandHL, bandLH, bandHH}
		level := n + 1
		if r == 0 {
			kinds, level = []int{bandLL}, n
		}
		for _, k := range kinds {
			b, err := makeBand(c, q, bitDepth, k, r, level, x0, y0, x1, y1)
			if err != nil {
				return nil, err
			}
			v.bands = append(v.bands, b)
		}
		if err := v.makeCells(c, r, budget); err != nil {
			return nil, err
		}
	}
	return res, nil
}

func makeBand(c coding, q quantizing, bitDepth, kind, r, level, x0, y0, x1, y1 int) (band, error) {
	b := band{kind: kind}
	shift := func(v, high int) int {
		if level == 0 {
			return v
		}
		return ceilShift(v-high<<(level-1), level)
	}
	b.x0, b.x1 = shift(x0, kind&1), shift(x1, kind&1)
	b.y0, b.y1 = shift(y0, kind>>1), shift(y1, kind>>1)
	at := max(3*r-3+kind, 0)
	exp, mant := 0, 0
	switch {
	case q.style == 1 && len(q.steps) > 0:
		exp, mant = q.steps[0]>>11-max(r-1, 0), q.steps[0]&2047
	case at < len(q.steps):
		exp, mant = q.steps[at]>>11, q.steps[at]&2047
	default:
		return b, errShort
	}
	gain := []int{0, 1, 1, 2}[kind]
	b.planes = q.guard + exp - 1
	b.step = (1 + float64(mant)/2048) * pow2(bitDepth+gain-exp)
	if b.planes > 30 {
		return b, fmt.Errorf("jp2: %d bit planes", b.planes)
	}
	if b.x1 > b.x0 && b.y1 > b.y0 {
		b.coef = make([]int32, (b.x1-b.x0)*(b.y1-b.y0))
	}
	return b, nil
}

func pow2(n int) float64 {
	if n < 0 {
		return 1 / float64(int64(1)<<min(-n, 62))
	}
	return float64(int64(1) << min(n, 62))
}

// makeCells cuts the bands into code blocks by precinct.
func (v *resolution) makeCells(c coding, r, budget int) error {
	ppx, ppy := v.ppx, v.ppy
	if r > 0 {
		ppx, ppy = ppx-1, ppy-1
	}
	cw, ch := min(c.cbw, ppx), min(c.cbh, ppy)
	v.cells = make([][]cell, v.wide*v.high)
	for p := range v.cells {
		px, py := v.px+p%v.wide, v.py+p/v.wide
		v.cells[p] = make([]cell, len(v.bands))
		for k, b := range v.bands {
			x0, y0 := max(px<<ppx, b.x0), max(py<<ppy, b.y0)
			x1, y1 := min((px+1)<<ppx, b.x1), min((py+1)<<ppy, b.y1)
			if x1 <= x0 || y1 <= y0 {
				continue
			}
			g := &v.cells[p][k]
			gx, gy := x0>>cw, y0>>ch
			g.wide, g.high = ceilShift(x1, cw)-gx, ceilShift(y1, ch)-gy
			if budget -= g.wide * g.high; budget < 0 {
				return fmt.Errorf("jp2: too many code blocks")
			}
			for i := range g.wide * g.high {
				bx, by := gx+i%g.wide, gy+i/g.wide
				g.blocks = append(g.blocks, block{x0: max(bx<<cw, x0), y0: max(by<<ch, y0), x1: min((bx+1)<<cw, x1), y1: min((by+1)<<ch, y1), lblock: 3})
			}
			g.inclusion, g.missing = newTagTree(g.wide, g.high), newTagTree(g.wide, g.high)
		}
	}
	return nil
}

// sequence lists the packets of a tile in the order of its progression.
func sequence(order, layers int, comps []component, res [][]resolution, tx0, ty0 int) ([]packet, error) {
	var all []packet
	for c, rs := range res {
		for r, v := range rs {
			for p := range v.cells {
				n := len(rs) - 1 - r
				x := max(tx0, (v.px+p%v.wide)<<(v.ppx+n)*comps[c].dx)
				y := max(ty0, (v.py+p/v.wide)<<(v.ppy+n)*comps[c].dy)
				for l := range layers {
					all = append(all, packet{l, r, c, p, x, y})
				}
			}
		}
	}
	keys := map[int]func(p packet) [6]int{
		0: func(p packet) [6]int { return [6]int{p.layer, p.res, p.comp, p.precinct} },
		1: func(p packet) [6]int { return [6]int{p.res, p.layer, p.comp, p.precinct} },
		2: func(p packet) [6]int { return [6]int{p.res, p.y, p.x, p.comp, p.precinct, p.layer} },
		3: func(p packet) [6]int { return [6]int{p.y, p.x, p.comp, p.res, p.precinct, p.layer} },
		4: func(p packet) [6]int { return [6]int{p.comp, p.y, p.x, p.res, p.precinct, p.layer} },
	}
	key, ok := keys[order]
	if !ok {
		return nil, fmt.Errorf("jp2: progression order %d", order)
	}
	slices.SortStableFunc(all, func(a, b packet) int {
		x, y := key(a), key(b)
		for i := range x {
			if x[i] != y[i] {
				return cmp.Compare(x[i], y[i])
			}
		}
		return 0
	})
	return all, nil
}

// readPacket reads the header and the data of a packet and returns what follows.
func readPacket(data []byte, cells []cell, layer int, sop, eph bool) ([]byte, error) {
	if sop && len(data) >= 6 && data[0] == 0xFF && data[1] == 0x91 {
		data = data[6:]
	}
	r := &headerBits{data: data}
	if r.bit() == 1 {
		for k := range cells {
			if err := cells[k].header(r, layer); err != nil {
				return nil, err
			}
		}
	} else {
		for k := range cells {
			for i := range cells[k].blocks {
				cells[k].blocks[i].newPasses = 0
			}
		}
	}
	r.align()
	if r.short || r.pos > len(data) {
		return nil, errShort
	}
	data = data[r.pos:]
	if eph && len(data) >= 2 && data[0] == 0xFF && data[1] == 0x92 {
		data = data[2:]
	}
	for k := range cells {
		for i := range cells[k].blocks {
			b := &cells[k].blocks[i]
			if b.newPasses == 0 {
				continue
			}
			if b.newDataSize > len(data) {
				return nil, errShort
			}
			b.data = append(b.data, data[:b.newDataSize]...)
			b.passes += b.newPasses
			data = data[b.newDataSize:]
		}
	}
	return data, nil
}

func (g *cell) header(r *headerBits, layer int) error {
	for i := range g.blocks {
		b := &g.blocks[i]
		x, y := i%g.wide, i/g.wide
		b.newPasses = 0
		if b.included {
			if r.bit() == 0 {
				continue
			}
		} else {
			if !g.inclusion.below(r, x, y, layer+1) {
				continue
			}
			for !g.missing.below(r, x, y, b.zeros+1) {
				if b.zeros++; b.zeros > 64 || r.short {
					return errShort
				}
			}
			b.included = true
		}
		b.newPasses = r.passes()
		for r.bit() == 1 {
			if b.lblock++; b.lblock > 30 || r.short {
				return errShort
			}
		}
		b.newDataSize = r.bits(b.lblock + bits.Len(uint(b.newPasses)) - 1)
	}
	return nil
}
