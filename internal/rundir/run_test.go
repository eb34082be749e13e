package rundir

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

func TestFindRuns(t *testing.T) {
	root := t.TempDir()
	c := settingstest.Resolved(t, nil)
	var want []string
	for _, name := range []string{"synthetic/toy/full", "synthetic/toy/no-dropout",
		"mosi/toy/full"} {
		create(t, filepath.Join(root, name), c, 1, 2)
		want = append(want, filepath.Join(root, name))
	}
	slices.Sort(want)
	if err := os.MkdirAll(filepath.Join(root, "other", "seed1"), 0o755); err != nil {
		t.Fatal(err)
	}
	// what is below a seed is not searched
	writeFile(t, filepath.Join(want[0], "seed1", "copy", "seed3", ConfigFile), "")
	if got, err := FindRuns(root); err != nil || !slices.Equal(got, want) {
		t.Errorf("runs %v, want %v: %v", got, want, err)
	}
	if got, err := FindRuns(want[0] + "/"); err != nil || !slices.Equal(got, want[:1]) {
		t.Errorf("one run: %v, want %v: %v", got, want[:1], err)
	}
	seed := filepath.Join(want[0], "seed2")
	if got, err := FindRuns(seed); err != nil || !slices.Equal(got, []string{seed}) {
		t.Errorf("one seed: %v, want %s: %v", got, seed, err)
	}
	nowhere := filepath.Join(root, "nowhere")
	if _, err := FindRuns(nowhere); fmt.Sprint(err) !=
		"rundir: runs: lstat "+nowhere+": no such file or directory" {
		t.Errorf("error %v where there is no directory", err)
	}
}

// TestRun reads a run without a finished seed, with one, and with all finished, and then damaged.
func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "full")
	c := settingstest.Resolved(t, nil)
	dirs := create(t, dir, c, 10, 9)
	unfinished := "rundir: " + dir + ": expected a finished run, found an unfinished one; " +
		"continue it with recap train --resume " + dir
	c.Seed = 9
	for finished, want := range []struct {
		first string // the first finished seed
		fails string
		seeds []uint64
	}{
		{"", unfinished, []uint64{}},
		{"seed10", "<nil>", []uint64{10}},
		{"seed9", "<nil>", []uint64{9, 10}},
	} {
		run, err := Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(run, &Run{dir, c, []SeedRun{{9, dirs[1], finished > 1},
			{10, dirs[0], finished > 0}}}, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
		if run.Finished() != (finished > 1) || run.HasFinished() != (finished > 0) {
			t.Errorf("with %d seeds finished: %v, %v", finished, run.Finished(), run.HasFinished())
		}
		first, err := FirstFinished(dir)
		if fmt.Sprint(err) != want.fails ||
			first != "" && filepath.Base(string(first)) != want.first {
			t.Errorf("the first of %d finished seeds is %s, want %s: %v", finished, first,
				want.first, err)
		}
		seeds, err := FinishedSeeds(dir)
		if err != nil || seeds == nil || !slices.Equal(seeds, want.seeds) {
			t.Errorf("seeds %v, want %v: %v", seeds, want.seeds, err)
		}
		if finished < 2 {
			writeFile(t, dirs[finished].File(PredictionsFile), "")
		}
	}

	one, err := Read(string(dirs[0]))
	if err != nil || one.Config.Seed != 10 || len(one.Seeds) != 1 {
		t.Errorf("%+v, %v, want seed 10 alone", one, err)
	}
	writeFile(t, dirs[0].File(ConfigFile), "model: [\n")
	_, broken := dirs[0].Config()
	_, read := Read(dir)
	_, finished := FinishedSeeds(dir)
	if fmt.Sprint(read) != fmt.Sprint(broken) || fmt.Sprint(finished) != fmt.Sprint(broken) {
		t.Errorf("errors %v and %v of a run, %v of the seed", read, finished, broken)
	}
	none := t.TempDir()
	_, read = Read(none)
	_, finished = FinishedSeeds(none)
	_, first := FirstFinished(none)
	for _, err := range []error{read, finished, first} {
		if want := "rundir: " + none + ": expected a run, with directories such as seed1111, " +
			"found none; give the directory that train printed"; fmt.Sprint(err) != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestHeading compares with the configuration that Config.YAML writes, whose seed is in one line.
func TestHeading(t *testing.T) {
	c := settingstest.Resolved(t, map[string]string{"dataset": "mosi",
		"variant": "no-dropout"})
	c.Seed = 1234
	text, err := c.YAML()
	if err != nil || strings.Count(string(text), "seed: 1234\n") != 1 {
		t.Fatalf("%s, %v", text, err)
	}
	run := &Run{Config: c}
	got, err := run.YAML()
	if err != nil || got != strings.Replace(string(text), "seed: 1234\n", "", 1) {
		t.Errorf("%s, %v", got, err)
	}
	if title := run.Title(); title != "w/o dropout on mosi" {
		t.Errorf("title %q", title)
	}
}

func TestCheckSpace(t *testing.T) {
	dir := t.TempDir()
	free, known := freeSpace(dir)
	if !known {
		t.Skip("the free space is not known here")
	}
	if err := CheckSpace(dir, 1); err != nil {
		t.Error(err)
	}
	want := fmt.Sprintf("rundir: %s: expected %d MB of free disk space for states and "+
		"checkpoints, found ", dir, math.MaxInt64/1_000_000)
	err := CheckSpace(dir, math.MaxInt64)
	var found int64
	if rest, ok := strings.CutPrefix(fmt.Sprint(err), want); !ok {
		t.Errorf("error %v, want %s", err, want)
	} else if _, err := fmt.Sscanf(rest, "%d MB; remove files, or give another disk's "+
		"directory with --out", &found); err != nil || found > 2*free/1e6 || found < free/2e6 {
		t.Errorf("%s, %v, while %d bytes are free", rest, err, free)
	}
}
