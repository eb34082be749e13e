package rundir

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

func TestFindRuns(t *testing.T) {
	root := t.TempDir()
	c := settingstest.Resolved(t, nil)
	var want []string
	for _, name := range []string{"synthetic/toy/full", "synthetic/toy/no-dropout",
		"mosi/toy/full"} {
		for _, seed := range []string{"seed1", "seed2"} {
			if err := Dir(filepath.Join(root, name, seed)).WriteConfig(&c); err != nil {
				t.Fatal(err)
			}
		}
		want = append(want, filepath.Join(root, name))
	}
	slices.Sort(want)
	if err := os.MkdirAll(filepath.Join(root, "other", "seed1"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := FindRuns(root); err != nil || !slices.Equal(got, want) {
		t.Errorf("runs %v, want %v: %v", got, want, err)
	}
	if got, err := FindRuns(want[0] + "/"); err != nil || !slices.Equal(got, want[:1]) {
		t.Errorf("one run: %v, want %v: %v", got, want[:1], err)
	}
	if _, err := FindRuns(filepath.Join(root, "nowhere")); err == nil {
		t.Error("no error where there is no directory")
	}
}
