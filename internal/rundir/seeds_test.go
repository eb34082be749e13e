package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

// TestKilledBetweenSeeds removes configurations that a killed process would not have written.
func TestKilledBetweenSeeds(t *testing.T) {
	run, c := filepath.Join(t.TempDir(), "full"), settingstest.Resolved(t, nil)
	if _, err := CreateSeeds(run, c, []uint64{5, 6, 7}); err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(run, seedsFile)
	if _, err := os.Stat(list); err == nil {
		t.Error("the list of seeds is still there")
	}
	kill := func() {
		t.Helper()
		if err := errors.Join(os.RemoveAll(filepath.Join(run, "seed6")),
			os.Remove(filepath.Join(run, "seed7", ConfigFile)),
			os.WriteFile(list, []byte("5\n6\n7\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(dirs []Dir, err error) {
		t.Helper()
		var seeds []uint64
		for _, d := range dirs {
			c, err := d.Config()
			if err != nil {
				t.Fatal(err)
			}
			seeds = append(seeds, c.Seed)
		}
		if _, left := os.Stat(list); err != nil || !slices.Equal(seeds, []uint64{5, 6, 7}) ||
			left == nil {
			t.Errorf("seeds %v, want 5, 6 and 7 (%v)", seeds, err)
		}
	}
	kill()
	check(PlannedSeeds(run))
	kill()
	if _, err := CreateSeeds(run, c, []uint64{5}); err != nil {
		t.Fatal(err)
	}
	check(SeedDirs(run))

	// before the first configuration, the list may be of another run
	if err := errors.Join(os.RemoveAll(run), os.MkdirAll(run, 0o755),
		os.WriteFile(list, []byte("8\n9\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := CreateSeeds(run, c, []uint64{5, 6, 7}); err != nil {
		t.Fatal(err)
	}
	check(SeedDirs(run))
}

// TestListIsWrittenFirst makes the second seed's directory impossible: then the list is there.
func TestListIsWrittenFirst(t *testing.T) {
	run := t.TempDir()
	if err := os.WriteFile(filepath.Join(run, "seed6"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := CreateSeeds(run, settingstest.Resolved(t, nil), []uint64{5, 6})
	text, e := os.ReadFile(filepath.Join(run, seedsFile))
	if err == nil || string(text) != "5\n6\n" {
		t.Errorf("list %q (%v), error %v", text, e, err)
	}
}
