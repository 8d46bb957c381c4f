package tensor

import (
	"fmt"
	"unsafe"
)

// Tensor is a dense array: a shape over one contiguous row-major buffer. The zero value is not valid; use the
// constructors. A Tensor may be read from many goroutines; writing needs the sole reference.
type Tensor struct {
	dtype DType
	shape Shape
	data  []byte   // little-endian, packed; nil for strings
	strs  []string // String only
	buf   *Buffer  // owner of data when it came from a pool, else nil
}

// New returns a zeroed tensor. It panics if the shape is negative or too large; check shapes from outside with
// Shape.CheckSize.
func New(d DType, shape ...int) *Tensor {
	s := Shape(shape).Clone()
	n := s.Size()
	t := &Tensor{dtype: d, shape: s}
	if d == String {
		t.strs = make([]string, n)
	} else {
		t.data = AlignedBytes(d.Bytes(n))
	}
	return t
}

// AlignedBytes returns n zeroed bytes that start at a multiple of 64.
func AlignedBytes(n int) []byte {
	if n < 64 {
		return make([]byte, n)
	}
	b := make([]byte, n+63)
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & 63)
	return b[off : off+n : off+n]
}

// FromBytes returns a tensor over data, which it aliases. len(data) must be what shape and type need.
func FromBytes(d DType, shape Shape, data []byte) (*Tensor, error) {
	n, err := shape.CheckSize()
	if err != nil {
		return nil, err
	}
	if !d.Valid() || d == String {
		return nil, fmt.Errorf("no raw data for element type %v", d)
	}
	if want := d.Bytes(n); len(data) != want {
		return nil, fmt.Errorf("%d bytes of data for %v%v, which needs %d", len(data), d, shape, want)
	}
	return &Tensor{dtype: d, shape: shape.Clone(), data: data}, nil
}

// FromBuffer returns a tensor over the first bytes of a pooled buffer, without taking a reference.
func FromBuffer(d DType, shape Shape, b *Buffer) *Tensor {
	n := d.Bytes(shape.Size())
	return &Tensor{dtype: d, shape: shape.Clone(), data: b.Bytes[:n:n], buf: b}
}

// Of returns a tensor of the given shape over data, which it aliases. It panics if the lengths differ.
func Of[T Elem](shape Shape, data []T) *Tensor {
	if shape.Size() != len(data) {
		panic(fmt.Sprintf("tensor.Of: %d elements for shape %v", len(data), shape))
	}
	return &Tensor{dtype: DTypeOf[T](), shape: shape.Clone(), data: bytesOf(data)}
}

// Strings returns a string tensor over data, which it aliases. It panics if the lengths differ.
func Strings(shape Shape, data []string) *Tensor {
	if shape.Size() != len(data) {
		panic(fmt.Sprintf("tensor.Strings: %d elements for shape %v", len(data), shape))
	}
	return &Tensor{dtype: String, shape: shape.Clone(), strs: data}
}

// Scalar returns a rank-0 tensor.
func Scalar[T Elem](v T) *Tensor { return Of(Shape{}, []T{v}) }

// Vector returns a rank-1 tensor over data, which it aliases.
func Vector[T Elem](data ...T) *Tensor { return Of(Shape{len(data)}, data) }

// DType is the element type.
func (t *Tensor) DType() DType { return t.dtype }

// Shape is the tensor's shape; callers must not change it.
func (t *Tensor) Shape() Shape { return t.shape }

// Rank is the number of axes.
func (t *Tensor) Rank() int { return len(t.shape) }

// Dim is the extent of axis i.
func (t *Tensor) Dim(i int) int { return t.shape[i] }

// Len is the number of elements.
func (t *Tensor) Len() int {
	n := 1
	for _, d := range t.shape {
		n *= d
	}
	return n
}

// Bytes is the tensor's buffer: little-endian, packed. It is nil for strings.
func (t *Tensor) Bytes() []byte { return t.data }

// Strs are the elements of a string tensor; nil for other types.
func (t *Tensor) Strs() []string { return t.strs }

// Buffer is the pooled buffer that owns the data, or nil.
func (t *Tensor) Buffer() *Buffer { return t.buf }

