package pool

import (
	"fmt"
	"math"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/kerneltest"
	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// testMaxRows compares with the maxima in float64, which no row kernel computes.
func testMaxRows(t *testing.T, name string, g *Geometry) {
	x := kerneltest.Rand(g.Planes * volume(g.In))
	for i := range x {
		if i%29 == 7 {
			x[i] = float32(math.NaN())
		}
	}
	wide := make([]float64, len(x))
	for i, v := range x {
		wide[i] = float64(v)
	}
	n := g.Planes * volume(g.Out)
	want := make([]float64, n)
	Max(nil, g, want, wide, nil, math.Inf(-1))
	y, check := kerneltest.Guarded(t, n)
	Max(parallel.NewPool(2), g, y, x, nil, float32(math.Inf(-1)))
	check()
	for i, v := range y {
		if float64(v) != want[i] && !(v != v && want[i] != want[i]) {
			t.Fatalf("%s: element %d is %v, want %v", name, i, v, want[i])
		}
	}
}

func TestMaxRows(t *testing.T) {
	kerneltest.EachLevel(t, func(t *testing.T) {
		for name, g := range geometries {
			testMaxRows(t, name, &g)
		}
		for width := 1; width < 70; width++ {
			for kernel := 1; kernel <= 3; kernel++ {
				for stride := 1; stride <= 3; stride++ {
					for pad := 0; pad < kernel; pad++ {
						if width+2*pad < kernel {
							continue
						}
						g := Geometry{3, []int{5, width}, []int{(5+2*pad-kernel)/stride + 1, (width+2*pad-kernel)/stride + 1}, []int{kernel, kernel},
							[]int{stride, stride}, []int{1, 1}, []int{pad, pad}, []int{pad, pad}}
						testMaxRows(t, fmt.Sprint("width ", width, " kernel ", kernel, " stride ", stride, " pad ", pad), &g)
					}
				}
			}
		}
	})
}
