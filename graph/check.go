package graph

import "fmt"

// Check verifies the invariants of the IR in g and its subgraphs: nodes are in topological order, every value that is read
// is a constant, an input or an earlier node's output of this or an enclosing graph, and outputs know their producers.
func (g *Graph) Check() error { return g.check(map[*Value]bool{}) }

func (g *Graph) check(visible map[*Value]bool) error {
	mine := make(map[*Value]bool, len(visible))
	for v := range visible {
		mine[v] = true
	}
	for _, v := range g.Inputs {
		if v.Node != nil || v.Const != nil {
			return fmt.Errorf("input %q is computed or constant", v.Name)
		}
		mine[v] = true
	}
	defined := func(v *Value) bool { return v == nil || mine[v] || v.Const != nil && v.Node == nil }
	for _, n := range g.Nodes {
		if n.Op == nil {
			return fmt.Errorf("%v is not bound", n)
		}
		for _, v := range n.Inputs {
			if !defined(v) {
				return fmt.Errorf("%v reads %q before it is defined", n, v.Name)
			}
		}
		for _, sub := range n.Subgraphs {
			if sub.Outer != g {
				return fmt.Errorf("%v: the subgraph's outer graph is another one", n)
			}
			if err := sub.check(mine); err != nil {
				return fmt.Errorf("%v: %w", n, err)
			}
		}
		for i, v := range n.Outputs {
			if v == nil {
				continue
			}
			if v.Node != n || v.Out != i || mine[v] {
				return fmt.Errorf("%v: output %d (%q) does not belong to it", n, i, v.Name)
			}
			mine[v] = true
		}
	}
	for _, v := range g.Outputs {
		if v == nil || !defined(v) {
			return fmt.Errorf("output %v of graph %q is not defined", v, g.Name)
		}
	}
	return nil
}
