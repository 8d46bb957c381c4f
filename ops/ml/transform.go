package ml

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/ops"
)

// post is a post transform of scores.
type post string

var posts = []string{"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"}

func readPost(a *ops.Attrs) post { return post(a.Enum("post_transform", "NONE", posts[1:]...)) }

// apply transforms the scores of one row.
func (p post) apply(s []float64) {
	switch p {
	case "LOGISTIC":
		for i, v := range s {
			s[i] = logistic(v)
		}
	case "PROBIT":
		for i, v := range s {
			s[i] = probit(v)
		}
	case "SOFTMAX":
		softmax(s)
	case "SOFTMAX_ZERO":
		softmaxZero(s)
	}
}

// single transforms the only score of a row: with one score, only PROBIT has an effect.
func (p post) single(s []float64) {
	if p == "PROBIT" {
		s[0] = probit(s[0])
	}
}

// two makes scores of two classes from the one in s[0], the second class's, which may be a probability.
func (p post) two(s []float64, probability bool) {
	v := s[0]
	switch {
	case p == "PROBIT":
		s[0], s[1] = probit(v), 0
	case p == "LOGISTIC":
		s[0], s[1] = logistic(-v), logistic(v)
	case probability:
		s[0], s[1] = 1-v, v
	default:
		s[0], s[1] = -v, v
	}
}

func logistic(v float64) float64 { return 1 / (1 + math.Exp(-v)) }

func softmax(s []float64) {
	m := math.Inf(-1)
	for _, v := range s {
		m = max(m, v)
	}
	sum := 0.0
	for i, v := range s {
		s[i] = math.Exp(v - m)
		sum += s[i]
	}
	for i := range s {
		s[i] /= sum
	}
}

// softmaxZero is softmax in which scores of zero stay zero.
func softmaxZero(s []float64) {
	m := math.Inf(-1)
	for _, v := range s {
		m = max(m, v)
	}
	sum := 0.0
	for i, v := range s {
		if math.Abs(v) > 1e-7 {
			s[i] = math.Exp(v - m)
			sum += s[i]
		} else {
			s[i] = v * math.Exp(-m)
		}
	}
	if sum == 0 {
		return
	}
	for i := range s {
		s[i] /= sum
	}
}

// probit is the inverse of the normal distribution's function by Winitzki's approximation, with the constants that ONNX
// Runtime uses.
func probit(v float64) float64 {
	x := 2*v - 1
	sign := 1.0
	if x < 0 {
		sign = -1
	}
	l := math.Log((1 - x) * (1 + x))
	a := 2/(3.14159*0.147) + 0.5*l
	return 1.41421356 * sign * math.Sqrt(-a+math.Sqrt(a*a-l/0.147))
}
