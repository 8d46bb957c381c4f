package conv

import (
	"math"
	"sync"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// Filter is the weights of a float32 convolution, (Groups·OutC, InC, Kernel…), and what kernels arrange from them: once, and
// not before the first image whose size asks for it.
type Filter struct {
	w        []float32
	constant bool

	panels, transformed struct {
		once sync.Once
		data []float32
	}
}

// NewFilter keeps w, which must not change, for many convolutions of any image size and the same other sizes.
func NewFilter(w []float32) *Filter { return &Filter{w: w, constant: true} }

// Finish is what is done to a finished output: act(clip(y + bias + residual)).
type Finish struct {
	Bias     []float32           // one per output channel, or nil
	Residual []float32           // like the output, or nil
	Bounded  bool                // limit to [Lo, Hi]; NaN stays
	Lo, Hi   float32             //
	Act      func(row []float32) // applied in place to pieces of the output, or nil
}

func (e *Finish) bounds() finish {
	if e.Bounded {
		return finish{e.Lo, e.Hi}
	}
	return finish{float32(math.Inf(-1)), float32(math.Inf(1))}
}

// Run is Forward for float32. The result does not depend on the number of threads.
func (f *Filter) Run(pool *parallel.Pool, g *Geometry, y, x []float32, e Finish) {
	if len(y) == 0 {
		return
	}
	switch kern := tileKernelOf(); {
	case g.InC == 1 && g.OutC <= 2 && g.Groups > 1:
		depthwiseFloat32(pool, g, y, x, f.w, e)
	case f.constant && g.winograd():
		f.runWinograd(pool, g, kern, y, x, &e)
	default:
		f.runDirect(pool, g, kern, y, x, &e)
	}
}

// panelsOf returns the weights of all groups as panels of rows.
func (f *Filter) panelsOf(pool *parallel.Pool, g *Geometry, kern *tileKernel) []float32 {
	f.panels.once.Do(func() {
		k := g.InC * Volume(g.Kernel)
		size := roundUp(g.OutC, kern.mr) * k
		f.panels.data = make([]float32, g.Groups*size)
		panels := ceilDiv(g.OutC, kern.mr)
		pool.For(g.Groups*panels, max(1, (1<<14)/max(1, k*kern.mr)), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				group, row := i/panels, i%panels*kern.mr
				packRows(f.panels.data[group*size+row*k:], f.w[(group*g.OutC+row)*k:], min(kern.mr, g.OutC-row), k, kern.mr)
			}
		})
		if !g.tileable() {
			f.w = nil // nothing else will be made of them
		}
	})
	return f.panels.data
}

const (
	blockRows   = 256     // rows of the columns' matrix that are multiplied at a time
	panelBytes  = 1 << 18 // part of the weights that stays in the second-level cache meanwhile
	columnElems = 1 << 16 // of the columns that are multiplied at a time
	taskFlops   = 1 << 18 // least work of a task
)

// direct is a convolution as products of the weights and the columns of windows.
type direct struct {
	g       *Geometry
	kern    *tileKernel
	y, x    []float32
	e       *Finish
	panels  []float32
	m, n, k int
	kc      int
	inPlace bool // the image is the columns
	mb, nb  int  // rows and columns of a task
}

func (f *Filter) runDirect(pool *parallel.Pool, g *Geometry, kern *tileKernel, y, x []float32, e *Finish) {
	d := &direct{g: g, kern: kern, y: y, x: x, e: e, panels: f.panelsOf(pool, g, kern), m: g.OutC, n: Volume(g.Out), k: g.InC * Volume(g.Kernel)}
	if d.k == 0 {
		d.empty()
		return
	}
	d.kc = roundUp(ceilDiv(d.k, ceilDiv(d.k, blockRows)), 2)
	d.inPlace = g.pointwise()
	units := g.Batch * g.Groups
	d.cut(units, pool.Threads())
	rows, cols := ceilDiv(d.m, d.mb), ceilDiv(d.n, d.nb)
	grain := max(1, taskFlops/(2*d.mb*d.nb*d.k))
	if d.inPlace || rows == 1 {
		pool.For(units*rows*cols, grain, func(lo, hi int) {
			w := getWorker()
			defer workers.Put(w)
			for t := lo; t < hi; t++ {
				d.task(w, t/(rows*cols), t%rows, t/rows%cols, nil, 0)
			}
		})
		return
	}
	// Several tasks need the same columns: make them up before.
	ldb := roundUp(d.n, 16)
	buf := getBuffer(d.k * ldb)
	defer buffers.Put(buf)
	for u := range units {
		pool.For(d.k, max(1, (1<<15)/ldb), func(lo, hi int) { g.columnRows(*buf, ldb, d.image(u), lo, hi-lo, lo, 0, d.n) })
		pool.For(rows*cols, grain, func(lo, hi int) {
			w := getWorker()
			defer workers.Put(w)
			for t := lo; t < hi; t++ {
				d.task(w, u, t%rows, t/rows, *buf, ldb)
			}
		})
	}
}

