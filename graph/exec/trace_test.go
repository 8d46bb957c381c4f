package exec

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/sardonyx-ml/sardonyx/graph"
)

func TestTrace(t *testing.T) {
	var zero time.Time
	at := func(ms int) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }
	event := func(op string, from, to int) Event {
		return Event{Node: &graph.Node{OpType: op}, Start: at(from), Duration: at(to).Sub(at(from))}
	}
	zero = time.Unix(1, 0)
	// A loop from 10 to 20 with two additions, one of which holds another; then a second run.
	p := &Profile{Events: []Event{
		event("Mul", 0, 4), event("Add", 11, 12), event("Sub", 14, 15), event("If", 13, 16), event("Loop", 10, 20), event("Mul", 30, 35),
	}}
	want := []OpTime{{"Mul", 2, 9 * time.Millisecond}, {"Loop", 1, 6 * time.Millisecond}, {"If", 1, 2 * time.Millisecond},
		{"Add", 1, time.Millisecond}, {"Sub", 1, time.Millisecond}}
	if got := p.ByOperator(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	var buf bytes.Buffer
	if err := p.WriteTrace(&buf); err != nil {
		t.Fatal(err)
	}
	var trace struct {
		TraceEvents []struct {
			Name, Ph string
			TS, Dur  float64
		}
	}
	if err := json.Unmarshal(buf.Bytes(), &trace); err != nil {
		t.Fatal(err)
	}
	if e := trace.TraceEvents[4]; len(trace.TraceEvents) != 6 || e.Name != "Loop" || e.Ph != "X" || e.TS != 10000 || e.Dur != 10000 {
		t.Errorf("%+v", trace.TraceEvents)
	}
}
