package main

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

const header = `# Operator signatures of the ONNX standard: names, arities, types and defaults of every version.
# Written by internal/gen from github.com/onnx/onnx (Apache-2.0); the format is described in parse.go.
`

// write prints the table: per domain a line with its newest opset, then the
// operators sorted by name and version. Type lists that occur more than once
// are named.
func write(b *bytes.Buffer, ops []*op) {
	b.WriteString(header)
	slices.SortStableFunc(ops, func(x, y *op) int {
		return cmp.Or(cmp.Compare(x.domain, y.domain), cmp.Compare(x.name, y.name), x.since-y.since)
	})
	sets := nameSets(b, ops)
	newest := map[string]int{}
	for _, o := range ops {
		newest[o.domain] = max(newest[o.domain], o.since)
	}
	domain := ""
	for _, o := range ops {
		if o.domain != domain {
			domain = o.domain
			fmt.Fprintf(b, "domain %s %d\n", domain, newest[domain])
		}
		o.write(b, sets)
	}
}

// nameSets prints a line per repeated type list and returns their names.
func nameSets(b *bytes.Buffer, ops []*op) map[string]string {
	count := map[string]int{}
	var order []string
	for _, o := range ops {
		for _, c := range o.types {
			key := typeList(c.types)
			if count[key]++; count[key] == 2 && len(c.types) > 2 {
				order = append(order, key)
			}
		}
	}
	names := map[string]string{}
	for i, key := range order {
		names[key] = fmt.Sprintf("$%d", i+1)
		fmt.Fprintf(b, "types %s %s\n", names[key], key)
	}
	return names
}

func typeList(types []string) string {
	types = slices.Clone(types)
	slices.Sort(types)
	return strings.Join(slices.Compact(types), ",")
}

func (o *op) write(b *bytes.Buffer, sets map[string]string) {
	fmt.Fprintf(b, "%s %d", o.name, o.since)
	for _, f := range o.flags {
		b.WriteString(" " + f)
	}
	b.WriteString("|")
	writeParams(b, o.inputs)
	b.WriteString("|")
	writeParams(b, o.outputs)
	b.WriteString("|")
	for i, a := range o.attrs {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(b, "%s:%s%s", a.name, a.typ, a.suffix)
	}
	b.WriteString("|")
	for i, c := range o.types {
		if i > 0 {
			b.WriteByte(' ')
		}
		key := typeList(c.types)
		fmt.Fprintf(b, "%s=%s", c.name, cmp.Or(sets[key], key))
	}
	b.WriteByte('\n')
}

func writeParams(b *bytes.Buffer, params []param) {
	for i, p := range params {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(b, "%s%s:%s", p.name, p.mark, p.typ)
	}
}
