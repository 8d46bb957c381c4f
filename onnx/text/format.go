package text

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
)

// Printer holds options for printing. The zero value prints everything.
type Printer struct {
	// MaxElements, if positive, is the number of elements of a tensor to print; "…" stands for the others. Such text is
	// for reading: it does not parse.
	MaxElements int
	// Model finds the external data of tensors, which are then printed with their elements; nil prints where they lie.
	Model *onnx.Model
}

// Format returns the text of a model. Parse turns it into an equal model, except that a tensor's data may move from raw_data
// to the typed field, and that the text has no place for training, sharding, quantization annotations, denotations, and the
// documentation and metadata of graphs, nodes and values. Sparse constants are an error.
func Format(m *onnxpb.ModelProto) (string, error) { return Printer{}.Format(m) }

// FormatGraph returns the text of a graph.
func FormatGraph(g *onnxpb.GraphProto) (string, error) {
	return Printer{}.print(func(w *writer) { w.graph(g) })
}

// FormatNode returns the text of a node.
func FormatNode(n *onnxpb.NodeProto) (string, error) {
	return Printer{}.print(func(w *writer) { w.node(n) })
}

// writer collects the text and the first error.
type writer struct {
	strings.Builder
	Printer
	indent int
	err    error
}

func (o Printer) print(f func(*writer)) (string, error) {
	w := &writer{Printer: o}
	f(w)
	return w.String(), w.err
}

func (w *writer) printf(format string, args ...any) { fmt.Fprintf(w, format, args...) }

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) line() { w.printf("\n%*s", 3*w.indent, "") }

