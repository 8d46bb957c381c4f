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
	runs := g.lineRuns(j0, n)
	for p := range kc {
		c, tap := (k0+p)/(kh*kw), (k0+p)%(kh*kw)
		dy, dx := tap/kw*dh, tap%kw*dw
		image := x[c*height*width:][:height*width]
		row := dst[(r0+p)*ldb:][:n]
		for _, s := range runs {
			if s.n > 0 {
				s.line += dy
				s.col += dx
				s.fill(row, image, height, width, stride)
			}
		}
	}
}

// lineRun is a run of output positions in lines of equal length, and where the first one's window starts in the image.
type lineRun struct {
	line, col int
	step      int // from a line to the next one, in the image
	at        int // first position
	lines, n  int // lines and positions in each
}

// lineRuns cuts the output positions [j, j+n) into the end of a line, whole lines, and the beginning of a line.
func (g *Geometry) lineRuns(j, n int) (runs [3]lineRun) {
	last := len(g.Out) - 1
	width := g.Out[last]
	at := 0
	add := func(i, lines, n int) {
		if lines == 0 || n == 0 {
			return
		}
		line, col := (j+at)/width, (j+at)%width
		r := lineRun{col: col*g.Stride[last] - g.Pad[last], at: at, lines: lines, n: n}
		if last == 1 {
			r.line, r.step = line*g.Stride[0]-g.Pad[0], g.Stride[0]
		}
		runs[i] = r
		at += lines * n
	}
	if col := j % width; col > 0 {
		add(0, 1, min(n, width-col))
	}
	add(1, (n-at)/width, width)
	add(2, 1, n-at)
	return runs
}

// fill writes the run's values for one tap to row.
func (s *lineRun) fill(row, image []float32, height, width, stride int) {
	first, end := 0, s.lines // lines inside the image
	if s.step > 0 {
		if s.line < 0 {
			first = min(s.lines, ceilDiv(-s.line, s.step))
		}
		end = max(first, min(s.lines, ceilDiv(height-s.line, s.step)))
	}
	clear(row[s.at : s.at+first*s.n])
	clear(row[s.at+end*s.n : s.at+s.lines*s.n])
	if first == end {
		return
	}
	row = row[s.at+first*s.n : s.at+end*s.n]
	lo, hi := overlap(s.n, width, s.col, stride)
	if lo > 0 || hi < s.n {
		for i := 0; i < len(row); i += s.n {
			clear(row[i : i+lo])
			clear(row[i+hi : i+s.n])
		}
	}
	if lo == hi {
		return
	}
	row, image = row[lo:], image[(s.line+first*s.step)*width+s.col+lo*stride:]
	switch stride {
	case 1:
		copyRows(row, s.n, image, s.step*width, end-first, hi-lo)
	case 2:
		evenRows(row, s.n, image, s.step*width, end-first, hi-lo)
	default:
		for l := range end - first {
			for i := range hi - lo {
				row[l*s.n+i] = image[l*s.step*width+i*stride]
			}
		}
	}
}

// windowRow sets row[i] to line[from+i], or to 0 outside the line.
func windowRow(row, line []float32, from int) {
	lo, hi := overlap(len(row), len(line), from, 1)
	clear(row[:lo])
	clear(row[hi:])
	if lo < hi {
		copy(row[lo:hi], line[from+lo:])
	}
}

func copyRowsGo(dst []float32, ldd int, src []float32, lds, rows, n int) {
	for i := range rows {
		copy(dst[i*ldd:][:n], src[i*lds:])
	}
}

func evenRowsGo(dst []float32, ldd int, src []float32, lds, rows, n int) {
	for i := range rows {
		for j := range n {
			dst[i*ldd+j] = src[i*lds+2*j]
		}
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
