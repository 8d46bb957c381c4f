package schema

import (
	"strings"
	"testing"
)

func TestCoverage(t *testing.T) {
	got := Coverage(func(domain, name string, since int) bool {
		return domain == "" && (name == "Relu" || name == "Upsample" && since < 10 || name == "SimplifiedLayerNormalization") ||
			domain == "ai.onnx.ml"
	})
	for _, want := range []string{
		"### ai.onnx\n\n1 of 203 operators in all versions, 7 of 612 versions.",
		"| Operator | Versions | Missing |\n| --- | --- | --- |\n| Abs |  | 1 6 13 |\n",
		"| Relu | 1 6 13 14 |  |\n",
		"| Upsample | 1 7 9 | 10 (deprecated) |\n",
		"### ai.onnx.ml\n\n19 of 19 operators in all versions, ",
		"| SimplifiedLayerNormalization (in ai.onnx) | 1 |  |\n",
		"| LayerNormalization (in ai.onnx) |  | 1 |\n",
		"| LayerNormalization |  | 17 |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%.2000s", want, got)
		}
	}
}
