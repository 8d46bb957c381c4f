package graph

import (
	"strings"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
)

func TestInOrder(t *testing.T) {
	node := func(out string, in ...string) *onnxpb.NodeProto {
		return &onnxpb.NodeProto{Output: []string{out}, Input: in}
	}
	holder := node("h", "x")
	inner := &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{node("i", "c")}, Output: []*onnxpb.ValueInfoProto{{Name: new("i")}}}
	holder.Attribute = []*onnxpb.AttributeProto{{Name: new("body"), G: inner}}
	for _, c := range []struct {
		want  string
		nodes []*onnxpb.NodeProto
	}{
		{"a b c", []*onnxpb.NodeProto{node("a", "x"), node("b", "a"), node("c", "a", "b")}},
		{"a b c", []*onnxpb.NodeProto{node("b", "a"), node("a", "x", ""), node("c", "a", "b")}},
		{"a c b", []*onnxpb.NodeProto{node("b", "c"), node("a", "x"), node("c", "a", "a")}},
		{"c h", []*onnxpb.NodeProto{holder, node("c", "x")}},
		{"c a b", []*onnxpb.NodeProto{node("a", "b"), node("b", "a"), node("c", "x")}},
	} {
		var got []string
		for _, n := range inOrder(c.nodes) {
			got = append(got, n.GetOutput()[0])
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("got %s, want %s", s, c.want)
		}
	}
}
