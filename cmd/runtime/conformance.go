package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sardonyx-ml/sardonyx/cmd/internal/progress"
	"github.com/sardonyx-ml/sardonyx/graph/exec"
	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/conformance"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

type conformanceFlags struct {
	filter, csv, known string
	timeout            time.Duration
	threads            int
	opt                optimizeFlags
}

func conformanceCommand() *cobra.Command {
	var f conformanceFlags
	c := &cobra.Command{
		Use:   "conformance PATH...",
		Short: "Run cases in the layout of the ONNX backend tests",
		Long: "Run every case in the given folders and .tar.gz archives, each in isolation, and compare with the stored outputs: rtol\n" +
			"1e-3 and atol 1e-7 unless data.json beside the model says otherwise. Failures are printed with their reason; a panic or\n" +
			"a hang is the failure of its case. Outputs that are random by definition are checked for type, shape and distribution,\n" +
			"and these cases are named. The last line is `N passed, N failed, N skipped`; the exit code is 1 if any failed.",
		Example: "  runtime conformance testdata\n  runtime conformance --run 'test_conv|test_gemm' --csv results.csv node-tests.tar.gz models/",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return runConformance(c.Context(), args, f, c.OutOrStdout())
		},
	}
	c.Flags().StringVar(&f.filter, "run", "", "run only cases whose name matches this regular expression")
	c.Flags().StringVar(&f.csv, "csv", "", "write name, status, seconds and reason of each case to this `FILE`")
	c.Flags().StringVar(&f.known, "known", "", "count failures of the cases that this `FILE` lists (`NAME: reason` a line) as skipped, with the reason")
	c.Flags().DurationVar(&f.timeout, "timeout", 2*time.Minute, "longest time for one case")
	c.Flags().IntVar(&f.threads, "threads", 0, "threads for one case (0: one per processor)")
	f.opt.add(c)
	return c
}

// tally collects the results of cases.
type tally struct {
	out                     io.Writer
	known                   map[string]string // why a case is expected to fail
	passed, failed, skipped int
	rows                    [][]string
}

func (t *tally) add(res conformance.Result) {
	status, reason := "passed", ""
	why, known := t.known[res.Case.Name]
	switch {
	case res.Err != nil && known:
		t.skipped++
		status, reason = "skipped", why+" ("+oneLine(res.Err.Error())+")"
		fmt.Fprintf(t.out, "skip %s: %s\n", res.Case.Name, reason)
	case res.Err != nil:
		t.failed++
		status, reason = "failed", oneLine(res.Err.Error())
		fmt.Fprintf(t.out, "FAIL %s: %s\n", res.Case.Name, reason)
	case len(res.Random) > 0:
		t.passed++
		reason = "random output of " + strings.Join(res.Random, ", ") + ": shape, type and distribution checked"
		fmt.Fprintf(t.out, "ok   %s: %s\n", res.Case.Name, reason)
	default:
		t.passed++
		if known {
			fmt.Fprintf(t.out, "ok   %s: passes, though it is listed as known to fail\n", res.Case.Name)
		}
	}
	t.rows = append(t.rows, []string{res.Case.Name, status, fmt.Sprintf("%.3f", res.Time.Seconds()), reason})
}

func runConformance(ctx context.Context, paths []string, f conformanceFlags, out io.Writer) error {
	filter, err := regexp.Compile(f.filter)
	if err != nil {
		return usagef("--run: %w", err)
	}
	found, cleanup, err := conformance.Find(paths...)
	defer cleanup()
	if err != nil {
		return err
	}
	var cases []*conformance.Case
	for _, c := range found {
		if filter.MatchString(c.Name) {
			cases = append(cases, c)
		}
	}
	if len(cases) == 0 {
		return fmt.Errorf("no case matches %q", f.filter)
	}
	optimize, err := f.opt.option()
	if err != nil {
		return err
	}
	known, err := readKnown(f.known)
	if err != nil {
		return err
	}
	t := &tally{out: out, known: known, rows: [][]string{{"name", "status", "seconds", "reason"}}}
	bar := progress.New(len(cases), "cases")
	defer bar.Done()
	for _, c := range cases {
		if err := ctx.Err(); err != nil {
			return err
		}
		res := c.Check(ctx, sessionRuntime(exec.Threads(f.threads), optimize), f.timeout)
		if res.Err != nil || len(res.Random) > 0 || known[res.Case.Name] != "" {
			bar.Clear()
		}
		t.add(res)
		bar.Step()
	}
	bar.Done()
	if f.csv != "" {
		if err := writeCSV(f.csv, t.rows); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
	if t.failed > 0 {
		return errFailed
	}
	return nil
}

// readKnown reads the cases that are expected to fail, with the reasons. Lines that begin with # are comments.
func readKnown(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	known := map[string]string{}
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, ok := strings.Cut(line, ": ")
		if !ok {
			return nil, fmt.Errorf("%s:%d: no `NAME: reason`", path, i+1)
		}
		known[name] = reason
	}
	return known, nil
}

func writeCSV(path string, rows [][]string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(csv.NewWriter(f).WriteAll(rows), f.Close())
}

// sessionRuntime runs conformance cases on sessions.
func sessionRuntime(opts ...exec.Option) conformance.Runtime {
	return func(m *onnx.Model) (conformance.Run, error) {
		s, err := exec.New(m, opts...)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, in map[string]tensor.Value) ([]tensor.Value, error) {
			out, err := s.Run(ctx, in)
			if err != nil {
				return nil, err
			}
			vals := make([]tensor.Value, len(s.Outputs()))
			for i, p := range s.Outputs() {
				vals[i] = out[p.Name]
			}
			return vals, nil
		}, nil
	}
}
