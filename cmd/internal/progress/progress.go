// Package progress shows a bar on standard error when that is a terminal, and nothing otherwise.
package progress

import (
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Bar counts steps towards a known number. A nil Bar does nothing.
type Bar struct{ bar *progressbar.ProgressBar }

// New starts a bar of n steps; it is nil if standard error is no terminal or there is only one step.
func New(n int, what string) *Bar {
	if n < 2 || !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil
	}
	return &Bar{progressbar.NewOptions(n,
		progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionClearOnFinish(),
	)}
}

// Step advances the bar.
func (b *Bar) Step() {
	if b != nil {
		_ = b.bar.Add(1) // a terminal that went away is no reason to stop
	}
}

// Clear removes the bar from the screen, for a message; the next Step brings it back.
func (b *Bar) Clear() {
	if b != nil {
		_ = b.bar.Clear()
	}
}

// Done removes the bar.
func (b *Bar) Done() {
	if b != nil {
		_ = b.bar.Finish()
	}
}
