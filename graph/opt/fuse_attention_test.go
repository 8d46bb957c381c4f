package opt_test

import (
	"strings"
	"testing"
)

// heads splits x (batch, 5, 6) into two heads: y is (batch, 2, 5, 3), or what perm makes of it.
func heads(x, y, perm string) string {
	return strings.NewReplacer("X", x, "Y", y, "P", perm).Replace(`
		Y4 = Reshape (X, split)
		Y = Transpose <perm = [P]> (Y4)`)
}

const (
	attentionStart = `g (float[batch,5,6] xq, float[batch,5,6] xk, float[batch,5,6] xv, float[batch,1,1,5] m, int64[5,5] c) => (float[batch,5,6] y) {
		split = Constant <value = int64[4] {0, 0, 2, 3}> ()
		join = Constant <value = int64[3] {0, 0, 6}> ()
		two = Constant <value = float {2.0}> ()
		low = Constant <value = float {-10000.0}> ()`
	attentionEnd = `
		o = MatMul (p, v)
		t = Transpose <perm = [0, 2, 1, 3]> (o)
		y = Reshape (t, join) }`
)

func TestAttention(t *testing.T) {
	qkv := heads("xq", "q", "0, 2, 1, 3") + heads("xk", "k", "0, 2, 3, 1") + heads("xv", "v", "0, 2, 1, 3")
	for name, c := range map[string]struct {
		src  string
		want int
	}{
		"bert": {qkv + `
			s = MatMul (q, k)
			d = Div (s, two)
			a = Add (d, m)
			p = Softmax <axis = -1> (a)`, 1},
		"scaled query, twice transposed key": {heads("xq", "q0", "0, 2, 1, 3") + heads("xk", "k0", "0, 2, 1, 3") + heads("xv", "v", "0, 2, 1, 3") + `
			q = Mul (two, q0)
			k1 = Transpose <perm = [0, 1, 3, 2]> (k0)
			k = Div (k1, two)
			s = MatMul (q, k)
			p = Softmax (s)`, 1},
		"gpt2": {qkv + `
			cb = Cast <to = 9> (c)
			s = MatMul (q, k)
			d = Mul (s, two)
			w = Where (cb, d, low)
			a = Add (m, w)
			p0 = Softmax <axis = 3> (a)
			p = Cast <to = 1> (p0)`, 1},
		"distilbert": {qkv + `
			cb = Cast <to = 9> (c)
			s = MatMul (q, k)
			h = Shape (s)
			e = Expand (cb, h)
			w = Where (e, low, s)
			p = Softmax <axis = -1> (w)`, 1},
		"opt": {qkv + `
			s = MatMul (q, k)
			a = Add (s, m)
			w = Max (a, two)
			p = Softmax <axis = -1> (w)`, 1},
		"NaN guard": {qkv + `
			zero = Constant <value = float {0.0}> ()
			inf = Constant <value = float {-inf}> ()
			cb = Cast <to = 9> (c)
			s = MatMul (q, k)
			w = Where (cb, s, inf)
			p0 = Softmax <axis = -1> (w)
			n = IsNaN (p0)
			p = Where (n, zero, p0)`, 1},
		"scale after the mask": {qkv + `
			s = MatMul (q, k)
			a = Add (s, m)
			d = Div (a, two)
			p = Softmax <axis = -1> (d)`, 0},
		"other axis": {qkv + `
			s = MatMul (q, k)
			p = Softmax <axis = 1> (s)`, 0},
		"key as it lies in memory": {heads("xq", "q", "0, 2, 1, 3") + heads("xk", "k", "0, 2, 3, 1") + heads("xv", "v0", "0, 2, 3, 1") + `
			v = Transpose <perm = [0, 1, 3, 2]> (v0)
			r = Relu (k)
			s = MatMul (q, r)
			p = Softmax <axis = -1> (s)`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			src := attentionStart + c.src + attentionEnd
			want := map[string]int{}
			if c.want > 0 {
				want["attention"] = c.want
			}
			rewritesWithout(t, []string{"products", "eliminate", "shapes"}, src, want)
		})
	}
}

// The probabilities are wanted, too.
func TestAttentionOutput(t *testing.T) {
	rewritesWithout(t, []string{"products", "eliminate", "shapes"}, `g (float[2,5,3] q, float[2,5,3] k, float[2,5,3] v) => (float[2,5,3] y, float[2,5,5] p) {
		kt = Transpose <perm = [0, 2, 1]> (k)
		s = MatMul (q, kt)
		p = Softmax <axis = -1> (s)
		y = MatMul (p, v) }`, map[string]int{})
}

