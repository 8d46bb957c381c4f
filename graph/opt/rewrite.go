package opt

import (
	"fmt"
	"slices"

	"github.com/sardonyx-ml/sardonyx/graph"
)

// Rule is a rewrite of one pattern.
type Rule struct {
	Name  string
	Match Pattern
	// Also names nodes of the pattern whose first output may have readers outside the match. Build gives these readers
	// another value through Rewrite.Replace, if the node has any.
	Also []string
	// Build appends what replaces the match to b's graph and returns the value for the pattern's root. It returns nil to
	// refuse, with the reason in b.Refuse.
	Build func(b *Rewrite, m *Match) *graph.Value
}

// Rewrite is the context of building a replacement.
type Rewrite struct {
	*graph.Builder
	refused string
	also    []substitution
	u       *users
}

type substitution struct{ old, new *graph.Value }

// Replace makes readers of old outside the match read v. old is the first output of a node that the rule's Also names, and the
// replacement must not depend on these readers.
func (r *Rewrite) Replace(old, v *graph.Value) { r.also = append(r.also, substitution{old, v}) }

// Readers returns how many inputs of nodes and outputs of graphs read v.
func (r *Rewrite) Readers(v *graph.Value) int { return len(r.u.nodes[v]) + r.u.outputs[v] }

// IsOutput reports whether v is an output of some graph.
func (r *Rewrite) IsOutput(v *graph.Value) bool { return r.u.outputs[v] > 0 }

// Refuse records why a match is left alone and returns nil.
func (r *Rewrite) Refuse(reason string) *graph.Value {
	r.refused = reason
	return nil
}

// Stats counts what rules did.
type Stats struct {
	Applied map[string]int
	Refused map[string]int // "rule: reason"

	disabled []string
}

// Apply runs rules over g and its subgraphs until none applies any more.
func Apply(g *graph.Graph, stats *Stats, rules ...Rule) error {
	rules = slices.DeleteFunc(slices.Clone(rules), func(r Rule) bool { return slices.Contains(stats.disabled, r.Name) })
	return g.Walk(func(sub *graph.Graph) error {
		for range maxRounds {
			changed, err := applyOnce(g, sub, stats, rules)
			if err != nil || !changed {
				return err
			}
		}
		return nil
	})
}

// maxRounds bounds the rounds over one graph: rules that undo each other must not run for ever.
const maxRounds = 20

// users is who reads each value of a model's graphs.
type users struct {
	nodes   map[*graph.Value][]*graph.Node // a node once for each input
	outputs map[*graph.Value]int           // times the value is an output of a graph
	owner   map[*graph.Node]*graph.Graph
}

func usersOf(g *graph.Graph) *users {
	u := &users{map[*graph.Value][]*graph.Node{}, map[*graph.Value]int{}, map[*graph.Node]*graph.Graph{}}
	_ = g.Walk(func(sub *graph.Graph) error {
		for _, n := range sub.Nodes {
			u.add(sub, n)
		}
		for _, v := range sub.Outputs {
			u.outputs[v]++
		}
		return nil
	})
	return u
}

func (u *users) add(g *graph.Graph, n *graph.Node) {
	u.owner[n] = g
	for _, v := range n.Inputs {
		if v != nil {
			u.nodes[v] = append(u.nodes[v], n)
		}
	}
}

func (u *users) remove(n *graph.Node) {
	delete(u.owner, n)
	for _, v := range n.Inputs {
		if v != nil {
			i := slices.Index(u.nodes[v], n)
			u.nodes[v] = slices.Delete(slices.Clone(u.nodes[v]), i, i+1)
		}
	}
}

// applyOnce goes over the nodes of one graph, last first, so that the largest pattern around a node comes before its parts.
func applyOnce(top, g *graph.Graph, stats *Stats, rules []Rule) (bool, error) {
	u := usersOf(top)
	changed := false
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		if i >= len(g.Nodes) {
			continue
		}
		n := g.Nodes[i]
		for _, r := range rules {
			done, err := try(g, u, n, r, stats)
			if err != nil {
				return false, fmt.Errorf("rule %s at %v: %w", r.Name, n, err)
			}
			if done {
				changed = true
				break
			}
		}
	}
	return changed, nil
}

