// Package mem allocates the large arrays that kernels stream through.
package mem

import "unsafe"

// large is the size from which an array is worth huge pages.
const large = 4 << 20

// Make returns n zeroed elements. Large arrays are backed by huge pages where the system offers them on request: streaming
// through them then misses the translation cache five hundred times less often, and they are mapped faster.
func Make[T any](n int) []T {
	s := make([]T, n)
	var z T
	if size := uintptr(n) * unsafe.Sizeof(z); size >= large {
		// Only advice about the address range goes to the system; it neither keeps nor changes the memory.
		hugePages(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), size))
	}
	return s
}
