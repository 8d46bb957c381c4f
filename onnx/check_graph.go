package onnx

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/schema"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// checkGraph checks a graph whose values go to scope, an empty scope inside that of the graph around it. given are the
// types that the operator passes to the inputs of a subgraph, as far as known. It returns the types of the outputs.
func (c *checker) checkGraph(env *checkEnv, g *onnxpb.GraphProto, scope *checkScope, given []tensor.Type) []tensor.Type {
	if g.GetName() == "" {
		c.add(env.where, "the graph has no name")
	}
	declared := c.valueInfos(env.where, g.ValueInfo)
	c.graphInputs(env, g, scope, given)
	c.graphInitializers(env, g, scope)
	c.checkNodes(env, g.Node, scope, declared)
	return c.graphOutputs(env, g, scope)
}

// valueInfos reads the types that value_info gives.
func (c *checker) valueInfos(where string, infos []*onnxpb.ValueInfoProto) map[string]tensor.Type {
	declared := make(map[string]tensor.Type, len(infos))
	for _, v := range infos {
		t := c.typeOf(inside(where, fmt.Sprintf("value_info %q", v.GetName())), v.GetType())
		if old, ok := declared[v.GetName()]; ok && !compatible(old, t) {
			c.add(where, "value_info gives %q two types, %s and %s", v.GetName(), typeName(old), typeName(t))
		}
		declared[v.GetName()] = t
	}
	return declared
}

func (c *checker) graphInputs(env *checkEnv, g *onnxpb.GraphProto, scope *checkScope, given []tensor.Type) {
	for i, v := range g.Input {
		name := v.GetName()
		where := inside(env.where, fmt.Sprintf("input %q", name))
		if name == "" {
			c.add(inside(env.where, fmt.Sprintf("input %d", i)), "it has no name")
			continue
		}
		if _, ok := scope.values[name]; ok {
			c.add(where, "the name occurs twice among the inputs")
			continue
		}
		if _, ok := scope.outer.find(name); ok {
			c.add(where, "the name hides a value of an outer graph")
		}
		t := c.valueType(where, v, env.main)
		if i < len(given) {
			if !compatible(t, given[i]) {
				c.add(where, "it is declared as %s but receives %s", typeName(t), typeName(given[i]))
			}
			if !schema.Known(t) {
				t = given[i]
			}
		}
		scope.values[name] = t
	}
}

// valueType returns the declared type of an input or output. Those of the main graph must have one, with a rank.
func (c *checker) valueType(where string, v *onnxpb.ValueInfoProto, need bool) tensor.Type {
	t := c.typeOf(where, v.GetType())
	if !need {
		return t
	}
	switch {
	case t.Kind == tensor.KindUnknown && v.GetType().GetValue() == nil:
		c.add(where, "it has no type")
	case t.Kind != tensor.KindUnknown && t.Kind != tensor.KindOpaque && !schema.Known(t):
		c.add(where, "its type has no element type")
	case (t.Kind == tensor.KindTensor || t.Kind == tensor.KindSparse) && !t.Ranked:
		c.add(where, "its type has no shape; the main graph's inputs and outputs need a rank")
	}
	return t
}

func (c *checker) graphInitializers(env *checkEnv, g *onnxpb.GraphProto, scope *checkScope) {
	inputs := make(map[string]bool, len(g.Input))
	for _, v := range g.Input {
		inputs[v.GetName()] = true
	}
	seen := make(map[string]bool, len(g.Initializer))
	define := func(where, name string, t tensor.Type) {
		switch {
		case name == "":
			c.add(where, "it has no name")
			return
		case seen[name]:
			c.add(where, "the name occurs twice among the initializers")
			return
		}
		seen[name] = true
		if in, ok := scope.values[name]; ok {
			if !compatible(in, t) {
				c.add(where, "it is %s, but the input of that name is %s", typeName(t), typeName(in))
			}
			return
		}
		if c.ir > 0 && c.ir < 4 && !inputs[name] {
			c.add(where, "before IR version 4 an initializer must be an input of the graph, too")
		}
		if _, ok := scope.outer.find(name); ok {
			c.add(where, "the name hides a value of an outer graph")
		}
		scope.values[name] = t
	}
	for i, init := range g.Initializer {
		where := inside(env.where, fmt.Sprintf("initializer %q", init.GetName()))
		if init.GetName() == "" {
			where = inside(env.where, fmt.Sprintf("initializer %d", i))
		}
		c.checkTensor(where, init)
		define(where, init.GetName(), storedType(init))
	}
	for i, init := range g.SparseInitializer {
		where := inside(env.where, fmt.Sprintf("sparse initializer %q", init.GetValues().GetName()))
		if init.GetValues().GetName() == "" {
			where = inside(env.where, fmt.Sprintf("sparse initializer %d", i))
		}
		c.checkSparse(where, init)
		define(where, init.GetValues().GetName(), tensor.Type{})
	}
}

