package text

import (
	"strings"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

type (
	attrs = opstest.Attrs
	sh    = tensor.Shape
)

func words(s ...string) *tensor.Tensor { return tensor.Strings(sh{len(s)}, s) }

func TestStrings(t *testing.T) {
	for _, tc := range []struct {
		name, op string
		attrs    attrs
		in       []tensor.Value
		want     []*tensor.Tensor
		err      string
	}{
		{"stop words", "StringNormalizer", attrs{"stopwords": []string{"Monday"}}, []tensor.Value{words("monday", "Tuesday")}, []*tensor.Tensor{words("Tuesday")}, ""},
		{"case-sensitive, upper", "StringNormalizer", attrs{"stopwords": []string{"monday"}, "is_case_sensitive": 1, "case_change_action": "UPPER"}, []tensor.Value{words("monday", "Monday é")}, []*tensor.Tensor{words("MONDAY É")}, ""},
		{"all dropped", "StringNormalizer", attrs{"stopwords": []string{"a"}}, []tensor.Value{tensor.Strings(sh{1, 2}, []string{"a", "A"})}, []*tensor.Tensor{tensor.Strings(sh{1, 1}, []string{""})}, ""},
		{"Turkish", "StringNormalizer", attrs{"locale": "tr_TR", "case_change_action": "UPPER"}, []tensor.Value{words("i")}, []*tensor.Tensor{words("İ")}, ""},
		{"rows", "StringNormalizer", nil, []tensor.Value{tensor.Strings(sh{2, 1}, []string{"a", "b"})}, nil, "2 rows"},
		{"broadcast", "StringConcat", nil, []tensor.Value{tensor.Strings(sh{2, 1}, []string{"a", "b"}), words("x", "y")}, []*tensor.Tensor{tensor.Strings(sh{2, 2}, []string{"ax", "ay", "bx", "by"})}, ""},
		{"mismatch", "StringConcat", nil, []tensor.Value{words("a", "b"), words("a", "b", "c")}, nil, "broadcast"},
		{"comma", "StringSplit", attrs{"delimiter": ","}, []tensor.Value{words("a,,b", "", "c")}, []*tensor.Tensor{tensor.Strings(sh{3, 3}, []string{"a", "", "b", "", "", "", "c", "", ""}), tensor.Vector[int64](3, 1, 1)}, ""},
		{"white space", "StringSplit", nil, []tensor.Value{words(" a  b ", "")}, []*tensor.Tensor{tensor.Strings(sh{2, 2}, []string{"a", "b", "", ""}), tensor.Vector[int64](2, 0)}, ""},
		{"at most", "StringSplit", attrs{"maxsplit": 1}, []tensor.Value{words(" a b  c", "d")}, []*tensor.Tensor{tensor.Strings(sh{2, 2}, []string{"a", "b  c", "d", ""}), tensor.Vector[int64](2, 1)}, ""},
		{"no split", "StringSplit", attrs{"maxsplit": 0, "delimiter": "-"}, []tensor.Value{words("a-b")}, []*tensor.Tensor{tensor.Strings(sh{1, 1}, []string{"a-b"}), tensor.Vector[int64](1)}, ""},
		{"empty", "StringSplit", nil, []tensor.Value{tensor.Strings(sh{0, 2}, nil)}, []*tensor.Tensor{tensor.Strings(sh{0, 2, 0}, nil), tensor.Of(sh{0, 2}, []int64{})}, ""},
		{"alternatives", "RegexFullMatch", attrs{"pattern": "a|ab"}, []tensor.Value{words("ab", "abc", "a", "")}, []*tensor.Tensor{tensor.Vector(true, false, true, false)}, ""},
		{"line ends", "RegexFullMatch", attrs{"pattern": "(?m)a$"}, []tensor.Value{words("a", "a\n")}, []*tensor.Tensor{tensor.Vector(true, false)}, ""},
		{"bad pattern", "RegexFullMatch", attrs{"pattern": "a)(b"}, []tensor.Value{words("ab")}, nil, "pattern"},
		{"numbers", "RegexFullMatch", attrs{"pattern": "a"}, []tensor.Value{tensor.Vector(1.0)}, nil, "not a string tensor"},
	} {
		t.Run(tc.op+" "+tc.name, func(t *testing.T) {
			got, err := opstest.Run(t, opstest.Call{Name: tc.op, Attrs: tc.attrs, Outputs: len(tc.want)}, tc.in...)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("got error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range tc.want {
				opstest.Equal(t, got[i].(*tensor.Tensor), w, 0, 0)
			}
		})
	}
}

func TestTfIdf(t *testing.T) {
	base := func(more attrs) attrs {
		a := attrs{
			"mode": "TF", "min_gram_length": 2, "max_gram_length": 2, "max_skip_count": 0,
			"ngram_counts": []int{0, 4}, "ngram_indexes": []int{0, 1, 2, 3, 4, 5, 6},
			"pool_int64s": []int{2, 3, 5, 4, 5, 6, 7, 8, 6, 7},
		}
		for k, v := range more {
			a[k] = v
		}
		return a
	}
	x := tensor.Vector[int32](1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8)
	for _, tc := range []struct {
		name  string
		attrs attrs
		in    *tensor.Tensor
		want  []float32
	}{
		{"bigrams", base(nil), x, []float32{0, 0, 0, 0, 1, 1, 1}},
		{"skips", base(attrs{"max_skip_count": 5}), x, []float32{0, 0, 0, 0, 1, 3, 1}},
		{"unigrams too", base(attrs{"min_gram_length": 1, "max_skip_count": 5}), x, []float32{0, 3, 1, 0, 1, 3, 1}},
		{"weighted", base(attrs{"mode": "TFIDF", "min_gram_length": 1, "max_skip_count": 5, "weights": []float64{1, 2, 3, 4, 5, 6, 7}}), x, []float32{0, 6, 3, 0, 5, 18, 7}},
		{"present", base(attrs{"mode": "IDF", "max_skip_count": 5, "weights": []float64{1, 2, 3, 4, 5, 6, 7}}), x, []float32{0, 0, 0, 0, 5, 6, 7}},
		{"nothing", base(nil), tensor.Vector[int32](), make([]float32, 7)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := opstest.Run1(t, opstest.Call{Name: "TfIdfVectorizer", Attrs: tc.attrs}, tc.in)
			opstest.Equal(t, got, tensor.Vector(tc.want...), 0, 0)
		})
	}
	strs := attrs{"mode": "TF", "min_gram_length": 1, "max_gram_length": 1, "max_skip_count": 0, "ngram_counts": []int{0}, "ngram_indexes": []int{1, 0}, "pool_strings": []string{"a", "b"}}
	got := opstest.Run1(t, opstest.Call{Name: "TfIdfVectorizer", Attrs: strs}, tensor.Strings(sh{2, 2}, []string{"a", "a", "c", "b"}))
	opstest.Equal(t, got, tensor.Of(sh{2, 2}, []float32{0, 2, 1, 0}), 0, 0)
	for name, a := range map[string]attrs{
		"both pools":      base(attrs{"pool_strings": []string{"a"}}),
		"counts":          base(attrs{"ngram_counts": []int{0, 40}}),
		"indexes":         base(attrs{"ngram_indexes": []int{0}}),
		"negative index":  base(attrs{"ngram_indexes": []int{0, 1, 2, 3, 4, 5, -6}}),
		"few weights":     base(attrs{"mode": "IDF", "weights": []float64{1}}),
		"half an n-gram":  base(attrs{"ngram_counts": []int{0, 3}}),
		"unknown mode":    base(attrs{"mode": "X"}),
		"lengths":         base(attrs{"max_gram_length": 1}),
		"strings for int": base(nil),
	} {
		in := tensor.Value(x)
		if name == "strings for int" {
			in = words("a")
		}
		if _, err := opstest.Run(t, opstest.Call{Name: "TfIdfVectorizer", Attrs: a}, in); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
