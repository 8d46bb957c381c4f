// Package rnn runs recurrent layers: RNN, GRU and LSTM in one or two directions.
//
// The products with the input are one matrix product for all steps; the products with the hidden state are one per step over the
// whole batch. What remains per step are the cells in cell.go, a row of contiguous gates for each sequence.
package rnn

import (
	"github.com/sardonyx-ml/sardonyx/kernels/gemm"
	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// Kind is the kind of cell.
type Kind int

// The kinds, with their gates in the order of the weights.
const (
	RNN  Kind = iota // one gate
	GRU              // z, r, h
	LSTM             // i, o, f, c
)

// Gates is the number of gates of a cell.
func (k Kind) Gates() int { return [...]int{1, 3, 4}[k] }

// Args describes one layer. G is Kind.Gates(), N is Hidden. Arrays are contiguous; with BatchFirst, steps and batch swap places
// in X and Y, and directions and batch in the states.
type Args[T Float] struct {
	Kind                                    Kind
	Steps, Batch, Input, Hidden, Directions int
	Reverse                                 bool // of a single direction
	BatchFirst                              bool
	LinearBeforeReset, Coupled              bool // of GRU and LSTM

	X []T // (Steps, Batch, Input)
	W []T // (Directions, G·N, Input), unless packed
	R []T // (Directions, G·N, N), unless packed
	B []T // (Directions, 2·G·N), for W and R; may be nil
	P []T // (Directions, 3·N), peepholes of LSTM; may be nil

	// Weights are W and R packed in advance, one for each direction.
	Weights []Weights[T]

	// Product, if set, stands for the weights of RNN and LSTM: it adds the product of x, which has the given rows, with W of
	// direction d, or with R if recurrent is set, to c.
	Product func(d int, recurrent bool, c, x []T, rows int)

	H0, C0 []T   // (Directions, Batch, N), initial states; nil means zeros
	Lens   []int // (Batch), steps of each sequence, at most Steps; nil means Steps

	Act  [2][3]Func[T] // f, g, h for each direction, as far as the kind uses them
	Clip T             // limit of the functions' arguments; 0 means none

	Y      []T // (Steps, Directions, Batch, N), with BatchFirst (Batch, Steps, Directions, N); nil if not wanted
	YH, YC []T // (Directions, Batch, N), last states; nil if not wanted
}

// Weights are the weights of one direction in the layout of the products' kernel.
type Weights[T Float] struct {
	w, r *gemm.Packed[T]
	rh   *gemm.Packed[T] // the hidden gate of a GRU that resets before the product; r has the others then
}

// Pack packs one direction's weights: w is (G·hidden, input), r is (G·hidden, hidden). split is set for a GRU that isn't
// LinearBeforeReset.
func Pack[T Float](w, r []T, gates, input, hidden int, split bool) Weights[T] {
	n := gates * hidden
	p := Weights[T]{w: gemm.PackB(gemm.RowMajor(w, input, true), input, n)}
	if !split {
		p.r = gemm.PackB(gemm.RowMajor(r, hidden, true), hidden, n)
		return p
	}
	p.r = gemm.PackB(gemm.RowMajor(r, hidden, true), hidden, 2*hidden)
	p.rh = gemm.PackB(gemm.RowMajor(r[2*hidden*hidden:], hidden, true), hidden, hidden)
	return p
}

// WorkLen is the length of the scratch memory that Run needs.
func (a *Args[T]) WorkLen() int { return a.Directions * a.workLen() }

func (a *Args[T]) workLen() int {
	gn := a.Kind.Gates() * a.Hidden
	return a.Steps*a.Batch*gn + 2*a.Batch*gn + 3*a.Batch*a.Hidden + 2*gn
}

// serial runs a direction on the goroutine that has it.
var serial = parallel.NewPool(1)

// Run computes the layer. work has at least WorkLen elements. stop is asked before each step, concurrently; Run returns early when
// it says so.
func Run[T Float](p *parallel.Pool, a *Args[T], work []T, stop func() bool) {
	if a.Directions == 1 || a.Product != nil || p.Threads() == 1 {
		for d := range a.Directions {
			a.run(p, d, work, stop)
		}
		return
	}
	inner := p
	if p.Threads() <= a.Directions {
		inner = serial
	}
	p.For(a.Directions, 1, func(lo, hi int) {
		for d := lo; d < hi; d++ {
			a.run(inner, d, work[d*a.workLen():], stop)
		}
	})
}

// run computes direction d.
func (a *Args[T]) run(p *parallel.Pool, d int, work []T, stop func() bool) {
	l := newLayer(p, a, d, work)
	l.project()
	for s := 0; s < l.longest && !stop(); s++ {
		l.step(s)
	}
	l.finish()
}

// layer is one direction of a run.
type layer[T Float] struct {
	*Args[T]
	pool     *parallel.Pool
	d, gn    int
	backward bool // of the next product of one row
	reverse  bool
	longest  int
	weights  Weights[T]
	xw       []T // (Steps·Batch, G·N) in X's order: products with W plus biases
	gates    []T // (Batch, G·N)
	rec      []T // (Batch, G·N): products with R of a GRU that is LinearBeforeReset
	h, c, rh []T // (Batch, N)
	bw, br   []T // (G·N): bias of xw; bias of rec
	p        []T
}

func newLayer[T Float](pool *parallel.Pool, a *Args[T], d int, work []T) *layer[T] {
	l := &layer[T]{Args: a, pool: pool, d: d, gn: a.Kind.Gates() * a.Hidden, reverse: a.Reverse || d == 1, longest: a.Steps}
	take := func(n int) []T {
		part := work[:n:n]
		work = work[n:]
		return part
	}
	bn := a.Batch * a.Hidden
	l.xw, l.gates, l.rec = take(a.Steps*a.Batch*l.gn), take(a.Batch*l.gn), take(a.Batch*l.gn)
	l.h, l.c, l.rh, l.bw, l.br = take(bn), take(bn), take(bn), take(l.gn), take(l.gn)
	clear(l.gates)
	if a.P != nil {
		l.p = a.P[d*3*a.Hidden : (d+1)*3*a.Hidden]
	}
	if a.Lens != nil {
		l.longest = 0
		for _, n := range a.Lens {
			l.longest = max(l.longest, n)
		}
	}
	switch {
	case a.Product != nil:
	case a.Weights != nil:
		l.weights = a.Weights[d]
	default:
		w, r := a.W[d*l.gn*a.Input:(d+1)*l.gn*a.Input], a.R[d*l.gn*a.Hidden:(d+1)*l.gn*a.Hidden]
		l.weights = Pack(w, r, a.Kind.Gates(), a.Input, a.Hidden, a.Kind == GRU && !a.LinearBeforeReset)
	}
	l.biases()
	for b := range a.Batch {
		l.load(l.h, a.H0, b)
		l.load(l.c, a.C0, b)
	}
	return l
}

// biases adds up both biases of each gate, but for the hidden gate of a GRU that is LinearBeforeReset: its second goes to rec.
func (l *layer[T]) biases() {
	clear(l.bw)
	clear(l.br)
	if l.B == nil {
		return
	}
	b := l.B[l.d*2*l.gn : (l.d+1)*2*l.gn]
	copy(l.bw, b[:l.gn])
	for i, v := range b[l.gn:] {
		if l.Kind == GRU && l.LinearBeforeReset && i >= 2*l.Hidden {
			l.br[i] = v
		} else {
			l.bw[i] += v
		}
	}
}

// stateRow is where sequence b's state of this direction lies in H0, C0, YH and YC.
func (l *layer[T]) stateRow(x []T, b int) []T {
	at := l.d*l.Batch + b
	if l.BatchFirst {
		at = b*l.Directions + l.d
	}
	return x[at*l.Hidden : (at+1)*l.Hidden]
}

func (l *layer[T]) load(dst, src []T, b int) {
	row := dst[b*l.Hidden : (b+1)*l.Hidden]
	if src == nil {
		clear(row)
	} else {
		copy(row, l.stateRow(src, b))
	}
}

// project computes the products of all steps with W.
func (l *layer[T]) project() {
	if l.Product != nil {
		rows := l.Steps * l.Batch
		if !l.BatchFirst {
			rows = l.longest * l.Batch
		}
		for r := range rows {
			copy(l.xw[r*l.gn:], l.bw)
		}
		l.Product(l.d, false, l.xw[:rows*l.gn], l.X[:rows*l.Input], rows)
		return
	}
	gemm.Mul(l.pool, &gemm.Args[T]{M: l.Steps * l.Batch, N: l.gn, K: l.Input, C: l.xw, LDC: l.gn,
		A: gemm.RowMajor(l.X, l.Input, false), PackedB: l.weights.w, Bias: gemm.Operand[T]{Data: l.bw, Col: 1}})
}

// time is the step of the input that sequence b takes in the s-th step, and whether it has one.
func (l *layer[T]) time(s, b int) (t int, ok bool) {
	n := l.Steps
	if l.Lens != nil {
		n = l.Lens[b]
	}
	if l.reverse {
		return n - 1 - s, s < n
	}
	return s, s < n
}

// step advances every sequence that isn't at its end.
func (l *layer[T]) step(s int) {
	for b := range l.Batch {
		if t, ok := l.time(s, b); ok {
			at := t*l.Batch + b
			if l.BatchFirst {
				at = b*l.Steps + t
			}
			copy(l.gates[b*l.gn:(b+1)*l.gn], l.xw[at*l.gn:])
		}
	}
	n, act := l.Hidden, &l.Act[l.d]
	switch l.Kind {
	case RNN:
		l.recur(l.gates, l.gn, l.h, l.weights.r)
		l.each(s, true, func(b int, h, g []T) { RNNCell(h, g, act[0], l.Clip) })
	case LSTM:
		l.recur(l.gates, l.gn, l.h, l.weights.r)
		l.each(s, true, func(b int, h, g []T) {
			LSTMCell(h, l.c[b*n:(b+1)*n], g, l.p, act, l.Clip, l.Coupled)
		})
	case GRU:
		l.gru(s, n, act)
	}
}

func (l *layer[T]) gru(s, n int, act *[3]Func[T]) {
	if l.LinearBeforeReset {
		gemm.Mul(l.pool, &gemm.Args[T]{M: l.Batch, N: l.gn, K: n, C: l.rec, LDC: l.gn,
			A: gemm.RowMajor(l.h, n, false), PackedB: l.weights.r, Bias: gemm.Operand[T]{Data: l.br, Col: 1}})
		l.each(s, true, func(b int, h, g []T) {
			rec := l.rec[b*l.gn : (b+1)*l.gn]
			for k, v := range rec[:2*n] {
				g[k] += v
			}
			rh := l.rh[b*n : (b+1)*n]
			GRUReset(rh, g, rec[2*n:], act[0], l.Clip) // r·(R·h + bias)
			for k, v := range rh {
				g[2*n+k] += v
			}
			GRUUpdate(h, g[:n], g[2*n:], act[1], l.Clip)
		})
		return
	}
	l.recur(l.gates, 2*n, l.h, l.weights.r)
	l.each(s, false, func(b int, h, g []T) { GRUReset(l.rh[b*n:(b+1)*n], g, h, act[0], l.Clip) })
	l.recur(l.gates[2*n:], n, l.rh, l.weights.rh)
	l.each(s, true, func(b int, h, g []T) { GRUUpdate(h, g[:n], g[2*n:], act[1], l.Clip) })
}

// recur adds x·r to n columns of the gates.
func (l *layer[T]) recur(c []T, n int, x []T, r *gemm.Packed[T]) {
	if l.Product != nil {
		l.Product(l.d, true, c, x, l.Batch)
		return
	}
	if l.Batch == 1 && (l.pool.Threads() == 1 || n*l.Hidden < 1<<17) {
		gemm.MulRow(c[:n], x[:l.Hidden], r, l.backward)
		l.backward = !l.backward
		return
	}
	gemm.Mul(l.pool, &gemm.Args[T]{M: l.Batch, N: n, K: l.Hidden, C: c, LDC: l.gn, A: gemm.RowMajor(x, l.Hidden, false), PackedB: r, Acc: true})
}

// each calls f with the state and the gates of every sequence that has an s-th step; done tells that the state is the output then.
func (l *layer[T]) each(s int, done bool, f func(b int, h, gates []T)) {
	n := l.Hidden
	l.pool.For(l.Batch, max(1, (1<<15)/max(l.gn*16, 1)), func(lo, hi int) {
		for b := lo; b < hi; b++ {
			t, ok := l.time(s, b)
			if !ok {
				continue
			}
			h := l.h[b*n : (b+1)*n]
			f(b, h, l.gates[b*l.gn:(b+1)*l.gn])
			if done && l.Y != nil {
				copy(l.output(t, b), h)
			}
		}
	})
}

func (l *layer[T]) output(t, b int) []T {
	at := (t*l.Directions+l.d)*l.Batch + b
	if l.BatchFirst {
		at = (b*l.Steps+t)*l.Directions + l.d
	}
	return l.Y[at*l.Hidden : (at+1)*l.Hidden]
}

// finish clears the outputs after the ends of the sequences and stores the last states.
func (l *layer[T]) finish() {
	n := l.Hidden
	for b := range l.Batch {
		if l.Y != nil && l.Lens != nil {
			for t := l.Lens[b]; t < l.Steps; t++ {
				clear(l.output(t, b))
			}
		}
		if l.YH != nil {
			copy(l.stateRow(l.YH, b), l.h[b*n:(b+1)*n])
		}
		if l.YC != nil {
			copy(l.stateRow(l.YC, b), l.c[b*n:(b+1)*n])
		}
	}
}
