package sardonyx_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTestdata checks that the files in testdata are what their generator writes.
func TestTestdata(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("go", "run", "./testdata/gen", "-out", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		fresh, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		committed, err := os.ReadFile(filepath.Join("testdata", rel))
		if err != nil {
			return err
		}
		// Another version of Go may compress images in another way.
		if !bytes.Equal(fresh, committed) && !strings.HasSuffix(path, ".png") {
			t.Errorf("testdata/%s is not what `go run ./testdata/gen` writes", rel)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if files == 0 {
		t.Error("the generator wrote nothing")
	}
}