// cut chooses the size of tasks: columns are cut first if there are more of them than rows.
func (d *direct) cut(units, threads int) {
	nr := d.kern.nr()
	d.mb, d.nb = roundUp(d.m, d.kern.mr), min(d.n, min(max(columnElems/d.kc/nr, 4), 8)*nr)
	want := ceilDiv(4*threads, units)
	if threads == 1 || want <= ceilDiv(d.n, d.nb) || 2*d.m*d.n*d.k < 2*taskFlops {
		return
	}
	if d.m >= d.n {
		d.nb = min(d.n, 8*nr)
		d.mb = max(2*d.kern.mr, roundUp(ceilDiv(d.m, ceilDiv(want, ceilDiv(d.n, d.nb))), d.kern.mr))
		return
	}
	d.nb = min(d.nb, roundUp(ceilDiv(d.n, want), nr))
}

// empty is a convolution without input channels.
func (d *direct) empty() {
	d.panels = nil
	for i := range d.y {
		d.y[i] = 0
	}
	for u := range d.g.Batch * d.g.Groups {
		for c := range d.m {
			at := (u*d.m + c) * d.n
			finishPiece(d.y[at:at+d.n], d.y[at:at+d.n], d.e, at, u%d.g.Groups*d.m+c)
		}
	}
}

// finishPiece sets a piece of the output, at in it, to finished sums.
func finishPiece(dst, src []float32, e *Finish, at, channel int) {
	b := e.bounds()
	var bias float32
	if e.Bias != nil {
		bias = e.Bias[channel]
	}
	var res []float32
	if e.Residual != nil {
		res = e.Residual[at:][:len(dst)]
	}
	finishRow(dst, src, res, bias, b.lo, b.hi)
	if e.Act != nil {
		e.Act(dst)
	}
}

// image is the input of one group of one image.
func (d *direct) image(u int) []float32 {
	n := d.g.InC * Volume(d.g.In)
	return d.x[u*n : (u+1)*n]
}

// task computes one piece of the output. cols are all columns if they were made up before.
func (d *direct) task(w *workspace, u, row, col int, cols []float32, ldb int) {
	i0, j0 := row*d.mb, col*d.nb
	m, n := min(d.mb, d.m-i0), min(d.nb, d.n-j0)
	group := u % d.g.Groups
	size := d.m * d.n
	p := product{m: d.m, k: d.k, a: d.panels[group*roundUp(d.m, d.kern.mr)*d.k:], c: d.y[u*size : (u+1)*size], ldc: d.n, finish: d.e.bounds()}
	if d.e.Bias != nil {
		p.bias = d.e.Bias[group*d.m:][:d.m]
	}
	if d.e.Residual != nil {
		p.res = d.e.Residual[u*size : (u+1)*size]
	}
	image := d.image(u)
	mb := max(d.kern.mr, panelBytes/4/d.kc/d.kern.mr*d.kern.mr)
	for k0 := 0; k0 < d.k; k0 += d.kc {
		kc := min(d.kc, d.k-k0)
		var b []float32
		switch {
		case d.inPlace:
			b, ldb = image[k0*d.n+j0:], d.n
		case cols != nil:
			b = cols[k0*ldb+j0:]
		default:
			ldb = roundUp(n, 16) | 16
			b = w.buffer(kc * ldb)
			d.g.columnRows(b, ldb, image, k0, kc, 0, j0, n)
		}
		for i := 0; i < m; i += mb {
			p.block(d.kern, &w.worker, b, ldb, i0+i, min(mb, m-i), j0, n, k0, kc)
		}
	}
	if d.e.Act != nil {
		for i := i0; i < i0+m; i++ {
			d.e.Act(p.c[i*d.n+j0:][:n])
		}
	}
}

// workspace is the memory of one goroutine.
type workspace struct {
	worker
	tmp [288]float32
	buf []float32
}

func (w *workspace) buffer(n int) []float32 {
	if cap(w.buf) < n {
		w.buf = make([]float32, n)
	}
	return w.buf[:n]
}

var (
	workers sync.Pool // of *workspace
	buffers sync.Pool // of *[]float32
)

func getWorker() *workspace {
	if w, ok := workers.Get().(*workspace); ok {
		return w
	}
	return new(workspace)
}

func getBuffer(n int) *[]float32 {
	b, ok := buffers.Get().(*[]float32)
	if !ok {
		b = new([]float32)
	}
	if cap(*b) < n {
		*b = make([]float32, n)
	}
	*b = (*b)[:n]
	return b
}
