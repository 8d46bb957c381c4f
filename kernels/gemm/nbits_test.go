package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/kerneltest"
	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

func TestNBits(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	best := float32Kernel
	defer func() { float32Kernel = best }()
	kerneltest.EachLevel(t, func(t *testing.T) {
		float32Kernel = pickFloat32()
		for _, bits := range []int{4, 8} {
			for _, s := range [][4]int{{1, 1, 1, 16}, {1, 17, 40, 32}, {2, 50, 64, 16}, {3, 33, 300, 128}, {4, 16, 31, 16}, {5, 15, 100, 32}, {8, 64, 256, 256}, {9, 49, 277, 32}, {20, 100, 530, 16}, {30, 24, 700, 512}} {
				m, n, k, block := s[0], s[1], s[2], s[3]
				for variant := range 4 {
					blocks := (k + block - 1) / block
					data := make([]uint8, n*blocks*block*bits/8)
					for i := range data {
						data[i] = uint8(r.Uint32())
					}
					scales := make([]float32, n*blocks)
					var zeros, bias []float32
					for i := range scales {
						scales[i] = r.Float32() + 0.1
					}
					if variant&1 != 0 {
						zeros = make([]float32, n*blocks)
						for i := range zeros {
							zeros[i] = float32(r.IntN(1 << bits))
						}
					}
					if variant&2 != 0 {
						bias = kerneltest.Rand(n)
					}
					a := kerneltest.Rand(m * k)
					y, check := kerneltest.Guarded(t, m*n)
					MulNBits(parallel.NewPool(2), y, a, m, PackNBits(bits, block, k, n, data, scales, zeros), bias)
					check()
					for i, got := range y {
						want, size := nbitsWant(a[i/n*k:][:k], data, scales, zeros, i%n, bits, block)
						if bias != nil {
							want += float64(bias[i%n])
						}
						if math.Abs(float64(got)-want) > 1e-6*size+1e-5 {
							t.Fatalf("%d bits %v variant %d: element %d is %v, want %v", bits, s, variant, i, got, want)
						}
					}
				}
			}
		}
	})
}

// nbitsWant is the product of a with column j, and the sum of its terms' magnitudes.
func nbitsWant(a []float32, data []uint8, scales, zeros []float32, j, bits, block int) (sum, size float64) {
	blocks := (len(a) + block - 1) / block
	for p, v := range a {
		at := (j*blocks*block + p) * bits
		q := float64(data[at/8] >> (at % 8) & uint8(1<<bits-1))
		zero := float64(int(1) << (bits - 1))
		if zeros != nil {
			zero = float64(zeros[j*blocks+p/block])
		}
		term := float64(v) * (q - zero) * float64(scales[j*blocks+p/block])
		sum, size = sum+term, size+math.Abs(float64(v)*float64(scales[j*blocks+p/block]))*math.Exp2(float64(bits))
	}
	return sum, size
}

func BenchmarkNBits(b *testing.B) {
	const n, k, block = 4096, 4096, 32
	for _, bits := range []int{4, 8} {
		for _, m := range []int{1, 4, 8, 128} {
			b.Run(fmt.Sprintf("%dbits/%d", bits, m), func(b *testing.B) {
				w := PackNBits(bits, block, k, n, make([]uint8, n*k*bits/8), make([]float32, n*k/block), nil)
				a, y := make([]float32, m*k), make([]float32, m*n)
				b.SetBytes(int64(n * k * bits / 8))
				for b.Loop() {
					MulNBits(parallel.NewPool(1), y, a, m, w, nil)
				}
				b.ReportMetric(2*float64(m)*n*k*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
