package conv

// columnRows writes rows [k0, k0+kc) and columns [j0, j0+n) of the matrix of windows of an image (see Columns) to dst, row by
// row, ldb apart, from row r0 of dst on.
func (g *Geometry) columnRows(dst []float32, ldb int, x []float32, k0, kc, r0, j0, n int) {
	if len(g.In) > 2 {
		start := newCursor(g, j0)
		var t tap
		t.seek(g, k0)
		for p := range kc {
			c := start
			fill(&c, g, &t, dst[(r0+p)*ldb:][:n], x, 0)
			t.next(g)
		}
		return
	}
	last := len(g.In) - 1
	height, width, stride := 1, g.In[last], g.Stride[last]
	kh, kw, dh, dw := 1, g.Kernel[last], 0, g.Dilate[last]
	if last == 1 {
		height, kh, dh = g.In[0], g.Kernel[0], g.Dilate[0]
	}
	var buf [64]segment
	segs := segments(buf[:0], g, j0, n)
	for p := range kc {
		c, tap := (k0+p)/(kh*kw), (k0+p)%(kh*kw)
		dy, dx := tap/kw*dh, tap%kw*dw
		image := x[c*height*width:][:height*width]
		row := dst[(r0+p)*ldb:][:n]
		for i := range segs {
			s := &segs[i]
			line, col := s.line+dy, s.col+dx
			if uint(line) >= uint(height) {
				clear(row[s.at : s.at+s.n])
				continue
			}
			windowRow(row[s.at:s.at+s.n], image[line*width:][:width], col, stride)
		}
	}
}

// windowRow sets row[i] to line[from+i·stride], or to 0 outside the line.
func windowRow(row, line []float32, from, stride int) {
	lo, hi := overlap(len(row), len(line), from, stride)
	if lo > 0 {
		clear(row[:lo])
	}
	if hi < len(row) {
		clear(row[hi:])
	}
	row = row[lo:hi]
	if len(row) == 0 {
		return
	}
	line = line[from+lo*stride:]
	switch stride {
	case 1:
		copy(row, line)
	case 2:
		copyEven(row, line)
	default:
		for i := range row {
			row[i] = line[i*stride]
		}
	}
}

func copyEvenGo(dst, src []float32) {
	for i := range dst {
		dst[i] = src[2*i]
	}
}

func finishRowGo(dst, src, res []float32, bias, lo, hi float32) {
	for i, v := range src[:len(dst)] {
		if v += bias; res != nil {
			v += res[i]
		}
		dst[i] = bounded(v, lo, hi)
	}
}
