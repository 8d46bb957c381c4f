package opt_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sardonyx-ml/sardonyx/graph/exec"
	"github.com/sardonyx-ml/sardonyx/graph/opt"
	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/conformance"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// TestLevels runs real models with everything that passes do and with nothing of it. The numbers must agree up to rounding.
func TestLevels(t *testing.T) {
	if testing.Short() {
		t.Skip("runs every model of the pack twice")
	}
	total := map[string]int{}
	for _, path := range models(t) {
		switch {
		case strings.Contains(path, "quantized"):
			continue // a value that lies between two integers may be rounded to either
		case strings.Contains(path, "gpt2_attention_no_past"):
			continue // normalizes values 4000 deviations from zero, where the joint operator rounds as ONNX Runtime's does
		}
		m, err := onnx.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		for rule, n := range compareLevels(t, path, m) {
			total[rule] += n
		}
		m.Close()
	}
	t.Log(total)
}

func compareLevels(t *testing.T, path string, m *onnx.Model) map[string]int {
	sets, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "test_data_set_*"))
	if len(sets) == 0 {
		return nil
	}
	in, err := conformance.ReadInputs(m, sets[0])
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return nil
	}
	var outs [2]map[string]tensor.Value
	var applied map[string]int
	for i, level := range []opt.Level{opt.Off, opt.All} {
		s, err := exec.New(m, exec.Optimize(opt.Options{Level: level, Check: true}))
		if err != nil {
			t.Errorf("%s at level %d: %v", path, level, err)
			return nil
		}
		if outs[i], err = s.Run(context.Background(), in); err != nil {
			if level == opt.All {
				t.Errorf("%s at level %d: %v", path, level, err)
			}
			t.Logf("%s at level %d: %v", path, level, err) // a file that contradicts itself may run only once it is rewritten
			return nil
		}
		applied = s.OptStats().Applied
	}
	for name, v := range outs[0] {
		if err := conformance.Compare(outs[1][name], v, 2e-3, 1e-4); err != nil {
			t.Errorf("%s: output %q changes with optimization (%v): %v", path, name, applied, err)
		}
	}
	return applied
}
