// Package parallel divides loops between the processor's cores. Its only function is [For].
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// For calls f for consecutive chunks [lo, hi) that cover [0, n), each of at most grain elements,
// possibly in parallel, and returns after the last chunk. The chunks depend only on n and grain,
// never on the number of cores, so a reduction that combines its chunks in order gives the same
// bits everywhere. The calling goroutine runs the loop alone if it has one chunk, is inside
// another parallel loop, or starts while a loop of another goroutine runs. If f panics, For panics
// with the same value: at once in a goroutine alone, otherwise after all chunks have run.
func For(n, grain int, f func(lo, hi int)) {
	if n <= 0 {
		return
	}
	grain = max(grain, 1)
	if n <= grain {
		f(0, n)
		return
	}
	chunks := (n + grain - 1) / grain
	extra := min(runtime.GOMAXPROCS(0), chunks) - 1 // workers beside the calling goroutine
	if extra < 1 || !busy.TryLock() {
		for lo := 0; lo < n; lo += grain {
			f(lo, min(lo+grain, n))
		}
		return
	}
	defer busy.Unlock()
	r := &region{f: f, n: n, grain: grain, chunks: int64(chunks)}
	r.pending.Store(r.chunks)
	current.Store(r)
	wake(extra)
	r.work()
	r.wait()
	if p := r.panicked.Load(); p != nil {
		panic(*p)
	}
}

// A region is one parallel loop. Which chunks there are is fixed; a free worker takes the next one.
type region struct {
	f             func(lo, hi int)
	n, grain      int
	chunks        int64
	next, pending atomic.Int64
	panicked      atomic.Pointer[any]
}

// work runs chunks until none is left.
func (r *region) work() {
	for {
		c := r.next.Add(1) - 1
		if c >= r.chunks {
			return
		}
		r.run(int(c) * r.grain)
	}
}

// run runs the chunk that starts at lo, and stores a panic.
func (r *region) run(lo int) {
	defer func() {
		if r.pending.Add(-1) == 0 {
			caller.wake()
		}
	}()
	defer func() {
		if p := recover(); p != nil {
			r.panicked.CompareAndSwap(nil, &p)
		}
	}()
	r.f(lo, min(lo+r.grain, r.n))
}

// wait returns after the last chunk has run. If that takes long, the worker may be waiting for a
// core, so the caller sleeps.
func (r *region) wait() {
	finished := func() bool { return r.pending.Load() == 0 }
	if !poll(finished, yield) {
		caller.sleep(finished)
	}
}

// poll calls ready until it returns true, and reports whether it did: at most yieldLimit times, or
// spinLimit times once yield has returned false.
func poll(ready, yield func() bool) bool {
	limit := yieldLimit
	for i := 0; i < limit; i++ {
		if ready() {
			return true
		}
		if i%yieldEvery == yieldEvery-1 && !yield() {
			limit = spinLimit
		}
	}
	return false
}

// spinLimit is the number of times that a worker polls for the next loop, or a caller for the end
// of the last chunk, before it sleeps: 50 to 100 µs. Waking a sleeping thread costs up to 100 µs on
// a virtual machine, as much as an entire small loop. A worker that wakes so late has few chunks
// and is early for the next loop, so that it sleeps again. So the limit is yieldLimit for a thread
// that yields the core to others after every yieldEvery times.
const (
	spinLimit  = 100_000
	yieldLimit = 500_000
	yieldEvery = 1000
)

var (
	busy    sync.Mutex // locked by the loop that runs
	current atomic.Pointer[region]
	workers []*sleeper     // guarded by busy
	caller  = newSleeper() // the goroutine that locked busy
)

// A sleeper is a goroutine that others wake.
type sleeper struct {
	asleep atomic.Bool
	signal chan struct{}
}

func newSleeper() *sleeper { return &sleeper{signal: make(chan struct{}, 1)} }

// sleep blocks until ready returns true. Whoever makes it true calls wake afterwards.
func (s *sleeper) sleep(ready func() bool) {
	for !ready() {
		s.asleep.Store(true)
		if ready() && s.asleep.CompareAndSwap(true, false) {
			return
		}
		<-s.signal
	}
}

// wake wakes the goroutine if it sleeps.
func (s *sleeper) wake() {
	if s.asleep.CompareAndSwap(true, false) {
		s.signal <- struct{}{}
	}
}

// wake starts workers until n exist, and wakes those that sleep.
func wake(n int) {
	for len(workers) < n {
		w := newSleeper()
		workers = append(workers, w)
		go serve(w)
	}
	for _, w := range workers[:n] {
		w.wake()
	}
}

// serve runs one region after the other as the worker w.
func serve(w *sleeper) {
	var last *region
	started := func() bool { return current.Load() != last }
	for {
		if !poll(started, yield) {
			w.sleep(started)
		}
		last = current.Load()
		last.work()
	}
}
