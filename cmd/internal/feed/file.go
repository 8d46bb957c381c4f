package feed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sardonyx-ml/sardonyx/graph/exec"
	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/conformance"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// value reads the source of one input; in are those that are known already.
func (l *loader) value(p exec.Port, source string, in map[string]tensor.Value) (tensor.Value, error) {
	if name, seed, ok := generator(source); ok {
		return l.generate(p, name, seed, in)
	}
	t := l.types[p.Name]
	if inlineJSON(source) {
		return parseJSON([]byte(source), t)
	}
	switch extension(source) {
	case ".npy":
		return readNpy(source)
	case ".npz":
		return npzArray(source, p.Name)
	case ".pb":
		_, v, err := onnx.ReadValueFile(source, l.formal(p.Name))
		return v, err
	case ".json":
		data, err := os.ReadFile(source)
		if err != nil {
			return nil, err
		}
		v, err := parseJSON(data, t)
		return v, inFile(source, err)
	case ".csv":
		v, err := readCSV(source, t)
		return v, inFile(source, err)
	case ".png", ".jpg", ".jpeg":
		v, err := readImage(source, t, l.opts.Image)
		return v, inFile(source, err)
	}
	return nil, usagef("%s is no source of one input", source)
}

func inFile(path string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func readNpy(path string) (tensor.Value, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := tensor.ReadNpy(f)
	if err != nil {
		return nil, inFile(path, err)
	}
	return t, nil
}

func readNpz(path string) ([]tensor.Named, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	arrays, err := tensor.ReadNpz(f, st.Size())
	return arrays, inFile(path, err)
}

func npzArray(path, name string) (tensor.Value, error) {
	arrays, err := readNpz(path)
	if err != nil {
		return nil, err
	}
	for _, a := range arrays {
		if a.Name == name {
			return a.Tensor, nil
		}
	}
	if len(arrays) == 1 {
		return arrays[0].Tensor, nil
	}
	return nil, fmt.Errorf("%s: no array %q among %d", path, name, len(arrays))
}

// npz reads all inputs by the arrays' names; for a model with one input a single array of any name will do.
func (l *loader) npz(path string, in map[string]tensor.Value) error {
	arrays, err := readNpz(path)
	if err != nil {
		return err
	}
	if p, ok := l.single(); ok && len(arrays) == 1 {
		in[p.Name] = arrays[0].Tensor
		return nil
	}
	for _, a := range arrays {
		if _, ok := l.port(a.Name); !ok {
			return fmt.Errorf("%s: the model has no input %q; it has %s", path, a.Name, portNames(l.ports))
		}
		in[a.Name] = a.Tensor
	}
	return nil
}

// folder reads a folder of test data.
func (l *loader) folder(dir string, in map[string]tensor.Value) error {
	if exists(filepath.Join(dir, "input_0.pb")) {
		vals, err := conformance.ReadInputs(l.model, dir)
		for name, v := range vals {
			in[name] = v
		}
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	found := false
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		stem := strings.TrimSuffix(e.Name(), filepath.Ext(e.Name()))
		switch p, known := l.port(stem); {
		case strings.HasPrefix(e.Name(), "output"):
			continue
		case extension(path) == ".npz":
			err = l.npz(path, in)
		case known && extension(path) == ".npy":
			in[p.Name], err = readNpy(path)
		default:
			continue
		}
		if err != nil {
			return err
		}
		found = true
	}
	if !found && len(l.ports) > 0 {
		return fmt.Errorf("%s: no input_0.pb, .npz or .npy with the name of an input", dir)
	}
	return nil
}

// ReadOutputs reads the expected outputs in a folder: output_*.pb by the names in them, else by position, or one .npz.
func ReadOutputs(m *onnx.Model, ports []exec.Port, dir string) (map[string]tensor.Value, error) {
	out := map[string]tensor.Value{}
	formal := m.Proto.GetGraph().GetOutput()
	for i := 0; i < len(formal); i++ {
		path := filepath.Join(dir, fmt.Sprintf("output_%d.pb", i))
		if !exists(path) {
			continue
		}
		_, v, err := onnx.ReadValueFile(path, formal[i].GetType())
		if err != nil {
			return nil, err
		}
		out[formal[i].GetName()] = v
	}
	if len(out) > 0 {
		return out, nil
	}
	files, err := filepath.Glob(filepath.Join(dir, "output*.npz"))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		arrays, err := readNpz(f)
		if err != nil {
			return nil, err
		}
		for _, a := range arrays {
			out[a.Name] = a.Tensor
		}
	}
	for _, p := range ports {
		if path := filepath.Join(dir, p.Name+".npy"); exists(path) {
			if out[p.Name], err = readNpy(path); err != nil {
				return nil, err
			}
		}
	}
	if len(out) == 0 {
		return nil, errors.New(dir + ": no output_*.pb, output*.npz or .npy with the name of an output")
	}
	return out, nil
}
