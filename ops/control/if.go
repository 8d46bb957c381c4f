// Package control holds the operators that run subgraphs: If, Loop, Scan and SequenceMap. Values that a subgraph takes
// from the graphs around it are bound by the executor; operators pass the formal inputs only.
package control

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(
		ops.Def{Name: "If", Since: 1, New: newIf},
		ops.Def{Name: "Loop", Since: 1, New: newLoop},
		ops.Def{Name: "Scan", Since: 8, New: newScan8},
		ops.Def{Name: "Scan", Since: 9, New: newScan},
		ops.Def{Name: "SequenceMap", Since: 17, New: newSequenceMap},
	)
}

// ifOp is https://onnx.ai/onnx/operators/onnx__If.html.
type ifOp struct{}

var branches = [2]string{"else_branch", "then_branch"}

func newIf(a *ops.Attrs) (ops.Op, error) {
	for _, name := range branches {
		g := a.Graph(name)
		if g == nil {
			a.Errorf("attribute %s is missing", name)
		} else if len(g.Outputs) < a.Outputs {
			a.Errorf("%s has %d outputs, the node %d", name, len(g.Outputs), a.Outputs)
		}
	}
	return ifOp{}, a.Done()
}

// Infer implements ops.Op. A branch that a constant condition never takes has no say.
func (ifOp) Infer(c *ops.Infer) error {
	taken, known := -1, false
	if t := c.Const(0); t != nil && t.DType() == tensor.Bool && t.Len() == 1 {
		taken, known = 0, true
		if t.Bool()[0] {
			taken = 1
		}
	}
	var infos [2][]ops.Info
	for i, name := range branches {
		out, err := c.Graph(name, nil)
		if err != nil && (!known || taken == i) {
			return fmt.Errorf("%s: %w", name, err)
		}
		infos[i] = out
	}
	for i := range c.Out {
		if known {
			if i < len(infos[taken]) {
				c.Out[i] = infos[taken][i]
			}
			continue
		}
		if i >= len(infos[0]) || i >= len(infos[1]) {
			continue
		}
		c.Out[i].Type = unifyBranches(infos[0][i].Type, infos[1][i].Type)
	}
	return nil
}

// unifyBranches is Unify, except that a branch whose output is of unknown kind leaves everything unknown and an
// optional of unknown element type takes the other's.
func unifyBranches(a, b tensor.Type) tensor.Type {
	if a.Kind == tensor.KindOptional && b.Kind == tensor.KindOptional {
		switch {
		case a.Element().Kind == tensor.KindUnknown:
			return b
		case b.Element().Kind == tensor.KindUnknown:
			return a
		}
	}
	return a.Unify(b)
}

// Run implements ops.Op.
func (ifOp) Run(c *ops.Ctx) error {
	cond, err := flag(c.Tensor(0))
	if err != nil {
		return err
	}
	name := branches[0]
	if cond {
		name = branches[1]
	}
	out, err := c.RunGraph(name, nil)
	if err != nil {
		return err
	}
	for i := range c.Out {
		if i < len(out) {
			c.SetOut(i, out[i])
		}
	}
	return nil
}

// flag reads a condition: a bool tensor of one element.
func flag(t *tensor.Tensor) (bool, error) {
	if t == nil || t.DType() != tensor.Bool || t.Len() != 1 {
		return false, fmt.Errorf("condition is %v, not a bool tensor of one element", t)
	}
	return t.Bool()[0], nil
}
