package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed-6655bf3b/recap/internal/experiment"
)

// A message is what a process that trains a unit tells the sweep, a line of JSON: how far it is,
// or how it ended.
type message struct {
	Phase string `json:"phase,omitempty"`
	Done  int    `json:"done,omitempty"` // steps
	Total int    `json:"total,omitempty"`

	End Outcome `json:"end,omitempty"` // Done, Stopped, Held or Failed
	Why string  `json:"why,omitempty"`
}

// An Outcome is what became of a unit.
type Outcome string

// Outcomes.
const (
	Done    Outcome = "done"
	Skipped Outcome = "finished already"
	Failed  Outcome = "failed"
	Stopped Outcome = "stopped"   // after a whole epoch
	Held    Outcome = "held"      // by a process that cannot be seen from here
	Waiting Outcome = "not begun" // the sweep was interrupted before
)

// Work trains a unit, telling out how it goes, until ctx is done or in ends: then it stops after
// the epoch under way.
func Work(ctx context.Context, dir string, in io.Reader, out io.Writer, log *slog.Logger) error {
	signal.Ignore(syscall.SIGPIPE) // where the sweep is no more, nobody listens
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		io.Copy(io.Discard, in)
	}()
	tell := json.NewEncoder(out)
	told := time.Time{}
	r := &experiment.Runner{Log: log, WholeEpochs: true, Step: func(_ uint64, phase string, done, total int) {
		if now := time.Now(); done == total || now.Sub(told) > 200*time.Millisecond {
			told = now
			tell.Encode(message{Phase: phase, Done: done, Total: total})
		}
	}}
	err := r.Work(ctx, dir)
	held, interrupted := new(experiment.Held), new(experiment.Interrupted)
	switch {
	case err == nil:
		tell.Encode(message{End: Done})
	case errors.As(err, &held):
		tell.Encode(message{End: Held, Why: err.Error()})
		return nil // the log is the other's
	case errors.As(err, &interrupted):
		tell.Encode(message{End: Stopped})
	default:
		tell.Encode(message{End: Failed, Why: err.Error()})
	}
	return err
}
