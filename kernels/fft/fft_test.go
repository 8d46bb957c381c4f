package fft

import (
	"math/cmplx"
	"math/rand/v2"
	"testing"
)

func TestTransform(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 16, 17, 19, 30, 34, 64, 97, 100, 143, 221, 360, 400, 512} {
		src, dst := make([]complex128, n), make([]complex128, n)
		for i := range src {
			src[i] = complex(rng.Float64()-0.5, rng.Float64()-0.5)
		}
		NewPlan(n).Transform(dst, src, &Work{})
		for k := range dst {
			var want complex128
			for j, v := range src {
				want += v * root(j*k%n, n)
			}
			if cmplx.Abs(dst[k]-want) > 1e-12*float64(n) {
				t.Fatalf("n=%d: element %d is %v, want %v", n, k, dst[k], want)
			}
		}
	}
}

func BenchmarkTransform(b *testing.B) {
	for _, n := range []int{400, 512, 509} {
		b.Run("", func(b *testing.B) {
			p, src, dst, work := NewPlan(n), make([]complex128, n), make([]complex128, n), &Work{}
			b.SetBytes(int64(16 * n))
			for b.Loop() {
				p.Transform(dst, src, work)
			}
		})
	}
}
