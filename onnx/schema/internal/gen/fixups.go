package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// fixup adds what the changelog pages omit.
func fixup(ops []*op, checkout string) error {
	rows := map[string]*op{}
	for _, o := range ops {
		rows[key(o.domain, o.name, o.since)] = o
	}
	for _, s := range deprecated {
		o, old := rows[key(s.domain, s.name, s.since)], rows[key(s.domain, s.name, s.like)]
		if o == nil || old == nil || !slices.Contains(o.flags, "deprecated") {
			return fmt.Errorf("no deprecated %s-%d like %d", s.name, s.since, s.like)
		}
		o.inputs, o.outputs, o.attrs, o.types = old.inputs, old.outputs, old.attrs, old.types
		if s.change != nil {
			s.change(o)
		}
	}
	for _, e := range exact {
		o := rows[key(e.domain, e.name, e.since)]
		if o == nil {
			return fmt.Errorf("no %s-%d", e.name, e.since)
		}
		i := slices.IndexFunc(o.attrs, func(a attr) bool { return a.name == e.attr })
		if i < 0 || o.attrs[i].suffix != "="+e.shown {
			return fmt.Errorf("%s-%d: attribute %s is not shown as %s", e.name, e.since, e.attr, e.shown)
		}
		o.attrs[i].suffix = "=" + e.value
	}
	return markDefs(rows, checkout)
}

func key(domain, name string, since int) string { return fmt.Sprintf("%s %s %d", domain, name, since) }

// deprecated versions have no signature on the page; models that use them
// still have to be read. It is that of the version like, changed.
var deprecated = []struct {
	domain, name string
	since, like  int
	change       func(*op)
}{
	{"ai.onnx", "Upsample", 10, 9, nil},
	{"ai.onnx", "Scatter", 11, 9, nil},
	{"ai.onnx", "GroupNormalization", 18, 21, func(o *op) {
		o.attrs = slices.DeleteFunc(slices.Clone(o.attrs), func(a attr) bool { return a.name == "stash_type" })
	}},
	{"ai.onnx.ml", "TreeEnsembleClassifier", 5, 3, nil},
	{"ai.onnx.ml", "TreeEnsembleRegressor", 5, 3, nil},
}

// exact has the defaults that the page rounds to five digits.
var exact = []struct {
	domain, name       string
	since              int
	attr, shown, value string
}{
	{"ai.onnx", "Clip", 6, "max", "3.402823e+38", "3.4028235e+38"},
	{"ai.onnx", "Clip", 6, "min", "-3.402823e+38", "-3.4028235e+38"},
	{"ai.onnx", "Selu", 6, "alpha", "1.67326", "1.6732632"},
	{"ai.onnx", "Selu", 22, "alpha", "1.67326", "1.6732632"},
	{"ai.onnx", "Selu", 6, "gamma", "1.0507", "1.050701"},
	{"ai.onnx", "Selu", 22, "gamma", "1.0507", "1.050701"},
	{"ai.onnx.preview.training", "Adagrad", 1, "epsilon", "0", "1e-06"},
	{"ai.onnx.preview.training", "Adam", 1, "epsilon", "0", "1e-06"},
}

var (
	schemaStart = regexp.MustCompile(`(?m)^ONNX_(ML_|PREVIEW_TRAINING_|PREVIEW_)?OPERATOR_SET_SCHEMA\(\s*(\w+),\s*(\d+),`)
	outCounts   = regexp.MustCompile(`\.NumOutputs\(\{([\d, ]+)\}\)`)
	functionRow = regexp.MustCompile(`(?m)^\|(?:<sub>experimental</sub> )?<a href="#([\w.]+)">.*?#[\w.]+-(\d+)">.*\|\d[\d, ]*\|$`)
)

// markDefs reads from the C++ definitions which versions have a function body,
// take any attribute, or allow only certain numbers of outputs.
func markDefs(rows map[string]*op, checkout string) error {
	if err := markFunctions(rows, checkout); err != nil {
		return err
	}
	domains := map[string]string{"": "ai.onnx", "ML_": "ai.onnx.ml", "PREVIEW_": "ai.onnx.preview", "PREVIEW_TRAINING_": "ai.onnx.preview.training"}
	return filepath.WalkDir(filepath.Join(checkout, "onnx/defs"), func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".cc") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		src := string(text)
		starts := schemaStart.FindAllStringSubmatchIndex(src, -1)
		for i, at := range starts {
			end := len(src)
			if i+1 < len(starts) {
				end = starts[i+1][0]
			}
			m := schemaStart.FindStringSubmatch(src[at[0]:])
			since, _ := strconv.Atoi(m[3])
			o := rows[key(domains[m[1]], m[2], since)]
			if o == nil {
				return fmt.Errorf("%s: %s-%d is not in the changelog", path, m[2], since)
			}
			o.markBody(src[at[0]:end])
		}
		return nil
	})
}

func (o *op) markBody(body string) {
	if end := strings.Index(body, "\n);\n"); end >= 0 {
		body = body[:end]
	}
	if strings.Contains(body, ".FunctionBody(") || strings.Contains(body, "FunctionBodyBuilder(") {
		o.flag("function")
	}
	if strings.Contains(body, ".AllowUncheckedAttributes()") {
		o.flag("unchecked")
	}
	if m := outCounts.FindStringSubmatch(body); m != nil {
		o.flag("outputs=" + strings.ReplaceAll(m[1], " ", ""))
	}
}

func (o *op) flag(f string) {
	if !slices.Contains(o.flags, f) {
		o.flags = append(o.flags, f)
	}
}

// markFunctions takes the newest version of each function operator from the
// page of operators, because some definitions are built by C++ functions.
func markFunctions(rows map[string]*op, checkout string) error {
	for _, page := range []string{"docs/Operators.md", "docs/Operators-ml.md"} {
		text, err := os.ReadFile(filepath.Join(checkout, page))
		if err != nil {
			return err
		}
		for _, m := range functionRow.FindAllStringSubmatch(string(text), -1) {
			domain, name := "ai.onnx", m[1]
			if i := strings.LastIndexByte(name, '.'); i >= 0 {
				domain, name = name[:i], name[i+1:]
			}
			since, _ := strconv.Atoi(m[2])
			o := rows[key(domain, name, since)]
			if o == nil {
				return fmt.Errorf("%s: function %s-%d is not in the changelog", page, m[1], since)
			}
			o.flag("function")
		}
	}
	return nil
}
