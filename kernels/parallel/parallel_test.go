package parallel

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestForCoversEachIndexOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 7} {
		for _, n := range []int{0, 1, 2, 63, 1000} {
			for _, grain := range []int{0, 1, 3, 64, 5000} {
				hits := make([]atomic.Int32, n)
				NewPool(threads).For(n, grain, func(lo, hi int) {
					for i := lo; i < hi; i++ {
						hits[i].Add(1)
					}
				})
				for i := range hits {
					if h := hits[i].Load(); h != 1 {
						t.Fatalf("threads %d n %d grain %d: index %d ran %d times", threads, n, grain, i, h)
					}
				}
			}
		}
	}
}

func TestNestedAndConcurrent(t *testing.T) {
	var sum atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 50 {
				NewPool(4).For(8, 1, func(lo, hi int) {
					NewPool(4).For(8, 1, func(a, b int) { sum.Add(int64(b - a)) })
				})
			}
		}()
	}
	wg.Wait()
	if got := sum.Load(); got != 16*50*64 {
		t.Errorf("sum %d", got)
	}
}

func TestPanicReachesCaller(t *testing.T) {
	defer func() {
		if v := recover(); v != "boom" {
			t.Errorf("recovered %v", v)
		}
	}()
	NewPool(4).For(100, 1, func(lo, _ int) {
		if lo == 42 {
			panic("boom")
		}
	})
	t.Error("no panic")
}
