// Command gen writes the models and samples in testdata: `go run ./testdata/gen` from the root of the repository. Its output
// is the same every time, and committed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	_ "github.com/sardonyx-ml/sardonyx/ops/all"
)

//go:generate go run . -out ..

func main() {
	out := flag.String("out", "testdata", "folder to write to")
	flag.Parse()
	if err := digits(filepath.Join(*out, "digits")); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// digits writes a classifier of 8×8 images of digits, a sample for the README, and a case with expected outputs that the
// naive loops of reference.go computed, not the runtime.
func digits(dir string) error {
	net := newNet()
	m, err := net.model()
	if err != nil {
		return err
	}
	set := filepath.Join(dir, "test_data_set_0")
	if err := os.MkdirAll(set, 0o777); err != nil {
		return err
	}
	all := make([]float32, 0, 10*pixels)
	var probs []float32
	for d := range 10 {
		img := noisy(d)
		all = append(all, img...)
		p := net.classify(img)
		if best(p) != d {
			return fmt.Errorf("the sample of %d is taken for %d", d, best(p))
		}
		probs = append(probs, p...)
	}
	seven := tensor.Of(tensor.Shape{1, 1, side, side}, noisy(7))
	return errors.Join(
		onnx.Save(filepath.Join(dir, "model.onnx"), m),
		onnx.WriteValueFile(filepath.Join(set, "input_0.pb"), "image", tensor.Of(tensor.Shape{10, 1, side, side}, all)),
		onnx.WriteValueFile(filepath.Join(set, "output_0.pb"), "probabilities", tensor.Of(tensor.Shape{10, 10}, probs)),
		create(filepath.Join(dir, "seven.npy"), func(f *os.File) error { return tensor.WriteNpy(f, seven) }),
		create(filepath.Join(dir, "seven.png"), func(f *os.File) error { return png.Encode(f, picture(noisy(7))) }),
	)
}

func create(path string, write func(*os.File) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// picture is an image with pixels from 0 to 1 as gray values.
func picture(img []float32) image.Image {
	g := image.NewGray(image.Rect(0, 0, side, side))
	for i, v := range img {
		g.SetGray(i%side, i/side, color.Gray{Y: uint8(v*255 + 0.5)})
	}
	return g
}

// model is the net as ONNX: convolution, rectifier, pooling, nearest centroid, softmax.
func (n *net) model() (*onnx.Model, error) {
	const opset = 17
	in := tensor.TensorType(tensor.Float32, tensor.Sym("N"), tensor.Int(1), tensor.Int(side), tensor.Int(side))
	img := &graph.Value{Name: "image", Declared: in, Type: in, Doc: "gray images, white on black, pixels from 0 to 1"}
	g := &graph.Graph{Name: "digits", Inputs: []*graph.Value{img}, Opsets: map[string]int{"": opset}, IR: 8,
		Metadata: map[string]string{"labels": "0 1 2 3 4 5 6 7 8 9"}}
	weight := func(name string, data []float32, shape ...int) *graph.Value {
		return graph.NewConst(name, tensor.Of(shape, data))
	}
	step := func(op, out string, attrs graph.Attrs, in ...*graph.Value) (*graph.Value, error) {
		node, err := graph.NewNode("", op, opset, in, attrs, out)
		if err != nil {
			return nil, err
		}
		node.Name = out
		g.Nodes = append(g.Nodes, node)
		return node.Outputs[0], nil
	}
	x := img
	for _, layer := range []struct {
		op, out string
		attrs   graph.Attrs
		weights []*graph.Value
	}{
		{"Conv", "edges", graph.Attrs{"pads": []int{1, 1, 1, 1}}, []*graph.Value{weight("filters", filters, channels, 1, 3, 3)}},
		{"Relu", "rectified", nil, nil},
		{"MaxPool", "pooled", graph.Attrs{"kernel_shape": []int{2, 2}, "strides": []int{2, 2}}, nil},
		{"Flatten", "features", nil, nil},
		{"Gemm", "logits", nil, []*graph.Value{weight("centroids", n.weights, features, 10), weight("offsets", n.bias, 10)}},
		{"Softmax", "probabilities", nil, nil},
	} {
		var err error
		if x, err = step(layer.op, layer.out, layer.attrs, append([]*graph.Value{x}, layer.weights...)...); err != nil {
			return nil, err
		}
	}
	g.Outputs = []*graph.Value{x}
	if err := g.Infer(); err != nil {
		return nil, err
	}
	return graph.Export(g)
}
