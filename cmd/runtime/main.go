// Command runtime runs ONNX models and looks into them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sardonyx-ml/sardonyx/cmd/internal/feed"
	_ "github.com/sardonyx-ml/sardonyx/onnx/imagecodec" // WebP for ImageDecoder
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// usageError marks a wrong command line: exit code 2.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errFailed says that the job failed and that what went wrong has been printed: exit code 1.
var errFailed = errors.New("failed")

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// run is the program: it returns the exit code, and prints at most one line to stderr if something went wrong.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if v := recover(); v != nil {
			fmt.Fprintf(stderr, "runtime: internal error: %v\n", oneLine(fmt.Sprint(v)))
			if os.Getenv("SARDONYX_DEBUG") != "" {
				stderr.Write(debug.Stack())
			}
			code = exitFailed
		}
	}()
	parsed := false // the command line is all right as far as flags and arguments go
	root := newRoot(&parsed)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage usageError
	var badInput feed.UsageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFailed):
		return exitFailed
	}
	fmt.Fprintln(stderr, "runtime:", oneLine(err.Error()))
	if !parsed || errors.As(err, &usage) || errors.As(err, &badInput) {
		return exitUsage
	}
	return exitFailed
}

func newRoot(parsed *bool) *cobra.Command {
	root := &cobra.Command{
		Use:   "runtime",
		Short: "Run ONNX models and look into them",
		Long: "Run ONNX models and look into them.\n\n" +
			"Exit codes: 0 fine, 1 the job failed, 2 wrong usage. Errors are one line on standard error.",
		SilenceErrors:    true,
		SilenceUsage:     true,
		PersistentPreRun: func(*cobra.Command, []string) { *parsed = true },
		Args:             cobra.NoArgs,
		RunE:             func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.AddCommand(execCommand(), inspectCommand(), benchCommand(), conformanceCommand(), opsCommand(), versionCommand())
	return root
}

// oneLine joins the lines of a message.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
