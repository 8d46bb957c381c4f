package ml

import (
	"fmt"
	"math"
	"slices"
)

// mode is the comparison of a node: the true branch is taken where x mode split holds.
type mode uint8

const (
	leq mode = iota
	lt
	gte
	gt
	eq
	neq
	member
	leaf // of the lists before version 5
)

var modeNames = map[string]mode{
	"BRANCH_LEQ": leq, "BRANCH_LT": lt, "BRANCH_GTE": gte, "BRANCH_GT": gt, "BRANCH_EQ": eq, "BRANCH_NEQ": neq, "LEAF": leaf,
}

// node is an inner node. A branch ≥ 0 is another node, one below 0 the leaf ^branch.
type node struct {
	split   float64
	feature int32
	yes, no int32
	set     int32 // of a member node
	mode    mode
	missing bool // NaN takes the true branch
}

// weight is what a leaf adds to a target.
type weight struct {
	target int32
	value  float64
}

// forest is a set of trees as flat arrays; it is checked to be free of cycles and of indices out of range.
type forest struct {
	roots    []int32
	nodes    []node
	first    []int32 // weights of leaf i are weights[first[i]:first[i+1]]
	weights  []weight
	sets     []map[float64]bool
	features int // one more than the largest feature
}

// check validates indices and that no walk is endless.
func (f *forest) check() error {
	leaves := len(f.first) - 1
	in := func(b int32) bool { return int(b) < len(f.nodes) && int(^b) < leaves }
	for i, n := range f.nodes {
		if !in(n.yes) || !in(n.no) {
			return fmt.Errorf("tree node %d has a branch that does not exist", i)
		}
		if n.feature < 0 {
			return fmt.Errorf("tree node %d tests feature %d", i, n.feature)
		}
		f.features = max(f.features, int(n.feature)+1)
	}
	for _, r := range f.roots {
		if !in(r) {
			return fmt.Errorf("a tree's root does not exist")
		}
	}
	return f.acyclic()
}

// acyclic walks depth first from every node; state tells nodes on the current path from finished ones.
func (f *forest) acyclic() error {
	const open, done = 1, 2
	state := make([]uint8, len(f.nodes))
	var stack []int32
	for r := range f.nodes {
		stack = append(stack[:0], int32(r))
		for len(stack) > 0 {
			i := stack[len(stack)-1]
			if state[i] == done {
				stack = stack[:len(stack)-1]
				continue
			}
			if state[i] == open {
				state[i] = done
				stack = stack[:len(stack)-1]
				continue
			}
			state[i] = open
			for _, b := range [2]int32{f.nodes[i].yes, f.nodes[i].no} {
				if b >= 0 && state[b] == open {
					return fmt.Errorf("tree node %d is its own ancestor", b)
				}
				if b >= 0 && state[b] == 0 {
					stack = append(stack, b)
				}
			}
		}
	}
	return nil
}

// find walks a tree and returns the weights of the leaf that row x reaches.
func find[T float32 | float64](f *forest, at int32, x []T) []weight {
	for at >= 0 {
		n := &f.nodes[at]
		v := float64(x[n.feature])
		var yes bool
		switch n.mode {
		case leq:
			yes = v <= n.split
		case lt:
			yes = v < n.split
		case gte:
			yes = v >= n.split
		case gt:
			yes = v > n.split
		case eq:
			yes = v == n.split
		case neq:
			yes = v != n.split
		default:
			yes = f.sets[n.set][v]
		}
		if at = n.no; yes || n.missing && v != v {
			at = n.yes
		}
	}
	return f.weights[f.first[^at]:f.first[^at+1]]
}

// aggregate is how the weights of the trees are combined.
type aggregate uint8

const (
	average aggregate = iota
	sum
	minimum
	maximum
)

// score adds up a row's weights; seen tells the targets that got any.
func score[T float32 | float64](f *forest, how aggregate, x []T, s []float64, seen []bool) {
	clear(s)
	clear(seen)
	for _, r := range f.roots {
		for _, w := range find(f, r, x) {
			switch {
			case how == minimum && seen[w.target]:
				s[w.target] = min(s[w.target], w.value)
			case how == maximum && seen[w.target]:
				s[w.target] = max(s[w.target], w.value)
			default:
				s[w.target] += w.value
			}
			seen[w.target] = true
		}
	}
	if how == average {
		for i := range s {
			s[i] /= float64(len(f.roots))
		}
	}
}

