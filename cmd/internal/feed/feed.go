// Package feed turns the --input flags of the commands into the inputs of runs: files in several formats, folders of test
// data, generated values.
package feed

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/sardonyx-ml/sardonyx/graph/exec"
	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// Help describes the sources for the commands' help.
const Help = `Sources of --input NAME=SOURCE (a model with one input needs no NAME=):
  FILE.npy, FILE.pb     an array of NumPy, a TensorProto (or SequenceProto, OptionalProto, as the model declares)
  FILE.npz              the array called NAME; without NAME=, all inputs by their names
  FILE.json, [1, 2]     nested lists, also in the command line; without NAME=, an object of all inputs by their names
  FILE.csv              a row per line; without NAME= for a model with several inputs, columns by the names in the first line
  FILE.png, FILE.jpg    an image, resized to the size that the model declares, see --mean, --std, --scale, --layout
  DIR                   a folder in the layout of a test case: input_*.pb by their names, else by position, or .npz, .npy
  @random[:SEED]        normal floats, integers 0 and 1 (see --range); without NAME=, for all inputs not given otherwise
  @zeros, @ones         likewise
Several sources that hold all inputs (folders, images for a model with one input) are one run each. A flat list of numbers
gets the shape that the model declares.`

// UsageError is an --input that cannot be meant: the command line is wrong, not the data.
type UsageError struct{ error }

func usagef(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// Options say how sources become tensors.
type Options struct {
	Dims     map[string]int // of symbols; NAME.AXIS for dimensions that have none
	Range    *[2]float64    // of @random; nil: normal floats, integers 0 and 1
	Image    ImageOptions
	AllowGap bool // inputs that no source gives are not an error here
}

// Set is what one run is fed with. It is loaded when it is needed.
type Set struct {
	Name string // of the folder or file that is special to the set, "" if none
	load []func(in map[string]tensor.Value) error
}

// Load reads the set's inputs.
func (s *Set) Load() (map[string]tensor.Value, error) {
	in := map[string]tensor.Value{}
	for _, f := range s.load {
		if err := f(in); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// loader resolves sources against a model.
type loader struct {
	model  *onnx.Model
	ports  []exec.Port
	opts   Options
	types  map[string]tensor.Type // declared, with Options.Dims put in
	shared []func(map[string]tensor.Value) error
	whole  []Set
	late   []func(map[string]tensor.Value) error // generators, which take sizes from the other inputs
	rest   string                                // generator for the inputs that nothing else gives
}

// Sets resolves the given --input flags for a model with these inputs.
func Sets(m *onnx.Model, ports []exec.Port, specs []string, opts Options) ([]Set, error) {
	types, err := Bind(ports, opts.Dims)
	if err != nil {
		return nil, err
	}
	l := &loader{model: m, ports: ports, opts: opts, types: types}
	for _, s := range specs {
		if err := l.spec(s); err != nil {
			return nil, err
		}
	}
	if len(l.whole) == 0 {
		l.whole = []Set{{}}
	}
	for i := range l.whole {
		set := &l.whole[i]
		set.load = append(append(set.load, l.shared...), l.late...)
		if l.rest != "" {
			set.load = append(set.load, l.fillRest)
		}
		set.load = append(set.load, l.complete)
	}
	return l.whole, nil
}

// complete checks that every input that the model needs is there.
func (l *loader) complete(in map[string]tensor.Value) error {
	if l.opts.AllowGap {
		return nil
	}
	for _, p := range l.ports {
		if _, ok := in[p.Name]; !ok && !p.Optional {
			return usagef("input %q (%v) is missing; give it with --input %s=FILE, or --input @random for made-up values", p.Name, p.Type, p.Name)
		}
	}
	return nil
}

// single is the input that a source without a name is for, if there is only one that can be meant.
func (l *loader) single() (exec.Port, bool) {
	if len(l.ports) == 1 {
		return l.ports[0], true
	}
	var needed []exec.Port
	for _, p := range l.ports {
		if !p.Optional {
			needed = append(needed, p)
		}
	}
	if len(needed) == 1 {
		return needed[0], true
	}
	return exec.Port{}, false
}

// spec resolves one flag.
func (l *loader) spec(s string) error {
	if p, source, ok := l.named(s); ok {
		load := func(in map[string]tensor.Value) error {
			v, err := l.value(p, source, in)
			if err != nil {
				return fmt.Errorf("input %q: %w", p.Name, err)
			}
			in[p.Name] = v
			return nil
		}
		if strings.HasPrefix(source, "@") {
			l.late = append(l.late, load)
		} else {
			l.shared = append(l.shared, load)
		}
		return l.checkSource(source)
	}
	if name, _, ok := strings.Cut(s, "="); ok && !exists(s) && !inlineJSON(s) {
		return usagef("the model has no input %q; it has %s", name, portNames(l.ports))
	}
	if err := l.checkSource(s); err != nil {
		return err
	}
	if strings.HasPrefix(s, "@") {
		l.rest = s
		return nil
	}
	return l.addWhole(s)
}

// named splits NAME=SOURCE. Names of inputs may contain '=' themselves; the longest that fits is meant.
func (l *loader) named(s string) (p exec.Port, source string, ok bool) {
	for _, q := range l.ports {
		if rest, found := strings.CutPrefix(s, q.Name+"="); found && (!ok || len(q.Name) > len(p.Name)) {
			p, source, ok = q, rest, true
		}
	}
	return p, source, ok
}

// addWhole adds the sets of a source without a name, which holds all inputs.
func (l *loader) addWhole(s string) error {
	if st, err := os.Stat(s); err == nil && st.IsDir() {
		dirs, err := setFolders(s)
		if err != nil {
			return err
		}
		for _, d := range dirs {
			l.whole = append(l.whole, Set{Name: filepath.Base(d), load: []func(map[string]tensor.Value) error{func(in map[string]tensor.Value) error { return l.folder(d, in) }}})
		}
		return nil
	}
	set := Set{Name: strings.TrimSuffix(filepath.Base(s), filepath.Ext(s))}
	load, err := l.wholeFile(s)
	if err != nil {
		return err
	}
	if inlineJSON(s) {
		set.Name = ""
	}
	set.load = append(set.load, load)
	l.whole = append(l.whole, set)
	return nil
}

func (l *loader) wholeFile(s string) (func(map[string]tensor.Value) error, error) {
	p, single := l.single()
	switch ext := extension(s); {
	case ext == ".npz":
		return func(in map[string]tensor.Value) error { return l.npz(s, in) }, nil
	case ext == ".json" || inlineJSON(s):
		return func(in map[string]tensor.Value) error { return l.jsonInputs(s, in) }, nil
	case ext == ".csv" && !single:
		return func(in map[string]tensor.Value) error { return l.csvColumns(s, in) }, nil
	case !single:
		return nil, usagef("%s: the model has several inputs, say which one this is: --input NAME=%s; they are %s", s, s, portNames(l.ports))
	}
	return func(in map[string]tensor.Value) error {
		v, err := l.value(p, s, in)
		if err != nil {
			return err
		}
		in[p.Name] = v
		return nil
	}, nil
}

// setFolders returns the folders of test data in a case's folder, or the folder itself.
func setFolders(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var sets []string
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), "test_data_set_") {
			sets = append(sets, filepath.Join(dir, e.Name()))
		}
	}
	sort.Slice(sets, func(i, j int) bool {
		return len(sets[i]) < len(sets[j]) || len(sets[i]) == len(sets[j]) && sets[i] < sets[j]
	})
	if sets == nil {
		return []string{dir}, nil
	}
	return sets, nil
}

