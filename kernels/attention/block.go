package attention

import (
	"bytes"
	"math"
	"sync"

	"github.com/sardonyx-ml/sardonyx/kernels/softmax"
	"github.com/sardonyx-ml/sardonyx/kernels/vec"
)

// work is the scratch of one goroutine and the block of queries that it computes.
type work[T Float] struct {
	*Args[T]
	b, h, i0, rows int
	q              []T // queries times Scale (rows, HeadSize)
	s              []T // scores (rows, keyBlock)
	acc            []T // Σ p·v so far (rows, VSize)
	max, sum       [queryBlock]T
	lo, hi         [queryBlock]int // attended keys of each row
}

var pool32, pool64 sync.Pool

func poolOf[T Float]() *sync.Pool {
	var z T
	if _, ok := any(z).(float32); ok {
		return &pool32
	}
	return &pool64
}

func newWork[T Float](a *Args[T]) *work[T] {
	w, ok := poolOf[T]().Get().(*work[T])
	if !ok {
		w = &work[T]{s: make([]T, queryBlock*keyBlock)}
	}
	w.Args = a
	w.acc, w.q = grow(w.acc, queryBlock*a.VSize), grow(w.q, queryBlock*a.HeadSize)
	return w
}

func grow[T Float](x []T, n int) []T {
	if cap(x) < n {
		return make([]T, n)
	}
	return x[:n]
}

func (w *work[T]) free() {
	w.Args = nil
	poolOf[T]().Put(w)
}

// run computes rows i0 … i0+rows-1 of head h in batch entry b.
func (w *work[T]) run() {
	lo, hi := w.KVLen, 0
	ninf := T(math.Inf(-1))
	for r := range w.rows {
		w.lo[r], w.hi[r] = w.keys(w.b, w.i0+r)
		if w.lo[r] < w.hi[r] {
			lo, hi = min(lo, w.lo[r]), max(hi, w.hi[r])
		}
		w.max[r], w.sum[r] = ninf, 0
	}
	clear(w.acc[:w.rows*w.VSize])
	if w.Scores != nil {
		lo, hi = 0, w.KVLen
	}
	w.scaleQueries()
	for k := lo; k < hi; k += keyBlock {
		w.take(k, min(k+keyBlock, hi))
	}
	w.finish()
}

func (w *work[T]) scaleQueries() {
	for r := range w.rows {
		vec.MulScalar(w.q[r*w.HeadSize:(r+1)*w.HeadSize], w.Q.row(w.b, w.h, w.i0+r, w.HeadSize), w.Scale)
	}
}

// take takes in keys k0 … k1-1.
func (w *work[T]) take(k0, k1 int) {
	n, kvh := k1-k0, w.h/(w.Heads/w.KVHeads)
	dots(w.s, w.q, w.K.rows(w.b, kvh, k0, n, w.HeadSize), w.K.Row, w.rows, n, w.HeadSize)
	masked := !w.Plain && (w.Bias.Data != nil || w.Mask.Data != nil || len(w.Steps) > 0)
	for r := range w.rows {
		s := w.s[r*keyBlock : r*keyBlock+n]
		w.keep(Raw, r, k0, s)
		if w.Softcap > 0 {
			for j, v := range s {
				s[j] = w.Softcap * T(math.Tanh(float64(v/w.Softcap)))
			}
		}
		w.keep(Capped, r, k0, s)
		lo, hi := min(max(w.lo[r]-k0, 0), n), max(min(w.hi[r]-k0, n), 0)
		hi = max(lo, hi)
		masked = masked || hi-lo < n
		for i := range w.Steps {
			w.step(&w.Steps[i], s, r, k0)
		}
		w.mask(s, r, k0, lo, hi)
		w.keep(Biased, r, k0, s)
		w.keep(Probabilities, r, k0, s) // made probabilities by finish
		w.soften(s, r, lo, hi)
	}
	weigh(w.acc, w.s, w.V.rows(w.b, kvh, k0, n, w.VSize), w.V.Row, w.rows, n, w.VSize, masked)
}

// rows returns the data from the start of row i to the end of row i+n-1.
func (a *Array[T]) rows(b, h, i, n, columns int) []T {
	at := b*a.Batch + h*a.Head + i*a.Row
	return a.Data[at : at+(n-1)*a.Row+columns]
}

// scoreRow is the row of Scores for row r of the block.
func (w *work[T]) scoreRow(r int) []T {
	at := ((w.b*w.Heads+w.h)*w.QLen + w.i0 + r) * w.KVLen
	return w.Scores[at : at+w.KVLen]
}

func (w *work[T]) keep(st Stage, r, k0 int, s []T) {
	if w.Scores != nil && w.Stage == st {
		copy(w.scoreRow(r)[k0:], s)
	}
}

