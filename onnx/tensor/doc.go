// Package tensor holds the values that ONNX models compute with: dense tensors of every element type of the standard,
// sequences, optionals and maps, their static types with symbolic dimensions, and the codecs of the low-precision
// number formats and of NumPy's .npy files.
//
// A Tensor is a shape over one contiguous little-endian buffer in row-major order. Element types below one byte are
// packed as TensorProto.raw_data packs them: the first element in the low bits. Typed views (Float32, Int64, Slice[T])
// alias the buffer and copy nothing; they may be unaligned when the buffer is part of a mapped file, which is sound in
// Go for element types without pointers.
//
// The package uses the standard library only and supports little-endian machines.
package tensor
