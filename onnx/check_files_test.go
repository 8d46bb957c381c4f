package onnx

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCheckConformance checks the models of the standard's own test cases: all are correct.
func TestCheckConformance(t *testing.T) {
	archives, _ := filepath.Glob("../../shared/conformance/*.tar.gz")
	if len(archives) == 0 {
		t.Skip("the archives of conformance cases are not here")
	}
	n := 0
	for _, name := range archives {
		err := eachModelIn(name, func(name string, data []byte) {
			n++
			m, err := Parse(data)
			if err == nil {
				err = Check(m)
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Logf("%d models", n)
}

func eachModelIn(archive string, f func(name string, data []byte)) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	for files := tar.NewReader(unzipped); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !strings.HasSuffix(h.Name, ".onnx") {
			continue
		}
		data, err := io.ReadAll(files)
		if err != nil {
			return err
		}
		f(h.Name, data)
	}
}

// breaches are what the collected files get wrong: ONNX Runtime sorts nodes, infers missing types and shapes, imports its
// own domain and ignores some attributes, but the standard's rules and its own checker refuse such a model.
var breaches = regexp.MustCompile(strings.Join([]string{
	`: the nodes are not in topological order$`,
	`^output .*: its type has no shape; the main graph's inputs and outputs need a rank$`,
	`^output .*: it has no type$`,
	`^initializer .*: before IR version 4 an initializer must be an input of the graph, too$`,
	`\(LayerNormalization-1\): it has no attribute epsion$`,
	`\(com\.microsoft\..*\): domain com.microsoft is not imported$`,
	`^the graph has no name$`,
	`^and [0-9]+ more$`,
}, "|"))

// TestCheckFiles checks models of many exporters: those written by exporters are correct, and the collected ones break no
// other rule than those above.
func TestCheckFiles(t *testing.T) {
	root := "../../shared/models"
	if _, err := os.Stat(root); err != nil {
		t.Skip("the models are not here")
	}
	total, broken := 0, 0
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".onnx" {
			return err
		}
		m, err := Load(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		defer m.Close()
		total++
		violations := Violations(m)
		if len(violations) > 0 {
			broken++
		}
		set := filepath.Base(filepath.Dir(filepath.Dir(path)))
		for _, v := range violations {
			if set == "exported" || set == "quantized" || !breaches.MatchString(v.String()) {
				t.Errorf("%s: %v", path, v)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if broken > total/5 {
		t.Errorf("%d of %d models break a rule", broken, total)
	}
	t.Logf("%d models, %d of them with violations", total, broken)
}
