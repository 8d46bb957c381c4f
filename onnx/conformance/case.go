package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// Default tolerances of the standard's backend tests.
const (
	DefaultRTol = 1e-3
	DefaultATol = 1e-7
)

// Case is one model with data sets.
type Case struct {
	Name       string // path from the root that was searched, with slashes
	Model      string // path of the model file
	Sets       []string
	Light      string // expected output of a light model, which has no data sets
	RTol, ATol float64
}

// Runtime prepares a model and returns a function that computes its outputs, in the model's order, from inputs by name.
type Runtime func(m *onnx.Model) (Run, error)

// Run computes a model's outputs in order.
type Run func(ctx context.Context, in map[string]tensor.Value) ([]tensor.Value, error)

// Result says how a case went.
type Result struct {
	Case   *Case
	Err    error
	Random []string // operators whose output is random: values were compared by distribution
	Time   time.Duration
}

// Check runs the case in isolation: a panic is an error of the case, and so is a run that does not end within the timeout
// (its goroutine is then left behind).
func (c *Case) Check(ctx context.Context, rt Runtime, timeout time.Duration) Result {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	start := time.Now()
	done := make(chan Result, 1)
	go func() {
		res := Result{Case: c}
		defer func() {
			if v := recover(); v != nil {
				res.Err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			}
			done <- res
		}()
		res.Random, res.Err = c.check(ctx, rt)
	}()
	var res Result
	select {
	case res = <-done:
	case <-ctx.Done():
		select {
		case res = <-done: // it may have ended because of ctx
		case <-time.After(2 * time.Second):
			res = Result{Case: c, Err: fmt.Errorf("no result within %v", timeout)}
		}
	}
	res.Time = time.Since(start)
	return res
}

func (c *Case) check(ctx context.Context, rt Runtime) (random []string, err error) {
	m, err := onnx.Load(c.Model)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	run, err := rt(m)
	if err != nil {
		return nil, err
	}
	if c.Light != "" {
		return nil, c.checkLight(ctx, m, run)
	}
	if len(c.Sets) == 0 {
		return nil, errors.New("the case has no test data")
	}
	for _, dir := range c.Sets {
		r, err := c.checkSet(ctx, m, run, dir)
		if err != nil {
			return random, fmt.Errorf("%s: %w", filepath.Base(dir), err)
		}
		random = append(random, r...)
	}
	return random, nil
}

func (c *Case) checkSet(ctx context.Context, m *onnx.Model, run Run, dir string) (random []string, err error) {
	in, err := ReadInputs(m, dir)
	if err != nil {
		return nil, err
	}
	want, err := ReadOutputs(m, dir)
	if err != nil {
		return nil, err
	}
	got, err := run(ctx, in)
	if err != nil {
		return nil, err
	}
	random = randomOps(m.Proto.GetGraph(), in)
	return random, c.compare(m, got, want, len(random) > 0)
}

func (c *Case) compare(m *onnx.Model, got, want []tensor.Value, random bool) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d outputs, %d expected", len(got), len(want))
	}
	outputs := m.Proto.GetGraph().GetOutput()
	for i := range want {
		name := strconv.Itoa(i)
		if i < len(outputs) {
			name = outputs[i].GetName()
		}
		var err error
		if random {
			err = CompareDistribution(got[i], want[i])
		} else {
			err = Compare(got[i], want[i], c.RTol, c.ATol)
		}
		if err != nil {
			return fmt.Errorf("output %q: %w", name, err)
		}
	}
	return nil
}

// checkLight feeds a light model with arange(n)/n in the shape of its input.
func (c *Case) checkLight(ctx context.Context, m *onnx.Model, run Run) error {
	g := m.Proto.GetGraph()
	in, err := feeds(g)
	if err != nil {
		return err
	}
	t, err := onnx.Type(in[0].GetType())
	if err != nil {
		return err
	}
	shape, ok := t.Shape()
	if !ok || t.DType != tensor.Float32 {
		return fmt.Errorf("input %q is %v, not a float tensor of known shape", in[0].GetName(), t)
	}
	x := tensor.New(tensor.Float32, shape...)
	for i := range x.Float32() {
		x.Float32()[i] = float32(float64(i) / float64(x.Len()))
	}
	_, want, err := onnx.ReadValueFile(c.Light, g.GetOutput()[0].GetType())
	if err != nil {
		return err
	}
	got, err := run(ctx, map[string]tensor.Value{in[0].GetName(): x})
	if err != nil {
		return err
	}
	return c.compare(m, got, []tensor.Value{want}, false)
}

// feeds lists the graph inputs that are no initializers.
func feeds(g *onnxpb.GraphProto) ([]*onnxpb.ValueInfoProto, error) {
	initial := map[string]bool{}
	for _, t := range g.GetInitializer() {
		initial[t.GetName()] = true
	}
	var out []*onnxpb.ValueInfoProto
	for _, in := range g.GetInput() {
		if !initial[in.GetName()] {
			out = append(out, in)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the model has no inputs")
	}
	return out, nil
}

// ReadInputs reads input_N.pb of a data set. A file whose value is named like an input is that input's; others go by
// position among all inputs of the graph.
func ReadInputs(m *onnx.Model, dir string) (map[string]tensor.Value, error) {
	formal := m.Proto.GetGraph().GetInput()
	in := map[string]tensor.Value{}
	for i := 0; ; i++ {
		path := filepath.Join(dir, fmt.Sprintf("input_%d.pb", i))
		if _, err := os.Stat(path); err != nil {
			return in, nil
		}
		name, v, err := readInput(path, formal, i)
		if err != nil {
			return nil, err
		}
		in[name] = v
	}
}

func readInput(path string, formal []*onnxpb.ValueInfoProto, i int) (string, tensor.Value, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", nil, err
	}
	var typ *onnxpb.TypeProto
	if i < len(formal) {
		typ = formal[i].GetType()
	}
	name, v, err := onnx.UnmarshalValue(data, typ)
	if err == nil {
		for _, f := range formal {
			if f.GetName() == name {
				return name, v, nil
			}
		}
	}
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", path, err)
	}
	if i >= len(formal) {
		return "", nil, fmt.Errorf("%s: the model has only %d inputs", path, len(formal))
	}
	return formal[i].GetName(), v, nil
}

// ReadOutputs reads output_N.pb of a data set, in order.
func ReadOutputs(m *onnx.Model, dir string) ([]tensor.Value, error) {
	formal := m.Proto.GetGraph().GetOutput()
	var out []tensor.Value
	for i := 0; ; i++ {
		path := filepath.Join(dir, fmt.Sprintf("output_%d.pb", i))
		if _, err := os.Stat(path); err != nil {
			break
		}
		if i >= len(formal) {
			return nil, fmt.Errorf("%s: the model has only %d outputs", path, len(formal))
		}
		_, v, err := onnx.ReadValueFile(path, formal[i].GetType())
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if len(out) == 0 {
		return nil, errors.New("no expected outputs")
	}
	return out, nil
}

// Tolerances reads the data.json beside a model; without one, or for what it does not say, they are the defaults.
func Tolerances(path string) (rtol, atol float64, err error) {
	rtol, atol = DefaultRTol, DefaultATol
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return rtol, atol, nil
	}
	if err != nil {
		return rtol, atol, err
	}
	var d struct{ RTol, ATol *float64 }
	if err := json.Unmarshal(data, &d); err != nil {
		return rtol, atol, fmt.Errorf("%s: %w", path, err)
	}
	if d.RTol != nil {
		rtol = *d.RTol
	}
	if d.ATol != nil {
		atol = *d.ATol
	}
	return rtol, atol, nil
}
