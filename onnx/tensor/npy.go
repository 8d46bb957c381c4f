package tensor

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The format is https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html: a magic string, a version, the
// length of a header, the header (the literal of a Python dictionary with descr, fortran_order and shape), the elements.
const npyMagic = "\x93NUMPY"

// maxNpyHeader bounds the header; real ones take 128 bytes.
const maxNpyHeader = 1 << 20

// ReadNpy reads an array in NumPy's .npy format, of any version, byte order and order of axes. Byte strings (S) and unicode
// strings (U) become String; object and structured arrays are errors. Memory grows with what r delivers, not with what the
// header claims.
func ReadNpy(r io.Reader) (*Tensor, error) {
	h, err := readNpyHeader(r)
	if err != nil {
		return nil, err
	}
	n, err := h.shape.CheckSize()
	if err != nil {
		return nil, err
	}
	if n > 0 && h.width == 0 {
		return nil, errors.New("strings of length 0 are not supported")
	}
	if h.width > 0 && n > (1<<62)/h.width {
		return nil, fmt.Errorf("shape %v is too large", h.shape)
	}
	var buf bytes.Buffer
	if got, err := io.CopyN(&buf, r, int64(n*h.width)); err != nil {
		return nil, fmt.Errorf("%d of %d bytes of elements: %w", got, n*h.width, noEOF(err))
	}
	data := buf.Bytes()
	if h.fortran && len(h.shape) > 1 {
		data = rowMajor(data, h.shape, h.width)
	}
	if h.kind == 'S' || h.kind == 'U' {
		return h.strings(data, n), nil
	}
	if h.big {
		swapBytes(data, h.dtype)
	}
	return FromBytes(h.dtype, h.shape, data)
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

type npyHeader struct {
	dtype   DType
	kind    byte // of the descr: f, i, u, b, c, S, U
	width   int  // bytes of an element
	big     bool // big-endian
	fortran bool // first axis fastest
	shape   Shape
}

func readNpyHeader(r io.Reader) (*npyHeader, error) {
	var pre [8]byte
	if _, err := io.ReadFull(r, pre[:]); err != nil {
		return nil, noEOF(err)
	}
	if string(pre[:6]) != npyMagic {
		return nil, errors.New("not a .npy file")
	}
	size := 2
	if pre[6] > 1 {
		size = 4
	}
	var length [4]byte
	if _, err := io.ReadFull(r, length[:size]); err != nil {
		return nil, noEOF(err)
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > maxNpyHeader {
		return nil, fmt.Errorf("header of %d bytes", n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, noEOF(err)
	}
	return parseNpyHeader(string(text))
}

func parseNpyHeader(s string) (*npyHeader, error) {
	descr, ok1 := npyField(s, "descr")
	fortran, ok2 := npyField(s, "fortran_order")
	shape, ok3 := npyField(s, "shape")
	if !ok1 || !ok2 || !ok3 {
		return nil, fmt.Errorf("header %.100q lacks descr, fortran_order or shape", s)
	}
	h := &npyHeader{fortran: strings.HasPrefix(fortran, "True"), shape: Shape{}}
	if err := h.parseShape(shape); err != nil {
		return nil, err
	}
	return h, h.parseDescr(descr)
}

// npyField returns the text behind 'key': in a dictionary.
func npyField(s, key string) (string, bool) {
	for _, quote := range []string{"'", `"`} {
		if _, rest, ok := strings.Cut(s, quote+key+quote); ok {
			rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " "), ":")
			return strings.TrimLeft(rest, " "), ok
		}
	}
	return "", false
}

func (h *npyHeader) parseShape(s string) error {
	s, ok := strings.CutPrefix(s, "(")
	inner, _, ok2 := strings.Cut(s, ")")
	if !ok || !ok2 {
		return fmt.Errorf("shape %.50q is no tuple", s)
	}
	for f := range strings.SplitSeq(inner, ",") {
		if f = strings.TrimSuffix(strings.TrimSpace(f), "L"); f == "" {
			continue
		}
		n, err := strconv.Atoi(f)
		if err != nil {
			return fmt.Errorf("dimension %q: %w", f, errors.Unwrap(err))
		}
		h.shape = append(h.shape, n)
	}
	return nil
}

var npyTypes = map[string]DType{
	"b1": Bool, "i1": Int8, "i2": Int16, "i4": Int32, "i8": Int64, "u1": Uint8, "u2": Uint16, "u4": Uint32, "u8": Uint64,
	"f2": Float16, "f4": Float32, "f8": Float64, "c8": Complex64, "c16": Complex128,
}

func (h *npyHeader) parseDescr(s string) error {
	if s == "" || s[0] != '\'' && s[0] != '"' {
		return errors.New("structured arrays are not supported")
	}
	d, _, ok := strings.Cut(s[1:], s[:1])
	if !ok {
		return fmt.Errorf("descr %.50q is no string", s)
	}
	code := strings.TrimLeft(d, "<>|=")
	h.big = strings.HasPrefix(d, ">")
	if h.dtype, ok = npyTypes[code]; ok {
		h.kind, h.width = code[0], h.dtype.Bits()/8
		return nil
	}
	n, err := strconv.Atoi(strings.TrimLeft(code, "SUa"))
	if code == "" || err != nil || n < 0 || n > 1<<28 || !strings.Contains("SUa", code[:1]) {
		return fmt.Errorf("element type %q is not supported", d)
	}
	h.dtype, h.kind, h.width = String, code[0], n
	switch code[0] {
	case 'a':
		h.kind = 'S'
	case 'U':
		h.width *= 4
	}
	return nil
}

// strings decodes fixed-length strings, which are padded with NULs.
func (h *npyHeader) strings(data []byte, n int) *Tensor {
	t := New(String, h.shape...)
	for i := range n {
		cell := data[i*h.width : (i+1)*h.width]
		if h.kind == 'S' {
			t.Strs()[i] = string(bytes.TrimRight(cell, "\x00"))
			continue
		}
		var b []byte
		for ; len(cell) > 0; cell = cell[4:] {
			c := binary.LittleEndian.Uint32(cell)
			if h.big {
				c = binary.BigEndian.Uint32(cell)
			}
			if c > utf8.MaxRune {
				c = utf8.RuneError
			}
			b = utf8.AppendRune(b, rune(c))
		}
		t.Strs()[i] = string(bytes.TrimRight(b, "\x00"))
	}
	return t
}

// rowMajor returns column-major elements of the given width in row-major order.
func rowMajor(data []byte, shape Shape, width int) []byte {
	out := make([]byte, len(data))
	strides := make([]int, len(shape)) // in the source
	step := 1
	for i, d := range shape {
		strides[i] = step
		step *= d
	}
	pos := make([]int, len(shape))
	src := 0
	for dst := 0; dst < len(out); dst += width {
		copy(out[dst:dst+width], data[src*width:])
		for k := len(shape) - 1; k >= 0; k-- {
			src += strides[k]
			if pos[k]++; pos[k] < shape[k] {
				break
			}
			src -= pos[k] * strides[k]
			pos[k] = 0
		}
	}
	return out
}

func swapBytes(data []byte, d DType) {
	w := d.Bits() / 8
	if d == Complex64 || d == Complex128 {
		w /= 2
	}
	for ; w > 1 && len(data) >= w; data = data[w:] {
		slices.Reverse(data[:w])
	}
}

// WriteNpy writes a tensor in NumPy's .npy format. Types that NumPy lacks are written as the next that holds their values
// exactly: bfloat16, float8 and float4 as float32, 4- and 2-bit integers as 8-bit ones. Strings become unicode strings of
// the longest one's length: NULs at their end are lost, and bytes that are no UTF-8 become U+FFFD.
func WriteNpy(w io.Writer, t *Tensor) error {
	if t.DType() == String {
		return writeNpyStrings(w, t)
	}
	t, err := numpyTensor(t)
	if err != nil {
		return err
	}
	for code, d := range npyTypes {
		if d != t.DType() {
			continue
		}
		order := "<"
		if d.Bits() == 8 {
			order = "|"
		}
		if err := writeNpyHeader(w, order+code, t.Shape()); err != nil {
			return err
		}
		_, err := w.Write(t.Bytes())
		return err
	}
	return fmt.Errorf("%v cannot be written as .npy", t.DType())
}

// numpyTensor returns t in a type that NumPy has.
func numpyTensor(t *Tensor) (*Tensor, error) {
	if t.DType().Packed() && t.DType().IsInt() {
		d := Int8
		if t.DType().IsUnsigned() {
			d = Uint8
		}
		out := New(d, t.Shape()...)
		for i := range out.Bytes() {
			out.Bytes()[i] = byte(t.PackedAt(i))
		}
		return out, nil
	}
	if t.DType().IsFloat() && t.DType() != Float16 && t.DType() != Float64 {
		return t.AsFloat32()
	}
	return t, nil
}

func writeNpyHeader(w io.Writer, descr string, shape Shape) error {
	dims := make([]string, len(shape))
	for i, d := range shape {
		dims[i] = strconv.Itoa(d)
	}
	tuple := strings.Join(dims, ", ")
	if len(shape) == 1 {
		tuple += ","
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, tuple)
	const fixed = len(npyMagic) + 4 + 1 // version 1.0, length, newline
	text += strings.Repeat(" ", -(fixed+len(text))&63) + "\n"
	if len(text) > 1<<16-1 {
		return fmt.Errorf("shape of rank %d is too long for .npy", len(shape))
	}
	head := append([]byte(npyMagic), 1, 0)
	head = binary.LittleEndian.AppendUint16(head, uint16(len(text)))
	_, err := w.Write(append(head, text...))
	return err
}

func writeNpyStrings(w io.Writer, t *Tensor) error {
	longest := 1
	for _, s := range t.Strs() {
		longest = max(longest, utf8.RuneCountInString(s))
	}
	if err := writeNpyHeader(w, "<U"+strconv.Itoa(longest), t.Shape()); err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	cell := make([]byte, 4*longest)
	for _, s := range t.Strs() {
		clear(cell)
		i := 0
		for _, c := range s {
			binary.LittleEndian.PutUint32(cell[i:], uint32(c))
			i += 4
		}
		if _, err := b.Write(cell); err != nil {
			return err
		}
	}
	return b.Flush()
}