// graphOutputs checks that the outputs are values of the graph itself and returns their types.
func (c *checker) graphOutputs(env *checkEnv, g *onnxpb.GraphProto, scope *checkScope) []tensor.Type {
	types := make([]tensor.Type, len(g.Output))
	for i, v := range g.Output {
		name := v.GetName()
		where := inside(env.where, fmt.Sprintf("output %q", name))
		if name == "" {
			c.add(inside(env.where, fmt.Sprintf("output %d", i)), "it has no name")
			continue
		}
		declared := c.valueType(where, v, env.main)
		t, ok := scope.values[name]
		if !ok {
			if _, outer := scope.outer.find(name); outer {
				c.add(where, "it is a value of an outer graph; a subgraph must compute its outputs itself")
			} else {
				c.add(where, "nothing in the graph computes it")
			}
		} else if !compatible(declared, t) {
			c.add(where, "it is declared as %s but is %s", typeName(declared), typeName(t))
		}
		if types[i] = t; !schema.Known(t) {
			types[i] = declared
		}
	}
	return types
}

// checkNodes checks the nodes of a graph or function body in their order.
func (c *checker) checkNodes(env *checkEnv, nodes []*onnxpb.NodeProto, scope *checkScope, declared map[string]tensor.Type) {
	scope.nodes = nodes
	for i, n := range nodes {
		c.checkNode(env, n, i, scope, declared)
	}
	if scope.unsorted {
		c.reportCycle(env, nodes)
	}
}

// checkNode checks the i-th node of a graph or function body and adds its outputs to scope. declared has the types that
// value_info gives.
func (c *checker) checkNode(env *checkEnv, n *onnxpb.NodeProto, i int, scope *checkScope, declared map[string]tensor.Type) {
	op, fn := c.resolve(env, n)
	where := inside(env.where, nodeName(n, i, op))
	if n.GetOpType() == "" {
		c.add(where, "it has no op_type")
	}
	if len(n.Input) == 0 && len(n.Output) == 0 {
		c.add(where, "it has neither inputs nor outputs")
	}
	c.checkDevices(where, n)
	in := c.nodeInputs(where, n, scope)
	var out []tensor.Type
	switch {
	case op != nil && !op.Deprecated:
		c.checkArity(where, n, op)
		c.checkAttributes(where, n, op, env)
		sub := c.checkSubgraphs(env, where, n, scope, in)
		out = c.checkTypes(where, n, op, in, sub)
	case fn != nil:
		c.checkCall(where, n, fn, env)
		c.checkSubgraphs(env, where, n, scope, in)
	default:
		c.explainMissing(env, where, n, op)
		c.checkAttributes(where, n, nil, env)
		c.checkSubgraphs(env, where, n, scope, in)
	}
	for j, name := range n.Output {
		if name == "" {
			continue
		}
		var t tensor.Type
		if j < len(out) {
			t = out[j]
		}
		c.define(where, name, t, scope, declared)
	}
}

// nodeInputs looks up the arguments of a node; every one must be defined already.
func (c *checker) nodeInputs(where string, n *onnxpb.NodeProto, scope *checkScope) []tensor.Type {
	in := make([]tensor.Type, len(n.Input))
	for j, name := range n.Input {
		if name == "" {
			continue
		}
		var ok bool
		if in[j], ok = scope.find(name); ok {
			continue
		}
		if at := scope.computedLater(name); at != nil {
			at.unsorted = true
			c.add(where, "input %d, %q, is computed by a later node: the nodes are not in topological order", j, name)
		} else {
			c.add(where, "input %d, %q, is not defined", j, name)
		}
	}
	return in
}

// define adds a node's output to the scope. A value that exists already is not single assignment.
func (c *checker) define(where, name string, t tensor.Type, scope *checkScope, declared map[string]tensor.Type) {
	if _, ok := scope.values[name]; ok {
		c.add(where, "output %q is defined already", name)
		return
	}
	if _, ok := scope.outer.find(name); ok {
		c.add(where, "output %q hides a value of an outer graph", name)
	}
	if d, ok := declared[name]; ok {
		if !compatible(d, t) {
			c.add(where, "output %q is %s, but value_info says %s", name, typeName(t), typeName(d))
		}
		if !schema.Known(t) {
			t = d
		}
	}
	scope.values[name] = t
}

// nodeName names a node in messages: by its name, else by its position; with the operator and the version that applies.
func nodeName(n *onnxpb.NodeProto, i int, op *schema.Op) string {
	what := n.GetOpType()
	if d := schema.Domain(n.GetDomain()); d != "" {
		what = d + "." + what
	}
	if op != nil {
		what += fmt.Sprintf("-%d", op.Since)
	}
	if n.GetName() == "" {
		return fmt.Sprintf("node %d (%s)", i, what)
	}
	return fmt.Sprintf("node %q (%s)", n.GetName(), what)
}

func (c *checker) checkDevices(where string, n *onnxpb.NodeProto) {
	for _, d := range n.DeviceConfigurations {
		known := false
		for _, conf := range c.model.Configuration {
			known = known || conf.GetName() == d.GetConfigurationId()
		}
		if !known {
			c.add(where, "the model has no device configuration %q", d.GetConfigurationId())
		}
	}
}
