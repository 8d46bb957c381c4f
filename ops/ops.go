// Package ops defines what an operator is and keeps the registry of all of them. The operators themselves live in one
// package per family below (ops/math, ops/nn, ops/shape, …); importing ops/all registers every one.
//
// An operator is data plus two functions: a Def names it and the opset version that brought this meaning; New reads the
// attributes once, when a model is loaded; the resulting Op is immutable, safe for concurrent use, and infers types
// (Infer) and computes (Run). Operators know nothing of graphs: subgraphs are called through the contexts they are
// given. Arities, attribute names and element types are checked against package onnx/schema before an operator sees
// a node, so an Op may rely on required inputs being present; it validates what the schema cannot say (ranks, axes,
// sizes) and returns errors like "axis 3 out of range for shape [2 8]".
package ops

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"
)

// The operator domains. The default domain is the empty string everywhere in this module.
const (
	ML        = "ai.onnx.ml"
	Preview   = "ai.onnx.preview"
	Training  = "ai.onnx.preview.training"
	Microsoft = "com.microsoft"
	// Internal is the domain of operators that no file contains: passes and gradients introduce them.
	Internal = "sardonyx.internal"
)

// ErrUnsupported marks errors about something that the standard allows and this runtime does not do.
var ErrUnsupported = errors.New("unsupported")

// Op is an operator with its attributes bound. It is immutable and safe for concurrent use.
type Op interface {
	// Infer sets what can be known of the outputs: element types, symbolic dimensions, and values of small integer
	// tensors. Where nothing can be said it leaves the outputs as they are; an error means that the node is invalid.
	Infer(c *Infer) error
	// Run computes the outputs that are wanted.
	Run(c *Ctx) error
}

// Def is one row of the registry: an operator from one opset version on.
type Def struct {
	Domain string // "" is ai.onnx
	Name   string
	Since  int                      // the opset that brought this meaning
	New    func(*Attrs) (Op, error) // reads the attributes; reports what it can't accept
	// Widen marks an operator whose kernels know float32 but not float16 and bfloat16: inputs of these types are
	// converted before Run, and outputs that share a type variable with such an input are rounded after it.
	Widen bool
}

var registry = map[[2]string][]*Def{}

// Register adds rows; it panics if one is there already or incomplete. It is called from init functions only.
func Register(defs ...Def) {
	for _, d := range defs {
		key := [2]string{d.Domain, d.Name}
		rows := registry[key]
		if d.New == nil || d.Since < 1 || d.Domain == "ai.onnx" ||
			slices.ContainsFunc(rows, func(r *Def) bool { return r.Since == d.Since }) {
			panic(fmt.Sprintf("ops: bad or second row for %s %s since %d", d.Domain, d.Name, d.Since))
		}
		rows = append(rows, &d)
		sort.Slice(rows, func(i, j int) bool { return rows[i].Since > rows[j].Since })
		registry[key] = rows
	}
}

// Lookup returns the row that defines the operator in the given opset version of its domain: the one with the largest
// Since that is not above it.
func Lookup(domain, name string, opset int) (*Def, bool) {
	if domain == "ai.onnx" {
		domain = ""
	}
	for _, d := range registry[[2]string{domain, name}] {
		if d.Since <= opset {
			return d, true
		}
	}
	return nil, false
}

// Defs yields every row, sorted by domain, name and version.
func Defs() iter.Seq[*Def] {
	var all []*Def
	for _, rows := range registry {
		all = append(all, rows...)
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := all[i], all[j]
		if a.Domain != b.Domain {
			return a.Domain < b.Domain
		}
		if a.Name != b.Name {
			return a.Name < b.Name
		}
		return a.Since < b.Since
	})
	return slices.Values(all)
}
