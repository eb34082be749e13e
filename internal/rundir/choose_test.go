package rundir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

// create creates the seeds of a run.
func create(t *testing.T, dir string, c settings.Config, seeds ...uint64) []Dir {
	t.Helper()
	dirs, err := CreateSeeds(dir, c, seeds)
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// writeFile writes a file, and creates its directory.
func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestChooseDirNamesTheRun takes the variant as the name, and a number where that is not free.
func TestChooseDirNamesTheRun(t *testing.T) {
	out := t.TempDir()
	for _, want := range []string{"full", "full-2", "full-3"} {
		c := settingstest.Resolved(t, nil)
		dir, err := ChooseDir(out, &c, []uint64{5})
		if err != nil || filepath.Base(dir) != want || c.Name != want {
			t.Errorf("%s, name %q, error %v; want %s", dir, c.Name, err, want)
		}
		create(t, dir, c, 5)
	}
}

// TestDirectoryByName asks for directories of a name in which there is nothing, the same
// configuration, another one, or something else.
func TestDirectoryByName(t *testing.T) {
	out := t.TempDir()
	all := filepath.Join(out, "mosi", "toy")
	c := settingstest.Resolved(t, map[string]string{"dataset": "mosi", "name": "mine"})
	other := settingstest.Resolved(t, map[string]string{"train.batch": "8", "name": "other"})
	create(t, filepath.Join(all, "mine"), c, 5, 6)
	create(t, filepath.Join(all, "other"), other, 7)
	writeFile(t, filepath.Join(all, "broken", "seed1", ConfigFile), "model: [\n")
	writeFile(t, filepath.Join(all, "file"), "")
	seed := func(name, seed string) string { return filepath.Join(all, name, seed) }
	_, broken := Dir(seed("broken", "seed1")).Config()
	if !strings.HasPrefix(fmt.Sprint(broken), "settings: "+seed("broken", "seed1/config.yaml: ")) {
		t.Error(broken)
	}
	anotherRun := "rundir: " + seed("other", "seed7") + ": expected a run of the same " +
		"configuration, found another; choose another name"
	for _, w := range []struct {
		name         string
		seeds        []uint64
		fails, named string // the errors of ChooseDir and of NamedDir
	}{
		{"new", []uint64{5}, "<nil>", "<nil>"},
		{"mine", []uint64{7}, "<nil>", "<nil>"},
		{"mine", []uint64{7, 6}, "rundir: " + filepath.Join(all, "mine") + ": expected a " +
			"directory without this seed, found seed 6; choose another name, or continue it " +
			"with recap train --resume " + seed("mine", "seed6"), "<nil>"},
		{"other", []uint64{5}, anotherRun, anotherRun},
		{"broken", []uint64{5}, fmt.Sprint(broken), fmt.Sprint(broken)},
		{"file", []uint64{5}, "rundir: run: open " + filepath.Join(all, "file") +
			": not a directory", "rundir: run: open " + filepath.Join(all, "file") +
			": not a directory"},
	} {
		c.Name = w.name
		dir, err := ChooseDir(out, &c, w.seeds)
		if fmt.Sprint(err) != w.fails || dir != filepath.Join(all, w.name) || c.Name != w.name {
			t.Errorf("%s, seeds %v: %s, error %v, want %q", w.name, w.seeds, dir, err, w.fails)
		}
		dir, err = NamedDir(out, &c)
		if fmt.Sprint(err) != w.named || dir != filepath.Join(all, w.name) {
			t.Errorf("%s: %s, error %v, want %q", w.name, dir, err, w.named)
		}
	}
}

// TestReuseDir finds the run of a configuration, beside a file and runs that are damaged or of
// other configurations. Without one it takes a new name.
func TestReuseDir(t *testing.T) {
	out := t.TempDir()
	all := filepath.Join(out, "mosi", "toy")
	c := settingstest.Resolved(t, map[string]string{"dataset": "mosi"})
	reuse := func(want string) {
		t.Helper()
		c.Name = ""
		dir, err := ReuseDir(out, "full-x", &c, []uint64{5})
		if err != nil || dir != filepath.Join(all, want) || c.Name != want {
			t.Errorf("%s, name %q, error %v; want %s", dir, c.Name, err, want)
		}
	}
	reuse("full-x")
	writeFile(t, filepath.Join(all, "a file"), "")
	writeFile(t, filepath.Join(all, "broken", "seed1", ConfigFile), "model: [\n")
	other := settingstest.Resolved(t, map[string]string{"train.batch": "8", "name": "full-x"})
	create(t, filepath.Join(all, "full-x"), other, 5)
	reuse("full-x-2")
	c.Name = "mine"
	writeFile(t, filepath.Join(all, "mine", "seed1", ConfigFile), "model: [\n") // seed 5 counts
	create(t, filepath.Join(all, "mine"), c, 5)
	reuse("mine")
	c.Name = "000" // before the others
	create(t, filepath.Join(all, "000"), c, 6)
	reuse("000")

	writeFile(t, filepath.Join(out, "mosi", "recap"), "")
	c.Model = "recap"
	_, err := ReuseDir(out, "full", &c, nil)
	if want := "rundir: open " + filepath.Join(out, "mosi", "recap") +
		": not a directory"; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestEqualTo(t *testing.T) {
	for name, want := range map[string]string{"no-stage1": "", "no-stage1-equal-steps": EqualSteps,
		"no-stage1-equal-time-2": EqualTime, "full-equal-time": "", "equal-steps": ""} {
		if got := EqualTo(&settings.Config{Variant: "no-stage1", Name: name}); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
