package conv

import "github.com/sardonyx-ml/sardonyx/kernels/gemm"

// Columns returns the matrix of windows of one group of an image x, (InC, In…): row (c, kernel position), column output
// position. In the padding, elements are pad.
func Columns[T gemm.Number](g *Geometry, x []T, pad T) gemm.BlockFunc[T] {
	if len(g.In) <= 2 {
		return columns2D(g, x, pad)
	}
	return func(dst []T, nr, k0, kc, j0, nc int) {
		step := rowLen / nr * nr
		c := newCursor(g, j0)
		start := c
		var row [rowLen]T
		var tap tap
		tap.seek(g, k0)
		for p := range kc {
			c = start
			for j := 0; j < nc; j += step {
				n := min(step, nc-j)
				fill(&c, g, &tap, row[:n], x, pad)
				scatter(dst[p*nr:], row[:], nr, kc, j, n)
			}
			tap.next(g)
		}
	}
}

// rowLen is the largest number of columns that are gathered at a time, in whole panels.
const rowLen = 256

// scatter writes columns [j, j+n) of one row to panels of nr columns, kc rows each, and clears the rest of the last one.
func scatter[T gemm.Number](dst, row []T, nr, kc, j, n int) {
	if end := (n + nr - 1) / nr * nr; n < end {
		clear(row[n:end])
	}
	if nr == 4 {
		for q := 0; q < n; q += 4 {
			*(*[4]T)(dst[(j+q)*kc:]) = *(*[4]T)(row[q:])
		}
		return
	}
	for q := 0; q < n; q += nr {
		copy(dst[(j+q)*kc:][:nr], row[q:])
	}
}

// maxAxes is the number of spatial axes up to which cursors need no allocation.
const maxAxes = 4

// tap is a row of the matrix of windows: a channel and a position in the kernel.
type tap struct {
	channel int
	buf     [maxAxes]int
	at      []int
}

// seek moves to row k.
func (t *tap) seek(g *Geometry, k int) {
	if t.at = t.buf[:0]; len(g.Kernel) > maxAxes {
		t.at = make([]int, 0, len(g.Kernel))
	}
	t.at = t.at[:len(g.Kernel)]
	for d := len(g.Kernel) - 1; d >= 0; d-- {
		t.at[d] = k % g.Kernel[d]
		k /= g.Kernel[d]
	}
	t.channel = k
}

// next moves to the following row.
func (t *tap) next(g *Geometry) {
	for d := len(t.at) - 1; d >= 0; d-- {
		if t.at[d]++; t.at[d] < g.Kernel[d] {
			return
		}
		t.at[d] = 0
	}
	t.channel++
}

// cursor is a position in the output.
type cursor struct {
	buf [maxAxes]int
	far []int // replaces buf beyond maxAxes
}

func newCursor(g *Geometry, j int) cursor {
	var c cursor
	at := c.axes(g)
	for d := len(g.Out) - 1; d >= 0; d-- {
		at[d] = j % g.Out[d]
		j /= g.Out[d]
	}
	return c
}

// axes returns the coordinates. Beyond maxAxes they are copied first, for cursors are values.
func (c *cursor) axes(g *Geometry) []int {
	n := len(g.Out)
	if n <= maxAxes {
		return c.buf[:n]
	}
	c.far = append(make([]int, 0, n), c.far...)[:n]
	return c.far
}

// fill gathers the tap's values for the output positions from c on and moves c behind them.
func fill[T gemm.Number](c *cursor, g *Geometry, t *tap, row, x []T, pad T) {
	at := c.axes(g)
	last := len(at) - 1
	stride, width := g.Stride[last], g.In[last]
	shift := t.at[last]*g.Dilate[last] - g.Pad[last]
	for len(row) > 0 {
		n := min(len(row), g.Out[last]-at[last])
		base, inside := t.channel, true
		for d := range last {
			i := at[d]*g.Stride[d] + t.at[d]*g.Dilate[d] - g.Pad[d]
			inside = inside && i >= 0 && i < g.In[d]
			base = base*g.In[d] + i
		}
		if inside {
			gather(row[:n], x[base*width:(base+1)*width], at[last]*stride+shift, stride, pad)
		} else {
			set(row[:n], pad)
		}
		row = row[n:]
		at[last] += n
		for d := last; d > 0 && at[d] == g.Out[d]; d-- {
			at[d] = 0
			at[d-1]++
		}
	}
}

// gather sets row[i] to line[from+i·stride], or to pad outside the line.
func gather[T gemm.Number](row, line []T, from, stride int, pad T) {
	lo, hi := overlap(len(row), len(line), from, stride)
	set(row[:lo], pad)
	set(row[hi:], pad)
	row = row[lo:hi]
	if len(row) == 0 {
		return
	}
	line = line[from+lo*stride:]
	if stride == 1 {
		copy(row, line)
		return
	}
	for i := range row {
		row[i] = line[i*stride]
	}
}

func set[T gemm.Number](row []T, v T) {
	if v == 0 {
		clear(row)
		return
	}
	for i := range row {
		row[i] = v
	}
}

// overlap returns the range of i below n for which from+i·stride lies in [0, size).
func overlap(n, size, from, stride int) (lo, hi int) {
	if stride == 1 {
		lo = min(n, max(0, -from))
		return lo, max(lo, min(n, size-from))
	}
	if from < 0 {
		lo = min(n, (-from+stride-1)/stride)
	}
	if hi = n; from+(n-1)*stride >= size {
		hi = max(lo, (size-from+stride-1)/stride)
	}
	return lo, hi
}
