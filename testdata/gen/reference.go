package main

import "math"

const (
	side     = 8
	pixels   = side * side
	channels = 4
	features = channels * pixels / 4 // after pooling
)

// glyphs are the digits, 5×7, in an 8×8 image with a margin of one pixel above and to the left.
var glyphs = [10]string{
	".###.#...##..###.#.###..##...#.###.",
	"..#...##....#....#....#....#...###.",
	".###.#...#....#...#...#...#...#####",
	"#####...#...#.....#.....##...#.###.",
	"...#...##..#.#.#..#.#####...#....#.",
	"######....####.....#....##...#.###.",
	"..##..#...#....####.#...##...#.###.",
	"#####....#...#...#...#....#....#...",
	".###.#...##...#.###.#...##...#.###.",
	".###.#...##...#.####....#...#..##..",
}

// filters are four 3×3 filters: the pixel itself, a blur, and edges across and along.
var filters = []float32{
	0, 0, 0, 0, 1, 0, 0, 0, 0,
	0.0625, 0.125, 0.0625, 0.125, 0.25, 0.125, 0.0625, 0.125, 0.0625,
	-0.25, -0.5, -0.25, 0, 0, 0, 0.25, 0.5, 0.25,
	-0.25, 0, 0.25, -0.5, 0, 0.5, -0.25, 0, 0.25,
}

// glyph is the clean image of a digit.
func glyph(d int) []float32 {
	img := make([]float32, pixels)
	for i, c := range glyphs[d] {
		if c == '#' {
			img[(i/5+1)*side+i%5+1] = 1
		}
	}
	return img
}

// noisy is a sample of a digit: a bit dimmer, with noise of a fixed sequence, in steps that a gray image can hold.
func noisy(d int) []float32 {
	img := glyph(d)
	state := uint32(d + 1)
	for i := range img {
		state = state*1664525 + 1013904223
		v := 0.8*float64(img[i]) + 0.2*float64(state>>24)/255
		img[i] = float32(math.Round(v*255) / 255)
	}
	return img
}

// net is a nearest-centroid classifier on the features of one convolution: the logit of a class with centroid c is
// c·x − |c|²/2, times the sharpness.
type net struct {
	weights []float32 // (features, 10)
	bias    []float32
}

const sharpness = 1.5

func newNet() *net {
	n := &net{weights: make([]float32, features*10), bias: make([]float32, 10)}
	for d := range 10 {
		var norm float64
		for k, f := range extract(glyph(d)) {
			n.weights[k*10+d] = float32(sharpness * f)
			norm += f * f
		}
		n.bias[d] = float32(-sharpness * norm / 2)
	}
	return n
}

// extract computes the features of an image: convolution with a margin of zeros, rectifier, maximum of 2×2 pixels.
func extract(img []float32) []float64 {
	out := make([]float64, features)
	for c := range channels {
		for y := range side {
			for x := range side {
				sum := 0.0
				for i := range 3 {
					for j := range 3 {
						if v, u := y+i-1, x+j-1; v >= 0 && v < side && u >= 0 && u < side {
							sum += float64(filters[c*9+i*3+j]) * float64(img[v*side+u])
						}
					}
				}
				at := (c*side/2+y/2)*side/2 + x/2
				out[at] = max(out[at], sum)
			}
		}
	}
	return out
}

// classify returns the probabilities of the digits.
func (n *net) classify(img []float32) []float32 {
	logits := make([]float64, 10)
	top := math.Inf(-1)
	x := extract(img)
	for d := range logits {
		logits[d] = float64(n.bias[d])
		for k, f := range x {
			logits[d] += f * float64(n.weights[k*10+d])
		}
		top = max(top, logits[d])
	}
	sum := 0.0
	for d := range logits {
		logits[d] = math.Exp(logits[d] - top)
		sum += logits[d]
	}
	out := make([]float32, 10)
	for d := range out {
		out[d] = float32(logits[d] / sum)
	}
	return out
}

func best(p []float32) int {
	b := 0
	for i := range p {
		if p[i] > p[b] {
			b = i
		}
	}
	return b
}
