package rundir

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed-6655bf3b/recap/nn"
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

// File returns the path of a file in the directory.
func (d Dir) File(name string) string { return filepath.Join(string(d), name) }

// Has reports whether the file exists in the directory.
func (d Dir) Has(name string) bool {
	_, err := os.Stat(d.File(name))
	return err == nil
}

// WriteFile writes a temporary file and renames it to path, so that path is written completely or
// not at all.
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
	return nil
}

// writeTemporary writes a temporary file in the directory of path and returns its path.
func writeTemporary(path string, write func(f *os.File) error) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", fmt.Errorf("rundir: %w", err)
	}
	if err := errors.Join(write(f), f.Chmod(0o644), f.Close()); err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("rundir: %s: %w", path, err)
	}
	return f.Name(), nil
}

// SaveTensors writes named tensors and metadata to a safetensors file, atomically.
func SaveTensors(path string, ps []nn.Param, meta map[string]string) error {
	return WriteWith(path, func(f *os.File) error {
		w := bufio.NewWriterSize(f, 1<<20)
		return errors.Join(nn.Save(w, ps, meta), w.Flush())
	})
}

// RemovePartialFiles removes temporary files of a process that was killed.
func (d Dir) RemovePartialFiles() error {
	paths, err := filepath.Glob(d.File(".*.*.*"))
	for _, path := range paths {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		return fmt.Errorf("rundir: %s: %w", d, err)
	}
	return nil
}
