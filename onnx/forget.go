package onnx

import (
	"os"
	"unsafe"
)

// Forget tells the system that data, part of a mapped file of the model, is not needed soon: its pages stop counting as
// resident memory. The data stays valid and is read from the file again when touched. Other memory is left alone.
func (m *Model) Forget(data []byte) {
	page := uintptr(os.Getpagesize())
	if uintptr(len(data)) < 2*page {
		return
	}
	start := uintptr(unsafe.Pointer(&data[0]))
	m.files.mu.Lock()
	defer m.files.mu.Unlock()
	for _, f := range m.files.byName {
		if f.unmap == nil || len(f.data) == 0 {
			continue
		}
		base := uintptr(unsafe.Pointer(&f.data[0])) // only compared: both slices stay alive here
		if start < base || start+uintptr(len(data)) > base+uintptr(len(f.data)) {
			continue
		}
		lo := (start - base + page - 1) / page * page
		hi := (start - base + uintptr(len(data))) / page * page
		if lo < hi {
			_ = dropPages(f.data[lo:hi]) // advice only
		}
		return
	}
}
