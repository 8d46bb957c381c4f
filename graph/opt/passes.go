package opt

import (
	"fmt"
	"slices"

	"github.com/sardonyx-ml/sardonyx/graph"
)

// Level says how much a graph is changed.
type Level int

// The levels of optimization.
const (
	Off   Level = iota // nothing but what running needs
	Basic              // folding of constants and dead code
	All                // every pass
)

// ParseLevel returns the level of that name: off, basic or all.
func ParseLevel(s string) (Level, error) {
	for l, name := range []string{"off", "basic", "all"} {
		if s == name {
			return Level(l), nil
		}
	}
	return Off, fmt.Errorf("optimization level %q is not off, basic or all", s)
}

// Pass is one step of optimization.
type Pass struct {
	Name  string
	Level Level
	After string // a pass that must have run before
	Run   func(g *graph.Graph, stats *Stats) error
}

// passes run in this order.
var passes = []Pass{
	{Name: "infer", Level: Off, Run: func(g *graph.Graph, _ *Stats) error { return g.Infer() }},
	// Folding turns known shapes and attribute-like inputs into constants, which patterns and operators look at.
	{Name: "fold", Level: Basic, After: "infer", Run: func(g *graph.Graph, _ *Stats) error { g.Fold(); return nil }},
	{Name: "eliminate", Level: All, After: "fold", Run: rewrite(eliminateRules...)},
	{Name: "shapes", Level: All, After: "eliminate", Run: rewrite(slices.Concat(shapeRules, eliminateRules)...)},
	{Name: "cse", Level: All, After: "shapes", Run: shareSubexpressions},
	// Scales fold into constant weights before anything else takes the weights.
	{Name: "batchnorm", Level: All, After: "cse", Run: rewrite(slices.Concat(convBiasRules, batchNormRules)...)},
	{Name: "norms", Level: All, After: "batchnorm", Run: rewrite(slices.Concat(layerNormRules, rmsNormRules)...)},
	{Name: "activations", Level: All, After: "norms", Run: rewrite(slices.Concat(geluRules, swishRules, viewRules)...)},
	// From here on the graph has internal operators. Attention comes before what else takes its products and masks.
	{Name: "attention", Level: All, After: "activations", Run: fuseAttention},
	{Name: "products", Level: All, After: "attention", Run: rewrite(productRules...)},
	{Name: "quantized", Level: All, After: "attention", Run: rewrite(dynamicQuantRules...)},
	{Name: "convolutions", Level: All, After: "activations", Run: rewrite(convRules...)},
	{Name: "residuals", Level: All, After: "products", Run: rewrite(skipNormRules...)},
	{Name: "dead", Level: Basic, After: "residuals", Run: func(g *graph.Graph, _ *Stats) error { g.RemoveDead(); return nil }},
}

func init() {
	seen := map[string]bool{"": true}
	for _, p := range passes {
		if !seen[p.After] {
			panic("opt: pass " + p.Name + " stands before " + p.After)
		}
		seen[p.Name] = true
	}
}

func rewrite(rules ...Rule) func(*graph.Graph, *Stats) error {
	return func(g *graph.Graph, stats *Stats) error {
		err := Apply(g, stats, rules...)
		g.RemoveDead() // what nobody needs any more must not count as a reader
		return err
	}
}

// Options control Optimize.
type Options struct {
	Level   Level
	Disable []string // passes and rules to leave out
	Check   bool     // check the graph's invariants after each pass
}

// Optimize infers the graph's types and runs the passes of the level over it.
func Optimize(g *graph.Graph, o Options) (*Stats, error) {
	stats := &Stats{Applied: map[string]int{}, Refused: map[string]int{}, disabled: o.Disable}
	for _, p := range passes {
		if p.Level > o.Level || slices.Contains(o.Disable, p.Name) {
			continue
		}
		if err := p.Run(g, stats); err != nil {
			return nil, fmt.Errorf("%w", err)
		}
		if o.Check {
			if err := g.Check(); err != nil {
				return nil, fmt.Errorf("after pass %s: %w", p.Name, err)
			}
		}
	}
	return stats, nil
}