var extensions = []string{".npy", ".npz", ".pb", ".json", ".csv", ".png", ".jpg", ".jpeg"}

func extension(s string) string { return strings.ToLower(filepath.Ext(s)) }

// checkSource refuses what no source can be, before any work is done.
func (l *loader) checkSource(s string) error {
	if name, _, ok := generator(s); ok {
		if !slices.Contains([]string{"@random", "@zeros", "@ones"}, name) {
			return usagef("unknown generator %s; there are @random[:SEED], @zeros, @ones", s)
		}
		return nil
	}
	if inlineJSON(s) {
		return nil
	}
	st, err := os.Stat(s)
	if err != nil {
		return err
	}
	if !st.IsDir() && !slices.Contains(extensions, extension(s)) {
		return usagef("%s: a file of unknown format; known are %s", s, strings.Join(extensions, " "))
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// inlineJSON recognizes values in the command line: lists, objects, strings, numbers, true, false, null.
func inlineJSON(s string) bool {
	s = strings.TrimSpace(s)
	if s == "" {
		return false
	}
	switch s {
	case "true", "false", "null":
		return true
	}
	return strings.ContainsRune(`[{"-0123456789`, rune(s[0])) && !exists(s) && !slices.Contains(extensions, extension(s))
}

func portNames(ports []exec.Port) string {
	if len(ports) == 0 {
		return "none"
	}
	names := make([]string, len(ports))
	for i, p := range ports {
		names[i] = fmt.Sprintf("%q", p.Name)
	}
	return strings.Join(names, ", ")
}

func (l *loader) port(name string) (exec.Port, bool) {
	for _, p := range l.ports {
		if p.Name == name {
			return p, true
		}
	}
	return exec.Port{}, false
}
