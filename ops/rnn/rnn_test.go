package rnn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	kernel "github.com/sardonyx-ml/sardonyx/kernels/rnn"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

// setup is one layer for the reference below, which follows the standard's equations sequence by sequence.
type setup struct {
	name                 string
	steps, batch, in, n  int
	direction            string
	batchFirst           bool
	bias, states, lens   bool
	peepholes            bool
	clip                 float64
	linearFirst, coupled bool
	acts                 []string // f, g, h
}

var gateCount = map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4}

func (s setup) directions() int {
	if s.direction == "bidirectional" {
		return 2
	}
	return 1
}

type data struct{ x, w, r, b, h0, c0, p []float64 }

func (s setup) data(r *rand.Rand) (d data, lens []int) {
	fill := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(float32(r.NormFloat64()))
		}
		return x
	}
	dirs, gn := s.directions(), gateCount[s.name]*s.n
	d = data{x: fill(s.steps * s.batch * s.in), w: fill(dirs * gn * s.in), r: fill(dirs * gn * s.n)}
	d.b, d.h0, d.c0, d.p = make([]float64, dirs*2*gn), make([]float64, dirs*s.batch*s.n), make([]float64, dirs*s.batch*s.n), make([]float64, dirs*3*s.n)
	if s.bias {
		d.b = fill(len(d.b))
	}
	if s.states {
		d.h0, d.c0 = fill(len(d.h0)), fill(len(d.c0))
	}
	if s.peepholes {
		d.p = fill(len(d.p))
	}
	for b := range s.batch {
		lens = append(lens, s.steps)
		if s.lens {
			lens[b] = b % (s.steps + 1)
		}
	}
	return d, lens
}

func function(name string) func(float64) float64 {
	return map[string]func(float64) float64{
		"Sigmoid": func(v float64) float64 { return 1 / (1 + math.Exp(-v)) },
		"Tanh":    math.Tanh, "Relu": func(v float64) float64 { return max(v, 0) },
		"HardSigmoid": func(v float64) float64 { return min(max(0.25*v+0.375, 0), 1) },
	}[name]
}

// reference returns Y, Y_h and Y_c.
func (s setup) reference(d data, lens []int) [3][]float64 {
	dirs, g, n := s.directions(), gateCount[s.name], s.n
	y := make([]float64, s.steps*dirs*s.batch*n)
	yh, yc := slices.Clone(d.h0), slices.Clone(d.c0)
	clip := func(v float64) float64 {
		if s.clip > 0 {
			return min(max(v, -s.clip), s.clip)
		}
		return v
	}
	for dir := range dirs {
		for b := range s.batch {
			at := (dir*s.batch + b) * n
			if s.batchFirst {
				at = (b*dirs + dir) * n
			}
			h, c := yh[at:at+n], yc[at:at+n]
			for step := range lens[b] {
				t := step
				if dir == 1 || s.direction == "reverse" {
					t = lens[b] - 1 - step
				}
				xrow, yrow := (t*s.batch+b)*s.in, ((t*dirs+dir)*s.batch+b)*n
				if s.batchFirst {
					xrow, yrow = (b*s.steps+t)*s.in, ((b*s.steps+t)*dirs+dir)*n
				}
				dot := func(m []float64, gate, k int, v []float64) (sum float64) {
					row := m[((dir*g+gate)*n+k)*len(v):]
					for i, e := range v {
						sum += e * row[i]
					}
					return sum
				}
				xw := func(gate, k int) float64 { return dot(d.w, gate, k, d.x[xrow:xrow+s.in]) + d.b[dir*2*g*n+gate*n+k] }
				hr := func(gate, k int, v []float64) float64 { return dot(d.r, gate, k, v) + d.b[dir*2*g*n+(g+gate)*n+k] }
				s.cell(h, c, d.p[dir*3*n:], xw, hr, clip)
				copy(y[yrow:yrow+n], h)
			}
		}
	}
	return [3][]float64{y, yh, yc}
}

