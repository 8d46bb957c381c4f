package onnx

import "golang.org/x/sys/unix"

// dropPages gives the pages of a file mapping back; they are read again from the file when touched.
func dropPages(b []byte) error { return unix.Madvise(b, unix.MADV_DONTNEED) }