// join writes the n items between open and closing.
func (w *writer) join(open, closing string, n int, item func(i int)) {
	w.WriteString(open)
	for i := range n {
		if i > 0 {
			w.WriteString(", ")
		}
		item(i)
	}
	w.WriteString(closing)
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// name writes an identifier, in quotes if it could be read as something else.
func name(s string) string {
	p := parser{src: s}
	if s == "" || p.peekID() != s || p.pos > 0 || isTypeName(s) || isSpecialFloat(s) {
		return quote(s)
	}
	return s
}

// Format returns the text of a model; see the function Format.
func (o Printer) Format(m *onnxpb.ModelProto) (string, error) {
	return o.print(func(w *writer) { w.model(m) })
}

func (w *writer) model(m *onnxpb.ModelProto) {
	if m == nil {
		m = &onnxpb.ModelProto{}
	}
	var fields []string
	add := func(key string, set bool, value string) {
		if set {
			fields = append(fields, "   "+key+": "+value)
		}
	}
	add("ir_version", m.IrVersion != nil, strconv.FormatInt(m.GetIrVersion(), 10))
	add("opset_import", len(m.OpsetImport) > 0, opsets(m.OpsetImport))
	add("producer_name", m.ProducerName != nil, quote(m.GetProducerName()))
	add("producer_version", m.ProducerVersion != nil, quote(m.GetProducerVersion()))
	add("domain", m.Domain != nil, quote(m.GetDomain()))
	add("model_version", m.ModelVersion != nil, strconv.FormatInt(m.GetModelVersion(), 10))
	add("doc_string", m.DocString != nil, quote(m.GetDocString()))
	add("metadata_props", len(m.MetadataProps) > 0, entries(m.MetadataProps))
	w.header(fields)
	w.graph(m.GetGraph())
	w.WriteString("\n")
	for _, f := range m.Functions {
		w.function(f)
		w.WriteString("\n")
	}
}

func (w *writer) header(fields []string) {
	if len(fields) > 0 {
		w.printf("<\n%s\n>\n", strings.Join(fields, ",\n"))
	}
}

func opsets(list []*onnxpb.OperatorSetIdProto) string {
	parts := make([]string, len(list))
	for i, o := range list {
		parts[i] = fmt.Sprintf("%s : %d", quote(o.GetDomain()), o.GetVersion())
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func entries(list []*onnxpb.StringStringEntryProto) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = quote(e.GetKey()) + ": " + quote(e.GetValue())
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (w *writer) graph(g *onnxpb.GraphProto) {
	if len(g.GetSparseInitializer()) > 0 {
		w.fail(fmt.Errorf("graph %q: the syntax has no sparse initializers", g.GetName()))
	}
	w.printf("%s ", name(g.GetName()))
	w.join("(", ")", len(g.GetInput()), func(i int) { w.valueInfo(g.Input[i]) })
	w.join(" => (", ")", len(g.GetOutput()), func(i int) { w.valueInfo(g.Output[i]) })
	if constants := len(g.GetInitializer()); constants+len(g.GetValueInfo()) > 0 {
		w.line()
		w.WriteString("<")
		w.indent++
		for i := range constants + len(g.ValueInfo) {
			if i > 0 {
				w.WriteString(",")
			}
			w.line()
			if i < constants {
				w.tensor(g.Initializer[i], true)
			} else {
				w.valueInfo(g.ValueInfo[i-constants])
			}
		}
		w.indent--
		w.line()
		w.WriteString(">")
	}
	w.nodes(g.GetNode())
}

func (w *writer) nodes(list []*onnxpb.NodeProto) {
	w.WriteString(" {")
	w.indent++
	for _, n := range list {
		w.line()
		w.node(n)
	}
	w.indent--
	w.line()
	w.WriteString("}")
}

func (w *writer) valueInfo(v *onnxpb.ValueInfoProto) {
	if v.GetType().GetValue() != nil {
		w.typ(v.Type)
		w.WriteString(" ")
	}
	w.WriteString(name(v.GetName()))
}

func (w *writer) names(open, closing string, list []string) {
	w.join(open, closing, len(list), func(i int) { w.WriteString(name(list[i])) })
}

func (w *writer) node(n *onnxpb.NodeProto) {
	if n.Name != nil {
		w.printf("[%s] ", name(n.GetName()))
	}
	w.names("", " = ", n.Output)
	if n.GetDomain() != "" {
		w.printf("%s.", qualified(n.GetDomain()))
	}
	w.WriteString(name(n.GetOpType()))
	if n.GetOverload() != "" {
		w.printf(":%s", name(n.GetOverload()))
	}
	last := false // graphs read better after the inputs
	for _, a := range n.Attribute {
		last = last || a.G != nil || len(a.Graphs) > 0
	}
	attributes := func() {
		if len(n.Attribute) > 0 {
			w.join(" <", ">", len(n.Attribute), func(i int) { w.attribute(n.Attribute[i]) })
		}
	}
	if !last {
		attributes()
	}
	w.names(" (", ")", n.Input)
	if last {
		attributes()
	}
}

// qualified is a domain: its parts as identifiers, or all of it in quotes.
func qualified(domain string) string {
	for part := range strings.SplitSeq(domain, ".") {
		if name(part) != part {
			return quote(domain)
		}
	}
	return domain
}

func (w *writer) function(f *onnxpb.FunctionProto) {
	var fields []string
	add := func(key string, set bool, value string) {
		if set {
			fields = append(fields, "   "+key+": "+value)
		}
	}
	add("domain", f.Domain != nil, quote(f.GetDomain()))
	add("overload", f.Overload != nil, quote(f.GetOverload()))
	add("opset_import", len(f.OpsetImport) > 0, opsets(f.OpsetImport))
	add("doc_string", f.DocString != nil, quote(f.GetDocString()))
	w.header(fields)
	w.printf("%s ", name(f.GetName()))
	if plain := len(f.Attribute); plain+len(f.AttributeProto) > 0 {
		w.join("<", "> ", plain+len(f.AttributeProto), func(i int) {
			if i < plain {
				w.WriteString(name(f.Attribute[i]))
			} else {
				w.attribute(f.AttributeProto[i-plain])
			}
		})
	}
	w.names("(", ")", f.Input)
	w.names(" => (", ")", f.Output)
	if len(f.ValueInfo) > 0 {
		w.join(" <", ">", len(f.ValueInfo), func(i int) { w.valueInfo(f.ValueInfo[i]) })
	}
	w.nodes(f.Node)
}

var errSparse = errors.New("the syntax has no sparse tensors")
