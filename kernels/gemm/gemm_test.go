package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
)

// The sizes are below, at and above those of tiles and blocks.
var sizes = [][3]int{
	{1, 1, 1}, {1, 7, 5}, {2, 1, 300}, {3, 5, 2}, {4, 4, 4}, {5, 9, 17}, {1, 1030, 9}, {1, 37, 600}, {3, 130, 258},
	{8, 16, 256}, {9, 17, 257}, {193, 3, 11}, {200, 261, 30}, {17, 300, 530}, {300, 1, 70}, {1, 18, 24}, {1, 6, 23}, {1, 3, 8}, {1, 23, 31}, {64, 96, 40}, {512, 48, 512}, {5, 6, 0}, {0, 4, 4}, {4, 0, 4},
}

func random[T Number](r *rand.Rand, n int) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = T(r.IntN(9)) - T(r.IntN(5))
	}
	return s
}

// reference is the naive product; at reads an operand.
func reference[T Number](m, n, k int, a, b func(i, j int) T) []T {
	c := make([]T, m*n)
	for i := range m {
		for j := range n {
			for p := range k {
				c[i*n+j] += a(i, p) * b(p, j)
			}
		}
	}
	return c
}

func (o Operand[T]) at(i, j int) T { return o.Data[i*o.Row+j*o.Col] }

// extent is the number of elements up to the last one of a matrix, so that a read behind it is found out.
func extent(rows, cols, ld int, trans bool) int {
	if trans {
		rows, cols = cols, rows
	}
	return max(0, (rows-1)*ld+cols)
}

// testMul uses small integers, whose sums are exact in every element type and order.
func testMul[T Number](t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range sizes {
		m, n, k := s[0], s[1], s[2]
		for variant := range 8 {
			ta, tb, packed := variant&1 != 0, variant&2 != 0, variant&4 != 0
			lda, ldb, ldc := k+2, n+3, n+1
			if ta {
				lda = m + 2
			}
			if tb {
				ldb = k + 3
			}
			a, b := RowMajor(random[T](r, extent(m, k, lda, ta)), lda, ta), RowMajor(random[T](r, extent(k, n, ldb, tb)), ldb, tb)
			want := reference(m, n, k, a.at, b.at)
			c := random[T](r, m*ldc)
			before := slices.Clone(c)
			g := &Args[T]{M: m, N: n, K: k, C: c, LDC: ldc, A: a, B: b}
			if packed {
				g.PackedB = PackB(b, k, n)
				if ta {
					g.PackedA = PackA(a, m, k)
				}
			}
			name := fmt.Sprintf("%T %dx%dx%d variant %d", a.Data, m, n, k, variant)
			Mul(parallel.NewPool(2), g)
			check(t, name, c, ldc, want, m, n, before, nil)
			g.Acc = true
			once := slices.Clone(c)
			Mul(parallel.NewPool(1), g)
			check(t, name+" acc", c, ldc, want, m, n, before, once)
		}
	}
}

func check[T Number](t *testing.T, name string, c []T, ldc int, want []T, m, n int, before, acc []T) {
	t.Helper()
	for i := range m {
		for j := range ldc {
			w := before[i*ldc+j]
			if j < n {
				w = want[i*n+j]
				if acc != nil {
					w += acc[i*ldc+j]
				}
			}
			if c[i*ldc+j] != w {
				t.Fatalf("%s: element (%d, %d) is %v, want %v", name, i, j, c[i*ldc+j], w)
			}
		}
	}
}

// eachKernel runs f with every float32 kernel that this machine has.
func eachKernel(t *testing.T, f func(t *testing.T)) {
	best := float32Kernel
	defer func() { float32Kernel = best }()
	for _, k := range float32Kernels() {
		float32Kernel = k
		t.Run(k.name, f)
	}
}

func TestMul(t *testing.T) {
	eachKernel(t, testMul[float32])
	testMul[float64](t)
	testMul[int32](t)
	testMul[uint8](t)
	testMul[int64](t)
}

func TestEpilogue(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, s := range [][3]int{{1, 9, 4}, {6, 9, 4}, {9, 1, 4}, {2, 3, 0}} {
		m, n, k := s[0], s[1], s[2]
		a, b := RowMajor(random[float32](r, m*k), k, false), RowMajor(random[float32](r, k*n), n, false)
		for name, bias := range map[string]Operand[float32]{
			"scalar": {random[float32](r, 1), 0, 0}, "row": {random[float32](r, n), 0, 1},
			"column": {random[float32](r, m), 1, 0}, "full": {random[float32](r, m*n), n, 1}, "transposed": {random[float32](r, m*n), 1, m},
		} {
			c := make([]float32, m*n)
			Mul(nil, &Args[float32]{M: m, N: n, K: k, C: c, LDC: n, A: a, B: b, Alpha: 2, Beta: -3, Bias: bias, Act: func(x []float32) {
				for i := range x {
					x[i] = max(x[i], 0)
				}
			}})
			want := reference(m, n, k, a.at, b.at)
			for i := range want {
				want[i] = max(2*want[i]-3*bias.at(i/n, i%n), 0)
			}
			if !slices.Equal(c, want) {
				t.Errorf("%s %v: got %v, want %v", name, s, c, want)
			}
		}
	}
}

