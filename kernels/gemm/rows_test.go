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
