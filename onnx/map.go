package onnx

import (
	"io"
	"os"
)

// readRegular is the mapping of a system or file system that cannot map: the content in memory.
func readRegular(f *os.File, size int) (*mapping, error) {
	data := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, int64(size)), data); err != nil {
		return nil, err
	}
	return &mapping{data: data}, nil
}
