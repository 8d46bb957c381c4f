package exec

import (
	"fmt"
	"math/bits"
	"sync/atomic"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// budget counts the bytes that all runs of a session hold, against the session's limit.
type budget struct {
	limit int64 // 0: none
	used  atomic.Int64
}

func (b *budget) take(n int) bool {
	if used := b.used.Add(int64(n)); b.limit > 0 && used > b.limit {
		b.used.Add(-int64(n))
		return false
	}
	return true
}

// memory is the free list of one run: buffers by size class. It is used by the run's own goroutine only.
type memory struct {
	budget *budget
	held   int // bytes taken from the budget: free, or in use by the run
	free   map[int][]*tensor.Buffer
}

// smallest is the size of the smallest pooled buffer; what is smaller is rounded up to it.
const smallest = 64

// class rounds a size up to the next of 2^k, 1.25·2^k, 1.5·2^k, 1.75·2^k.
func class(n int) int {
	if n <= smallest {
		return smallest
	}
	step := 1 << (bits.Len(uint(n-1)) - 1) / 4
	return (n + step - 1) / step * step
}

// Alloc implements ops.Memory.
func (m *memory) Alloc(d tensor.DType, shape tensor.Shape) (*tensor.Tensor, error) {
	n, err := shape.CheckSize()
	if err != nil {
		return nil, err
	}
	if d == tensor.String {
		if !m.budget.take(16 * n) {
			return nil, m.exceeded(d, shape, 16*n)
		}
		m.budget.used.Add(-int64(16 * n)) // strings belong to the collector; only one that could never fit is refused
		return tensor.New(d, shape...), nil
	}
	size := class(d.Bytes(n))
	if list := m.free[size]; len(list) > 0 {
		b := list[len(list)-1]
		m.free[size] = list[:len(list)-1]
		return tensor.FromBuffer(d, shape, b), nil
	}
	if !m.budget.take(size) {
		m.drop()
		if !m.budget.take(size) {
			return nil, m.exceeded(d, shape, size)
		}
	}
	m.held += size
	data, err := allocate(size)
	if err != nil {
		m.give(size)
		return nil, fmt.Errorf("no memory for %v%v: %w", d, shape, err)
	}
	return tensor.FromBuffer(d, shape, tensor.NewBuffer(data, m.put)), nil
}

// allocate turns the runtime's refusal of an absurd length into an error.
func allocate(size int) (b []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return tensor.AlignedBytes(size), nil
}

func (m *memory) exceeded(d tensor.DType, shape tensor.Shape, size int) error {
	return fmt.Errorf("memory limit of %d bytes reached: %v%v needs %d more to the %d in use", m.budget.limit, d, shape, size, m.budget.used.Load())
}

func (m *memory) put(b *tensor.Buffer) { m.free[len(b.Bytes)] = append(m.free[len(b.Bytes)], b) }

// give returns bytes to the budget.
func (m *memory) give(n int) {
	m.held -= n
	m.budget.used.Add(-int64(n))
}

// abandon returns everything to the budget; the garbage collector takes the buffers, and the memory is not used again.
func (m *memory) abandon() { m.give(m.held) }

// adopt takes an escaped buffer that nobody uses any more into the free list, if the limit allows.
func (m *memory) adopt(b *tensor.Buffer) {
	if b.Pooled() || !m.budget.take(len(b.Bytes)) {
		return
	}
	m.held += len(b.Bytes)
	b.Adopt(m.put)
	m.put(b)
}

// drop gives every free buffer to the garbage collector.
func (m *memory) drop() {
	for size, list := range m.free {
		m.give(size * len(list))
		delete(m.free, size)
	}
}

// Free implements ops.Memory.
func (m *memory) Free(t *tensor.Tensor) {
	if b := t.Buffer(); b != nil && b.Refs() == 0 && b.Pooled() {
		m.put(b)
	}
}

// retain takes a reference to what v holds on behalf of a slot. Tensors inside sequences and optionals leave the pool.
func (m *memory) retain(v tensor.Value) {
	if t, ok := v.(*tensor.Tensor); ok {
		if b := t.Buffer(); b != nil {
			b.Retain()
		}
		return
	}
	m.escape(v)
}

// release drops a slot's reference.
func release(v tensor.Value) {
	if t, ok := v.(*tensor.Tensor); ok {
		if b := t.Buffer(); b != nil {
			b.Release()
		}
	}
}

// escape takes the memory of v out of the pool for good.
func (m *memory) escape(v tensor.Value) {
	switch v := v.(type) {
	case *tensor.Tensor:
		if b := v.Buffer(); b != nil && b.Escape() {
			m.give(len(b.Bytes))
		}
	case *tensor.Sequence:
		for _, e := range v.Items {
			m.escape(e)
		}
	case *tensor.Optional:
		if v.Value != nil {
			m.escape(v.Value)
		}
	}
}
