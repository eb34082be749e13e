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

	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/train"
)

// A message is what a worker process sends to the sweep: one line of JSON. It has either the
// progress or the outcome (End, Reason).
type message struct {
	Progress *train.Progress `json:"progress,omitempty"`

	End    Outcome `json:"end,omitempty"` // Done, Stopped, Locked or Failed
	Reason string  `json:"reason,omitempty"`
}

// An Outcome says how the training of a unit ended.
type Outcome string

// The outcomes of a unit.
const (
	Done    Outcome = "done"
	Skipped Outcome = "finished already"
	Failed  Outcome = "failed"
	Stopped Outcome = "stopped"     // interrupted, after a complete epoch
	Locked  Outcome = "locked"      // by another process
	Waiting Outcome = "not started" // the sweep was interrupted before
)

// progressInterval is the shortest time between two progress messages.
const progressInterval = 200 * time.Millisecond

// RunWorker trains the unit in the directory dir and writes its progress and its outcome to out,
// as lines of JSON for [Pool.Run]. It stops after the current epoch when ctx is done or when in
// reaches its end.
//
// It returns the error of the training. If another process holds the unit's lock, the outcome is
// [Locked] and the error is nil.
func RunWorker(
	ctx context.Context, dir string, in io.Reader, out io.Writer, log *slog.Logger,
) error {
	signal.Ignore(syscall.SIGPIPE) // after the sweep was killed, nobody reads out
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		io.Copy(io.Discard, in)
	}()
	messages := json.NewEncoder(out)
	lastSent := time.Time{}
	r := &runs.Runner{Log: log, Stop: ctx.Done(),
		Progress: func(p runs.Progress) {
			if now := time.Now(); now.Sub(lastSent) > progressInterval {
				lastSent = now
				messages.Encode(message{Progress: &p.Progress})
			}
		}}
	err := r.TrainUnit(context.Background(), dir)
	locked, interrupted := new(rundir.LockedError), new(train.Interrupted)
	switch {
	case err == nil:
		messages.Encode(message{End: Done})
	case errors.As(err, &locked):
		messages.Encode(message{End: Locked, Reason: err.Error()})
		return nil // the log file belongs to the process that holds the lock
	case errors.As(err, &interrupted):
		messages.Encode(message{End: Stopped})
	default:
		messages.Encode(message{End: Failed, Reason: err.Error()})
	}
	return err
}
