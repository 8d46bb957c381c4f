package signal

import (
	"github.com/sardonyx-ml/sardonyx/kernels/fft"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// single returns the single-precision plan of a full complex transform of float32 numbers, or nil where there is none: the
// transform is then computed in double precision. The expected values of the standard come from NumPy, which transforms
// complex64 in single precision; where the exact result is zero only the same order of roundings gives what it gives.
func (t transform) single() *fft.Single {
	if t.inParts != 2 || t.outParts != 2 || t.onesided {
		return nil
	}
	return fft.NewSingle(t.n)
}

func runSingle(c *ops.Ctx, t transform, plan *fft.Single, y, x []float32, outer int) {
	scale := float32(1)
	if t.inverse {
		scale = 1 / float32(t.n)
	}
	c.Parallel(outer*t.inner, ops.Grain(32*t.n), func(lo, hi int) {
		line, work := make([]complex64, t.n), make([]complex64, t.n)
		for i := lo; i < hi; i++ {
			if c.Err() != nil {
				return
			}
			o, k := i/t.inner, i%t.inner
			clear(line)
			from, to, step := (o*t.in*t.inner+k)*2, (o*t.out*t.inner+k)*2, t.inner*2
			for j := range min(t.in, t.n) {
				line[j] = complex(x[from+j*step], x[from+j*step+1])
			}
			plan.Transform(line, work, t.inverse, scale)
			for j := range t.out {
				y[to+j*step], y[to+j*step+1] = real(line[j]), imag(line[j])
			}
		}
	})
}
