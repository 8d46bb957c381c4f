package attention

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

func random[T Float](r *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(r.NormFloat64())
	}
	return x
}

// naive is the definition, row by row, in float64.
func naive[T Float](a *Args[T]) (y, scores []float64) {
	for b := range a.Batch {
		for h := range a.Heads {
			for i := range a.QLen {
				lo, hi := a.keys(b, i)
				raw, s := make([]float64, a.KVLen), make([]float64, a.KVLen)
				m := math.Inf(-1)
				if a.Sink != nil {
					m = float64(a.Sink[h])
				}
				for j := range a.KVLen {
					kvh := h / (a.Heads / a.KVHeads)
					q, k := a.Q.row(b, h, i, a.HeadSize), a.K.row(b, kvh, j, a.HeadSize)
					for d, v := range q {
						raw[j] += float64(v) * float64(k[d])
					}
					raw[j] *= float64(a.Scale)
					s[j] = raw[j]
					if c := float64(a.Softcap); c > 0 {
						s[j] = c * math.Tanh(s[j]/c)
					}
					if a.Stage == Capped {
						raw[j] = s[j]
					}
					at := func(st, hd, rw, col int) int { return b*st + h*hd + i*rw + j*col }
					if j < lo || j >= hi {
						s[j] = math.Inf(-1)
					} else {
						if x := a.Bias; x.Data != nil {
							s[j] += float64(x.Data[at(x.Batch, x.Head, x.Row, x.Col)])
						}
						if x := a.Mask; x.Data != nil && !x.Data[at(x.Batch, x.Head, x.Row, x.Col)] {
							s[j] = math.Inf(-1)
						}
					}
					m = max(m, s[j])
				}
				sum, p := 0.0, make([]float64, a.KVLen)
				if a.Sink != nil {
					sum = math.Exp(float64(a.Sink[h]) - m)
				}
				for j := range p {
					if p[j] = math.Exp(s[j] - m); math.IsInf(m, -1) {
						p[j] = 0
					}
					sum += p[j]
				}
				for j := range p {
					p[j] /= max(sum, 1e-300)
				}
				out := make([]float64, a.VSize)
				for j, w := range p {
					for d, v := range a.V.row(b, h/(a.Heads/a.KVHeads), j, a.VSize) {
						out[d] += w * float64(v)
					}
				}
				y = append(y, out...)
				scores = append(scores, map[Stage][]float64{Raw: raw, Capped: raw, Biased: s, Probabilities: p}[a.Stage]...)
			}
		}
	}
	return y, scores
}

func near[T Float](t *testing.T, what string, got []T, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	for i, w := range want {
		if g := float64(got[i]); g != w && !(math.Abs(g-w) <= tol*(1+math.Abs(w))) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, g, w)
		}
	}
}

func testArgs[T Float](r *rand.Rand, q, kv int) *Args[T] {
	a := &Args[T]{Batch: 2, Heads: 4, KVHeads: 2, QLen: q, KVLen: kv, HeadSize: 9, VSize: 6, Scale: 0.4}
	a.Q = Packed(random[T](r, 2*4*q*9), 4, q, 9)
	a.K = Contiguous(random[T](r, 2*2*kv*9), 2, kv, 9)
	a.V = Packed(random[T](r, 2*2*kv*6), 2, kv, 6)
	a.Y = Contiguous(make([]T, 2*4*q*6), 4, q, 6)
	return a
}

func run[T Float](t *testing.T, a *Args[T], tol float64) {
	t.Helper()
	for st := Raw; st <= Probabilities; st++ {
		a.Stage, a.Scores = st, make([]T, a.Batch*a.Heads*a.QLen*a.KVLen)
		y, s := naive(a)
		Run(parallel.NewPool(3), a)
		near(t, "Y", a.Y.Data, y, tol)
		near(t, fmt.Sprint("scores at stage ", st), a.Scores, s, tol)
		a.Scores = nil
		Run(parallel.NewPool(2), a)
		near(t, "Y without scores", a.Y.Data, y, tol)
		one := slices.Clone(a.Y.Data)
		Run(parallel.NewPool(1), a)
		if !slices.Equal(one, a.Y.Data) {
			t.Fatal("the result depends on the number of threads")
		}
	}
}

