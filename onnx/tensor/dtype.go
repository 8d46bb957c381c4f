package tensor

// DType is the type of a tensor's elements; the values are those of TensorProto.DataType.
type DType uint8

// The element types of the standard.
const (
	Undefined DType = iota
	Float32
	Uint8
	Int8
	Uint16
	Int16
	Int32
	Int64
	String
	Bool
	Float16
	Float64
	Uint32
	Uint64
	Complex64
	Complex128
	BFloat16
	Float8E4M3FN
	Float8E4M3FNUZ
	Float8E5M2
	Float8E5M2FNUZ
	Uint4
	Int4
	Float4E2M1
	Float8E8M0
	Uint2
	Int2
	numDTypes
)

var dtypes = [numDTypes]struct {
	name string
	bits int
}{
	Undefined: {"undefined", 0}, Float32: {"float", 32}, Uint8: {"uint8", 8}, Int8: {"int8", 8},
	Uint16: {"uint16", 16}, Int16: {"int16", 16}, Int32: {"int32", 32}, Int64: {"int64", 64},
	String: {"string", 0}, Bool: {"bool", 8}, Float16: {"float16", 16}, Float64: {"double", 64},
	Uint32: {"uint32", 32}, Uint64: {"uint64", 64}, Complex64: {"complex64", 64}, Complex128: {"complex128", 128},
	BFloat16: {"bfloat16", 16}, Float8E4M3FN: {"float8e4m3fn", 8}, Float8E4M3FNUZ: {"float8e4m3fnuz", 8},
	Float8E5M2: {"float8e5m2", 8}, Float8E5M2FNUZ: {"float8e5m2fnuz", 8}, Uint4: {"uint4", 4}, Int4: {"int4", 4},
	Float4E2M1: {"float4e2m1", 4}, Float8E8M0: {"float8e8m0", 8}, Uint2: {"uint2", 2}, Int2: {"int2", 2},
}

// DTypes returns every element type, without Undefined.
func DTypes() []DType {
	all := make([]DType, 0, numDTypes-1)
	for d := Float32; d < numDTypes; d++ {
		all = append(all, d)
	}
	return all
}

// ParseDType returns the element type with the standard's name ("float", "int64", "bfloat16").
func ParseDType(name string) (DType, bool) {
	for d := Float32; d < numDTypes; d++ {
		if dtypes[d].name == name {
			return d, true
		}
	}
	return Undefined, false
}

// Valid reports whether d is an element type of the standard other than Undefined.
func (d DType) Valid() bool { return d > Undefined && d < numDTypes }

// String returns the standard's name: "float", "double", "int64", "float8e4m3fn".
func (d DType) String() string {
	if d < numDTypes {
		return dtypes[d].name
	}
	return "invalid"
}

// Bits is the width of one element in bits; 0 for String and Undefined.
func (d DType) Bits() int {
	if d < numDTypes {
		return dtypes[d].bits
	}
	return 0
}

// Bytes is the number of bytes that n elements take, packed; n must not be negative. Strings take 0.
func (d DType) Bytes(n int) int {
	b := d.Bits()
	if b >= 8 {
		return n * (b / 8)
	}
	if b == 0 {
		return 0
	}
	per := 8 / b
	return (n + per - 1) / per
}

// IsFloat reports real floating-point types of any width.
func (d DType) IsFloat() bool {
	switch d {
	case Float32, Float64, Float16, BFloat16, Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ, Float4E2M1, Float8E8M0:
		return true
	}
	return false
}

// IsInt reports integer types of any width, signed or not; Bool is none.
func (d DType) IsInt() bool { return d.IsSigned() || d.IsUnsigned() }

// IsSigned reports signed integer types.
func (d DType) IsSigned() bool {
	switch d {
	case Int8, Int16, Int32, Int64, Int4, Int2:
		return true
	}
	return false
}

// IsUnsigned reports unsigned integer types.
func (d DType) IsUnsigned() bool {
	switch d {
	case Uint8, Uint16, Uint32, Uint64, Uint4, Uint2:
		return true
	}
	return false
}

// Packed reports the types of which several elements share a byte.
func (d DType) Packed() bool { return d.Bits() > 0 && d.Bits() < 8 }

// Elem is every Go type that one tensor element is stored as. Packed types and String have none.
type Elem interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | bool |
		complex64 | complex128 | F16 | BF16 | F8E4M3FN | F8E4M3FNUZ | F8E5M2 | F8E5M2FNUZ | F8E8M0
}

// DTypeOf returns the element type that T stores.
func DTypeOf[T Elem]() DType {
	var z T
	switch any(z).(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	case int8:
		return Int8
	case int16:
		return Int16
	case int32:
		return Int32
	case int64:
		return Int64
	case uint8:
		return Uint8
	case uint16:
		return Uint16
	case uint32:
		return Uint32
	case uint64:
		return Uint64
	case bool:
		return Bool
	case complex64:
		return Complex64
	case complex128:
		return Complex128
	case F16:
		return Float16
	case BF16:
		return BFloat16
	case F8E4M3FN:
		return Float8E4M3FN
	case F8E4M3FNUZ:
		return Float8E4M3FNUZ
	case F8E5M2:
		return Float8E5M2
	case F8E5M2FNUZ:
		return Float8E5M2FNUZ
	case F8E8M0:
		return Float8E8M0
	}
	return Undefined
}
