package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// op is one operator version as the page states it.
type op struct {
	domain, name    string
	since           int
	flags           []string // "deprecated", "function", "unchecked"
	inputs, outputs []param
	attrs           []attr
	types           []constraint
}

type param struct {
	name, typ string
	mark      string // "" single, "?" optional, "*n" variadic, "~n" heterogeneous variadic; n is the minimum
}

type attr struct {
	name, typ string
	suffix    string // "!" required, "=value" default
}

type constraint struct {
	name  string
	types []string
}

var (
	domainLine = regexp.MustCompile(`^# (ai\.onnx\S*)`)
	opLine     = regexp.MustCompile(`^### <a name="([^"]+)-(\d+)"></a>.*\*\*( \(deprecated\))?</a>$`)
	section    = regexp.MustCompile(`^#### ([A-Za-z ]+?)(?: \((\d+) - (\S+)\))?$`)
	item       = regexp.MustCompile(`^<dt><tt>([^<]+)</tt>(?: \(([^)]*)\))? : (.*)</dt>$`)
	deflt      = regexp.MustCompile(`^(.*?) \((?:(required)|default is (.*))\)$`)
)

// parseChangelog reads one changelog page.
func parseChangelog(text string) ([]*op, error) {
	var ops []*op
	var cur *op
	domain, part := "", ""
	var bounds []string // of the current section, when its title states them
	for n, line := range strings.Split(text, "\n") {
		if m := domainLine.FindStringSubmatch(line); m != nil {
			domain = m[1]
			continue
		}
		if m := opLine.FindStringSubmatch(line); m != nil {
			cur, part = &op{domain: domain, name: strings.TrimPrefix(m[1], domain+".")}, ""
			cur.since, _ = strconv.Atoi(m[2])
			if m[3] != "" {
				cur.flags = append(cur.flags, "deprecated")
			}
			ops = append(ops, cur)
			continue
		}
		if m := section.FindStringSubmatch(line); m != nil {
			part, bounds = m[1], m[2:]
			continue
		}
		m := item.FindStringSubmatch(line)
		if m == nil || cur == nil {
			continue
		}
		if err := cur.add(part, bounds, m[1], m[2], m[3]); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	return ops, nil
}

// add takes one definition-list item of a section.
func (o *op) add(part string, bounds []string, name, options, typ string) error {
	switch part {
	case "Attributes":
		a, err := parseAttr(name, typ)
		o.attrs = append(o.attrs, a)
		return err
	case "Inputs":
		p, err := parseParam(name, options, typ, bounds, len(o.inputs))
		o.inputs = append(o.inputs, p)
		return err
	case "Outputs":
		p, err := parseParam(name, options, typ, bounds, len(o.outputs))
		o.outputs = append(o.outputs, p)
		return err
	case "Type Constraints":
		o.types = append(o.types, constraint{name, splitTypes(typ)})
		return nil
	}
	return fmt.Errorf("item %s in section %q", name, part)
}

func parseParam(name, options, typ string, bounds []string, at int) (param, error) {
	p := param{name: name, typ: shortType(typ)}
	switch {
	case strings.Contains(options, "variadic"):
		least := 1
		if bounds[0] != "" {
			n, err := strconv.Atoi(bounds[0])
			if err != nil {
				return p, err
			}
			least = n - at
		}
		p.mark = "*"
		if strings.Contains(options, "heterogeneous") {
			p.mark = "~"
		}
		p.mark += strconv.Itoa(least)
	case strings.Contains(options, "optional"):
		p.mark = "?"
	}
	return p, nil
}

var attrTypes = map[string]string{
	"float": "f", "int": "i", "string": "s", "tensor": "t", "graph": "g",
	"sparse_tensor": "sp", "type_proto": "tp",
	"list of floats": "fs", "list of ints": "is", "list of strings": "ss",
	"list of tensors": "ts", "list of graphs": "gs",
}

func parseAttr(name, typ string) (attr, error) {
	a := attr{name: name}
	value := ""
	if m := deflt.FindStringSubmatch(typ); m != nil {
		typ, value = m[1], m[3]
		if m[2] != "" {
			a.suffix = "!"
		}
	}
	var ok bool
	if a.typ, ok = attrTypes[typ]; !ok {
		return a, fmt.Errorf("attribute %s has type %q", name, typ)
	}
	if value != "" {
		a.suffix = "=" + defaultValue(a.typ, value)
	}
	return a, nil
}

// defaultValue turns the page's Python notation into comma-separated values.
func defaultValue(typ, v string) string {
	v = strings.Trim(v, "()")
	if strings.HasPrefix(v, "[") {
		v = strings.NewReplacer("'", "", " ", "").Replace(strings.Trim(v, "[]"))
	}
	if typ == "f" {
		v = strings.TrimSuffix(v, ".0")
	}
	return v
}

// splitTypes splits "tensor(float), map(int64, string)" at the top level.
func splitTypes(s string) []string {
	var types []string
	depth, start := 0, 0
	for i, c := range s {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				types = append(types, shortType(s[start:i]))
				start = i + 1
			}
		}
	}
	return append(types, shortType(s[start:]))
}

// shortType drops "tensor()" and spaces: seq(tensor(float)) is seq(float).
func shortType(s string) string {
	return tensorType.ReplaceAllString(strings.ReplaceAll(strings.TrimSpace(s), " ", ""), "$1$2")
}

var tensorType = regexp.MustCompile(`(^|[(,])tensor\(([a-z0-9]+)\)`)
