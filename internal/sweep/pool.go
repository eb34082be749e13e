package sweep

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/seed-6655bf3b/recap/internal/experiment"
)

// LogFile is the log of a unit, in its directory: what training it wrote to standard error.
const LogFile = "log.txt"

// A Result is what became of a unit.
type Result struct {
	Unit    experiment.Unit
	Outcome Outcome
	Why     string // of Failed and Held
	Took    time.Duration
	Memory  int64 // bytes at most; 0 where it is not known
}

// A Pool trains units in processes of their own.
type Pool struct {
	Workers int
	Cores   int    // of all together
	Command string // of this program, that calls Work with the directory that follows
	Log     *slog.Logger
	Step    func(u *experiment.Unit, phase string, done, total int) // called now and then; may be nil
	End     func(r *Result)                                         // called after each unit; may be nil

	share int // of the cores, for each worker
}

// Run trains the units that are not finished and that no other process has, and returns what
// became of each, in their order. Once ctx is done it begins no more, and those under way stop
// after their epoch.
func (p *Pool) Run(ctx context.Context, units []experiment.Unit) []Result {
	var mu sync.Mutex // of Step and End
	end := func(r Result, left int) {
		mu.Lock()
		defer mu.Unlock()
		p.report(&r, left)
		if p.End != nil {
			p.End(&r)
		}
	}
	q := newQueue(units)
	q.ended = func(r Result) { end(r, 0) }
	q.wait = func(n int) { p.Log.Info("waiting for units that other processes of this host train", "units", n) }
	workers := min(p.Workers, len(units))
	p.share = max(1, p.Cores/max(1, workers))
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i, ok := q.next(ctx); ok; i, ok = q.next(ctx) {
				r := p.train(ctx, units[i], &mu)
				q.put(i, r)
				end(r, q.left())
			}
		})
	}
	wg.Wait()
	return q.results
}

// report logs the end of a unit.
func (p *Pool) report(r *Result, left int) {
	about := []any{"unit", r.Unit.Dir}
	if r.Took > 0 {
		about = append(about, "seconds", fmt.Sprintf("%.1f", r.Took.Seconds()), "MB", r.Memory/1e6, "left", left)
	}
	switch r.Outcome {
	case Done:
		if mean, _, n, err := experiment.Scores(r.Unit.Run(), []uint64{r.Unit.Config.Seed}); err == nil && n == 1 {
			for _, key := range experiment.Headline(&r.Unit.Config) {
				about = append(about, key, fmt.Sprintf("%.4f", mean[key]))
			}
		}
		p.Log.Info(string(r.Outcome), about...)
	case Failed:
		p.Log.Error(string(r.Outcome), append(about, "why", r.Why)...)
	case Held:
		p.Log.Info("another process was first", "unit", r.Unit.Dir)
	default:
		p.Log.Info(string(r.Outcome), about...)
	}
}

// train trains a unit in a process.
func (p *Pool) train(ctx context.Context, u experiment.Unit, mu *sync.Mutex) Result {
	r := Result{Unit: u}
	began := time.Now()
	log, err := os.OpenFile(filepath.Join(u.Dir, LogFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		defer log.Close()
		err = p.process(ctx, &r, log, func(m *message) {
			mu.Lock()
			defer mu.Unlock()
			if p.Step != nil {
				p.Step(&u, m.Phase, m.Done, m.Total)
			}
		})
	}
	if err != nil {
		r.Outcome, r.Why = Failed, err.Error()
	}
	r.Took = time.Since(began)
	return r
}

// process runs the process of a unit and fills in how it ended.
func (p *Pool) process(ctx context.Context, r *Result, log *os.File, step func(m *message)) error {
	program, err := self()
	if err != nil {
		return err
	}
	cmd := &exec.Cmd{Path: program, Args: []string{os.Args[0], p.Command, r.Unit.Dir}, Stderr: log,
		Env: append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", p.share))}
	in, e1 := cmd.StdinPipe()
	out, e2 := cmd.StdoutPipe()
	if err := errors.Join(e1, e2); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	defer context.AfterFunc(ctx, func() { in.Close() })()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			continue
		}
		if m.End != "" {
			r.Outcome, r.Why = m.End, m.Why
		} else {
			step(&m)
		}
	}
	io.Copy(io.Discard, out) // what no line was made of
	err = cmd.Wait()
	r.Memory = peakMemory(cmd.ProcessState)
	if r.Outcome == "" {
		return fmt.Errorf("sweep: training ended without a word: %w", err)
	}
	return nil
}

// self returns the path of this program. Where there is /proc, that is the very file that was
// started, even if another has its name now: all units are trained by the same program.
func self() (string, error) {
	const link = "/proc/self/exe"
	if _, err := os.Stat(link); err == nil {
		return link, nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("sweep: %w", err)
	}
	return path, nil
}
