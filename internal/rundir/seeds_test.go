package rundir

import (
	"errors"
	"fmt"
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

// TestSeedsThatExist keeps the files of seeds that are there, and the caller's list.
func TestSeedsThatExist(t *testing.T) {
	run, c := filepath.Join(t.TempDir(), "full"), settingstest.Resolved(t, nil)
	old := create(t, run, c, 6)[0]
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	older := "# of an older version\n" + string(text)
	writeFile(t, old.File(ConfigFile), older)
	writeFile(t, filepath.Join(run, seedsFile), "8\n18446744073709551615\n")
	seeds := []uint64{7, 6, 99, 98}
	got := create(t, run, c, seeds[:2]...)
	all, err := SeedDirs(run)
	seed := func(n string) Dir { return Dir(filepath.Join(run, "seed"+n)) }
	if want := []Dir{seed("7"), seed("6")}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if want := []Dir{seed("6"), seed("7"), seed("8"), seed("18446744073709551615")}; err != nil ||
		!slices.Equal(all, want) {
		t.Errorf("%v, want %v: %v", all, want, err)
	}
	if now, err := os.ReadFile(old.File(ConfigFile)); err != nil || string(now) != older {
		t.Errorf("%s, want %s: %v", now, older, err)
	}
	if seeds[2] != 99 {
		t.Errorf("the caller's list is %v", seeds)
	}
}

// TestErrorsOfSeeds has lists and directories of seeds that are not what they should be.
func TestErrorsOfSeeds(t *testing.T) {
	run, c := t.TempDir(), settingstest.Resolved(t, nil)
	list := filepath.Join(run, seedsFile)
	file := filepath.Join(run, "file")
	writeFile(t, file, "")
	fails := func(what string, err error, want string) {
		t.Helper()
		if fmt.Sprint(err) != want {
			t.Errorf("%s: error %v, want %s", what, err, want)
		}
	}
	_, err := CreateSeeds(file, c, []uint64{5})
	fails("a file", err, "rundir: run directory: mkdir "+file+": file exists")
	d := create(t, run, c, 5)[0]
	for text, want := range map[string]string{"": "rundir: " + list + ": expected a file, found " +
		"a directory; give a regular file", "6\n0x7\n": "rundir: " + list + ": expected a seed " +
		`in each line, found "0x7"; remove the file, and train the seeds that are missing`} {
		if text == "" {
			err = os.Mkdir(list, 0o755)
		} else {
			err = os.WriteFile(list, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err := PlannedSeeds(run)
		fails("planned", err, want)
		_, err = CreateSeeds(run, c, []uint64{5})
		fails("create", err, want)
		if dirs, err := PlannedSeeds(string(d)); err != nil || !slices.Equal(dirs, []Dir{d}) {
			t.Errorf("one seed: %v, %v", dirs, err)
		}
		if err := os.Remove(list); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, list, "6\n")
	writeFile(t, filepath.Join(run, "seed6"), "")
	_, err = PlannedSeeds(run)
	fails("a seed that is a file", err, "rundir: run directory: mkdir "+
		filepath.Join(run, "seed6")+": file exists")
	writeFile(t, d.File(ConfigFile), "model: [\n")
	_, broken := d.Config()
	_, err = PlannedSeeds(run)
	fails("a broken configuration", err, fmt.Sprint(broken))
}
