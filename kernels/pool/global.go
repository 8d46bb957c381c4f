package pool

import "github.com/sardonyx-ml/sardonyx/kernels/parallel"

// eachPlane calls f for the planes of size elements each.
func eachPlane(pool *parallel.Pool, planes, size int, f func(plane int)) {
	pool.For(planes, max(1, (1<<15)/max(size, 1)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			f(i)
		}
	})
}

// GlobalMax sets y[i] to the maximum of the i-th len(x)/len(y) elements of x, NaN if one is; an empty plane gets least.
func GlobalMax[T Number](pool *parallel.Pool, y, x []T, least T) {
	size := planeSize(len(y), len(x))
	eachPlane(pool, len(y), size, func(i int) {
		m := least
		for _, v := range x[i*size : (i+1)*size] {
			if v > m || v != v {
				m = v
				if v != v {
					break
				}
			}
		}
		y[i] = m
	})
}

func planeSize(planes, n int) int {
	if planes == 0 {
		return 0
	}
	return n / planes
}

// GlobalAverage sets y[i] to the mean of the i-th len(x)/len(y) elements of x, summed in double precision.
func GlobalAverage[T Float](pool *parallel.Pool, y, x []T) {
	size := planeSize(len(y), len(x))
	eachPlane(pool, len(y), size, func(i int) {
		var s0, s1, s2, s3 float64
		p := x[i*size : (i+1)*size]
		for len(p) >= 4 {
			s0 += float64(p[0])
			s1 += float64(p[1])
			s2 += float64(p[2])
			s3 += float64(p[3])
			p = p[4:]
		}
		for _, v := range p {
			s0 += float64(v)
		}
		y[i] = T(((s0 + s1) + (s2 + s3)) / float64(size))
	})
}

// GlobalNorm sets y[i] to the p-norm of the i-th len(x)/len(y) elements of x.
func GlobalNorm[T Float](pool *parallel.Pool, y, x []T, p float64) {
	size := planeSize(len(y), len(x))
	eachPlane(pool, len(y), size, func(i int) {
		var n norm
		for _, v := range x[i*size : (i+1)*size] {
			n.add(float64(v), p)
		}
		y[i] = T(n.root(p))
	})
}

// RoiMax sets y, (bins[0], bins[1]), to the maxima over a grid of bins of the region of x, (h, w), with the given corners,
// both inclusive. Bins may overlap; one outside the image gets 0.
func RoiMax[T Float](y, x []T, h, w int, x1, y1, x2, y2 int, bins [2]int) {
	rh, rw := max(y2-y1+1, 1), max(x2-x1+1, 1)
	for i := range bins[0] {
		top, bottom := bin(i, bins[0], rh, y1, h)
		for j := range bins[1] {
			left, right := bin(j, bins[1], rw, x1, w)
			var m T
			for r := top; r < bottom; r++ {
				for c := left; c < right; c++ {
					if v := x[r*w+c]; v > m || v != v || r == top && c == left {
						m = v
					}
				}
			}
			y[i*bins[1]+j] = m
		}
	}
}

// bin is the range of bin i of n over size elements from start on, clipped to [0, limit).
func bin(i, n, size, start, limit int) (lo, hi int) {
	return min(max(i*size/n+start, 0), limit), min(max(((i+1)*size+n-1)/n+start, 0), limit)
}
