package draw

import (
	"bytes"
	"fmt"
	"html"
)

const (
	boxHeight   = 24.0
	layerHeight = 64.0
	margin      = 12.0
)

// SVG returns the picture as an SVG document. Boxes and edges have the names and types of what they stand for as tooltips.
func SVG(g *Graph) []byte {
	l := newLayout(g)
	width := 0.0
	for _, b := range l.boxes {
		width = max(width, b.x+b.w/2)
	}
	height := float64(len(l.layers)-1)*layerHeight + boxHeight
	var s bytes.Buffer
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" font-family="sans-serif" font-size="12">
<style>rect{fill:#eef3fa;stroke:#4a6a94} .io{fill:#fdf3dc;stroke:#a9791c} path{fill:none;stroke:#777} .inside{stroke-dasharray:4 3} .edge{font-size:9px;fill:#555}</style>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" style="fill:#777"/></marker></defs>
`, width+2*margin, height+2*margin)
	for i, e := range g.Edges {
		l.edge(&s, e, l.routes[i])
	}
	for i, n := range g.Nodes {
		b := l.boxes[i]
		class, round := "", 3
		if n.Kind != Operator {
			class, round = ` class="io"`, 12
		}
		x, y := b.x+margin, float64(b.layer)*layerHeight+margin
		fmt.Fprintf(&s, `<g><title>%s</title><rect%s x="%.1f" y="%.1f" width="%.1f" height="%.0f" rx="%d"/><text x="%.1f" y="%.1f" text-anchor="middle">%s</text></g>`+"\n",
			html.EscapeString(n.Name), class, x-b.w/2, y, b.w, boxHeight, round, x, y+boxHeight/2+4, html.EscapeString(n.Label))
	}
	s.WriteString("</svg>\n")
	return s.Bytes()
}

// edge draws a curve from the lower side of the first box through the bends to the upper side of the last.
func (l *layout) edge(s *bytes.Buffer, e Edge, route []int) {
	class := ""
	if e.Inside {
		class = ` class="inside"`
	}
	point := func(k int) (x, y float64) {
		b := l.boxes[route[k]]
		y = float64(b.layer)*layerHeight + margin
		if k == 0 {
			y += boxHeight
		} else if k < len(route)-1 {
			y += boxHeight / 2
		}
		return b.x + margin, y
	}
	x, y := point(0)
	fmt.Fprintf(s, `<path%s d="M%.1f %.1f`, class, x, y)
	for k := 1; k < len(route); k++ {
		u, v := point(k)
		fmt.Fprintf(s, "C%.1f %.1f %.1f %.1f %.1f %.1f", x, (y+v)/2, u, (y+v)/2, u, v)
		x, y = u, v
	}
	fmt.Fprintf(s, `" marker-end="url(#arrow)"><title>%s</title></path>`+"\n", html.EscapeString(e.Label))
	if e.Label != "" {
		x, y := point(0)
		u, v := point(1)
		fmt.Fprintf(s, `<text class="edge" x="%.1f" y="%.1f">%s</text>`+"\n", (x+u)/2+3, (y+v)/2, html.EscapeString(e.Label))
	}
}