func (s setup) cell(h, c, p []float64, xw func(g, k int) float64, hr func(g, k int, v []float64) float64, clip func(float64) float64) {
	n, prev := s.n, slices.Clone(h)
	act := func(i int, v float64) float64 { return function(s.acts[i])(clip(v)) }
	switch s.name {
	case "RNN":
		for k := range n {
			h[k] = act(0, xw(0, k)+hr(0, k, prev))
		}
	case "GRU":
		z, r, rh := make([]float64, n), make([]float64, n), make([]float64, n)
		for k := range n {
			z[k], r[k] = act(0, xw(0, k)+hr(0, k, prev)), act(0, xw(1, k)+hr(1, k, prev))
			rh[k] = r[k] * prev[k]
		}
		for k := range n {
			v := xw(2, k) + hr(2, k, rh)
			if s.linearFirst {
				v = xw(2, k) + r[k]*hr(2, k, prev)
			}
			h[k] = (1-z[k])*act(1, v) + z[k]*prev[k]
		}
	case "LSTM":
		for k := range n {
			i := act(0, xw(0, k)+hr(0, k, prev)+p[k]*c[k])
			f := act(0, xw(2, k)+hr(2, k, prev)+p[2*n+k]*c[k])
			if s.coupled {
				f = 1 - i
			}
			c[k] = f*c[k] + i*act(1, xw(3, k)+hr(3, k, prev))
			o := act(0, xw(1, k)+hr(1, k, prev)+p[n+k]*c[k])
			h[k] = o * act(2, c[k])
		}
	}
}

func (s setup) call(opset int) opstest.Call {
	attrs := opstest.Attrs{"hidden_size": s.n, "direction": s.direction}
	if s.acts != nil {
		var names []string
		for range s.directions() {
			names = append(names, s.acts...)
		}
		attrs["activations"] = names
		if slices.Contains(s.acts, "HardSigmoid") {
			attrs["activation_alpha"], attrs["activation_beta"] = []float64{0.25, 0.25}, []float64{0.375, 0.375}
		}
	}
	for k, v := range map[string]bool{"layout": s.batchFirst, "linear_before_reset": s.linearFirst, "input_forget": s.coupled} {
		if v {
			attrs[k] = 1
		}
	}
	if s.clip > 0 {
		attrs["clip"] = s.clip
	}
	outs := 2
	if s.name == "LSTM" {
		outs = 3
	}
	return opstest.Call{Name: s.name, Opset: opset, Outputs: outs, Attrs: attrs}
}

func inputs[T ops.Float](s setup, d data, lens []int) []tensor.Value {
	dirs, gn := s.directions(), gateCount[s.name]*s.n
	of := func(x []float64, shape ...int) tensor.Value {
		v := make([]T, len(x))
		for i, e := range x {
			v[i] = T(e)
		}
		return tensor.Of(shape, v)
	}
	x, state := []int{s.steps, s.batch, s.in}, []int{dirs, s.batch, s.n}
	if s.batchFirst {
		x, state = []int{s.batch, s.steps, s.in}, []int{s.batch, dirs, s.n}
	}
	in := []tensor.Value{of(d.x, x...), of(d.w, dirs, gn, s.in), of(d.r, dirs, gn, s.n), nil, nil, nil}
	if s.bias {
		in[3] = of(d.b, dirs, 2*gn)
	}
	if s.lens {
		l := make([]int32, len(lens))
		for i, v := range lens {
			l[i] = int32(v)
		}
		in[4] = tensor.Vector(l...)
	}
	if s.states {
		in[5] = of(d.h0, state...)
	}
	if s.name == "LSTM" {
		in = append(in, nil, nil)
		if s.states {
			in[6] = of(d.c0, state...)
		}
		if s.peepholes {
			in[7] = of(d.p, dirs, 3*s.n)
		}
	}
	return in
}

func check[T ops.Float](t *testing.T, s setup, opset int, tol float64) {
	t.Helper()
	d, lens := s.data(rand.New(rand.NewPCG(5, 6)))
	out, err := opstest.Run(t, s.call(opset), inputs[T](s, d, lens)...)
	if err != nil {
		t.Fatal(err)
	}
	if s.acts == nil {
		s.acts = defaults[map[string]kernel.Kind{"RNN": kernel.RNN, "GRU": kernel.GRU, "LSTM": kernel.LSTM}[s.name]]
	}
	all := s.reference(d, lens)
	for i, want := range all[:len(out)] {
		got := tensor.Slice[T](out[i].(*tensor.Tensor))
		if len(got) != len(want) {
			t.Fatalf("output %d has %d elements, want %d", i, len(got), len(want))
		}
		for k, w := range want {
			if math.Abs(float64(got[k])-w) > tol {
				t.Fatalf("output %d: element %d is %v, want %v", i, k, got[k], w)
			}
		}
	}
}

