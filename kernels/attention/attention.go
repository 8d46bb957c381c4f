// Package attention computes scaled dot-product attention over strided arrays, block by block, without ever holding all
// scores.
//
// The work is cut into blocks of queries of one head (see queryBlock), which run in parallel; each walks over blocks of keys
// with the running maximum and sum of an online softmax. The cut depends on the sizes only, so results do not depend on
// the number of threads. Three loops do the arithmetic: dots (Q·Kᵀ), softmax.ExpSub and weigh (P·V).
package attention

import (
	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// Float is the element types that the kernel knows.
type Float interface{ float32 | float64 }

// Array is a (batch, heads, rows, columns) array with contiguous columns: element (b, h, i, j) is
// Data[b*Batch+h*Head+i*Row+j]. Strides may be 0.
type Array[T any] struct {
	Data             []T
	Batch, Head, Row int
}

// Contiguous returns the array over data in row-major order (batch, heads, rows, columns).
func Contiguous[T any](data []T, heads, rows, columns int) Array[T] {
	return Array[T]{data, heads * rows * columns, rows * columns, columns}
}

// Packed returns the array over data in row-major order (batch, rows, heads, columns), which is how projections leave it.
func Packed[T any](data []T, heads, rows, columns int) Array[T] {
	return Array[T]{data, heads * rows * columns, columns, heads * columns}
}

func (a *Array[T]) row(b, h, i, columns int) []T {
	at := b*a.Batch + h*a.Head + i*a.Row
	return a.Data[at : at+columns : at+columns]
}

// Broadcast is an array over (batch, heads, queries, keys) that may repeat along any axis: element (b, h, i, j) is
// Data[b*Batch+h*Head+i*Row+j*Col], where Col is 0 or 1. It is absent if Data is nil.
type Broadcast[T any] struct {
	Data                  []T
	Batch, Head, Row, Col int
}

// span returns the elements of a row from key lo to key hi; a single one if Col is 0.
func (a *Broadcast[T]) span(b, h, i, lo, hi int) []T {
	at := b*a.Batch + h*a.Head + i*a.Row
	if a.Col == 0 {
		return a.Data[at : at+1]
	}
	return a.Data[at+lo : at+hi]
}

// Step changes the scores in one of three ways.
type Step[T Float] struct {
	Bias Broadcast[T]    // is added, if it has data
	Mask Broadcast[bool] // else, if it has data: scores become Fill where it is Where
	// If neither has data, scores below Fill become Fill.
	Where bool
	Fill  T
}

// Stage is what Args.Scores receives.
type Stage int

// The stages of a score.
const (
	Raw           Stage = iota // scale · q·k
	Capped                     // after the soft cap
	Biased                     // after bias and masks; -Inf where a key is not attended
	Probabilities              // after the softmax; a query without keys has zeros
)

// Args describes one attention: Y = softmax(cap(Scale·Q·Kᵀ) + Bias, where allowed)·V.
type Args[T Float] struct {
	Batch, Heads, KVHeads int // KVHeads divides Heads; query head h reads key head h/(Heads/KVHeads)
	QLen, KVLen           int
	HeadSize, VSize       int

	Y Array[T] // (Batch, Heads, QLen, VSize), written; must not overlap the inputs
	Q Array[T] // (Batch, Heads, QLen, HeadSize)
	K Array[T] // (Batch, KVHeads, KVLen, HeadSize)
	V Array[T] // (Batch, KVHeads, KVLen, VSize)

	Scale   T
	Softcap T // scores become Softcap·tanh(score/Softcap) if it is above 0

	Bias Broadcast[T]    // added to the scores
	Mask Broadcast[bool] // false: not attended

	Steps []Step[T] // applied in order to the scores, before Bias and Mask
	// Plain computes what the formula written with single operators does: a query whose scores are all -Inf gives NaN, and NaN
	// and Inf in V count even if their probability is 0. It cannot be combined with what limits the keys of a query: Mask, KVLens,
	// Causal and Windowed.
	Plain bool

	// KVLens[b] is how many keys of batch entry b are attended at most; nil means KVLen. Bias and Mask are not read from
	// there on.
	KVLens []int
	// Offset[b] is the position of query 0 among the keys for Causal and Windowed; nil means 0. It may be negative.
	Offset []int
	// Causal lets the query at position p attend keys up to p only.
	Causal bool
	// Windowed lets it attend keys from p-Left to p+Right only; a negative value leaves that side open.
	Windowed    bool
	Left, Right int

	// Sink[h] is the logit of a key that takes part in head h's softmax and has no value; nil means none.
	Sink []T

	// Scores receives the scores of the given Stage, contiguous (Batch, Heads, QLen, KVLen); nil if they are not wanted.
	Scores []T
	Stage  Stage
}

// Unless Plain is set, a query that attends no key at all (every key is masked or has the bias -Inf) gives a row of zeros, and
// a masked key never contributes, whatever its row of V holds, NaN included.

const (
	queryBlock = 128
	keyBlock   = 128
)

// Run computes the attention on the goroutines of p. It panics if sizes do not fit.
func Run[T Float](p *parallel.Pool, a *Args[T]) { a.eachBlock(p, (*work[T]).run) }

// eachBlock calls f for every block of queries of every head, in parallel.
func (a *Args[T]) eachBlock(p *parallel.Pool, f func(*work[T])) {
	if a.Heads == 0 {
		return
	}
	if a.KVHeads <= 0 || a.Heads%a.KVHeads != 0 {
		panic("attention: KVHeads does not divide Heads")
	}
	if a.Scores != nil && len(a.Scores) != a.Batch*a.Heads*a.QLen*a.KVLen {
		panic("attention: length of Scores")
	}
	blocks := (a.QLen + queryBlock - 1) / queryBlock
	cost := min(a.QLen, queryBlock) * a.KVLen * (a.HeadSize + a.VSize + 8)
	p.For(a.Batch*a.Heads*blocks, max(1, (1<<15)/max(cost, 1)), func(lo, hi int) {
		w := newWork(a)
		defer w.free()
		for n := lo; n < hi; n++ {
			bh, blk := n/blocks, n%blocks
			w.b, w.h, w.i0 = bh/a.Heads, bh%a.Heads, blk*queryBlock
			w.rows = min(queryBlock, a.QLen-w.i0)
			f(w)
		}
	})
}

// keys is the range of keys that query i of batch entry b may attend.
func (a *Args[T]) keys(b, i int) (lo, hi int) {
	hi = a.KVLen
	if a.KVLens != nil {
		hi = min(max(a.KVLens[b], 0), hi)
	}
	p := i
	if a.Offset != nil {
		p += a.Offset[b]
	}
	if a.Causal {
		hi = min(hi, p+1)
	}
	if a.Windowed && a.Left >= 0 {
		lo = max(0, p-a.Left)
	}
	if a.Windowed && a.Right >= 0 && a.Right < a.KVLen-p {
		hi = min(hi, p+a.Right+1)
	}
	hi = max(hi, 0)
	return min(lo, hi), hi
}