// mask adds the bias to keys lo … hi-1 of the row's block and sets what is not attended to -Inf.
func (w *work[T]) mask(s []T, r, k0, lo, hi int) {
	ninf := T(math.Inf(-1))
	for j := range lo {
		s[j] = ninf
	}
	for j := hi; j < len(s); j++ {
		s[j] = ninf
	}
	if hi <= lo {
		return
	}
	s = s[lo:hi]
	if w.Bias.Data != nil && w.Plain {
		addPlain(s, w.Bias.span(w.b, w.h, w.i0+r, k0+lo, k0+hi))
	} else if w.Bias.Data != nil {
		addBias(s, w.Bias.span(w.b, w.h, w.i0+r, k0+lo, k0+hi))
	}
	if w.Mask.Data != nil {
		m := w.Mask.span(w.b, w.h, w.i0+r, k0+lo, k0+hi)
		for j := range s {
			if !m[min(j, len(m)-1)] {
				s[j] = ninf
			}
		}
	}
}

// addBias adds bias, or its only element, to s. -Inf masks, even a score that is NaN or +Inf.
func addBias[T Float](s, bias []T) {
	ninf := T(math.Inf(-1))
	if len(bias) != len(s) {
		for j := range s {
			if s[j] += bias[0]; bias[0] == ninf {
				s[j] = ninf
			}
		}
		return
	}
	for j, v := range bias {
		if v == ninf {
			s[j] = ninf
		} else {
			s[j] += v
		}
	}
}

// step applies a step to the scores of row r for keys from k0 on.
func (w *work[T]) step(st *Step[T], s []T, r, k0 int) {
	switch {
	case st.Bias.Data != nil:
		bias := st.Bias.span(w.b, w.h, w.i0+r, k0, k0+len(s))
		if w.Plain {
			addPlain(s, bias)
		} else {
			addBias(s, bias)
		}
	case st.Mask.Data != nil:
		m := st.Mask.span(w.b, w.h, w.i0+r, k0, k0+len(s))
		if len(m) == len(s) {
			fillWhere(s, m, st.Where, st.Fill)
		} else if m[0] == st.Where {
			fill(s, st.Fill)
		}
	default:
		for j, v := range s {
			if v < st.Fill {
				s[j] = st.Fill
			}
		}
	}
}

func addPlain[T Float](s, bias []T) {
	if len(bias) != len(s) {
		vec.AddScalar(s, s, bias[0])
	} else {
		vec.Add(s, s, bias)
	}
}

func fill[T Float](s []T, v T) {
	for j := range s {
		s[j] = v
	}
}

// fillWhere sets s to v where m is where. It goes from one end of a run of equal values to the next, for masks have few.
func fillWhere[T Float](s []T, m []bool, where bool, v T) {
	b := octets(m)
	hit, miss := byte(0), byte(1)
	if where {
		hit, miss = 1, 0
	}
	for len(b) > 0 {
		i := bytes.IndexByte(b, hit)
		if i < 0 {
			return
		}
		n := bytes.IndexByte(b[i:], miss)
		if n < 0 {
			n = len(b) - i
		}
		fill(s[i:i+n], v)
		b, s = b[i+n:], s[i+n:]
	}
}

// soften turns scores into exp(score - running maximum) and rescales what the row has gathered so far.
func (w *work[T]) soften(s []T, r, lo, hi int) {
	clear(s[:lo])
	clear(s[hi:])
	ninf := T(math.Inf(-1))
	m := softmax.RowMax(s[lo:hi])
	if m == ninf {
		m = softmax.Max(s[lo:hi])
	}
	if m = max(w.max[r], m); m == ninf {
		clear(s)
		return
	}
	if old := w.max[r]; old != m {
		w.rescale(r, old, m)
	}
	w.sum[r] += softmax.ExpSub(s[lo:hi], s[lo:hi], m)
}

func (w *work[T]) rescale(r int, old, m T) {
	w.max[r] = m
	c := softmax.Exp(old - m)
	w.sum[r] *= c
	acc := w.acc[r*w.VSize : (r+1)*w.VSize]
	vec.MulScalar(acc, acc, c)
}

// finish divides by the sums and writes Y and the probabilities.
func (w *work[T]) finish() {
	ninf := T(math.Inf(-1))
	for r := range w.rows {
		if w.Sink != nil {
			if m := max(w.max[r], w.Sink[w.h]); m != ninf {
				w.rescale(r, w.max[r], m)
				w.sum[r] += softmax.Exp(w.Sink[w.h] - m)
			}
		}
		inv := T(0)
		if w.Plain && w.max[r] == ninf && w.KVLen > 0 {
			inv = T(math.NaN())
		} else if w.sum[r] != 0 {
			inv = 1 / w.sum[r]
		}
		vec.MulScalar(w.Y.row(w.b, w.h, w.i0+r, w.VSize), w.acc[r*w.VSize:(r+1)*w.VSize], inv)
		if w.Scores == nil || w.Stage != Probabilities {
			continue
		}
		p := w.scoreRow(r)
		if w.max[r] == ninf {
			clear(p)
			continue
		}
		softmax.ExpSub(p, p, w.max[r])
		vec.MulScalar(p, p, inv)
	}
}
