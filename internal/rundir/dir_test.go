package rundir

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6655bf3b/recap/internal/settings"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

func TestConfigurationSurvivesTheFile(t *testing.T) {
	c := settingstest.Resolved(t,
		map[string]string{"sizes": "[4, 2]", "weights": "[1, 2, 3]", "variant": "no-dropout",
			"data.labels": "0.1"})
	d := Dir(t.TempDir())
	if err := d.WriteConfig(&c); err != nil {
		t.Fatal(err)
	}
	back, err := d.Config()
	if diff := cmp.Diff(c, back, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// TestLargestSeed finds the directory of the largest seed, and not that of a name that is no seed.
func TestLargestSeed(t *testing.T) {
	c, run := settingstest.Resolved(t, nil), t.TempDir()
	seeds := []uint64{0, math.MaxUint64}
	if _, err := CreateSeeds(run, c, append(seeds, 7)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(run, "seed7"), filepath.Join(run, "seed7a")); err != nil {
		t.Fatal(err)
	}
	dirs, err := SeedSubdirs(run)
	if err != nil || len(dirs) != 2 || filepath.Base(string(dirs[1])) !=
		fmt.Sprint("seed", seeds[1]) {
		t.Errorf("%v, %v", dirs, err)
	}
}

// TestSeedDirs has directories of seeds, one without a configuration, and others.
func TestSeedDirs(t *testing.T) {
	run, c := filepath.Join(t.TempDir(), "full"), settingstest.Resolved(t, nil)
	create(t, run, c, 10, 2, 33)
	seed := func(n int) Dir { return Dir(filepath.Join(run, fmt.Sprint("seed", n))) }
	for _, name := range []string{"seed", "seed-1", "seed1.5", "5", "xseed6"} {
		writeFile(t, filepath.Join(run, name, ConfigFile), "")
	}
	writeFile(t, seed(4).File(JournalFile), "")
	writeFile(t, filepath.Join(run, "seed7"), "")
	want := []Dir{seed(2), seed(10), seed(33)}
	for name, list := range map[string]func(string) ([]Dir, error){"SeedDirs": SeedDirs,
		"SeedSubdirs": SeedSubdirs, "PlannedSeeds": PlannedSeeds} {
		if dirs, err := list(run); err != nil || !slices.Equal(dirs, want) {
			t.Errorf("%s: %v, want %v: %v", name, dirs, want, err)
		}
		if dirs, err := list(string(seed(2))); err != nil ||
			name != "SeedSubdirs" && !slices.Equal(dirs, want[:1]) {
			t.Errorf("%s of a seed: %v, %v", name, dirs, err)
		}
		nowhere := filepath.Join(run, "nowhere")
		if _, err := list(nowhere); fmt.Sprint(err) !=
			"rundir: run: open "+nowhere+": no such file or directory" {
			t.Errorf("%s: error %v", name, err)
		}
		_, err := list(string(seed(4)))
		if fails := fmt.Sprintf("rundir: %s: expected a run, with directories such as seed1111, "+
			"found none; give the directory that train printed",
			seed(4)); name != "SeedSubdirs" && fmt.Sprint(err) != fails {
			t.Errorf("%s: error %v, want %s", name, err, fails)
		}
	}
}

// TestSeed has the directory of a seed before and after its first state and its end.
func TestSeed(t *testing.T) {
	run := t.TempDir()
	d := Dir(filepath.Join(run, "seed5"))
	if d.Run() != run {
		t.Errorf("run %s, want %s", d.Run(), run)
	}
	_, err := d.Config()
	if want := fmt.Sprintf("rundir: %s: expected the directory of a run, found no config.yaml: "+
		"open %s: no such file or directory", d, d.File("config.yaml")); fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if text := d.LastState(); text != "No epoch was finished before" {
		t.Error(text)
	}
	writeFile(t, d.File("state.safetensors"), "")
	if text := d.LastState(); text !=
		"The last good state is "+filepath.Join(run, "seed5", "state.safetensors") {
		t.Error(text)
	}
	if d.Finished() {
		t.Error("finished without predictions")
	}
	writeFile(t, d.File("predictions.csv"), "")
	if !d.Finished() {
		t.Error("not finished with predictions")
	}
	c, below := settingstest.Resolved(t, nil), Dir(d.File("predictions.csv"))
	if err := below.WriteConfig(&c); fmt.Sprint(err) !=
		fmt.Sprintf("rundir: run directory: mkdir %s: file exists", below) {
		t.Errorf("error %v of a directory that is a file", err)
	}
}

// TestRoot finds the directory of the run directories, unless the run is not where train made it.
func TestRoot(t *testing.T) {
	c := settings.Config{Dataset: "mosi", Model: "misa"}
	for run, want := range map[string]string{
		"runs/mosi/misa/full": "runs", "mosi/misa/full-2": ".", "/a/b/mosi/misa/x": "/a/b",
		"full": "full", ".": ".", "kept/misa/full": "kept/misa/full",
	} {
		if got := filepath.ToSlash(Root(filepath.FromSlash(run), &c)); got != want {
			t.Errorf("%s: %s, want %s", run, got, want)
		}
	}
}
