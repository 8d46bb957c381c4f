// Package move copies tensor elements between layouts without looking at them: strided copies (transposition, slicing,
// tiling, concatenation), takes and puts by index, and copies through per-axis maps (padding). Elements are cells of 1,
// 2, 4, 8 or 16 bytes, or strings.
package move

import "unsafe"

// Mem is a run of cells: strings if Width is 0, else cells of Width bytes in Bytes.
type Mem struct {
	Bytes []byte
	Strs  []string
	Width int
}

// Len is the number of cells.
func (m Mem) Len() int {
	if m.Width == 0 {
		return len(m.Strs)
	}
	return len(m.Bytes) / m.Width
}

// Copy copies n cells from src[s:] to m[d:]. Both have the same width.
func (m Mem) Copy(d int, src Mem, s, n int) {
	if m.Width == 0 {
		copy(m.Strs[d:d+n], src.Strs[s:s+n])
		return
	}
	w := m.Width
	copy(m.Bytes[d*w:(d+n)*w], src.Bytes[s*w:(s+n)*w])
}

// Fill sets cells [lo, hi) to the first cell of v.
func (m Mem) Fill(lo, hi int, v Mem) {
	if lo >= hi {
		return
	}
	if m.Width == 0 {
		for i := range m.Strs[lo:hi] {
			m.Strs[lo+i] = v.Strs[0]
		}
		return
	}
	b, cell := m.Bytes[lo*m.Width:hi*m.Width], v.Bytes[:m.Width]
	if zero(cell) {
		clear(b)
		return
	}
	for n := copy(b, cell); n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}

func zero(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}

// cells views b as cells of type T.
func cells[T any](b []byte) []T {
	var z T
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(z)))
}

// wide is a cell of 16 bytes.
type wide = [2]uint64

// Take sets dst[i] = src[idx[i]].
func Take(dst, src Mem, idx []int64) {
	switch dst.Width {
	case 0:
		take(dst.Strs, src.Strs, idx)
	case 1:
		take(dst.Bytes, src.Bytes, idx)
	case 2:
		take(cells[uint16](dst.Bytes), cells[uint16](src.Bytes), idx)
	case 4:
		take(cells[uint32](dst.Bytes), cells[uint32](src.Bytes), idx)
	case 8:
		take(cells[uint64](dst.Bytes), cells[uint64](src.Bytes), idx)
	case 16:
		take(cells[wide](dst.Bytes), cells[wide](src.Bytes), idx)
	default:
		panic(badWidth)
	}
}

const badWidth = "move: cells must be 1, 2, 4, 8 or 16 bytes wide"

func take[T any](dst, src []T, idx []int64) {
	dst = dst[:len(idx)]
	for i, k := range idx {
		dst[i] = src[k]
	}
}

// Put sets dst[idx[i]] = src[i], in order: of equal indices the last one wins.
func Put(dst, src Mem, idx []int64) {
	switch dst.Width {
	case 0:
		put(dst.Strs, src.Strs, idx)
	case 1:
		put(dst.Bytes, src.Bytes, idx)
	case 2:
		put(cells[uint16](dst.Bytes), cells[uint16](src.Bytes), idx)
	case 4:
		put(cells[uint32](dst.Bytes), cells[uint32](src.Bytes), idx)
	case 8:
		put(cells[uint64](dst.Bytes), cells[uint64](src.Bytes), idx)
	case 16:
		put(cells[wide](dst.Bytes), cells[wide](src.Bytes), idx)
	default:
		panic(badWidth)
	}
}

func put[T any](dst, src []T, idx []int64) {
	src = src[:len(idx)]
	for i, k := range idx {
		dst[k] = src[i]
	}
}

// Unpack writes element i of src, packed in bits (2 or 4) bits with the first element in the lowest bits, to dst[i].
func Unpack(dst, src []byte, bits int) {
	per, mask := 8/bits, byte(1<<bits-1)
	for i := range dst {
		dst[i] = src[i/per] >> (bits * (i % per)) & mask
	}
}

// Pack is the inverse of Unpack: the low bits of each byte of src go to dst, whose last byte is padded with zeros.
func Pack(dst, src []byte, bits int) {
	per, mask := 8/bits, byte(1<<bits-1)
	for i := range dst {
		var v byte
		for j, e := range src[i*per : min((i+1)*per, len(src))] {
			v |= e & mask << (bits * j)
		}
		dst[i] = v
	}
}
