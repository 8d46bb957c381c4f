package gemm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// BenchmarkMicro measures the micro kernels alone, on panels that stay in the cache.
func BenchmarkMicro(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, k := range float32Kernels() {
		for _, kc := range []int{64, 128, 256} {
			b.Run(fmt.Sprintf("%s-kc%d", k.name, kc), func(b *testing.B) {
				pa, pb := random[float32](r, kc*k.mr), random[float32](r, kc*k.nr)
				c, tmp := make([]float32, k.mr*k.nr), make([]float32, maxMR*maxNR)
				for b.Loop() {
					for range 100 {
						k.run(c, k.nr, pa, pb, kc, k.mr, k.nr, 0, false, tmp)
					}
				}
				b.ReportMetric(200*float64(k.mr*k.nr*kc)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

// BenchmarkPacked measures products with a packed B, at the shapes of BERT-base and ResNet-50.
func BenchmarkPacked(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range [][3]int{{128, 768, 768}, {128, 3072, 768}, {128, 768, 3072}, {16, 3072, 768}, {1, 3072, 768}, {1024, 768, 768}} {
		m, n, k := s[0], s[1], s[2]
		best := float32Kernel
		for _, kern := range float32Kernels() {
			float32Kernel = kern
			g := &Args[float32]{M: m, N: n, K: k, C: make([]float32, m*n), LDC: n, A: RowMajor(random[float32](r, m*k), k, false),
				PackedB: PackB(RowMajor(random[float32](r, n*k), n, false), k, n)}
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%dx%dx%d-%s-t%d", m, n, k, kern.name, threads), func(b *testing.B) {
					pool := parallel.NewPool(threads)
					for b.Loop() {
						Mul(pool, g)
					}
					b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
		float32Kernel = best
	}
}
