package exec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/graph/grad"
	"github.com/sardonyx-ml/sardonyx/graph/opt"
	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	_ "github.com/sardonyx-ml/sardonyx/ops/all" // every operator
)

// debugPanics adds stack traces to internal errors.
var debugPanics = os.Getenv("SARDONYX_DEBUG") != ""

// Session runs one model. It is safe for concurrent use.
type Session struct {
	g       *graph.Graph
	stats   *opt.Stats
	main    *program
	inputs  []Port
	outputs []Port
	pool    *parallel.Pool
	budget  *budget
	model   *onnx.Model // to be closed with the session; nil if the caller keeps it

	mu    sync.Mutex
	idle  []*run
	spare []*tensor.Buffer // memory of recycled outputs
}

// Port describes an input or output of a model.
type Port struct {
	Name     string
	Type     tensor.Type
	Optional bool // an input that may be left out: the model has a default for it
}

// Option changes how a session is made.
type Option func(*options)

type options struct {
	threads int
	memory  int64
	opt     opt.Options
	forget  func([]byte) // told of constants in the model's file that nobody reads any more
}

// Threads limits the number of threads that one Run uses; 0 means GOMAXPROCS.
func Threads(n int) Option { return func(o *options) { o.threads = n } }

// MemoryLimit bounds the memory, in bytes, that all concurrent runs together hold for intermediate results. A run that would
// exceed it returns an error.
func MemoryLimit(bytes int64) Option { return func(o *options) { o.memory = bytes } }

// Optimize sets how the graph is optimized; the default is every pass.
func Optimize(how opt.Options) Option { return func(o *options) { o.opt = how } }

// Open loads the model at path and makes a session, which owns the file until Close.
func Open(path string, opts ...Option) (*Session, error) {
	m, err := onnx.Load(path)
	if err != nil {
		return nil, err
	}
	s, err := New(m, opts...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), m.Close())
	}
	s.model = m
	return s, nil
}

// New makes a session from a model, which must stay open as long as the session is used.
func New(m *onnx.Model, opts ...Option) (*Session, error) {
	g, err := graph.Import(m)
	if err != nil {
		return nil, err
	}
	return NewGraph(g, append([]Option{func(o *options) { o.forget = m.Forget }}, opts...)...)
}

// NewGraph makes a session from a graph, which it takes over: constants that operators keep in a form of their own are taken
// out of it.
func NewGraph(g *graph.Graph, opts ...Option) (*Session, error) {
	o := options{opt: opt.Options{Level: opt.All}}
	for _, set := range opts {
		set(&o)
	}
	if _, err := grad.Expand(g); err != nil {
		return nil, err
	}
	stats, err := opt.Optimize(g, o.opt)
	if err != nil {
		return nil, err
	}
	s := &Session{g: g, stats: stats, pool: parallel.NewPool(o.threads), budget: &budget{limit: o.memory}}
	for _, v := range g.Inputs {
		s.inputs = append(s.inputs, Port{v.Name, v.Declared, v.Default != nil || v.Declared.Kind == tensor.KindOptional})
	}
	for _, v := range g.Outputs {
		s.outputs = append(s.outputs, Port{v.Name, v.Type, false})
	}
	s.main = compile(g, prepack(g, s.pool, o.forget))
	return s, nil
}

// Inputs describes the model's inputs in order.
func (s *Session) Inputs() []Port { return s.inputs }

// Outputs describes the model's outputs in order.
func (s *Session) Outputs() []Port { return s.outputs }

// OptStats says which rewrites were applied and which refused.
func (s *Session) OptStats() *opt.Stats { return s.stats }

// Graph is the session's graph; it must not be changed.
func (s *Session) Graph() *graph.Graph { return s.g }

// Close gives the model's file back if the session opened it. No run may be under way, and no output that aliases the
// model may be in use.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle, s.spare = nil, nil
	if s.model == nil {
		return nil
	}
	m := s.model
	s.model = nil
	return m.Close()
}

