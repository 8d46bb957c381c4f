package tensor

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// npy returns a file with the header's text and elements in hexadecimal.
func npy(version byte, header, elements string) []byte {
	data, err := hex.DecodeString(strings.ReplaceAll(elements, " ", ""))
	if err != nil {
		panic(err)
	}
	head := append([]byte(npyMagic), version, 0, byte(len(header)), 0)
	if version > 1 {
		head = append(head, 0, 0)
	}
	return append(append(head, header...), data...)
}

func TestReadNpy(t *testing.T) {
	for _, c := range []struct {
		name string
		file []byte
		want *Tensor
	}{
		{"float", npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", "0000803f 000000c0"), Vector[float32](1, -2)},
		{"scalar", npy(1, "{'descr': '<i8', 'fortran_order': False, 'shape': (), }", "0700000000000000"), Scalar[int64](7)},
		{"version 3", npy(3, "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3)}", "010203"), Of(Shape{1, 3}, []uint8{1, 2, 3})},
		{"big-endian", npy(1, "{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }", "0001 fffe"), Vector[int16](1, -2)},
		{"big-endian complex", npy(1, "{'descr': '>c8', 'fortran_order': False, 'shape': (1,), }", "3f800000 c0000000"), Vector(complex64(complex(1, -2)))},
		{"columns first", npy(1, "{'descr': '|i1', 'fortran_order': True, 'shape': (2, 3), }", "010402050306"), Of(Shape{2, 3}, []int8{1, 2, 3, 4, 5, 6})},
		{"columns first, rank 3", npy(1, "{'descr': '|i1', 'fortran_order': True, 'shape': (2, 1, 2), }", "01030204"), Of(Shape{2, 1, 2}, []int8{1, 2, 3, 4})},
		{"bool", npy(1, "{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", "0100"), Vector(true, false)},
		{"half", npy(1, "{'descr': '<f2', 'fortran_order': False, 'shape': (1,), }", "003c"), Vector(ToF16(1))},
		{"empty", npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4), }", ""), New(Float64, 0, 4)},
		{"bytes", npy(1, "{'descr': '|S2', 'fortran_order': False, 'shape': (2,), }", "6100 6263"), Strings(Shape{2}, []string{"a", "bc"})},
		{"unicode", npy(1, "{'descr': '<U1', 'fortran_order': False, 'shape': (2,), }", "e9000000 00000000"), Strings(Shape{2}, []string{"é", ""})},
	} {
		got, err := ReadNpy(bytes.NewReader(c.file))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if show(got) != show(c.want) {
			t.Errorf("%s: got %s, want %s", c.name, show(got), show(c.want))
		}
	}
}

func show(t *Tensor) string { return fmt.Sprintf("%v %x %q", t, t.Bytes(), t.Strs()) }

func TestReadNpyErrors(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"empty", "", "unexpected EOF"},
		{"no magic", "PK\x03\x04aaaaaaaaaa", "not a .npy file"},
		{"short header", npyMagic + "\x01\x00\x80\x00{", "unexpected EOF"},
		{"long header", npyMagic + "\x02\x00\xff\xff\xff\xff{", "header of 4294967295 bytes"},
		{"no shape", string(npy(1, "{'descr': '<f4', 'fortran_order': False}", "")), "lacks descr"},
		{"object", string(npy(1, "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "")), `"|O" is not supported`},
		{"structured", string(npy(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "")), "structured"},
		{"few elements", string(npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "00000000")), "4 of 8 bytes"},
		{"many claimed", string(npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}", "")), "0 of 4398046511104 bytes"},
		{"overflow", string(npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "")), "4294967296"},
		{"negative", string(npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "")), "-1"},
	} {
		_, err := ReadNpy(strings.NewReader(c.file))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func TestWriteNpz(t *testing.T) {
	int4 := New(Int4, 3)
	for i, v := range []int8{-8, 0, 7} {
		int4.SetPacked(i, v)
	}
	in := []Named{
		{"a", Of(Shape{2, 1}, []float32{1, 2})},
		{"scalar", Scalar[int64](-3)},
		{"s", Strings(Shape{2}, []string{"x", "größer"})},
		{"bf16", Vector(ToBF16(1.5))},
		{"int4", int4},
		{"c", Vector(complex(1, 2))},
		{"none", New(Bool, 0)},
	}
	want := []*Tensor{in[0].Tensor, in[1].Tensor, in[2].Tensor, Vector[float32](1.5), Vector[int8](-8, 0, 7), in[5].Tensor, in[6].Tensor}
	var buf bytes.Buffer
	if err := WriteNpz(&buf, in); err != nil {
		t.Fatal(err)
	}
	out, err := ReadNpz(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != len(in) {
		t.Fatalf("%d arrays, want %d", len(out), len(in))
	}
	for i := range out {
		if out[i].Name != in[i].Name || show(out[i].Tensor) != show(want[i]) {
			t.Errorf("%s: got %s, want %s %s", out[i].Name, show(out[i].Tensor), in[i].Name, show(want[i]))
		}
	}
}

func FuzzReadNpy(f *testing.F) {
	f.Add(npy(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1), }\n", "0000803f 000000c0"))
	f.Add(npy(2, "{'descr': '<U1', 'fortran_order': False, 'shape': (2,), }", "e9000000 00000000"))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := ReadNpy(bytes.NewReader(data))
		if err != nil {
			return
		}
		var buf bytes.Buffer
		if err := WriteNpy(&buf, x); err != nil {
			t.Fatal(err)
		}
		y, err := ReadNpy(&buf)
		if err != nil || x.DType() != y.DType() || !x.Shape().Equal(y.Shape()) || !bytes.Equal(x.Bytes(), y.Bytes()) {
			t.Fatalf("%s became %s: %v", show(x), show(y), err)
		}
	})
}
