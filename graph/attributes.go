package graph

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/schema"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// attributes converts a node's attributes; references to the enclosing function's attributes are resolved.
func (im *importer) attributes(g *Graph, p *onnxpb.NodeProto, sc *scope) (map[string]any, error) {
	attrs := map[string]any{}
	for _, a := range p.GetAttribute() {
		name := a.GetName()
		if _, ok := attrs[name]; ok {
			return nil, fmt.Errorf("attribute %s is given twice", name)
		}
		if ref := a.GetRefAttrName(); ref != "" {
			if v, ok := sc.attrs[ref]; ok {
				attrs[name] = v
			}
			continue
		}
		v, err := im.attribute(g, a, sc)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		attrs[name] = v
	}
	return attrs, nil
}

// callAttributes returns the values that ref_attr_name finds inside a function: the call's, else the function's defaults.
func (im *importer) callAttributes(g *Graph, p *onnxpb.NodeProto, f *onnxpb.FunctionProto, sc *scope) (map[string]any, error) {
	given, err := im.attributes(g, p, sc)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for _, name := range f.GetAttribute() {
		if v, ok := given[name]; ok {
			out[name] = v
			delete(given, name)
		}
	}
	for _, a := range f.GetAttributeProto() {
		if v, ok := given[a.GetName()]; ok {
			out[a.GetName()] = v
			delete(given, a.GetName())
			continue
		}
		if out[a.GetName()], err = im.attribute(g, a, sc); err != nil {
			return nil, fmt.Errorf("attribute %s: %w", a.GetName(), err)
		}
	}
	for name := range given {
		return nil, fmt.Errorf("function %s has no attribute %s", f.GetName(), name)
	}
	return out, nil
}

// attribute converts one attribute to the types that ops.NewAttrs takes, with *Graph for graphs.
func (im *importer) attribute(g *Graph, a *onnxpb.AttributeProto, sc *scope) (any, error) {
	switch attributeType(a) {
	case onnxpb.AttributeProto_FLOAT:
		return a.GetF(), nil
	case onnxpb.AttributeProto_INT:
		return a.GetI(), nil
	case onnxpb.AttributeProto_STRING:
		return string(a.GetS()), nil
	case onnxpb.AttributeProto_FLOATS:
		return append([]float32{}, a.GetFloats()...), nil
	case onnxpb.AttributeProto_INTS:
		return append([]int64{}, a.GetInts()...), nil
	case onnxpb.AttributeProto_STRINGS:
		out := make([]string, len(a.GetStrings()))
		for i, s := range a.GetStrings() {
			out[i] = string(s)
		}
		return out, nil
	case onnxpb.AttributeProto_TENSOR:
		return im.model.Tensor(a.GetT())
	case onnxpb.AttributeProto_TENSORS:
		out := make([]*tensor.Tensor, len(a.GetTensors()))
		for i, t := range a.GetTensors() {
			var err error
			if out[i], err = im.model.Tensor(t); err != nil {
				return nil, err
			}
		}
		return out, nil
	case onnxpb.AttributeProto_SPARSE_TENSOR:
		return im.model.Dense(a.GetSparseTensor())
	case onnxpb.AttributeProto_SPARSE_TENSORS:
		out := make([]*tensor.Tensor, len(a.GetSparseTensors()))
		for i, t := range a.GetSparseTensors() {
			var err error
			if out[i], err = im.model.Dense(t); err != nil {
				return nil, err
			}
		}
		return out, nil
	case onnxpb.AttributeProto_TYPE_PROTO:
		return onnx.Type(a.GetTp())
	case onnxpb.AttributeProto_TYPE_PROTOS:
		out := make([]tensor.Type, len(a.GetTypeProtos()))
		for i, t := range a.GetTypeProtos() {
			var err error
			if out[i], err = onnx.Type(t); err != nil {
				return nil, err
			}
		}
		return out, nil
	case onnxpb.AttributeProto_GRAPH:
		inner := scope{outer: sc, opsets: sc.opsets, attrs: sc.attrs, prefix: sc.prefix, stack: sc.stack, depth: sc.depth + 1}
		return im.graph(a.GetG(), inner, g)
	case onnxpb.AttributeProto_GRAPHS:
		return nil, fmt.Errorf("lists of graphs are %w", ops.ErrUnsupported)
	}
	return nil, fmt.Errorf("type %v is not known", a.GetType())
}

