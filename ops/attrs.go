package ops

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// GraphAttr is the value of a graph-valued attribute. It only marks that the graph is there: Infer and Run reach it by
// the attribute's name (Infer.Graph, Ctx.RunGraph).
type GraphAttr struct {
	Inputs, Outputs []string      // names of the subgraph's formal inputs and outputs
	InputTypes      []tensor.Type // declared types of the inputs
}

// Attrs are the attributes of a node. The getters return the default when the attribute is absent and remember a
// wrong type, which Done reports together with attributes that nobody read.
type Attrs struct {
	// Opset is the version of the operator's domain that the model imports.
	Opset int
	// Outputs is the number of outputs that the node lists, absent ones in between included.
	Outputs int

	vals map[string]any
	read map[string]bool
	errs []error
}

// NewAttrs wraps attribute values: int64, float32, string, *tensor.Tensor, *GraphAttr, tensor.Type and slices of these.
func NewAttrs(opset, outputs int, vals map[string]any) *Attrs {
	return &Attrs{Opset: opset, Outputs: outputs, vals: vals, read: map[string]bool{}}
}

// Has reports whether the attribute is present.
func (a *Attrs) Has(name string) bool {
	_, ok := a.vals[name]
	return ok
}

func get[T any](a *Attrs, name string, def T) T {
	a.read[name] = true
	v, ok := a.vals[name]
	if !ok {
		return def
	}
	if t, ok := v.(T); ok {
		return t
	}
	a.errs = append(a.errs, fmt.Errorf("attribute %s is %s, not %s", name, kindOf(v), kindOf(def)))
	return def
}

func kindOf(v any) string {
	s := fmt.Sprintf("%T", v)
	s = strings.NewReplacer("*tensor.", "", "*ops.GraphAttr", "graph", "tensor.Type", "type", "int64", "int", "float32", "float").Replace(s)
	if rest, ok := strings.CutPrefix(s, "[]"); ok {
		return "a list of " + rest
	}
	return strings.ToLower(s)
}

// Int returns an integer attribute.
func (a *Attrs) Int(name string, def int) int { return int(get(a, name, int64(def))) }

// Bool returns an integer attribute that is used as a flag.
func (a *Attrs) Bool(name string, def bool) bool {
	d := int64(0)
	if def {
		d = 1
	}
	return get(a, name, d) != 0
}

// Float returns a float attribute.
func (a *Attrs) Float(name string, def float32) float32 { return get(a, name, def) }

// String returns a string attribute.
func (a *Attrs) String(name, def string) string { return get(a, name, def) }

// Enum returns a string attribute that must be one of the allowed values.
func (a *Attrs) Enum(name, def string, allowed ...string) string {
	s := get(a, name, def)
	if s == def {
		return s
	}
	for _, v := range allowed {
		if s == v {
			return s
		}
	}
	a.errs = append(a.errs, fmt.Errorf("attribute %s is %q, not one of %q", name, s, allowed))
	return def
}

// Ints returns a list of integers; nil if absent.
func (a *Attrs) Ints(name string) []int {
	v := get[[]int64](a, name, nil)
	if v == nil {
		return nil
	}
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}

// Int64s returns a list of integers; nil if absent.
func (a *Attrs) Int64s(name string) []int64 { return get[[]int64](a, name, nil) }

// Floats returns a list of floats; nil if absent.
func (a *Attrs) Floats(name string) []float32 { return get[[]float32](a, name, nil) }

// Strings returns a list of strings; nil if absent.
func (a *Attrs) Strings(name string) []string { return get[[]string](a, name, nil) }

// Tensor returns a tensor attribute; nil if absent.
func (a *Attrs) Tensor(name string) *tensor.Tensor { return get[*tensor.Tensor](a, name, nil) }

// Tensors returns a list of tensors; nil if absent.
func (a *Attrs) Tensors(name string) []*tensor.Tensor { return get[[]*tensor.Tensor](a, name, nil) }

// Type returns a type attribute; the unknown type if absent.
func (a *Attrs) Type(name string) tensor.Type { return get(a, name, tensor.Type{}) }

// DType returns an integer attribute that names an element type; def if absent.
func (a *Attrs) DType(name string, def tensor.DType) tensor.DType {
	d := tensor.DType(get(a, name, int64(def)))
	if d != def && !d.Valid() {
		a.errs = append(a.errs, fmt.Errorf("attribute %s is %d, which is no element type", name, d))
	}
	return d
}

// Graph returns a graph attribute's signature; nil if absent.
func (a *Attrs) Graph(name string) *GraphAttr { return get[*GraphAttr](a, name, nil) }

// Ignore marks attributes that have no effect on the result.
func (a *Attrs) Ignore(names ...string) {
	for _, n := range names {
		a.read[n] = true
	}
}

// Errorf records an error about the attributes' values.
func (a *Attrs) Errorf(format string, args ...any) {
	a.errs = append(a.errs, fmt.Errorf(format, args...))
}

// Done returns what was wrong with the attributes: wrong types, bad values and attributes that nobody read.
func (a *Attrs) Done() error {
	var unread []string
	for n := range a.vals {
		if !a.read[n] {
			unread = append(unread, n)
		}
	}
	sort.Strings(unread)
	for _, n := range unread {
		a.errs = append(a.errs, fmt.Errorf("unknown attribute %s", n))
	}
	return errors.Join(a.errs...)
}
