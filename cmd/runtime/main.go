// Command runtime runs ONNX models and looks into them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run(os.Args[1:])) }

// usageError marks a wrong command line: exit code 2.
type usageError struct{ error }

// errFailed says that the job failed and that what went wrong has been printed: exit code 1.
var errFailed = errors.New("failed")

func run(args []string) int {
	root := &cobra.Command{
		Use:           "runtime",
		Short:         "Run ONNX models and look into them",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(conformanceCommand())
	root.SetArgs(args)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFailed):
		return 1
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "runtime:", err)
		return 2
	}
	fmt.Fprintln(os.Stderr, "runtime:", err)
	return 1
}
