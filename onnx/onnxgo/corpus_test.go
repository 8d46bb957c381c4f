package onnxgo

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/owulveryck/onnx-go"
	"github.com/owulveryck/onnx-go/backend/testbackend"
	_ "github.com/owulveryck/onnx-go/backend/testbackend/onnx"
	gorgonia "gorgonia.org/tensor"

	ours "github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/conformance"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// impossible lists the cases of onnx-go's corpus that cannot pass, with the reason.
var impossible = map[string]string{
	"TestScan9Sum": "onnx-go's decoder refuses attributes that are graphs before a backend sees them",
}

const corpusSize = 348

// TestCorpus runs every case that onnx-go has for backends.
func TestCorpus(t *testing.T) {
	cases := testbackend.GetAllRegisteredTests()
	if len(cases) != corpusSize {
		t.Errorf("%d cases, want %d", len(cases), corpusSize)
	}
	excluded := 0
	operators := map[string]bool{}
	for _, c := range cases {
		tc := c()
		operators[tc.OpType] = true
		t.Run(tc.Title, func(t *testing.T) {
			err := runCase(tc)
			if reason, ok := impossible[tc.Title]; ok {
				excluded++
				var refused *onnx.ErrNotImplemented
				if !errors.As(err, &refused) {
					t.Errorf("got %v, but is listed as impossible: %s", err, reason)
				}
				return
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	if excluded != len(impossible) {
		t.Errorf("%d of %d excluded cases exist", excluded, len(impossible))
	}
	t.Logf("%d cases of %d operators, %d excluded", len(cases), len(operators), excluded)
}

// runCase runs a case as a program that uses onnx-go would, twice.
func runCase(tc *testbackend.TestCase) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	backend := NewGraph()
	model := onnx.NewModel(backend)
	if err := model.UnmarshalBinary(tc.ModelB); err != nil {
		return err
	}
	for run := range 2 {
		for i, t := range tc.Input {
			if err := model.SetInput(i, t); err != nil {
				return err
			}
		}
		if err := backend.Run(); err != nil {
			return err
		}
		got, err := model.GetOutputTensors()
		if err != nil {
			return err
		}
		if err := compareOutputs(tc, got); err != nil {
			return fmt.Errorf("run %d: %w", run, err)
		}
	}
	return nil
}

func compareOutputs(tc *testbackend.TestCase, got []gorgonia.Tensor) error {
	m, err := ours.Parse(tc.ModelB)
	if err != nil {
		return err
	}
	outputs := m.Proto.GetGraph().GetOutput()
	if len(got) != len(tc.ExpectedOutput) || len(got) != len(outputs) {
		return fmt.Errorf("%d outputs, want %d", len(got), len(tc.ExpectedOutput))
	}
	for i, o := range outputs {
		declared, err := ours.Type(o.GetType())
		if err != nil {
			return err
		}
		want, err := expected(tc.ExpectedOutput[i], declared)
		if err != nil {
			return fmt.Errorf("expected output %q: %w", o.GetName(), err)
		}
		g, err := fromGorgonia(got[i])
		if err != nil {
			return fmt.Errorf("output %q: %w", o.GetName(), err)
		}
		if err := conformance.Compare(g, want, 1e-3, 1e-7); err != nil {
			return fmt.Errorf("output %q: %w", o.GetName(), err)
		}
	}
	return nil
}

// expected returns an expected output in the type that the model declares: the corpus holds tensors of one element as vectors
// of float32.
func expected(t gorgonia.Tensor, declared tensor.Type) (*tensor.Tensor, error) {
	want, err := fromGorgonia(t)
	if err != nil {
		return nil, err
	}
	if want.DType() != declared.DType {
		if want, err = exact(want, declared.DType); err != nil {
			return nil, err
		}
	}
	if shape, ok := declared.Shape(); ok && shape.Size() == want.Len() {
		want = want.Reshaped(shape)
	}
	return want, nil
}

// loose lists the cases that onnx-go's own runner is too strict for.
var loose = map[string]string{
	"TestPow":         "compares values around 1000 with 1e-6; neighbouring float32 values differ by more",
	"TestRoialign":    "compares values of which the corpus has four decimals with 1e-6",
	"TestSize":        "compares a scalar with a slice",
	"TestSizeExample": "compares a scalar with a slice",
}

// TestRunTest runs the corpus with onnx-go's own runner.
func TestRunTest(t *testing.T) {
	cases := testbackend.GetAllRegisteredTests()
	slices.SortFunc(cases, func(a, b func() *testbackend.TestCase) int { return strings.Compare(a().Title, b().Title) })
	for _, c := range cases {
		tc := c()
		if impossible[tc.Title] != "" || loose[tc.Title] != "" {
			continue
		}
		t.Run(tc.Title, tc.RunTest(NewGraph(), false))
		if tc.Skipped {
			t.Errorf("%s: skipped", tc.Title)
		}
	}
}
