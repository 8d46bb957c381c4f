package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// versusInput describes an input for the other program: raw little-endian elements in a file.
type versusInput struct {
	Name string `json:"name"`
	Type string `json:"type"` // the standard's name: float, int64, …
	Dims []int  `json:"dims"`
	File string `json:"file"`
}

// versus measures the model in turns with another program, a shell command that prints an object like bench's as its last
// line. It gets the model, the folder of inputs.json, the threads and the seconds in its environment. Machines are noisy, so
// what counts are the ratios within a round.
func versus(c *cobra.Command, f *benchFlags, model string) error {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := f.writeInputs(model, dir); err != nil {
		return err
	}
	abs, err := filepath.Abs(model)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{"bench", model, "--json"}
	c.Flags().Visit(func(fl *pflag.Flag) {
		switch v, list := fl.Value.(pflag.SliceValue); {
		case fl.Name == "versus" || fl.Name == "rounds" || fl.Name == "json":
		case list:
			for _, s := range v.GetSlice() {
				args = append(args, "--"+fl.Name+"="+s)
			}
		default:
			args = append(args, "--"+fl.Name+"="+fl.Value.String())
		}
	})
	env := append(os.Environ(), "MODEL="+abs, "INPUTS="+dir, "THREADS="+strconv.Itoa(f.threads),
		"SECONDS_TO_RUN="+strconv.FormatFloat(f.duration.Seconds(), 'f', -1, 64))
	var ours, theirs []benchReport
	for range max(f.rounds, 1) {
		a, err := measured(c.Context(), nil, self, args...)
		if err != nil {
			return err
		}
		b, err := measured(c.Context(), env, "sh", "-c", f.versus)
		if err != nil {
			return err
		}
		ours, theirs = append(ours, a), append(theirs, b)
	}
	return printVersus(c.OutOrStdout(), ours, theirs)
}

// measured runs a program and decodes the last line that it prints.
func measured(ctx context.Context, env []string, name string, args ...string) (r benchReport, err error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Stderr = env, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &r); err != nil {
		return r, fmt.Errorf("%s: the last line is no report: %w", name, err)
	}
	if r.Median <= 0 || r.Load <= 0 {
		return r, fmt.Errorf("%s: a report without times", name)
	}
	return r, nil
}

// writeInputs writes the first set of inputs for the other program.
func (f *benchFlags) writeInputs(model, dir string) error {
	m, s, err := f.open(model)
	if err != nil {
		return err
	}
	defer m.Close()
	sets, err := f.sets(m, s)
	if err != nil {
		return err
	}
	in, err := sets[0].Load()
	if err != nil {
		return err
	}
	var list []versusInput
	for name, v := range in {
		t, ok := v.(*tensor.Tensor)
		if !ok || t.DType() == tensor.String {
			return fmt.Errorf("input %q is %v: only tensors of numbers can be handed to another program", name, v.Type())
		}
		file := fmt.Sprintf("input_%d.bin", len(list))
		if err := os.WriteFile(filepath.Join(dir, file), t.Bytes(), 0o666); err != nil {
			return err
		}
		list = append(list, versusInput{name, t.DType().String(), append([]int{}, t.Shape()...), file})
	}
	data, err := json.Marshal(list)
	return errors.Join(err, os.WriteFile(filepath.Join(dir, "inputs.json"), data, 0o666))
}

// printVersus prints the medians over the rounds, and the ratios, round by round, with their spread.
func printVersus(w io.Writer, ours, theirs []benchReport) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tours\ttheirs\tratio\tspread")
	for _, row := range []struct {
		name, unit string
		of         func(benchReport) float64
	}{
		{"median", "ms", func(r benchReport) float64 { return r.Median }},
		{"min", "ms", func(r benchReport) float64 { return r.Min }},
		{"load", "ms", func(r benchReport) float64 { return r.Load }},
		{"peak memory", "MB", func(r benchReport) float64 { return float64(r.PeakRSS) / 1e6 }},
	} {
		var a, b, ratio []float64
		for i := range ours {
			a, b = append(a, row.of(ours[i])), append(b, row.of(theirs[i]))
			ratio = append(ratio, a[i]/b[i])
		}
		fmt.Fprintf(t, "%s\t%.2f %s\t%.2f %s\t%.2f\t%.2f–%.2f\n", row.name, middle(a), row.unit, middle(b), row.unit, middle(ratio), slices.Min(ratio), slices.Max(ratio))
	}
	return t.Flush()
}

func middle(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