func variants[T Float](t *testing.T, tol float64) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, sz := range [][2]int{{1, 1}, {1, 7}, {3, 130}, {33, 5}, {70, 300}, {2, 0}} {
		q, kv := sz[0], sz[1]
		for name, set := range map[string]func(*Args[T]){
			"plain":    func(*Args[T]) {},
			"causal":   func(a *Args[T]) { a.Causal = true },
			"offset":   func(a *Args[T]) { a.Causal, a.Offset = true, []int{kv - q, -1} },
			"window":   func(a *Args[T]) { a.Windowed, a.Left, a.Right = true, 2, 1 },
			"left":     func(a *Args[T]) { a.Causal, a.Windowed, a.Left, a.Right = true, true, 140, -1 },
			"lengths":  func(a *Args[T]) { a.KVLens = []int{kv / 2, kv + 3} },
			"softcap":  func(a *Args[T]) { a.Softcap = 1.5 },
			"sink":     func(a *Args[T]) { a.Sink, a.Causal, a.Offset = random[T](r, 4), true, []int{-1, 0} },
			"bias":     func(a *Args[T]) { a.Bias = Broadcast[T]{random[T](r, 4*q*kv), 0, q * kv, kv, 1} },
			"col bias": func(a *Args[T]) { a.Bias = Broadcast[T]{random[T](r, 2*q), q, 0, 1, 0} },
			"mask": func(a *Args[T]) {
				m := make([]bool, q*kv)
				for i := range m {
					m[i] = r.IntN(3) == 0
				}
				a.Mask = Broadcast[bool]{m, 0, 0, kv, 1}
			},
			"inf bias": func(a *Args[T]) {
				m := make([]T, 2*kv)
				for i := range m {
					if m[i] = T(math.Inf(-1)); i%3 == 0 && i < kv {
						m[i] = 0
					}
				}
				a.Bias = Broadcast[T]{m, kv, 0, 0, 1}
			},
		} {
			if kv == 0 && (name == "bias" || name == "mask") {
				continue
			}
			t.Run(fmt.Sprintf("%d×%d/%s", q, kv, name), func(t *testing.T) {
				a := testArgs[T](r, q, kv)
				set(a)
				run(t, a, tol)
			})
		}
	}
}

func TestFloat32(t *testing.T) { variants[float32](t, 2e-5) }

func TestFloat64(t *testing.T) { variants[float64](t, 1e-12) }

// A masked key never matters, whatever its key and value are.
func TestMaskedNaN(t *testing.T) {
	nan := float32(math.NaN())
	a := &Args[float32]{
		Batch: 1, Heads: 1, KVHeads: 1, QLen: 1, KVLen: 3, HeadSize: 1, VSize: 1, Scale: 1,
		Q: Contiguous([]float32{1}, 1, 1, 1), K: Contiguous([]float32{0, nan, float32(math.Inf(1))}, 1, 3, 1),
		V: Contiguous([]float32{5, nan, nan}, 1, 3, 1), Y: Contiguous(make([]float32, 1), 1, 1, 1),
		Bias: Broadcast[float32]{[]float32{0, float32(math.Inf(-1)), float32(math.Inf(-1))}, 0, 0, 0, 1},
	}
	Run(nil, a)
	if a.Y.Data[0] != 5 {
		t.Errorf("got %v, want 5", a.Y.Data)
	}
	a.Bias, a.Mask = Broadcast[float32]{}, Broadcast[bool]{[]bool{true, false, false}, 0, 0, 0, 1}
	Run(nil, a)
	if a.Y.Data[0] != 5 {
		t.Errorf("got %v, want 5", a.Y.Data)
	}
	a.Mask = Broadcast[bool]{}
	Run(nil, a)
	if v := a.Y.Data[0]; v == v {
		t.Errorf("got %v, want NaN", v)
	}
}

func BenchmarkAttention(b *testing.B) {
	for _, c := range [][4]int{{12, 128, 128, 64}, {12, 1, 1024, 64}, {8, 512, 512, 64}} {
		h, q, kv, d := c[0], c[1], c[2], c[3]
		b.Run(fmt.Sprintf("heads%d/%d×%d×%d", h, q, kv, d), func(b *testing.B) {
			r := rand.New(rand.NewPCG(3, 4))
			a := &Args[float32]{Batch: 1, Heads: h, KVHeads: h, QLen: q, KVLen: kv, HeadSize: d, VSize: d, Scale: 0.125}
			a.Q, a.Y = Contiguous(random[float32](r, h*q*d), h, q, d), Contiguous(make([]float32, h*q*d), h, q, d)
			a.K, a.V = Contiguous(random[float32](r, h*kv*d), h, kv, d), Contiguous(random[float32](r, h*kv*d), h, kv, d)
			p := parallel.NewPool(1)
			for b.Loop() {
				Run(p, a)
			}
			b.ReportMetric(4*float64(h*q*kv*d)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
