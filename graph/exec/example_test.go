package exec_test

import (
	"context"
	"fmt"
	"log"

	"github.com/sardonyx-ml/sardonyx/graph/exec"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

func ExampleSession() {
	s, err := exec.Open("../../testdata/digits/model.onnx", exec.Threads(2))
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	image := tensor.New(tensor.Float32, 1, 1, 8, 8) // zeros: write to image.Float32()
	for y := 1; y < 8; y++ {
		image.Float32()[y*8+3] = 1 // a vertical stroke
	}
	out, err := s.Run(context.Background(), map[string]tensor.Value{"image": image})
	if err != nil {
		log.Fatal(err)
	}
	p := out["probabilities"].(*tensor.Tensor)
	best := 0
	for d, v := range p.Float32() {
		if v > p.Float32()[best] {
			best = d
		}
	}
	fmt.Println(p, "best:", best)
	// Output: float[1 10] best: 1
}
