//go:build !unix && !windows

package onnx

import "os"

func mapRegular(f *os.File, size int) (*mapping, error) { return readRegular(f, size) }
