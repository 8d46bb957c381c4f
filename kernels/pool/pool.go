// Package pool reduces sliding windows of images to their maximum, mean or norm, over any number of spatial axes.
package pool

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// Float is the element types of means and norms.
type Float interface{ float32 | float64 }

// Number is the element types of maxima.
type Number interface {
	float32 | float64 | int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64
}

// Geometry is the shape of windows. Tensors are (Planes, spatial…); the slices hold one value per spatial axis, of which
// there is at least one.
type Geometry struct {
	Planes        int
	In, Out       []int
	Kernel        []int
	Stride        []int
	Dilate        []int
	Before, After []int // padding; windows may reach beyond it
}

func volume(s []int) int {
	n := 1
	for _, v := range s {
		n *= v
	}
	return n
}

// span is the part of a window along one axis that lies in the image: count elements from first on, a dilation apart.
type span struct {
	first, count int
	padded       int // elements in the image or its padding
}

// spans returns the windows along axis d.
func (g *Geometry) spans(d int) []span {
	out := make([]span, g.Out[d])
	for o := range out {
		start, end := o*g.Stride[d]-g.Before[d], g.In[d]
		s := span{padded: inside(start, end+g.After[d], g.Kernel[d], g.Dilate[d])}
		skip := 0
		if start < 0 {
			skip = min(g.Kernel[d], (-start+g.Dilate[d]-1)/g.Dilate[d])
		}
		s.first = start + skip*g.Dilate[d]
		s.count = inside(s.first, end, g.Kernel[d]-skip, g.Dilate[d])
		out[o] = s
	}
	return out
}

// inside is how many of n elements from start on, step apart, lie before end.
func inside(start, end, n, step int) int {
	if start >= end {
		return 0
	}
	return min(n, (end-1-start)/step+1)
}

// windows calls f for every output line of the planes [lo, hi): y is the line's first index, lines are the first indices
// of the input lines that the windows reach, and padded is how many lines they have with the padding.
func (g *Geometry) windows(all [][]span, lo, hi int, f func(y int, lines []int, padded int)) {
	last := len(g.In) - 1
	in, width, inWidth := volume(g.In), g.Out[last], g.In[last]
	at := make([]int, last)
	rows := volume(g.Out[:last])
	var lines []int
	for plane := lo; plane < hi; plane++ {
		clear(at)
		for r := range rows {
			lines = append(lines[:0], 0)
			padded := 1
			for d := range last {
				s := all[d][at[d]]
				padded *= s.padded
				lines = cross(lines, g.In[d], s, g.Dilate[d])
			}
			for i := range lines {
				lines[i] = plane*in + lines[i]*inWidth
			}
			f((plane*rows+r)*width, lines, padded)
			advance(at, g.Out)
		}
	}
}

// cross replaces each index by those of the span's elements along the next axis, which has size elements.
func cross(lines []int, size int, s span, step int) []int {
	n := len(lines)
	for i := range n {
		for k := range s.count {
			lines = append(lines, lines[i]*size+s.first+k*step)
		}
	}
	return lines[:copy(lines, lines[n:])]
}

func advance(at, size []int) {
	for d := len(at) - 1; d >= 0; d-- {
		if at[d]++; at[d] < size[d] {
			return
		}
		at[d] = 0
	}
}

// each runs body over ranges of planes in parallel.
func (g *Geometry) each(pool *parallel.Pool, body func(lo, hi int, all [][]span)) {
	if g.Planes == 0 || volume(g.Out) == 0 {
		return
	}
	all := make([][]span, len(g.In))
	for d := range all {
		all[d] = g.spans(d)
	}
	cost := volume(g.Out)
	for _, k := range g.Kernel {
		if cost < 1<<15 {
			cost *= k
		}
	}
	pool.For(g.Planes, max(1, (1<<15)/cost), func(lo, hi int) { body(lo, hi, all) })
}

// Max sets y to the maxima of the windows of x. A window with a NaN has the maximum NaN; one that meets no element of
// the image gets least. If index is not nil it is set to the place of the maximum in x, the first of several, or to -1.
func Max[T Number](pool *parallel.Pool, g *Geometry, y, x []T, index []int64, least T) {
	if f, ok := any(y).([]float32); ok && index == nil && math.IsInf(float64(least), -1) && len(y) > 0 {
		if maxRows(pool, g, f, any(x).([]float32)) {
			return
		}
	}
	last := len(g.In) - 1
	step := g.Dilate[last]
	g.each(pool, func(lo, hi int, all [][]span) {
		g.windows(all, lo, hi, func(at int, lines []int, _ int) {
			for o, s := range all[last] {
				m, place := least, -1
				for _, line := range lines {
					i := line + s.first
					for range s.count {
						if v := x[i]; v > m || place < 0 || v != v && m == m {
							m, place = v, i
						}
						i += step
					}
				}
				y[at+o] = m
				if index != nil {
					index[at+o] = int64(place)
				}
			}
		})
	})
}

// Average sets y to the means of the windows of x, over the elements in the image or, if padded, also over those in the
// padding, which are 0. A window without elements gets NaN.
func Average[T Float](pool *parallel.Pool, g *Geometry, y, x []T, padded bool) {
	last := len(g.In) - 1
	step := g.Dilate[last]
	g.each(pool, func(lo, hi int, all [][]span) {
		g.windows(all, lo, hi, func(at int, lines []int, rows int) {
			for o, s := range all[last] {
				var sum T
				for _, line := range lines {
					i := line + s.first
					for range s.count {
						sum += x[i]
						i += step
					}
				}
				n := len(lines) * s.count
				if padded {
					n = rows * s.padded
				}
				y[at+o] = sum / T(n)
			}
		})
	})
}

// Norm sets y to the p-norms of the windows of x.
func Norm[T Float](pool *parallel.Pool, g *Geometry, y, x []T, p float64) {
	last := len(g.In) - 1
	step := g.Dilate[last]
	g.each(pool, func(lo, hi int, all [][]span) {
		g.windows(all, lo, hi, func(at int, lines []int, _ int) {
			for o, s := range all[last] {
				var n norm
				for _, line := range lines {
					i := line + s.first
					for range s.count {
						n.add(float64(x[i]), p)
						i += step
					}
				}
				y[at+o] = T(n.root(p))
			}
		})
	})
}

// norm is the sum of powers of magnitudes.
type norm float64

func (n *norm) add(v, p float64) {
	switch p {
	case 1:
		*n += norm(math.Abs(v))
	case 2:
		*n += norm(v * v)
	default:
		*n += norm(math.Pow(math.Abs(v), p))
	}
}

func (n norm) root(p float64) float64 {
	switch p {
	case 1:
		return float64(n)
	case 2:
		return math.Sqrt(float64(n))
	}
	return math.Pow(float64(n), 1/p)
}
