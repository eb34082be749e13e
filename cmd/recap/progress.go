package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"golang.org/x/term"

	"github.com/seed-6655bf3b/recap/internal/runs"
)

// newRunner returns a runner that shows progress bars if standard error is a terminal. stop
// removes the bars.
func newRunner(t *terminal, out string) (r *runs.Runner, stop func()) {
	r = &runs.Runner{Out: out, Log: t.log, Step: func(uint64, string, int, int) {}}
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return r, func() {}
	}
	b := newBars(t.err)
	r.Log = slog.New(slog.NewTextHandler(b, nil))
	r.Step = b.step
	return r, sync.OnceFunc(b.stop)
}

// bars shows a progress bar for each seed and phase below the log.
type bars struct {
	progress.Writer
	trackers map[string]*progress.Tracker
	finished chan struct{} // closed when the last bar is drawn
}

func newBars(w io.Writer) *bars {
	b := &bars{progress.NewWriter(), map[string]*progress.Tracker{}, make(chan struct{})}
	b.SetOutputWriter(w)
	b.SetAutoStop(false)
	b.SetUpdateFrequency(200 * time.Millisecond)
	b.SetTrackerLength(30)
	b.Style().Visibility.ETA = true
	go func() {
		defer close(b.finished)
		b.Render()
	}()
	return b
}

// Write prints a line of the log above the bars.
func (b *bars) Write(line []byte) (int, error) {
	b.Log("%s", strings.TrimRight(string(line), "\n"))
	return len(line), nil
}

func (b *bars) step(seed uint64, phase string, done, total int) {
	name := fmt.Sprintf("seed %d, %s", seed, phase)
	t := b.trackers[name]
	if t == nil {
		t = &progress.Tracker{Message: name, Total: int64(total)}
		b.trackers[name] = t
		b.AppendTracker(t)
	}
	t.SetValue(int64(done))
}

func (b *bars) stop() {
	b.Stop()
	<-b.finished
}
