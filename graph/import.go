package graph

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/schema"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// maxDepth bounds the nesting of subgraphs and function calls.
const maxDepth = 100

// maxNodes bounds the size that function expansion can reach.
const maxNodes = 4 << 20

// Import lowers a model's main graph. Weights alias the model's memory: the model must stay open as long as the graph or a
// session made from it is in use.
func Import(m *onnx.Model) (*Graph, error) {
	p := m.Proto
	if p.GetGraph() == nil {
		return nil, errors.New("the model has no graph")
	}
	im := &importer{model: m, ir: int(p.GetIrVersion()), functions: map[functionID]*onnxpb.FunctionProto{}}
	for _, f := range p.GetFunctions() {
		im.functions[functionID{schema.Domain(f.GetDomain()), f.GetName(), f.GetOverload()}] = f
	}
	opsets, err := opsetMap(p.GetOpsetImport(), im.ir)
	if err != nil {
		return nil, err
	}
	g, err := im.graph(p.GetGraph(), scope{opsets: opsets}, nil)
	if err != nil {
		return nil, err
	}
	g.IR, g.Producer = im.ir, p.GetProducerName()
	g.Metadata = map[string]string{}
	for _, e := range p.GetMetadataProps() {
		g.Metadata[e.GetKey()] = e.GetValue()
	}
	return g, nil
}

func opsetMap(imports []*onnxpb.OperatorSetIdProto, ir int) (map[string]int, error) {
	opsets := map[string]int{}
	for _, o := range imports {
		d := schema.Domain(o.GetDomain())
		v := int(o.GetVersion())
		if newest := schema.Newest(d); v < 1 || newest > 0 && v > newest && d != ops.Microsoft {
			return nil, fmt.Errorf("opset %d of domain %q is not known; the newest known is %d", v, domainName(d), newest)
		}
		opsets[d] = v
	}
	if len(imports) == 0 && ir < 3 {
		opsets[""] = 1
	}
	return opsets, nil
}

func domainName(d string) string {
	if d == "" {
		return "ai.onnx"
	}
	return d
}

type functionID struct{ domain, name, overload string }

// importer holds what is the same for all graphs of a model.
type importer struct {
	model     *onnx.Model
	ir        int
	functions map[functionID]*onnxpb.FunctionProto
	nodes     int // nodes made so far
	calls     int // function calls expanded so far, for unique names
}

// scope is what the names in a graph or function body mean.
type scope struct {
	values map[string]*Value
	outer  *scope
	opsets map[string]int
	attrs  map[string]any // values of ref_attr_name; nil outside functions
	prefix string         // added to names inside expanded functions
	stack  []functionID   // functions being expanded
	depth  int
}

// lookup finds the value of a name. It is nil for an optional input that a function's caller left out.
func (s *scope) lookup(name string) (*Value, bool) {
	for ; s != nil; s = s.outer {
		if v, ok := s.values[name]; ok {
			return v, true
		}
	}
	return nil, false
}

// graph imports a graph; outer is the graph whose node holds it.
func (im *importer) graph(p *onnxpb.GraphProto, sc scope, outer *Graph) (*Graph, error) {
	if sc.depth > maxDepth {
		return nil, fmt.Errorf("graph %q: nested deeper than %d", p.GetName(), maxDepth)
	}
	g := &Graph{Name: p.GetName(), Doc: p.GetDocString(), Outer: outer, Opsets: sc.opsets}
	sc.values = map[string]*Value{}
	if err := im.initializers(g, p, &sc); err != nil {
		return nil, err
	}
	if err := im.inputs(g, p, &sc); err != nil {
		return nil, err
	}
	declared := map[string]tensor.Type{}
	for _, vi := range p.GetValueInfo() {
		if t, err := onnx.Type(vi.GetType()); err == nil {
			declared[vi.GetName()] = t
		}
	}
	if err := im.body(g, p.GetNode(), &sc, declared); err != nil {
		return nil, err
	}
	for _, o := range p.GetOutput() {
		v, _ := sc.lookup(o.GetName())
		if v == nil {
			return nil, fmt.Errorf("graph %q: output %q is produced by no node", p.GetName(), o.GetName())
		}
		if t, err := onnx.Type(o.GetType()); err == nil && v.Node != nil && v.Declared.Kind == tensor.KindUnknown {
			v.Declared = t
		}
		g.Outputs = append(g.Outputs, v)
	}
	return g, nil
}

