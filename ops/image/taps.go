package image

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/kernels/resample"
)

// source is where output position x of an axis stands in the input.
func (op *resize) source(a along, x float64) float64 {
	if s := op.transform(a, x); s == s {
		return s
	}
	return 0 // of a region of interest that is no number
}

func (op *resize) transform(a along, x float64) float64 {
	width := a.scale * float64(a.in) // the output's width before it is rounded down
	last := float64(a.in - 1)
	switch op.coord {
	case "asymmetric":
		return x / a.scale
	case "align_corners":
		if width == 1 {
			return 0
		}
		return x * last / (width - 1)
	case "tf_crop_and_resize":
		if width == 1 || a.out == 1 {
			return (a.start + a.end) * last / 2
		}
		return a.start*last + x*(a.end-a.start)*last/(width-1)
	case "pytorch_half_pixel":
		if a.out == 1 {
			return 0
		}
	case "half_pixel_symmetric":
		offset := float64(a.in) / 2 * (1 - float64(a.out)/width)
		return offset + (x+0.5)/a.scale - 0.5
	case "tf_half_pixel_for_nn":
		return (x + 0.5) / a.scale
	}
	return (x+0.5)/a.scale - 0.5
}

// outside reports positions that take the extrapolation value.
func (op *resize) outside(a along, x float64) bool {
	return op.coord == "tf_crop_and_resize" && (x < 0 || x > float64(a.in-1))
}

// nearestTaps returns the input index of each output position; -1 stands for the extrapolation value.
func (op *resize) nearestTaps(a along) []int {
	idx := make([]int, a.out)
	for j := range idx {
		x := op.source(a, float64(j))
		if op.outside(a, x) {
			idx[j] = -1
			continue
		}
		idx[j] = int(min(max(op.round(x, a.scale), 0), float64(a.in-1)))
	}
	return idx
}

func (op *resize) round(x, scale float64) float64 {
	f := math.Floor(x)
	switch op.nearest {
	case "floor":
		return f
	case "ceil":
		return math.Ceil(x)
	case "round_prefer_ceil":
		if x-f >= 0.5 {
			return f + 1
		}
		return f
	case "simple": // before opset 11: down when enlarging, up when reducing
		if scale < 1 {
			return math.Ceil(x)
		}
		return f
	}
	if x-f > 0.5 {
		return f + 1
	}
	return f
}

// interpolation returns the weights of linear and cubic interpolation. Input positions beyond the edges repeat them,
// or weigh nothing if the outside is excluded.
func interpolation[T resample.Float](op *resize, a along) resample.Taps[T] {
	coeffs, n := op.coefficients(a.scale)
	t := resample.Taps[T]{N: n, Index: make([]int, a.out*n), Weight: make([]T, a.out*n)}
	w := make([]float64, n)
	for j := range a.out {
		x := op.source(a, float64(j))
		if op.outside(a, x) {
			if t.Fixed == nil {
				t.Fixed = make([]bool, a.out)
			}
			t.Fixed[j] = true
			continue
		}
		x = min(max(x, -maxExtent), maxExtent)
		f := math.Floor(x)
		first, ratio := int(f)-n/2+1, x-f
		if ratio == 0 { // the window then reaches further to the left
			first, ratio = first-1, 1
		}
		coeffs(w, ratio)
		if op.excludeOutside {
			excludeOutside(w, first, a.in)
		}
		for k := range n {
			t.Index[j*n+k] = min(max(first+k, 0), a.in-1)
			t.Weight[j*n+k] = T(w[k])
		}
	}
	return t
}

func excludeOutside(w []float64, first, n int) {
	sum := 0.0
	for k := range w {
		if i := first + k; i < 0 || i >= n {
			w[k] = 0
		}
		sum += w[k]
	}
	if sum != 0 {
		scaleBy(w, 1/sum)
	}
}

// coefficients returns the function that computes the weights for a position at the given ratio between two elements,
// and their number. Antialiasing widens the filter when the axis shrinks.
func (op *resize) coefficients(scale float64) (func(w []float64, ratio float64), int) {
	filter, support := linearFilter, 1.0
	if op.mode == "cubic" {
		a := op.cubicA
		filter, support = func(x float64) float64 { return cubicFilter(x, a) }, 2
	}
	shrink := 1.0
	if op.antialias {
		shrink = min(scale, 1)
	}
	start := int(math.Floor(-support/shrink)) + 1
	return func(w []float64, ratio float64) {
		sum := 0.0
		for k := range w {
			w[k] = filter((float64(start+k) - ratio) * shrink)
			sum += w[k]
		}
		if op.antialias {
			scaleBy(w, 1/sum)
		}
	}, 2 - 2*start
}

func scaleBy(w []float64, f float64) {
	for k := range w {
		w[k] *= f
	}
}

func linearFilter(x float64) float64 { return max(1-math.Abs(x), 0) }

// cubicFilter is Keys' convolution kernel with parameter a.
func cubicFilter(x, a float64) float64 {
	x = math.Abs(x)
	switch {
	case x <= 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return ((a*x-5*a)*x+8*a)*x - 4*a
	}
	return 0
}
