package backward

import (
	"errors"

	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(ops.Def{Domain: ops.Training, Name: "Gradient", Since: 1, New: newGradient})
}

// gradient stands for the Gradient operator until package graph/grad expands it: it is a statement about the graph around
// it, which an operator cannot see.
type gradient struct{ xs int }

func newGradient(a *ops.Attrs) (ops.Op, error) {
	a.Ignore("y", "zs")
	g := gradient{len(a.Strings("xs"))}
	if g.xs == 0 {
		a.Errorf("attribute xs is empty")
	}
	return g, a.Done()
}

// Infer implements ops.Op: each gradient has the type of what it is taken with respect to.
func (g gradient) Infer(c *ops.Infer) error {
	for i := range c.Out {
		c.SetLike(i, i)
	}
	return nil
}

// Run implements ops.Op.
func (gradient) Run(*ops.Ctx) error {
	return errors.New("a Gradient node works in a model's main graph only")
}
