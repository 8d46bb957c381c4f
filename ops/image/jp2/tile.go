package jp2

import "fmt"

// maxParts bounds the precincts and the code blocks of one resolution, and the packets of one tile.
const maxParts = 1 << 18

// decodeTile decodes a tile into the components' planes. Data that end early leave what is missing at zero.
func (d *decoder) decodeTile(i int, t *tile) error {
	tx0, ty0 := max(d.tx0+i%d.tilesWide*d.tx, d.x0), max(d.ty0+i/d.tilesWide*d.ty, d.y0)
	tx1, ty1 := min(d.tx0+(i%d.tilesWide+1)*d.tx, d.x1), min(d.ty0+(i/d.tilesWide+1)*d.ty, d.y1)
	res := make([][]resolution, len(d.comps))
	packets := 0
	for c, comp := range d.comps {
		var err error
		res[c], err = layout(t.coding[c], t.quant[c], comp.bits, ceil(tx0, comp.dx), ceil(ty0, comp.dy), ceil(tx1, comp.dx), ceil(ty1, comp.dy), maxParts)
		if err != nil {
			return err
		}
		for _, v := range res[c] {
			packets += len(v.cells) * t.layers
		}
	}
	if packets > maxParts {
		return fmt.Errorf("jp2: %d packets in a tile", packets)
	}
	order, err := sequence(t.order, t.layers, d.comps, res, tx0, ty0)
	if err != nil {
		return err
	}
	data := t.data
	for _, p := range order {
		if len(data) == 0 {
			break
		}
		if data, err = readPacket(data, res[p.comp][p.res].cells[p.precinct], p.layer, t.sop, t.eph); err != nil {
			return err
		}
	}
	return d.reconstruct(t, res, tx0, ty0)
}

// reconstruct decodes the blocks, undoes the transforms and stores the samples.
func (d *decoder) reconstruct(t *tile, res [][]resolution, tx0, ty0 int) error {
	exact, real := make([][]int32, len(res)), make([][]float64, len(res))
	for c, rs := range res {
		for r := range rs {
			rs[r].decodeBlocks(t.coding[c].style)
		}
		if t.coding[c].reversible {
			exact[c] = inverse(rs, func(v int32, _ float64) int32 { return v / 2 }, reversible)
		} else {
			real[c] = inverse(rs, func(v int32, step float64) float64 { return float64(v) / 2 * step }, irreversible)
		}
	}
	if t.mct {
		switch {
		case len(res) < 3:
			return fmt.Errorf("jp2: colour transform of %d components", len(res))
		case exact[0] != nil && len(exact[0]) == len(exact[1]) && len(exact[1]) == len(exact[2]):
			coloursReversible(exact[0], exact[1], exact[2])
		case real[0] != nil && len(real[0]) == len(real[1]) && len(real[1]) == len(real[2]):
			coloursIrreversible(real[0], real[1], real[2])
		default:
			return fmt.Errorf("jp2: colour transform of components that differ")
		}
	}
	for c, comp := range d.comps {
		v := exact[c]
		if v == nil {
			v = rounded(real[c])
		}
		top := res[c][len(res[c])-1]
		w, ox, oy := top.x1-top.x0, ceil(d.x0, comp.dx), ceil(d.y0, comp.dy)
		shift := int32(0)
		if !comp.signed {
			shift = 1 << (comp.bits - 1)
		}
		for y := range top.y1 - top.y0 {
			out := d.planes[c][(top.y0-oy+y)*d.planeW[c]+top.x0-ox:][:w]
			for x := range out {
				out[x] = v[y*w+x] + shift
			}
		}
	}
	return nil
}

// decodeBlocks fills the bands' coefficients.
func (v *resolution) decodeBlocks(style int) {
	for _, cells := range v.cells {
		for k := range cells {
			b := &v.bands[k]
			for i := range cells[k].blocks {
				blk := &cells[k].blocks[i]
				planes := b.planes - blk.zeros
				if blk.passes == 0 || planes < 1 {
					continue
				}
				w, h := blk.x1-blk.x0, blk.y1-blk.y0
				val := decodeBlock(w, h, b.kind, planes, blk.passes, style, blk.data)
				for y := range h {
					copy(b.coef[(blk.y0-b.y0+y)*(b.x1-b.x0)+blk.x0-b.x0:][:w], val[y*w:(y+1)*w])
				}
			}
		}
	}
}

// inverse undoes the wavelet transform of a component from the lowest resolution up.
func inverse[T int32 | float64](res []resolution, dequantize func(int32, float64) T, filter func([]T, int)) []T {
	var low []T
	for r, v := range res {
		w, h := v.x1-v.x0, v.y1-v.y0
		x := make([]T, w*h)
		if r == 0 {
			for i, c := range v.bands[0].coef {
				x[i] = dequantize(c, v.bands[0].step)
			}
			low = x
			continue
		}
		below := res[r-1]
		place(x, low, w, v.x0, v.y0, below.x0, below.y0, below.x1-below.x0, below.y1-below.y0, 0, 0)
		for _, b := range v.bands {
			vals := make([]T, len(b.coef))
			for i, c := range b.coef {
				vals[i] = dequantize(c, b.step)
			}
			place(x, vals, w, v.x0, v.y0, b.x0, b.y0, b.x1-b.x0, b.y1-b.y0, b.kind&1, b.kind>>1)
		}
		if w > 0 && h > 0 {
			synthesize(x, w, h, v.x0, v.y0, filter)
		}
		low = x
	}
	return low
}

// place spreads a band (w × h at bx, by) over the positions of its parity in x.
func place[T int32 | float64](x, src []T, width, x0, y0, bx, by, w, h, odd, oddY int) {
	if w <= 0 || h <= 0 {
		return
	}
	for y := range h {
		row := x[(2*(by+y)+oddY-y0)*width:]
		for i := range w {
			row[2*(bx+i)+odd-x0] = src[y*w+i]
		}
	}
}
