package gemm

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/kerneltest"
	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

func randomBytes(r *rand.Rand, n int) []uint8 {
	s := make([]uint8, n)
	for i := range s {
		switch v := r.Uint32(); v >> 30 {
		case 0: // the ends of both ranges
			s[i] = []uint8{0, 127, 128, 255}[v&3]
		default:
			s[i] = uint8(v)
		}
	}
	return s
}

// randomZeros returns no zero point, one, or n.
func randomZeros(r *rand.Rand, kind, n int, signed bool) []int32 {
	z := make([]int32, []int{0, 1, n}[kind])
	for i := range z {
		z[i] = int32(r.IntN(256))
		if signed {
			z[i] -= 128
		}
	}
	return z
}

// number is element (i, j) of an operand, with zero point z.
func (o *Int8Operand) number(i, j, z int) int32 {
	v := o.Data[i*o.Row+j*o.Col]
	if o.Signed {
		return int32(int8(v)) - o.zero(z)
	}
	return int32(v) - o.zero(z)
}

// want is the product by the naive loop.
func (g *Int8Args) want() []int32 {
	return reference(g.M, g.N, g.K, func(i, p int) int32 { return g.A.number(i, p, i) }, func(p, j int) int32 { return g.B.number(p, j, j) })
}

var int8Sizes = append([][3]int{
	{1, 48, 4}, {2, 47, 5}, {3, 49, 6}, {4, 95, 7}, {5, 16, 8}, {6, 17, 9}, {7, 31, 33}, {8, 32, 64}, {9, 33, 1024}, {130, 20, 12}, {1, 300, 2049}, {257, 50, 31}, {16, 97, 4099},
}, sizes...)

// eachInt8 calls f with products of every size and combination of signs, strides and zero points. Operands end where
// their last element does.
func eachInt8(f func(g *Int8Args, variant int)) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, s := range int8Sizes {
		m, n, k := s[0], s[1], s[2]
		for v := range 12 {
			if m*n*k > 1<<18 && v%7 != 0 {
				continue
			}
			a := Int8Operand{randomBytes(r, m*k), v&1 != 0, k, 1, randomZeros(r, v%3, m, v&1 != 0)}
			b := Int8Operand{randomBytes(r, n*k), v&2 != 0, n, 1, randomZeros(r, (v+v/3)%3, n, v&2 != 0)}
			if v&4 != 0 {
				b.Row, b.Col = 1, k
			}
			if v&8 != 0 {
				a.Row, a.Col = 1, m
			}
			f(&Int8Args{M: m, N: n, K: k, LDC: n, A: a, B: b}, v)
		}
	}
}

func TestInt8(t *testing.T) {
	kerneltest.EachLevel(t, func(t *testing.T) {
		eachInt8(func(g *Int8Args, v int) {
			want := g.want()
			check := func(name string) {
				t.Helper()
				g.C = make([]int32, g.M*g.N)
				MulInt8(nil, g)
				if !slices.Equal(g.C, want) {
					t.Fatalf("%s: %d×%d×%d variant %d differs", name, g.M, g.N, g.K, v)
				}
			}
			check("plain")
			a, b := g.A, g.B
			g.BlockB = func(dst []uint8, ld, k0, kc, j0, nc int) {
				for p := range kc {
					for j := range nc {
						dst[p*ld+j] = b.Data[(k0+p)*b.Row+(j0+j)*b.Col]
					}
				}
			}
			check("made up")
			g.BlockB = nil
			g.PackedA, g.A.Data = PackInt8Rows(a, g.M, g.K), nil
			check("packed rows")
			g.PackedA, g.A = nil, a
			g.PackedB, g.B.Data = PackInt8(b, g.K, g.N), nil
			check("packed")
		})
	})
}

// guarded returns n elements between others that nobody may change, and a function that says whether they were.
func guarded[T comparable](n int, mark T) ([]T, func() bool) {
	all := slices.Repeat([]T{mark}, n+64)
	return all[32 : 32+n : 32+n], func() bool {
		changed := func(v T) bool { return v != mark }
		return slices.ContainsFunc(all[:32], changed) || slices.ContainsFunc(all[32+n:], changed)
	}
}

func TestInt8Outputs(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	kerneltest.EachLevel(t, func(t *testing.T) {
		eachInt8(func(g *Int8Args, v int) {
			if g.N == 0 {
				return
			}
			sums := g.want()
			g.Scale = make([]float32, []int{1, g.N}[v&1])
			for i := range g.Scale {
				g.Scale[i] = (r.Float32() + 0.1) / float32(100*(g.K+1))
			}
			if v&2 != 0 {
				g.Bias = make([]float32, g.N)
				for i := range g.Bias {
					g.Bias[i] = r.Float32() - 0.5
				}
			}
			f, spoilt := guarded[float32](g.M*g.N, 12345)
			g.F = f
			MulInt8(nil, g)
			q, spoiltQ := guarded[uint8](g.M*g.N, 77)
			g.F, g.Q, g.QSigned, g.QZero = nil, q, v&4 != 0, int32(v*9)
			MulInt8(nil, g)
			if spoilt() || spoiltQ() {
				t.Fatalf("%d×%d×%d wrote outside", g.M, g.N, g.K)
			}
			lo, hi := 0.0, 255.0
			if g.QSigned {
				lo, hi = -128, 127
			}
			for i, s := range sums {
				want := float32(s) * g.Scale[i%g.N%len(g.Scale)]
				wantQ := uint8(int(min(max(math.RoundToEven(float64(want))+float64(g.QZero), lo), hi)))
				if g.Bias != nil {
					want += g.Bias[i%g.N]
				}
				if f[i] != want || q[i] != wantQ {
					t.Fatalf("%d×%d×%d variant %d: element %d is %v and %d, want %v and %d", g.M, g.N, g.K, v, i, f[i], q[i], want, wantQ)
				}
			}
		})
	})
}

