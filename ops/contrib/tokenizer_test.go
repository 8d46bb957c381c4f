package contrib_test

import (
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func TestTokenizer(t *testing.T) {
	texts := tensor.Strings(tensor.Shape{3}, []string{"a bc  def", "é, wörld", ""})
	for _, c := range []struct {
		attrs opstest.Attrs
		width int
		want  []string
	}{
		{opstest.Attrs{"mark": 0, "mincharnum": 1, "separators": []string{" "}}, 3, []string{"a", "bc", "def", "é,", "wörld", "#", "#", "#", "#"}},
		{opstest.Attrs{"mark": 1, "mincharnum": 2, "separators": []string{" ", ","}}, 4, []string{"\x02", "bc", "def", "\x03", "\x02", "wörld", "\x03", "#", "\x02", "\x03", "#", "#"}},
		{opstest.Attrs{"mark": 0, "mincharnum": 1, "separators": []string{""}}, 9, []string{"a", " ", "b", "c", " ", " ", "d", "e", "f",
			"é", ",", " ", "w", "ö", "r", "l", "d", "#", "#", "#", "#", "#", "#", "#", "#", "#", "#"}},
		{opstest.Attrs{"mark": 0, "mincharnum": 2, "tokenexp": "[a-z]+"}, 2, []string{"bc", "def", "rld", "#", "#", "#"}},
		{opstest.Attrs{"mark": 1, "mincharnum": 20, "separators": []string{" "}}, 0, nil},
	} {
		c.attrs["pad_value"] = "#"
		opstest.Equal(t, opstest.Run1(t, ms("Tokenizer", c.attrs), texts), tensor.Strings(tensor.Shape{3, c.width}, c.want), 0, 0)
	}
	for _, attrs := range []opstest.Attrs{{"separators": []string{"("}}, {"tokenexp": "a", "separators": []string{" "}}, {}, {"separators": []string{" "}, "mincharnum": 0}} {
		if _, err := opstest.New(ms("Tokenizer", attrs)); err == nil {
			t.Errorf("%v is taken", attrs)
		}
	}
}
