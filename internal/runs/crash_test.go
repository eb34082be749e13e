package runs_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	"github.com/seed-6655bf3b/recap/internal/rundir"
	"github.com/seed-6655bf3b/recap/internal/runs/runstest"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

// TestPowerFailures resumes a run of two seeds from what a power failure may leave before each
// change of the disk. The files must be those of the uninterrupted run. If no configuration is
// left, resuming is an error, and the run is trained again.
func TestPowerFailures(t *testing.T) {
	c := settingstest.Resolved(t, map[string]string{"dataset": "small", // opens at once
		"data.file":           filepath.Join("..", "..", "datasets", "testdata", "protocol5.pkl"),
		"train.epochs.stage1": "1", "train.epochs.stage2": "2"})
	seeds := []uint64{5, 6}
	r := runstest.NewRunner(t)
	root := filepath.Dir(r.Out)
	disk := filestest.Record()
	filestest.Use(t, disk)
	r.TensorBoard = true
	run, _, err := r.Train(t.Context(), c, seeds)
	if err != nil {
		t.Fatal(err)
	}
	filestest.Use(t, filestest.Fast{})
	want := withoutEvents(runstest.Contents(t, run))
	rng := rand.New(rand.NewPCG(1, 2))
	seen, resumed := map[[sha256.Size]byte]bool{}, 0
	for i, moment := range disk.Moments {
		for _, loss := range []filestest.Loss{
			filestest.Nothing, filestest.All, filestest.Some, filestest.Some, filestest.Some,
		} {
			left := moment.Left(t, root, loss, rng)
			state := sha256.Sum256(fmt.Appendf(nil, "%s", left))
			if seen[state] {
				continue
			}
			seen[state] = true
			again := runstest.NewRunner(t)
			again.TensorBoard = true
			left.Write(t, filepath.Dir(again.Out))
			dir := strings.Replace(run, r.Out, again.Out, 1)
			_, noConfig := rundir.SeedDirs(dir)
			_, _, err := again.Resume(t.Context(), dir)
			if noConfig != nil {
				if err == nil || err.Error() != noConfig.Error() {
					t.Errorf("change %d, loss %d: error %v, want %v", i, loss, err, noConfig)
				}
				dir, _, err = again.Train(t.Context(), c, seeds)
			} else {
				resumed++
			}
			if err != nil {
				t.Errorf("change %d, loss %d: %v", i, loss, err)
				continue
			}
			what := "change " + strconv.Itoa(i) + ", loss " + strconv.Itoa(int(loss))
			runstest.SameFiles(t, what, withoutEvents(runstest.Contents(t, dir)), want)
		}
	}
	t.Logf("resumed %d of %d states after %d changes", resumed, len(seen), len(disk.Moments))
	if resumed < 100 {
		t.Errorf("resumed %d times", resumed)
	}
}

// withoutEvents removes the event files, whose names tell how often a run was resumed.
func withoutEvents(files map[string]string) map[string]string {
	maps.DeleteFunc(files, func(name, _ string) bool { return strings.Contains(name, "tfevents") })
	return files
}
