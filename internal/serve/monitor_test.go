package serve

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-6655bf3b/recap/internal/rundir"
)

// TestStatesOfRuns lists runs with several seeds: the state is that of the first seed that a
// process trains, or else of the first that is not finished; and runs whose files are damaged.
func TestStatesOfRuns(t *testing.T) {
	root := t.TempDir()
	file := func(run string, seed int, name, text string) {
		t.Helper()
		_, journal := newRun(t, root, run, seed)
		if name != "" {
			put(t, filepath.Join(filepath.Dir(journal), name), text)
		}
	}
	lock := func(run string) {
		t.Helper()
		release, err := rundir.Lock(filepath.Join(root, run, rundir.LockFile))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := release(); err != nil {
				t.Error(err)
			}
		})
	}
	file("a-stopped", 1, rundir.JournalFile, record("stage1", 1)+record("stage1", 2))
	file("a-stopped", 2, "", "")
	file("b-second-runs", 1, "", "")
	file("b-second-runs", 2, rundir.JournalFile, record("stage2", 1))
	file("b-second-runs", 3, "", "")
	lock("b-second-runs/seed2")
	lock("b-second-runs/seed3")
	file("c-journal", 1, rundir.JournalFile, "x\n")
	file("d-config", 1, "", "")
	file("d-config", 2, rundir.ConfigFile, "seed: [")
	file("e-lock", 1, rundir.LockFile, "x\n")
	file("f-predictions", 1, rundir.PredictionsFile, "x")
	file("g-unknown", 1, rundir.LockFile, `{"host":"elsewhere","pid":1}`)
	m := newMonitor(root)
	if _, err := m.look(); err != nil {
		t.Fatal(err)
	}
	m.due = time.Time{} // the scores of a slow machine
	s, err := m.look()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"a-stopped|0 of 2|stopped|seed 1: stage1, epoch 2 of 4",
		"b-second-runs|0 of 3|running|seed 2: stage2, epoch 1 of ",
		"c-journal|0 of 1|stopped|rundir: ",
		"d-config||error|settings: ",
		"e-lock|0 of 1|error|rundir: ",
		"f-predictions|1 of 1|error|results: ",
		"g-unknown|0 of 1|locked|seed 1: no epoch yet",
	} {
		r := s.runs[i].status
		got := strings.Join([]string{r.Name, r.Seeds, r.Phase, r.State}, "|")
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for i, name := range map[int]string{2: rundir.JournalFile, 3: rundir.ConfigFile,
		4: rundir.LockFile, 5: rundir.BestFile} {
		if state := s.runs[i].status.State; !strings.Contains(state, name) {
			t.Errorf("run %d: the state %q does not name %s", i, state, name)
		}
	}
	if s.find("b-second-runs") != s.runs[1] || s.find("b") != nil {
		t.Error("another run is found")
	}
	if broken := s.runs[3]; broken.err == nil || broken.seeds != nil {
		t.Errorf("a run with a damaged-configuration: %+v", broken)
	}
	h := &handler{dir: filepath.Join(root, "d-config")}
	alone := &snapshot{runs: []*runState{{dir: h.dir, err: errors.New("damaged")}}}
	if h.single(alone) != nil {
		t.Error("a damaged run has a page")
	}
	alone.runs[0].err = nil
	if h.single(alone) != alone.runs[0] || h.single(&snapshot{}) != nil ||
		h.single(&snapshot{runs: append(alone.runs, s.runs[0])}) != nil {
		t.Error("the page of one run is not that of the run alone")
	}
}

// TestSharedLook checks that clients share a look, and that a file is read again only if its size
// or modification time has changed.
func TestSharedLook(t *testing.T) {
	old := pollInterval
	defer func() { pollInterval = old }()
	root := t.TempDir()
	_, journal := newRun(t, root, "full", 7)
	put(t, journal, record("stage1", 1))
	m := newMonitor(root)
	state := func() (*snapshot, string) {
		s, err := m.look()
		if err != nil {
			t.Fatal(err)
		}
		return s, s.runs[0].status.State
	}
	pollInterval = time.Hour
	first, _ := state()
	if second, _ := state(); second != first {
		t.Error("a second client looks at the files again")
	}
	info, err := os.Stat(journal)
	if err != nil {
		t.Fatal(err)
	}
	put(t, journal, record("stage1", 3))
	for _, c := range []struct {
		modified time.Time
		want     string
	}{
		{info.ModTime(), "seed 7: stage1, epoch 1 of 4"},
		{info.ModTime().Add(time.Second), "seed 7: stage1, epoch 3 of 4"},
	} {
		if err := os.Chtimes(journal, c.modified, c.modified); err != nil {
			t.Fatal(err)
		}
		m.due = time.Time{}
		if _, got := state(); got != c.want {
			t.Errorf("modified at %v: %q, want %q", c.modified, got, c.want)
		}
	}
	if err := os.RemoveAll(filepath.Join(root, "full")); err != nil {
		t.Fatal(err)
	}
	m.due = time.Time{}
	if s, err := m.look(); err != nil || len(s.runs) != 0 || len(m.runs) != 0 {
		t.Errorf("a removed run: %v, %d in memory, %v", s, len(m.runs), err)
	}
}
