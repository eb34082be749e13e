package parallel

import (
	"sync/atomic"
	"syscall"
	"time"
)

// start is the zero of the times of this file.
var start = time.Now()

// crowdedUntil is the time until which yield does nothing, in nanoseconds.
var crowdedUntil atomic.Int64

// crowded is the time away from the core from which many threads wait for it: several times the 3
// ms or so that Linux gives each.
const crowded = 8 * time.Millisecond

// yield lets other threads use the core if some wait for it, so that polling takes no time from
// them, and reports whether the caller may yield again. If they are many, it is away from the core
// for long, while all others run: then yield does nothing for a hundred times as long, and returns
// false.
func yield() bool {
	before := time.Since(start)
	if before < time.Duration(crowdedUntil.Load()) {
		return false
	}
	syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
	after := time.Since(start)
	return noteAway(after, after-before)
}

// noteAway notes that a thread that yielded was away from the core for some time, until now, and
// reports whether threads may yield again.
func noteAway(now, away time.Duration) bool {
	if away <= crowded {
		return true
	}
	crowdedUntil.Store(int64(now + 100*away))
	return false
}