// Slice returns the elements as []T, aliasing the tensor. It panics if T does not store t's element type. uint8 also
// views every type of one byte, uint16 every type of two.
func Slice[T Elem](t *Tensor) []T {
	if d := DTypeOf[T](); d != t.dtype && !(d == Uint8 && t.dtype.Bits() == 8) && !(d == Uint16 && t.dtype.Bits() == 16) {
		panic(fmt.Sprintf("tensor: %v tensor read as %v", t.dtype, d))
	}
	return view[T](t.data)
}

// Float32 returns the elements of a float tensor, aliasing it.
func (t *Tensor) Float32() []float32 { return Slice[float32](t) }

// Float64 returns the elements of a double tensor, aliasing it.
func (t *Tensor) Float64() []float64 { return Slice[float64](t) }

// Int64 returns the elements of an int64 tensor, aliasing it.
func (t *Tensor) Int64() []int64 { return Slice[int64](t) }

// Int32 returns the elements of an int32 tensor, aliasing it.
func (t *Tensor) Int32() []int32 { return Slice[int32](t) }

// Bool returns the elements of a bool tensor, aliasing it.
func (t *Tensor) Bool() []bool { return Slice[bool](t) }

// Reshaped returns a tensor of another shape over the same data. It panics if the sizes differ.
func (t *Tensor) Reshaped(shape Shape) *Tensor {
	if shape.Size() != t.Len() {
		panic(fmt.Sprintf("tensor: %v reshaped to %v", t.shape, shape))
	}
	return &Tensor{dtype: t.dtype, shape: shape.Clone(), data: t.data, strs: t.strs, buf: t.buf}
}

// Retyped returns a tensor of another element type and shape over the same bytes. It panics if the sizes in bytes
// differ or either type is String.
func (t *Tensor) Retyped(d DType, shape Shape) *Tensor {
	if d == String || t.dtype == String || d.Bytes(shape.Size()) != len(t.data) {
		panic(fmt.Sprintf("tensor: %v%v retyped to %v%v", t.dtype, t.shape, d, shape))
	}
	return &Tensor{dtype: d, shape: shape.Clone(), data: t.data, buf: t.buf}
}

// Rows returns rows [lo, hi) along axis 0 as a tensor over the same data. The element type must not be packed.
func (t *Tensor) Rows(lo, hi int) *Tensor {
	s := t.shape.Clone()
	s[0] = hi - lo
	row := s[1:].Size()
	out := &Tensor{dtype: t.dtype, shape: s, buf: t.buf}
	if t.dtype == String {
		out.strs = t.strs[lo*row : hi*row]
		return out
	}
	if t.dtype.Packed() {
		panic("tensor: rows of a packed type")
	}
	b := t.dtype.Bytes(row)
	out.data = t.data[lo*b : hi*b : hi*b]
	return out
}

// Clone returns a deep copy that owns its data.
func (t *Tensor) Clone() *Tensor {
	c := &Tensor{dtype: t.dtype, shape: t.shape.Clone()}
	if t.dtype == String {
		c.strs = append([]string{}, t.strs...)
		return c
	}
	c.data = AlignedBytes(len(t.data))
	copy(c.data, t.data)
	return c
}

// Overlaps reports whether two tensors share a byte.
func (t *Tensor) Overlaps(u *Tensor) bool {
	if len(t.data) == 0 || len(u.data) == 0 {
		return false
	}
	a, b := uintptr(unsafe.Pointer(&t.data[0])), uintptr(unsafe.Pointer(&u.data[0]))
	return a < b+uintptr(len(u.data)) && b < a+uintptr(len(t.data))
}

// view reinterprets b as elements of T. Unaligned starts are fine for types without pointers.
func view[T Elem](b []byte) []T {
	var z T
	if len(b) == 0 {
		return []T{}
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(z)))
}

func bytesOf[T Elem](s []T) []byte {
	var z T
	if len(s) == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(z)))
}

// String describes the tensor by element type and shape.
func (t *Tensor) String() string { return t.dtype.String() + t.shape.String() }