// try applies a rule with the given node as the root.
func try(g *graph.Graph, u *users, n *graph.Node, r Rule, stats *Stats) (bool, error) {
	for _, root := range n.Outputs {
		if root == nil || root.Const != nil || u.outputs[root] != count(g.Outputs, root) {
			continue
		}
		m := &Match{Root: n, values: map[string]*graph.Value{}, nodes: map[string]*graph.Node{}}
		if !r.Match.match(m, root, func() bool { return u.closed(g, m, root, r.Also) }) {
			continue
		}
		return replace(g, u, m, root, r, stats)
	}
	return false, nil
}

func count(vs []*graph.Value, v *graph.Value) int {
	n := 0
	for _, x := range vs {
		if x == v {
			n++
		}
	}
	return n
}

// closed reports whether nobody outside the match needs what is inside it, and all of it belongs to one graph.
func (u *users) closed(g *graph.Graph, m *Match, root *graph.Value, also []string) bool {
	exempt := func(o *graph.Value) bool {
		return o == root || o.Out == 0 && slices.ContainsFunc(also, func(name string) bool { return m.nodes[name] == o.Node })
	}
	for _, n := range m.inner {
		if u.owner[n] != g {
			return false
		}
		for _, o := range n.Outputs {
			if o == nil || exempt(o) {
				continue
			}
			if u.outputs[o] > 0 {
				return false
			}
			for _, user := range u.nodes[o] {
				if !slices.Contains(m.inner, user) {
					return false
				}
			}
		}
	}
	return true
}

func replace(g *graph.Graph, u *users, m *Match, root *graph.Value, r Rule, stats *Stats) (bool, error) {
	at := slices.Index(g.Nodes, m.Root)
	rest := g.Nodes[at:]
	b := &Rewrite{Builder: graph.NewBuilder(g, root.Name), u: u}
	b.Opset = g.Opsets[""]
	g.Nodes = slices.Clone(g.Nodes[:at])
	v := r.Build(b, m)
	built := g.Nodes[at:]
	if b.Err() != nil || v == nil {
		g.Nodes = append(g.Nodes[:at], rest...)
		if b.Err() != nil {
			b.refused = b.Err().Error()
		}
		if b.refused != "" {
			stats.Refused[r.Name+": "+b.refused]++
		}
		return false, nil
	}
	for _, n := range built {
		if err := n.InferOutputs(); err != nil {
			return false, err
		}
		u.add(g, n)
	}
	substitute(g, u, root, v)
	for _, s := range b.also {
		substitute(g, u, s.old, s.new)
	}
	for _, n := range rest {
		if slices.Contains(m.inner, n) {
			u.remove(n)
			continue
		}
		g.Nodes = append(g.Nodes, n)
	}
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *graph.Node) bool {
		if _, ok := u.owner[n]; ok && slices.Contains(m.inner, n) {
			u.remove(n)
			return true
		}
		return false
	})
	if len(b.also) > 0 {
		g.Nodes = ordered(g.Nodes)
	}
	stats.Applied[r.Name]++
	return true, nil
}

// ordered sorts nodes such that each follows those whose outputs it reads, and otherwise keeps their order.
func ordered(nodes []*graph.Node) []*graph.Node {
	const waiting, done = 1, 2
	state := make(map[*graph.Node]int, len(nodes))
	for _, n := range nodes {
		state[n] = waiting
	}
	out := make([]*graph.Node, 0, len(nodes))
	var visit func(n *graph.Node)
	visit = func(n *graph.Node) {
		if state[n] != waiting {
			return
		}
		state[n] = done
		reads(n, func(v *graph.Value) {
			if v.Node != nil {
				visit(v.Node)
			}
		})
		out = append(out, n)
	}
	for _, n := range nodes {
		visit(n)
	}
	return out
}

// reads calls f with every value that a node or its subgraphs read.
func reads(n *graph.Node, f func(*graph.Value)) {
	for _, v := range n.Inputs {
		if v != nil {
			f(v)
		}
	}
	for _, sub := range n.Subgraphs {
		for _, m := range sub.Nodes {
			reads(m, f)
		}
		for _, v := range sub.Outputs {
			f(v)
		}
	}
}

// substitute makes every reader of old read v, which takes over old's name if it has been made for it.
func substitute(g *graph.Graph, u *users, old, v *graph.Value) {
	if v == old {
		return
	}
	for _, n := range u.nodes[old] {
		for i, x := range n.Inputs {
			if x == old {
				n.Inputs[i] = v
				u.nodes[v] = append(u.nodes[v], n)
			}
		}
	}
	delete(u.nodes, old)
	if u.outputs[old] > 0 {
		g.ReplaceOutput(old, v)
		u.outputs[v] += u.outputs[old]
		delete(u.outputs, old)
	}
}
