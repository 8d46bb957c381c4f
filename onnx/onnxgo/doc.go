// Package onnxgo runs models that github.com/owulveryck/onnx-go decodes.
//
// Graph takes the place of onnx-go's Gorgonia backend: where a program says
//
//	import "github.com/owulveryck/onnx-go/backend/x/gorgonnx"
//	…
//	backend := gorgonnx.NewGraph()
//
// it says
//
//	import "github.com/sardonyx-ml/sardonyx/onnx/onnxgo"
//	…
//	backend := onnxgo.NewGraph()
//
// and the rest stays as it is: onnx.NewModel(backend), UnmarshalBinary, SetInput, backend.Run, GetOutputTensors.
//
// onnx-go v0.5.0 needs newer versions of two modules under recent versions of Go: go4.org/unsafe/assume-no-moving-gc and
// gorgonia.org/tensor. A module that requires this one gets them.
//
// # What onnx-go does not hand over
//
// The version of the operator set and the domains of operators: NewGraph chooses a version in which all of the model's
// nodes are legal, as close to DefaultOpset as possible, unless the option Opset names one; a name means the standard's own
// operator if the node is legal as that, else one of another domain. Give the version where it matters and cannot be told from the nodes: Softmax has another
// meaning from version 13 on.
//
// The decoder refuses attributes that are graphs (If, Loop, Scan), lists of tensors, sparse tensors and types, and tensors of
// element types that Gorgonia does not have (float16, bfloat16 and smaller); load such models with package onnx.
package onnxgo
