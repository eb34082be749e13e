// Package runstest trains small runs in tests and compares their files.
package runstest

import (
	"bytes"
	"context"
	"encoding/csv"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	_ "github.com/seed-6655bf3b/recap/internal/gctest"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs"
	"github.com/seed-6655bf3b/recap/internal/settings"
)

// NewRunner returns a runner that writes to a temporary directory, whose name is not to be taken
// for a pattern. It discards the log. Until the end of the test files are not synced.
func NewRunner(t *testing.T) *runs.Runner {
	filestest.Use(t, filestest.Fast{})
	log, out := slog.New(slog.DiscardHandler), filepath.Join(t.TempDir(), "[runs]")
	return &runs.Runner{Out: out, Log: log, Progress: func(runs.Progress) {}}
}

// Glob returns the paths in dir, and below it, that match a pattern.
func Glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	names, err := fs.Glob(os.DirFS(dir), pattern)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		names[i] = filepath.Join(dir, name)
	}
	return names
}

// Contents returns the contents of the files in the seeds' directories of a run and of its
// summary, by path relative to run. The times in the journals are removed.
func Contents(t *testing.T, run string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, pattern := range []string{"seed*/*", "summary.*"} {
		paths := Glob(t, run, pattern)
		if paths == nil {
			t.Fatalf("%s: no files", run)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimPrefix(path, run)
			files[name] = string(text)
			if strings.HasSuffix(name, ".jsonl") {
				var lines []string
				for line := range strings.Lines(string(text)) {
					withoutTime, _, _ := strings.Cut(line, `"seconds"`)
					lines = append(lines, withoutTime)
				}
				files[name] = strings.Join(lines, "\n")
			}
		}
	}
	return files
}

// SameFiles reports an error for each file of want that is not in got or has other contents there.
// what names the run of got.
func SameFiles(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d files, want %d", what, len(got), len(want))
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s: %s differs from that of the uninterrupted run", what, name)
		}
	}
}

// SummaryScores returns the values in summary.csv of a run directory by "seed rate metric".
func SummaryScores(t *testing.T, dir string) map[string]float64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, rundir.SummaryCSV))
	if err != nil {
		t.Fatal(err)
	}
	return ParseSummary(t, text)
}

// ParseSummary returns the values of a summary.csv by "seed rate metric".
func ParseSummary(t *testing.T, text []byte) map[string]float64 {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil ||
		strings.Join(rows[0], ",") != "dataset,model,variant,select,seed,rate,metric,value" {
		t.Fatal(rows[0], err)
	}
	values := map[string]float64{}
	for _, row := range rows[1:] {
		v, err := strconv.ParseFloat(row[7], 64)
		if err != nil || !slices.Equal(row[:4], []string{"synthetic", "toy", "full", "valid"}) {
			t.Fatal(row, err)
		}
		values[strings.Join(row[4:7], " ")] = v
	}
	if len(values) != len(rows)-1 {
		t.Error("summary.csv has duplicate lines")
	}
	return values
}

// OnStep makes the runner call f after each training step.
func OnStep(r *runs.Runner, f func(p runs.Progress)) {
	r.Progress = func(p runs.Progress) {
		if p.Step > 0 {
			f(p)
		}
	}
}

// TrainUntil trains a run with one seed and interrupts it at step stop. It returns the run
// directory, the number of steps that were made and the error of [runs.Runner.Train].
func TrainUntil(r *runs.Runner, c settings.Config, stop int) (dir string, steps int, err error) {
	steps, err = until(r, stop, func(ctx context.Context) error {
		dir, _, err = r.Train(ctx, c, []uint64{5})
		return err
	})
	return dir, steps, err
}

// ResumeUntil resumes a run and interrupts it at step stop. It returns the error of
// [runs.Runner.Resume].
func ResumeUntil(r *runs.Runner, dir string, stop int) error {
	_, err := until(r, stop, func(ctx context.Context) error {
		_, _, err := r.Resume(ctx, dir)
		return err
	})
	return err
}

// until calls train, and cancels its context at step stop.
func until(
	r *runs.Runner, stop int, train func(ctx context.Context) error,
) (steps int, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	OnStep(r, func(runs.Progress) {
		if steps++; steps == stop {
			cancel()
		}
	})
	err = train(ctx)
	return steps, err
}
