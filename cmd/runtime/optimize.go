package main

import (
	"github.com/spf13/cobra"

	"github.com/sardonyx-ml/sardonyx/graph/exec"
	"github.com/sardonyx-ml/sardonyx/graph/opt"
)

// optimizeFlags choose what is done to a graph before it runs.
type optimizeFlags struct {
	level   string
	disable []string
}

func (f *optimizeFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.level, "optimize", "all", "how much the graph is rewritten: off, basic or all")
	c.Flags().StringSliceVar(&f.disable, "disable", nil, "`NAMES` of passes and rewrite rules to leave out")
}

// option returns the session option that the flags stand for.
func (f *optimizeFlags) option() (exec.Option, error) {
	level, err := opt.ParseLevel(f.level)
	if err != nil {
		return nil, usagef("--optimize: %w", err)
	}
	return exec.Optimize(opt.Options{Level: level, Disable: f.disable}), nil
}