func TestAgainstEquations(t *testing.T) {
	for _, s := range []setup{
		{name: "RNN"},
		{name: "RNN", direction: "bidirectional", bias: true, states: true, lens: true},
		{name: "RNN", direction: "reverse", lens: true, acts: []string{"Relu"}, clip: 0.5},
		{name: "RNN", batchFirst: true, states: true, direction: "bidirectional"},
		{name: "GRU"},
		{name: "GRU", bias: true, states: true, direction: "bidirectional", lens: true},
		{name: "GRU", bias: true, states: true, direction: "reverse", linearFirst: true, lens: true, batchFirst: true},
		{name: "GRU", bias: true, linearFirst: true, acts: []string{"HardSigmoid", "Relu"}, clip: 0.75},
		{name: "LSTM"},
		{name: "LSTM", bias: true, states: true, peepholes: true, direction: "bidirectional", lens: true},
		{name: "LSTM", bias: true, states: true, peepholes: true, direction: "reverse", clip: 0.375, batchFirst: true},
		{name: "LSTM", bias: true, coupled: true, acts: []string{"HardSigmoid", "Relu", "Tanh"}, direction: "bidirectional"},
	} {
		s.steps, s.batch, s.in, s.n = 5, 7, 3, 6
		if s.direction == "" {
			s.direction = "forward"
		}
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			check[float32](t, s, 22, 1e-4)
			check[float64](t, s, 22, 1e-9)
			if !s.batchFirst && !s.linearFirst {
				check[float32](t, s, 1, 1e-4)
			}
			s.steps = 0
			check[float32](t, s, 22, 1e-5)
		})
	}
}

func TestPrepack(t *testing.T) {
	for _, s := range []setup{{name: "GRU", direction: "bidirectional", bias: true}, {name: "LSTM", direction: "forward", states: true}} {
		s.steps, s.batch, s.in, s.n = 3, 2, 4, 5
		d, lens := s.data(rand.New(rand.NewPCG(7, 8)))
		in := inputs[float32](s, d, lens)
		want, err := opstest.Run(t, s.call(14), in...)
		if err != nil {
			t.Fatal(err)
		}
		op, err := opstest.New(s.call(14))
		if err != nil {
			t.Fatal(err)
		}
		consts := make([]*tensor.Tensor, len(in))
		consts[1], consts[2] = in[1].(*tensor.Tensor), in[2].(*tensor.Tensor)
		op, dropped := op.(ops.Prepacker).Prepack(consts)
		if !slices.Equal(dropped, []int{1, 2}) {
			t.Fatalf("dropped %v", dropped)
		}
		in[1], in[2] = nil, nil
		c := &ops.Ctx{Context: t.Context(), In: in, Out: make([]tensor.Value, len(want)), Wanted: []bool{true, true, true}, Mem: ops.HeapMemory{}}
		if err := op.Run(c); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			opstest.Equal(t, c.Out[i].(*tensor.Tensor), want[i].(*tensor.Tensor), 0, 0)
		}
	}
}

func TestBadInput(t *testing.T) {
	x, w, r := tensor.New(tensor.Float32, 2, 1, 3), tensor.New(tensor.Float32, 1, 16, 3), tensor.New(tensor.Float32, 1, 16, 4)
	for name, in := range map[string][]tensor.Value{
		"rank":     {tensor.New(tensor.Float32, 2, 3), w, r},
		"input":    {tensor.New(tensor.Float32, 2, 1, 5), w, r},
		"gates":    {x, tensor.New(tensor.Float32, 1, 12, 3), r},
		"bias":     {x, w, r, tensor.New(tensor.Float32, 1, 16)},
		"lens":     {x, w, r, nil, tensor.Vector[int32](3)},
		"initial":  {x, w, r, nil, nil, tensor.New(tensor.Float32, 1, 2, 4)},
		"peephole": {x, w, r, nil, nil, nil, nil, tensor.New(tensor.Float32, 1, 4)},
		"type":     {x, w, tensor.New(tensor.Float64, 1, 16, 4)},
	} {
		if _, err := opstest.Run(t, opstest.Call{Name: "LSTM"}, in...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, attrs := range map[string]opstest.Attrs{
		"activation":  {"activations": []string{"Sigmoid", "Tanh", "Cosh"}},
		"count":       {"activations": []string{"Sigmoid"}},
		"hidden_size": {"hidden_size": 5},
		"direction":   {"direction": "up"},
		"directions":  {"direction": "bidirectional"},
	} {
		if _, err := opstest.Run(t, opstest.Call{Name: "LSTM", Attrs: attrs}, x, w, r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
