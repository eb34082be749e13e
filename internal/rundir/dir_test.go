package rundir

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
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
