package rundir

import (
	"path/filepath"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

// TestChooseDirNamesTheRun takes the variant as the name, and a number where that is not free.
func TestChooseDirNamesTheRun(t *testing.T) {
	out := t.TempDir()
	for _, want := range []string{"full", "full-2", "full-3"} {
		c := settingstest.Resolved(t, nil)
		dir, err := ChooseDir(out, &c, []uint64{5})
		if err != nil || filepath.Base(dir) != want || c.Name != want {
			t.Errorf("%s, name %q, error %v; want %s", dir, c.Name, err, want)
		}
		if _, err := CreateSeeds(dir, c, []uint64{5}); err != nil {
			t.Fatal(err)
		}
	}
}
