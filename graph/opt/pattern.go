package opt

import (
	"math"
	"slices"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// Pattern describes a value by how it is computed. Patterns are immutable.
type Pattern interface {
	// match binds v and calls then; it returns whether some way of matching made then return true. Bindings are undone
	// before it returns false.
	match(m *Match, v *graph.Value, then func() bool) bool
}

// Match is what a pattern was bound to.
type Match struct {
	Root   *graph.Node
	values map[string]*graph.Value
	nodes  map[string]*graph.Node
	inner  []*graph.Node // every node that the pattern covers, the root first
}

// Value returns the value bound to a variable, or nil.
func (m *Match) Value(name string) *graph.Value { return m.values[name] }

// Node returns the node that a pattern named with As matched, or nil.
func (m *Match) Node(name string) *graph.Node { return m.nodes[name] }

// Tensor returns the constant bound to a variable, or nil.
func (m *Match) Tensor(name string) *tensor.Tensor { return m.values[name].Tensor() }

type variable struct {
	name  string
	check func(*graph.Value) bool
}

// Var matches any value and binds it; a second Var of the same name matches the same value only.
func Var(name string) Pattern { return variable{name, nil} }

// VarIf is Var for values that satisfy check.
func VarIf(name string, check func(*graph.Value) bool) Pattern { return variable{name, check} }

// ConstVar is Var for constant tensors.
func ConstVar(name string) Pattern {
	return variable{name, func(v *graph.Value) bool { return v.Tensor() != nil }}
}

func (p variable) match(m *Match, v *graph.Value, then func() bool) bool {
	if v == nil {
		return false
	}
	if have, ok := m.values[p.name]; ok {
		return have == v && then()
	}
	if p.check != nil && !p.check(v) {
		return false
	}
	if m.values == nil {
		m.values = map[string]*graph.Value{}
	}
	m.values[p.name] = v
	if then() {
		return true
	}
	delete(m.values, p.name)
	return false
}

type absent struct{}

// Absent matches an optional input that is left out.
var Absent Pattern = absent{}

func (absent) match(_ *Match, v *graph.Value, then func() bool) bool { return v == nil && then() }

type constant struct {
	want float64
	rtol float64
}

// Const matches a constant tensor of one element with this value, up to the rounding of float32.
func Const(want float64) Pattern { return constant{want, 2e-6} }

// ConstNear is Const with another relative tolerance, for constants that exporters write with few digits.
func ConstNear(want, rtol float64) Pattern { return constant{want, rtol} }

func (p constant) match(_ *Match, v *graph.Value, then func() bool) bool {
	f, ok := Scalar(v)
	return ok && math.Abs(f-p.want) <= p.rtol*math.Abs(p.want) && then()
}

// Scalar returns the value of a constant tensor with one element.
func Scalar(v *graph.Value) (float64, bool) {
	t := v.Tensor()
	if t == nil || t.Len() != 1 {
		return 0, false
	}
	f, err := t.Floats()
	if err != nil {
		return 0, false
	}
	return f[0], true
}

type anyOf []Pattern

// AnyOf matches what one of the patterns matches, tried in order.
func AnyOf(ps ...Pattern) Pattern { return anyOf(ps) }

func (ps anyOf) match(m *Match, v *graph.Value, then func() bool) bool {
	for _, p := range ps {
		if p.match(m, v, then) {
			return true
		}
	}
	return false
}

// Call matches an output of an operator applied to arguments.
type Call struct {
	domain string
	ops    []string
	args   []Pattern
	out    int
	name   string
	check  func(*graph.Node) bool
	prefix bool // more inputs than args are allowed
}

// Op matches output 0 of an operator of the default domain. The arguments of commutative operators match in any order;
// absent optional inputs at the end need no argument.
func Op(op string, args ...Pattern) *Call { return &Call{ops: []string{op}, args: args} }

// OpIn is Op for another domain.
func OpIn(domain, op string, args ...Pattern) *Call {
	return &Call{domain: domain, ops: []string{op}, args: args}
}

// OneOf is Op for any of several operators.
func OneOf(ops []string, args ...Pattern) *Call { return &Call{ops: ops, args: args} }

// As names the node, for Match.Node.
func (c *Call) As(name string) *Call {
	d := *c
	d.name = name
	return &d
}

// Output matches output i instead of output 0.
func (c *Call) Output(i int) *Call {
	d := *c
	d.out = i
	return &d
}

// If adds a condition on the node.
func (c *Call) If(check func(*graph.Node) bool) *Call {
	d := *c
	d.check = check
	return &d
}

// More allows inputs after the listed ones.
func (c *Call) More() *Call {
	d := *c
	d.prefix = true
	return &d
}

func commutative(op string) bool {
	switch op {
	case "Add", "Mul", "And", "Or", "Xor", "Equal", "Max", "Min", "Sum":
		return true
	}
	return false
}

func (c *Call) match(m *Match, v *graph.Value, then func() bool) bool {
	if v == nil || v.Node == nil || v.Out != c.out {
		return false
	}
	n := v.Node
	if n.Domain != c.domain || !slices.Contains(c.ops, n.OpType) || len(n.Inputs) < len(c.args) && !c.fits(n) {
		return false
	}
	if !c.prefix && len(n.Inputs) > len(c.args) || c.check != nil && !c.check(n) {
		return false
	}
	if have, ok := m.nodes[c.name]; ok && c.name != "" && have != n {
		return false
	}
	added := !slices.Contains(m.inner, n)
	if added {
		m.inner = append(m.inner, n)
	}
	named := c.name != "" && m.nodes[c.name] == nil
	if named {
		if m.nodes == nil {
			m.nodes = map[string]*graph.Node{}
		}
		m.nodes[c.name] = n
	}
	if c.arguments(m, n, then) {
		return true
	}
	if named {
		delete(m.nodes, c.name)
	}
	if added {
		m.inner = slices.DeleteFunc(m.inner, func(x *graph.Node) bool { return x == n })
	}
	return false
}

// fits reports whether the arguments beyond the node's inputs may be absent.
func (c *Call) fits(n *graph.Node) bool {
	for _, a := range c.args[len(n.Inputs):] {
		if a != Absent {
			return false
		}
	}
	return true
}

func (c *Call) arguments(m *Match, n *graph.Node, then func() bool) bool {
	var from func(i int, perm []int) bool
	from = func(i int, perm []int) bool {
		if i == len(c.args) {
			return then()
		}
		var v *graph.Value
		if perm[i] < len(n.Inputs) {
			v = n.Inputs[perm[i]]
		}
		return c.args[i].match(m, v, func() bool { return from(i+1, perm) })
	}
	order := make([]int, len(c.args))
	for i := range order {
		order[i] = i
	}
	if from(0, order) {
		return true
	}
	return len(c.args) == 2 && commutative(n.OpType) && from(0, []int{1, 0})
}
