// Package text holds the operators on strings.
package text

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "StringNormalizer", Since: 10, New: newNormalizer},
		ops.Def{Name: "StringConcat", Since: 20, New: newConcat},
		ops.Def{Name: "StringSplit", Since: 20, New: newSplit},
		ops.Def{Name: "RegexFullMatch", Since: 20, New: newRegex},
	)
}

// stringsAt returns the tensor of strings at input i.
func stringsAt(c *ops.Ctx, i int) (*tensor.Tensor, error) {
	t := c.Tensor(i)
	if t == nil || t.DType() != tensor.String {
		return nil, fmt.Errorf("input %d is not a string tensor", i)
	}
	return t, nil
}

// normalizer is https://onnx.ai/onnx/operators/onnx__StringNormalizer.html: it drops the elements that are stop words
// and changes the case of the rest. Case follows Unicode; the locale matters for Turkish and Azeri only.
type normalizer struct {
	action    string
	sensitive bool
	special   unicode.SpecialCase
	stop      map[string]bool
}

func newNormalizer(a *ops.Attrs) (ops.Op, error) {
	op := normalizer{
		action:    a.Enum("case_change_action", "NONE", "LOWER", "UPPER"),
		sensitive: a.Bool("is_case_sensitive", false),
		stop:      map[string]bool{},
	}
	if l := strings.ToLower(a.String("locale", "")); strings.HasPrefix(l, "tr") || strings.HasPrefix(l, "az") {
		op.special = unicode.TurkishCase
	}
	for _, w := range a.Strings("stopwords") {
		op.stop[op.key(w)] = true
	}
	return op, a.Done()
}

// key is what stop words are compared by.
func (op normalizer) key(s string) string {
	if op.sensitive {
		return s
	}
	return strings.ToLowerSpecial(op.special, s)
}

func (op normalizer) Infer(c *ops.Infer) error {
	c.SetDType(0, tensor.String)
	dims, ok := c.Dims(0)
	if !ok {
		return nil
	}
	switch len(dims) {
	case 1:
		c.SetOut(0, tensor.String, tensor.Dim{})
	case 2:
		if n, ok := dims[0].Int(); ok && n != 1 {
			return fmt.Errorf("input has %d rows, not 1", n)
		}
		c.SetOut(0, tensor.String, tensor.Int(1), tensor.Dim{})
	default:
		return fmt.Errorf("input has rank %d, not 1 or 2", len(dims))
	}
	return nil
}

func (op normalizer) Run(c *ops.Ctx) error {
	x, err := stringsAt(c, 0)
	if err != nil {
		return err
	}
	s := x.Shape()
	if len(s) != 1 && (len(s) != 2 || s[0] != 1) {
		return fmt.Errorf("input has shape %v, not [C] or [1 C]", s)
	}
	var kept []string
	for _, w := range x.Strs() {
		if len(op.stop) > 0 && op.stop[op.key(w)] {
			continue
		}
		switch op.action {
		case "LOWER":
			w = strings.ToLowerSpecial(op.special, w)
		case "UPPER":
			w = strings.ToUpperSpecial(op.special, w)
		}
		kept = append(kept, w)
	}
	if len(kept) == 0 {
		kept = []string{""}
	}
	shape := s.Clone()
	shape[len(s)-1] = len(kept)
	y, err := c.New(0, tensor.String, shape)
	if err == nil {
		copy(y.Strs(), kept)
	}
	return err
}

// concat is https://onnx.ai/onnx/operators/onnx__StringConcat.html.
type concat struct{}

func newConcat(a *ops.Attrs) (ops.Op, error) { return concat{}, a.Done() }

func (concat) Infer(c *ops.Infer) error {
	c.SetDType(0, tensor.String)
	x, ok := c.Dims(0)
	y, yok := c.Dims(1)
	if !ok || !yok {
		return nil
	}
	out, err := ops.BroadcastDims(x, y)
	if err != nil {
		return err
	}
	c.SetOut(0, tensor.String, out...)
	return nil
}

