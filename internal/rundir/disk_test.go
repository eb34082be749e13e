package rundir

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6655bf3b/recap/internal/files/filestest"
	"github.com/seed-6655bf3b/recap/internal/settings/settingstest"
)

// TestErrorsOfTheDisk lets each change fail that writing a file of a run makes to the disk.
func TestErrorsOfTheDisk(t *testing.T) {
	c := settingstest.Resolved(t, nil)
	leftover := func(name string) func(dir string) error {
		return func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "."+name+".1.partial"), nil, 0o644)
		}
	}
	params := pair(t, 1)
	for _, w := range []struct {
		what           string
		prepare, write func(dir string) error
	}{
		{"CreateSeeds", leftover(seedsFile), func(dir string) error {
			_, err := CreateSeeds(dir, c, []uint64{1, 2})
			return err
		}},
		{"a configuration", leftover("x"), func(dir string) error {
			return Dir(dir).WriteConfig(&c)
		}},
		{"tensors", leftover("x"), func(dir string) error {
			return SaveTensors(filepath.Join(dir, "x"), params, nil)
		}},
		{"a journal", leftover("x"), func(dir string) error {
			j, err := OpenJournal(filepath.Join(dir, JournalFile), "", 0)
			if err != nil {
				return err
			}
			return j.Append(Record{Epoch: 1})
		}},
		{"UpdateFile", leftover("x"), func(dir string) error {
			return UpdateFile(filepath.Join(dir, "x"), []byte("text"))
		}},
		{"RemoveLeftovers", leftover("x"), func(dir string) error {
			return RemoveLeftovers(filepath.Join(dir, "x"))
		}},
		{"CleanUp", leftover("x"), func(dir string) error { return Dir(dir).CleanUp() }},
		{"CleanUpRun", leftover(SummaryCSV), CleanUpRun},
	} {
		filestest.ErrorsReachTheCaller(t, w.what, w.prepare, w.write)
	}
}

// JSON has no NaN and no infinities: they become null, which is read as NaN.
func TestNumbersOfAJournal(t *testing.T) {
	dir := Dir(t.TempDir())
	j, err := OpenJournal(dir.File(JournalFile), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Append(Record{Epoch: 1, Terms: Numbers{"a": 1.5, "nan": math.NaN(),
		"up": math.Inf(1), "down": math.Inf(-1)}}); err != nil {
		t.Fatal(err)
	}
	records, err := dir.Records()
	want := Numbers{"a": 1.5, "nan": math.NaN(), "up": math.NaN(), "down": math.NaN()}
	if err != nil || len(records) != 1 ||
		!cmp.Equal(records[0].Terms, want, cmpopts.EquateNaNs()) {
		t.Fatalf("%v, %v, want %v", records, err, want)
	}
	text, err := os.ReadFile(j.Path)
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.Replace(string(text), "1.5", `"1.5"`, 1)
	if err := os.WriteFile(j.Path, []byte(string(text)+bad), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = dir.Records()
	if !strings.HasPrefix(fmt.Sprint(err), "rundir: "+j.Path+": line 2: expected an epoch, "+
		"found ") ||
		!strings.HasSuffix(fmt.Sprint(err), "; resume the run") {
		t.Errorf("error %v of a number in quotes", err)
	}
}
