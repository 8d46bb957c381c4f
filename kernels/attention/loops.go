package attention

// dots sets s[i*keyBlock+j] = scale · Σ_d q[i*qs+d]·k[j*ks+d] for i < rows, j < n, d < size.
func dots[T Float](s, q, k []T, qs, ks, rows, n, size int, scale T) {
	i := 0
	for ; i+2 <= rows; i += 2 {
		a, b := q[i*qs:i*qs+size], q[(i+1)*qs:(i+1)*qs+size]
		sa, sb := s[i*keyBlock:i*keyBlock+n], s[(i+1)*keyBlock:(i+1)*keyBlock+n]
		j := 0
		for ; j+4 <= n; j += 4 {
			a0, a1, a2, a3, b0, b1, b2, b3 := dot2x4(a, b, k[j*ks:], ks)
			sa[j], sa[j+1], sa[j+2], sa[j+3] = a0*scale, a1*scale, a2*scale, a3*scale
			sb[j], sb[j+1], sb[j+2], sb[j+3] = b0*scale, b1*scale, b2*scale, b3*scale
		}
		for ; j < n; j++ {
			r := k[j*ks : j*ks+size]
			sa[j], sb[j] = dot(a, r)*scale, dot(b, r)*scale
		}
	}
	for ; i < rows; i++ {
		a, sa := q[i*qs:i*qs+size], s[i*keyBlock:i*keyBlock+n]
		for j := range sa {
			sa[j] = dot(a, k[j*ks:j*ks+size]) * scale
		}
	}
}

// dot2x4 returns the products of a and b with four rows of k that are ks apart.
func dot2x4[T Float](a, b, k []T, ks int) (a0, a1, a2, a3, b0, b1, b2, b3 T) {
	n := len(a)
	b = b[:n]
	k0, k1, k2, k3 := k[:n], k[ks:][:n], k[2*ks:][:n], k[3*ks:][:n]
	for d, x := range a {
		y, c0, c1, c2, c3 := b[d], k0[d], k1[d], k2[d], k3[d]
		a0 += x * c0
		a1 += x * c1
		a2 += x * c2
		a3 += x * c3
		b0 += y * c0
		b1 += y * c1
		b2 += y * c2
		b3 += y * c3
	}
	return a0, a1, a2, a3, b0, b1, b2, b3
}

// dot adds in the order of dot2x4, so that a key's score does not depend on its place in the block.
func dot[T Float](a, b []T) (s T) {
	b = b[:len(a)]
	for d, x := range a {
		s += x * b[d]
	}
	return s
}

// weigh adds Σ_j p[i*keyBlock+j]·v[j*vs+d] to acc[i*size+d] for i < rows, j < n, d < size. Rows of v whose weight is 0 are
// left out, so that what they hold does not matter.
func weigh[T Float](acc, p, v []T, vs, rows, n, size int) {
	for i := range rows {
		y, w := acc[i*size:(i+1)*size], p[i*keyBlock:i*keyBlock+n]
		j := 0
		for ; j+4 <= n; j += 4 {
			p0, p1, p2, p3 := w[j], w[j+1], w[j+2], w[j+3]
			if p0 == 0 || p1 == 0 || p2 == 0 || p3 == 0 {
				for k := j; k < j+4; k++ {
					axpy(y, v[k*vs:], w[k])
				}
				continue
			}
			v0, v1, v2, v3 := v[j*vs:][:size], v[(j+1)*vs:][:size], v[(j+2)*vs:][:size], v[(j+3)*vs:][:size]
			for d := range y {
				y[d] += (p0*v0[d] + p1*v1[d]) + (p2*v2[d] + p3*v3[d])
			}
		}
		for ; j < n; j++ {
			axpy(y, v[j*vs:], w[j])
		}
	}
}

// axpy adds a·x to y, nothing if a is 0.
func axpy[T Float](y, x []T, a T) {
	if a == 0 {
		return
	}
	x = x[:len(y)]
	for d := range y {
		y[d] += a * x[d]
	}
}
