package jpeg

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The pictures in testdata were written by libjpeg-turbo's cjpeg, the pixels beside them by its djpeg.
func TestDecode(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.jpg")
	if len(files) == 0 {
		t.Fatal("no pictures")
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			pnm, err := os.ReadFile(strings.TrimSuffix(f, "jpg") + "ppm")
			if err != nil {
				t.Fatal(err)
			}
			got, w, h, err := Decode(data)
			if err != nil || w != 21 || h != 13 {
				t.Fatal(w, h, err)
			}
			var want []byte
			if bytes.HasPrefix(pnm, []byte("P5")) {
				for _, v := range pnm[len(pnm)-w*h:] {
					want = append(want, v, v, v)
				}
			} else {
				want = pnm[len(pnm)-len(got):]
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("value %d is %d, want %d", i, got[i], want[i])
				}
			}
		})
	}
}

func TestDecodeBad(t *testing.T) {
	data, err := os.ReadFile("testdata/progressive422.jpg")
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		if _, _, _, err := Decode(data[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes are accepted", n, len(data))
		}
	}
	huge := append([]byte("\xff\xd8\xff\xc0\x00\x0b\x08\xff\xff\xff\xff\x01\x01\x11\x00\xff\xd9"), make([]byte, 100)...)
	if _, _, _, err := Decode(huge); err == nil {
		t.Error("a huge picture in few bytes is accepted")
	}
}

func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.jpg")
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