func (im *importer) initializers(g *Graph, p *onnxpb.GraphProto, sc *scope) error {
	for _, t := range p.GetInitializer() {
		c, err := im.model.Tensor(t)
		if err != nil {
			return fmt.Errorf("initializer %q: %w", t.GetName(), err)
		}
		if err := sc.define(NewConst(sc.prefix+t.GetName(), c), t.GetName()); err != nil {
			return err
		}
	}
	for _, s := range p.GetSparseInitializer() {
		name := s.GetValues().GetName()
		c, err := im.model.Dense(s)
		if err != nil {
			return fmt.Errorf("sparse initializer %q: %w", name, err)
		}
		if err := sc.define(NewConst(sc.prefix+name, c), name); err != nil {
			return err
		}
	}
	return nil
}

// define makes a value visible under the name that the file gives it.
func (s *scope) define(v *Value, name string) error {
	if _, ok := s.values[name]; ok {
		return fmt.Errorf("value %q is defined twice", name)
	}
	s.values[name] = v
	return nil
}

// inputs imports the formal inputs. Before IR version 4 every initializer had to be listed among the inputs and is a plain
// constant; since then one that is listed gives an input's default.
func (im *importer) inputs(g *Graph, p *onnxpb.GraphProto, sc *scope) error {
	for _, in := range p.GetInput() {
		t, err := onnx.Type(in.GetType())
		if err != nil {
			return fmt.Errorf("input %q: %w", in.GetName(), err)
		}
		t = withoutPlaceholders(t)
		v := &Value{Name: in.GetName(), Declared: t, Type: t, Doc: in.GetDocString()}
		if c, ok := sc.values[in.GetName()]; ok {
			if c.Const == nil {
				return fmt.Errorf("input %q is listed twice", in.GetName())
			}
			if im.ir < 4 || g.Outer != nil {
				continue
			}
			v.Default = c.Const
			delete(sc.values, in.GetName())
		}
		if err := sc.define(v, in.GetName()); err != nil {
			return err
		}
		g.Inputs = append(g.Inputs, v)
	}
	return nil
}

// body imports nodes into g, expanding function calls.
func (im *importer) body(g *Graph, nodes []*onnxpb.NodeProto, sc *scope, declared map[string]tensor.Type) error {
	last := redefined(nodes)
	for i, p := range inOrder(nodes) {
		label := nodeLabel(p, i)
		if p.GetOpType() == "Constant" && len(p.GetOutput()) == 1 && last[p.GetOutput()[0]] != nil {
			if _, ok := sc.values[p.GetOutput()[0]]; ok {
				continue
			}
			p = last[p.GetOutput()[0]]
		}
		if im.nodes++; im.nodes > maxNodes {
			return fmt.Errorf("%s: the model expands to more than %d nodes", label, maxNodes)
		}
		inputs := make([]*Value, len(p.GetInput()))
		for k, name := range p.GetInput() {
			if name == "" {
				continue
			}
			v, ok := sc.lookup(name)
			if inputs[k] = v; !ok {
				return fmt.Errorf("%s: input %q is not defined before its use", label, name)
			}
		}
		id := functionID{schema.Domain(p.GetDomain()), p.GetOpType(), p.GetOverload()}
		var err error
		if f, ok := im.functions[id]; ok {
			err = im.call(g, p, id, f, inputs, sc)
		} else {
			err = im.node(g, p, inputs, sc, declared)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", label, err)
		}
	}
	return nil
}

func nodeLabel(p *onnxpb.NodeProto, i int) string {
	op := p.GetOpType()
	if d := schema.Domain(p.GetDomain()); d != "" {
		op = d + "." + op
	}
	if p.GetName() != "" {
		return fmt.Sprintf("node %q (%s)", p.GetName(), op)
	}
	for _, o := range p.GetOutput() {
		if o != "" {
			return fmt.Sprintf("node of output %q (%s)", o, op)
		}
	}
	return fmt.Sprintf("node %d (%s)", i, op)
}

// node imports one node that is no function call.
func (im *importer) node(g *Graph, p *onnxpb.NodeProto, inputs []*Value, sc *scope, declared map[string]tensor.Type) error {
	n := &Node{Name: p.GetName(), OpType: p.GetOpType(), Domain: schema.Domain(p.GetDomain()), Inputs: trim(inputs), Doc: p.GetDocString()}
	if n.Name != "" {
		n.Name = sc.prefix + n.Name
	}
	opset, ok := sc.opsets[n.Domain]
	if !ok {
		if n.Domain != "" && schema.Newest(n.Domain) == 0 {
			return fmt.Errorf("%w operator: domain %q is not known", ops.ErrUnsupported, n.Domain)
		}
		if opset, ok = sc.implied(n.Domain); !ok {
			return fmt.Errorf("the model imports no opset of domain %q", domainName(n.Domain))
		}
	}
	n.Opset = opset
	var err error
	if n.Attrs, err = im.attributes(g, p, sc); err != nil {
		return err
	}
	for k, name := range p.GetOutput() {
		if name == "" {
			n.Outputs = append(n.Outputs, nil)
			continue
		}
		v := &Value{Name: sc.prefix + name, Declared: declared[name], Node: n, Out: k}
		v.Type = v.Declared
		if err := sc.define(v, name); err != nil {
			return err
		}
		n.Outputs = append(n.Outputs, v)
	}
	n.Outputs = trim(n.Outputs)
	if err := n.Bind(); err != nil {
		return err
	}
	g.Nodes = append(g.Nodes, n)
	return nil
}

