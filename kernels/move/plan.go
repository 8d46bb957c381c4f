package move

// Plan is a strided copy in canonical form; see NewPlan. It is immutable.
type Plan struct {
	outer          []axis // axes that units step through
	last           axis   // innermost axis of dst
	tile           axis   // in mode blocked, the innermost axis of src
	dstOff, srcOff int
	mode           mode
	width          int // of a cell in bytes, after cells that always move together were joined; 0: strings
	parts, chunk   int // the last axis is cut into chunks; parts counts the units per outer index
	tiles          int
	units          int
}

type axis struct{ n, dst, src int }

type mode uint8

const (
	run     mode = iota // the last axis is contiguous on both sides
	fill                // the last axis repeats one cell
	blocked             // src is contiguous along another axis: a transposition
	strided
)

const (
	lastChunk = 1 << 14 // cells of the last axis in one unit
	tileSide  = 32
	tileChunk = 1 << 9
)

// NewPlan plans the copy of all cells with index (i0, …, ik) below shape from src[srcOff + Σ i·src] to dst[dstOff +
// Σ i·dst]. No cell of dst may be written twice. width is that of Mem; axes of dst should come outermost first.
func NewPlan(width int, shape, dst, src []int, dstOff, srcOff int) *Plan {
	p := &Plan{dstOff: dstOff, srcOff: srcOff, width: width}
	axes := make([]axis, 0, len(shape))
	for i, n := range shape {
		if n == 0 {
			return p
		}
		if n == 1 {
			continue
		}
		a := axis{n, dst[i], src[i]}
		if k := len(axes) - 1; k >= 0 && axes[k].dst == a.dst*n && axes[k].src == a.src*n {
			a.n *= axes[k].n
			axes[k] = a
			continue
		}
		axes = append(axes, a)
	}
	axes = p.join(axes)
	if len(axes) == 0 {
		axes = append(axes, axis{1, 1, 1})
	}
	k := len(axes) - 1
	p.last, p.outer = axes[k], axes[:k]
	switch {
	case p.last.dst == 1 && p.last.src == 1:
		p.mode = run
	case p.last.dst == 1 && p.last.src == 0:
		p.mode = fill
	default:
		p.mode = strided
		p.pair()
	}
	p.count()
	return p
}

// join makes one wide cell of a short last axis that is contiguous on both sides.
func (p *Plan) join(axes []axis) []axis {
	k := len(axes) - 1
	if k < 0 || p.width == 0 || axes[k].dst != 1 || axes[k].src != 1 {
		return axes
	}
	n := axes[k].n
	if n*p.width > 16 || n&(n-1) != 0 || p.dstOff%n != 0 || p.srcOff%n != 0 {
		return axes
	}
	for _, a := range axes[:k] {
		if a.dst%n != 0 || a.src%n != 0 {
			return axes
		}
	}
	for i := range axes[:k] {
		axes[i].dst /= n
		axes[i].src /= n
	}
	p.dstOff /= n
	p.srcOff /= n
	p.width *= n
	return axes[:k]
}

// pair looks for an axis along which src is contiguous, to move blocks of it and of the last axis together.
func (p *Plan) pair() {
	if p.last.dst != 1 || p.last.src < 0 {
		return
	}
	for i, a := range p.outer {
		if a.src == 1 && a.dst > 0 {
			p.mode, p.tile = blocked, a
			p.outer = append(p.outer[:i:i], p.outer[i+1:]...)
			return
		}
	}
}

func (p *Plan) count() {
	p.chunk, p.tiles = lastChunk, 1
	if p.mode == blocked {
		p.chunk = tileChunk
		p.tiles = (p.tile.n + tileSide - 1) / tileSide
	}
	p.parts = (p.last.n + p.chunk - 1) / p.chunk * p.tiles
	p.units = p.parts
	for _, a := range p.outer {
		p.units *= a.n
	}
}

// Units is the number of independent parts of the copy.
func (p *Plan) Units() int { return p.units }

