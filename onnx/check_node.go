package onnx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/schema"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// resolve finds what a node calls: a function of the model, or an operator in the version that the opset gives.
func (c *checker) resolve(env *checkEnv, n *onnxpb.NodeProto) (*schema.Op, *onnxpb.FunctionProto) {
	domain := schema.Domain(n.GetDomain())
	if fn := c.functions[functionID{domain, n.GetOpType(), n.GetOverload()}]; fn != nil {
		return nil, fn
	}
	if opset, ok := env.opsets[domain]; ok {
		op, _ := schema.Lookup(domain, n.GetOpType(), opset)
		return op, nil
	}
	return nil, nil
}

// explainMissing says why a node's operator cannot be used.
func (c *checker) explainMissing(env *checkEnv, where string, n *onnxpb.NodeProto, op *schema.Op) {
	domain := schema.Domain(n.GetDomain())
	opset, imported := env.opsets[domain]
	versions := schema.Versions(domain, n.GetOpType())
	switch {
	case n.GetOpType() == "":
	case !imported:
		c.add(where, "domain %s is not imported", domainName(domain))
	case op != nil:
		c.add(where, "the operator is deprecated since opset %d", op.Since)
	case schema.Newest(domain) == 0:
		if !c.unknown[domain] {
			c.add(where, "domain %s is unknown: neither the standard nor a function of the model has its operators", domain)
		}
		c.unknown[domain] = true
	case len(versions) > 0:
		c.add(where, "opset %d of %s does not have the operator; it came with opset %d", opset, domainName(domain), versions[0].Since)
	default:
		c.add(where, "domain %s has no such operator", domainName(domain))
	}
}

func (c *checker) checkArity(where string, n *onnxpb.NodeProto, op *schema.Op) {
	if len(n.Input) < op.MinIn || op.MaxIn != schema.Unbounded && len(n.Input) > op.MaxIn {
		c.add(where, "it has %d inputs, not %s", len(n.Input), bounds(op.MinIn, op.MaxIn))
	}
	if len(n.Output) < op.MinOut || op.MaxOut != schema.Unbounded && len(n.Output) > op.MaxOut {
		c.add(where, "it has %d outputs, not %s", len(n.Output), bounds(op.MinOut, op.MaxOut))
	} else if op.OutCounts != nil && !slices.Contains(op.OutCounts, len(n.Output)) {
		c.add(where, "it has %d outputs; allowed are %s", len(n.Output), strings.Trim(fmt.Sprint(op.OutCounts), "[]"))
	}
	for i, name := range n.Input {
		if p := op.Input(i); name == "" && p != nil && p.Kind == schema.Single {
			c.add(where, "input %d, %s, is left out but is not optional", i, p.Name)
		}
	}
	for i, name := range n.Output {
		if p := op.Output(i); name == "" && p != nil && p.Kind == schema.Single {
			c.add(where, "output %d, %s, is left out but is not optional", i, p.Name)
		}
	}
}

func bounds(least, most int) string {
	switch {
	case most == schema.Unbounded:
		return fmt.Sprintf("%d or more", least)
	case least == most:
		return fmt.Sprint(least)
	}
	return fmt.Sprintf("%d to %d", least, most)
}

// checkAttributes checks a node's attributes, against the signature if op is known.
func (c *checker) checkAttributes(where string, n *onnxpb.NodeProto, op *schema.Op, env *checkEnv) {
	seen := make(map[string]bool, len(n.Attribute))
	for _, a := range n.Attribute {
		name := a.GetName()
		if name == "" {
			c.add(where, "an attribute has no name")
			continue
		}
		if seen[name] {
			c.add(where, "attribute %s occurs twice", name)
			continue
		}
		seen[name] = true
		if !c.checkAttribute(where, a, env.body) || op == nil {
			continue
		}
		formal := op.Attr(name)
		switch {
		case formal != nil:
			c.checkAttrType(where, a, formal.Type)
		case !op.AnyAttribute && !strings.HasPrefix(name, "__"):
			c.add(where, "it has no attribute %s", name)
		}
	}
	if op == nil {
		return
	}
	for _, a := range op.Attrs {
		if a.Required && !seen[a.Name] {
			c.add(where, "attribute %s, of type %v, is missing", a.Name, a.Type)
		}
	}
}

func (c *checker) checkAttrType(where string, a *onnxpb.AttributeProto, want schema.AttrType) {
	got := schema.AttrType(a.GetType())
	if got == schema.AttrUndefined && c.ir == 1 {
		return // IR version 1 had no type field
	}
	if got != want {
		c.add(where, "attribute %s is of type %v, not %v", a.GetName(), got, want)
		return
	}
	missing := false
	if a.GetRefAttrName() == "" {
		switch want {
		case schema.AttrTensor:
			missing = a.T == nil
		case schema.AttrGraph:
			missing = a.G == nil
		case schema.AttrSparseTensor:
			missing = a.SparseTensor == nil
		case schema.AttrTypeProto:
			missing = a.Tp == nil
		}
	}
	if missing {
		c.add(where, "attribute %s has no value", a.GetName())
	}
}

