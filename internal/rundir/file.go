package rundir

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed-6655bf3b/recap/internal/files"
)

// Names of the files in the directory of a seed or of a run.
const (
	ConfigFile      = "config.yaml"
	JournalFile     = "metrics.jsonl"
	BestFile        = "best.safetensors"
	StateFile       = "state.safetensors"
	PredictionsFile = "predictions.csv" // written last: if it exists, the seed is finished
	SummaryCSV      = "summary.csv"
	SummaryMarkdown = "summary.md"
)

// SnapshotFile returns the name of the file with the snapshot of a phase (zoo.Phase.Snapshot).
func SnapshotFile(phase string) string { return phase + ".safetensors" }

// StartFile returns the name of the file with the parameters that a phase does not change. It is
// written when the phase begins, so that the state after each epoch need not have them.
func StartFile(phase string) string { return phase + "-start.safetensors" }

// File returns the path of a file in the directory.
func (d Dir) File(name string) string { return filepath.Join(string(d), name) }

// Has reports whether the file exists in the directory.
func (d Dir) Has(name string) bool {
	_, err := os.Stat(d.File(name))
	return err == nil
}

// WriteFile writes a file as [files.Replace] does.
func WriteFile(path string, text []byte) error {
	return WriteWith(path, contents(text))
}

func contents(text []byte) func(f *os.File) error {
	return func(f *os.File) error {
		_, err := f.Write(text)
		return err
	}
}

// UpdateFile is [WriteFile] unless the file has this text already: a finished run may be in a
// directory that cannot be written.
func UpdateFile(path string, text []byte) error {
	if old, err := files.Read(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return WriteFile(path, text)
}

// WriteWith is [WriteFile] for contents that write produces.
func WriteWith(path string, write func(f *os.File) error) error {
	if err := files.Replace(path, write); err != nil {
		return fmt.Errorf("rundir: %s: %w", path, err)
	}
	return nil
}

// RemoveLeftovers removes the temporary files of processes that were killed while they wrote path.
// No other process must be writing it.
func RemoveLeftovers(path string) error {
	return removeLeftovers(filepath.Dir(path), filepath.Base(path))
}

// RemovePartialFiles removes temporary files of a process that was killed.
func (d Dir) RemovePartialFiles() error { return removeLeftovers(string(d)) }

// removeLeftovers is [files.RemoveLeftovers].
func removeLeftovers(dir string, names ...string) error {
	if err := files.RemoveLeftovers(dir, names...); err != nil {
		return fmt.Errorf("rundir: %w", err)
	}
	return nil
}

// CleanUp removes what a killed process has left in the directory of a finished seed: its lock and
// temporary files. It leaves the directory alone while another process has locked it.
func (d Dir) CleanUp() error {
	left, err := files.Leftovers(string(d))
	if err != nil {
		return fmt.Errorf("rundir: %w", err)
	}
	if left == nil && !d.Has(LockFile) {
		return nil
	}
	err = d.WithLock(d.RemovePartialFiles)
	if errors.As(err, new(*LockedError)) {
		return nil
	}
	return err
}

// CleanUpRun removes the temporary files of summaries. No process must be using a seed of the run.
func CleanUpRun(run string) error { return removeLeftovers(run, SummaryCSV, SummaryMarkdown) }
