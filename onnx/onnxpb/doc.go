// Package onnxpb holds the messages of the ONNX data model, generated from onnx.proto.
//
// Package onnx reads and writes them; use it rather than proto.Unmarshal, which copies the weights.
package onnxpb

//go:generate protoc -I ../.. --go_out=../.. --go_opt=paths=source_relative onnx/onnxpb/onnx.proto
