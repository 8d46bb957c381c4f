package attention

import "github.com/sardonyx-ml/sardonyx/kernels/parallel"

// Scores writes Scale·Q·Kᵀ to a.Scores and does nothing else: soft cap, bias, masks and the rest of a are left out.
func Scores[T Float](p *parallel.Pool, a *Args[T]) {
	a.eachBlock(p, func(w *work[T]) {
		kvh := w.h / (w.Heads / w.KVHeads)
		w.scaleQueries()
		for k := 0; k < w.KVLen; k += keyBlock {
			n := min(keyBlock, w.KVLen-k)
			dots(w.s, w.q, w.K.rows(w.b, kvh, k, n, w.HeadSize), w.K.Row, w.rows, n, w.HeadSize)
			for r := range w.rows {
				copy(w.scoreRow(r)[k:], w.s[r*keyBlock:r*keyBlock+n])
			}
		}
	})
}

// Apply sets Y = P·V, where P is a.Scores, and does nothing else.
func Apply[T Float](p *parallel.Pool, a *Args[T]) {
	a.eachBlock(p, func(w *work[T]) {
		kvh := w.h / (w.Heads / w.KVHeads)
		clear(w.acc[:w.rows*w.VSize])
		for k := 0; k < w.KVLen; k += keyBlock {
			n := min(keyBlock, w.KVLen-k)
			for r := range w.rows {
				copy(w.s[r*keyBlock:], w.scoreRow(r)[k:k+n])
			}
			weigh(w.acc, w.s, w.V.rows(w.b, kvh, k, n, w.VSize), w.V.Row, w.rows, n, w.VSize, true)
		}
		for r := range w.rows {
			copy(w.Y.row(w.b, w.h, w.i0+r, w.VSize), w.acc[r*w.VSize:(r+1)*w.VSize])
		}
	})
}
