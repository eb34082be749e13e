package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
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

// WriteFile writes a temporary file and renames it to path, so that path is written completely or
// not at all. When it returns, the file is on the disk and not only in the system's memory.
func WriteFile(path string, text []byte) error {
	return WriteWith(path, contents(text))
}

func contents(text []byte) func(f *os.File) error {
	return func(f *os.File) error {
		_, err := f.Write(text)
		return err
	}
}

// WriteWith is [WriteFile] for contents that write produces.
func WriteWith(path string, write func(f *os.File) error) error {
	temporary, err := writeTemporary(path, write)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		os.Remove(temporary)
		return fmt.Errorf("rundir: %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// syncDir puts the entries of a directory on the disk: without this, a file that was renamed may
// have its old name again after a power failure. Windows cannot do it.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("rundir: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("rundir: %s: %w", path, err)
	}
	return nil
}

// writeTemporary writes a temporary file in the directory of path and returns its path.
func writeTemporary(path string, write func(f *os.File) error) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", fmt.Errorf("rundir: %w", err)
	}
	if err := errors.Join(write(f), f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("rundir: %s: %w", path, err)
	}
	return f.Name(), nil
}

// RemovePartialFiles removes temporary files of a process that was killed.
func (d Dir) RemovePartialFiles() error { return removeAll(d.File(".*.*.*")) }

// removeAll removes the files whose paths match a pattern.
func removeAll(pattern string) error {
	paths, err := filepath.Glob(pattern)
	for _, path := range paths {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		return fmt.Errorf("rundir: %w", err)
	}
	return nil
}

// CleanUp removes what a killed process has left in the directory of a finished seed: its lock and
// temporary files. It leaves the directory alone while another process has locked it.
func (d Dir) CleanUp() error {
	left, err := filepath.Glob(d.File(".*.*.*"))
	if err != nil || left == nil && !d.Has(LockFile) {
		return err
	}
	err = d.WithLock(d.RemovePartialFiles)
	if errors.As(err, new(*LockedError)) {
		return nil
	}
	return err
}

// CleanUpRun removes the temporary files of summaries. No process must be using a seed of the run.
func CleanUpRun(run string) error { return removeAll(filepath.Join(run, ".summary.*.*")) }
