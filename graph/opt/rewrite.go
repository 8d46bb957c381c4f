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

// Defined reports whether v is computed by a node of the graph that is rewritten.
func (r *Rewrite) Defined(v *graph.Value) bool { return v.Node != nil && r.u.owner[v.Node] == r.G }

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
	index := indexRules(rules)
	return g.Walk(func(sub *graph.Graph) error {
		for range maxRounds {
			changed, err := applyOnce(g, sub, stats, index)
			if err != nil || !changed {
				return err
			}
		}
		return nil
	})
}

// ruleIndex holds rules by the operators that their patterns can begin with; "" stands for any.
type ruleIndex map[string][]*Rule

func indexRules(rules []Rule) ruleIndex {
	index := ruleIndex{}
	any := []*Rule{}
	for i := range rules {
		ops := roots(rules[i].Match)
		if ops == nil {
			any = append(any, &rules[i])
			for op := range index {
				index[op] = append(index[op], &rules[i])
			}
			continue
		}
		for _, op := range ops {
			have, ok := index[op]
			if !ok {
				have = slices.Clone(any)
			}
			if !slices.Contains(have, &rules[i]) {
				index[op] = append(have, &rules[i])
			}
		}
	}
	index[""] = any
	return index
}

// of returns the rules to try at a node, in their order.
func (x ruleIndex) of(n *graph.Node) []*Rule {
	if rules, ok := x[n.OpType]; ok {
		return rules
	}
	return x[""]
}

// roots returns the names of the operators that a pattern can begin with, nil if that is not known.
func roots(p Pattern) []string {
	switch p := p.(type) {
	case *Call:
		return p.ops
	case anyOf:
		var all []string
		for _, q := range p {
			r := roots(q)
			if r == nil {
				return nil
			}
			all = append(all, r...)
		}
		return all
	}
	return nil
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

// round is one pass of rules over the nodes of one graph. Its node list is put together again at the end, or when something
// needs it; until then gone and placed say what changed.
type round struct {
	top, g *graph.Graph
	stats  *Stats
	u      *users
	gone   map[*graph.Node]bool
	placed map[*graph.Node][]*graph.Node // what stands in the place of a node that is gone
	sort   bool
}

// applyOnce goes over the nodes of one graph, last first, so that the largest pattern around a node comes before its parts.
func applyOnce(top, g *graph.Graph, stats *Stats, rules ruleIndex) (bool, error) {
	rd := &round{top: top, g: g, stats: stats, gone: map[*graph.Node]bool{}, placed: map[*graph.Node][]*graph.Node{}}
	nodes := g.Nodes
	for i := len(nodes) - 1; i >= 0; i-- {
		n := nodes[i]
		for _, r := range rules.of(n) {
			if rd.gone[n] {
				break
			}
			done, err := rd.try(n, r)
			if err != nil {
				return false, fmt.Errorf("rule %s at %v: %w", r.Name, n, err)
			}
			if done {
				break
			}
		}
	}
	changed := len(rd.gone) > 0
	rd.flush()
	if rd.sort {
		g.Nodes = ordered(g.Nodes)
	}
	return changed, nil
}

// flush brings the graph's node list up to date.
func (rd *round) flush() {
	if len(rd.gone) == 0 {
		return
	}
	kept := make([]*graph.Node, 0, len(rd.g.Nodes))
	for _, n := range rd.g.Nodes {
		for _, b := range rd.placed[n] {
			if !rd.gone[b] {
				kept = append(kept, b)
			}
		}
		if !rd.gone[n] {
			kept = append(kept, n)
		}
	}
	rd.g.Nodes = kept
	clear(rd.placed)
}

// users are counted when the first pattern matches: most rules match nothing in most graphs.
func (rd *round) users() *users {
	if rd.u == nil {
		rd.u = usersOf(rd.top)
	}
	return rd.u
}

// try applies a rule with the given node as the root.
func (rd *round) try(n *graph.Node, r *Rule) (bool, error) {
	for _, root := range n.Outputs {
		if root == nil || root.Const != nil {
			continue
		}
		m := &Match{Root: n}
		if !r.Match.match(m, root, func() bool { return rd.users().closed(rd.g, m, root, r.Also) }) {
			continue
		}
		return rd.replace(m, root, r)
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
	if u.outputs[root] != count(g.Outputs, root) {
		return false // an output of a graph inside
	}
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

func (rd *round) replace(m *Match, root *graph.Value, r *Rule) (bool, error) {
	g, u := rd.g, rd.users()
	b := &Rewrite{Builder: graph.NewBuilder(g, root.Name), u: u}
	b.Opset = g.Opsets[""]
	nodes := g.Nodes
	g.Nodes = nil
	v := r.Build(b, m)
	built := g.Nodes
	g.Nodes = nodes
	if b.Err() != nil || v == nil {
		if b.Err() != nil {
			b.refused = b.Err().Error()
		}
		if b.refused != "" {
			rd.stats.Refused[r.Name+": "+b.refused]++
		}
		return false, nil
	}
	for _, n := range built {
		if err := n.InferOutputs(); err != nil {
			return false, err
		}
		u.add(g, n)
	}
	for _, n := range m.inner {
		if !rd.gone[n] {
			u.remove(n)
			rd.gone[n] = true
		}
	}
	rd.placed[m.Root] = built
	rd.sort = rd.sort || len(b.also) > 0
	for _, s := range append(b.also, substitution{root, v}) {
		rd.substitute(s.old, s.new)
	}
	rd.stats.Applied[r.Name]++
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
func (rd *round) substitute(old, v *graph.Value) {
	if v == old {
		return
	}
	u := rd.u
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
		rd.flush()
		rd.g.ReplaceOutput(old, v)
		u.outputs[v] += u.outputs[old]
		delete(u.outputs, old)
	}
}
