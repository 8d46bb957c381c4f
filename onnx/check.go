package onnx

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/schema"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// maxViolations bounds what Violations lists; a broken model can break a rule once per node.
const maxViolations = 100

// A Violation is one breach of the standard's rules.
type Violation struct {
	Where string // the place in the model: `node "add_1" (Add-14)`, `graph "main"`; parts from the outside in
	Text  string // what is wrong and what was expected
}

// String is the violation on one line.
func (v Violation) String() string {
	if v.Where == "" {
		return v.Text
	}
	return v.Where + ": " + v.Text
}

// Check reports every breach of the ONNX standard in the model as one error, a line each, or nil. See Violations.
func Check(m *Model) error {
	var errs []error
	for _, v := range Violations(m) {
		errs = append(errs, errors.New(v.String()))
	}
	return errors.Join(errs...)
}

// Violations lists the breaches of the ONNX standard in the model, at most 100 and then a line that counts the others.
// They are the rules of the IR specification and of the operators' signatures: versions, names (each value defined once,
// before its use, none hidden by a subgraph), arities, attributes, element types as far as they are known or follow from
// signatures, stored tensors, functions (which must not recurse) and training information. Shapes are the operators'
// business. Weights are not read, external files not opened.
//
// Operators are those of package schema and the model's own functions; any other domain is a violation, since nothing can
// be said about its operators.
func Violations(m *Model) []Violation {
	c := &checker{model: m.Proto, functions: map[functionID]*onnxpb.FunctionProto{}, unknown: map[string]bool{}}
	if c.model == nil {
		c.add("", "there is no model")
	} else {
		c.checkModel()
	}
	if c.more > 0 {
		c.found = append(c.found, Violation{Text: fmt.Sprintf("and %d more", c.more)})
	}
	return c.found
}

type checker struct {
	model     *onnxpb.ModelProto
	ir        int64
	functions map[functionID]*onnxpb.FunctionProto
	unknown   map[string]bool // domains reported as unknown
	found     []Violation
	more      int
}

// functionID identifies a model-local function.
type functionID struct{ domain, name, overload string }

func (id functionID) String() string {
	s := id.name
	if id.domain != "" {
		s = id.domain + "." + s
	}
	if id.overload != "" {
		s += ":" + id.overload
	}
	return s
}

func (c *checker) add(where, format string, args ...any) {
	if len(c.found) >= maxViolations {
		c.more++
		return
	}
	c.found = append(c.found, Violation{Where: where, Text: fmt.Sprintf(format, args...)})
}

// checkEnv is what the nodes of a graph or function body can refer to besides values.
type checkEnv struct {
	where  string         // the place of the graph, for messages; "" is the main graph
	opsets map[string]int // by domain
	main   bool           // the model's own graph, whose inputs and outputs need types
	body   *onnxpb.FunctionProto
}

// checkScope holds the values that are visible at some point of a graph, with what is known of their types.
type checkScope struct {
	outer    *checkScope
	values   map[string]tensor.Type
	nodes    []*onnxpb.NodeProto // of the graph
	later    map[string]bool     // every output of nodes, once asked for
	unsorted bool                // a node uses the output of a later one
}

func newScope(outer *checkScope) *checkScope {
	return &checkScope{outer: outer, values: map[string]tensor.Type{}}
}

// find returns the type of a visible value.
func (s *checkScope) find(name string) (tensor.Type, bool) {
	for ; s != nil; s = s.outer {
		if t, ok := s.values[name]; ok {
			return t, true
		}
	}
	return tensor.Type{}, false
}

// computedLater finds the graph, this or one around it, that computes a value which is not visible yet.
func (s *checkScope) computedLater(name string) *checkScope {
	for ; s != nil; s = s.outer {
		if s.later == nil {
			s.later = map[string]bool{}
			for _, n := range s.nodes {
				for _, out := range n.Output {
					s.later[out] = true
				}
			}
		}
		if s.later[name] {
			return s
		}
	}
	return nil
}

func (c *checker) checkModel() {
	p := c.model
	c.ir = p.GetIrVersion()
	switch newest := int64(onnxpb.Version_IR_VERSION); {
	case p.IrVersion == nil || c.ir <= 0:
		c.add("", "the model has no IR version")
	case c.ir > newest:
		c.add("", "IR version %d is newer than %d, the newest known", c.ir, newest)
	}
	opsets := c.modelOpsets()
	c.checkMetadata(p.MetadataProps)
	c.checkConfigurations()
	c.indexFunctions()
	env := &checkEnv{opsets: opsets, main: true}
	if p.Graph == nil {
		if len(p.Functions) == 0 {
			c.add("", "the model has no graph")
		}
	} else {
		c.checkGraph(env, p.Graph, newScope(nil), nil)
	}
	c.checkFunctions(opsets)
	for i, t := range p.TrainingInfo {
		c.checkTraining(fmt.Sprintf("training_info %d", i), t, opsets)
	}
}

