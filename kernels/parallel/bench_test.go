package parallel

import (
	"testing"
	"time"
)

// BenchmarkFor measures what a parallel region costs, with the workers awake from the region before (busy) and asleep
// (idle).
func BenchmarkFor(b *testing.B) {
	p := NewPool(2)
	b.Run("busy", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.For(2, 1, func(lo, hi int) {})
		}
	})
	b.Run("idle", func(b *testing.B) {
		var total time.Duration
		for b.Loop() {
			time.Sleep(200 * time.Microsecond)
			start := time.Now()
			p.For(2, 1, func(lo, hi int) {})
			total += time.Since(start)
		}
		b.ReportMetric(float64(total.Nanoseconds())/float64(b.N), "region-ns")
	})
	// Two halves of 20 µs each: 20 µs is perfect.
	b.Run("work", func(b *testing.B) {
		for b.Loop() {
			p.For(2, 1, func(lo, hi int) {
				for t := time.Now(); time.Since(t) < 20*time.Microsecond; {
				}
			})
		}
	})
}
