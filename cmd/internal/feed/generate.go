package feed

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/sardonyx-ml/sardonyx/graph/exec"
	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

func generator(s string) (name string, seed uint64, ok bool) {
	if !strings.HasPrefix(s, "@") {
		return "", 0, false
	}
	name, number, given := strings.Cut(s, ":")
	if given {
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil || name != "@random" {
			return s, 0, true // no generator has this name
		}
		seed = n
	}
	return name, seed, true
}

// Bind returns the declared types of inputs with the given sizes of dimensions put in.
func Bind(ports []exec.Port, dims map[string]int) (map[string]tensor.Type, error) {
	types := map[string]tensor.Type{}
	used := map[string]bool{}
	lookup := func(sym string) (int, bool) {
		n, ok := dims[sym]
		if ok {
			used[sym] = true
		}
		return n, ok
	}
	for _, p := range ports {
		t := p.Type
		if t.Kind == tensor.KindTensor && t.Ranked {
			bound := make([]tensor.Dim, len(t.Dims))
			for i, d := range t.Dims {
				bound[i] = d.Eval(lookup)
				if n, ok := lookup(p.Name + "." + strconv.Itoa(i)); ok {
					if have, known := bound[i].Int(); known && have != n {
						return nil, usagef("--dim %s.%d=%d: the model has %d there", p.Name, i, n, have)
					}
					bound[i] = tensor.Int(n)
				}
			}
			t = t.WithDims(bound...)
		}
		types[p.Name] = t
	}
	for sym, n := range dims {
		if n < 0 {
			return nil, usagef("--dim %s=%d is negative", sym, n)
		}
		if !used[sym] {
			return nil, usagef("--dim %s: the model has no such dimension; it has %s", sym, symbols(ports))
		}
	}
	return types, nil
}

func symbols(ports []exec.Port) string {
	var names []string
	seen := map[string]bool{}
	for _, p := range ports {
		for i, d := range p.Type.Dims {
			if !d.Known() {
				names = append(names, p.Name+"."+strconv.Itoa(i))
			}
			d.Symbols(func(s string) {
				if !seen[s] {
					names = append(names, s)
				}
				seen[s] = true
			})
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (l *loader) fillRest(in map[string]tensor.Value) error {
	name, seed, _ := generator(l.rest)
	for _, p := range l.ports {
		if _, ok := in[p.Name]; ok || p.Optional {
			continue
		}
		v, err := l.generate(p, name, seed, in)
		if err != nil {
			return err
		}
		in[p.Name] = v
	}
	return nil
}

func (l *loader) generate(p exec.Port, name string, seed uint64, in map[string]tensor.Value) (tensor.Value, error) {
	shape, err := l.shape(p, in)
	if err != nil {
		return nil, err
	}
	size, err := shape.CheckSize()
	if err != nil || size > maxGenerated {
		return nil, usagef("input %q of shape %v is too large to make up", p.Name, shape)
	}
	d := p.Type.DType
	if d == tensor.Undefined {
		d = tensor.Float32
	}
	t := tensor.New(d, shape...)
	h := fnv.New64a()
	h.Write([]byte(p.Name))
	rnd := rand.New(rand.NewPCG(seed, h.Sum64()))
	vals := make([]float64, size)
	for i := range vals {
		switch name {
		case "@ones":
			vals[i] = 1
		case "@random":
			vals[i] = l.random(rnd, d)
		}
	}
	return t, setNumbers(t, vals)
}

// maxGenerated bounds the elements of a generated input.
const maxGenerated = 1 << 28

func (l *loader) random(rnd *rand.Rand, d tensor.DType) float64 {
	whole := !d.IsFloat() && d != tensor.Complex64 && d != tensor.Complex128
	if r := l.opts.Range; r != nil {
		if whole {
			lo, hi := math.Ceil(r[0]), math.Floor(r[1])
			return lo + math.Floor(rnd.Float64()*(hi-lo+1))
		}
		return r[0] + rnd.Float64()*(r[1]-r[0])
	}
	if whole {
		return float64(rnd.IntN(2))
	}
	return rnd.NormFloat64()
}

// setNumbers stores numbers in a tensor of any type; strings get their decimal form, complex numbers a real part.
func setNumbers(t *tensor.Tensor, vals []float64) error {
	switch t.DType() {
	case tensor.String:
		for i, v := range vals {
			t.Strs()[i] = strconv.FormatFloat(v, 'g', -1, 64)
		}
	case tensor.Complex64:
		for i, v := range vals {
			tensor.Slice[complex64](t)[i] = complex(float32(v), 0)
		}
	case tensor.Complex128:
		for i, v := range vals {
			tensor.Slice[complex128](t)[i] = complex(v, 0)
		}
	default:
		return t.SetFloats(vals)
	}
	return nil
}

// shape is the shape of a generated input. Symbols that --dim does not give have the sizes that they have in other inputs.
func (l *loader) shape(p exec.Port, in map[string]tensor.Value) (tensor.Shape, error) {
	t := l.types[p.Name]
	if t.Kind != tensor.KindTensor || !t.Ranked {
		return nil, usagef("input %q is %v: its shape is not known, so no values can be made up", p.Name, t)
	}
	sizes := l.sizes(in)
	dims := make([]tensor.Dim, len(t.Dims))
	for i, d := range t.Dims {
		dims[i] = d.Eval(func(s string) (int, bool) { n, ok := sizes[s]; return n, ok })
	}
	t = t.WithDims(dims...)
	if s, ok := t.Shape(); ok {
		return s, nil
	}
	var flags []string
	for i, d := range t.Dims {
		if !d.Known() {
			flags = append(flags, fmt.Sprintf("--dim %s.%d=N", p.Name, i))
		}
		d.Symbols(func(s string) { flags = append(flags, fmt.Sprintf("--dim %s=N", s)) })
	}
	return nil, usagef("input %q is %v: say how large, with %s", p.Name, t, strings.Join(flags, " "))
}

// sizes are those of the symbols in the shapes of known inputs.
func (l *loader) sizes(in map[string]tensor.Value) map[string]int {
	sizes := map[string]int{}
	for _, p := range l.ports {
		x, ok := in[p.Name].(*tensor.Tensor)
		t := l.types[p.Name]
		if !ok || !t.Ranked || len(t.Dims) != x.Rank() {
			continue
		}
		for i, d := range t.Dims {
			if s, ok := d.Symbol(); ok {
				sizes[s] = x.Dim(i)
			}
		}
	}
	return sizes
}

// formal is the declared type of an input, as the file has it.
func (l *loader) formal(name string) *onnxpb.TypeProto {
	for _, in := range l.model.Proto.GetGraph().GetInput() {
		if in.GetName() == name {
			return in.GetType()
		}
	}
	return nil
}
