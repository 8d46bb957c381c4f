package exec

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sardonyx-ml/sardonyx/graph"
)

// OpTime is the time that a profile shows for one operator.
type OpTime struct {
	Op    string // with its domain unless that is ai.onnx
	Calls int
	// Self excludes the nodes of the operator's subgraphs: the Self of all operators add up to the time spent in nodes.
	Self time.Duration
}

// ByOperator sums the profile up by operator, the most expensive first.
func (p *Profile) ByOperator() []OpTime {
	p.mu.Lock()
	defer p.mu.Unlock()
	index := map[string]int{}
	var out []OpTime
	self := selfTimes(p.Events)
	for i, e := range p.Events {
		op := opName(e.Node)
		k, ok := index[op]
		if !ok {
			k = len(out)
			index[op] = k
			out = append(out, OpTime{Op: op})
		}
		out[k].Calls++
		out[k].Self += self[i]
	}
	slices.SortStableFunc(out, func(a, b OpTime) int { return cmp.Compare(b.Self, a.Self) })
	return out
}

func opName(n *graph.Node) string {
	if n.Domain == "" {
		return n.OpType
	}
	return n.Domain + "." + n.OpType
}

// selfTimes is the duration of each event without those that lie inside it. Events of one run are in the order of their
// ends, and lie one after the other or one inside the other.
func selfTimes(events []Event) []time.Duration {
	self := make([]time.Duration, len(events))
	var open []int // events before i that are in no event so far
	for i, e := range events {
		self[i] = e.Duration
		for len(open) > 0 && !events[open[len(open)-1]].Start.Before(e.Start) {
			self[i] -= events[open[len(open)-1]].Duration
			open = open[:len(open)-1]
		}
		open = append(open, i)
	}
	return self
}

// traceEvent is a "complete" event of the Trace Event Format, which chrome://tracing and Perfetto read. Times are in
// microseconds.
type traceEvent struct {
	Name string         `json:"name"`
	Cat  string         `json:"cat"`
	Ph   string         `json:"ph"`
	TS   float64        `json:"ts"`
	Dur  float64        `json:"dur"`
	Pid  int            `json:"pid"`
	Tid  int            `json:"tid"`
	Args map[string]any `json:"args"`
}

// WriteTrace writes the profile in Chrome's trace format. The events of concurrent runs should not be in one profile.
func (p *Profile) WriteTrace(w io.Writer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var zero time.Time
	for _, e := range p.Events {
		if zero.IsZero() || e.Start.Before(zero) {
			zero = e.Start
		}
	}
	events := make([]traceEvent, len(p.Events))
	for i, e := range p.Events {
		name := e.Node.Name
		if name == "" {
			name = e.Node.OpType
		}
		events[i] = traceEvent{Name: name, Cat: opName(e.Node), Ph: "X", Pid: 1, Tid: 1, TS: micros(e.Start.Sub(zero)), Dur: micros(e.Duration),
			Args: map[string]any{"op": opName(e.Node), "inputs": fmt.Sprint(e.Inputs), "outputs": fmt.Sprint(e.Outputs)}}
	}
	return json.NewEncoder(w).Encode(map[string]any{"traceEvents": events, "displayTimeUnit": "ms"})
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
