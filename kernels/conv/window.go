package conv

import (
	"sync"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// rowKernel sets y[i] = Σ w[t]·x[off[t]+stride·i] + bias. It may read up to rowSlack elements of x beyond those.
type rowKernel = func(y []float32, bias float32, x []float32, off []int, w []float32)

const rowSlack = 32

// planeKernel computes rows of n outputs, one after the other, from a padded plane with rows ldx apart, and finishes them. It
// may read up to rowSlack elements of x beyond those that it needs.
type planeKernel = func(y []float32, rows, n int, x []float32, ldx int, w []float32, bias, lo, hi float32)

// maxPlane is the largest padded plane that is copied for the row kernels.
const maxPlane = 1 << 20

var planes sync.Pool // of *[]float32

// depthwiseRows is depthwise with a row kernel, over planes that are copied so that their padding is there. It returns
// false where there is no kernel.
func depthwiseRows(pool *parallel.Pool, g *Geometry, y, x, w []float32, e *Finish) bool {
	d := len(g.In)
	if d > 2 || Volume(g.Out) == 0 {
		return false
	}
	run := rowKernelFor(g.Stride[d-1])
	p := newPadded(g)
	if run == nil || p.height > maxPlane/p.width {
		return false
	}
	channels, out, in := g.Groups*g.OutC, Volume(g.Out), Volume(g.In)
	k := len(p.off)
	fast, bound := planeKernelFor(g), e.bounds()
	pool.For(g.Batch*channels, max(1, (1<<17)/max(1, out*k)), func(lo, hi int) {
		buf := getPlane(p.height*p.width + rowSlack)
		defer planes.Put(buf)
		plane := *buf
		clear(plane)
		for i := lo; i < hi; i++ {
			c := i % channels
			if i == lo || i%g.OutC == 0 {
				p.copy(plane, x[i/g.OutC*in:][:in])
			}
			dst := y[i*out:][:out]
			if fast != nil && e.Residual == nil {
				var v float32
				if e.Bias != nil {
					v = e.Bias[c]
				}
				fast(dst, p.rows, p.outWidth, plane, p.width, w[c*k:][:k], v, bound.lo, bound.hi)
				if e.Act != nil {
					e.Act(dst)
				}
				continue
			}
			for r := range p.rows {
				run(dst[r*p.outWidth:][:p.outWidth], 0, plane[r*p.step:], p.off, w[c*k:][:k])
			}
			finishPiece(dst, dst, e, i*out, c)
		}
	})
	return true
}

func getPlane(n int) *[]float32 {
	if b, ok := planes.Get().(*[]float32); ok && cap(*b) >= n {
		*b = (*b)[:n]
		return b
	}
	b := make([]float32, n)
	return &b
}

// padded is the layout of a plane with its padding.
type padded struct {
	height, width  int
	top, left      int
	inWidth, lines int // of the image, as far as windows reach
	rows, outWidth int // of the output
	step           int // from the first window of a row to that of the next
	off            []int
}

func newPadded(g *Geometry) padded {
	last := len(g.In) - 1
	p := padded{height: 1, lines: 1, rows: 1, inWidth: g.In[last], left: g.Pad[last], outWidth: g.Out[last]}
	extent := func(d int) int { return (g.Out[d]-1)*g.Stride[d] + (g.Kernel[d]-1)*g.Dilate[d] + 1 }
	p.width = extent(last)
	kh, dh := 1, 1
	if last == 1 {
		p.height, p.lines, p.rows, p.top = extent(0), g.In[0], g.Out[0], g.Pad[0]
		p.step = g.Stride[0] * p.width
		kh, dh = g.Kernel[0], g.Dilate[0]
	}
	for r := range kh {
		for c := range g.Kernel[last] {
			p.off = append(p.off, r*dh*p.width+c*g.Dilate[last])
		}
	}
	return p
}

// copy writes the image into the middle of a plane that is 0 elsewhere.
func (p *padded) copy(plane, image []float32) {
	n := min(p.inWidth, p.width-p.left)
	if n <= 0 {
		return
	}
	rows := min(p.lines, p.height-p.top)
	if rows <= 0 {
		return
	}
	copyRows(plane[p.top*p.width+p.left:], p.width, image, p.inWidth, rows, n)
}
