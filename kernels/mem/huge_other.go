//go:build !linux

package mem

func hugePages([]byte) {}
