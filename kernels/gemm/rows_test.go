package gemm

import (
	"fmt"
	"math"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/kerneltest"
)

func TestRows(t *testing.T) {
	kerneltest.EachLevel(t, func(t *testing.T) {
		for _, n := range []int{0, 1, 3, 4, 5, 9, 17} {
			for _, k := range []int{0, 1, 7, 8, 15, 64, 65} {
				name := fmt.Sprintf("%d rows of %d", n, k)
				ld := k + 3
				b := kerneltest.Rand(n*ld + 1)
				a := kerneltest.Rand(k + 100)[:k]
				y, check := kerneltest.Guarded(t, n)
				for i := range y {
					y[i] = float32(i)
				}
				DotRows(y, a, b, ld)
				for j, got := range y {
					want := float64(j)
					for i, v := range a {
						want += float64(v) * float64(b[j*ld+i])
					}
					closeTo(t, name, j, got, want)
				}
				check()
				w := kerneltest.Rand(n + 200)[:n]
				c, check := kerneltest.Guarded(t, k)
				for i := range c {
					c[i] = float32(i)
				}
				AddRows(c, w, b, ld)
				for i, got := range c {
					want := float64(i)
					for j, v := range w {
						want += float64(v) * float64(b[j*ld+i])
					}
					closeTo(t, name, i, got, want)
				}
				check()
			}
		}
	})
}

func closeTo(t *testing.T, what string, i int, got float32, want float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= 1e-4*(1+math.Abs(want))) {
		t.Errorf("%s: element %d is %v, want %v", what, i, got, want)
	}
}

// The kernels for one row and a packed panel.
func TestRowKernels(t *testing.T) {
	for _, kern := range float32Kernels() {
		for _, k := range []int{1, 2, 3, 4, 5, 7, 8, 9, 64, 65} {
			for _, add := range []bool{false, true} {
				a, b := kerneltest.Rand(k + 1000)[:k], kerneltest.Rand(k*kern.nr)
				c, check := kerneltest.Guarded(t, kern.nr)
				for i := range c {
					c[i] = float32(i)
				}
				kern.row(c, a, b, add)
				check()
				for i, got := range c {
					want := float64(0)
					if add {
						want = float64(i)
					}
					for p, v := range a {
						want += float64(v) * float64(b[p*kern.nr+i])
					}
					closeTo(t, fmt.Sprintf("%s, k %d, add %t", kern.name, k, add), i, got, want)
				}
			}
		}
	}
}

func TestMulRow(t *testing.T) {
	best := float32Kernel
	defer func() { float32Kernel = best }()
	for _, kern := range float32Kernels() {
		float32Kernel = kern
		for _, n := range []int{0, 1, kern.nr - 1, kern.nr, kern.nr + 1, 3*kern.nr + 5} {
			for _, k := range []int{0, 1, 37} {
				a, b := kerneltest.Rand(k + 1000)[:k], kerneltest.Rand(k*n)
				p := PackB(RowMajor(b, n, false), k, n)
				for _, backward := range []bool{false, true} {
					c, check := kerneltest.Guarded(t, n)
					clear(c)
					MulRow(c, a, p, backward)
					check()
					for i, got := range c {
						want := 0.0
						for q, v := range a {
							want += float64(v) * float64(b[q*n+i])
						}
						closeTo(t, fmt.Sprintf("%s, %d×%d", kern.name, k, n), i, got, want)
					}
				}
			}
		}
	}
}
