package onnx

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// externalRef is the parsed external_data of a tensor.
type externalRef struct {
	location string
	offset   int64
	length   int64 // -1: not given
}

func parseExternal(entries []*onnxpb.StringStringEntryProto) (externalRef, error) {
	ref := externalRef{length: -1}
	for _, e := range entries {
		var err error
		switch e.GetKey() {
		case "location":
			ref.location = e.GetValue()
		case "offset":
			ref.offset, err = parseCount(e.GetValue())
		case "length":
			ref.length, err = parseCount(e.GetValue())
		}
		if err != nil {
			return ref, fmt.Errorf("external data: %s %q is not a count of bytes", e.GetKey(), e.GetValue())
		}
	}
	return ref, checkLocation(ref.location)
}

func parseCount(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err
}

// checkLocation refuses what does not name a file in or below the model's folder. Symbolic links are os.Root's business.
func checkLocation(location string) error {
	name := filepath.FromSlash(location)
	switch {
	case location == "":
		return errors.New("external data: no location")
	case !filepath.IsLocal(name), slices.Contains(strings.Split(filepath.ToSlash(name), "/"), ".."):
		return fmt.Errorf("external data: location %q is outside the model's folder", location)
	}
	return nil
}

// external returns the bytes of a tensor in an external file, which it maps at first use.
func (m *Model) external(p *onnxpb.TensorProto, d tensor.DType, shape tensor.Shape) ([]byte, error) {
	ref, err := parseExternal(p.ExternalData)
	if err != nil {
		return nil, err
	}
	if d == tensor.String {
		return nil, errors.New("strings cannot be external data")
	}
	want := int64(d.Bytes(shape.Size()))
	if ref.length >= 0 && ref.length != want {
		return nil, fmt.Errorf("external data: length %d for %v%v, which needs %d bytes", ref.length, d, shape, want)
	}
	file, err := m.externalFile(ref.location)
	if err != nil {
		return nil, fmt.Errorf("external data: %w", err)
	}
	if size := int64(len(file.data)); ref.offset > size || want > size-ref.offset {
		return nil, fmt.Errorf("external data: %d bytes at offset %d are not in %q, which has %d", want, ref.offset, ref.location, size)
	}
	return file.data[ref.offset : ref.offset+want : ref.offset+want], nil
}

func (m *Model) externalFile(location string) (*mapping, error) {
	m.files.mu.Lock()
	defer m.files.mu.Unlock()
	if m.files.closed {
		return nil, errors.New("the model is closed")
	}
	if m.dir == "" {
		return nil, fmt.Errorf("the model has no folder to find %q in", location)
	}
	key := m.dir + "\x00" + path.Clean(filepath.ToSlash(location))
	if file, ok := m.files.byName[key]; ok {
		return file, nil
	}
	file, err := openBelow(m.dir, location)
	if err != nil {
		return nil, err
	}
	if m.files.byName == nil {
		m.files.byName = map[string]*mapping{}
	}
	m.files.byName[key] = file
	return file, nil
}

// openBelow maps a file in dir or below it; no symbolic link leads out of dir.
func openBelow(dir, location string) (*mapping, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	name := filepath.FromSlash(location)
	info, err := root.Stat(name) // before Open, which would wait for a pipe's other end
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is not a regular file", location)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return mapFile(f)
}
