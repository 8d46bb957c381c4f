package exec

import (
	"slices"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// program is a graph compiled to steps over slots. It is immutable and shared by all runs.
type program struct {
	slots    int
	inputs   []int // slot of each formal input
	outputs  []int
	consts   []constant
	captures []capture // values of the enclosing program that this one reads
	steps    []step
	values   []*graph.Value // of each slot, for messages
}

type constant struct {
	slot int
	v    tensor.Value
}

type capture struct{ outer, inner int }

// step is one node. Slot -1 stands for an absent input or output.
type step struct {
	node    *graph.Node
	op      ops.Op
	in, out []int
	wanted  []bool
	types   []tensor.Type // inferred, of the outputs
	dies    []bool        // input i is read here for the last time, and by this input only
	release []int         // slots that nobody reads after this step
	subs    map[string]*program
	// static: the outputs depend on shapes alone; observed: the step itself sees whether a shape changed.
	static, observed bool
}

// packed is what an operator made of its constant inputs.
type packed struct {
	op      ops.Op
	dropped []int
}

// compiler assigns slots for one graph.
type compiler struct {
	p     *program
	g     *graph.Graph
	slot  map[*graph.Value]int
	outer *compiler
	packs map[*graph.Node]packed
	// static are the values that follow from shapes.
	static map[*graph.Value]bool
}

// compile turns an inferred graph into a program.
func compile(g *graph.Graph, packs map[*graph.Node]packed) *program {
	c := &compiler{p: &program{}, g: g, slot: map[*graph.Value]int{}, packs: packs, static: map[*graph.Value]bool{}}
	c.build(g.Uses())
	return c.p
}

func (c *compiler) build(uses map[*graph.Value]int) {
	for _, v := range c.g.Inputs {
		c.p.inputs = append(c.p.inputs, c.define(v))
	}
	for _, n := range c.g.Nodes {
		c.p.steps = append(c.p.steps, c.step(n, uses))
	}
	for _, v := range c.g.Outputs {
		c.p.outputs = append(c.p.outputs, c.use(v))
	}
	c.p.slots = len(c.p.values)
	c.lifetimes()
}

func (c *compiler) define(v *graph.Value) int {
	i := len(c.p.values)
	c.p.values = append(c.p.values, v)
	c.slot[v] = i
	return i
}

// use returns the slot of a value that is read here: defined in this graph, constant, or captured from an outer one.
func (c *compiler) use(v *graph.Value) int {
	if i, ok := c.slot[v]; ok {
		return i
	}
	if v.Const != nil {
		i := c.define(v)
		c.p.consts = append(c.p.consts, constant{i, v.Const})
		return i
	}
	if c.outer == nil {
		panic("exec: value " + v.Name + " is used but not defined")
	}
	o := c.outer.use(v)
	i := c.define(v)
	c.p.captures = append(c.p.captures, capture{o, i})
	return i
}

func (c *compiler) step(n *graph.Node, uses map[*graph.Value]int) step {
	s := step{node: n, op: n.Op}
	pk, isPacked := c.packs[n]
	if isPacked {
		s.op = pk.op
	}
	for i, v := range n.Inputs {
		if v == nil || isPacked && slices.Contains(pk.dropped, i) {
			s.in = append(s.in, -1)
			continue
		}
		s.in = append(s.in, c.use(v))
	}
	for name, sub := range n.Subgraphs {
		if s.subs == nil {
			s.subs = map[string]*program{}
		}
		inner := &compiler{p: &program{}, g: sub, slot: map[*graph.Value]int{}, outer: c, packs: c.packs}
		inner.build(uses)
		s.subs[name] = inner.p
	}
	s.static, s.observed = c.isStatic(n)
	for _, v := range n.Outputs {
		if v != nil && s.static {
			c.static[v] = true
		}
		if v == nil {
			s.out = append(s.out, -1)
			s.wanted = append(s.wanted, false)
			s.types = append(s.types, tensor.Type{})
			continue
		}
		s.out = append(s.out, c.define(v))
		s.wanted = append(s.wanted, uses[v] > 0)
		s.types = append(s.types, v.Type)
	}
	return s
}

// lifetimes fills in dies and release.
func (c *compiler) lifetimes() {
	kept := make([]bool, len(c.p.values)) // read after the last step, or owned by somebody else
	for _, o := range c.p.outputs {
		kept[o] = true
	}
	for _, k := range c.p.consts {
		kept[k.slot] = true
	}
	seen := make([]bool, len(c.p.values))
	for i := len(c.p.steps) - 1; i >= 0; i-- {
		s := &c.p.steps[i]
		count := map[int]int{}
		for _, slot := range s.in {
			if slot >= 0 {
				count[slot]++
			}
		}
		captured := map[int]bool{}
		for _, sub := range s.subs {
			for _, k := range sub.captures {
				captured[k.outer] = true
			}
		}
		s.dies = make([]bool, len(s.in))
		for k, slot := range s.in {
			s.dies[k] = slot >= 0 && !seen[slot] && !kept[slot] && count[slot] == 1 && !captured[slot]
		}
		end := func(slot int) {
			if slot >= 0 && !seen[slot] && !kept[slot] {
				seen[slot] = true
				s.release = append(s.release, slot)
			}
		}
		for _, slot := range s.out {
			end(slot)
		}
		for _, slot := range s.in {
			end(slot)
		}
		for slot := range captured {
			end(slot)
		}
	}
}