func TestBatch(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, s := range [][3]int{{1, 9, 4}, {40, 50, 60}, {9, 1, 4}, {70, 1, 300}} {
		m, n, k, count := s[0], s[1], s[2], 7
		a, b, c := random[float32](r, count*m*k), random[float32](r, count*k*n), make([]float32, count*m*n)
		g := &Args[float32]{M: m, N: n, K: k, LDC: n, A: RowMajor[float32](nil, k, false), B: RowMajor[float32](nil, n, false)}
		Batch(parallel.NewPool(2), count, g, func(i int, g *Args[float32]) {
			g.A.Data, g.B.Data, g.C = a[i*m*k:], b[i*k*n:], c[i*m*n:]
		})
		for i := range count {
			want := reference(m, n, k, RowMajor(a[i*m*k:], k, false).at, RowMajor(b[i*k*n:], n, false).at)
			if !slices.Equal(c[i*m*n:(i+1)*m*n], want) {
				t.Errorf("%v: product %d differs", s, i)
			}
		}
	}
}

func TestNaNAndThreads(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	m, n, k := 70, 90, 600
	a, b := make([]float32, m*k), make([]float32, k*n)
	for i := range a {
		a[i] = r.Float32() - 0.5
	}
	for i := range b {
		b[i] = r.Float32() - 0.5
	}
	b[5*n+7] = float32(math.NaN())
	a[2*k+5] = 0
	var first []float32
	for _, threads := range []int{1, 2, 3, 8} {
		c := make([]float32, m*n)
		Mul(parallel.NewPool(threads), &Args[float32]{M: m, N: n, K: k, C: c, LDC: n, A: RowMajor(a, k, false), B: RowMajor(b, n, false)})
		if !math.IsNaN(float64(c[2*n+7])) || math.IsNaN(float64(c[2*n+8])) {
			t.Error("NaN is lost or spread")
		}
		for i := range first {
			if math.Float32bits(first[i]) != math.Float32bits(c[i]) {
				t.Fatalf("%d threads: element %d differs", threads, i)
			}
		}
		first = c
	}
}

// A row's result must not depend on how its columns are cut into tiles.
func TestRowThreads(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	n, k := 4099, 531
	a, b := make([]float32, k), make([]float32, k*n)
	for i := range a {
		a[i] = r.Float32() - 0.5
	}
	for i := range b {
		b[i] = r.Float32() - 0.5
	}
	for _, trans := range []bool{false, true} {
		ld := n
		if trans {
			ld = k
		}
		var first []float32
		for _, threads := range []int{1, 2, 3, 8} {
			c := make([]float32, n)
			Mul(parallel.NewPool(threads), &Args[float32]{M: 1, N: n, K: k, C: c, LDC: n, A: RowMajor(a, k, false), B: RowMajor(b, ld, trans)})
			if first == nil {
				first = c
			}
			if !slices.Equal(first, c) {
				t.Errorf("trans %t: %d threads differ", trans, threads)
			}
		}
		at := RowMajor(b, ld, trans)
		for j := range 10 {
			want := 0.0
			for p := range k {
				want += float64(a[p]) * float64(at.at(p, j))
			}
			if math.Abs(want-float64(first[j])) > 1e-4 {
				t.Errorf("trans %t: element %d is %v, want %v", trans, j, first[j], want)
			}
		}
	}
}

func BenchmarkMul(b *testing.B) {
	for _, s := range [][3]int{{512, 512, 512}, {64, 3136, 576}, {128, 768, 768}, {4, 768, 768}, {1, 4096, 1024}, {1, 4096, -1024}, {4096, 1, 1024}} {
		m, n, k, trans := s[0], s[1], s[2], s[2] < 0
		if trans {
			k = -k
		}
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%dx%dx%d-t%d", m, n, s[2], threads), func(b *testing.B) {
				r := rand.New(rand.NewPCG(1, 2))
				bm := RowMajor(random[float32](r, n*k), n, false)
				if trans {
					bm = RowMajor(bm.Data, k, true)
				}
				g := &Args[float32]{M: m, N: n, K: k, C: make([]float32, m*n), LDC: n, A: RowMajor(random[float32](r, m*k), k, false), B: bm}
				pool := parallel.NewPool(threads)
				for b.Loop() {
					Mul(pool, g)
				}
				b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
