package graph

import (
	"context"
	"errors"
	"fmt"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
	"github.com/sardonyx-ml/sardonyx/onnx/schema"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// Infer follows types, symbolic shapes and small integer values from the inputs and constants through the graph and its
// subgraphs, and computes what is constant (Value.Const of nodes' outputs; Fold makes them initializers). Where inference
// contradicts a type that the model merely declares, inference wins; a node that cannot work on its inputs' types is an
// error that names the node.
func (g *Graph) Infer() error {
	for _, v := range g.Inputs {
		v.Type = v.Declared
	}
	return g.inferNodes(&inference{pool: parallel.NewPool(0)})
}

// InferOutputs infers the types of one node's outputs from those of its inputs, for nodes that a pass made.
func (n *Node) InferOutputs() error {
	inf := &inference{pool: parallel.NewPool(0)}
	return inf.node(n)
}

type inference struct{ pool *parallel.Pool }

func (g *Graph) inferNodes(inf *inference) error {
	for _, n := range g.Nodes {
		if err := inf.node(n); err != nil {
			return fmt.Errorf("%v: %w", n, err)
		}
	}
	return nil
}

// node infers one node's outputs.
func (inf *inference) node(n *Node) error {
	row, _ := schema.Lookup(n.Domain, n.OpType, n.Opset)
	c := &ops.Infer{In: make([]ops.Info, len(n.Inputs)), Out: make([]ops.Info, len(n.Outputs)), Absent: make([]bool, len(n.Inputs))}
	types := make([]tensor.Type, len(n.Inputs))
	constant := len(n.Inputs) > 0 || n.OpType == "Constant"
	for i, v := range n.Inputs {
		if v == nil {
			c.Absent[i] = true
			continue
		}
		c.In[i], types[i] = v.Info(), v.Type
		constant = constant && v.Const != nil
	}
	if row != nil {
		if err := checkTypes(row, types); err != nil {
			return err
		}
		for i := range c.Out {
			c.Out[i].Type = row.ResultType(i, types)
		}
	}
	c.Graph = func(name string, in []ops.Info) ([]ops.Info, error) {
		sub, ok := n.Attrs[name].(*Graph)
		if !ok {
			return nil, fmt.Errorf("no graph attribute %s", name)
		}
		return sub.inferWith(inf, in)
	}
	if err := inferSafely(n.Op, c); err != nil {
		return err
	}
	for i, v := range n.Outputs {
		if v == nil {
			continue
		}
		v.Const, v.Ints = nil, c.Out[i].Ints
		v.Type = refine(c.Out[i].Type, v.Declared)
	}
	if constant && !n.HasSubgraphs() && !IsRandom(n.OpType) {
		inf.fold(n)
	}
	for _, v := range n.Outputs {
		v.constFromInts()
	}
	return nil
}

// refine fills what inference left unknown with what the model declares. Declared symbols are left out: exporters use one
// name for different unknown dimensions.
func refine(t, declared tensor.Type) tensor.Type {
	if t.Kind == tensor.KindUnknown {
		t.Kind, t.DType, t.Elem = declared.Kind, declared.DType, declared.Elem
	}
	if t.Kind != tensor.KindTensor || declared.Kind != t.Kind {
		return t
	}
	if t.DType == tensor.Undefined {
		t.DType = declared.DType
	}
	if !declared.Ranked || t.Ranked && len(t.Dims) != len(declared.Dims) {
		return t
	}
	dims := make([]tensor.Dim, len(declared.Dims))
	for i, d := range declared.Dims {
		if _, ok := d.Int(); ok {
			dims[i] = d
		}
		if t.Ranked && t.Dims[i].Known() {
			dims[i] = t.Dims[i]
		}
	}
	return t.WithDims(dims...)
}

// inferSafely turns a panic in an operator's inference, a bug of ours that a strange model uncovered, into an error.
func inferSafely(op ops.Op, c *ops.Infer) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("internal error in type inference: %v", r)
		}
	}()
	return op.Infer(c)
}

func checkTypes(row *schema.Op, types []tensor.Type) error {
	vars := map[string]int{}
	for i, t := range types {
		p := row.Input(i)
		if p == nil || t.Kind == tensor.KindUnknown {
			continue
		}
		if !p.Types.Allows(t) {
			return fmt.Errorf("input %d (%s) is %v, but %s allows %v", i, p.Name, t, row.Name, p.Types)
		}
		if p.Heterogeneous || t.Kind != tensor.KindTensor || t.DType == tensor.Undefined {
			continue
		}
		if j, ok := vars[p.Type]; ok && types[j].DType != t.DType {
			return fmt.Errorf("input %d (%s) is %v, but input %d (%s) is %v; %s needs the same type", i, p.Name, t.DType, j, row.Input(j).Name, types[j].DType, row.Name)
		}
		vars[p.Type] = i
	}
	return nil
}

