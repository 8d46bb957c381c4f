package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sardonyx-ml/sardonyx/cmd/internal/feed"
	"github.com/sardonyx-ml/sardonyx/cmd/internal/progress"
	"github.com/sardonyx-ml/sardonyx/cmd/internal/result"
	"github.com/sardonyx-ml/sardonyx/graph/exec"
	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/conformance"
)

type execFlags struct {
	sessionFlags
	output, expect, profile string
	rtol, atol              float64
	top, repeat             int
	timeout                 time.Duration
}

func execCommand() *cobra.Command {
	var f execFlags
	c := &cobra.Command{
		Use:   "exec MODEL --input NAME=SOURCE...",
		Short: "Run a model",
		Long: "Run a model on the given inputs and show, write or compare its outputs.\n\n" + feed.Help + `

Without --output the outputs are shown. --output FILE.npz, FILE.json, - (JSON on standard output) or DIR (an output_N.pb
each) writes them. --expect DIR compares them with output_*.pb or .npz there and exits 1 if they differ; the tolerances are
those in data.json beside the model, else rtol 1e-3 and atol 1e-7.`,
		Example: `  runtime exec model.onnx --input digits.npy
  runtime exec bert.onnx -i input_ids='[[101, 7592, 102]]' -i attention_mask=@ones --dim batch=1 --dim seq=3
  runtime exec resnet.onnx -i photo.jpg --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
  runtime exec model.onnx -i model/test_data_set_0 --expect model/test_data_set_0
  runtime exec model.onnx -i @random:7 --dim N=8 --repeat 10 --profile trace.json --output out.npz`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeModels,
		RunE: func(c *cobra.Command, args []string) error {
			return runExec(c.Context(), &f, args[0], c.OutOrStdout(), c.ErrOrStderr(), c.Flags().Changed)
		},
	}
	f.add(c)
	fs := c.Flags()
	fs.StringVarP(&f.output, "output", "o", "", "where to write the outputs: FILE.npz, FILE.json, - or DIR")
	fs.StringVar(&f.expect, "expect", "", "`DIR` with the outputs to compare with")
	fs.Float64Var(&f.rtol, "rtol", conformance.DefaultRTol, "relative tolerance of --expect")
	fs.Float64Var(&f.atol, "atol", conformance.DefaultATol, "absolute tolerance of --expect")
	fs.IntVar(&f.top, "top", 5, "how many of the largest values to show of rows of floats")
	fs.StringVar(&f.profile, "profile", "", "`FILE` for a trace in Chrome's format; a table of times goes to standard error")
	fs.IntVar(&f.repeat, "repeat", 1, "how often to run each input")
	fs.DurationVar(&f.timeout, "timeout", 0, "longest time for all runs, such as 30s (0: none)")
	return c
}

// completeModels completes names of model files.
func completeModels(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"onnx"}, cobra.ShellCompDirectiveFilterFileExt
}

// execJob is one call of the command.
type execJob struct {
	*execFlags
	model      *onnx.Model
	session    *exec.Session
	profiled   *exec.Profile
	rtol, atol float64
	out        io.Writer
	sets       []feed.Set
	differ     int
}

func runExec(ctx context.Context, f *execFlags, path string, stdout, stderr io.Writer, given func(string) bool) error {
	if f.repeat < 1 {
		return usagef("--repeat %d: at least 1", f.repeat)
	}
	m, s, err := f.open(path)
	if err != nil {
		return err
	}
	defer m.Close()
	j := &execJob{execFlags: f, model: m, session: s, out: stdout, rtol: f.rtol, atol: f.atol}
	if err := f.wanted(s); err != nil {
		return err
	}
	if err := j.tolerances(path, given); err != nil {
		return err
	}
	if j.sets, err = f.sessionFlags.sets(m, s); err != nil {
		return err
	}
	if single := strings.HasSuffix(f.output, ".npz") || strings.HasSuffix(f.output, ".json") || f.output == "-"; single && len(j.sets) > 1 {
		return usagef("--output %s: there are %d runs; give a folder", f.output, len(j.sets))
	}
	if f.profile != "" {
		j.profiled = &exec.Profile{}
	}
	ctx, cancel := withTimeout(ctx, f.timeout)
	defer cancel()
	if err := j.all(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("no result within %v: %w", f.timeout, err)
		}
		return err
	}
	if j.profiled != nil {
		if err := writeProfile(f.profile, j.profiled, stderr); err != nil {
			return err
		}
	}
	if j.differ > 0 {
		return errFailed
	}
	return nil
}

