package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/train"
)

// A training shows the progress of a runner and answers Ctrl-C.
type training struct {
	t *terminal

	mu    sync.Mutex
	now   runs.Progress
	began bool
	told  *train.Estimate // in the log
}

// newRunner returns a runner that shows its progress. After the first Ctrl-C, which cancels ctx, it
// stops after the epoch under way. resume returns the command that continues the run in a
// directory.
func newRunner(
	ctx context.Context, t *terminal, out string, resume func(dir string) string,
) *runs.Runner {
	w := &training{t: t}
	t.onInterrupt(w.answer, func() string {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.began {
			return ""
		}
		return resume(filepath.Dir(string(w.now.Dir)))
	})
	return &runs.Runner{Out: out, Log: t.log, Progress: w.update, Stop: ctx.Done()}
}

// update shows the progress. When the first epoch is complete, the log says how long the rest takes
// at least; when an epoch of each phase is, how long about.
func (w *training) update(p runs.Progress) {
	left := p.TimeLeft()
	w.mu.Lock()
	tell := p.Measured && (w.told == nil || w.told.AtLeast && !left.AtLeast)
	if w.now, w.began = p, true; tell {
		w.told = &left
	}
	w.mu.Unlock()
	if tell {
		w.t.log.Info("the rest takes " + estimated(left))
	}
	doing := position(&p.Progress)
	if p.Count > 1 {
		doing = fmt.Sprintf("seed %d of %d, %s", p.Number, p.Count, doing)
	}
	done := (float64(p.Number-1) + p.Done) / float64(p.Count)
	w.t.show(status{doing: doing, done: done, left: left, measured: p.Measured})
}

// position says where the training of a seed is.
func position(p *train.Progress) string {
	if p.Phase == train.TestPhase {
		return fmt.Sprintf("test %d of %d", p.Epoch, p.Epochs)
	}
	return fmt.Sprintf("%s: epoch %d of %d", phaseName(p.Phase), p.Epoch, p.Epochs)
}

// answer says what the training does after the first Ctrl-C.
func (w *training) answer() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &w.now
	switch {
	case !w.began:
		return "stopping before the first epoch; press Ctrl-C again to stop now"
	case p.Phase == train.TestPhase:
		return "stopping; the training is saved, the test will be repeated"
	}
	saved := "no epoch is saved"
	if p.SavedPhase != "" {
		saved = fmt.Sprintf("the last saved epoch is %d", p.SavedEpoch)
	}
	if p.SavedPhase != "" && p.SavedPhase != p.Phase {
		saved += " of " + phaseName(p.SavedPhase)
	}
	return fmt.Sprintf("finishing epoch %d, about %s; press Ctrl-C again to stop now: %s",
		p.Epoch, approximately(p.EpochLeft), saved)
}
