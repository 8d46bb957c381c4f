package text

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Name: "TfIdfVectorizer", Since: 9, New: newTfIdf})
}

// node is a prefix of n-grams in the pool.
type node[K comparable] struct {
	column int // where the n-gram that ends here is counted; -1: none ends here
	next   map[K]*node[K]
}

// tfIdf is https://onnx.ai/onnx/operators/onnx__TfIdfVectorizer.html. The weights belong to columns of the output.
type tfIdf struct {
	min, max, skip int
	mode           string
	weights        []float32
	width          int // columns of the output
	ints           *node[int64]
	strs           *node[string]
}

func newTfIdf(a *ops.Attrs) (ops.Op, error) {
	op := tfIdf{min: a.Int("min_gram_length", 1), max: a.Int("max_gram_length", 1), skip: a.Int("max_skip_count", 0)}
	op.mode = a.Enum("mode", "TF", "IDF", "TFIDF")
	op.weights = a.Floats("weights")
	counts, columns := a.Ints("ngram_counts"), a.Ints("ngram_indexes")
	ints, strs := a.Int64s("pool_int64s"), a.Strings("pool_strings")
	for _, k := range columns {
		if k < 0 || k > 1<<31 {
			a.Errorf("n-gram index %d", k)
		}
		op.width = max(op.width, k+1)
	}
	if op.min < 1 || op.max < op.min || op.skip < 0 {
		a.Errorf("n-grams of length %d to %d with %d skips", op.min, op.max, op.skip)
	}
	if len(ints) > 0 == (len(strs) > 0) {
		a.Errorf("exactly one of pool_int64s and pool_strings must be given")
	}
	if op.weights != nil && len(op.weights) < op.width {
		a.Errorf("%d weights for %d columns", len(op.weights), op.width)
	}
	if err := a.Done(); err != nil {
		return nil, err
	}
	var err error
	if len(ints) > 0 {
		op.ints, err = newPool(ints, counts, columns, op.min, op.max)
	} else {
		op.strs, err = newPool(strs, counts, columns, op.min, op.max)
	}
	return op, err
}

// newPool builds the tree of the n-grams of the wanted lengths. counts[n-1] is where the n-grams begin in items.
func newPool[K comparable](items []K, counts, columns []int, minLen, maxLen int) (*node[K], error) {
	root := &node[K]{column: -1, next: map[K]*node[K]{}}
	id := 0
	for n := 1; n <= len(counts); n++ {
		lo, hi := counts[n-1], len(items)
		if n < len(counts) {
			hi = counts[n]
		}
		if lo < 0 || hi < lo || hi > len(items) || (hi-lo)%n != 0 {
			return nil, fmt.Errorf("items %d to %d of the pool are no list of %d-grams", lo, hi, n)
		}
		for at := lo; at < hi; at += n {
			if id >= len(columns) {
				return nil, fmt.Errorf("more n-grams than the %d indexes", len(columns))
			}
			if n >= minLen && n <= maxLen {
				root.insert(items[at:at+n], columns[id])
			}
			id++
		}
	}
	return root, nil
}

func (p *node[K]) insert(gram []K, column int) {
	for _, k := range gram {
		q := p.next[k]
		if q == nil {
			q = &node[K]{column: -1, next: map[K]*node[K]{}}
			p.next[k] = q
		}
		p = q
	}
	p.column = column
}

// count adds the n-grams of row, with up to skip items between neighbours, to y. Single items are counted once, as
// skips don't change them.
func (p *node[K]) count(y []float32, row []K, minLen, maxLen, skip int) {
	shortest := minLen
	for step := 1; step <= min(skip+1, max(len(row), 1)); step++ {
		for start := 0; start+step*(shortest-1) < len(row); start++ {
			q := p
			for n, i := 1, start; n <= maxLen && i < len(row); n, i = n+1, i+step {
				if q = q.next[row[i]]; q == nil {
					break
				}
				if n >= shortest && q.column >= 0 {
					y[q.column]++
				}
			}
		}
		if shortest == 1 {
			if shortest++; shortest > maxLen {
				return
			}
		}
	}
}

func (op tfIdf) Infer(c *ops.Infer) error {
	c.SetDType(0, tensor.Float32)
	dims, ok := c.Dims(0)
	if !ok {
		return nil
	}
	switch len(dims) {
	case 0, 1:
		c.SetOut(0, tensor.Float32, tensor.Int(op.width))
	case 2:
		c.SetOut(0, tensor.Float32, dims[0], tensor.Int(op.width))
	default:
		return fmt.Errorf("input has rank %d, not 1 or 2", len(dims))
	}
	return nil
}

func (op tfIdf) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	if x.Rank() > 2 {
		return fmt.Errorf("input has rank %d, not 1 or 2", x.Rank())
	}
	rows, n, shape := 1, x.Len(), tensor.Shape{op.width}
	if x.Rank() == 2 {
		rows, n, shape = x.Dim(0), x.Dim(1), tensor.Shape{x.Dim(0), op.width}
	}
	if _, err := shape.CheckSize(); err != nil {
		return err
	}
	var ints []int64
	if x.DType() != tensor.String {
		v, err := x.Ints()
		if err != nil {
			return err
		}
		for _, i := range v {
			ints = append(ints, int64(i))
		}
	}
	if (x.DType() == tensor.String) != (op.strs != nil) {
		return fmt.Errorf("the pool does not fit an input of type %v", x.DType())
	}
	y, err := c.New(0, tensor.Float32, shape)
	if err != nil {
		return err
	}
	ops.Zero(y)
	c.Parallel(rows, ops.Grain(8*n), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			out := y.Float32()[r*op.width : (r+1)*op.width]
			if op.strs != nil {
				op.strs.count(out, x.Strs()[r*n:(r+1)*n], op.min, op.max, op.skip)
			} else {
				op.ints.count(out, ints[r*n:(r+1)*n], op.min, op.max, op.skip)
			}
			op.weigh(out)
		}
	})
	return nil
}

func (op tfIdf) weigh(y []float32) {
	for i, n := range y {
		if op.mode == "IDF" {
			n = min(n, 1)
		}
		if op.mode != "TF" && op.weights != nil {
			n *= op.weights[i]
		}
		y[i] = n
	}
}
