package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/sardonyx-ml/sardonyx/cmd/internal/feed"
	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/graph/cost"
	"github.com/sardonyx-ml/sardonyx/graph/exec"
	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/schema"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// report is what inspect says of a model.
type report struct {
	File        string            `json:"file,omitempty"`
	FileBytes   int64             `json:"file_bytes,omitempty"`
	Producer    string            `json:"producer"`
	IR          int64             `json:"ir_version"`
	Opsets      map[string]int64  `json:"opsets"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Graph       string            `json:"graph"`
	Inputs      []port            `json:"inputs"`
	Outputs     []port            `json:"outputs"`
	Parameters  []parameters      `json:"parameters"`
	Nodes       int               `json:"nodes"`
	Operators   map[string]int    `json:"operators"`
	Functions   []string          `json:"functions,omitempty"`
	Unsupported []string          `json:"unsupported,omitempty"`
	Estimate    *estimate         `json:"estimate,omitempty"`
	Problem     string            `json:"problem,omitempty"` // why there is no estimate
}

type port struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Optional bool   `json:"optional,omitempty"`
}

// parameters are the initializers of one element type.
type parameters struct {
	Type     string `json:"type"`
	Tensors  int    `json:"tensors"`
	Elements int64  `json:"elements"`
	Bytes    int64  `json:"bytes"`
}

type estimate struct {
	Dims       map[string]int     `json:"dims,omitempty"`
	FLOPs      float64            `json:"flops"`
	ByOp       map[string]float64 `json:"flops_by_operator"`
	Activation int64              `json:"activation_bytes"`
	Peak       int64              `json:"peak_activation_bytes"`
	Uncounted  []string           `json:"not_counted,omitempty"`
	Unknown    []string           `json:"of_unknown_size,omitempty"`
	Once       []string           `json:"bodies_counted_once,omitempty"`
}

// newReport looks into a model. types are the printed types of the main graph's values as far as they are known.
func newReport(m *onnx.Model, dims map[string]int) (r *report, types map[string]string, err error) {
	p := m.Proto
	r = &report{Producer: strings.TrimSpace(p.GetProducerName() + " " + p.GetProducerVersion()), IR: p.GetIrVersion(), Graph: p.GetGraph().GetName(),
		Opsets: map[string]int64{}, Metadata: map[string]string{}, Operators: map[string]int{}}
	for _, o := range p.GetOpsetImport() {
		r.Opsets[domainName(schema.Domain(o.GetDomain()))] = o.GetVersion()
	}
	for _, e := range p.GetMetadataProps() {
		r.Metadata[e.GetKey()] = e.GetValue()
	}
	r.parameters(p.GetGraph())
	r.operators(p)
	types = r.ports(p.GetGraph())
	g, err := graph.Import(m)
	if err != nil {
		r.Problem = oneLine(err.Error())
		return r, types, nil
	}
	return r, types, r.estimate(g, dims, types)
}

// ports lists inputs and outputs as the file has them and returns the printed types of all values that it declares.
func (r *report) ports(g *onnxpb.GraphProto) map[string]string {
	types := map[string]string{}
	describe := func(v *onnxpb.ValueInfoProto) string {
		t, err := onnx.Type(v.GetType())
		if err != nil {
			return err.Error()
		}
		types[v.GetName()] = t.String()
		return t.String()
	}
	weights := map[string]bool{}
	for _, t := range g.GetInitializer() {
		weights[t.GetName()] = true
	}
	for _, v := range g.GetInput() {
		if t := describe(v); !weights[v.GetName()] || r.IR >= 4 {
			r.Inputs = append(r.Inputs, port{v.GetName(), t, weights[v.GetName()]})
		}
	}
	for _, v := range g.GetOutput() {
		r.Outputs = append(r.Outputs, port{Name: v.GetName(), Type: describe(v)})
	}
	for _, v := range g.GetValueInfo() {
		describe(v)
	}
	return types
}

// parameters counts initializers, those of subgraphs too.
func (r *report) parameters(g *onnxpb.GraphProto) {
	byType := map[tensor.DType]*parameters{}
	add := func(t *onnxpb.TensorProto, dims []int64) {
		d := tensor.DType(t.GetDataType())
		q := byType[d]
		if q == nil {
			q = &parameters{Type: d.String()}
			byType[d] = q
		}
		n := int64(1)
		for _, k := range dims {
			n *= k
		}
		q.Tensors++
		q.Elements += n
		if d == tensor.String {
			for _, s := range t.GetStringData() {
				q.Bytes += int64(len(s))
			}
			return
		}
		if d.Valid() {
			q.Bytes += (n*int64(d.Bits()) + 7) / 8
		}
	}
	eachGraph(g, func(g *onnxpb.GraphProto) {
		for _, t := range g.GetInitializer() {
			add(t, t.GetDims())
		}
		for _, s := range g.GetSparseInitializer() {
			add(s.GetValues(), s.GetValues().GetDims())
		}
	})
	for _, d := range slices.Sorted(maps.Keys(byType)) {
		r.Parameters = append(r.Parameters, *byType[d])
	}
	slices.SortStableFunc(r.Parameters, func(a, b parameters) int { return cmp.Compare(b.Bytes, a.Bytes) })
}

// eachGraph visits a graph and the graphs inside it.
func eachGraph(g *onnxpb.GraphProto, visit func(*onnxpb.GraphProto)) {
	visit(g)
	for _, n := range g.GetNode() {
		eachSubgraph(n, func(sub *onnxpb.GraphProto) { eachGraph(sub, visit) })
	}
}

func eachSubgraph(n *onnxpb.NodeProto, visit func(*onnxpb.GraphProto)) {
	for _, a := range n.GetAttribute() {
		if a.GetG() != nil {
			visit(a.GetG())
		}
		for _, sub := range a.GetGraphs() {
			visit(sub)
		}
	}
}

// operators counts the nodes of the graph, its subgraphs and the functions' bodies, and finds those that are not supported.
func (r *report) operators(p *onnxpb.ModelProto) {
	functions := map[string]bool{}
	for _, f := range p.GetFunctions() {
		name := opLabel(f.GetDomain(), f.GetName())
		functions[name] = true
		r.Functions = append(r.Functions, name)
	}
	missing := map[string]bool{}
	var count func(nodes []*onnxpb.NodeProto, opsets map[string]int)
	count = func(nodes []*onnxpb.NodeProto, opsets map[string]int) {
		for _, n := range nodes {
			label := opLabel(n.GetDomain(), n.GetOpType())
			r.Nodes++
			r.Operators[label]++
			d := schema.Domain(n.GetDomain())
			opset, ok := opsets[d]
			if !ok {
				opset = max(schema.Newest(d), 1)
			}
			if _, ok := ops.Lookup(d, n.GetOpType(), opset); !ok && !functions[label] {
				missing[fmt.Sprintf("%s (opset %d)", label, opset)] = true
			}
			eachSubgraph(n, func(sub *onnxpb.GraphProto) { count(sub.GetNode(), opsets) })
		}
	}
	count(p.GetGraph().GetNode(), opsetsOf(p.GetOpsetImport()))
	for _, f := range p.GetFunctions() {
		count(f.GetNode(), opsetsOf(f.GetOpsetImport()))
	}
	r.Unsupported = slices.Sorted(maps.Keys(missing))
}

func opsetsOf(imports []*onnxpb.OperatorSetIdProto) map[string]int {
	opsets := map[string]int{}
	for _, o := range imports {
		opsets[schema.Domain(o.GetDomain())] = int(o.GetVersion())
	}
	return opsets
}

func opLabel(domain, op string) string {
	if d := schema.Domain(domain); d != "" {
		return d + "." + op
	}
	return op
}

// estimate infers the graph with the given dimensions and adds the types that this finds.
func (r *report) estimate(g *graph.Graph, dims map[string]int, types map[string]string) error {
	ports := make([]exec.Port, len(g.Inputs))
	for i, v := range g.Inputs {
		ports[i] = exec.Port{Name: v.Name, Type: v.Declared}
	}
	bound, err := feed.Bind(ports, dims)
	if err != nil {
		return err
	}
	for _, v := range g.Inputs {
		v.Declared = bound[v.Name]
	}
	if err := g.Infer(); err != nil {
		r.Problem = oneLine(err.Error())
		return nil
	}
	for _, n := range g.Nodes {
		for _, v := range n.Outputs {
			if v != nil && v.Type.Kind != tensor.KindUnknown {
				types[v.Name] = v.Type.String()
			}
		}
	}
	g.Fold()
	e := cost.Of(g)
	r.Estimate = &estimate{Dims: dims, FLOPs: e.FLOPs, ByOp: e.ByOp, Activation: e.Activation, Peak: e.Peak, Uncounted: e.Uncounted, Unknown: e.Unknown, Once: e.Once}
	return nil
}

// print writes the report for reading.
func (r *report) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(key, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", key, fmt.Sprintf(format, args...)) }
	if r.File != "" {
		line("file", "%s, %s", r.File, formatBytes(r.FileBytes))
	}
	if r.Producer != "" {
		line("producer", "%s", r.Producer)
	}
	line("graph", "%s", r.Graph)
	line("IR version", "%d", r.IR)
	for _, d := range slices.Sorted(maps.Keys(r.Opsets)) {
		line("opset", "%s %d", d, r.Opsets[d])
	}
	for _, k := range slices.Sorted(maps.Keys(r.Metadata)) {
		line("metadata", "%s: %s", k, shorten(oneLine(r.Metadata[k])))
	}
	for _, p := range r.Inputs {
		if p.Optional {
			p.Type += " (has a default)"
		}
		line("input", "%s: %s", p.Name, p.Type)
	}
	for _, p := range r.Outputs {
		line("output", "%s: %s", p.Name, p.Type)
	}
	for _, p := range r.Parameters {
		line("parameters", "%s: %d in %d tensors, %s", p.Type, p.Elements, p.Tensors, formatBytes(p.Bytes))
	}
	line("nodes", "%d: %s", r.Nodes, histogram(r.Operators))
	if r.Functions != nil {
		line("functions", "%s", strings.Join(r.Functions, ", "))
	}
	if r.Unsupported != nil {
		line("not supported", "%s", strings.Join(r.Unsupported, ", "))
	}
	if r.Problem != "" {
		line("problem", "%s", r.Problem)
	}
	if e := r.Estimate; e != nil {
		e.print(line)
	}
	return t.Flush()
}

func (e *estimate) print(line func(key, format string, args ...any)) {
	if e.Unknown != nil && len(e.Dims) == 0 {
		line("operations", "unknown: give the sizes of dimensions with --dim NAME=N")
		return
	}
	line("operations", "%s", formatFLOPs(e.FLOPs))
	names := slices.SortedFunc(maps.Keys(e.ByOp), func(a, b string) int {
		return cmp.Or(cmp.Compare(e.ByOp[b], e.ByOp[a]), cmp.Compare(a, b))
	})
	for _, op := range names[:min(len(names), 5)] {
		line("", "%s %s", op, formatFLOPs(e.ByOp[op]))
	}
	line("values", "%s in all, %s at once", formatBytes(e.Activation), formatBytes(e.Peak))
	for _, l := range []struct {
		key  string
		list []string
	}{{"not counted", e.Uncounted}, {"of unknown size", e.Unknown}, {"bodies counted once", e.Once}} {
		if l.list != nil {
			line(l.key, "%s", strings.Join(l.list, ", "))
		}
	}
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 100 {
		return string(r[:100]) + "…"
	}
	return s
}

func histogram(ops map[string]int) string {
	names := slices.SortedFunc(maps.Keys(ops), func(a, b string) int {
		return cmp.Or(cmp.Compare(ops[b], ops[a]), cmp.Compare(a, b))
	})
	for i, n := range names {
		names[i] = fmt.Sprintf("%s %d", n, ops[n])
	}
	return strings.Join(names, ", ")
}

func formatFLOPs(f float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e12, "TFLOP"}, {1e9, "GFLOP"}, {1e6, "MFLOP"}, {1e3, "kFLOP"}} {
		if f >= u.size {
			return fmt.Sprintf("%.2f %s", f/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.0f FLOP", f)
}
