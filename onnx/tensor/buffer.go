package tensor

import "sync/atomic"

// Buffer is reference-counted memory that returns to its pool when the last reference goes. Tensors over it are views;
// whoever keeps such a tensor beyond the current operator holds a reference.
type Buffer struct {
	Bytes []byte
	refs  atomic.Int32
	free  func(*Buffer)
}

// NewBuffer returns a buffer with no references; free is called each time the count falls back to zero.
func NewBuffer(b []byte, free func(*Buffer)) *Buffer { return &Buffer{Bytes: b, free: free} }

// Retain adds a reference.
func (b *Buffer) Retain() { b.refs.Add(1) }

// Release drops a reference and frees the buffer at zero.
func (b *Buffer) Release() {
	if b.refs.Add(-1) == 0 && b.free != nil {
		b.free(b)
	}
}

// Refs is the number of references.
func (b *Buffer) Refs() int { return int(b.refs.Load()) }

// Escape takes the buffer out of its pool for good: it is never freed again, and the garbage collector owns it. It reports
// whether this call did so. It may only be called by the goroutine that owns the pool.
func (b *Buffer) Escape() bool {
	was := b.free != nil
	b.free = nil
	return was
}

// Pooled reports whether the buffer still belongs to its pool.
func (b *Buffer) Pooled() bool { return b.free != nil }

// Adopt puts a buffer that has escaped, and that nobody uses any more, under a pool again.
func (b *Buffer) Adopt(free func(*Buffer)) {
	b.refs.Store(0)
	b.free = free
}