// Arrays of rank 3, with batch and heads merged or without heads.
func TestAttentionRank3(t *testing.T) {
	rewritesWithout(t, []string{"products", "eliminate", "shapes"}, `g (float[5,batch,3] xq, float[5,batch,3] xk, float[5,batch,3] xv, float[batch,5,5] m) => (float[5,batch,3] y) {
		q = Transpose <perm = [1, 0, 2]> (xq)
		k = Transpose <perm = [1, 2, 0]> (xk)
		v = Transpose <perm = [1, 0, 2]> (xv)
		s = MatMul (q, k)
		a = Add (s, m)
		p = Softmax <axis = -1> (a)
		o = MatMul (p, v)
		y = Transpose <perm = [1, 0, 2]> (o) }`, map[string]int{"attention": 1})
	merge := heads("xq", "q0", "0, 2, 1, 3") + heads("xk", "k0", "0, 2, 1, 3") + heads("xv", "v0", "0, 2, 1, 3") + `
		flat = Constant <value = int64[3] {-1, 5, 3}> ()
		four = Constant <value = int64[4] {-1, 2, 5, 3}> ()
		scores = Constant <value = int64[4] {-1, 2, 5, 5}> ()
		flatScores = Constant <value = int64[3] {-1, 5, 5}> ()
		q = Reshape (q0, flat)
		k1 = Reshape (k0, flat)
		v = Reshape (v0, flat)
		k = Transpose <perm = [0, 2, 1]> (k1)
		s = MatMul (q, k)
		`
	end := `
		o0 = MatMul (p, v)
		o = Reshape (o0, four)
		t = Transpose <perm = [0, 2, 1, 3]> (o)
		y = Reshape (t, join) }`
	rewritesWithout(t, []string{"products", "eliminate", "shapes"}, attentionStart+merge+`
		s4 = Reshape (s, scores)
		a = Add (s4, m)
		s3 = Reshape (a, flatScores)
		p = Softmax <axis = -1> (s3)`+end, map[string]int{"attention": 1})
	rewritesWithout(t, []string{"products", "eliminate", "shapes"}, attentionStart+merge+`
		p = Softmax <axis = -1> (s)`+end, map[string]int{"attention": 1})
}

// Only the product of Q and K has batch and head merged, and zeros are added to it.
func TestAttentionSplit(t *testing.T) {
	rewritesWithout(t, []string{"products"}, attentionStart+heads("xq", "q0", "0, 2, 1, 3")+heads("xk", "k0", "0, 2, 1, 3")+heads("xv", "v", "0, 2, 1, 3")+`
		flat = Constant <value = int64[3] {-1, 5, 3}> ()
		scores = Constant <value = int64[4] {-1, 2, 5, 5}> ()
		q = Reshape (q0, flat)
		k1 = Reshape (k0, flat)
		k = Transpose <perm = [0, 2, 1]> (k1)
		s = MatMul (q, k)
		h = Shape (s)
		z = ConstantOfShape (h)
		a = Add (s, z)
		s4 = Reshape (a, scores)
		cb = Cast <to = 9> (c)
		w = Where (cb, s4, low)
		p = Softmax <axis = -1> (w)`+attentionEnd, map[string]int{"attention": 1, "shape-product": 1, "shape-transpose": 1})
}

// Keys and values are appended to a cache that is an output, and shared by several heads.
func TestAttentionCache(t *testing.T) {
	rewritesWithout(t, []string{"products", "eliminate", "shapes"}, `g (float[batch,5,12] xq, float[batch,5,6] xk, float[batch,2,4,3] pk, float[batch,2,4,3] pv) => (float[batch,5,12] y, float[batch,2,9,3] ck, float[batch,2,9,3] cv) {
		split = Constant <value = int64[4] {0, 0, 2, 3}> ()
		wide = Constant <value = int64[4] {0, 0, 4, 3}> ()
		join = Constant <value = int64[3] {0, 0, 12}> ()
		two = Constant <value = int64[1] {2}> ()
		ones = Constant <value = int64[5] {1, 1, 2, 1, 1}> ()
		all = Constant <value = int64[4] {0, 4, 9, 3}> ()
		q4 = Reshape (xq, wide)
		q = Transpose <perm = [0, 2, 1, 3]> (q4)
		n4 = Reshape (xk, split)
		n = Transpose <perm = [0, 2, 1, 3]> (n4)
		ck = Concat <axis = 2> (pk, n)
		cv = Concat <axis = -2> (pv, n)
		k5 = Unsqueeze (ck, two)
		ke = Expand (k5, ones)
		kr = Reshape (ke, all)
		v5 = Unsqueeze (cv, two)
		ve = Expand (v5, ones)
		v = Reshape (ve, all)
		k = Transpose <perm = [0, 1, 3, 2]> (kr)
		s = MatMul (q, k)
		p = Softmax <axis = -1> (s)
		o = MatMul (p, v)
		t = Transpose <perm = [0, 2, 1, 3]> (o)
		y = Reshape (t, join) }`, map[string]int{"attention": 1})
}

func TestShapeTranspose(t *testing.T) {
	rewritesWithout(t, []string{"products", "eliminate", "shapes"}, `g (float[batch,5,6] x) => (int64[3] y) {
		t = Transpose <perm = [0, 2, 1]> (x)
		y = Shape (t) }`, map[string]int{"shape-transpose": 1})
}

// Two layers share a mask that is expanded to the scores of the first one.
func TestAttentionSharedMask(t *testing.T) {
	rewritesWithout(t, []string{"products"}, `g (float[2,n,3] q, float[2,n,3] k, int64[1,n,n] c) => (float[2,n,3] y) {
		low = Constant <value = float {-10000.0}> ()
		cb = Cast <to = 9> (c)
		kt = Transpose <perm = [0, 2, 1]> (k)
		s = MatMul (q, kt)
		h = Shape (s)
		e = Expand (cb, h)
		w = Where (e, low, s)
		p = Softmax <axis = -1> (w)
		x = MatMul (p, k)
		xt = Transpose <perm = [0, 2, 1]> (x)
		s2 = MatMul (q, xt)
		w2 = Where (e, low, s2)
		p2 = Softmax <axis = -1> (w2)
		y = MatMul (p2, q) }`, map[string]int{"attention": 2, "shape-product": 1, "shape-transpose": 1})
}
