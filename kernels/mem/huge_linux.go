package mem

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

func hugePages(b []byte) {
	const huge = 2 << 20
	start := uintptr(unsafe.Pointer(&b[0]))
	lo := (huge - start%huge) % huge
	hi := lo + (uintptr(len(b))-lo)/huge*huge
	if lo < hi {
		_ = unix.Madvise(b[lo:hi], unix.MADV_HUGEPAGE) // advice: nothing is lost if the system refuses
	}
}
