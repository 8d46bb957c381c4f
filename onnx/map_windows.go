package onnx

import (
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

func mapRegular(f *os.File, size int) (*mapping, error) {
	h, err := windows.CreateFileMapping(windows.Handle(f.Fd()), nil, windows.PAGE_READONLY, 0, 0, nil)
	if err != nil {
		return readRegular(f, size)
	}
	defer windows.CloseHandle(h) // the view keeps the mapping open
	addr, err := windows.MapViewOfFile(h, windows.FILE_MAP_READ, 0, 0, uintptr(size))
	if err != nil {
		return readRegular(f, size)
	}
	data := unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), size)
	return &mapping{data: data, unmap: func() error { return windows.UnmapViewOfFile(addr) }}, nil
}
