package draw

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/text"
)

func picture(t *testing.T, src string) *Graph {
	t.Helper()
	p, err := text.Parse(`<ir_version: 8, opset_import: ["": 17]> ` + src)
	if err != nil {
		t.Fatal(err)
	}
	return FromModel(p.GetGraph(), map[string]string{"x": "float[2]", "a<b": "float[2]"})
}

const diamond = `g (float[2] x, float[2] w) => (y) <float[2] w = {1, 2}> {
	a = Add (x, w)  b = Neg (a)  c = Exp (b)  d = Mul (a, a)  e = Sub (c, d)  f = Add (e, x)
	k = Constant <value = bool {1}> ()  y = If (k) <then_branch = t () => (p) { p = Abs (f) }, else_branch = s () => (q) { q = Constant <value_float = 1.0> () }> }`

func TestFromModel(t *testing.T) {
	g := picture(t, diamond)
	var labels []string
	for _, n := range g.Nodes {
		labels = append(labels, n.Label)
	}
	// The weight is not drawn, and neither is the second edge from a to Mul.
	if got := strings.Join(labels, " "); got != "x Add Neg Exp Mul Sub Add Constant If Abs Constant y" {
		t.Error(got)
	}
	inside := 0
	for _, e := range g.Edges {
		if e.Inside {
			inside++
		}
	}
	if len(g.Edges) != 13 || inside != 2 {
		t.Errorf("%d edges, %d of them to branches: %v", len(g.Edges), inside, g.Edges)
	}
}

func TestLayout(t *testing.T) {
	g := picture(t, diamond)
	l := newLayout(g)
	for i, e := range g.Edges {
		route := l.routes[i]
		if route[0] != e.From || route[len(route)-1] != e.To {
			t.Errorf("edge %v goes %v", e, route)
		}
		for k := 1; k < len(route); k++ {
			if l.boxes[route[k]].layer != l.boxes[route[k-1]].layer+1 {
				t.Errorf("edge %v leaves out a layer", e)
			}
		}
	}
	for k, layer := range l.layers {
		for i := 1; i < len(layer); i++ {
			a, b := l.boxes[layer[i-1]], l.boxes[layer[i]]
			if a.x+a.w/2 > b.x-b.w/2 {
				t.Errorf("boxes of layer %d overlap", k)
			}
		}
		for _, i := range layer {
			if b := l.boxes[i]; b.x-b.w/2 < -1e-9 {
				t.Errorf("a box of layer %d begins at %v", k, b.x-b.w/2)
			}
		}
	}
}

func TestSVG(t *testing.T) {
	g := picture(t, diamond)
	g.Nodes[0].Label = `a<b & "c"`
	rects := 0
	for d := xml.NewDecoder(strings.NewReader(string(SVG(g)))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			rects++
		}
	}
	if rects != len(g.Nodes) {
		t.Errorf("%d boxes for %d nodes", rects, len(g.Nodes))
	}
}

func TestDOT(t *testing.T) {
	g := picture(t, diamond)
	g.Nodes[1].Label = `a "quoted" one`
	out, err := DOT(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`digraph "g" {`, `1 [label="a \"quoted\" one"]`, "8 -> 9 [style=dashed];", `0 -> 1 [label="float[2]"];`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %s in %s", want, out)
		}
	}
}
