package onnxgo

import (
	"context"
	"errors"
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// feed is what one run reads.
type feed struct {
	inputs map[*Node]*tensor.Tensor
	consts map[*Node]bool // weights, whose values are part of the program
}

// Run computes the graph. The first call compiles it; later ones do so again only if inputs changed in more than their values:
// a dimension that had been the same before, the element type, or a weight that was set. Operators that are not known give an
// *onnx.ErrNotImplemented.
func (g *Graph) Run() error { return g.RunContext(context.Background()) }

// RunContext is like Run; ctx ends it between two nodes.
func (g *Graph) RunContext(ctx context.Context) error {
	if len(g.ops) == 0 {
		return errors.New("the graph has no operation")
	}
	g.last = nil
	f, err := g.feed()
	if err != nil {
		return err
	}
	if g.program == nil || !g.program.fits(f) {
		if err := g.compile(f); err != nil {
			return err
		}
	}
	if err := g.execute(ctx, f); err != nil {
		return err
	}
	g.last = f
	return nil
}

// feed collects the values of the nodes that no operation computes.
func (g *Graph) feed() (*feed, error) {
	f := &feed{inputs: map[*Node]*tensor.Tensor{}, consts: map[*Node]bool{}}
	for _, op := range g.ops {
		for _, n := range g.arguments(op) {
			if n == nil || n.op != nil || n.value == nil || f.consts[n] || f.inputs[n] != nil {
				continue
			}
			if n.constant() {
				f.consts[n] = true
				continue
			}
			t, err := n.tensor()
			if err != nil {
				return nil, fmt.Errorf("input %v: %w", n, err)
			}
			f.inputs[n] = t
		}
	}
	return f, nil
}

// tensor returns the node's value in the element type that the model declares.
func (n *Node) tensor() (*tensor.Tensor, error) {
	t, err := fromGorgonia(n.value)
	if err != nil || n.declared == nil {
		return t, err
	}
	d, err := fromGorgonia(n.declared)
	if err != nil || d.DType() == t.DType() {
		return t, err
	}
	return exact(t, d.DType())
}

// execute runs the program and writes the results into their nodes.
func (g *Graph) execute(ctx context.Context, f *feed) error {
	in := make(map[string]tensor.Value, len(f.inputs))
	for n, t := range f.inputs {
		in[g.program.names[n]] = t
	}
	out, err := g.program.session.Run(ctx, in)
	if err != nil {
		return err
	}
	for _, n := range g.program.results {
		if n.value, err = toGorgonia(out[g.program.names[n]]); err != nil {
			return fmt.Errorf("result %v: %w", n, err)
		}
	}
	return nil
}

// recall computes a result that the last run did not keep, and has it kept by later ones. If that fails, the node has no value.
func (g *Graph) recall(n *Node) {
	if g.last == nil || g.program == nil || g.program.computes(n) {
		return
	}
	n.value = nil
	n.wanted = true
	if g.compile(g.last) != nil || g.execute(context.Background(), g.last) != nil {
		n.value, n.wanted, g.program = nil, false, nil
	}
}
