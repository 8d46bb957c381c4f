package conv

import "github.com/sardonyx-ml/sardonyx/kernels/gemm"

// segment is a run of neighbouring output positions in one line, and where the first one's window starts in the image.
type segment struct {
	line, col int
	at, n     int
}

// segments cuts the output positions [j, j+n) into runs. A single line is the only one of an image with one axis.
func segments(out []segment, g *Geometry, j, n int) []segment {
	last := len(g.Out) - 1
	width := g.Out[last]
	for at := 0; at < n; {
		line, col := (j+at)/width, (j+at)%width
		s := segment{col: col*g.Stride[last] - g.Pad[last], at: at, n: min(n-at, width-col)}
		if last == 1 {
			s.line = line*g.Stride[0] - g.Pad[0]
		}
		out = append(out, s)
		at += s.n
	}
	return out
}

// columns2D is Columns for one or two axes.
func columns2D[T gemm.Number](g *Geometry, x []T, pad T) gemm.BlockFunc[T] {
	last := len(g.In) - 1
	height, width, stride := 1, g.In[last], g.Stride[last]
	kh, kw, dh, dw := 1, g.Kernel[last], 0, g.Dilate[last]
	if last == 1 {
		height, kh, dh = g.In[0], g.Kernel[0], g.Dilate[0]
	}
	return func(dst []T, nr, k0, kc, j0, nc int) {
		var row [rowLen]T
		var buf [64]segment
		step := rowLen / nr * nr
		for j := 0; j < nc; j += step {
			n := min(step, nc-j)
			segs := segments(buf[:0], g, j0+j, n)
			for p := range kc {
				c, tap := (k0+p)/(kh*kw), (k0+p)%(kh*kw)
				dy, dx := tap/kw*dh, tap%kw*dw
				image := x[c*height*width:][:height*width]
				for i := range segs {
					s := &segs[i]
					line, col := s.line+dy, s.col+dx
					switch {
					case uint(line) >= uint(height):
						set(row[s.at:s.at+s.n], pad)
					case stride == 1 && col >= 0 && col+s.n <= width:
						copy(row[s.at:s.at+s.n], image[line*width+col:])
					default:
						gather(row[s.at:s.at+s.n], image[line*width:][:width], col, stride, pad)
					}
				}
				scatter(dst[p*nr:], row[:], nr, kc, j, n)
			}
		}
	}
}
