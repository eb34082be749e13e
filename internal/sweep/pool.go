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

	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/tables"
	"github.com/seed-6655bf3b/recap/internal/train"
)

// LogFile is the name of a unit's log file in its directory. It has what the worker process wrote
// to standard error.
const LogFile = "log.txt"

// A Result is the outcome of a unit.
type Result struct {
	Unit    runs.Unit
	Outcome Outcome
	Reason  string // of Failed and Locked
	Elapsed time.Duration
	Memory  int64 // peak memory of the process, in bytes; 0 if unknown
}

// A Pool trains units in worker processes.
type Pool struct {
	Workers int
	Cores   int // of all workers together
	// the subcommand of this program that calls RunWorker; its argument is the unit's directory
	Command string
	Log     *slog.Logger
	// called at most every 200 ms per unit; may be nil
	Progress func(u *runs.Unit, p *train.Progress)
	End      func(r *Result) // called after each unit; may be nil

	coresPerWorker int
}

// Run trains the units that are not finished and that no other process holds. It returns one
// [Result] per unit, in the order of units. When ctx is done, Run starts no further unit, and the
// running ones stop after their current epoch.
func (p *Pool) Run(ctx context.Context, units []runs.Unit) []Result {
	var mu sync.Mutex // serialises Progress and End
	end := func(r Result, remaining int) {
		mu.Lock()
		defer mu.Unlock()
		p.logResult(&r, remaining)
		if p.End != nil {
			p.End(&r)
		}
	}
	q := newQueue(units)
	q.onEnd = func(r Result) { end(r, 0) }
	q.onWait = func(n int) {
		p.Log.Info("waiting for units that other processes of this host train", "units", n)
	}
	workers := min(p.Workers, len(units))
	p.coresPerWorker = max(1, p.Cores/max(1, workers))
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i, ok := q.next(ctx); ok; i, ok = q.next(ctx) {
				r := p.train(ctx, units[i], &mu)
				q.put(i, r)
				end(r, q.remaining())
			}
		})
	}
	wg.Wait()
	return q.results
}

// logResult logs the outcome of a unit.
func (p *Pool) logResult(r *Result, remaining int) {
	attrs := []any{"unit", r.Unit.Dir}
	if r.Elapsed > 0 {
		attrs = append(attrs, "seconds", fmt.Sprintf("%.1f", r.Elapsed.Seconds()), "MB",
			r.Memory/1e6, "remaining", remaining)
	}
	switch r.Outcome {
	case Done:
		if mean, _, n, err := tables.Scores(r.Unit.Run(),
			[]uint64{r.Unit.Config.Seed}); err == nil && n == 1 {
			for _, key := range tables.Headline(&r.Unit.Config) {
				attrs = append(attrs, key, fmt.Sprintf("%.4f", mean[key]))
			}
		}
		p.Log.Info(string(r.Outcome), attrs...)
	case Failed:
		p.Log.Error(string(r.Outcome), append(attrs, "reason", r.Reason)...)
	case Locked:
		p.Log.Info("another process locked the unit first", "unit", r.Unit.Dir)
	default:
		p.Log.Info(string(r.Outcome), attrs...)
	}
}

// train trains unit u in a worker process. mu serialises the calls of p.Progress.
func (p *Pool) train(ctx context.Context, u runs.Unit, mu *sync.Mutex) Result {
	r := Result{Unit: u}
	start := time.Now()
	log, err := os.OpenFile(filepath.Join(u.Dir, LogFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY,
		0o644)
	if err == nil {
		defer log.Close()
		err = p.runProcess(ctx, &r, log, func(m *message) {
			mu.Lock()
			defer mu.Unlock()
			if p.Progress != nil {
				p.Progress(&u, m.Progress)
			}
		})
	}
	if err != nil {
		r.Outcome, r.Reason = Failed, err.Error()
	}
	r.Elapsed = time.Since(start)
	return r
}

// runProcess runs the worker process of r.Unit and stores its outcome in r. It calls progress for
// each progress message.
func (p *Pool) runProcess(
	ctx context.Context, r *Result, log *os.File, progress func(m *message),
) error {
	program, err := executable()
	if err != nil {
		return err
	}
	cmd := &exec.Cmd{Path: program, Args: []string{os.Args[0], p.Command, r.Unit.Dir}, Stderr: log,
		Env: append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", p.coresPerWorker))}
	stdin, e1 := cmd.StdinPipe()
	stdout, e2 := cmd.StdoutPipe()
	if err := errors.Join(e1, e2); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	defer context.AfterFunc(ctx, func() { stdin.Close() })()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			continue
		}
		if m.End != "" {
			r.Outcome, r.Reason = m.End, m.Reason
		} else if m.Progress != nil {
			progress(&m)
		}
	}
	io.Copy(io.Discard, stdout) // the rest, if a line was too long for the scanner
	cmd.Wait()                  // whose error is the state
	r.Memory = peakMemory(cmd.ProcessState)
	if r.Outcome == "" {
		return fmt.Errorf("sweep: the training process ended without reporting an outcome: %v",
			cmd.ProcessState)
	}
	return nil
}

// executable returns the path of this program. On a system with /proc, the path opens the file
// that was started, even if it was replaced since. So all units are trained by the same program.
func executable() (string, error) {
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
