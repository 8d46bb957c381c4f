package exec_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/sardonyx-ml/sardonyx/graph/exec"
	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/conformance"
)

// BenchmarkRun measures the steady state of a small BERT: time and allocations of a run.
func BenchmarkRun(b *testing.B) {
	dir := filepath.Join("..", "..", "..", "shared", "models", "exported")
	for _, name := range []string{"bert_small_qa", "gpt2_tiny_past", "resnet_tiny"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		b.Run(name, func(b *testing.B) {
			m, err := onnx.Load(filepath.Join(path, "model.onnx"))
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			s, err := exec.New(m)
			if err != nil {
				b.Fatal(err)
			}
			in, err := conformance.ReadInputs(m, filepath.Join(path, "test_data_set_0"))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Run(context.Background(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
