package linear

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Name: "Einsum", Since: 12, Widen: true, New: newEinsum})
}

// einsum is https://onnx.ai/onnx/operators/onnx__Einsum.html.
type einsum struct {
	terms    []string // letters; a dot stands for the ellipsis
	out      string
	implicit bool // out is to be made up
}

func newEinsum(a *ops.Attrs) (ops.Op, error) {
	eq := strings.ReplaceAll(a.String("equation", ""), " ", "")
	if !a.Has("equation") {
		a.Errorf("equation is missing")
	}
	left, right, explicit := strings.Cut(eq, "->")
	op := &einsum{implicit: !explicit}
	var err error
	for _, t := range strings.Split(left, ",") {
		if t, err = parseTerm(t); err != nil {
			a.Errorf("equation %q: %v", eq, err)
		}
		op.terms = append(op.terms, t)
	}
	if op.out, err = parseTerm(right); err != nil {
		a.Errorf("equation %q: %v", eq, err)
	}
	if !explicit {
		op.out = op.implied()
	}
	for i, l := range op.out {
		if strings.ContainsRune(op.out[:i], l) || l != '.' && !strings.ContainsRune(left, l) {
			a.Errorf("equation %q: bad output index %c", eq, l)
		}
	}
	return op, a.Done()
}

func parseTerm(t string) (string, error) {
	t = strings.Replace(t, "...", "\x00", 1)
	for _, c := range t {
		if c != 0 && !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return "", fmt.Errorf("%q is no index", c)
		}
	}
	return strings.Replace(t, "\x00", ".", 1), nil
}

// implied is the output without an arrow: the ellipsis and the letters that occur once, in ASCII order.
func (op *einsum) implied() string {
	all := strings.Join(op.terms, "")
	out := ""
	if strings.Contains(all, ".") {
		out = "."
	}
	letters := []byte(all)
	slices.Sort(letters)
	for _, l := range letters {
		if l != '.' && strings.Count(all, string(l)) == 1 {
			out += string(l)
		}
	}
	return out
}

// label names an axis: a letter, or, above them, an axis of the ellipsis.
type label int

const lastEllipsis label = 1 << 10

// bind gives the axes of operands of the given ranks, and of the output, their labels. Axes of the ellipsis are labelled
// from the last one backwards.
func (op *einsum) bind(ranks []int) (in [][]label, out []label, err error) {
	if len(ranks) != len(op.terms) {
		return nil, nil, fmt.Errorf("%d operands for %d terms", len(ranks), len(op.terms))
	}
	most := 0
	for i, t := range op.terms {
		dots := ranks[i] - len(t)
		if strings.Contains(t, ".") {
			dots++
			most = max(most, dots)
		} else if dots != 0 {
			dots = -1
		}
		if dots < 0 {
			return nil, nil, fmt.Errorf("operand %d of rank %d for the term %q", i, ranks[i], strings.Replace(t, ".", "...", 1))
		}
		in = append(in, labels(t, dots))
	}
	return in, labels(op.out, most), nil
}

func labels(term string, dots int) []label {
	var out []label
	for _, l := range term {
		if l != '.' {
			out = append(out, label(l))
			continue
		}
		for i := range dots {
			out = append(out, lastEllipsis-label(dots-1-i))
		}
	}
	return out
}

// Infer implements ops.Op.
func (op *einsum) Infer(c *ops.Infer) error {
	ranks, dims := make([]int, len(c.In)), make([][]tensor.Dim, len(c.In))
	for i := range c.In {
		d, ok := c.Dims(i)
		if !ok {
			c.SetDType(0, c.DType(0))
			return nil
		}
		ranks[i], dims[i] = len(d), d
	}
	in, out, err := op.bind(ranks)
	if err != nil {
		return err
	}
	size := map[label]tensor.Dim{}
	for i, ls := range in {
		for k, l := range ls {
			if _, ok := size[l]; !ok {
				size[l] = dims[i][k]
				continue
			}
			d, err := ops.BroadcastDims([]tensor.Dim{size[l]}, []tensor.Dim{dims[i][k]})
			if err != nil {
				return err
			}
			size[l] = d[0]
		}
	}
	shape := make([]tensor.Dim, len(out))
	for i, l := range out {
		shape[i] = size[l]
	}
	c.SetOut(0, c.DType(0), shape...)
	return nil
}

// Run implements ops.Op.
func (op *einsum) Run(c *ops.Ctx) error {
	switch d := c.Tensor(0).DType(); d {
	case tensor.Float32:
		return runEinsum[float32](c, op)
	case tensor.Float64:
		return runEinsum[float64](c, op)
	case tensor.Int8:
		return runEinsum[int8](c, op)
	case tensor.Int16:
		return runEinsum[int16](c, op)
	case tensor.Int32:
		return runEinsum[int32](c, op)
	case tensor.Int64:
		return runEinsum[int64](c, op)
	case tensor.Uint8:
		return runEinsum[uint8](c, op)
	case tensor.Uint16:
		return runEinsum[uint16](c, op)
	case tensor.Uint32:
		return runEinsum[uint32](c, op)
	case tensor.Uint64:
		return runEinsum[uint64](c, op)
	default:
		return unsupported("Einsum", d)
	}
}
