package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sardonyx-ml/sardonyx/cmd/internal/feed"
	"github.com/sardonyx-ml/sardonyx/cmd/internal/result"
	"github.com/sardonyx-ml/sardonyx/graph/exec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

type benchFlags struct {
	sessionFlags
	duration time.Duration
	json     bool
	versus   string
	rounds   int
}

// benchReport is the command's result.
type benchReport struct {
	Load    float64 `json:"load_ms"` // from opening the file until the session is ready
	Runs    int     `json:"runs"`
	Min     float64 `json:"min_ms"`
	Median  float64 `json:"median_ms"`
	P90     float64 `json:"p90_ms"`
	PeakRSS int64   `json:"peak_rss_bytes"`
	Digest  string  `json:"output_digest"` // SHA-256 over the outputs of all inputs
}

func benchCommand() *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:   "bench MODEL",
		Short: "Measure how long a model takes",
		Long: "Load a model, warm it up, run it for a while and print load time, run times and peak memory. Without --input the inputs\n" +
			"are made up (@random). Several sources are run in turn. Peak memory is the resident size on Unix systems, elsewhere what\n" +
			"Go took from the system.\n\n" + feed.Help,
		Example: `  runtime bench model.onnx --dim batch=1 --dim seq=128 --threads 4
  runtime bench model.onnx --input model/test_data_set_0 --duration 3s --json
  runtime bench model.onnx --input model/test_data_set_0 --threads 2 --versus 'node testdata/ort/bench.mjs'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeModels,
		RunE: func(c *cobra.Command, args []string) error {
			if f.inputs == nil {
				f.inputs = []string{"@random"}
			}
			if f.versus != "" {
				return versus(c, &f, args[0])
			}
			r, err := bench(c.Context(), &f, args[0])
			if err != nil {
				return err
			}
			return r.print(c.OutOrStdout(), f.json)
		},
	}
	f.add(c)
	c.Flags().DurationVar(&f.duration, "duration", 5*time.Second, "how long to measure, warm-up excluded")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
	c.Flags().StringVar(&f.versus, "versus", "", "measure in turns with a shell `COMMAND` that prints such an object; it finds MODEL, INPUTS (folder with inputs.json), THREADS and SECONDS_TO_RUN in its environment")
	c.Flags().IntVar(&f.rounds, "rounds", 5, "rounds of --versus")
	return c
}

// Warm-up runs each input at least once and goes on until warmRuns runs or a share of the measuring time have passed.
const (
	warmRuns  = 5
	warmShare = 5
)

func bench(ctx context.Context, f *benchFlags, path string) (*benchReport, error) {
	start := time.Now()
	m, s, err := f.open(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	r := &benchReport{Load: ms(time.Since(start))}
	if err := f.wanted(s); err != nil {
		return nil, err
	}
	sets, err := f.sets(m, s)
	if err != nil {
		return nil, err
	}
	feeds := make([]map[string]tensor.Value, len(sets))
	for i := range sets {
		if feeds[i], err = sets[i].Load(); err != nil {
			return nil, err
		}
	}
	if err := r.warm(ctx, f, s, feeds); err != nil {
		return nil, err
	}
	var times []float64
	for begin := time.Now(); len(times) == 0 || time.Since(begin) < f.duration; {
		start := time.Now()
		outs, err := f.run(ctx, s, feeds[len(times)%len(feeds)], nil)
		if err != nil {
			return nil, err
		}
		times = append(times, ms(time.Since(start)))
		recycle(s, outs)
	}
	r.summarize(times)
	return r, nil
}

// warm runs the model without measuring and takes the digest of the outputs.
func (r *benchReport) warm(ctx context.Context, f *benchFlags, s *exec.Session, feeds []map[string]tensor.Value) error {
	begin := time.Now()
	var all []result.Output
	for i := 0; i < len(feeds) || i < warmRuns && time.Since(begin) < f.duration/warmShare; i++ {
		outs, err := f.run(ctx, s, feeds[i%len(feeds)], nil)
		if err != nil {
			return err
		}
		if i < len(feeds) {
			all = append(all, outs...)
		} else {
			recycle(s, outs)
		}
	}
	r.Digest = result.Digest(all)
	return nil
}

// recycle gives the outputs' memory back, as a program does that runs a model again and again.
func recycle(s *exec.Session, outs []result.Output) {
	vals := map[string]tensor.Value{}
	for _, o := range outs {
		vals[o.Name] = o.Value
	}
	s.Recycle(vals)
}

func (r *benchReport) summarize(times []float64) {
	slices.Sort(times)
	n := len(times)
	r.Runs, r.Min, r.Median, r.P90 = n, times[0], (times[(n-1)/2]+times[n/2])/2, times[(n-1)*9/10]
	r.PeakRSS = peakRSS()
}

func (r *benchReport) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "load\t%.3f ms\nruns\t%d\nmin\t%.3f ms\nmedian\t%.3f ms\n90 %%\t%.3f ms\npeak memory\t%s\noutputs\tsha256 %s\n",
		r.Load, r.Runs, r.Min, r.Median, r.P90, formatBytes(r.PeakRSS), r.Digest)
	return t.Flush()
}