// all runs every set.
func (j *execJob) all(ctx context.Context) error {
	bar := progress.New(len(j.sets), "running")
	defer bar.Done()
	for i := range j.sets {
		if err := j.one(ctx, &j.sets[i], bar); err != nil {
			if len(j.sets) > 1 {
				return fmt.Errorf("%s: %w", j.sets[i].Name, err)
			}
			return err
		}
		bar.Step()
	}
	return nil
}

func (j *execJob) one(ctx context.Context, set *feed.Set, bar *progress.Bar) error {
	in, err := set.Load()
	if err != nil {
		return err
	}
	var outs []result.Output
	for range j.repeat {
		if outs, err = j.execFlags.run(ctx, j.session, in, j.profiled); err != nil {
			return err
		}
	}
	if j.output != "" {
		path := j.output
		if len(j.sets) > 1 {
			path = filepath.Join(path, set.Name)
		}
		if err := result.Write(path, outs, j.out); err != nil {
			return err
		}
	}
	if j.expect != "" {
		bar.Clear()
		return j.compare(set, outs)
	}
	if j.output == "" {
		bar.Clear()
		if len(j.sets) > 1 {
			fmt.Fprintf(j.out, "== %s\n", set.Name)
		}
		result.Show(j.out, outs, j.top)
	}
	return nil
}

// tolerances takes those of the model's data.json unless the command line has others.
func (j *execJob) tolerances(path string, given func(string) bool) error {
	rtol, atol, err := conformance.Tolerances(filepath.Join(filepath.Dir(path), "data.json"))
	if err != nil {
		return err
	}
	if !given("rtol") {
		j.rtol = rtol
	}
	if !given("atol") {
		j.atol = atol
	}
	return nil
}

// compare compares with the stored outputs and prints where they differ.
func (j *execJob) compare(set *feed.Set, outs []result.Output) error {
	dir := j.expect
	if sub := filepath.Join(dir, set.Name); set.Name != "" {
		if st, err := os.Stat(sub); err == nil && st.IsDir() {
			dir = sub
		} else if len(j.sets) > 1 {
			return fmt.Errorf("--expect %s: no folder %s for this run", j.expect, set.Name)
		}
	}
	want, err := feed.ReadOutputs(j.model, j.session.Outputs(), dir)
	if err != nil {
		return err
	}
	label := ""
	if len(j.sets) > 1 {
		label = set.Name + ": "
	}
	compared, bad := 0, 0
	for _, o := range outs {
		w, ok := want[o.Name]
		if !ok {
			continue
		}
		compared++
		if err := conformance.Compare(o.Value, w, j.rtol, j.atol); err != nil {
			bad++
			fmt.Fprintf(j.out, "%soutput %q differs: %v\n", label, o.Name, err)
		}
		delete(want, o.Name)
	}
	for name := range want {
		if j.outputs == nil {
			bad++
			fmt.Fprintf(j.out, "%soutput %q is expected, but the model does not have it\n", label, name)
		}
	}
	if compared == 0 {
		return fmt.Errorf("%s: nothing to compare with", dir)
	}
	if bad > 0 {
		j.differ++
		return nil
	}
	fmt.Fprintf(j.out, "%s%d outputs equal within rtol %g, atol %g\n", label, compared, j.rtol, j.atol)
	return nil
}

// writeProfile writes the trace to a file and a table to w.
func writeProfile(path string, p *exec.Profile, w io.Writer) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := errors.Join(p.WriteTrace(file), file.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	ops := p.ByOperator()
	total := time.Duration(0)
	calls := 0
	for _, o := range ops {
		total += o.Self
		calls += o.Calls
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "time\tshare\tcalls\t  operator")
	for _, o := range ops {
		fmt.Fprintf(t, "%.3f ms\t%.1f %%\t%d\t  %s\n", ms(o.Self), 100*float64(o.Self)/float64(max(total, 1)), o.Calls, o.Op)
	}
	fmt.Fprintf(t, "%.3f ms\t\t%d\t  total\n", ms(total), calls)
	return t.Flush()
}
