package jp2

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The pictures in testdata were written by OpenJPEG's opj_compress, the pixels beside them by its opj_decompress.
func TestDecode(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.j*")
	if len(files) == 0 {
		t.Fatal("no pictures")
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			pnm, err := os.ReadFile(strings.TrimSuffix(f, filepath.Ext(f)) + ".ppm")
			if err != nil {
				t.Fatal(err)
			}
			got, w, h, err := Decode(data)
			if err != nil || w != 21 || h != 13 {
				t.Fatal(w, h, err)
			}
			slack := 0
			if strings.Contains(f, "irreversible") {
				slack = 1 // OpenJPEG computes in float
			}
			for i, want := range pnm[len(pnm)-len(got):] {
				if d := int(got[i]) - int(want); d > slack || d < -slack {
					t.Fatalf("value %d is %d, want %d", i, got[i], want)
				}
			}
			for n := range data {
				_, _, _, _ = Decode(data[:n]) // must not panic
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.j*")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rgb, w, h, err := Decode(data)
		if err == nil && len(rgb) != 3*w*h {
			t.Errorf("%d bytes for %d×%d pixels", len(rgb), w, h)
		}
	})
}
