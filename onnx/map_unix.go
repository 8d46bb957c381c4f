//go:build unix

package onnx

import (
	"os"

	"golang.org/x/sys/unix"
)

func mapRegular(f *os.File, size int) (*mapping, error) {
	data, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil { // a file system without mappings
		return readRegular(f, size)
	}
	return &mapping{data: data, unmap: func() error { return unix.Munmap(data) }}, nil
}
