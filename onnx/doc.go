// Package onnx reads and writes ONNX models: the protobuf file, external data files beside it, and the tensors in both.
//
// Load maps the file into memory. The weights stay where they are: TensorProto.RawData and the tensors that Model.Tensor
// returns alias the mapping, which is read-only (a write faults) and lasts until Model.Close. Nothing unmaps it earlier,
// since the garbage collector cannot see who still uses it. A mapped file must not be truncated while it is in use; replace
// models by renaming a new file over the old one, as Save does.
package onnx
