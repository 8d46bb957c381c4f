package attention

import (
	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
	"github.com/sardonyx-ml/sardonyx/kernels/softmax"
)

// Linear describes linear attention, a recurrence over the steps of a sequence with a matrix S (KeySize, ValueSize) as state:
//
//	S ← exp(decay)·S;  u ← v, or β·(v - Sᵀk) if Beta is given;  S ← S + k⊗u;  y = Scale·Sᵀq
//
// All arrays are contiguous, (Batch, Steps, heads, size) but for State.
type Linear struct {
	Batch, Steps       int
	Heads, KVHeads     int // KVHeads divides Heads; query head h reads the state of head h/(Heads/KVHeads)
	KeySize, ValueSize int
	Scale              float32

	Y     []float32 // (Batch, Steps, Heads, ValueSize), written
	Q     []float32 // (Batch, Steps, Heads, KeySize)
	K     []float32 // (Batch, Steps, KVHeads, KeySize)
	V     []float32 // (Batch, Steps, KVHeads, ValueSize)
	State []float32 // (Batch, KVHeads, KeySize, ValueSize), updated in place

	Decay     []float32 // (Batch, Steps, KVHeads, DecaySize); nil means no decay
	DecaySize int       // KeySize or 1
	Beta      []float32 // (Batch, Steps, BetaHeads); nil means the plain update
	BetaHeads int       // KVHeads or 1
}

// valueBlock is how many columns of the state, which are independent of each other, one goroutine advances together.
const valueBlock = 64

// RunLinear computes the recurrence on the goroutines of p.
func RunLinear(p *parallel.Pool, a *Linear) {
	blocks := (a.ValueSize + valueBlock - 1) / valueBlock
	cost := a.Steps * a.KeySize * min(a.ValueSize, valueBlock) * (3 + a.Heads/max(a.KVHeads, 1))
	p.For(a.Batch*a.KVHeads*blocks, max(1, (1<<15)/max(cost, 1)), func(lo, hi int) {
		for n := lo; n < hi; n++ {
			bh, c := n/blocks, n%blocks*valueBlock
			a.columns(bh/a.KVHeads, bh%a.KVHeads, c, min(c+valueBlock, a.ValueSize))
		}
	})
}

// columns runs all steps for columns c0 … c1-1 of head h in batch entry b.
func (a *Linear) columns(b, h, c0, c1 int) {
	var buf [valueBlock]float32
	u, dk, dv := buf[:c1-c0], a.KeySize, a.ValueSize
	state := a.State[(b*a.KVHeads+h)*dk*dv:][:dk*dv]
	for t := range a.Steps {
		bt := b*a.Steps + t
		k := a.K[(bt*a.KVHeads+h)*dk:][:dk]
		if a.Decay != nil {
			a.decay(state, a.Decay[(bt*a.KVHeads+h)*a.DecaySize:][:a.DecaySize], c0, c1)
		}
		copy(u, a.V[(bt*a.KVHeads+h)*dv+c0:])
		if a.Beta != nil {
			for d, x := range k {
				axpy(u, state[d*dv+c0:d*dv+c1], -x)
			}
			beta := a.Beta[bt*a.BetaHeads+min(h, a.BetaHeads-1)]
			for j := range u {
				u[j] *= beta
			}
		}
		for d, x := range k {
			axpy(state[d*dv+c0:d*dv+c1], u, x)
		}
		a.read(state, bt, h, c0, c1)
	}
}

func (a *Linear) decay(state, g []float32, c0, c1 int) {
	f := softmax.Exp(g[0])
	for d := range a.KeySize {
		if d > 0 && len(g) > 1 {
			f = softmax.Exp(g[d])
		}
		row := state[d*a.ValueSize+c0 : d*a.ValueSize+c1]
		for j := range row {
			row[j] *= f
		}
	}
}

// read writes the outputs of the query heads that share the state.
func (a *Linear) read(state []float32, bt, h, c0, c1 int) {
	group := a.Heads / a.KVHeads
	for g := h * group; g < (h+1)*group; g++ {
		y := a.Y[(bt*a.Heads+g)*a.ValueSize+c0 : (bt*a.Heads+g)*a.ValueSize+c1]
		clear(y)
		for d, x := range a.Q[(bt*a.Heads+g)*a.KeySize:][:a.KeySize] {
			axpy(y, state[d*a.ValueSize+c0:d*a.ValueSize+c1], x*a.Scale)
		}
	}
}
