package parallel

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// at calls f with GOMAXPROCS set to cores.
func at(t testing.TB, cores int, f func()) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	f()
}

func TestEveryElementOnce(t *testing.T) {
	for _, cores := range []int{1, 2, 4} {
		at(t, cores, func() {
			For(0, 1, func(lo, hi int) { t.Errorf("no elements: chunk [%d, %d)", lo, hi) })
			for _, n := range []int{0, 1, 2, 7, 64, 1000} {
				for _, grain := range []int{0, 1, 3, 64, 2000} {
					seen := make([]int, n)
					For(n, grain, func(lo, hi int) {
						if hi-lo > max(grain, 1) || lo%max(grain, 1) != 0 {
							t.Errorf("n %d, grain %d: chunk [%d, %d)", n, grain, lo, hi)
						}
						for i := lo; i < hi; i++ {
							seen[i]++
						}
					})
					if slices.ContainsFunc(seen, func(c int) bool { return c != 1 }) {
						t.Fatalf("%d cores, n %d, grain %d: elements were visited %v times",
							cores, n, grain, seen)
					}
				}
			}
		})
	}
}

// TestPoll counts the calls until a condition holds.
func TestPoll(t *testing.T) {
	for _, c := range []struct {
		holds int // from this call on
		ready bool
		calls int
	}{{1, true, 1}, {3, true, 3}, {spinLimit, true, spinLimit}, {spinLimit + 1, false, spinLimit}} {
		calls := 0
		ready := poll(func() bool { calls++; return calls >= c.holds })
		if ready != c.ready || calls != c.calls {
			t.Errorf("ready from call %d on: %v after %d calls, want %v after %d", c.holds, ready,
				calls, c.ready, c.calls)
		}
	}
}

func TestNestedAndConcurrentLoops(t *testing.T) {
	at(t, 2, func() {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 200 {
					sums := make([]atomic.Int64, 8)
					For(8, 1, func(lo, hi int) {
						For(100, 10, func(a, b int) { sums[lo].Add(int64(b - a)) })
					})
					for i := range sums {
						if s := sums[i].Load(); s != 100 {
							t.Errorf("an inner loop covered %d of 100", s)
						}
					}
				}
			})
		}
		wg.Wait()
	})
}

// TestSleepingWorkersWake checks that a loop wakes sleeping workers, and that workers notice a
// loop that starts while they spin.
func TestSleepingWorkersWake(t *testing.T) {
	at(t, 2, func() {
		for i := range 20 {
			count := make([]int, 64)
			For(64, 1, func(lo, _ int) { count[lo]++ })
			if slices.Contains(count, 0) {
				t.Fatal("a chunk was not run")
			}
			time.Sleep(time.Duration(i%3) * 500 * time.Microsecond)
		}
	})
}

// TestCallerSleeps checks that a caller with nothing left to do sleeps while a worker runs the last
// chunk, and is woken at its end.
func TestCallerSleeps(t *testing.T) {
	at(t, 2, func() {
		started := make(chan bool, 1)
		For(2, 1, func(int, int) {
			stack := make([]byte, 4096)
			stack = stack[:runtime.Stack(stack, false)]
			if !bytes.Contains(stack, []byte(".serve(")) {
				<-started // leaves the other chunk to the worker
				return
			}
			started <- true
			for end := time.Now().Add(10 * time.Second); !caller.asleep.Load(); {
				if time.Now().After(end) {
					t.Error("the caller polled for 10 s")
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	})
}

func TestPanicReachesTheCaller(t *testing.T) {
	at(t, 2, func() {
		defer func() {
			if p := recover(); fmt.Sprint(p) != "chunk 7" {
				t.Errorf("recovered %v, want chunk 7", p)
			}
			For(10, 1, func(int, int) {}) // and the next loop works
		}()
		For(10, 1, func(lo, _ int) {
			if lo == 7 {
				panic("chunk 7")
			}
		})
	})
}

// TestOneChunkAllocatesNothing checks that a loop of one chunk costs no more than the call of f.
func TestOneChunkAllocatesNothing(t *testing.T) {
	f := func(int, int) {}
	if n := testing.AllocsPerRun(100, func() { For(64, 64, f) }); n != 0 {
		t.Errorf("a loop of one chunk does %g allocations", n)
	}
}

// BenchmarkFor times loops of 30 µs and of 1 ms. Run it also beside busy processes, more than
// there are cores.
func BenchmarkFor(b *testing.B) {
	for _, n := range []int{1 << 16, 1 << 21} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			x := make([]float32, n)
			for b.Loop() {
				For(n, 1<<13, func(lo, hi int) {
					for i := range x[lo:hi] {
						x[lo+i]++
					}
				})
			}
		})
	}
}
