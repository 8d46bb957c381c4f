package move

// Map is a copy in which each axis of dst has a table of where its cells come from; see NewMap.
type Map struct {
	// Axes[a][i] is the offset into src that index i along axis a adds, or negative if the cell is filled.
	Axes [][]int
	// Inner is the number of cells that follow each combination of indices contiguously on both sides.
	Inner int
}

// Rows is the number of runs along the last mapped axis.
func (m *Map) Rows() int {
	n := 1
	for _, a := range m.Axes[:len(m.Axes)-1] {
		n *= len(a)
	}
	return n
}

// Run computes rows [lo, hi) of dst; fill holds the cell for what comes from nowhere.
func (m *Map) Run(dst, src, fill Mem, lo, hi int) {
	k := len(m.Axes) - 1
	last := m.Axes[k]
	for r := lo; r < hi; r++ {
		off, o := 0, r
		for a := k - 1; a >= 0; a-- {
			v := m.Axes[a][o%len(m.Axes[a])]
			o /= len(m.Axes[a])
			if v < 0 {
				off = -1
				break
			}
			off += v
		}
		d := r * len(last) * m.Inner
		if off < 0 {
			dst.Fill(d, d+len(last)*m.Inner, fill)
			continue
		}
		m.row(dst, src, fill, d, off)
	}
}

// row copies stretches of consecutive cells at once.
func (m *Map) row(dst, src, fill Mem, d, off int) {
	last := m.Axes[len(m.Axes)-1]
	for i := 0; i < len(last); {
		j := i + 1
		if last[i] < 0 {
			for j < len(last) && last[j] < 0 {
				j++
			}
			dst.Fill(d+i*m.Inner, d+j*m.Inner, fill)
		} else {
			for j < len(last) && last[j] == last[j-1]+m.Inner {
				j++
			}
			dst.Copy(d+i*m.Inner, src, off+last[i], (j-i)*m.Inner)
		}
		i = j
	}
}