// inferWith infers a subgraph whose formal inputs have the given types. Its values keep what the last call found.
func (g *Graph) inferWith(inf *inference, in []ops.Info) ([]ops.Info, error) {
	if len(in) > len(g.Inputs) {
		return nil, fmt.Errorf("%d inputs for a graph that has %d", len(in), len(g.Inputs))
	}
	for i, v := range g.Inputs {
		v.Type, v.Ints = refine(tensor.Type{}, v.Declared), nil
		if i >= len(in) {
			continue
		}
		v.Ints, v.Type = in[i].Ints, refine(in[i].Type, v.Declared)
	}
	if err := g.inferNodes(inf); err != nil {
		return nil, err
	}
	out := make([]ops.Info, len(g.Outputs))
	for i, v := range g.Outputs {
		out[i] = ops.Info{Type: v.Type, Ints: v.Ints, Const: v.Const}
		if out[i].Type.Kind == tensor.KindUnknown {
			out[i].Type = v.Declared
		}
	}
	return out, nil
}

// IsRandom reports operators whose results differ from run to run.
func IsRandom(op string) bool {
	switch op {
	case "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial", "Dropout", "Sampling":
		return true
	}
	return false
}

// Folding may not make a model larger than maxFoldGrowth times its constant inputs plus maxFoldFree bytes, nor a single
// constant larger than maxFold.
const (
	maxFoldFree   = 1 << 20
	maxFoldGrowth = 4
	maxFold       = 1 << 30
)

// fold computes a node whose inputs are all constant. An operator that fails is left to fail at run time.
func (inf *inference) fold(n *Node) {
	limit := maxFoldFree
	for _, v := range n.Inputs {
		if t := v.Tensor(); t != nil {
			limit += maxFoldGrowth * len(t.Bytes())
		}
	}
	c := &ops.Ctx{Context: context.Background(), In: make([]tensor.Value, len(n.Inputs)), Out: make([]tensor.Value, len(n.Outputs)),
		Wanted: make([]bool, len(n.Outputs)), Mem: limited{min(limit, maxFold)}, Pool: inf.pool}
	for i, v := range n.Inputs {
		if v != nil {
			c.In[i] = v.Const
		}
	}
	for i, v := range n.Outputs {
		c.Wanted[i] = v != nil
	}
	if runSafely(n.Op, c) != nil {
		return
	}
	for i, v := range n.Outputs {
		if v == nil || c.Out[i] == nil {
			continue
		}
		v.Const = c.Out[i]
		if t, err := c.Out[i].Type().Merge(tensor.Type{}); err == nil {
			v.Type = t
		}
	}
}

func runSafely(op ops.Op, c *ops.Ctx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return op.Run(c)
}

// limited is heap memory that refuses single tensors above a limit.
type limited struct{ bytes int }

var errTooLarge = errors.New("too large to fold")

// Alloc implements ops.Memory.
func (l limited) Alloc(d tensor.DType, shape tensor.Shape) (*tensor.Tensor, error) {
	n, err := shape.CheckSize()
	if err != nil {
		return nil, err
	}
	if d.Bytes(n) > l.bytes || d == tensor.String && n > l.bytes/16 {
		return nil, errTooLarge
	}
	return tensor.New(d, shape...), nil
}

// Free implements ops.Memory.
func (limited) Free(*tensor.Tensor) {}

// constFromInts makes a constant of an integer tensor whose elements inference knows as numbers.
func (v *Value) constFromInts() {
	if v == nil || v.Const != nil || v.Ints == nil || (v.Type.DType != tensor.Int64 && v.Type.DType != tensor.Int32) {
		return
	}
	shape, ok := v.Type.Shape()
	if !ok || len(shape) > 1 || shape.Size() != len(v.Ints) {
		return
	}
	vals := make([]int64, len(v.Ints))
	for i, d := range v.Ints {
		n, ok := d.Int()
		if !ok {
			return
		}
		vals[i] = int64(n)
	}
	if v.Type.DType == tensor.Int64 {
		v.Const = tensor.Of(shape, vals)
		return
	}
	vals32 := make([]int32, len(vals))
	for i, x := range vals {
		vals32[i] = int32(x)
	}
	v.Const = tensor.Of(shape, vals32)
}

// Fold turns node outputs that inference found constant into initializers and drops nodes that nothing needs any more.
func (g *Graph) Fold() {
	_ = g.Walk(func(sub *Graph) error {
		for _, n := range sub.Nodes {
			n.detachConstants()
		}
		return nil
	})
	g.RemoveDead()
}

// detachConstants takes constant tensors away from the node; other constants cannot be initializers.
func (n *Node) detachConstants() {
	for i, v := range n.Outputs {
		if v != nil && v.Node == n && v.Tensor() != nil {
			v.Node = nil
			n.Outputs[i] = nil
		}
	}
}
