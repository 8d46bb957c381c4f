package raster

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func read(tb testing.TB, name string) []byte {
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// The TIFF files were written by libtiff's tiffcp from the same picture as image.ppm.
func TestTIFF(t *testing.T) {
	want, w, h, err := DecodePNM(read(t, "image.ppm"))
	if err != nil || w != 21 || h != 13 {
		t.Fatal(w, h, err)
	}
	for _, name := range []string{"none", "lzw", "zip", "packbits", "tiles", "planes", "big"} {
		data := read(t, name+".tif")
		got, w, h, err := DecodeTIFF(data)
		if err != nil || w != 21 || h != 13 || !bytes.Equal(got, want) {
			t.Errorf("%s: %d×%d, %v", name, w, h, err)
		}
		for n := 8; n < len(data); n += 7 {
			_, _, _, _ = DecodeTIFF(data[:n]) // must not panic
		}
	}
}

func TestPNM(t *testing.T) {
	for _, c := range []struct {
		data string
		w, h int
		want string
	}{
		{"P1\n# a comment\n3 1\n101", 3, 1, "\x00\x00\x00\xff\xff\xff\x00\x00\x00"},
		{"P2 1 2 15 0 15", 1, 2, "\x00\x00\x00\xff\xff\xff"},
		{"P3 1 1 255 1 2 3", 1, 1, "\x01\x02\x03"},
		{"P4 2 1\n\x40", 2, 1, "\xff\xff\xff\x00\x00\x00"},
		{"P5 1 1 65535\n\x80\x00", 1, 1, "\x80\x80\x80"},
		{"P6 1 1 255\nabc", 1, 1, "abc"},
	} {
		got, w, h, err := DecodePNM([]byte(c.data))
		if err != nil || w != c.w || h != c.h || string(got) != c.want {
			t.Errorf("%q: %d×%d %q, %v", c.data, w, h, got, err)
		}
	}
	for _, bad := range []string{"P6", "P6 1 1 255\nab", "P5 99999 99999 255\n", "P2 1 1 255 x", "P3 1 1 0 1 1 1"} {
		if _, _, _, err := DecodePNM([]byte(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// header returns the headers of a bitmap of 40 bytes and its palette.
func header(w, h, depth, compression byte, palette ...byte) []byte {
	b := make([]byte, 54)
	copy(b, "BM")
	b[10], b[14], b[18], b[22], b[26], b[28], b[30], b[46] = byte(54+len(palette)), 40, w, h, 1, depth, compression, byte(len(palette)/4)
	return append(b, palette...)
}

func TestBMP(t *testing.T) {
	two := []byte{0, 0, 0, 0, 30, 20, 10, 0} // black and (10, 20, 30)
	c := "\x0a\x14\x1e"
	k := "\x00\x00\x00"
	for _, x := range []struct {
		name string
		data []byte
		want string
	}{
		{"1 bit", append(header(2, 2, 1, 0, two...), 0x40, 0, 0, 0, 0x80, 0, 0, 0), c + k + k + c},
		{"4 bit", append(header(2, 1, 4, 0, two...), 0x01, 0, 0, 0), k + c},
		{"8 bit", append(header(2, 1, 8, 0, two...), 1, 0, 0, 0), c + k},
		{"24 bit", append(header(1, 1, 24, 0), 30, 20, 10, 0), c},
		{"32 bit", append(header(1, 1, 32, 0), 30, 20, 10, 99), c},
		{"16 bit", append(header(1, 1, 16, 0), 0xFF, 0x7F, 0, 0), "\xff\xff\xff"},
		{"runs of 8", append(header(3, 1, 8, 1, two...), 2, 1, 0, 1), c + c + k},
		{"runs of 4", append(header(3, 1, 4, 2, two...), 0, 3, 0x01, 0x10, 0, 1), k + c + c},
	} {
		got, _, _, err := DecodeBMP(x.data)
		if err != nil || string(got) != x.want {
			t.Errorf("%s: %q, %v", x.name, got, err)
		}
		for n := range x.data {
			_, _, _, _ = DecodeBMP(x.data[:n]) // must not panic
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(read(f, "lzw.tif"))
	f.Add(read(f, "image.ppm"))
	f.Add(append(header(3, 1, 8, 1, make([]byte, 8)...), 2, 1, 0, 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 4 {
			return
		}
		decode := DecodeTIFF
		switch data[0] {
		case 'P':
			data[1] = '1' + data[1]%6
			decode = DecodePNM
		case 'B':
			decode = DecodeBMP
		}
		rgb, w, h, err := decode(data)
		if err == nil && len(rgb) != 3*w*h {
			t.Errorf("%d bytes for %d×%d pixels", len(rgb), w, h)
		}
	})
}