func TestInt8Extremes(t *testing.T) {
	m, n, k := 9, 50, 1000
	for _, c := range []struct {
		a, b             uint8
		signedA, signedB bool
		za, zb           int32
		want             int32
	}{
		{0x80, 255, true, false, 127, 0, -255 * 255},
		{255, 0x80, false, true, 0, 0, -255 * 128},
		{255, 0x7f, false, true, 0, -128, 255 * 255},
		{0x80, 0x80, true, true, 127, 127, 255 * 255},
		{0, 0, false, false, 255, 255, 255 * 255},
	} {
		kerneltest.EachLevel(t, func(t *testing.T) {
			g := &Int8Args{M: m, N: n, K: k, C: make([]int32, m*n), LDC: n,
				A: Int8Operand{slices.Repeat([]uint8{c.a}, m*k), c.signedA, k, 1, []int32{c.za}}, B: Int8Operand{slices.Repeat([]uint8{c.b}, n*k), c.signedB, n, 1, []int32{c.zb}}}
			MulInt8(nil, g)
			if !slices.Equal(g.C, slices.Repeat([]int32{c.want * int32(k)}, m*n)) {
				t.Errorf("%+v: got %d", c, g.C[0])
			}
		})
	}
}

func TestInt8Batch(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, s := range [][3]int{{1, 9, 4}, {40, 50, 60}, {9, 1, 5}, {150, 7, 300}} {
		m, n, k, count := s[0], s[1], s[2], 7
		a, b, c := randomBytes(r, count*m*k), randomBytes(r, count*k*n), make([]int32, count*m*n)
		g := &Int8Args{M: m, N: n, K: k, LDC: n, A: Int8Operand{Row: k, Col: 1}, B: Int8Operand{Signed: true, Row: n, Col: 1}}
		BatchInt8(parallel.NewPool(2), count, g, func(i int, g *Int8Args) {
			g.A.Data, g.B.Data, g.C = a[i*m*k:], b[i*k*n:], c[i*m*n:]
			g.A.Zero = []int32{int32(i)}
		})
		for i := range count {
			g.A.Data, g.B.Data, g.A.Zero = a[i*m*k:], b[i*k*n:], []int32{int32(i)}
			if !slices.Equal(c[i*m*n:(i+1)*m*n], g.want()) {
				t.Errorf("%v: product %d differs", s, i)
			}
		}
	}
}

func BenchmarkInt8(b *testing.B) {
	for _, s := range []struct {
		name    string
		m, n, k int
	}{{"128x768x768", 128, 768, 768}, {"128x3072x768", 128, 3072, 768}, {"128x768x3072", 128, 768, 3072}, {"1x3072x768", 1, 3072, 768}, {"1x50257x768", 1, 50257, 768}} {
		b.Run(s.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2)) // weights as they are after training: of normal distribution
			weights := make([]uint8, s.n*s.k)
			for i := range weights {
				weights[i] = uint8(int(min(max(r.NormFloat64()*27, -127), 127)))
			}
			packed := PackInt8(Int8Operand{Data: weights, Signed: true, Row: s.n, Col: 1}, s.k, s.n)
			g := &Int8Args{M: s.m, N: s.n, K: s.k, LDC: s.n, F: make([]float32, s.m*s.n), Scale: []float32{1}, A: Int8Operand{Data: make([]uint8, s.m*s.k), Row: s.k, Col: 1, Zero: []int32{7}},
				B: Int8Operand{Signed: true}, PackedB: packed}
			b.SetBytes(int64(s.n * s.k))
			for b.Loop() {
				MulInt8(parallel.NewPool(1), g)
			}
			b.ReportMetric(2*float64(s.m)*float64(s.n)*float64(s.k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GOP/s")
		})
	}
}

// TestInt8Excess multiplies weights of which few pairs are too large for sums of 16 bits.
func TestInt8Excess(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	kerneltest.EachLevel(t, func(t *testing.T) {
		for _, s := range [][3]int{{1, 100, 500}, {9, 33, 257}, {130, 16, 301}, {4, 64, 64}} {
			m, n, k := s[0], s[1], s[2]
			for _, signed := range []bool{true, false} {
				b := make([]uint8, n*k)
				for i := range b {
					v := r.IntN(129) - 64
					if r.IntN(1000) == 0 {
						v = []int{-128, 127, 100, -99}[r.IntN(4)]
					}
					if b[i] = uint8(v); !signed {
						b[i] ^= 0x80
					}
				}
				g := &Int8Args{M: m, N: n, K: k, LDC: n, C: make([]int32, m*n), A: Int8Operand{slices.Repeat([]uint8{255, 254}, m*k)[:m*k], false, k, 1, []int32{9}}, B: Int8Operand{b, signed, n, 1, nil}}
				want := g.want()
				g.PackedB = PackInt8(g.B, k, n)
				if p := g.PackedB; p.kern.pairs != nil && !slices.Contains(p.light, true) {
					t.Error("no panel fits the kernel for pairs")
				}
				MulInt8(nil, g)
				if !slices.Equal(g.C, want) {
					t.Fatalf("%v signed %t differs", s, signed)
				}
			}
		}
	})
}
