// Package schema holds the signatures of the operators of the ONNX standard in
// every version (domains ai.onnx, ai.onnx.ml, ai.onnx.preview,
// ai.onnx.preview.training), and of the operators of com.microsoft that
// optimizers, quantizers and LLM builders write (two of which are in ai.onnx): names, arities, attributes and
// the types that inputs and outputs may have. It says nothing of what an
// operator computes.
package schema

import (
	"cmp"
	"iter"
	"slices"
	"sort"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// Unbounded is MaxIn or MaxOut of an operator whose last parameter is variadic.
const Unbounded = -1

// Op is the signature of one operator version. It is shared: callers must not
// change it.
type Op struct {
	Domain          string // "" is ai.onnx
	Name            string
	Since           int  // the opset that brought this version
	Deprecated      bool // the standard withdrew the operator in this version
	Function        bool // the standard defines it by a function body
	Extension       bool // ONNX Runtime adds it to ai.onnx; the standard does not have it
	AnyAttribute    bool // attributes besides Attrs are allowed
	Inputs, Outputs []Param
	MinIn, MaxIn    int
	MinOut, MaxOut  int
	OutCounts       []int // the only numbers of outputs allowed; nil: MinOut to MaxOut
	Attrs           []Attr
	Constraints     []Constraint // the type variables, in the standard's order
}

// Kind says how often a parameter may occur.
type Kind uint8

// The kinds of parameters. Optional ones may be left out or given as "";
// only the last parameter may be Variadic.
const (
	Single Kind = iota
	Optional
	Variadic
)

// Param is a formal input or output.
type Param struct {
	Name          string
	Type          string  // type variable (a name in Constraints) or a concrete type as "tensor(int64)"
	Types         TypeSet // what Type allows
	Kind          Kind
	Heterogeneous bool // the arguments of a variadic parameter may differ in type
}

// Constraint is a type variable and the types that it may stand for. All
// parameters with the same variable have the same type, except those of a
// heterogeneous variadic parameter.
type Constraint struct {
	Name  string
	Types TypeSet
}

// Attr is a formal attribute. Default is nil or an int64, float32, string,
// []int64, []float32 or []string.
type Attr struct {
	Name     string
	Type     AttrType
	Required bool
	Default  any
}

// AttrType is the type of an attribute; the values are those of
// AttributeProto.AttributeType.
type AttrType uint8

// The attribute types of the standard.
const (
	AttrUndefined AttrType = iota
	AttrFloat
	AttrInt
	AttrString
	AttrTensor
	AttrGraph
	AttrFloats
	AttrInts
	AttrStrings
	AttrTensors
	AttrGraphs
	AttrSparseTensor
	AttrSparseTensors
	AttrTypeProto
	AttrTypeProtos
)

var attrTypeNames = [...]string{"undefined", "float", "int", "string", "tensor", "graph", "floats", "ints", "strings",
	"tensors", "graphs", "sparse_tensor", "sparse_tensors", "type_proto", "type_protos"}

func (t AttrType) String() string {
	if int(t) < len(attrTypeNames) {
		return attrTypeNames[t]
	}
	return "invalid"
}

// Domain returns the one spelling of a domain: ai.onnx is "".
func Domain(d string) string {
	if d == "ai.onnx" {
		return ""
	}
	return d
}

// Lookup returns the version of an operator that a model has which imports
// opset of its domain: the row with the largest Since ≤ opset.
func Lookup(domain, name string, opset int) (*Op, bool) {
	t := loaded()
	versions := t.versions(Domain(domain), name)
	i := sort.Search(len(versions), func(i int) bool { return versions[i].Since > opset })
	if i == 0 {
		return nil, false
	}
	return &versions[i-1], true
}

// Versions returns all versions of an operator, oldest first; nil if the table
// has none. The slice must not be changed.
func Versions(domain, name string) []Op { return loaded().versions(Domain(domain), name) }

// Newest returns the newest opset of the domain that the table covers, or 0 if
// it knows no operator of the domain.
func Newest(domain string) int { return loaded().newest[Domain(domain)] }

// Domains returns the domains in the table, sorted; "" is ai.onnx.
func Domains() []string {
	var ds []string
	for d := range loaded().newest {
		ds = append(ds, d)
	}
	slices.Sort(ds)
	return ds
}

// Ops yields every operator version, sorted by domain, name and version.
func Ops() iter.Seq[*Op] {
	return func(yield func(*Op) bool) {
		ops := loaded().ops
		for i := range ops {
			if !yield(&ops[i]) {
				return
			}
		}
	}
}

// Input returns the formal parameter of the i-th argument, or nil if the
// operator takes no such argument. A variadic parameter stands for all further
// arguments.
func (o *Op) Input(i int) *Param { return at(o.Inputs, i) }

// Output returns the formal parameter of the i-th result, as Input does.
func (o *Op) Output(i int) *Param { return at(o.Outputs, i) }

func at(params []Param, i int) *Param {
	switch n := len(params); {
	case i < 0 || n == 0:
		return nil
	case i < n:
		return &params[i]
	case params[n-1].Kind == Variadic:
		return &params[n-1]
	}
	return nil
}

// InputTypes returns the types that the i-th argument may have; the empty set
// if the operator takes no such argument.
func (o *Op) InputTypes(i int) TypeSet { return typesAt(o.Inputs, i) }

// OutputTypes returns the types that the i-th result may have.
func (o *Op) OutputTypes(i int) TypeSet { return typesAt(o.Outputs, i) }

func typesAt(params []Param, i int) TypeSet {
	if p := at(params, i); p != nil {
		return p.Types
	}
	return TypeSet{}
}

// Attr returns the formal attribute, or nil if the operator has none of that name.
func (o *Op) Attr(name string) *Attr {
	for i := range o.Attrs {
		if o.Attrs[i].Name == name {
			return &o.Attrs[i]
		}
	}
	return nil
}

// Constraint returns the types of a type variable; ok is false if the operator
// has no variable of that name.
func (o *Op) Constraint(variable string) (types TypeSet, ok bool) {
	for _, c := range o.Constraints {
		if c.Name == variable {
			return c.Types, true
		}
	}
	return TypeSet{}, false
}

// ResultType returns the element type that the i-th result must have when it
// follows from the types alone: the type allowed if there is only one, else
// that of an argument with the same type variable. The shape is unknown. The
// zero Type says that it does not follow; in may be shorter than the arguments
// and hold unknown types.
func (o *Op) ResultType(i int, in []tensor.Type) tensor.Type {
	p := o.Output(i)
	if p == nil {
		return tensor.Type{}
	}
	if t, ok := p.Types.Only(); ok {
		return t
	}
	if p.Kind == Variadic && p.Heterogeneous {
		return tensor.Type{}
	}
	for j, t := range in {
		q := o.Input(j)
		if q != nil && q.Type == p.Type && !q.Heterogeneous && Known(t) {
			return withoutShape(t)
		}
	}
	return tensor.Type{}
}

func compareOps(a, b Op) int {
	return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Name, b.Name), a.Since-b.Since)
}
