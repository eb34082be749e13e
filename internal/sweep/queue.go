package sweep

import (
	"context"
	"sync"
	"time"

	"github.com/seed-6655bf3b/recap/internal/experiment"
)

// A queue hands out the units that nobody has.
type queue struct {
	units   []experiment.Unit
	wait    func(units int) // called once, when all that is left is in use by other processes of this host
	ended   func(r Result)  // called for each unit that is found finished, or cannot be used
	waiting sync.Once

	mu      sync.Mutex
	pending []int // numbers of units that were not handed out, or came back
	results []Result
}

func newQueue(units []experiment.Unit) *queue {
	q := &queue{units: units, results: make([]Result, len(units))}
	for i, u := range units {
		q.pending = append(q.pending, i)
		q.results[i] = Result{Unit: u, Outcome: Waiting}
	}
	return q
}

// poll is how often units in use are looked at.
const poll = 300 * time.Millisecond

// next returns a unit's number, or ok false if there is none to be had. While other processes of
// this host have what is left, it waits: they may end without finishing it.
func (q *queue) next(ctx context.Context) (unit int, ok bool) {
	for ctx.Err() == nil {
		unit, here := q.take()
		if unit >= 0 {
			return unit, true
		}
		if here == 0 {
			return 0, false
		}
		q.waiting.Do(func() { q.wait(here) })
		select {
		case <-time.After(poll):
		case <-ctx.Done():
		}
	}
	return 0, false
}

// take removes the first free unit from those that are pending, and all that are finished or
// cannot be had; here counts those that live processes of this host have. The number is negative
// if none is free.
func (q *queue) take() (unit, here int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	unit = -1
	var left []int
	for _, i := range q.pending {
		if unit >= 0 {
			left = append(left, i)
			continue
		}
		r := &q.results[i]
		if q.units[i].Finished() {
			r.Outcome = Skipped
			q.ended(*r)
			continue
		}
		holder, err := q.units[i].Holder()
		switch {
		case err != nil:
			r.Outcome, r.Why = Failed, err.Error()
			q.ended(*r)
		case holder == nil:
			unit, r.Outcome, r.Why = i, Waiting, ""
		case holder.Here:
			here++
			left = append(left, i)
		default:
			r.Outcome, r.Why = Held, holder.Error()
			left = append(left, i)
		}
	}
	q.pending = left
	return unit, here
}

// put takes back what became of a unit; one that another process took first is pending again.
func (q *queue) put(i int, r Result) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.results[i] = r
	if r.Outcome == Held {
		q.pending = append(q.pending, i)
	}
}

// left returns how many units are pending.
func (q *queue) left() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.pending)
}