// RunOption changes one run.
type RunOption func(*runOptions)

type runOptions struct {
	outputs []string
	profile *Profile
}

// Outputs selects the outputs to return, by name; the default is all of them.
func Outputs(names ...string) RunOption { return func(o *runOptions) { o.outputs = names } }

// WithProfile records the time of every node into p.
func WithProfile(p *Profile) RunOption { return func(o *runOptions) { o.profile = p } }

// Run computes the model's outputs from its inputs. Inputs are read, never changed, and must not change during the call;
// outputs belong to the caller and share no memory with inputs, the model or other runs. Errors name what is wrong with an
// input or the node that failed; ctx ends a run between two nodes or two iterations of a loop.
func (s *Session) Run(ctx context.Context, in map[string]tensor.Value, opts ...RunOption) (map[string]tensor.Value, error) {
	var o runOptions
	for _, opt := range opts {
		opt(&o)
	}
	feed, err := s.bind(in)
	if err != nil {
		return nil, err
	}
	want, err := s.selected(o.outputs)
	if err != nil {
		return nil, err
	}
	out, err := s.run(ctx, feed, o.profile)
	if err != nil {
		return nil, err
	}
	res := make(map[string]tensor.Value, len(want))
	for _, i := range want {
		res[s.outputs[i].Name] = s.own(out[i], feed)
	}
	return res, nil
}

func (s *Session) run(ctx context.Context, feed []tensor.Value, p *Profile) ([]tensor.Value, error) {
	r := s.acquire()
	r.profile = p
	out, err := r.exec(ctx, s.main, feed, nil)
	if err != nil {
		r.mem.abandon()
		return nil, err
	}
	s.mu.Lock()
	s.idle = append(s.idle, r)
	s.mu.Unlock()
	return out, nil
}

func (s *Session) acquire() *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	var r *run
	if n := len(s.idle); n > 0 {
		r, s.idle = s.idle[n-1], s.idle[:n-1]
	} else {
		r = newRun(s.budget, s.pool)
	}
	for _, b := range s.spare {
		r.mem.adopt(b)
	}
	s.spare = s.spare[:0]
	return r
}

// Recycle gives the memory of a run's outputs back, for the next run's use. It is for callers that run a model again and
// again and are done with the outputs: no tensor of out, and nothing that shares its memory, may be used afterwards.
func (s *Session) Recycle(out map[string]tensor.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range out {
		t, ok := v.(*tensor.Tensor)
		if !ok || t.Buffer() == nil || t.Buffer().Pooled() || slices.Contains(s.spare, t.Buffer()) {
			continue
		}
		s.spare = append(s.spare, t.Buffer())
	}
}

func (s *Session) selected(names []string) ([]int, error) {
	if names == nil {
		all := make([]int, len(s.outputs))
		for i := range all {
			all[i] = i
		}
		return all, nil
	}
	var out []int
next:
	for _, n := range names {
		for i, p := range s.outputs {
			if p.Name == n {
				out = append(out, i)
				continue next
			}
		}
		return nil, fmt.Errorf("the model has no output %q; it has %s", n, portNames(s.outputs))
	}
	return out, nil
}

// own copies an output that is a view of an input or of a constant.
func (s *Session) own(v tensor.Value, feed []tensor.Value) tensor.Value {
	switch v := v.(type) {
	case *tensor.Tensor:
		if v.Buffer() == nil {
			return v.Clone()
		}
		for _, f := range feed {
			if t, ok := f.(*tensor.Tensor); ok && t.Overlaps(v) {
				return v.Clone()
			}
		}
	case *tensor.Sequence:
		items := make([]tensor.Value, len(v.Items))
		for i, e := range v.Items {
			items[i] = s.own(e, feed)
		}
		return &tensor.Sequence{Elem: v.Elem, Items: items}
	case *tensor.Optional:
		if v.Value != nil {
			return &tensor.Optional{Elem: v.Elem, Value: s.own(v.Value, feed)}
		}
	}
	return v
}
