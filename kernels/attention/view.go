package attention

import "unsafe"

// octets views bools as bytes, each 0 or 1.
func octets(m []bool) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(m))), len(m))
}