func (concat) Run(c *ops.Ctx) error {
	x, err := stringsAt(c, 0)
	if err != nil {
		return err
	}
	y, err := stringsAt(c, 1)
	if err != nil {
		return err
	}
	shape, err := x.Shape().Broadcast(y.Shape())
	if err != nil {
		return err
	}
	if _, err := shape.CheckSize(); err != nil {
		return err
	}
	z, err := c.New(0, tensor.String, shape)
	if err != nil {
		return err
	}
	xs, ys := broadcastStrides(x.Shape(), shape), broadcastStrides(y.Shape(), shape)
	for i := range z.Strs() {
		a, b, o := 0, 0, i
		for k := len(shape) - 1; k >= 0; k-- {
			a += o % shape[k] * xs[k]
			b += o % shape[k] * ys[k]
			o /= shape[k]
		}
		z.Strs()[i] = x.Strs()[a] + y.Strs()[b]
	}
	return nil
}

// broadcastStrides are the strides of s aligned with the axes of out, 0 where s is repeated.
func broadcastStrides(s, out tensor.Shape) []int {
	st, from := make([]int, len(out)), s.Strides()
	for i, n := range s {
		if n != 1 {
			st[len(out)-len(s)+i] = from[i]
		}
	}
	return st
}

// split is https://onnx.ai/onnx/operators/onnx__StringSplit.html.
type split struct {
	delimiter string
	max       int // number of splits; negative: no limit
}

func newSplit(a *ops.Attrs) (ops.Op, error) {
	return split{a.String("delimiter", ""), a.Int("maxsplit", -1)}, a.Done()
}

func (op split) Infer(c *ops.Infer) error {
	c.SetDType(0, tensor.String)
	c.SetDType(1, tensor.Int64)
	if dims, ok := c.Dims(0); ok {
		c.SetOut(0, tensor.String, append(slices.Clone(dims), tensor.Dim{})...)
		c.SetOut(1, tensor.Int64, dims...)
	}
	return nil
}

func (op split) fields(s string) []string {
	if op.delimiter != "" {
		if op.max < 0 {
			return strings.Split(s, op.delimiter)
		}
		return strings.SplitN(s, op.delimiter, op.max+1)
	}
	if op.max < 0 {
		return strings.Fields(s)
	}
	var out []string
	s = strings.TrimLeftFunc(s, unicode.IsSpace)
	for s != "" && len(out) < op.max {
		i := strings.IndexFunc(s, unicode.IsSpace)
		if i < 0 {
			break
		}
		out = append(out, s[:i])
		s = strings.TrimLeftFunc(s[i:], unicode.IsSpace)
	}
	if s != "" {
		out = append(out, s)
	}
	return out
}

func (op split) Run(c *ops.Ctx) error {
	x, err := stringsAt(c, 0)
	if err != nil {
		return err
	}
	parts := make([][]string, x.Len())
	width := 0
	for i, s := range x.Strs() {
		parts[i] = op.fields(s)
		width = max(width, len(parts[i]))
	}
	y, err := c.New(0, tensor.String, append(x.Shape().Clone(), width))
	if err != nil {
		return err
	}
	z, err := c.New(1, tensor.Int64, x.Shape())
	if err != nil {
		return err
	}
	ops.Zero(y)
	for i, p := range parts {
		copy(y.Strs()[i*width:(i+1)*width], p)
		z.Int64()[i] = int64(len(p))
	}
	return nil
}

// regex is https://onnx.ai/onnx/operators/onnx__RegexFullMatch.html. Go's regular expressions are those of RE2.
type regex struct{ re *regexp.Regexp }

func newRegex(a *ops.Attrs) (ops.Op, error) {
	pattern := a.String("pattern", "")
	if !a.Has("pattern") {
		a.Errorf("attribute pattern is missing")
	}
	if _, err := regexp.Compile(pattern); err != nil {
		a.Errorf("attribute pattern: %w", err)
	}
	if err := a.Done(); err != nil {
		return nil, err
	}
	re, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	return regex{re}, err
}

func (op regex) Infer(c *ops.Infer) error {
	c.SetDType(0, tensor.Bool)
	c.SetShapeLike(0, 0, tensor.Bool)
	return nil
}

func (op regex) Run(c *ops.Ctx) error {
	x, err := stringsAt(c, 0)
	if err != nil {
		return err
	}
	y, err := c.New(0, tensor.Bool, x.Shape())
	if err != nil {
		return err
	}
	c.Parallel(x.Len(), 256, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			y.Bool()[i] = op.re.MatchString(x.Strs()[i])
		}
	})
	return nil
}
