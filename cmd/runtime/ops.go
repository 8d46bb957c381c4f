package main

import (
	"bytes"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sardonyx-ml/sardonyx/onnx/schema"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func opsCommand() *cobra.Command {
	var markdown bool
	var write string
	c := &cobra.Command{
		Use:   "ops",
		Short: "List the operators that are implemented",
		Long: "List every version of every operator of the standard, and of those of com.microsoft that real files contain, with what\n" +
			"is implemented. --markdown --write FILE puts the tables between the markers in a file.",
		Example: "  runtime ops | grep -w Resize\n  runtime ops --markdown --write README.md",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case write != "" && !markdown:
				return usagef("--write needs --markdown")
			case write != "":
				return writeCoverage(write)
			case markdown:
				_, err := fmt.Fprint(c.OutOrStdout(), coverage())
				return err
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			for op := range schema.Ops() {
				state := "yes"
				if !implemented(op.Domain, op.Name, op.Since) {
					state = "no"
				}
				fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", domainName(op.Domain), op.Name, op.Since, state)
			}
			return t.Flush()
		},
	}
	c.Flags().BoolVar(&markdown, "markdown", false, "as Markdown tables")
	c.Flags().StringVar(&write, "write", "", "`FILE` whose tables between the markers are to be replaced")
	return c
}

func domainName(d string) string {
	if d == "" {
		return "ai.onnx"
	}
	return d
}

func implemented(domain, name string, since int) bool {
	_, ok := ops.Lookup(domain, name, since)
	return ok
}

func coverage() string { return schema.Coverage(implemented) }

// The markers around the coverage tables in the README.
const (
	coverageBegin = "<!-- coverage: written by `go run ./cmd/runtime ops --markdown --write README.md` -->\n"
	coverageEnd   = "<!-- end of coverage -->\n"
)

// withCoverage returns a file's text with fresh tables between the markers.
func withCoverage(text []byte) ([]byte, error) {
	head, rest, ok := bytes.Cut(text, []byte(coverageBegin))
	_, tail, ok2 := bytes.Cut(rest, []byte(coverageEnd))
	if !ok || !ok2 {
		return nil, fmt.Errorf("the markers %q and %q are missing", coverageBegin[:len(coverageBegin)-1], coverageEnd[:len(coverageEnd)-1])
	}
	return bytes.Join([][]byte{head, []byte(coverageBegin), []byte(coverage()), []byte(coverageEnd), tail}, nil), nil
}

func writeCoverage(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	fresh, err := withCoverage(text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if bytes.Equal(text, fresh) {
		return nil
	}
	return os.WriteFile(path, fresh, 0o666)
}