// redefined maps a name that several Constant nodes define to the last of them. Tools that patch graphs append a Constant to
// change one; runtimes that turn Constants into initializers let the last one win, wherever it stands.
func redefined(nodes []*onnxpb.NodeProto) map[string]*onnxpb.NodeProto {
	first := map[string]bool{}
	var last map[string]*onnxpb.NodeProto
	for _, p := range nodes {
		if p.GetOpType() != "Constant" || schema.Domain(p.GetDomain()) != "" || len(p.GetOutput()) != 1 {
			continue
		}
		name := p.GetOutput()[0]
		if first[name] {
			if last == nil {
				last = map[string]*onnxpb.NodeProto{}
			}
			last[name] = p
		}
		first[name] = true
	}
	return last
}

// implied returns the version of a domain that models use without importing it: files of old optimizers do.
func (s *scope) implied(domain string) (int, bool) {
	switch domain {
	case ops.Microsoft:
		return 1, true
	case ops.ML:
		return schema.Newest(domain), true
	}
	return 0, false
}

// trim drops absent values at the end.
func trim(vs []*Value) []*Value {
	for len(vs) > 0 && vs[len(vs)-1] == nil {
		vs = vs[:len(vs)-1]
	}
	return vs
}

// call expands a model-local function in place.
func (im *importer) call(g *Graph, p *onnxpb.NodeProto, id functionID, f *onnxpb.FunctionProto, inputs []*Value, sc *scope) error {
	for _, s := range sc.stack {
		if s == id {
			return fmt.Errorf("function %s calls itself", id.name)
		}
	}
	if sc.depth+1 > maxDepth {
		return fmt.Errorf("function calls nested deeper than %d", maxDepth)
	}
	if len(inputs) > len(f.GetInput()) || len(p.GetOutput()) > len(f.GetOutput()) {
		return fmt.Errorf("%d inputs and %d outputs for function %s, which has %d and %d", len(inputs), len(p.GetOutput()), id.name, len(f.GetInput()), len(f.GetOutput()))
	}
	opsets, err := opsetMap(f.GetOpsetImport(), im.ir)
	if err != nil {
		return err
	}
	attrs, err := im.callAttributes(g, p, f, sc)
	if err != nil {
		return err
	}
	im.calls++
	inner := scope{values: map[string]*Value{}, opsets: opsets, attrs: attrs, depth: sc.depth + 1,
		prefix: fmt.Sprintf("%s%s_%d/", sc.prefix, id.name, im.calls), stack: append(append([]functionID{}, sc.stack...), id)}
	for i, name := range f.GetInput() {
		var v *Value
		if i < len(inputs) {
			v = inputs[i]
		}
		inner.values[name] = v // nil: the caller left it out
	}
	if err := im.body(g, f.GetNode(), &inner, nil); err != nil {
		return err
	}
	for i, name := range p.GetOutput() {
		if name == "" {
			continue
		}
		v, _ := inner.lookup(f.GetOutput()[i])
		if v == nil {
			return fmt.Errorf("function %s does not produce its output %q", id.name, f.GetOutput()[i])
		}
		if err := sc.define(v, name); err != nil {
			return err
		}
		if v.Node != nil && len(sc.stack) == 0 {
			v.Name = sc.prefix + name
		}
	}
	return nil
}

// withoutPlaceholders makes dimensions unknown whose name exporters write for any unknown dimension, so that equal names
// mean nothing.
func withoutPlaceholders(t tensor.Type) tensor.Type {
	if t.Kind != tensor.KindTensor || !t.Ranked {
		return t
	}
	dims := make([]tensor.Dim, len(t.Dims))
	for i, d := range t.Dims {
		dims[i] = d
		sym, _ := d.Symbol()
		switch strings.ToLower(sym) {
		case "?", "none", "-1", "unk", "unknown", "dynamic", "any", "*":
			dims[i] = tensor.Dim{}
		}
	}
	return t.WithDims(dims...)
}
