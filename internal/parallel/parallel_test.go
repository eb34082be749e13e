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
			defer func() {
				if now := runtime.GOMAXPROCS(0); now != cores {
					t.Errorf("loops have changed the number of cores from %d to %d", cores, now)
				}
			}()
			for _, n := range []int{0, 1, 2, 7, 64, 1000} {
				for _, grain := range []int{0, 1, 3, 64, 2000} {
					seen := make([]int, n)
					For(n, grain, func(lo, hi int) {
						if lo >= hi || hi > n || hi-lo > max(grain, 1) || lo%max(grain, 1) != 0 {
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

// TestPoll counts the calls until a condition holds, for threads that yield up to a call, after
// which others take the core.
func TestPoll(t *testing.T) {
	const always = yieldLimit + 1
	for _, c := range []struct {
		holds, yields int // from this call on, up to this call
		ready         bool
		calls         int
	}{
		{1, 0, true, 1}, {3, 0, true, 3}, {spinLimit, 0, true, spinLimit},
		{spinLimit + 1, 0, false, spinLimit}, {spinLimit + 1, always, true, spinLimit + 1},
		{yieldLimit, always, true, yieldLimit}, {yieldLimit + 1, always, false, yieldLimit},
		{yieldLimit, 2 * spinLimit, false, 2*spinLimit + yieldEvery},
	} {
		calls := 0
		ready := poll(func() bool { calls++; return calls >= c.holds },
			func() bool { return calls <= c.yields })
		if ready != c.ready || calls != c.calls {
			t.Errorf("ready from call %d, yields up to %d: %v after %d calls, want %v after %d",
				c.holds, c.yields, ready, calls, c.ready, c.calls)
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

// isWorker reports whether a worker runs the calling function.
func isWorker() bool {
	stack := make([]byte, 4096)
	return bytes.Contains(stack[:runtime.Stack(stack, false)], []byte(".serve("))
}

// await polls a condition for 10 s.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("%s: not in 10 s", what)
			return
		}
	}
}

// TestCallerSleeps checks that a caller with nothing left to do sleeps while a worker runs the last
// chunk, and is woken at its end, not earlier.
func TestCallerSleeps(t *testing.T) {
	at(t, 2, func() {
		started := make(chan bool, 1)
		var ended atomic.Bool
		For(2, 1, func(int, int) {
			if !isWorker() {
				<-started // leaves the other chunk to the worker
				return
			}
			started <- true
			await(t, "the caller sleeps", caller.asleep.Load)
			ended.Store(true)
		})
		if !ended.Load() {
			t.Error("the loop has returned before its last chunk has ended")
		}
	})
}

// TestWorkersSleep waits until the workers of a loop sleep, of which there are as many as cores
// beside the caller's. Other tests use no more cores.
func TestWorkersSleep(t *testing.T) {
	at(t, 4, func() {
		For(64, 1, func(int, int) {})
		busy.Lock()
		defer busy.Unlock()
		if len(workers) != 3 {
			t.Errorf("%d workers on 4 cores, want 3", len(workers))
		}
		for _, w := range workers {
			await(t, "a worker sleeps", w.asleep.Load)
		}
	})
}

// TestSleepEndsAtOnce has a condition that becomes true between the first look and falling asleep,
// so that nobody wakes the sleeper.
func TestSleepEndsAtOnce(t *testing.T) {
	s, awake, calls := newSleeper(), make(chan bool), 0
	go func() {
		s.sleep(func() bool { calls++; return calls == 2 })
		close(awake)
	}()
	select {
	case <-awake:
		if s.asleep.Load() {
			t.Error("a sleeper that did not sleep is said to be asleep")
		}
	case <-time.After(10 * time.Second):
		t.Error("a sleeper misses what happens while it falls asleep")
	}
}

// TestPanicReachesTheCaller panics in the caller and in a worker: all chunks run, and the next loop
// works.
func TestPanicReachesTheCaller(t *testing.T) {
	for _, inWorker := range []bool{false, true} {
		at(t, 2, func() {
			started, runs := make(chan bool, 2), atomic.Int32{}
			defer func() {
				if p := recover(); fmt.Sprint(p) != "a chunk" {
					t.Errorf("in a worker: %t: recovered %v, want a chunk", inWorker, p)
				}
				if n := runs.Load(); n != 10 {
					t.Errorf("in a worker: %t: %d chunks ran, want 10", inWorker, n)
				}
				For(10, 1, func(int, int) {})
			}()
			var once, first sync.Once
			For(10, 1, func(int, int) {
				runs.Add(1)
				if isWorker() == inWorker {
					first.Do(func() { started <- true; panic("a chunk") })
				} else {
					once.Do(func() { <-started })
				}
			})
		})
	}
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
