package sweep

import (
	"context"
	"sync"
	"time"

	"github.com/seed-6655bf3b/recap/internal/runs"
)

// A queue returns one unit after the other that no process trains yet.
type queue struct {
	units []runs.Unit
	// called once, when other processes of this host hold all remaining units
	onWait func(units int)
	// called for each unit that is already finished or whose lock is unreadable
	onEnd    func(r Result)
	waitOnce sync.Once

	mu      sync.Mutex
	pending []int // indices of units that next has not returned
	results []Result
}

func newQueue(units []runs.Unit) *queue {
	q := &queue{units: units, results: make([]Result, len(units))}
	for i, u := range units {
		q.pending = append(q.pending, i)
		q.results[i] = Result{Unit: u, Outcome: Waiting}
	}
	return q
}

// pollInterval is the time between two checks of locked units.
const pollInterval = 300 * time.Millisecond

// next returns the index of a unit to train; ok is false if there is none. While other processes
// of this host hold all remaining units, next waits, because they may end without finishing them.
func (q *queue) next(ctx context.Context) (unit int, ok bool) {
	for ctx.Err() == nil {
		unit, lockedHere := q.take()
		if unit >= 0 {
			return unit, true
		}
		if lockedHere == 0 {
			return 0, false
		}
		q.waitOnce.Do(func() { q.onWait(lockedHere) })
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
		}
	}
	return 0, false
}

// take removes the first unlocked unit from the pending ones and returns its index, or -1 if there
// is none. On the way it removes the units that are finished or whose lock is unreadable.
// lockedHere counts the units that running processes of this host hold.
func (q *queue) take() (unit, lockedHere int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	unit = -1
	var remaining []int
	for _, i := range q.pending {
		if unit >= 0 {
			remaining = append(remaining, i)
			continue
		}
		r := &q.results[i]
		if q.units[i].Finished() {
			r.Outcome = Skipped
			q.onEnd(*r)
			continue
		}
		holder, err := q.units[i].Holder()
		switch {
		case err != nil:
			r.Outcome, r.Reason = Failed, err.Error()
			q.onEnd(*r)
		case holder == nil:
			unit, r.Outcome, r.Reason = i, Waiting, ""
		case holder.Running:
			lockedHere++
			remaining = append(remaining, i)
		default:
			r.Outcome, r.Reason = Locked, holder.Error()
			remaining = append(remaining, i)
		}
	}
	q.pending = remaining
	return unit, lockedHere
}

// put stores the result of unit i. A unit that another process locked first is pending again.
func (q *queue) put(i int, r Result) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.results[i] = r
	if r.Outcome == Locked {
		q.pending = append(q.pending, i)
	}
}

// remaining returns the number of pending units.
func (q *queue) remaining() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.pending)
}