// attributeType is the attribute's type; files before IR version 2 leave it out, then the field that is set tells.
func attributeType(a *onnxpb.AttributeProto) onnxpb.AttributeProto_AttributeType {
	if t := a.GetType(); t != onnxpb.AttributeProto_UNDEFINED {
		return t
	}
	switch {
	case a.F != nil:
		return onnxpb.AttributeProto_FLOAT
	case a.I != nil:
		return onnxpb.AttributeProto_INT
	case a.S != nil:
		return onnxpb.AttributeProto_STRING
	case a.T != nil:
		return onnxpb.AttributeProto_TENSOR
	case a.G != nil:
		return onnxpb.AttributeProto_GRAPH
	case len(a.Floats) > 0:
		return onnxpb.AttributeProto_FLOATS
	case len(a.Ints) > 0:
		return onnxpb.AttributeProto_INTS
	case len(a.Strings) > 0:
		return onnxpb.AttributeProto_STRINGS
	case len(a.Tensors) > 0:
		return onnxpb.AttributeProto_TENSORS
	}
	return onnxpb.AttributeProto_UNDEFINED
}

// Bind looks the node's operator up in the registry, checks the node against the operator's signature and reads its
// attributes. It must be called again when OpType, Attrs or the number of inputs or outputs change.
func (n *Node) Bind() error {
	row, known := schema.Lookup(n.Domain, n.OpType, n.Opset)
	if known {
		if err := n.checkSignature(row); err != nil {
			return err
		}
	}
	def, ok := ops.Lookup(n.Domain, n.OpType, n.Opset)
	if !ok {
		if n.Domain != "" && schema.Newest(n.Domain) == 0 {
			return fmt.Errorf("%w operator: domain %q is not known", ops.ErrUnsupported, n.Domain)
		}
		return fmt.Errorf("%w operator: no %s in opset %d of %s", ops.ErrUnsupported, n.OpType, n.Opset, domainName(n.Domain))
	}
	vals := make(map[string]any, len(n.Attrs))
	for k, v := range n.Attrs {
		if sub, ok := v.(*Graph); ok {
			v = sub.signature()
		}
		vals[k] = v
	}
	op, err := def.New(ops.NewAttrs(n.Opset, len(n.Outputs), vals))
	if err != nil {
		return err
	}
	if def.Widen {
		op = ops.Widened(op, sameType(row, len(n.Inputs)))
	}
	n.Op = op
	return nil
}

func (g *Graph) signature() *ops.GraphAttr {
	a := &ops.GraphAttr{}
	for _, v := range g.Inputs {
		a.Inputs = append(a.Inputs, v.Name)
		a.InputTypes = append(a.InputTypes, v.Declared)
	}
	for _, v := range g.Outputs {
		a.Outputs = append(a.Outputs, v.Name)
	}
	return a
}

// sameType tells which inputs share the type variable of an output; without a signature all of them are candidates.
func sameType(row *schema.Op, inputs int) func(int) []int {
	return func(out int) []int {
		var same []int
		for i := range inputs {
			if row == nil {
				same = append(same, i)
				continue
			}
			o, in := row.Output(out), row.Input(i)
			if o != nil && in != nil && o.Type == in.Type && !o.Heterogeneous {
				same = append(same, i)
			}
		}
		return same
	}
}

func (n *Node) checkSignature(row *schema.Op) error {
	if row.Deprecated {
		return fmt.Errorf("%s is not part of opset %d: it was withdrawn in version %d", n.OpType, n.Opset, row.Since)
	}
	if err := checkCount("input", len(n.Inputs), row.MinIn, row.MaxIn); err != nil {
		return err
	}
	if err := checkCount("output", len(n.Outputs), 0, row.MaxOut); err != nil {
		return err
	}
	for i, v := range n.Inputs {
		if p := row.Input(i); v == nil && p != nil && p.Kind == schema.Single {
			return fmt.Errorf("input %d (%s) is missing", i, p.Name)
		}
	}
	for _, a := range row.Attrs {
		if _, ok := n.Attrs[a.Name]; a.Required && !ok {
			return fmt.Errorf("attribute %s is missing", a.Name)
		}
	}
	return nil
}

func checkCount(what string, n, lo, hi int) error {
	if n >= lo && (n <= hi || hi == schema.Unbounded) {
		return nil
	}
	switch {
	case hi == schema.Unbounded:
		return fmt.Errorf("%d %ss, at least %d needed", n, what, lo)
	case lo == hi:
		return fmt.Errorf("%d %ss, %d needed", n, what, lo)
	}
	return fmt.Errorf("%d %ss, %d to %d needed", n, what, lo, hi)
}
