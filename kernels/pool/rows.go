package pool

import (
	"math"
	"sync"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// rowKernel sets y[i] to the maximum of x[off[t]+stride·i], NaN if one is. It may read rowSlack elements of x beyond those.
type rowKernel = func(y, x []float32, off []int)

const rowSlack = 32

// maxPlane is the largest padded plane that is copied for the row kernels.
const maxPlane = 1 << 20

var planes sync.Pool // of *[]float32

// layout is how windows of two axes lie in a plane, with its padding or without.
type layout struct {
	height, width int
	off           []int
}

func (g *Geometry) extent(d int) int {
	return (g.Out[d]-1)*g.Stride[d] + (g.Kernel[d]-1)*g.Dilate[d] + 1
}

func (g *Geometry) layoutOf(height, width int) layout {
	l := layout{height: height, width: width}
	for r := range g.Kernel[0] {
		for c := range g.Kernel[1] {
			l.off = append(l.off, r*g.Dilate[0]*width+c*g.Dilate[1])
		}
	}
	return l
}

// maxRows is Max for float32 planes with two axes, by row kernels; it returns false where there is none. Planes with padding are
// copied, and so is the last one, which the kernels would read beyond.
func maxRows(pool *parallel.Pool, g *Geometry, y, x []float32) bool {
	if len(g.In) != 2 {
		return false
	}
	run := rowKernelFor(g.Stride[1])
	height, width := g.extent(0), g.extent(1)
	if run == nil || height <= 0 || width <= 0 || height > maxPlane/width || len(g.Kernel) == 0 {
		return false
	}
	padded, plain := g.layoutOf(height, width), g.layoutOf(g.In[0], g.In[1])
	inside := g.Before[0] == 0 && g.Before[1] == 0 && height <= g.In[0] && width <= g.In[1]
	out, in := volume(g.Out), volume(g.In)
	pool.For(g.Planes, max(1, (1<<15)/max(1, out)), func(lo, hi int) {
		buf := getPlane(height*width + rowSlack)
		defer planes.Put(buf)
		for i := lo; i < hi; i++ {
			src, l := x[i*in:], &plain
			if !inside || len(src) < in+rowSlack+plain.off[len(plain.off)-1] {
				src, l = *buf, &padded
				g.pad(src, x[i*in:][:in], l)
			}
			for r := range g.Out[0] {
				run(y[i*out+r*g.Out[1]:][:g.Out[1]], src[r*g.Stride[0]*l.width:], l.off)
			}
		}
	})
	return true
}

// pad copies an image into a plane that is -Inf elsewhere.
func (g *Geometry) pad(plane, image []float32, l *layout) {
	least := float32(math.Inf(-1))
	for i := range plane {
		plane[i] = least
	}
	left, top := g.Before[1], g.Before[0]
	n := min(g.In[1], l.width-left)
	if n <= 0 {
		return
	}
	for r := range min(g.In[0], l.height-top) {
		copy(plane[(r+top)*l.width+left:][:n], image[r*g.In[1]:])
	}
}

func getPlane(n int) *[]float32 {
	b, ok := planes.Get().(*[]float32)
	if !ok || cap(*b) < n {
		s := make([]float32, n)
		return &s
	}
	*b = (*b)[:n]
	return b
}
