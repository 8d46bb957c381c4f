package onnxgo_test

import (
	"fmt"
	"log"

	"github.com/owulveryck/onnx-go"
	"google.golang.org/protobuf/proto"
	"gorgonia.org/tensor"

	// was: "github.com/owulveryck/onnx-go/backend/x/gorgonnx"
	"github.com/sardonyx-ml/sardonyx/onnx/onnxgo"
	"github.com/sardonyx-ml/sardonyx/onnx/text"
)

// A program that uses onnx-go with Gorgonia changes one import and the name of the package.
func Example() {
	backend := onnxgo.NewGraph() // was: gorgonnx.NewGraph()
	model := onnx.NewModel(backend)
	if err := model.UnmarshalBinary(readModel()); err != nil {
		log.Fatal(err)
	}
	input := tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]float32{3, -4}))
	if err := model.SetInput(0, input); err != nil {
		log.Fatal(err)
	}
	if err := backend.Run(); err != nil {
		log.Fatal(err)
	}
	output, err := model.GetOutputTensors()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(output[0].Shape(), output[0].Data())
	// Output: (1, 2) [0 7]
}

// readModel stands for reading a file.
func readModel() []byte {
	p, err := text.Parse(`<ir_version: 4, opset_import: ["": 10]>
		linear (float[1, 2] x) => (float[1, 2] y)
		<float[2, 2] w = {1, 1, 1, -1}, float[2] b = {-5, 0}>
		{ z = Gemm(x, w, b) y = Relu(z) }`)
	if err != nil {
		log.Fatal(err)
	}
	data, err := proto.Marshal(p)
	if err != nil {
		log.Fatal(err)
	}
	return data
}