// modelOpsets reads the model's imports. Before IR version 3 there were none: it is opset 1.
func (c *checker) modelOpsets() map[string]int {
	imports := c.model.OpsetImport
	if c.ir > 0 && c.ir < 3 {
		if len(imports) > 0 {
			c.add("", "a model of IR version %d cannot import opsets", c.ir)
		}
		return map[string]int{"": 1}
	}
	if len(imports) == 0 {
		c.add("", "the model imports no opset")
	}
	return c.opsets("", imports)
}

func (c *checker) opsets(where string, imports []*onnxpb.OperatorSetIdProto) map[string]int {
	opsets := map[string]int{}
	for _, id := range imports {
		domain, version := schema.Domain(id.GetDomain()), id.GetVersion()
		if old, ok := opsets[domain]; ok {
			if int64(old) != version {
				c.add(where, "domain %s is imported twice, as opset %d and %d", domainName(domain), old, version)
			}
			continue
		}
		newest := schema.Newest(domain)
		switch {
		case version < 1 || version != int64(int32(version)):
			c.add(where, "opset %d of domain %s is no version", version, domainName(domain))
		case newest > 0 && domain != "com.microsoft" && version > int64(newest):
			c.add(where, "opset %d of domain %s is newer than %d, the newest known", version, domainName(domain), newest)
		}
		opsets[domain] = int(int32(version))
	}
	return opsets
}

// domainName is how messages name a domain.
func domainName(d string) string {
	if d == "" {
		return "ai.onnx"
	}
	return d
}

func (c *checker) checkMetadata(props []*onnxpb.StringStringEntryProto) {
	seen := map[string]bool{}
	for _, p := range props {
		if seen[p.GetKey()] {
			c.add("", "metadata key %q occurs twice", p.GetKey())
		}
		seen[p.GetKey()] = true
	}
}

func (c *checker) checkConfigurations() {
	seen := map[string]bool{}
	for i, p := range c.model.Configuration {
		where := fmt.Sprintf("configuration %d", i)
		switch {
		case p.GetName() == "":
			c.add(where, "it has no name")
		case seen[p.GetName()]:
			c.add(where, "the name %q occurs twice", p.GetName())
		}
		seen[p.GetName()] = true
		if p.NumDevices == nil {
			c.add(where, "num_devices is missing")
		} else if n := len(p.Device); n > 0 && n != int(p.GetNumDevices()) {
			c.add(where, "it names %d devices, not %d", n, p.GetNumDevices())
		}
	}
}

// checkTraining checks the graphs of a training step and that its bindings go from outputs to initializers.
func (c *checker) checkTraining(where string, t *onnxpb.TrainingInfoProto, opsets map[string]int) {
	if c.ir < 7 {
		c.add(where, "training information needs IR version 7, not %d", c.ir)
	}
	state := newScope(nil)
	for _, init := range c.model.GetGraph().GetInitializer() {
		state.values[init.GetName()] = storedType(init)
	}
	targets := map[string]bool{}
	for _, g := range []*onnxpb.GraphProto{c.model.Graph, t.Algorithm} {
		for _, init := range g.GetInitializer() {
			targets[init.GetName()] = true
		}
	}
	for _, part := range []struct {
		name, binding string
		graph         *onnxpb.GraphProto
		bindings      []*onnxpb.StringStringEntryProto
	}{
		{"initialization", "initialization_binding", t.Initialization, t.InitializationBinding},
		{"algorithm", "update_binding", t.Algorithm, t.UpdateBinding},
	} {
		if part.graph != nil {
			scope := newScope(state)
			c.checkGraph(&checkEnv{where: where + ": " + part.name, opsets: opsets}, part.graph, scope, nil)
		}
		c.checkBindings(where+": "+part.binding, part.bindings, part.graph, targets)
	}
}

func (c *checker) checkBindings(where string, bindings []*onnxpb.StringStringEntryProto, g *onnxpb.GraphProto, targets map[string]bool) {
	outputs := map[string]bool{}
	for _, o := range g.GetOutput() {
		outputs[o.GetName()] = true
	}
	seen := map[string]bool{}
	for _, b := range bindings {
		if seen[b.GetKey()] {
			c.add(where, "%q is bound twice", b.GetKey())
		}
		seen[b.GetKey()] = true
		if !targets[b.GetKey()] {
			c.add(where, "%q is no initializer of the model or the algorithm", b.GetKey())
		}
		if !outputs[b.GetValue()] {
			c.add(where, "%q is no output of the graph", b.GetValue())
		}
	}
}

// inside puts a place inside another.
func inside(outer, inner string) string {
	return strings.TrimPrefix(outer+": "+inner, ": ")
}
