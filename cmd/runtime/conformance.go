package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sardonyx-ml/sardonyx/graph/exec"
	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/conformance"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

type conformanceFlags struct {
	filter, csv string
	timeout     time.Duration
	threads     int
}

func conformanceCommand() *cobra.Command {
	var f conformanceFlags
	c := &cobra.Command{
		Use:   "conformance PATH...",
		Short: "Run cases in the layout of the ONNX backend tests",
		Long: "Run every case in the given folders and .tar.gz archives, each in isolation, and compare with the stored outputs.\n" +
			"Failures are printed with their reason; the last line is `N passed, N failed, N skipped`.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("conformance needs at least one folder or archive")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runConformance(cmd.Context(), args, f) },
	}
	c.Flags().StringVar(&f.filter, "run", "", "run only cases whose name matches this regular expression")
	c.Flags().StringVar(&f.csv, "csv", "", "write name, status, seconds and reason of each case to this file")
	c.Flags().DurationVar(&f.timeout, "timeout", 2*time.Minute, "longest time for one case")
	c.Flags().IntVar(&f.threads, "threads", 0, "threads for one case (0: all)")
	return c
}

func runConformance(ctx context.Context, paths []string, f conformanceFlags) error {
	filter, err := regexp.Compile(f.filter)
	if err != nil {
		return usageError{fmt.Errorf("--run: %w", err)}
	}
	cases, cleanup, err := conformance.Find(paths...)
	defer cleanup()
	if err != nil {
		return err
	}
	rows := [][]string{{"name", "status", "seconds", "reason"}}
	passed, failed := 0, 0
	for _, c := range cases {
		if !filter.MatchString(c.Name) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		res := c.Check(ctx, sessionRuntime(f.threads), f.timeout)
		status, reason := "passed", ""
		switch {
		case res.Err != nil:
			failed++
			status, reason = "failed", strings.ReplaceAll(res.Err.Error(), "\n", " ")
			fmt.Printf("FAIL %s: %s\n", c.Name, reason)
		case len(res.Random) > 0:
			passed++
			reason = "random output of " + strings.Join(res.Random, ", ") + ": shape, type and distribution checked"
			fmt.Printf("ok   %s: %s\n", c.Name, reason)
		default:
			passed++
		}
		rows = append(rows, []string{c.Name, status, fmt.Sprintf("%.3f", res.Time.Seconds()), reason})
	}
	if f.csv != "" {
		if err := writeCSV(f.csv, rows); err != nil {
			return err
		}
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, 0)
	if failed > 0 {
		return errFailed
	}
	if passed == 0 {
		return fmt.Errorf("no case matches %q", f.filter)
	}
	return nil
}

func writeCSV(path string, rows [][]string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	return errors.Join(w.WriteAll(rows), f.Close())
}

// sessionRuntime runs conformance cases on sessions.
func sessionRuntime(threads int) conformance.Runtime {
	return func(m *onnx.Model) (conformance.Run, error) {
		s, err := exec.New(m, exec.Threads(threads))
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
