package contrib

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		floatOp("Inverse", simple(same, typed(inverse[float32], inverse[float64]))),
		plainOp("NGramRepeatBlock", newNGramRepeatBlock),
		floatOp("RelativePositionBias", newRelativeBias),
	)
}

// inverse inverts each matrix by Gauss-Jordan elimination with partial pivoting, in float64. A singular matrix gives
// Inf and NaN.
func inverse[T float32 | float64](c *ops.Ctx) error {
	x := c.Tensor(0)
	s := x.Shape()
	if len(s) < 2 || s[len(s)-1] != s[len(s)-2] {
		return fmt.Errorf("shape %v is not one of square matrices", s)
	}
	out, err := c.New(0, x.DType(), s)
	if err != nil {
		return err
	}
	n := s[len(s)-1]
	src, dst := tensor.Slice[T](x), tensor.Slice[T](out)
	c.Parallel(s[:len(s)-2].Size(), ops.Grain(2*n*n*n), func(lo, hi int) {
		a, b := make([]float64, n*n), make([]float64, n*n)
		for m := lo; m < hi; m++ {
			for i, v := range src[m*n*n : (m+1)*n*n] {
				a[i] = float64(v)
			}
			invert(b, a, n)
			for i, v := range b {
				dst[m*n*n+i] = T(v)
			}
		}
	})
	return nil
}

// invert sets b to the inverse of the n×n matrix a, which it destroys.
func invert(b, a []float64, n int) {
	clear(b)
	for i := range n {
		b[i*n+i] = 1
	}
	for k := range n {
		p := k
		for i := k + 1; i < n; i++ {
			if math.Abs(a[i*n+k]) > math.Abs(a[p*n+k]) {
				p = i
			}
		}
		if p != k {
			for j := range n {
				a[k*n+j], a[p*n+j] = a[p*n+j], a[k*n+j]
				b[k*n+j], b[p*n+j] = b[p*n+j], b[k*n+j]
			}
		}
		d := a[k*n+k]
		for j := range n {
			a[k*n+j] /= d
			b[k*n+j] /= d
		}
		for i := range n {
			f := a[i*n+k]
			if i == k || f == 0 {
				continue
			}
			for j := range n {
				a[i*n+j] -= f * a[k*n+j]
				b[i*n+j] -= f * b[k*n+j]
			}
		}
	}
}

func newNGramRepeatBlock(a *ops.Attrs) (ops.Op, error) {
	n := a.Int("ngram_size", 0)
	if n <= 0 {
		a.Errorf("ngram_size is %d", n)
	}
	infer := func(c *ops.Infer) error {
		c.SetLike(0, 1)
		return nil
	}
	return op{infer, func(c *ops.Ctx) error { return ngramRepeatBlock(c, n) }}, a.Done()
}

// ngramRepeatBlock copies scores (B, V) and sets those of tokens that would repeat an n-gram of the sequence to -Inf.
func ngramRepeatBlock(c *ops.Ctx, n int) error {
	ids, scores := c.Tensor(0), c.Tensor(1)
	if ids.Rank() != 2 || scores.Rank() != 2 || ids.Dim(0) != scores.Dim(0) || scores.DType() != tensor.Float32 {
		return fmt.Errorf("input_ids %v with scores %v", ids, scores)
	}
	tokens, err := ids.Ints()
	if err != nil {
		return err
	}
	out, err := c.New(0, tensor.Float32, scores.Shape())
	if err != nil {
		return err
	}
	y, vocab, length := out.Float32(), scores.Dim(1), ids.Dim(1)
	copy(y, scores.Float32())
	for b := range ids.Dim(0) {
		if err := blockRepeats(y[b*vocab:(b+1)*vocab], tokens[b*length:(b+1)*length], n); err != nil {
			return err
		}
	}
	return nil
}

// blockRepeats sets scores of tokens that would complete an n-gram which seq already holds to -Inf.
func blockRepeats(scores []float32, seq []int, n int) error {
	if len(seq) < n {
		return nil
	}
	tail := seq[len(seq)-n+1:]
	for i := 0; i+n <= len(seq); i++ {
		match := true
		for k, t := range tail {
			match = match && seq[i+k] == t
		}
		if !match {
			continue
		}
		t := seq[i+n-1]
		if t < 0 || t >= len(scores) {
			return fmt.Errorf("token %d of a vocabulary of %d", t, len(scores))
		}
		scores[t] = float32(math.Inf(-1))
	}
	return nil
}

// relativeBias is T5's RelativePositionBias: bias_table (buckets, heads), query and key lengths → (1, heads, Q, K).
type relativeBias struct {
	far           int
	bidirectional bool
}

func newRelativeBias(a *ops.Attrs) (ops.Op, error) {
	return relativeBias{a.Int("max_distance", 0), a.Bool("is_bidirectional", false)}, a.Done()
}

// Infer implements ops.Op.
func (o relativeBias) Infer(c *ops.Infer) error {
	d, heads := c.DType(0), tensor.Dim{}
	if t, ok := c.Dims(0); ok && len(t) == 2 {
		heads = t[1]
	}
	at := func(i int) tensor.Dim {
		if v, ok := c.Ints(i); ok && len(v) == 1 {
			return v[0]
		}
		return tensor.Dim{}
	}
	c.SetOut(0, d, tensor.Int(1), heads, at(1), at(2))
	return nil
}

// Run implements ops.Op.
func (o relativeBias) Run(c *ops.Ctx) error {
	t := c.Tensor(0)
	table, err := floatInput(c, 0)
	if err != nil {
		return err
	}
	q, err := intScalar(c, 1, "query_length", 0)
	if err != nil {
		return err
	}
	k, err := intScalar(c, 2, "key_length", 0)
	if err != nil {
		return err
	}
	if t.Rank() != 2 || t.Dim(0) < 2 || q < 0 || k < 0 {
		return fmt.Errorf("table of shape %v for %d queries and %d keys", t.Shape(), q, k)
	}
	buckets, heads := t.Dim(0), t.Dim(1)
	out, err := c.New(0, tensor.Float32, tensor.Shape{1, heads, q, k})
	if err != nil {
		return err
	}
	y := out.Float32()
	for i := range q {
		for j := range k {
			b := o.bucket(j-i, buckets)
			for h := range heads {
				y[(h*q+i)*k+j] = table[b*heads+h]
			}
		}
	}
	return nil
}

// bucket is the row of the table for a distance: near ones have their own, farther ones share logarithmically.
func (o relativeBias) bucket(distance, buckets int) int {
	base, n := 0, -distance
	if o.bidirectional {
		buckets /= 2
		if n < 0 {
			base, n = buckets, -n
		}
	}
	n = max(n, 0)
	exact := buckets / 2
	if n < exact {
		return base + n
	}
	far := exact + int(math.Log(float64(n)/float64(exact))/math.Log(float64(o.far)/float64(exact))*float64(buckets-exact))
	return base + min(far, buckets-1)
}
