package gemm

// tileDirect multiplies a few rows with B as it lies in memory: a sum of B's rows if they are contiguous, dot products
// with its columns if those are.
func (g *Args[T]) tileDirect(w *work[T], i0, m, j0, n int) {
	if g.B.Row == 1 && (g.B.Col != 1 || g.K > 1) {
		g.dots(w, i0, m, j0, n)
		return
	}
	const blockN = 1024 // columns whose part of C stays in the first-level cache
	for j := j0; j < j0+n; j += blockN {
		nc := min(blockN, j0+n-j)
		if !g.Acc {
			for i := i0; i < i0+m; i++ {
				clear(g.C[i*g.LDC+j:][:nc])
			}
		}
		p := g.axpyAll(w, i0, m, j, nc)
		for ; p+4 <= g.K; p += 4 {
			b0, b1 := g.B.Data[p*g.B.Row+j:][:nc], g.B.Data[(p+1)*g.B.Row+j:][:nc]
			b2, b3 := g.B.Data[(p+2)*g.B.Row+j:][:nc], g.B.Data[(p+3)*g.B.Row+j:][:nc]
			for i := i0; i < i0+m; i++ {
				a, s := g.A.Data[i*g.A.Row+p*g.A.Col:], g.A.Col
				axpy4(g.C[i*g.LDC+j:][:nc], b0, b1, b2, b3, a[0], a[s], a[2*s], a[3*s])
			}
		}
		for ; p < g.K; p++ {
			b := g.B.Data[p*g.B.Row+j:][:nc]
			for i := i0; i < i0+m; i++ {
				a, c := g.A.Data[i*g.A.Row+p*g.A.Col], g.C[i*g.LDC+j:][:nc]
				for t, v := range b {
					c[t] += a * v
				}
			}
		}
	}
}

// axpyAll adds as many rows of B, times their factors in A, as there is code for, and returns their number.
func (g *Args[T]) axpyAll(w *work[T], i0, m, j, nc int) int {
	done := 0
	for i := i0; i < i0+m; i++ {
		for done = 0; done < g.K; {
			kc := min(len(w.a)&^7, g.K-done)
			n := axpyRows(g.C[i*g.LDC+j:][:nc], g.row(w, i, done, kc), g.B.Data[done*g.B.Row+j:], g.B.Row)
			if done += n; n < kc {
				break
			}
		}
	}
	return done
}

// row returns kc elements of row i of A from k0 on, copied if they are not contiguous.
func (g *Args[T]) row(w *work[T], i, k0, kc int) []T {
	a := g.A.Data[i*g.A.Row+k0*g.A.Col:]
	if g.A.Col == 1 {
		return a[:kc]
	}
	for p := range kc {
		w.a[p] = a[p*g.A.Col]
	}
	return w.a[:kc]
}

// axpy4 is c += a0·b0 + a1·b1 + a2·b2 + a3·b3.
func axpy4[T Number](c, b0, b1, b2, b3 []T, a0, a1, a2, a3 T) {
	n := len(c)
	b0, b1, b2, b3 = b0[:n], b1[:n], b2[:n], b3[:n]
	for i := range c {
		c[i] += (a0*b0[i] + a1*b1[i]) + (a2*b2[i] + a3*b3[i])
	}
}

// dots computes rows of C as dot products of contiguous vectors.
func (g *Args[T]) dots(w *work[T], i0, m, j0, n int) {
	for i := i0; i < i0+m; i++ {
		c := g.C[i*g.LDC+j0:][:n]
		if !g.Acc {
			clear(c)
		}
		for k0 := 0; k0 < g.K; k0 += len(w.a) {
			kc := min(len(w.a), g.K-k0)
			a := g.row(w, i, k0, kc)
			if dotColumns(c, a, g.B.Data[j0*g.B.Col+k0:], g.B.Col) {
				continue
			}
			for j := range c {
				c[j] += dot(a, g.B.Data[(j0+j)*g.B.Col+k0:][:kc])
			}
		}
	}
}

// dot is the sum of x[i]·y[i], in four interleaved parts.
func dot[T Number](x, y []T) T {
	var s0, s1, s2, s3 T
	y = y[:len(x)]
	for len(x) >= 4 && len(y) >= 4 {
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
		x, y = x[4:], y[4:]
	}
	for i, v := range x {
		s0 += v * y[i]
	}
	return (s0 + s1) + (s2 + s3)
}

// tileRows multiplies a few rows with a packed B.
func (g *Args[T]) tileRows(w *work[T], i0, m, j0, n int) {
	kern := kernelOf[T]()
	for j := 0; j < n; j += kern.nr {
		nr := min(kern.nr, n-j)
		for i := i0; i < i0+m; i++ {
			a, c := g.A.Data[i*g.A.Row:][:g.K], g.C[i*g.LDC+j0+j:]
			b := g.PackedB.block(j0+j, 0, g.K)
			if nr == kern.nr {
				kern.row(c[:nr], a, b, g.Acc)
				continue
			}
			kern.row(w.c[:kern.nr], a, b, false)
			addRow(c[:nr], w.c[:nr], g.Acc)
		}
	}
}
