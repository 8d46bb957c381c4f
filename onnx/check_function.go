package onnx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/schema"
)

func idOf(f *onnxpb.FunctionProto) functionID {
	return functionID{schema.Domain(f.GetDomain()), f.GetName(), f.GetOverload()}
}

// indexFunctions finds the model's functions by name, before any node is looked at.
func (c *checker) indexFunctions() {
	for i, f := range c.model.Functions {
		id := idOf(f)
		switch {
		case f.GetName() == "":
			c.add(fmt.Sprintf("function %d", i), "it has no name")
			continue
		case c.functions[id] != nil:
			c.add(fmt.Sprintf("function %v", id), "there are two of that name")
			continue
		}
		c.functions[id] = f
	}
	if len(c.model.Functions) > 0 && c.ir < 8 {
		c.add("", "functions need IR version 8, not %d", c.ir)
	}
}

func (c *checker) checkFunctions(opsets map[string]int) {
	for _, f := range c.model.Functions {
		if f.GetName() != "" {
			c.checkFunction(f, opsets)
		}
	}
	c.checkRecursion()
}

func (c *checker) checkFunction(f *onnxpb.FunctionProto, modelOpsets map[string]int) {
	where := fmt.Sprintf("function %v", idOf(f))
	if f.Domain == nil {
		c.add(where, "it has no domain")
	}
	if f.GetOverload() != "" && c.ir < 10 {
		c.add(where, "overloads need IR version 10, not %d", c.ir)
	}
	env := &checkEnv{where: where, opsets: c.opsets(where, f.OpsetImport), body: f}
	c.checkFunctionOpsets(where, f, env.opsets, modelOpsets)
	c.checkFunctionAttributes(where, f)
	declared := c.valueInfos(where, f.ValueInfo)
	scope := newScope(nil)
	for _, name := range f.Input {
		if _, ok := scope.values[name]; ok {
			c.add(where, "input %q occurs twice", name)
		}
		scope.values[name] = declared[name]
	}
	c.checkNodes(env, f.Node, scope, declared)
	seen := map[string]bool{}
	for _, name := range f.Output {
		if seen[name] {
			c.add(where, "output %q occurs twice", name)
		}
		seen[name] = true
		if _, ok := scope.values[name]; !ok {
			c.add(where, "nothing computes the output %q", name)
		}
	}
}

// checkFunctionOpsets checks that the operators of a body mean the same under the model's opsets, where the model imports
// the domain, too.
func (c *checker) checkFunctionOpsets(where string, f *onnxpb.FunctionProto, own, model map[string]int) {
	reported := map[string]bool{}
	for i, n := range f.Node {
		domain := schema.Domain(n.GetDomain())
		mine, ok1 := own[domain]
		theirs, ok2 := model[domain]
		if !ok1 || !ok2 || mine == theirs || reported[n.GetOpType()] {
			continue
		}
		a, hasA := schema.Lookup(domain, n.GetOpType(), mine)
		b, hasB := schema.Lookup(domain, n.GetOpType(), theirs)
		if hasA && a != b || hasA != hasB {
			reported[n.GetOpType()] = true
			c.add(inside(where, nodeName(n, i, a)), "the operator differs between opset %d of the function and %d of the model", mine, theirs)
		}
	}
}

func (c *checker) checkFunctionAttributes(where string, f *onnxpb.FunctionProto) {
	seen := map[string]bool{}
	for _, name := range f.Attribute {
		if seen[name] {
			c.add(where, "attribute %s occurs twice", name)
		}
		seen[name] = true
	}
	if len(f.AttributeProto) > 0 && c.ir < 9 {
		c.add(where, "attributes with defaults need IR version 9, not %d", c.ir)
	}
	for _, a := range f.AttributeProto {
		if seen[a.GetName()] {
			c.add(where, "attribute %s occurs twice", a.GetName())
		}
		seen[a.GetName()] = true
		c.checkAttribute(where, a, nil)
	}
}

func hasAttribute(f *onnxpb.FunctionProto, name string) bool {
	return slices.Contains(f.Attribute, name) ||
		slices.ContainsFunc(f.AttributeProto, func(a *onnxpb.AttributeProto) bool { return a.GetName() == name })
}

// checkCall checks a node that calls a function of the model.
func (c *checker) checkCall(where string, n *onnxpb.NodeProto, f *onnxpb.FunctionProto, env *checkEnv) {
	if _, ok := env.opsets[schema.Domain(n.GetDomain())]; !ok {
		c.add(where, "domain %s is not imported", domainName(schema.Domain(n.GetDomain())))
	}
	if len(n.Input) > len(f.Input) {
		c.add(where, "it has %d inputs, the function %d", len(n.Input), len(f.Input))
	}
	if len(n.Output) > len(f.Output) {
		c.add(where, "it has %d outputs, the function %d", len(n.Output), len(f.Output))
	}
	c.checkAttributes(where, n, nil, env)
	for _, a := range n.Attribute {
		if !hasAttribute(f, a.GetName()) && !strings.HasPrefix(a.GetName(), "__") {
			c.add(where, "the function has no attribute %s", a.GetName())
		}
	}
}

// checkRecursion reports functions that call themselves, directly or through others.
func (c *checker) checkRecursion() {
	const (
		onPath = 1
		done   = 2
	)
	state := map[functionID]int{}
	var path []functionID
	var visit func(id functionID)
	visit = func(id functionID) {
		state[id] = onPath
		path = append(path, id)
		for _, callee := range c.callees(c.functions[id].Node) {
			switch state[callee] {
			case onPath:
				var names []string
				for _, p := range append(path[slices.Index(path, callee):], callee) {
					names = append(names, p.String())
				}
				c.add(fmt.Sprintf("function %v", callee), "it calls itself: %s", strings.Join(names, " → "))
			case 0:
				visit(callee)
			}
		}
		path = path[:len(path)-1]
		state[id] = done
	}
	for _, f := range c.model.Functions {
		if id := idOf(f); c.functions[id] != nil && state[id] == 0 {
			visit(id)
		}
	}
}

// callees lists the functions that nodes call, those of subgraphs included.
func (c *checker) callees(nodes []*onnxpb.NodeProto) []functionID {
	var ids []functionID
	for _, n := range nodes {
		id := functionID{schema.Domain(n.GetDomain()), n.GetOpType(), n.GetOverload()}
		if c.functions[id] != nil && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		for _, a := range n.Attribute {
			for _, g := range append(slices.Clip(a.Graphs), a.G) {
				for _, inner := range c.callees(g.GetNode()) {
					if !slices.Contains(ids, inner) {
						ids = append(ids, inner)
					}
				}
			}
		}
	}
	return ids
}