// UnitCells is about how many cells a unit moves.
func (p *Plan) UnitCells() int {
	n := min(p.last.n, p.chunk)
	if p.mode == blocked {
		n *= min(p.tile.n, tileSide)
	}
	return max(n, 1)
}

// Run moves units [lo, hi) from src to dst.
func (p *Plan) Run(dst, src Mem, lo, hi int) {
	if lo >= hi {
		return
	}
	switch p.width {
	case 0:
		move(p, dst.Strs, src.Strs, lo, hi)
	case 1:
		move(p, dst.Bytes, src.Bytes, lo, hi)
	case 2:
		move(p, cells[uint16](dst.Bytes), cells[uint16](src.Bytes), lo, hi)
	case 4:
		move(p, cells[uint32](dst.Bytes), cells[uint32](src.Bytes), lo, hi)
	case 8:
		move(p, cells[uint64](dst.Bytes), cells[uint64](src.Bytes), lo, hi)
	case 16:
		move(p, cells[wide](dst.Bytes), cells[wide](src.Bytes), lo, hi)
	default:
		panic(badWidth)
	}
}

// move steps through the units in dst order.
func move[T any](p *Plan, dst, src []T, lo, hi int) {
	idx := make([]int, len(p.outer))
	d, s := p.dstOff, p.srcOff
	o, part := lo/p.parts, lo%p.parts
	for i := len(idx) - 1; i >= 0; i-- {
		a := p.outer[i]
		idx[i] = o % a.n
		o /= a.n
		d += idx[i] * a.dst
		s += idx[i] * a.src
	}
	for u := lo; u < hi; u++ {
		unit(p, dst, src, d, s, part)
		if part++; part < p.parts {
			continue
		}
		part = 0
		for i := len(idx) - 1; i >= 0; i-- {
			a := &p.outer[i]
			d += a.dst
			s += a.src
			if idx[i]++; idx[i] < a.n {
				break
			}
			idx[i] = 0
			d -= a.n * a.dst
			s -= a.n * a.src
		}
	}
}

func unit[T any](p *Plan, dst, src []T, d, s, part int) {
	k0 := part / p.tiles * p.chunk
	n := min(p.chunk, p.last.n-k0)
	d += k0 * p.last.dst
	s += k0 * p.last.src
	switch p.mode {
	case run:
		copy(dst[d:d+n], src[s:s+n])
	case fill:
		v := src[s]
		for i := range dst[d : d+n] {
			dst[d+i] = v
		}
	case blocked:
		j0 := part % p.tiles * tileSide
		m := min(tileSide, p.tile.n-j0)
		transpose(dst[d+j0*p.tile.dst:], src[s+j0:], m, n, p.tile.dst, p.last.src)
	default:
		ds, ss := p.last.dst, p.last.src
		for range n {
			dst[d] = src[s]
			d += ds
			s += ss
		}
	}
}

// transpose sets dst[j·ld + k] = src[k·ls + j] for j < m and k < n.
func transpose[T any](dst, src []T, m, n, ld, ls int) {
	k := 0
	if m >= 4 {
		for ; k+8 <= n; k += 8 {
			at := k * ls
			s0, s1, s2, s3 := src[at:at+m], src[at+ls:at+ls+m], src[at+2*ls:at+2*ls+m], src[at+3*ls:at+3*ls+m]
			at += 4 * ls
			s4, s5, s6, s7 := src[at:at+m], src[at+ls:at+ls+m], src[at+2*ls:at+2*ls+m], src[at+3*ls:at+3*ls+m]
			for j := range s0 {
				d := dst[j*ld+k:][:8:8]
				d[0], d[1], d[2], d[3] = s0[j], s1[j], s2[j], s3[j]
				d[4], d[5], d[6], d[7] = s4[j], s5[j], s6[j], s7[j]
			}
		}
	}
	for j := range m {
		s := k*ls + j
		for i := j*ld + k; i < j*ld+n; i++ {
			dst[i] = src[s]
			s += ls
		}
	}
}
