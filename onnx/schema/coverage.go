package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Coverage renders a Markdown table per domain that says which operator versions are implemented: those for which has
// returns true. A row is an operator, its versions that are and, where there are any, those that are not. has gets "" for
// ai.onnx. Operators that ONNX Runtime adds to ai.onnx come with com.microsoft.
func Coverage(has func(domain, name string, since int) bool) string {
	var b strings.Builder
	for _, domain := range Domains() {
		title := domain
		if title == "" {
			title = "ai.onnx"
		}
		rows := coverageOf(domain, has)
		done, versions, complete := 0, 0, 0
		for _, r := range rows {
			done += len(r.done)
			versions += len(r.done) + len(r.missing)
			if len(r.missing) == 0 {
				complete++
			}
		}
		fmt.Fprintf(&b, "### %s\n\n%d of %d operators in all versions, %d of %d versions.\n\n", title, complete, len(rows), done, versions)
		b.WriteString("| Operator | Versions | Missing |\n| --- | --- | --- |\n")
		for _, r := range rows {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", r.name, strings.Join(r.done, " "), strings.Join(r.missing, " "))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

type coverageRow struct {
	name          string
	done, missing []string // versions; a deprecated one is marked
}

// coverageOf sorts the versions of each operator of a domain into implemented and missing ones.
func coverageOf(domain string, has func(domain, name string, since int) bool) []coverageRow {
	var rows []coverageRow
	for op := range Ops() {
		name := op.Name
		switch {
		case op.Extension && domain == "com.microsoft":
			name += " (in ai.onnx)"
		case op.Extension || op.Domain != domain:
			continue
		}
		i := slices.IndexFunc(rows, func(r coverageRow) bool { return r.name == name })
		if i < 0 {
			i = len(rows)
			rows = append(rows, coverageRow{name: name})
		}
		version := strconv.Itoa(op.Since)
		if op.Deprecated {
			version += " (deprecated)"
		}
		if has(op.Domain, op.Name, op.Since) {
			rows[i].done = append(rows[i].done, version)
		} else {
			rows[i].missing = append(rows[i].missing, version)
		}
	}
	slices.SortFunc(rows, func(x, y coverageRow) int { return strings.Compare(x.name, y.name) })
	return rows
}
