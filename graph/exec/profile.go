package exec

import (
	"sync"
	"time"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// Profile collects the times of nodes over one or more runs.
type Profile struct {
	mu     sync.Mutex
	Events []Event
}

// Event is one execution of a node. Nodes that run subgraphs contain the events of these.
type Event struct {
	Node     *graph.Node
	Start    time.Time
	Duration time.Duration
	Inputs   []tensor.Type
	Outputs  []tensor.Type
}

func (p *Profile) add(s *step, c *ops.Ctx, start time.Time) {
	e := Event{Node: s.node, Start: start, Duration: time.Since(start), Inputs: typesOf(c.In), Outputs: typesOf(c.Out)}
	p.mu.Lock()
	p.Events = append(p.Events, e)
	p.mu.Unlock()
}

func typesOf(vs []tensor.Value) []tensor.Type {
	ts := make([]tensor.Type, len(vs))
	for i, v := range vs {
		if v != nil {
			ts[i] = v.Type()
		}
	}
	return ts
}