// lists are the attributes of the ensembles before version 5.
type lists struct {
	trees, ids, features, yes, no, missing []int
	values                                 []float64
	modes                                  []string
	leafTrees, leafIDs, leafTargets        []int
	leafWeights                            []float64
}

// forest builds the flat form; targets is the number of targets.
func (l *lists) forest(targets int) (*forest, error) {
	n := len(l.ids)
	for _, m := range []int{len(l.trees), len(l.features), len(l.yes), len(l.no), len(l.values), len(l.modes)} {
		if m != n {
			return nil, fmt.Errorf("the lists of tree nodes differ in length: %d and %d", m, n)
		}
	}
	if len(l.missing) != 0 && len(l.missing) != n || n > math.MaxInt32 {
		return nil, fmt.Errorf("%d flags for missing values of %d nodes", len(l.missing), n)
	}
	f := &forest{}
	at := make(map[[2]int]int32, n) // tree and node id → branch
	var inner []int                 // list position of each inner node
	leaves := 0
	for i := range n {
		key := [2]int{l.trees[i], l.ids[i]}
		if _, ok := at[key]; ok {
			return nil, fmt.Errorf("tree %d has two nodes %d", key[0], key[1])
		}
		m, ok := modeNames[l.modes[i]]
		switch {
		case !ok:
			return nil, fmt.Errorf("tree node mode %q", l.modes[i])
		case m == leaf:
			at[key] = ^int32(leaves)
			leaves++
		default:
			at[key] = int32(len(inner))
			inner = append(inner, i)
		}
	}
	child := map[int32]bool{}
	for _, i := range inner {
		yes, ok1 := at[[2]int{l.trees[i], l.yes[i]}]
		no, ok2 := at[[2]int{l.trees[i], l.no[i]}]
		if !ok1 || !ok2 || l.features[i] < 0 || l.features[i] > math.MaxInt32-1 {
			return nil, fmt.Errorf("node %d of tree %d has branches %d and %d and feature %d", l.ids[i], l.trees[i], l.yes[i], l.no[i], l.features[i])
		}
		child[yes], child[no] = true, true
		f.nodes = append(f.nodes, node{split: l.values[i], feature: int32(l.features[i]), yes: yes, no: no, mode: modeNames[l.modes[i]], missing: len(l.missing) > 0 && l.missing[i] != 0})
	}
	for i := range n {
		if b := at[[2]int{l.trees[i], l.ids[i]}]; !child[b] {
			f.roots = append(f.roots, b)
		}
	}
	if err := l.leaves(f, at, leaves, targets); err != nil {
		return nil, err
	}
	return f, f.check()
}

// leaves sorts the weights by leaf. Weights of inner nodes are ignored.
func (l *lists) leaves(f *forest, at map[[2]int]int32, leaves, targets int) error {
	n := len(l.leafIDs)
	if len(l.leafTrees) != n || len(l.leafTargets) != n || len(l.leafWeights) != n {
		return fmt.Errorf("the lists of leaf weights differ in length")
	}
	type entry struct {
		leaf int32
		weight
	}
	var entries []entry
	for i := range n {
		b, ok := at[[2]int{l.leafTrees[i], l.leafIDs[i]}]
		if t := l.leafTargets[i]; !ok || t < 0 || t >= targets {
			return fmt.Errorf("weight %d is for node %d of tree %d and target %d of %d", i, l.leafIDs[i], l.leafTrees[i], t, targets)
		}
		if b < 0 {
			entries = append(entries, entry{^b, weight{int32(l.leafTargets[i]), l.leafWeights[i]}})
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return int(a.leaf - b.leaf) })
	f.first = make([]int32, leaves+1)
	for _, e := range entries {
		f.first[e.leaf+1]++
		f.weights = append(f.weights, e.weight)
	}
	for i := range leaves {
		f.first[i+1] += f.first[i]
	}
	return nil
}