// attributeFields returns the types of the value fields that an attribute has set.
func attributeFields(a *onnxpb.AttributeProto) []schema.AttrType {
	var set []schema.AttrType
	for _, f := range []struct {
		used bool
		typ  schema.AttrType
	}{
		{a.F != nil, schema.AttrFloat}, {a.I != nil, schema.AttrInt}, {a.S != nil, schema.AttrString},
		{a.T != nil, schema.AttrTensor}, {a.G != nil, schema.AttrGraph}, {a.Tp != nil, schema.AttrTypeProto},
		{a.SparseTensor != nil, schema.AttrSparseTensor}, {len(a.Floats) > 0, schema.AttrFloats},
		{len(a.Ints) > 0, schema.AttrInts}, {len(a.Strings) > 0, schema.AttrStrings},
		{len(a.Tensors) > 0, schema.AttrTensors}, {len(a.Graphs) > 0, schema.AttrGraphs},
		{len(a.SparseTensors) > 0, schema.AttrSparseTensors}, {len(a.TypeProtos) > 0, schema.AttrTypeProtos},
	} {
		if f.used {
			set = append(set, f.typ)
		}
	}
	return set
}

// checkAttribute checks an attribute in itself; fn is the function around it, if any. It reports whether its type can be
// compared with a signature.
func (c *checker) checkAttribute(where string, a *onnxpb.AttributeProto, fn *onnxpb.FunctionProto) bool {
	name := a.GetName()
	set := attributeFields(a)
	if ref := a.GetRefAttrName(); ref != "" {
		switch {
		case fn == nil:
			c.add(where, "attribute %s refers to %s, but only functions have attributes to refer to", name, ref)
		case !hasAttribute(fn, ref):
			c.add(where, "attribute %s refers to %s, which is no attribute of the function", name, ref)
		case len(set) > 0:
			c.add(where, "attribute %s has both a value and a reference to %s", name, ref)
		}
	}
	if len(set) > 1 {
		c.add(where, "attribute %s has values of the types %v and %v", name, set[0], set[1])
		return false
	}
	if c.ir > 1 && a.GetType() == onnxpb.AttributeProto_UNDEFINED {
		c.add(where, "attribute %s has no type", name)
		return false
	}
	if typ := schema.AttrType(a.GetType()); len(set) == 1 && typ != schema.AttrUndefined && set[0] != typ {
		c.add(where, "attribute %s is of type %v but has a value of type %v", name, typ, set[0])
		return false
	}
	inner := where + ": attribute " + name
	for _, t := range append(slices.Clip(a.Tensors), a.T) {
		if t != nil {
			c.checkTensor(inner, t)
		}
	}
	for _, t := range append(slices.Clip(a.SparseTensors), a.SparseTensor) {
		if t != nil {
			c.checkSparse(inner, t)
		}
	}
	return true
}

// checkSubgraphs checks the graphs among a node's attributes and returns the types of their outputs by attribute name. in
// are the types of the node's inputs.
func (c *checker) checkSubgraphs(env *checkEnv, where string, n *onnxpb.NodeProto, scope *checkScope, in []tensor.Type) map[string][]tensor.Type {
	var results map[string][]tensor.Type
	for _, a := range n.Attribute {
		if a.G == nil && len(a.Graphs) == 0 {
			continue
		}
		inner := &checkEnv{where: where + ": " + a.GetName(), opsets: env.opsets, body: env.body}
		if a.G != nil {
			if results == nil {
				results = map[string][]tensor.Type{}
			}
			given := subgraphInputs(n, a.G, in)
			results[a.GetName()] = c.checkGraph(inner, a.G, newScope(scope), given)
			c.checkBranch(inner.where, n, a.G)
		}
		for i, g := range a.Graphs {
			each := *inner
			each.where += fmt.Sprintf("[%d]", i)
			c.checkGraph(&each, g, newScope(scope), nil)
		}
	}
	return results
}

// checkBranch compares the number of a subgraph's inputs and outputs with what the control-flow node around it has.
func (c *checker) checkBranch(where string, n *onnxpb.NodeProto, g *onnxpb.GraphProto) {
	if schema.Domain(n.GetDomain()) != "" {
		return
	}
	switch n.GetOpType() {
	case "If":
		if len(g.Input) > 0 && c.ir >= 4 {
			c.add(where, "a branch of If has no inputs, but the graph has %d", len(g.Input))
		}
		if len(g.Output) != len(n.Output) {
			c.add(where, "the graph has %d outputs, the node %d", len(g.Output), len(n.Output))
		}
	case "Loop":
		states := max(len(n.Input)-2, 0)
		if len(g.Input) < 2+states || c.ir >= 4 && len(g.Input) > 2+states {
			c.add(where, "the body has %d inputs, not %d: iteration, condition and %d loop-carried values", len(g.Input), 2+states, states)
		}
		if len(g.Output) != len(n.Output)+1 {
			c.add(where, "the body has %d outputs, not one more than the node's %d", len(g.Output), len(n.Output))
		}
	}
}

// subgraphInputs returns what a control-flow operator passes to its body, without shapes: unknown types where it is not
// known here.
func subgraphInputs(n *onnxpb.NodeProto, g *onnxpb.GraphProto, in []tensor.Type) []tensor.Type {
	given := make([]tensor.Type, len(g.Input))
	if schema.Domain(n.GetDomain()) == "" && n.GetOpType() == "Loop" {
		for i := range given {
			switch {
			case i == 0:
				given[i] = tensor.UnrankedType(tensor.Int64)
			case i == 1:
				given[i] = tensor.UnrankedType(tensor.Bool)
			case i < len(in):
				given[i] = in[i]
			}
		}
	}
	return given
}
