package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sardonyx-ml/sardonyx/cmd/internal/feed"
	"github.com/sardonyx-ml/sardonyx/cmd/internal/result"
	"github.com/sardonyx-ml/sardonyx/graph/exec"
	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// sessionFlags are the flags of the commands that run one model.
type sessionFlags struct {
	inputs  []string
	dims    []string
	rng     string
	image   feed.ImageOptions
	outputs []string
	threads int
	memory  string
	opt     optimizeFlags
}

func (f *sessionFlags) add(c *cobra.Command) {
	fs := c.Flags()
	fs.StringArrayVarP(&f.inputs, "input", "i", nil, "`NAME=SOURCE` of an input, or a SOURCE of all; may be repeated")
	fs.StringArrayVar(&f.dims, "dim", nil, "`NAME=N`: size of a symbolic dimension; INPUT.AXIS=N for one without a name")
	fs.StringVar(&f.rng, "range", "", "`LO:HI`: bounds of @random")
	fs.Float64SliceVar(&f.image.Mean, "mean", nil, "subtracted from scaled pixels of images, per channel")
	fs.Float64SliceVar(&f.image.Std, "std", nil, "divides the pixels then, per channel")
	fs.Float64Var(&f.image.Scale, "scale", 0, "factor for pixels of 0 to 255 (0: 1/255 for floats, 1 for integers)")
	fs.StringVar(&f.image.Layout, "layout", "", "NCHW or NHWC, for images (default: as the model's shape says)")
	fs.StringSliceVar(&f.outputs, "outputs", nil, "`NAMES` of the outputs wanted (default: all)")
	fs.IntVar(&f.threads, "threads", 0, "threads (0: one per processor)")
	fs.StringVar(&f.memory, "memory-limit", "", "limit on the memory of intermediate results, such as 512MB or 2GiB")
	f.opt.add(c)
}

// open loads the model and makes a session.
func (f *sessionFlags) open(path string) (*onnx.Model, *exec.Session, error) {
	limit, err := parseBytes(f.memory)
	if err != nil {
		return nil, nil, usagef("--memory-limit: %w", err)
	}
	optimize, err := f.opt.option()
	if err != nil {
		return nil, nil, err
	}
	m, err := onnx.Load(path)
	if err != nil {
		return nil, nil, err
	}
	s, err := exec.New(m, exec.Threads(f.threads), exec.MemoryLimit(limit), optimize)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", path, err), m.Close())
	}
	return m, s, nil
}

// sets resolves the inputs.
func (f *sessionFlags) sets(m *onnx.Model, s *exec.Session) ([]feed.Set, error) {
	dims, err := parseDims(f.dims)
	if err != nil {
		return nil, err
	}
	opts := feed.Options{Dims: dims, Image: f.image}
	if f.rng != "" {
		lo, hi, ok := strings.Cut(f.rng, ":")
		a, err1 := strconv.ParseFloat(lo, 64)
		b, err2 := strconv.ParseFloat(hi, 64)
		if !ok || err1 != nil || err2 != nil || a > b {
			return nil, usagef("--range %s: two numbers LO:HI are needed", f.rng)
		}
		opts.Range = &[2]float64{a, b}
	}
	return feed.Sets(m, s.Inputs(), f.inputs, opts)
}

// wanted checks the names given by --outputs.
func (f *sessionFlags) wanted(s *exec.Session) error {
next:
	for _, name := range f.outputs {
		for _, p := range s.Outputs() {
			if p.Name == name {
				continue next
			}
		}
		return usagef("--outputs: the model has no output %q", name)
	}
	return nil
}

// run runs the session once and returns the outputs in the model's order.
func (f *sessionFlags) run(ctx context.Context, s *exec.Session, in map[string]tensor.Value, p *exec.Profile) ([]result.Output, error) {
	var opts []exec.RunOption
	if f.outputs != nil {
		opts = append(opts, exec.Outputs(f.outputs...))
	}
	if p != nil {
		opts = append(opts, exec.WithProfile(p))
	}
	vals, err := s.Run(ctx, in, opts...)
	if err != nil {
		return nil, err
	}
	var outs []result.Output
	for i, port := range s.Outputs() {
		if v, ok := vals[port.Name]; ok {
			outs = append(outs, result.Output{Name: port.Name, Index: i, Value: v})
		}
	}
	return outs, nil
}

func parseDims(flags []string) (map[string]int, error) {
	dims := map[string]int{}
	for _, d := range flags {
		i := strings.LastIndexByte(d, '=')
		if i < 1 {
			return nil, usagef("--dim %s: NAME=N is needed", d)
		}
		n, err := strconv.Atoi(d[i+1:])
		if err != nil || n < 0 {
			return nil, usagef("--dim %s: the size is not a number ≥ 0", d)
		}
		dims[d[:i]] = n
	}
	return dims, nil
}

var byteUnits = []struct {
	suffix string
	factor int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
}

// parseBytes reads a size like 512MB; an empty one is 0.
func parseBytes(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	for _, u := range byteUnits {
		number, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || n < 0 || n*float64(u.factor) >= 1<<62 {
			break
		}
		return int64(n * float64(u.factor)), nil
	}
	return 0, fmt.Errorf("%q is not a size such as 512MB or 2GiB", s)
}

// formatBytes prints a size for reading.
func formatBytes(n int64) string {
	f, unit := float64(n), "B"
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		if f < 1000 {
			break
		}
		f, unit = f/1000, u
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}

// withTimeout bounds a context; 0 means no bound. The error of a run that ends so names the bound.
func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
