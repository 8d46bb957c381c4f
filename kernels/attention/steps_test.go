package attention

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/kerneltest"
	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// plain is the formula of Plain with Steps, operator by operator.
func plain(a *Args[float32]) (y []float64) {
	for b := range a.Batch {
		for h := range a.Heads {
			kvh := h / (a.Heads / a.KVHeads)
			for i := range a.QLen {
				s, m := make([]float64, a.KVLen), math.Inf(-1)
				for j := range s {
					for d, v := range a.Q.row(b, h, i, a.HeadSize) {
						s[j] += float64(v) * float64(a.K.row(b, kvh, j, a.HeadSize)[d])
					}
					s[j] *= float64(a.Scale)
					for _, st := range a.Steps {
						at := func(x Broadcast[float32]) int { return b*x.Batch + h*x.Head + i*x.Row + j*x.Col }
						switch {
						case st.Bias.Data != nil:
							s[j] += float64(st.Bias.Data[at(st.Bias)])
						case st.Mask.Data != nil:
							if st.Mask.Data[b*st.Mask.Batch+h*st.Mask.Head+i*st.Mask.Row+j*st.Mask.Col] == st.Where {
								s[j] = float64(st.Fill)
							}
						default:
							s[j] = max(s[j], float64(st.Fill))
						}
					}
					m = max(m, s[j])
				}
				sum := 0.0
				for j, v := range s {
					s[j] = math.Exp(v - m)
					sum += s[j]
				}
				out := make([]float64, a.VSize)
				for j, p := range s {
					for d, v := range a.V.row(b, kvh, j, a.VSize) {
						out[d] += p / sum * float64(v)
					}
				}
				y = append(y, out...)
			}
		}
	}
	return y
}

func TestSteps(t *testing.T) {
	kerneltest.EachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, sz := range [][2]int{{1, 1}, {1, 129}, {3, 130}, {5, 7}, {130, 260}} {
			q, kv := sz[0], sz[1]
			mask := make([]bool, q*kv)
			for i := range mask {
				mask[i] = i%kv <= i/kv+kv-q || r.IntN(9) == 0
			}
			bias := random[float32](r, 4*q*kv)
			causal := Step[float32]{Mask: Broadcast[bool]{mask, 0, 0, kv, 1}, Fill: -1e30}
			for name, steps := range map[string][]Step[float32]{
				"none":   nil,
				"keep":   {causal},
				"drop":   {{Mask: Broadcast[bool]{mask, 0, 0, kv, 1}, Where: true, Fill: -50}},
				"column": {{Mask: Broadcast[bool]{mask[:q], 0, 0, 1, 0}, Fill: float32(math.Inf(-1))}},
				"both":   {causal, {Bias: Broadcast[float32]{bias, 0, q * kv, kv, 1}}},
				"single": {{Bias: Broadcast[float32]{bias, 0, 1, 0, 0}}, {Fill: -0.5}},
			} {
				t.Run(fmt.Sprintf("%d×%d/%s", q, kv, name), func(t *testing.T) {
					a := testArgs[float32](r, q, kv)
					a.Plain, a.Steps = true, steps
					Run(parallel.NewPool(3), a)
					got := slices.Clone(a.Y.Data)
					for i, w := range plain(a) {
						g := float64(got[i])
						if math.IsNaN(g) != math.IsNaN(w) || !math.IsNaN(w) && math.Abs(g-w) > 2e-5*(1+math.Abs(w)) {
							t.Fatalf("element %d is %v, want %v", i, g, w)
						}
					}
					Run(parallel.NewPool(1), a)
					for i, v := range a.Y.Data {
						if math.Float32bits(v) != math.Float32bits(got[i]) {
							t.Fatal("the result depends on the number of threads")
						}
					}
				})
			}
		}
	})
}
