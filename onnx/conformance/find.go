package conformance

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Find returns the cases below the given paths, each a folder or a .tar.gz archive, in a stable order. Archives are unpacked
// into temporary folders that cleanup removes.
func Find(paths ...string) (cases []*Case, cleanup func(), err error) {
	var temps []string
	cleanup = func() {
		for _, t := range temps {
			os.RemoveAll(t)
		}
	}
	for _, p := range paths {
		dir := p
		if strings.HasSuffix(p, ".tar.gz") || strings.HasSuffix(p, ".tgz") {
			if dir, err = os.MkdirTemp("", "conformance-"); err != nil {
				return nil, cleanup, err
			}
			temps = append(temps, dir)
			if err := unpack(p, dir); err != nil {
				return nil, cleanup, fmt.Errorf("%s: %w", p, err)
			}
		}
		found, err := walk(dir)
		if err != nil {
			return nil, cleanup, err
		}
		if len(found) == 0 {
			return nil, cleanup, fmt.Errorf("%s: no cases", p)
		}
		cases = append(cases, found...)
	}
	return cases, cleanup, nil
}

// maxUnpacked bounds what an archive may expand to.
const maxUnpacked = 8 << 30

func unpack(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	total := int64(0)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if total += h.Size; total > maxUnpacked {
			return errors.New("the archive is too large")
		}
		if err := unpackFile(root, h.Name, r); err != nil {
			return err
		}
	}
}

// unpackFile writes one file; the root keeps names like ../x out.
func unpackFile(root *os.Root, name string, r io.Reader) error {
	name = filepath.Clean(filepath.FromSlash(name))
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

func walk(root string) ([]*Case, error) {
	var cases []*Case
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() || !strings.HasSuffix(path, ".onnx") {
			return nil
		}
		c, err := caseOf(root, path)
		if err != nil {
			return err
		}
		if c != nil {
			cases = append(cases, c)
		}
		return nil
	})
	sort.Slice(cases, func(i, j int) bool { return cases[i].Name < cases[j].Name })
	return cases, err
}

// caseOf returns the case of a model file, or nil if the file is no case's model.
func caseOf(root, path string) (*Case, error) {
	dir, base := filepath.Split(path)
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return nil, err
	}
	c := &Case{Model: path}
	if stem := strings.TrimSuffix(path, ".onnx"); exists(stem + "_output_0.pb") {
		c.Name = filepath.ToSlash(strings.TrimSuffix(rel, ".onnx"))
		c.Light = stem + "_output_0.pb"
		// The tolerances of light/light_NAME.onnx are those of the case real/test_NAME, which downloads the full model.
		name := strings.TrimPrefix(strings.TrimSuffix(base, ".onnx"), "light_")
		c.RTol, c.ATol, err = Tolerances(filepath.Join(dir, "..", "real", "test_"+name, "data.json"))
		return c, err
	}
	sets, err := filepath.Glob(filepath.Join(escapeGlob(dir), "test_data_set_*"))
	if err != nil || len(sets) == 0 && base != "model.onnx" {
		return nil, err
	}
	c.Name = filepath.ToSlash(filepath.Dir(rel))
	if c.Name == "." {
		c.Name = filepath.Base(filepath.Clean(dir))
	}
	sort.Slice(sets, func(i, j int) bool {
		return len(sets[i]) < len(sets[j]) || len(sets[i]) == len(sets[j]) && sets[i] < sets[j]
	})
	c.Sets = sets
	c.RTol, c.ATol, err = Tolerances(filepath.Join(dir, "data.json"))
	return c, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func escapeGlob(dir string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}
