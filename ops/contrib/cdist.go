package contrib

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		plainOp("CDist", newCDist),
		plainOp("MurmurHash3", newMurmurHash3),
		plainOp("GridSample", standard("GridSample", 16, 0)),
	)
}

// newCDist builds CDist: the distances between all rows of A (M, N) and of B (K, N).
func newCDist(a *ops.Attrs) (ops.Op, error) {
	metric := a.String("metric", "sqeuclidean")
	if metric != "sqeuclidean" && metric != "euclidean" {
		return nil, fmt.Errorf("metric %q: %w", metric, ops.ErrUnsupported)
	}
	infer := func(c *ops.Infer) error {
		c.SetDType(0, c.DType(0))
		x, ok1 := c.Dims(0)
		y, ok2 := c.Dims(1)
		if ok1 && ok2 && len(x) == 2 && len(y) == 2 {
			c.SetOut(0, c.DType(0), x[0], y[0])
		}
		return nil
	}
	root := metric == "euclidean"
	return op{infer, typed(func(c *ops.Ctx) error { return cdist[float32](c, root) }, func(c *ops.Ctx) error { return cdist[float64](c, root) })}, a.Done()
}

func cdist[T float32 | float64](c *ops.Ctx, root bool) error {
	a, b := c.Tensor(0), c.Tensor(1)
	if a.Rank() != 2 || b.Rank() != 2 || a.Dim(1) != b.Dim(1) || a.DType() != b.DType() {
		return fmt.Errorf("operands are %v and %v", a, b)
	}
	m, k, n := a.Dim(0), b.Dim(0), a.Dim(1)
	out, err := c.New(0, a.DType(), tensor.Shape{m, k})
	if err != nil {
		return err
	}
	x, w, y := tensor.Slice[T](a), tensor.Slice[T](b), tensor.Slice[T](out)
	c.Parallel(m, ops.Grain(k*n), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := x[i*n : (i+1)*n]
			for j := range k {
				sum := T(0)
				for p, v := range w[j*n : (j+1)*n] {
					d := row[p] - v
					sum += d * d
				}
				if root {
					sum = T(math.Sqrt(float64(sum)))
				}
				y[i*k+j] = sum
			}
		}
	})
	return nil
}

// newMurmurHash3 builds MurmurHash3: the 32-bit hash of each element's bytes, unsigned or signed.
func newMurmurHash3(a *ops.Attrs) (ops.Op, error) {
	d, seed := tensor.Int32, uint32(a.Int("seed", 0))
	if a.Bool("positive", true) {
		d = tensor.Uint32
	}
	infer := func(c *ops.Infer) error {
		c.SetShapeLike(0, 0, d)
		return nil
	}
	return op{infer, func(c *ops.Ctx) error {
		x := c.Tensor(0)
		out, err := c.New(0, d, x.Shape())
		if err != nil {
			return err
		}
		size := x.DType().Bits() / 8
		for i := range x.Len() {
			var h uint32
			if x.DType() == tensor.String {
				h = murmur3([]byte(x.Strs()[i]), seed)
			} else {
				h = murmur3(x.Bytes()[i*size:(i+1)*size], seed)
			}
			binary.LittleEndian.PutUint32(out.Bytes()[4*i:], h)
		}
		return nil
	}}, a.Done()
}

// murmur3 is MurmurHash3_x86_32.
func murmur3(b []byte, seed uint32) uint32 {
	const c1, c2 = 0xcc9e2d51, 0x1b873593
	h := seed
	mix := func(k uint32) uint32 { return bits.RotateLeft32(k*c1, 15) * c2 }
	n := len(b)
	for ; len(b) >= 4; b = b[4:] {
		h = bits.RotateLeft32(h^mix(binary.LittleEndian.Uint32(b)), 13)*5 + 0xe6546b64
	}
	if len(b) > 0 {
		var tail [4]byte
		copy(tail[:], b)
		h ^= mix(binary.LittleEndian.Uint32(tail[:]))
	}
	h ^= uint32(n)
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}
