package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/sardonyx-ml/sardonyx/cmd/internal/draw"
	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/text"
)

type inspectFlags struct {
	dims                        []string
	check, text, dot, svg, json bool
	elements                    int
}

func inspectCommand() *cobra.Command {
	var f inspectFlags
	c := &cobra.Command{
		Use:   "inspect MODEL",
		Short: "Show what is in a model",
		Long: "Show a model's inputs, outputs, operator sets, parameters, operators (those that are not supported too) and an estimate of\n" +
			"what one run takes. Give the sizes of symbolic dimensions with --dim. A multiply-add counts as two operations, an element\n" +
			"of an element-wise operator as one; operators that are not counted are named. --check prints every breach of the standard\n" +
			"and exits 1 if there is one.",
		Example: `  runtime inspect bert.onnx --dim batch=1 --dim seq=128
  runtime inspect model.onnx --check
  runtime inspect model.onnx --text --elements 8 | less
  runtime inspect model.onnx --svg > model.svg
  runtime inspect model.onnx --dot | dot -Tpdf > model.pdf`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeModels,
		RunE: func(c *cobra.Command, args []string) error {
			if f.forms() > 1 {
				return usagef("only one of --check, --text, --dot, --svg and --json at a time")
			}
			m, err := onnx.Load(args[0])
			if err != nil {
				return err
			}
			defer m.Close()
			return inspect(&f, args[0], m, c.OutOrStdout())
		},
	}
	fs := c.Flags()
	fs.StringArrayVar(&f.dims, "dim", nil, "`NAME=N`: size of a symbolic dimension; INPUT.AXIS=N for one without a name")
	fs.BoolVar(&f.check, "check", false, "check the model against the standard")
	fs.BoolVar(&f.text, "text", false, "print the model in the standard's textual syntax")
	fs.IntVar(&f.elements, "elements", 16, "with --text, how many elements of a tensor to print (0: all, so that the text can be parsed)")
	fs.BoolVar(&f.dot, "dot", false, "print the graph for Graphviz")
	fs.BoolVar(&f.svg, "svg", false, "print the graph as SVG")
	fs.BoolVar(&f.json, "json", false, "print one JSON object")
	return c
}

// forms counts the forms of output that are asked for.
func (f *inspectFlags) forms() int {
	n := 0
	for _, form := range []bool{f.check, f.text, f.dot, f.svg, f.json} {
		if form {
			n++
		}
	}
	return n
}

func inspect(f *inspectFlags, path string, m *onnx.Model, w io.Writer) error {
	dims, err := parseDims(f.dims)
	if err != nil {
		return err
	}
	switch {
	case f.check:
		return check(m, w)
	case f.text:
		s, err := text.Printer{MaxElements: f.elements, Model: m}.Format(m.Proto)
		if err != nil {
			return err
		}
		_, err = io.WriteString(w, s)
		return err
	}
	r, types, err := newReport(m, dims)
	if err != nil {
		return err
	}
	switch {
	case f.dot:
		out, err := draw.DOT(draw.FromModel(m.Proto.GetGraph(), types))
		if err != nil {
			return err
		}
		_, err = w.Write(out)
		return err
	case f.svg:
		_, err := w.Write(draw.SVG(draw.FromModel(m.Proto.GetGraph(), types)))
		return err
	}
	if st, err := os.Stat(path); err == nil {
		r.File, r.FileBytes = path, st.Size()
	}
	if f.json {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return r.print(w)
}

// check prints the breaches of the standard.
func check(m *onnx.Model, w io.Writer) error {
	list := onnx.Violations(m)
	for _, v := range list {
		fmt.Fprintln(w, oneLine(v.String()))
	}
	if len(list) > 0 {
		return errFailed
	}
	fmt.Fprintln(w, "the model follows the standard")
	return nil
}
