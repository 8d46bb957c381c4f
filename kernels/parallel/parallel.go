// Package parallel runs loops on a pool of worker goroutines that is shared by the whole process.
//
// Work is cut into chunks by its size alone, never by the number of workers, so that what a kernel computes per chunk
// does not depend on how many threads ran it. The calling goroutine always takes part: a loop makes progress even when
// every worker is busy with other sessions, and nested loops cannot deadlock. Idle workers sleep.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A Pool limits how many goroutines one loop uses. The zero value and a nil Pool use GOMAXPROCS.
type Pool struct{ threads int }

// NewPool returns a pool that uses at most n goroutines a loop; n ≤ 0 means GOMAXPROCS.
func NewPool(n int) *Pool { return &Pool{n} }

// Threads is the largest number of goroutines that a loop runs on.
func (p *Pool) Threads() int {
	if p == nil || p.threads <= 0 {
		return runtime.GOMAXPROCS(0)
	}
	return p.threads
}

// loop is one parallel region.
type loop struct {
	body     func(lo, hi int)
	n, grain int
	next     atomic.Int64  // first index not yet handed out
	left     atomic.Int64  // participants still inside
	done     chan struct{} // one message when the last participant leaves after the caller
	panicked atomic.Pointer[any]
}

var loops = sync.Pool{New: func() any { return &loop{done: make(chan struct{}, 1)} }}

// For calls body over disjoint ranges that cover [0, n). Each range but the last holds grain indices, or a multiple of
// grain when everything runs on one goroutine; grain ≤ 0 means 1. A panic in body is re-raised in the caller after
// all ranges that were begun have ended.
func (p *Pool) For(n, grain int, body func(lo, hi int)) {
	if n <= 0 {
		return
	}
	grain = max(grain, 1)
	chunks := (n + grain - 1) / grain
	helpers := min(p.Threads(), chunks) - 1
	if helpers <= 0 {
		body(0, n)
		return
	}
	start()
	l := loops.Get().(*loop)
	l.body, l.n, l.grain = body, n, grain
	l.next.Store(0)
	l.left.Store(1)
	l.panicked.Store(nil)
	for range helpers {
		l.left.Add(1)
		select {
		case queue <- l:
			continue
		default: // everybody is busy
		}
		l.left.Add(-1)
		break
	}
	l.work()
	if l.left.Add(-1) > 0 {
		l.wait()
	}
	v := l.panicked.Load()
	l.body = nil
	loops.Put(l) // every participant has left: nobody else holds it
	if v != nil {
		panic(*v)
	}
}

// spins is how often a goroutine looks for a change before it sleeps: some ten microseconds, about what waking it costs.
const spins = 400

// pause lets a few dozen cycles pass.
func pause() {
	for range 50 {
		hint.Load()
	}
}

var hint atomic.Int32

// wait returns when every participant has left. It first takes this loop's entries that no worker has picked up out of the
// queue, so that the caller does not wait for workers that are busy elsewhere.
func (l *loop) wait() {
	for l.left.Load() > 0 {
		select {
		case m := <-queue:
			m.work()
			m.leave()
			continue
		default:
		}
		for range spins {
			if l.left.Load() == 0 {
				break
			}
			pause()
		}
		break
	}
	<-l.done
}

func (l *loop) leave() {
	if l.left.Add(-1) == 0 {
		l.done <- struct{}{}
	}
}

func (l *loop) work() {
	defer func() {
		if v := recover(); v != nil {
			l.panicked.CompareAndSwap(nil, &v)
			l.next.Store(int64(l.n))
		}
	}()
	for {
		lo := int(l.next.Add(int64(l.grain))) - l.grain
		if lo >= l.n {
			return
		}
		l.body(lo, min(lo+l.grain, l.n))
	}
}

var (
	queue = make(chan *loop, 64)
	once  sync.Once
)

// start launches the workers, one per processor but the caller's.
func start() {
	once.Do(func() {
		for range max(runtime.NumCPU()-1, 1) {
			go func() {
				for {
					l := next()
					l.work()
					l.leave()
				}
			}()
		}
	})
}

// next waits for a loop to take part in, for a moment awake and then asleep: regions of one run follow each other closely.
func next() *loop {
	for range spins {
		select {
		case l := <-queue:
			return l
		default:
			pause()
		}
	}
	return <-queue
}
