// Package parallel splits loops over the processor's cores.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// For calls f on consecutive chunks [lo, hi) that cover [0, n), each of at most grain elements,
// possibly at the same time. The chunks depend on n and grain alone, never on the number of cores,
// so a reduction that combines its chunks in order gives the same bits everywhere. A loop of one
// chunk, a loop inside a parallel one, and a loop while another goroutine's runs, is run by the
// caller. A panic in f is raised again in the caller, after all chunks are done.
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
	helpers := min(runtime.GOMAXPROCS(0), chunks) - 1
	if helpers < 1 || !busy.TryLock() {
		for lo := 0; lo < n; lo += grain {
			f(lo, min(lo+grain, n))
		}
		return
	}
	defer busy.Unlock()
	r := &region{f: f, n: n, grain: grain, chunks: int64(chunks)}
	r.pending.Store(r.chunks)
	current.Store(r)
	wake(helpers)
	r.work()
	for spins := 0; r.pending.Load() > 0; spins++ {
		if spins > spinLimit {
			runtime.Gosched()
		}
	}
	if p := r.panicked.Load(); p != nil {
		panic(*p)
	}
}

// A region is one parallel loop. Who runs a chunk is decided as they come; what a chunk is, is
// not.
type region struct {
	f             func(lo, hi int)
	n, grain      int
	chunks        int64
	next, pending atomic.Int64
	panicked      atomic.Pointer[any]
}

func (r *region) work() {
	for {
		c := r.next.Add(1) - 1
		if c >= r.chunks {
			return
		}
		r.run(int(c) * r.grain)
	}
}

func (r *region) run(lo int) {
	defer r.pending.Add(-1)
	defer func() {
		if p := recover(); p != nil {
			r.panicked.CompareAndSwap(nil, &p)
		}
	}()
	r.f(lo, min(lo+r.grain, r.n))
}

// Waking a sleeping thread costs up to 100 µs on a virtual machine, as much as a whole small loop.
// So after a loop a helper spins for nearly as long, waiting for the next one, before it sleeps:
// 100000 looks take 50 to 100 µs.
const spinLimit = 100000

var (
	busy    sync.Mutex // held by the one loop that runs
	current atomic.Pointer[region]
	helpers []*helper // guarded by busy
)

type helper struct {
	asleep atomic.Bool
	signal chan struct{}
}

// wake sees to it that n helpers exist and are not asleep.
func wake(n int) {
	for len(helpers) < n {
		h := &helper{signal: make(chan struct{}, 1)}
		helpers = append(helpers, h)
		go h.serve()
	}
	for _, h := range helpers[:n] {
		if h.asleep.CompareAndSwap(true, false) {
			h.signal <- struct{}{}
		}
	}
}

func (h *helper) serve() {
	var last *region
	for {
		last = h.await(last)
		last.work()
	}
}

// await returns the region that follows last.
func (h *helper) await(last *region) *region {
	for {
		for range spinLimit {
			if r := current.Load(); r != last {
				return r
			}
		}
		h.asleep.Store(true)
		if r := current.Load(); r != last && h.asleep.CompareAndSwap(true, false) {
			return r
		}
		<-h.signal
	}
}
