package onnx

import (
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/schema"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// checkTypes checks the types of a node's arguments against the signature and returns those of its outputs, as far as they
// follow. sub are the output types of the node's subgraphs.
func (c *checker) checkTypes(where string, n *onnxpb.NodeProto, op *schema.Op, in []tensor.Type, sub map[string][]tensor.Type) []tensor.Type {
	bound := make(map[string]tensor.Type, len(op.Constraints))
	before := len(c.found) + c.more
	for i, t := range in {
		p := op.Input(i)
		if p == nil || !schema.Known(t) {
			continue
		}
		if !p.Types.Allows(t) && t.Kind != tensor.KindSparse {
			c.add(where, "input %d, %s, is %s; allowed are %s", i, p.Name, typeName(t), p.Types)
			continue
		}
		if p.Heterogeneous {
			continue
		}
		if old, ok := bound[p.Type]; ok && !schema.Same(old, t) {
			c.add(where, "input %d, %s, is %s, but another input of the type %s is %s", i, p.Name, typeName(t), p.Type, typeName(old))
			continue
		}
		bound[p.Type] = t
	}
	out := make([]tensor.Type, len(n.Output))
	if len(c.found)+c.more > before {
		return out // what the operator makes of wrong inputs says nothing
	}
	for i := range out {
		out[i] = op.ResultType(i, in)
		if !schema.Known(out[i]) {
			out[i] = resultByRule(n, op, i, in, sub)
		}
		if types := op.OutputTypes(i); schema.Known(out[i]) && !types.Empty() && !types.Allows(out[i]) {
			c.add(where, "output %d, %s, would be %s; allowed are %s", i, op.Output(i).Name, typeName(out[i]), types)
			out[i] = tensor.Type{}
		}
	}
	return out
}

// dtypeAttrs are the operators whose output type an attribute names. Default 0 says that without it the type follows from
// the inputs or is not known here.
var dtypeAttrs = map[string]struct {
	attr string
	dflt tensor.DType
}{
	"Cast": {"to", 0}, "RandomNormal": {"dtype", tensor.Float32}, "RandomUniform": {"dtype", tensor.Float32},
	"RandomNormalLike": {"dtype", 0}, "RandomUniformLike": {"dtype", 0}, "Bernoulli": {"dtype", 0}, "EyeLike": {"dtype", 0},
	"Multinomial": {"dtype", tensor.Int32}, "HannWindow": {"output_datatype", tensor.Float32},
	"HammingWindow": {"output_datatype", tensor.Float32}, "BlackmanWindow": {"output_datatype", tensor.Float32},
	"MelWeightMatrix": {"output_datatype", tensor.Float32},
}

// resultByRule returns the type of the i-th output for the operators of ai.onnx where it does not follow from the
// signature; the zero Type if it does not follow at all.
func resultByRule(n *onnxpb.NodeProto, op *schema.Op, i int, in []tensor.Type, sub map[string][]tensor.Type) tensor.Type {
	var none tensor.Type
	if op.Domain != "" {
		return none
	}
	if rule, ok := dtypeAttrs[op.Name]; ok {
		return dtypeResult(n, rule.attr, rule.dflt, in)
	}
	first := none
	if len(in) > 0 {
		first = in[0]
	}
	switch op.Name {
	case "Constant":
		return constantType(n)
	case "ConstantOfShape":
		if a := attributeOf(n, "value"); a != nil {
			return storedType(a.GetT())
		}
		return tensor.UnrankedType(tensor.Float32)
	case "SequenceEmpty":
		return tensor.SequenceType(dtypeResult(n, "dtype", tensor.Float32, nil))
	case "SequenceConstruct", "SplitToSequence":
		if first.Kind == tensor.KindTensor {
			return tensor.SequenceType(tensor.UnrankedType(first.DType))
		}
	case "SequenceAt", "ConcatFromSequence":
		return first.Element()
	case "OptionalGetElement":
		if first.Kind == tensor.KindOptional {
			return first.Element()
		}
		return first
	case "Optional":
		if schema.Known(first) {
			return tensor.OptionalType(first)
		}
		if a := attributeOf(n, "type"); a != nil {
			t, _ := Type(a.GetTp())
			return tensor.OptionalType(t)
		}
	case "If":
		return unify(typeAt(sub["then_branch"], i), typeAt(sub["else_branch"], i))
	case "Loop":
		if t := typeAt(sub["body"], i+1); i+2 < len(n.Input) || t.Kind == tensor.KindTensor {
			return noShape(t)
		}
	case "Scan":
		return noShape(typeAt(sub["body"], i))
	}
	return none
}

func typeAt(types []tensor.Type, i int) tensor.Type {
	if i < len(types) {
		return types[i]
	}
	return tensor.Type{}
}

// unify returns what two branches agree on.
func unify(a, b tensor.Type) tensor.Type {
	if schema.Known(a) && schema.Known(b) && schema.Same(a, b) {
		return noShape(a)
	}
	return tensor.Type{}
}

// noShape drops a type's dimensions, which the checker does not look at.
func noShape(t tensor.Type) tensor.Type {
	t.Ranked, t.Dims = false, nil
	return t
}

func dtypeResult(n *onnxpb.NodeProto, attr string, dflt tensor.DType, in []tensor.Type) tensor.Type {
	if a := attributeOf(n, attr); a != nil {
		if a.GetRefAttrName() != "" {
			return tensor.Type{}
		}
		if d, err := dtypeOf(int32(min(max(a.GetI(), 0), math.MaxUint8))); err == nil {
			return tensor.UnrankedType(d)
		}
		return tensor.Type{}
	}
	if dflt != 0 {
		return tensor.UnrankedType(dflt)
	}
	if len(in) > 0 {
		return noShape(in[0])
	}
	return tensor.Type{}
}

// constantType is the type of a Constant's output.
func constantType(n *onnxpb.NodeProto) tensor.Type {
	for _, a := range n.Attribute {
		switch a.GetName() {
		case "value":
			if a.T != nil {
				return storedType(a.T)
			}
		case "value_float", "value_floats":
			return tensor.UnrankedType(tensor.Float32)
		case "value_int", "value_ints":
			return tensor.UnrankedType(tensor.Int64)
		case "value_string", "value_strings":
			return tensor.UnrankedType(tensor.String)
		}
	}
	return tensor.Type{}
}

func attributeOf(n *onnxpb.NodeProto, name string) *onnxpb.AttributeProto {
	for _, a := range n.Attribute {
		if a.GetName() == name {
			return a
		}
	}
	return nil
}

// compatible reports whether two descriptions can be of the same value, shapes aside: unknown parts fit anything.
func compatible(a, b tensor.Type) bool {
	if a.Kind == tensor.KindUnknown || b.Kind == tensor.KindUnknown {
		return true
	}
	if a.Kind != b.Kind || a.DType != b.DType && a.DType != tensor.Undefined && b.DType != tensor.Undefined {
		return false
	}
	return compatible(a.Element(), b.Element())
}

func typeName(t tensor.Type) string { return schema.TypeString(t) }

// typeOf reads a declared type; one that is not valid is reported and unknown.
func (c *checker) typeOf(where string, p *onnxpb.TypeProto) tensor.Type {
	t, err := Type(p)
	if err != nil {
		c.add(where, "%v", err)
		return tensor.Type{}
	}
	return t
}

// storedType is the type of a stored tensor; checkTensor reports an invalid one.
func storedType(p *onnxpb.TensorProto) tensor.Type {
	d, _ := dtypeOf(p.GetDataType())
	return tensor.UnrankedType(d)
}
