package schema

//go:generate go run ./internal/gen -onnx ${ONNX} -o onnx.txt
