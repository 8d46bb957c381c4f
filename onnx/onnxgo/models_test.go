package onnxgo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/owulveryck/onnx-go"
	"google.golang.org/protobuf/proto"

	"github.com/sardonyx-ml/sardonyx/graph/exec"
	ours "github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/conformance"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// errDecoder marks a model that onnx-go does not decode or whose inputs do not fit into Gorgonia's tensors.
var errDecoder = errors.New("onnx-go")

// TestModels runs models of real exporters and compares with their reference outputs.
func TestModels(t *testing.T) {
	const folder = "../../../shared/models"
	if _, err := os.Stat(folder); err != nil {
		t.Skip(err)
	}
	if testing.Short() {
		t.Skip("large models")
	}
	cases, cleanup, err := conformance.Find(folder)
	defer cleanup()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			res := c.Check(t.Context(), decoded, time.Minute)
			if errors.Is(res.Err, errDecoder) {
				t.Skip(res.Err)
			}
			if res.Err == nil {
				return
			}
			if direct := c.Check(t.Context(), session, time.Minute); direct.Err != nil {
				t.Skipf("without onnx-go: %v", direct.Err)
			}
			t.Error(res.Err)
		})
	}
}

// decoded is a conformance.Runtime that goes through onnx-go.
func decoded(m *ours.Model) (run conformance.Run, err error) {
	data, err := proto.Marshal(m.Proto)
	if err != nil {
		return nil, err
	}
	opset := 0
	for _, o := range m.Proto.GetOpsetImport() {
		if o.GetDomain() == "" || o.GetDomain() == "ai.onnx" {
			opset = int(o.GetVersion())
		}
	}
	g := NewGraph(Opset(opset))
	model := onnx.NewModel(g)
	if err := unmarshal(model, data); err != nil {
		return nil, fmt.Errorf("%w: %w", errDecoder, err)
	}
	return func(ctx context.Context, in map[string]tensor.Value) ([]tensor.Value, error) {
		for name, v := range in {
			d, err := toGorgonia(v)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", errDecoder, err)
			}
			n, ok := model.GetNodeByName(name)
			if !ok {
				return nil, fmt.Errorf("no node %q", name)
			}
			if err := n.(*Node).SetTensor(d); err != nil {
				return nil, err
			}
		}
		if err := g.RunContext(ctx); err != nil {
			return nil, err
		}
		out, err := model.GetOutputTensors()
		if err != nil {
			return nil, err
		}
		vals := make([]tensor.Value, len(out))
		for i, o := range out {
			if vals[i], err = fromGorgonia(o); err != nil {
				return nil, err
			}
		}
		return vals, nil
	}, nil
}

// unmarshal decodes a model; onnx-go panics on some.
func unmarshal(m *onnx.Model, data []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return m.UnmarshalBinary(data)
}

// session is a conformance.Runtime without onnx-go.
func session(m *ours.Model) (conformance.Run, error) {
	s, err := exec.New(m)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, in map[string]tensor.Value) ([]tensor.Value, error) {
		out, err := s.Run(ctx, in)
		if err != nil {
			return nil, err
		}
		vals := make([]tensor.Value, len(s.Outputs()))
		for i, p := range s.Outputs() {
			vals[i] = out[p.Name]
		}
		return vals, nil
	}, nil
}
