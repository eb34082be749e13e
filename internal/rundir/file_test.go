package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/files"
	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

// TestNamesOfFiles has the names of the files in the directories that users have.
func TestNamesOfFiles(t *testing.T) {
	got := []string{ConfigFile, JournalFile, BestFile, StateFile, PredictionsFile, SummaryCSV,
		SummaryMarkdown, LockFile, seedsFile, SnapshotFile("stage1"), StartFile("stage2"),
		Dir("a").File("b")}
	want := []string{"config.yaml", "metrics.jsonl", "best.safetensors", "state.safetensors",
		"predictions.csv", "summary.csv", "summary.md", "running.lock", "seeds.txt",
		"stage1.safetensors", "stage2-start.safetensors", filepath.Join("a", "b")}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// unwritable is a disk on which a file can be removed, but not written.
type unwritable struct{ files.System }

var errReadOnly = errors.New("the disk cannot be written")

// Create implements [files.Disk].
func (unwritable) Create(string, string) (*os.File, error) { return nil, errReadOnly }

// Append implements [files.Disk].
func (unwritable) Append(string) (*os.File, error) { return nil, errReadOnly }

// TestFinishedOnAReadOnlyDisk does to a finished run what needs no change.
func TestFinishedOnAReadOnlyDisk(t *testing.T) {
	run, c := filepath.Join(t.TempDir(), "full"), settingstest.Resolved(t, nil)
	d := create(t, run, c, 5)[0]
	summary := filepath.Join(run, SummaryCSV)
	writeFile(t, summary, "scores")
	filestest.Use(t, unwritable{})
	_, created := CreateSeeds(run, c, []uint64{5})
	_, planned := PlannedSeeds(run)
	for what, err := range map[string]error{"CreateSeeds": created, "PlannedSeeds": planned,
		"UpdateFile": UpdateFile(summary, []byte("scores")), "CleanUp": d.CleanUp(),
		"CleanUpRun": CleanUpRun(run)} {
		if err != nil {
			t.Errorf("%s: error %v", what, err)
		}
	}
	for what, err := range map[string]error{"other": UpdateFile(summary, []byte("other")),
		"same": WriteFile(summary, []byte("scores"))} {
		if want := "rundir: " + summary + ": the disk cannot be written"; fmt.Sprint(err) != want {
			t.Errorf("%s text: error %v, want %s", what, err, want)
		}
	}
	filestest.Use(t, files.System{})
	if err := UpdateFile(summary, []byte("other")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(summary); err != nil || string(text) != "other" {
		t.Errorf("the file has %q, %v", text, err)
	}
}

// TestRemoveLeftovers removes the temporary files of one file, of the summaries, and of all files.
func TestRemoveLeftovers(t *testing.T) {
	for _, w := range []struct {
		what   string
		remove func(dir string) error
		left   string
	}{
		{"x", func(dir string) error { return RemoveLeftovers(filepath.Join(dir, "x")) },
			".summary.csv.1.partial .summary.md.2.partial .y.4.partial z"},
		{"run", CleanUpRun, ".x.3.partial .y.4.partial z"},
		{"seed", func(dir string) error { return Dir(dir).RemovePartialFiles() }, "z"},
		{"clean", func(dir string) error { return Dir(dir).CleanUp() }, "z"},
	} {
		dir := t.TempDir()
		for _, name := range []string{".summary.csv.1.partial", ".summary.md.2.partial",
			".x.3.partial", ".y.4.partial", "z"} {
			writeFile(t, filepath.Join(dir, name), "")
		}
		err := w.remove(dir)
		entries, e := os.ReadDir(dir)
		var left []string
		for _, entry := range entries {
			left = append(left, entry.Name())
		}
		if got := strings.Join(left, " "); err != nil || e != nil || got != w.left {
			t.Errorf("%s: left %s, want %s: %v, %v", w.what, got, w.left, err, e)
		}
		none := filepath.Join(dir, "none")
		if err := w.remove(none); fmt.Sprint(err) !=
			"rundir: open "+none+": no such file or directory" {
			t.Errorf("%s: error %v", w.what, err)
		}
	}
}
