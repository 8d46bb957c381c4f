package draw

import (
	"cmp"
	"slices"
)

// The layout is the method of Sugiyama: nodes get layers along the longest path, edges over several layers get a bend in
// each, layers are ordered by the mean place of their neighbours, then shifted towards these.

// box is a node or a bend of an edge.
type box struct {
	layer         int
	x, w          float64 // center and width
	above, below  []int   // neighbours in the next layers
	mean          float64
	node          int // -1 for a bend
	hasNeighbours bool
}

type layout struct {
	boxes  []box
	layers [][]int
	routes [][]int // of each edge: the boxes it passes, both ends included
}

const (
	gap       = 18.0 // between boxes
	charWidth = 7.5
	sweeps    = 8
	maxBends  = 200_000 // beyond, long edges are straight
)

func newLayout(g *Graph) *layout {
	l := &layout{boxes: make([]box, len(g.Nodes))}
	for i, n := range g.Nodes {
		l.boxes[i] = box{w: charWidth*float64(len([]rune(n.Label))) + 20, node: i}
	}
	for _, e := range sorted(g.Edges) {
		l.boxes[e.To].layer = max(l.boxes[e.To].layer, l.boxes[e.From].layer+1)
	}
	l.route(g)
	deepest := 0
	for _, b := range l.boxes {
		deepest = max(deepest, b.layer)
	}
	l.layers = make([][]int, deepest+1)
	for i, b := range l.boxes {
		l.layers[b.layer] = append(l.layers[b.layer], i)
	}
	for _, layer := range l.layers {
		l.pack(layer)
	}
	for i := range sweeps {
		l.sweep(i%2 == 0)
	}
	l.normalize()
	return l
}

// sorted returns the edges in topological order of their targets: nodes are numbered in such an order.
func sorted(edges []Edge) []Edge {
	out := slices.Clone(edges)
	slices.SortStableFunc(out, func(a, b Edge) int { return cmp.Compare(a.To, b.To) })
	return out
}

// route puts bends into long edges.
func (l *layout) route(g *Graph) {
	bends := 0
	for _, e := range g.Edges {
		bends += l.boxes[e.To].layer - l.boxes[e.From].layer - 1
	}
	for _, e := range g.Edges {
		path := []int{e.From}
		for k := l.boxes[e.From].layer + 1; k < l.boxes[e.To].layer && bends <= maxBends; k++ {
			path = append(path, len(l.boxes))
			l.boxes = append(l.boxes, box{layer: k, w: 1, node: -1})
		}
		path = append(path, e.To)
		for i := 1; i < len(path); i++ {
			l.boxes[path[i-1]].below = append(l.boxes[path[i-1]].below, path[i])
			l.boxes[path[i]].above = append(l.boxes[path[i]].above, path[i-1])
		}
		l.routes = append(l.routes, path)
	}
}

// pack places a layer's boxes side by side around 0.
func (l *layout) pack(layer []int) {
	total := gap * float64(len(layer)-1)
	for _, i := range layer {
		total += l.boxes[i].w
	}
	x := -total / 2
	for _, i := range layer {
		l.boxes[i].x = x + l.boxes[i].w/2
		x += l.boxes[i].w + gap
	}
}

// sweep goes through the layers and orders and shifts each by the places of its neighbours in the layer before.
func (l *layout) sweep(down bool) {
	for k := range l.layers {
		if !down {
			k = len(l.layers) - 1 - k
		}
		layer := l.layers[k]
		for _, i := range layer {
			b := &l.boxes[i]
			near := b.above
			if !down {
				near = b.below
			}
			b.mean = b.x
			if b.hasNeighbours = len(near) > 0; b.hasNeighbours {
				b.mean = 0
				for _, n := range near {
					b.mean += l.boxes[n].x / float64(len(near))
				}
			}
		}
		slices.SortStableFunc(layer, func(a, b int) int { return cmp.Compare(l.boxes[a].mean, l.boxes[b].mean) })
		l.shift(layer)
	}
}

// shift moves boxes to their mean as far as the ones to the left allow, and the layer back by what that cost on average.
func (l *layout) shift(layer []int) {
	moved, right := 0.0, 0.0
	for k, i := range layer {
		b := &l.boxes[i]
		b.x = b.mean
		if k > 0 {
			b.x = max(b.x, right+gap+b.w/2)
		}
		right = b.x + b.w/2
		moved += (b.x - b.mean) / float64(len(layer))
	}
	for _, i := range layer {
		l.boxes[i].x -= moved
	}
}

// normalize lets the picture begin at 0.
func (l *layout) normalize() {
	left := 0.0
	for _, b := range l.boxes {
		left = min(left, b.x-b.w/2)
	}
	for i := range l.boxes {
		l.boxes[i].x -= left
	}
}
